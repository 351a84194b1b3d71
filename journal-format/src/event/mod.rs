//! Today's events: one fact each, past tense, paths inside.
//!
//! In: nothing. Out: the types that `sync-core` folds. Invariant: an event holds
//! everything its fold needs, and never an index into memory; watched by the
//! replay checker. Deliberately absent: how events are stored (`wire`), what they
//! lead to (`sync-core`). A new event is a variant in its family's file, a wire
//! struct and a number in `tag`; the compiler asks for the rest.

mod conflict;
mod observation;
mod operation;
mod session;

pub use conflict::{ConflictEvent, Keep};
pub use observation::{ObservationEvent, PathMove, UnknownReason};
pub use operation::{
    Action, Case, Displaced, Expected, FailureClass, Kept, Operation, OperationEvent, Outcome,
};
pub use session::{Change, Fact, HaltReason, Order, SessionEvent};

use crate::value::{Seq, Timestamp};

/// One fact.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// About the job and its process.
    Session(SessionEvent),
    /// About what a side holds.
    Observation(ObservationEvent),
    /// About what we did.
    Operation(OperationEvent),
    /// About versions that exclude one another.
    Conflict(ConflictEvent),
}

/// An event with its place in the journal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Where it stands.
    pub seq: Seq,
    /// When it was appended, by the clock of the machine that did.
    pub time: Timestamp,
    /// What happened.
    pub event: Event,
}
