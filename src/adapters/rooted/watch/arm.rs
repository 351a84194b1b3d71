//! Puts watches on directories, first the watch, then the look.
//!
//! In: directories that came. Out: watches, and a hint at each of them whole.
//! The handler runs on the watcher's own thread, which must not ask the watcher
//! for anything; that is why this has a thread.

use super::super::beneath::{LISTED, open_beneath};
use super::super::fault::fault;
use super::super::folder::{Base, Folder};
use super::inbox::{Inbox, ToArm};
use journal_format::value::RelPath;
use notify::{ErrorKind, RecommendedWatcher, RecursiveMode, Watcher};
use rustix::fd::{AsFd, OwnedFd};
use rustix::fs::{FileType, Mode, RawDir};
use std::sync::Arc;

/// Owns the watcher.
pub(super) struct Armer {
    folder: Arc<Folder>,
    base: Arc<Base>,
    watcher: RecommendedWatcher,
    inbox: Arc<Inbox>,
}

impl Armer {
    /// Takes over a watcher.
    pub(super) fn new(
        folder: Arc<Folder>,
        base: Arc<Base>,
        watcher: RecommendedWatcher,
        inbox: Arc<Inbox>,
    ) -> Self {
        Self {
            folder,
            base,
            watcher,
            inbox,
        }
    }

    /// Watches every directory of the root.
    pub(super) fn arm_all(&mut self) -> notify::Result<()> {
        self.arm(RelPath::root()).map(drop)
    }

    /// Watches what comes, until nobody listens.
    pub(super) fn run(mut self) {
        while let Some(next) = self.inbox.next_to_arm() {
            let result = match next {
                ToArm::All => self.arm_all().map(|()| self.inbox.rescan()),
                ToArm::Some(directories) => directories
                    .into_iter()
                    .try_for_each(|path| self.arm_and_hint(path)),
            };
            if let Err(error) = result {
                tracing::warn!(%error, "the watcher stops");
                self.inbox.end();
            }
        }
    }

    fn arm_and_hint(&mut self, path: RelPath) -> notify::Result<()> {
        // INVARIANT: the hint comes after the last watch below the path is in
        // place, so a scan that follows it sees what no watch announced.
        if self.arm(path.clone())? {
            self.inbox.subtree(path);
        }
        Ok(())
    }

    /// Returns whether there is a directory.
    fn arm(&mut self, path: RelPath) -> notify::Result<bool> {
        let mut waiting = vec![path];
        let mut armed = false;
        while let Some(path) = waiting.pop() {
            if self.open(&path).is_none() {
                continue;
            }
            let full = self.base.canonical.join(path.as_str());
            match self.watcher.watch(&full, RecursiveMode::NonRecursive) {
                Ok(()) => {}
                Err(error) if is_passing(&error) => {
                    tracing::debug!(path = path.as_str(), %error, "not watched");
                    continue;
                }
                Err(error) => return Err(error),
            }
            // Opened again: only what stands there after the watch counts, and
            // if a link took its place the watch leads outside.
            let Some(directory) = self.open(&path) else {
                if let Err(error) = self.watcher.unwatch(&full) {
                    tracing::debug!(path = path.as_str(), %error, "not unwatched");
                }
                continue;
            };
            armed = true;
            self.add_below(&path, directory, &mut waiting);
        }
        Ok(armed)
    }

    fn open(&self, path: &RelPath) -> Option<OwnedFd> {
        open_beneath(self.base.as_fd(), path.as_str(), LISTED, Mode::empty()).ok()
    }

    fn add_below(&self, path: &RelPath, directory: OwnedFd, waiting: &mut Vec<RelPath>) {
        let mut buffer = Vec::with_capacity(32 * 1024);
        let mut raw = RawDir::new(directory, buffer.spare_capacity_mut());
        while let Some(entry) = raw.next() {
            let entry = match entry {
                Ok(entry) => entry,
                Err(error) => {
                    tracing::debug!(error = %fault(error, path), "not listed for watching");
                    return;
                }
            };
            let may_be_directory =
                matches!(entry.file_type(), FileType::Directory | FileType::Unknown);
            let Ok(name) = entry.file_name().to_str() else {
                continue;
            };
            if !may_be_directory
                || (path.is_root() && super::super::source::is_control(name))
                || self.folder.filter.excludes(path.as_str(), name, true)
            {
                continue;
            }
            // `.` and `..` are no names of a path.
            if let Ok(child) = path.join(name) {
                waiting.push(child);
            }
        }
    }
}

/// Failures of one directory, which say nothing about the others.
fn is_passing(error: &notify::Error) -> bool {
    match &error.kind {
        ErrorKind::PathNotFound => true,
        ErrorKind::Io(io) => matches!(
            io.kind(),
            std::io::ErrorKind::NotFound
                | std::io::ErrorKind::NotADirectory
                | std::io::ErrorKind::PermissionDenied
                | std::io::ErrorKind::InvalidFilename
        ),
        _ => false,
    }
}
