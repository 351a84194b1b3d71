//! How a job's last run ended when it did not end well, as a note beside its journal.
//!
//! In: what a run says of itself. Out: `ending.json` in the job's directory, which `status`
//! reads. Invariants: a job whose last run could not look at its sides is not called in
//! sync; never a credential. Deliberately absent: what the journal knows (halts,
//! conflicts, what waits). CRASH: none, or that of a run
//! before, which `status` tells by its time.

use super::exit::{Exit, Failure};
use super::kept;
use super::pair::Pair;
use crate::adapters::clock::SystemClock;
use crate::adapters::store::job_directory;
use crate::daemon::{Doubt, Report};
use crate::ports::Clock;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// The end of a run after which less is known than the journal says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Ending {
    /// How a program that does nothing else would exit.
    pub(super) exit: u8,
    pub(super) reason: String,
    /// In ms since 1970.
    pub(super) time: i64,
}

/// Notes a run that failed.
pub(super) fn failed(pair: &Pair, exit: Exit, reason: &str) {
    let ending = Ending {
        exit: exit as u8,
        reason: reason.to_owned(),
        time: SystemClock.now().0,
    };
    let place = place(pair);
    let text = serde_json::to_vec(&ending).expect("numbers and text have a form");
    if let Err(error) = std::fs::write(&place, text) {
        tracing::debug!(%error, place = %place.display(), "the run's end was not noted");
    }
}

/// Notes what a run that ended by itself, or because it was told to, leaves open.
pub(super) fn reported(pair: &Pair, report: &Report) {
    // A halt says more, and the journal knows it.
    let is_halted = report.standing.halt.is_some();
    match report.doubt.as_ref().filter(|_| !is_halted) {
        None => forget(pair),
        Some(Doubt::NotLooked) => failed(
            pair,
            Exit::ItemsFailed,
            "it was stopped before it had looked at both sides",
        ),
        Some(Doubt::OutOfReach { side, reason }) => {
            let reason = format!("the {side} side was out of reach: {reason}");
            failed(pair, Exit::Unreachable, &reason);
        }
    }
}

/// Notes why a job could not run, or could not go on.
pub(super) fn gave_up(pair: &Pair, failure: &Failure) {
    failed(pair, failure.exit, &failure.message);
}

/// Reads a job's note.
pub(super) fn of(job: &Path) -> Option<Ending> {
    let bytes = kept::bytes(&job.join(NOTE), NOTE_BYTES_MAX).ok()?;
    serde_json::from_slice(&bytes).ok()
}

fn forget(pair: &Pair) {
    std::fs::remove_file(place(pair)).ok();
}

fn place(pair: &Pair) -> PathBuf {
    job_directory(&pair.state_dir, &pair.job).join(NOTE)
}

const NOTE: &str = "ending.json";
const NOTE_BYTES_MAX: u64 = 64 * 1024;
