//! What is said of a journal that is damaged, foreign or shortened.
//!
//! In: what went wrong, and where. Out: words for people, with the exit code and the next
//! step. Deliberately absent: finding it out (`source`, the adapters).

use crate::adapters::store::Missing;
use crate::cli::exit::{DAMAGED, Exit, Failure, UPGRADE};
use crate::cli::offline::shown;
use crate::journal::ReadError;
use std::path::Path;

/// Says what is wrong with a journal.
pub(in crate::cli) fn fault(place: &Path, error: ReadError) -> Failure {
    let exit = match &error {
        ReadError::Portable(error) if error.is_foreign() => Exit::Usage,
        ReadError::Portable(_) | ReadError::Store { .. } => Exit::JournalDamaged,
        ReadError::Io(_) => Exit::Internal,
    };
    let hint = match &error {
        error if error.is_from_newer_release() => UPGRADE,
        ReadError::Portable(error) if error.is_foreign() => {
            "name a job, or a file that `pydio-sync journal export` wrote"
        }
        ReadError::Portable(_) => FILE_DAMAGED,
        ReadError::Store { .. } => DAMAGED,
        ReadError::Io(_) => "check the disk",
    };
    Failure::new(exit, format!("{}: {error}", shown(place))).hint(hint)
}

/// Says which events a journal has lost, and what follows.
pub(in crate::cli) fn missing_words(missing: &Missing) -> String {
    let (first, last) = (missing.found.next(), missing.expected);
    let events = if first == last {
        format!("event {first} is")
    } else {
        format!("events {first} to {last} are")
    };
    format!(
        "{events} missing at the end of the journal; put its files back from a backup if you have \
         one, or run the job: it looks at both sides anew and deletes nothing unasked"
    )
}

/// What is said of a journal that no run has gone on with yet.
pub(in crate::cli) const SALVAGED: &str = "the journal was salvaged or imported, so later events \
    may be missing: the next run looks at both sides anew and deletes nothing unasked";
/// What to do about a damaged file.
pub(in crate::cli) const FILE_DAMAGED: &str = "export it anew, or copy it again";
