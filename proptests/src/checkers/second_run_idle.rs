//! Once in sync, a further full cycle does nothing.
//!
//! In: what the world looked like before the cycle, and the world after it. Out:
//! any change of a disk by the program and any event that is not about the process
//! itself.

use super::Verdict;
use crate::world::State;
use crate::world::disk::NodeId;
use journal_format::event::{Event, OperationEvent, Record, SessionEvent};
use journal_format::value::{RelPath, Side};

/// What is compared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Before {
    changes: u64,
    records: usize,
    seen: [Vec<(RelPath, NodeId)>; 2],
}

/// Remembers a world before the cycle.
#[must_use]
pub fn before(state: &State) -> Before {
    Before {
        changes: state.engine_changes,
        records: state.journal.records.len(),
        seen: Side::BOTH.map(|side| state.visible_paths(side)),
    }
}

/// Judges the cycle.
///
/// # Errors
/// Names the first event, or counts the changes.
pub fn check(state: &State, before: &Before) -> Verdict {
    let new = state
        .journal
        .records
        .get(before.records..)
        .unwrap_or_default();
    if let Some(record) = new.iter().find(|record| !is_about_the_process(record)) {
        return Err(format!("second_run_idle: appended {record:?}"));
    }
    changes_since(state, before)
}

/// Judges a cycle in a world where a name is blocked: what cannot be done is tried
/// again, in vain, and perhaps in the program's own folder.
///
/// # Errors
/// Names the first event of another kind, or counts the changes.
pub fn check_blocked(state: &State, before: &Before) -> Verdict {
    let records = &state.journal.records;
    let new = records.get(before.records..).unwrap_or_default();
    let is_vain = |record: &Record| {
        matches!(
            record.event,
            Event::Operation(OperationEvent::Started { .. } | OperationEvent::Failed { .. })
        )
    };
    let told = |record: &&Record| !is_about_the_process(record) && !is_vain(record);
    if let Some(record) = new.iter().find(told) {
        return Err(format!("second_run_idle: appended {record:?}"));
    }
    if Side::BOTH.map(|side| state.visible_paths(side)) == before.seen {
        return Ok(());
    }
    changes_since(state, before)
}

fn changes_since(state: &State, before: &Before) -> Verdict {
    match state.engine_changes - before.changes {
        0 => Ok(()),
        changes => Err(format!("second_run_idle: {changes} changes")),
    }
}

const fn is_about_the_process(record: &Record) -> bool {
    matches!(
        record.event,
        Event::Session(
            SessionEvent::SessionStarted { .. }
                | SessionEvent::SessionStopped
                | SessionEvent::DigestStamped { .. }
                | SessionEvent::FeedRead { .. }
        )
    )
}
