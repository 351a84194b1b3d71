//! Folding the journal again gives the same state.
//!
//! In: the journal and the program's fold. Out: the first `DigestStamped` that the
//! fold does not reproduce, or two folds that differ. Deliberately absent: what the
//! state is.

use super::Verdict;
use crate::system::System;
use journal_format::event::{Event, Record, SessionEvent};

/// Judges a journal.
///
/// # Errors
/// Names the record where the digests part.
pub fn check(system: &dyn System, records: &[Record]) -> Verdict {
    if system.fold(records) != system.fold(records) {
        return Err("replay_equal: two folds of one journal differ".to_owned());
    }
    for (at, record) in records.iter().enumerate() {
        let Event::Session(SessionEvent::DigestStamped { digest, .. }) = &record.event else {
            continue;
        };
        let Some(folded) = system.fold(&records[..at]) else {
            return Ok(());
        };
        if folded != *digest {
            return Err(format!(
                "replay_equal: {} stamps {digest:02x?}, a replay gives {folded:02x?}",
                record.seq
            ));
        }
    }
    Ok(())
}
