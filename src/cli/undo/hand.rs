//! Steps in the local folder that a person could do by hand.
//!
//! In: a step and the number of the event that will tell of it. Out: what changed, or why
//! nothing did. Invariants: what is taken away is what was expected, looked at once more
//! after it was taken, and it goes to the trash; nothing is replaced. Deliberately absent:
//! which steps (`journal::undo`), the event. CRASH: a slot with what was taken, which the
//! next run puts into the trash, or changes without their event, which it observes.

use crate::adapters::local_fs::LocalFolder;
use crate::journal::undo::{Inverse, Step};
use crate::ports::{LocalFs, PortError, PortResult, Slot};
use journal_format::event::{Change, FailureClass};
use journal_format::value::{Entry, Kind, NAME_BYTES_MAX, RelPath, Seq};
use std::collections::BTreeSet;

/// Works in a local folder and notes what it did there.
pub(in crate::cli) struct Hand<'a> {
    local: &'a LocalFolder,
    trash: BTreeSet<String>,
    changes: Vec<Change>,
}

type Done = Result<(), String>;

impl<'a> Hand<'a> {
    pub(in crate::cli) async fn new(local: &'a LocalFolder) -> PortResult<Self> {
        let trashed = local.trashed().await?.into_iter();
        Ok(Self {
            local,
            trash: trashed.map(|entry| entry.name).collect(),
            changes: Vec::new(),
        })
    }

    /// What changed since the last call, also by steps that did not succeed.
    pub(in crate::cli) fn take_changes(&mut self) -> Vec<Change> {
        std::mem::take(&mut self.changes)
    }

    /// How many changes were noted since they were taken.
    pub(super) fn noted(&self) -> usize {
        self.changes.len()
    }

    /// Does a step; `id` is the number that the coming event will have.
    pub(super) async fn perform(&mut self, id: Seq, step: &Step) -> Done {
        let undoes = Some(step.undoes);
        match &step.inverse {
            Inverse::Restore {
                path,
                entry,
                over: None,
            } => self.restore(entry.as_str(), path, undoes).await,
            Inverse::Restore {
                path,
                entry,
                over: Some(over),
            } => self.exchange(id, path, entry, over, undoes).await,
            Inverse::PutAway { path, expect } => {
                let trashed = self.put_away(id, path, expect).await?;
                self.note(undoes, path, None, None, Some(trashed));
                Ok(())
            }
            Inverse::RemoveFolder { path, expect } => {
                self.expect(path, expect).await?;
                let removed = self.local.remove_dir(path, &expect.fingerprint).await;
                removed.map_err(|error| match error.class {
                    FailureClass::Precondition => "it is not empty".to_owned(),
                    _ => error.to_string(),
                })?;
                self.note(undoes, path, None, None, None);
                Ok(())
            }
            Inverse::MakeFolder { path } => {
                self.free(path).await?;
                self.make_parents(path, undoes).await?;
                let made = self.local.make_dir(path).await.map_err(words)?;
                self.note(undoes, path, None, Some(made), None);
                Ok(())
            }
            Inverse::Rename { from, to, expect } => {
                self.expect(from, expect).await?;
                self.free(to).await?;
                self.make_parents(to, undoes).await?;
                let renamed = self.local.rename(from, to, &expect.fingerprint).await;
                let now = renamed.map_err(words)?;
                self.note(undoes, to, Some(from), Some(now), None);
                Ok(())
            }
        }
    }

    /// Brings an entry of the trash to a free path.
    pub(in crate::cli) async fn restore(
        &mut self,
        entry: &str,
        path: &RelPath,
        undoes: Option<Seq>,
    ) -> Done {
        self.in_trash(entry)?;
        self.free(path).await?;
        self.make_parents(path, undoes).await?;
        let now = self.bring(entry, path).await?;
        self.note(undoes, path, None, Some(now), None);
        Ok(())
    }

    /// Puts what is at a path into the trash, and an entry of the trash there.
    async fn exchange(
        &mut self,
        id: Seq,
        path: &RelPath,
        entry: &RelPath,
        over: &Entry,
        undoes: Option<Seq>,
    ) -> Done {
        self.in_trash(entry.as_str())?;
        let trashed = self.put_away(id, path, over).await?;
        match self.bring(entry.as_str(), path).await {
            Ok(now) => {
                self.note(undoes, path, None, Some(now), Some(trashed));
                Ok(())
            }
            Err(reason) => {
                if self.bring(trashed.as_str(), path).await.is_err() {
                    self.note(undoes, path, None, None, Some(trashed));
                }
                Err(reason)
            }
        }
    }

