//! Who looks on: a progress bar, a test, the notification stream.
//!
//! In: what a job does. Out: nothing that it would wait for. Invariant: records are
//! told after they are durable. Deliberately absent: answers.

use journal_format::event::{Operation, Record};
use journal_format::value::{Seq, Side, Timestamp};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use sync_core::engine::Standing;

/// Hears what happened. Calls are quick and never fail; the sync does not wait.
pub trait Observer {
    /// Records that are durable now, in order, each once per process.
    fn appended(&self, records: &[Record]);

    /// How far the work is; may be called often.
    fn progress(&self, progress: &Progress);

    /// How the job stands; told when it changed, a few times a second at most.
    fn stands(&self, _status: &Status) {}

    /// A transfer begins. `moved` counts its bytes while somebody holds it, and is
    /// dropped at the end.
    fn transfers(&self, _id: Seq, _operation: &Operation, _moved: &Arc<AtomicU64>) {}
}

/// How a job stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Status {
    /// What it does.
    pub phase: Phase,
    /// What is left over, and the halt in force.
    pub standing: Standing,
    /// The event after which this holds; it may not be durable yet.
    pub seq: Seq,
    /// When something was last synced or decided, if that is known.
    pub changed: Option<Timestamp>,
}

/// What a running job does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Phase {
    /// The sides were not both seen yet.
    Starting,
    /// Something is worked on.
    Syncing,
    /// Nothing is left to do.
    Synced,
    /// Told to pause, and what it would be otherwise.
    Paused(Box<Self>),
    /// A side cannot be reached.
    Offline {
        /// Which one.
        side: Side,
        /// What it said.
        reason: String,
        /// When it is asked again.
        next_try: Timestamp,
    },
}

/// How far the work is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Progress {
    /// Entries looked at by the scans that run.
    pub scanned: u64,
    /// Operations finished since the work began.
    pub items_done: u64,
    /// Operations known in all, finished ones included.
    pub items_total: u64,
    /// Bytes of content of finished transfers.
    pub bytes_done: u64,
    /// Bytes of content of all known transfers.
    pub bytes_total: u64,
    /// When the work began.
    pub since: Timestamp,
}
