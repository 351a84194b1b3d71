//! Makes changes durable, in groups.
//!
//! In: what was changed. Out: an answer when it is on the disk. One flush runs
//! at a time; whoever asks meanwhile joins the next one, so that many small
//! files cost few flushes. A few changes are flushed one by one, since `syncfs`
//! waits for what everybody else wrote to that file system as well; more than
//! that go by one `syncfs`. Invariant: after a failed flush no slot that was
//! staged before it can be committed, because the kernel reports lost writes
//! once only. CRASH: unsynced slots may be short or empty; they are leftovers.

use super::beneath::{LISTED, open_beneath};
use super::fault::{fatal, fault};
use super::folder::{Base, Folder, locked};
use crate::ports::{PortError, PortResult};
use journal_format::event::FailureClass;
use rustix::fd::AsFd;
use rustix::fs::{Mode, fsync, syncfs};
use std::collections::BTreeSet;
use std::fs::File;
use std::sync::Arc;
use tokio::sync::oneshot;

/// What is not durable yet, and who waits for it.
#[derive(Default)]
pub(crate) struct Pending {
    changes: Changes,
    waiters: Vec<oneshot::Sender<PortResult<()>>>,
    running: bool,
}

#[derive(Default)]
struct Changes {
    files: Vec<Arc<File>>,
    directories: BTreeSet<String>,
    many: bool,
}

impl Folder {
    /// Notes that a file has new content.
    pub(crate) fn changed_file(&self, file: &Arc<File>) {
        let changes = &mut locked(&self.pending).changes;
        if !changes.many {
            changes.files.push(Arc::clone(file));
            changes.count();
        }
    }

    /// Notes that names in a directory (a path from the root) changed.
    pub(crate) fn changed_directory(&self, path: &str) {
        let changes = &mut locked(&self.pending).changes;
        if !changes.many && !changes.directories.contains(path) {
            changes.directories.insert(path.to_owned());
            changes.count();
        }
    }

    /// Waits until every change noted before this call is durable.
    pub(crate) async fn sync(self: &Arc<Self>) -> PortResult<()> {
        let (sender, receiver) = oneshot::channel();
        let start = {
            let mut pending = locked(&self.pending);
            if pending.changes.is_empty() && !pending.running {
                return Ok(());
            }
            pending.waiters.push(sender);
            !std::mem::replace(&mut pending.running, true)
        };
        if start {
            self.flush_after_work();
        }
        receiver.await.map_err(|_| fatal("a flush stopped"))?
    }

    /// Flushes behind the work that waits already: what it changes goes along.
    /// No waiter runs the flush, since a waiter may be dropped.
    fn flush_after_work(self: &Arc<Self>) {
        let folder = Arc::clone(self);
        self.short_work.submit(move || folder.flush_group());
    }

    fn flush_group(self: &Arc<Self>) {
        let (changes, waiters) = {
            let mut pending = locked(&self.pending);
            let changes = std::mem::take(&mut pending.changes);
            (changes, std::mem::take(&mut pending.waiters))
        };
        let result = self.flush(&changes);
        if result.is_err() {
            locked(&self.pending).changes.become_many();
            let mut staged = locked(&self.staged);
            staged.values_mut().for_each(|suspect| *suspect = true);
        }
        for waiter in waiters {
            // A waiter that was dropped does not want the answer.
            drop(waiter.send(result.clone()));
        }
        let mut pending = locked(&self.pending);
        pending.running = !pending.waiters.is_empty();
        if pending.running {
            drop(pending);
            self.flush_after_work();
        }
    }

    fn flush(&self, changes: &Changes) -> PortResult<()> {
        let Some(base) = self.opened_before() else {
            return Ok(());
        };
        if !changes.many && flush_each(&base, changes)? {
            return Ok(());
        }
        syncfs(base.as_fd()).map_err(|error| fault(error, self.path.display()))
    }

    /// Refuses a slot whose content may have been lost by a failed flush.
    pub(crate) fn check_slot(&self, slot: &str) -> PortResult<()> {
        if locked(&self.staged).get(slot) == Some(&true) {
            return Err(PortError::new(
                FailureClass::Retry,
                format!("slot {slot}: its content could not be made durable"),
            ));
        }
        Ok(())
    }
}

/// Returns false when a directory is no longer where it was.
fn flush_each(base: &Base, changes: &Changes) -> PortResult<bool> {
    for file in &changes.files {
        fsync(file).map_err(|error| fault(error, "a staged file"))?;
    }
    for path in &changes.directories {
        let Ok(directory) = open_beneath(base.as_fd(), path, LISTED, Mode::empty()) else {
            return Ok(false);
        };
        fsync(&directory).map_err(|error| fault(error, path))?;
    }
    Ok(true)
}

impl Changes {
    fn is_empty(&self) -> bool {
        self.files.is_empty() && self.directories.is_empty() && !self.many
    }

    fn count(&mut self) {
        if self.files.len() + self.directories.len() > FEW {
            self.become_many();
        }
    }

    fn become_many(&mut self) {
        self.files.clear();
        self.directories.clear();
        self.many = true;
    }
}

/// Files and directories together that are flushed one by one.
const FEW: usize = 4;
