//! Folds one journal record into the state.
//!
//! In: state, record. Out: changed facets, dirty marks, open operations.
//! Invariant: total and deterministic; watched by `checkers::replay_equal`.
//! Deliberately absent: IO, time, errors, logging, decisions (those live in
//! `decide`). A crash leaves nothing behind; replay rebuilds the state. A new event
//! family gets a file here and an arm in `fold`.

mod conflict;
mod observation;
mod operation;
mod session;
#[cfg(test)]
mod tests;

use crate::state::State;
use journal_format::event::{Event, Record};

/// Folds `record` into `state`.
pub fn fold(state: &mut State, record: &Record) {
    state.seq = record.seq;
    state.time = record.time;
    match &record.event {
        Event::Session(event) => session::fold(state, record.seq, record.time, event),
        Event::Observation(event) => observation::fold(state, event),
        Event::Operation(event) => operation::fold(state, record, event),
        Event::Conflict(event) => conflict::fold(state, record.seq, event),
    }
    for node in state.tree.take_dropped() {
        state.failures.remove(&node);
        state.detours.remove(&node);
        state.conflicts.remove(&node);
        state.approved.remove(&node);
    }
    state.tree.compact_if_grown();
    // At rest only, where it costs nothing; what never rests ends it with the session.
    if state.rollback.is_some() && state.tree.dirty().len() == 0 && state.open.is_empty() {
        session::end_rollback(state);
    }
}
