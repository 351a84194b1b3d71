//! A copy of a store's files, to be looked at and thrown away.
//!
//! In: the directory of a job that may be running. Out: the same files elsewhere, as a
//! process that died at some moment would leave them; tables, which are written once, are
//! shared by links. Invariants: the original is only
//! read; a copy during which tables came or went is made again; where the job's directory
//! takes none (its disk is full, or may only be read), it is made among the temporary
//! files. Watched by `tests/it/journal/source`. Deliberately absent: what the files mean.
//! CRASH: leaves a folder whose lock is free; the next copy removes it, unless it is among
//! the temporary files.

use super::lock::LockFile;
use super::{Layout, OpenError, files};
use std::collections::BTreeSet;
use std::fs::DirBuilder;
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

/// A copy; dropping it removes it.
#[derive(Debug)]
pub(super) struct Copied {
    pub(super) layout: Layout,
    root: PathBuf,
    lock: Option<LockFile>,
}

impl Copied {
    /// Copies a store.
    pub(super) fn make(from: &Layout) -> Result<Self, OpenError> {
        remove_abandoned(&from.copies);
        let beside = Self::beside(from);
        match beside {
            Err(OpenError::Io { .. }) => Self::elsewhere(from).or(beside),
            _ => beside,
        }
    }

    fn beside(from: &Layout) -> Result<Self, OpenError> {
        let root = from.copies.join(own_name());
        files::make_directory(&root)?;
        Self::make_at(from, root)
    }

    /// What lies there already, under a name that anybody can guess, is never used.
    fn elsewhere(from: &Layout) -> Result<Self, OpenError> {
        let root = std::env::temp_dir().join(format!("pydio-sync-{}", own_name()));
        let made = DirBuilder::new().mode(0o700).create(&root);
        made.map_err(|error| OpenError::io(&error, &root))?;
        Self::make_at(from, root)
    }

    fn make_at(from: &Layout, root: PathBuf) -> Result<Self, OpenError> {
        let mut copied = Self {
            lock: None,
            layout: Layout::new(&root.join("0")),
            root,
        };
        copied.lock = Some(LockFile::acquire(&copied.root.join("lock"))?);
        for attempt in 0..ATTEMPTS_MAX {
            copied.layout = Layout::new(&copied.root.join(attempt.to_string()));
            // Archives do not change: they are read where they are, and listed after the
            // copy, so that what moved to one meanwhile is in both.
            copied.layout.archive = from.archive.clone();
            let to = &copied.layout.root;
            files::make_directory(to)?;
            if copy_all(from, &copied.layout).map_err(|error| OpenError::io(&error, &from.root))? {
                return Ok(copied);
            }
            std::fs::remove_dir_all(to).map_err(|error| OpenError::io(&error, to))?;
        }
        Err(OpenError::Locked {
            holder: "a process that changes it faster than it can be copied".to_owned(),
        })
    }

    /// Says of the original what was found in the copy.
    pub(super) fn meant(&self, original: &Layout, error: OpenError) -> OpenError {
        let mut error = error;
        match &mut error {
            OpenError::Damaged { place, .. }
            | OpenError::Foreign { place, .. }
            | OpenError::Unbegun { place }
            | OpenError::Io { place, .. } => {
                if let Ok(inside) = place.strip_prefix(&self.layout.root) {
                    *place = original.root.join(inside);
                }
            }
            OpenError::Locked { .. } | OpenError::HistoryLost { .. } => {}
        }
        error
    }
}

impl Drop for Copied {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_dir_all(&self.root) {
            tracing::debug!(%error, "a copy of the journal not removed");
        }
    }
}

/// A name that no other copy of this machine's processes has.
fn own_name() -> String {
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    format!("{}-{number}", std::process::id())
}

/// Copies everything once; false if what was copied may not fit together.
fn copy_all(from: &Layout, to: &Layout) -> io::Result<bool> {
    // The evidence first: it must not be ahead of the records.
    for (source, target) in [
        (&from.witness, &to.witness),
        (&from.mark, &to.mark),
        (&from.checkpoint, &to.checkpoint),
    ] {
        if !copied(source, target)? && source != &from.checkpoint && source.exists() {
            return Ok(false);
        }
    }
    if !from.journal.is_dir() {
        return Ok(true);
    }
    let before = tables(&from.journal)?;
    // fjall's own journals before its tables: what is flushed meanwhile is in both,
    // while the other way round it could be in neither.
    std::fs::create_dir_all(&to.journal)?;
    let mut folders = Vec::new();
    for entry in std::fs::read_dir(&from.journal)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            folders.push(entry.file_name());
        } else if !copied(&entry.path(), &to.journal.join(entry.file_name()))? {
            return Ok(false);
        }
    }
    for name in folders {
        if !copy_tree(&from.journal.join(&name), &to.journal.join(&name))? {
            return Ok(false);
        }
    }
    Ok(before == tables(&from.journal)?)
}

fn copy_tree(from: &Path, to: &Path) -> io::Result<bool> {
    std::fs::create_dir_all(to)?;
    for entry in std::fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        let is_whole = if entry.file_type()?.is_dir() {
            copy_tree(&entry.path(), &target)?
        } else if is_table(&entry.path()) && std::fs::hard_link(entry.path(), &target).is_ok() {
            true
        } else {
            copied(&entry.path(), &target)?
        };
        if !is_whole {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Tells whether a file is never written again.
fn is_table(path: &Path) -> bool {
    let folder = path.parent().and_then(Path::file_name);
    folder.is_some_and(|folder| folder == "tables")
}

/// Copies a file; false if it is gone.
fn copied(from: &Path, to: &Path) -> io::Result<bool> {
    match files::copy_data(from, to) {
        Ok(_) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

/// Names and lengths of tables and the names of fjall's journals: when they are the same
/// before and after, nothing was flushed, merged or dropped meanwhile.
fn tables(journal: &Path) -> io::Result<BTreeSet<(PathBuf, u64)>> {
    fn each(folder: &Path, is_top: bool, found: &mut BTreeSet<(PathBuf, u64)>) -> io::Result<()> {
        for entry in std::fs::read_dir(folder)? {
            let entry = entry?;
            let seen = match entry.metadata() {
                Ok(seen) => seen,
                // The other look finds that it is gone.
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                Err(error) => return Err(error),
            };
            if seen.is_dir() {
                each(&entry.path(), false, found)?;
            } else {
                // A journal at the top grows while it is copied; its end may be torn.
                let length = if is_top { 0 } else { seen.len() };
                found.insert((entry.path(), length));
            }
        }
        Ok(())
    }
    let mut found = BTreeSet::new();
    each(journal, true, &mut found)?;
    Ok(found)
}

/// Removes copies whose makers died.
fn remove_abandoned(copies: &Path) {
    let Ok(entries) = std::fs::read_dir(copies) else {
        return;
    };
    for entry in entries.flatten() {
        let root = entry.path();
        let lock = root.join("lock");
        // RACE: one that is just being made has no lock yet and is left alone.
        if lock.exists() && LockFile::acquire(&lock).is_ok() {
            std::fs::remove_dir_all(&root).ok();
        }
    }
}

/// Tells the copies of one process apart.
static NUMBER: AtomicU64 = AtomicU64::new(0);
const ATTEMPTS_MAX: u32 = 50;
