//! Everything that can happen to the engine, as one closed type.
//!
//! In: what the driver hears from the world. Out: values for `Engine::handle`. Time
//! travels with each input; the engine has none of its own. A new kind of input is a
//! variant here and an arm there.

use journal_format::event::{Change, Fact, FailureClass, Keep, Order, Outcome, UnknownReason};
use journal_format::value::{Entry, Policy, RelPath, Seq, Side};

/// Something that happened.
#[derive(Debug, Clone)]
#[expect(
    clippy::large_enum_variant,
    reason = "inputs are taken one at a time, never kept in numbers"
)]
pub enum Input {
    /// A scan began; the root was found to be the right one just before.
    ScanStarted {
        /// Which side.
        side: Side,
        /// Whether the whole side is scanned.
        whole: bool,
    },
    /// A part of the running scan.
    Scanned {
        /// Which side.
        side: Side,
        /// What was found.
        found: Found,
    },
    /// The scan ended.
    ScanFinished {
        /// Which side.
        side: Side,
        /// Whether it ran to its end, with the right root still there.
        complete: bool,
    },
    /// A watcher's word: something may have changed.
    Hint {
        /// Which side.
        side: Side,
        /// Where; nothing for everywhere.
        path: Option<RelPath>,
        /// Whether all below may have changed as well.
        subtree: bool,
    },
    /// All that the remote's change feed had told up to a cursor was looked at.
    FeedRead {
        /// The cursor.
        cursor: String,
        /// Whether the whole remote was scanned after the last cursor.
        whole: bool,
    },
    /// What the remote can do was found out by trying.
    Probed {
        /// What was found.
        facts: Vec<Fact>,
    },
    /// The remote went back in time.
    RolledBack {
        /// What showed it.
        detail: String,
    },
    /// An operation ended well.
    Succeeded {
        /// Its id.
        operation: Seq,
        /// What was seen.
        outcome: Outcome,
    },
    /// An operation failed, without having replaced or removed anything that was
    /// not expected.
    Failed {
        /// Its id.
        operation: Seq,
        /// What kind of failure.
        class: FailureClass,
        /// What happened.
        detail: String,
        /// The peer's own word on when to come back.
        retry_after_ms: Option<u64>,
    },
    /// Time passed.
    Tick,
    /// A person releases the halt in force.
    Approve {
        /// Who.
        by: String,
    },
    /// A person decides a conflict.
    Resolve {
        /// Where, on either side.
        path: RelPath,
        /// What is kept.
        keep: Keep,
        /// Who.
        by: String,
    },
    /// A person had changes of the local folder undone.
    Undone {
        /// What was done, in order.
        changes: Vec<Change>,
        /// Who.
        by: String,
    },
    /// A person or a program changes what the job does.
    Order {
        /// What.
        order: Order,
        /// Who.
        by: String,
    },
    /// The user's choices are these now.
    Configure {
        /// The choices.
        policy: Policy,
    },
    /// The store has lost acknowledged events.
    HistoryLost {
        /// The head that was acknowledged.
        expected: Seq,
    },
    /// The process is about to stop; nothing is in flight.
    Stopping,
}

/// What stands where a root should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RootFinding {
    /// Nothing that could be listed.
    Missing,
    /// A directory with this marker, or none.
    Present(Option<String>),
}

/// What may be done with a root.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RootVerdict {
    /// It is the one we know: scan it.
    Known,
    /// It was never seen and has no marker: write one, then look again.
    Unmarked,
    /// It was never seen and is not there: the configuration is wrong.
    NeverSeen,
    /// It is known and gone, or another one: the job is halted.
    Halted,
}

/// A part of a scan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    /// What a directory holds.
    Listing {
        /// Which directory.
        directory: RelPath,
        /// The names that were looked at. Those without an entry are absent.
        names: Covered,
        /// What stands there.
        entries: Vec<(String, Sight)>,
    },
    /// A directory that could not be listed completely.
    Unlisted {
        /// Which directory.
        directory: RelPath,
        /// Why.
        reason: UnknownReason,
    },
}

/// Which names of a directory a listing speaks of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Covered {
    /// All there are.
    All,
    /// All but those that begin with a dot: some servers hide them.
    AllButDots,
    /// Only these.
    These(Vec<String>),
}

/// What stands at a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sight {
    /// Something that can be synced.
    Entry(Entry),
    /// Something that cannot, or that is left out.
    Unknown(UnknownReason),
}
