//! Steps in the local folder that a person could do by hand.
//!
//! In: what to do, and the number of the event that will tell of it. Out: what changed, or
//! why nothing did, in words. Invariants: what is taken away is what was expected, looked
//! at once more after it was taken, and it goes to the trash; nothing is replaced. Watched
//! by ring 2 (`proptests/tests/undo.rs`). Deliberately absent: which steps
//! (`journal::undo`), the event. CRASH: a slot with what was taken, which the next run puts
//! into the trash, or changes without their event, which it observes.

use super::keep::trash_name;
use crate::ports::{LocalFs, PortError, PortResult, Slot};
use journal_format::event::{Change, FailureClass};
use journal_format::value::{Entry, Kind, RelPath, Seq};
use std::collections::BTreeSet;

/// Works in a local folder and notes what it did there.
pub struct Hand<'a> {
    local: &'a dyn LocalFs,
    trash: BTreeSet<String>,
    changes: Vec<Change>,
}

/// Why a step was not done, in words.
pub type Done = Result<(), String>;

/// Why nothing was brought back.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotRestored {
    /// Its path is taken: another one would do.
    #[error("something is at `{0}`")]
    Taken(RelPath),
    /// Anything else.
    #[error("{0}")]
    Failed(String),
}

impl From<String> for NotRestored {
    fn from(words: String) -> Self {
        Self::Failed(words)
    }
}

impl From<NotRestored> for String {
    fn from(why: NotRestored) -> Self {
        why.to_string()
    }
}

impl<'a> Hand<'a> {
    /// Begins to work; looks at what the trash holds.
    ///
    /// # Errors
    /// The trash cannot be listed.
    pub async fn new(local: &'a dyn LocalFs) -> PortResult<Self> {
        let trashed = local.trash_names().await?.into_iter();
        Ok(Self {
            local,
            trash: trashed.collect(),
            changes: Vec::new(),
        })
    }

    /// Returns what changed since the last call, also by steps that did not succeed.
    pub fn take_changes(&mut self) -> Vec<Change> {
        std::mem::take(&mut self.changes)
    }

    /// Returns how many changes were noted since they were taken.
    #[must_use]
    pub const fn noted(&self) -> usize {
        self.changes.len()
    }

    /// Puts a file or link into the trash; `id` is the number of the coming event.
    ///
    /// # Errors
    /// It is not `expect` any more, or the side fails.
    pub async fn put_away(
        &mut self,
        id: Seq,
        path: &RelPath,
        expect: &Entry,
        undoes: Option<Seq>,
    ) -> Done {
        let trashed = self.take_away(id, path, expect).await?;
        self.note(undoes, path, None, None, Some(trashed));
        Ok(())
    }

    /// Removes an empty folder.
    ///
    /// # Errors
    /// It is not empty or not `expect`, or the side fails.
    pub async fn remove_folder(
        &mut self,
        path: &RelPath,
        expect: &Entry,
        undoes: Option<Seq>,
    ) -> Done {
        self.expect(path, expect).await?;
        let removed = self.local.remove_dir(path, &expect.fingerprint).await;
        removed.map_err(|error| match error.class {
            FailureClass::Precondition => "it is not empty".to_owned(),
            _ => error.to_string(),
        })?;
        self.note(undoes, path, None, None, None);
        Ok(())
    }

    /// Creates a folder at a free path, and those above it.
    ///
    /// # Errors
    /// The path is taken, or the side fails.
    pub async fn make_folder(&mut self, path: &RelPath, undoes: Option<Seq>) -> Done {
        self.free(path).await?;
        self.make_parents(path, undoes).await?;
        let made = self.local.make_dir(path).await.map_err(words)?;
        self.note(undoes, path, None, Some(made), None);
        Ok(())
    }

    /// Renames to a free path.
    ///
    /// # Errors
    /// What is at `from` is not `expect`, `to` is taken, or the side fails.
    pub async fn rename(
        &mut self,
        from: &RelPath,
        to: &RelPath,
        expect: &Entry,
        undoes: Option<Seq>,
    ) -> Done {
        self.expect(from, expect).await?;
        self.free(to).await?;
        self.make_parents(to, undoes).await?;
        let renamed = self.local.rename(from, to, &expect.fingerprint).await;
        let now = renamed.map_err(words)?;
        self.note(undoes, to, Some(from), Some(now), None);
        Ok(())
    }

    /// Brings an entry of the trash to a free path.
    ///
    /// # Errors
    /// The trash does not hold it, the path is taken, or the side fails.
    pub async fn restore(
        &mut self,
        entry: &str,
        path: &RelPath,
        undoes: Option<Seq>,
    ) -> Result<(), NotRestored> {
        self.in_trash(entry)?;
        self.free(path).await?;
        self.make_parents(path, undoes).await?;
        let now = self.bring(entry, path).await?;
        self.note(undoes, path, None, Some(now), None);
        Ok(())
    }

    /// Puts what is at a path into the trash, and an entry of the trash there.
    ///
    /// # Errors
    /// The trash does not hold it, what is there is not `over`, or the side fails.
    pub async fn exchange(
        &mut self,
        id: Seq,
        (entry, path): (&str, &RelPath),
        over: &Entry,
        undoes: Option<Seq>,
    ) -> Done {
        self.in_trash(entry)?;
        let trashed = self.take_away(id, path, over).await?;
        match self.bring(entry, path).await {
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
    async fn take_away(
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
            let name = trash_name(id, path, attempt).map_err(words)?;
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

    async fn free(&self, path: &RelPath) -> Result<(), NotRestored> {
        match self.local.stat(path).await.map_err(words)? {
            None => Ok(()),
            Some(_) => Err(NotRestored::Taken(path.clone())),
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

fn words(error: PortError) -> String {
    error.to_string()
}

const CHANGED: &str = "it was changed since";
/// More than the files that one event puts into the trash.
const ATTEMPTS_MAX: usize = 256;
