//! The old client's channels: single frames of text, for its user interface.
//!
//! In: notifications, whether all jobs are paused. Out: sentences. Invariant: the
//! words are those of the old client. Deliberately absent: sequence numbers, JSON.

use journal_format::value::Side;
use sync_core::projection::{Notification, What};

/// The sentence of a notification; nothing for what the old client did not tell.
pub(super) fn sentence(told: &Notification<'_>) -> Option<String> {
    let path = told.path;
    let to_remote = told.side == Side::Remote;
    let sentence = match told.what {
        What::Uploaded => format!("{path} ===============> {path}"),
        What::Downloaded => format!("{path} <=============== {path}"),
        What::Created if to_remote => format!("MKDIR ============> {path}"),
        What::Created => format!("{path} <============ MKDIR"),
        What::Deleted if to_remote => format!("DELETE ============> {path}"),
        What::Deleted => format!("{path} <============ DELETE"),
        What::Moved | What::Renamed => {
            let from = told.from?;
            if to_remote {
                format!("MOVE ============> {from} to {path}")
            } else {
                format!("{from} to {path} <============ MOVE")
            }
        }
        What::Conflict => return None,
    };
    Some(format!("sync {sentence}"))
}

/// What is told when all jobs were paused, or go on.
pub(super) const fn paused(is_paused: bool) -> &'static str {
    if is_paused {
        "status PAUSE"
    } else {
        "status START"
    }
}