    async fn bring(&mut self, entry: &str, path: &RelPath) -> Result<Entry, String> {
        self.local.restore(entry, path).await.map_err(words)?;
        self.trash.remove(entry);
        let now = self.local.stat(path).await.map_err(words)?;
        now.ok_or_else(|| "it went away at once".to_owned())
    }

    /// Takes a file or link out, looks at it, and lets it go to the trash.
    async fn put_away(
        &mut self,
        id: Seq,
        path: &RelPath,
        expect: &Entry,
    ) -> Result<RelPath, String> {
        if expect.kind() == Kind::Directory {
            return Err("it is a folder".to_owned());
        }
        self.expect(path, expect).await?;
        let taken = self.local.take(id, path, &expect.fingerprint).await;
        let taken = taken.map_err(words)?;
        if !is_same(&taken, expect) {
            return Err(self.put_back(id, path, CHANGED).await);
        }
        for attempt in 0..ATTEMPTS_MAX {
            let name = trash_name(id, path, attempt)?;
            match self.local.release(id, &Slot::Trash(name.clone())).await {
                Ok(_) => {
                    self.trash.insert(name.as_str().to_owned());
                    return Ok(name);
                }
                Err(error) if error.class == FailureClass::Precondition => {}
                Err(error) => return Err(self.put_back(id, path, &error.to_string()).await),
            }
        }
        Err(self
            .put_back(id, path, "the trash has no name for it")
            .await)
    }

    /// Puts back what was taken. Returns the reason, with what else went wrong.
    async fn put_back(&self, id: Seq, path: &RelPath, reason: &str) -> String {
        match self.local.release(id, &Slot::Path(path.clone())).await {
            Ok(_) => reason.to_owned(),
            Err(error) => format!(
                "{reason}; it could not be put back ({error}), the next run puts it into the trash"
            ),
        }
    }

    async fn make_parents(&mut self, path: &RelPath, undoes: Option<Seq>) -> Done {
        let mut missing = Vec::new();
        let mut above = path.parent();
        while let Some(directory) = above.filter(|directory| !directory.is_root()) {
            if self.local.stat(&directory).await.map_err(words)?.is_some() {
                break;
            }
            above = directory.parent();
            missing.push(directory);
        }
        for directory in missing.iter().rev() {
            let made = self.local.make_dir(directory).await.map_err(words)?;
            self.note(undoes, directory, None, Some(made), None);
        }
        Ok(())
    }

    fn in_trash(&self, entry: &str) -> Done {
        if self.trash.contains(entry) {
            Ok(())
        } else {
            Err("the trash does not hold it any more".to_owned())
        }
    }

    async fn free(&self, path: &RelPath) -> Done {
        match self.local.stat(path).await.map_err(words)? {
            None => Ok(()),
            Some(_) => Err(format!("something is at `{path}`")),
        }
    }

    async fn expect(&self, path: &RelPath, expect: &Entry) -> Done {
        match self.local.stat(path).await.map_err(words)? {
            Some(entry) if is_same(&entry, expect) => Ok(()),
            Some(_) => Err(CHANGED.to_owned()),
            None => Err("it is not there any more".to_owned()),
        }
    }

    fn note(
        &mut self,
        undoes: Option<Seq>,
        path: &RelPath,
        from: Option<&RelPath>,
        now: Option<Entry>,
        trashed: Option<RelPath>,
    ) {
        self.changes.push(Change {
            undoes,
            path: path.clone(),
            from: from.cloned(),
            now,
            trashed,
        });
    }
}

/// Whether it is that version; for folders, that folder.
fn is_same(entry: &Entry, expect: &Entry) -> bool {
    let (now, then) = (&entry.fingerprint, &expect.fingerprint);
    match then.kind {
        Kind::Directory => now.kind == Kind::Directory && now.identity == then.identity,
        Kind::File | Kind::Symlink => now == then,
    }
}

/// The event's number in front, as for what operations put there.
fn trash_name(id: Seq, path: &RelPath, attempt: usize) -> Result<RelPath, String> {
    let mark = match attempt {
        0 => format!("{:016x}-", id.0),
        again => format!("{:016x}-{again}-", id.0),
    };
    let name = path.name().unwrap_or("root");
    let mut end = name.len().min(NAME_BYTES_MAX - mark.len());
    while !name.is_char_boundary(end) {
        end -= 1;
    }
    let name = name.get(..end).unwrap_or_default();
    RelPath::new(format!("{mark}{name}")).map_err(|error| error.to_string())
}

fn words(error: PortError) -> String {
    error.to_string()
}

const CHANGED: &str = "it was changed since";
/// More than the files that one event puts into the trash.
const ATTEMPTS_MAX: usize = 256;
