//! Folding the journal again gives the same state.
//!
//! In: the journal, the checkpoints that were kept, and the program's fold. Out: the
//! first `DigestStamped` or checkpoint that the fold does not reproduce, or two folds
//! that differ. Deliberately absent: what the
//! state is.

use super::Verdict;
use crate::system::System;
use journal_format::event::{Event, Record, SessionEvent};
use pydio_sync::ports::Checkpoint;

/// Judges a journal.
///
/// # Errors
/// Names the record where the digests part.
pub fn check(system: &dyn System, records: &[Record], checkpoints: &[Checkpoint]) -> Verdict {
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
    checkpoints_agree(system, records, checkpoints)
}

/// A run that began with a checkpoint knows all that a replay of the whole journal
/// tells, to the last byte.
fn checkpoints_agree(
    system: &dyn System,
    records: &[Record],
    checkpoints: &[Checkpoint],
) -> Verdict {
    for checkpoint in checkpoints {
        let until = records.partition_point(|record| record.seq <= checkpoint.seq);
        let replayed = system.checkpoint(&records[..until]);
        if replayed.is_some_and(|replayed| replayed != checkpoint.bytes) {
            return Err(format!(
                "replay_equal: the checkpoint of {} is not what a replay gives",
                checkpoint.seq
            ));
        }
    }
    Ok(())
}
