//! Counts what was done, from the journal alone.
//!
//! In: durable records, each once and in order. Out: numbers for summaries and
//! progress. Invariant: nothing is counted before it is durable. Deliberately absent:
//! which event means what (`sync-core: projection.rs`).

use crate::ports::Progress;
use journal_format::event::Record;
use journal_format::value::Side;
use sync_core::projection::{Projector, What};

/// What a run did, by what its durable records say.
#[derive(Debug, Clone, Default)]
pub struct Tally {
    /// Files and links that arrived on the remote side.
    pub uploaded: u64,
    /// Files and links that arrived on the local side.
    pub downloaded: u64,
    /// Directories created, on either side.
    pub created_dirs: u64,
    /// Renames, on either side.
    pub moved: u64,
    /// Entries removed on the local side.
    pub deleted_local: u64,
    /// Entries removed on the remote side.
    pub deleted_remote: u64,
    /// Conflicts that were raised.
    pub conflicts: u64,
    /// Bytes of content sent.
    pub bytes_up: u64,
    /// Bytes of content received.
    pub bytes_down: u64,
    projector: Projector,
}

impl Tally {
    /// Counts records; each once, in order.
    pub fn count(&mut self, records: &[Record]) {
        for record in records {
            let projected = self.projector.project(record);
            let Some(told) = projected.notification() else {
                continue;
            };
            match (told.what, told.side) {
                (What::Uploaded, _) => {
                    self.uploaded += 1;
                    self.bytes_up += told.bytes;
                }
                (What::Downloaded, _) => {
                    self.downloaded += 1;
                    self.bytes_down += told.bytes;
                }
                (What::Created, _) => self.created_dirs += 1,
                (What::Moved | What::Renamed, _) => self.moved += 1,
                (What::Deleted, Side::Local) => self.deleted_local += 1,
                (What::Deleted, Side::Remote) => self.deleted_remote += 1,
                (What::Conflict, _) => self.conflicts += 1,
            }
        }
    }

    /// Returns how many operations these are.
    #[must_use]
    pub fn operations(&self) -> u64 {
        self.uploaded
            + self.downloaded
            + self.created_dirs
            + self.moved
            + self.deleted_local
            + self.deleted_remote
    }

    /// Writes what is known of the work's extent into `progress`.
    pub fn fill(&self, progress: &mut Progress, outstanding: u64) {
        progress.items_done = self.operations();
        progress.items_total = self.operations() + outstanding;
        progress.bytes_done = self.bytes_up + self.bytes_down;
    }
}
