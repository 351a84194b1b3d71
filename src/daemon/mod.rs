//! Drives one job: the engine between its journal and the world.
//!
//! In: the ports, the job's settings, a stream of orders. Out: a report, or why the
//! job could not run. Invariants: one owner of the state; records are durable before
//! an operation they plan starts and before anybody hears of them; everything in
//! flight is one set of futures, so dropping it is a crash. Watched by ring 2.
//! Deliberately absent: sync semantics (`sync-core`), vendor crates, spawned tasks.
//! Next: a new source of events is a variant of `Happening` and an arm in `driver`.

pub mod by_hand;
#[cfg(feature = "adapters")]
pub mod commands;
mod control;
mod driver;
mod load;
pub mod offline;
mod preview;
mod scan;
#[cfg(feature = "adapters")]
pub mod stream;
pub mod supervisor;
mod tally;

pub use control::{Control, Lists};
pub use driver::{CHECKPOINT_TAIL_MIN, Mode, RUNNING_PER_RECORD, run};
pub use preview::{Preview, Sight, preview};
pub use tally::Tally;

use crate::ports::{Clock, LocalFs, Observer, PortError, Remote, Store};
use journal_format::value::{Policy, Seq, Side};
use sync_core::engine::{Remark, Standing};

/// The world, as one job sees it.
#[derive(Clone, Copy)]
pub struct Ports<'a> {
    /// The local side.
    pub local: &'a dyn LocalFs,
    /// The remote side.
    pub remote: &'a dyn Remote,
    /// The job's journal.
    pub store: &'a dyn Store,
    /// Time and chance.
    pub clock: &'a dyn Clock,
    /// Who looks on.
    pub observer: &'a dyn Observer,
}

/// What a job is.
#[derive(Debug, Clone)]
pub struct Job {
    /// The job's id.
    pub id: String,
    /// The label for conflict names.
    pub label: String,
    /// What the user chose.
    pub policy: Policy,
    /// The release that runs it.
    pub release: String,
    /// Whether the local side cannot hold names that differ in case only.
    pub fold_case: bool,
    /// How often a side without a watcher is scanned, in ms.
    pub poll_interval_ms: i64,
    /// How long the trash keeps what it holds, in ms.
    pub trash_ms: i64,
    /// Records beyond the checkpoint below which a new one is not written; see
    /// [`CHECKPOINT_TAIL_MIN`].
    pub checkpoint_tail_min: u64,
    /// For each so many running operations there has to be a record before records are
    /// appended at once; see [`RUNNING_PER_RECORD`].
    pub running_per_record: usize,
    /// The head that was acknowledged, when the store has lost events.
    pub lost_history: Option<Seq>,
}

/// How a run ended.
#[derive(Debug, Clone)]
pub struct Report {
    /// How things stand.
    pub standing: Standing,
    /// What was done.
    pub tally: Tally,
    /// What could not be synced.
    pub problems: Vec<Remark>,
    /// Conflicts that wait for a person, and divergences.
    pub held: Vec<Remark>,
    /// The last event.
    pub seq: Seq,
    /// Why less is known than `standing` says.
    pub doubt: Option<Doubt>,
}

/// Why a run that was told to stop does not know how things stand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Doubt {
    /// It had not looked at both sides yet.
    NotLooked,
    /// A side was out of reach.
    OutOfReach {
        /// Which side.
        side: Side,
        /// Why.
        reason: String,
    },
}

/// Why a job could not run, or not go on.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// A root that was never seen is not there.
    #[error("the {side} folder does not exist")]
    RootNeverSeen {
        /// Which side.
        side: Side,
    },
    /// A root that was never used before could not be made ours.
    #[error("the {side} folder cannot be written to: {error}")]
    Unclaimed {
        /// Which side.
        side: Side,
        /// Why.
        error: PortError,
    },
    /// A side could not be reached.
    #[error("the {side} side cannot be used: {error}")]
    Side {
        /// Which side.
        side: Side,
        /// Why.
        error: PortError,
    },
    /// The journal could not be written; what was in flight is in doubt and is
    /// looked at again at the next start.
    #[error("the journal cannot be written: {0}")]
    Append(PortError),
    /// The journal could not be read.
    #[error("the journal cannot be read: {0}")]
    Read(PortError),
}
