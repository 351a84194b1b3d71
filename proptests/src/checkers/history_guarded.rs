//! After acknowledged records were lost, nothing is removed before a person agrees.
//!
//! In: the journal. Out: the first removal that started between the word of the loss
//! and an approval. Deliberately absent: that both sides are scanned again; without
//! that nothing would converge.

use super::Verdict;
use journal_format::event::{Action, Event, OperationEvent, Record, SessionEvent};

/// Judges a journal.
///
/// # Errors
/// Names the removal.
pub fn check(records: &[Record]) -> Verdict {
    let mut is_guarded = false;
    for record in records {
        match &record.event {
            Event::Session(SessionEvent::HistoryLost { .. }) => is_guarded = true,
            Event::Session(SessionEvent::HaltApproved { .. }) => is_guarded = false,
            Event::Operation(OperationEvent::Started { operation })
                if is_guarded && matches!(operation.action, Action::Remove { .. }) =>
            {
                return Err(format!(
                    "history_guarded: {} starts a removal before a person agreed",
                    record.seq
                ));
            }
            _ => {}
        }
    }
    Ok(())
}
