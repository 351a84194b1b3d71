//! Whoever listens hears every record once, in order, after it became durable.
//!
//! In: what store and observer noted as it happened; at the clean end of a
//! process, how far the observer got. Out: the first gap, repetition or early word.

use super::Verdict;
use crate::world::State;

/// Collects what store and observer noted.
///
/// # Errors
/// The first note.
pub fn check(state: &State) -> Verdict {
    collect(state, "stream_gapless")
}

/// Judges the clean end of a process that appended after `head_before`.
///
/// # Errors
/// Records at the end were never published.
pub fn check_end(state: &State, head_before: u64) -> Verdict {
    let head = state.journal.head();
    if head.0 == head_before || state.journal.heard() == Some(head) {
        return Ok(());
    }
    Err(format!(
        "stream_gapless: the process ended at {head} and published up to {:?}",
        state.journal.heard()
    ))
}

pub(super) fn collect(state: &State, name: &str) -> Verdict {
    let first = state.violations.iter().find(|text| text.starts_with(name));
    first.map_or(Ok(()), |text| Err(text.clone()))
}
