//! Exit codes and the errors that lead to them.
//!
//! In: a report, or an error of any room. Out: a code, a message, a hint. Invariant:
//! a run with `--once` ends with 0 only if nothing is left over. Deliberately absent:
//! printing.
//! A new error gets its code in a `From` here.

use super::text::plain;
use crate::adapters::store::OpenError;
use crate::daemon::RunError;
use journal_format::event::FailureClass;
use std::process::ExitCode;
use sync_core::engine::Standing;

/// How the program ends (section 2 of the contract).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Exit {
    InSync = 0,
    Internal = 1,
    Usage = 2,
    ConflictsWait = 3,
    ItemsFailed = 4,
    Halted = 5,
    Unreachable = 6,
    JournalDamaged = 7,
    InUse = 8,
    /// Told to stop before all was looked at: not in sync, as far as is known.
    Stopped,
}

/// Why the program could not do its work, in words.
#[derive(Debug)]
pub(super) struct Failure {
    pub(super) exit: Exit,
    /// What happened, to what.
    pub(super) message: String,
    /// What to do next.
    pub(super) hint: Option<String>,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        match exit {
            Exit::Stopped => Self::from(Exit::ItemsFailed as u8),
            exit => Self::from(exit as u8),
        }
    }
}

impl Exit {
    /// What a finished run amounts to.
    pub(super) const fn of(standing: &Standing) -> Self {
        if standing.halt.is_some() {
            Self::Halted
        } else if standing.problems > 0 {
            Self::ItemsFailed
        } else if standing.conflicts > 0 {
            Self::ConflictsWait
        } else {
            Self::InSync
        }
    }

    /// The one that a job's number stands for.
    pub(super) fn of_code(code: u8) -> Self {
        let all = [
            Self::ItemsFailed,
            Self::Usage,
            Self::Unreachable,
            Self::JournalDamaged,
            Self::InUse,
        ];
        let found = all.into_iter().find(|exit| *exit as u8 == code);
        found.unwrap_or(Self::Internal)
    }

    /// The state's name in summaries.
    pub(super) const fn state(self) -> &'static str {
        match self {
            Self::InSync => "synced",
            Self::ConflictsWait => "conflicts",
            Self::ItemsFailed => "problems",
            Self::Halted => "halted",
            Self::Stopped => "stopped",
            Self::Internal
            | Self::Usage
            | Self::Unreachable
            | Self::JournalDamaged
            | Self::InUse => "error",
        }
    }
}

/// What several jobs amount to: what nobody expected, then what one of them could
/// not even begin with, then what is left to do.
pub(super) fn worst(exits: impl IntoIterator<Item = Exit>) -> Exit {
    let order = [
        Exit::Internal,
        Exit::JournalDamaged,
        Exit::InUse,
        Exit::Usage,
        Exit::Unreachable,
        Exit::Halted,
        Exit::ItemsFailed,
        Exit::Stopped,
        Exit::ConflictsWait,
        Exit::InSync,
    ];
    let rank = |exit: &Exit| order.iter().position(|other| other == exit);
    exits.into_iter().min_by_key(rank).unwrap_or(Exit::InSync)
}

impl Failure {
    pub(super) fn new(exit: Exit, message: impl Into<String>) -> Self {
        Self {
            exit,
            message: message.into(),
            hint: None,
        }
    }

    pub(super) fn usage(message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self {
            exit: Exit::Usage,
            message: message.into(),
            hint: Some(hint.into()),
        }
    }

    /// Names the job among several.
    pub(super) fn of(mut self, label: &str) -> Self {
        self.message = format!("{label}: {}", self.message);
        self
    }

    /// Names the job's place in its file where the user's mistake is.
    pub(super) fn written_at(mut self, place: Option<&str>) -> Self {
        if let (Exit::Usage, Some(place)) = (self.exit, place) {
            self.message = format!("{place}: {}", self.message);
        }
        self
    }

    pub(super) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

impl From<RunError> for Failure {
    fn from(error: RunError) -> Self {
        let exit = match &error {
            RunError::RootNeverSeen { .. } => Exit::Usage,
            RunError::Unclaimed { error, .. } if is_refused(error.class) => Exit::Usage,
            RunError::Unclaimed { .. } | RunError::Side { .. } => Exit::Unreachable,
            RunError::Append(_) => Exit::Internal,
            RunError::Read(_) => Exit::JournalDamaged,
        };
        let failure = Self::new(exit, error.to_string());
        match error {
            RunError::RootNeverSeen { .. } => failure.hint("check the path, or create the folder"),
            RunError::Append(_) => {
                failure.hint("free some space or mend the disk; the next start resumes by itself")
            }
            RunError::Read(error) if error.class == FailureClass::Unsupported => {
                failure.hint(UPGRADE)
            }
            RunError::Read(_) => failure.hint(DAMAGED),
            RunError::Side { error, .. } if error.is_untrusted => failure.hint(VOUCH),
            RunError::Unclaimed { .. } => failure.hint(
                "it holds a marker and what is on its way, in `.pydio-sync`: make it writable, \
                 whichever way changes travel",
            ),
            RunError::Side { .. } => failure,
        }
    }
}

impl From<OpenError> for Failure {
    fn from(error: OpenError) -> Self {
        let (exit, hint) = match &error {
            OpenError::Locked { .. } => (
                Exit::InUse,
                "stop that process, or wait until it has finished",
            ),
            OpenError::HistoryLost { .. } | OpenError::Damaged { .. } => {
                (Exit::JournalDamaged, DAMAGED)
            }
            OpenError::Foreign { is_newer: true, .. } => (Exit::JournalDamaged, UPGRADE),
            OpenError::Foreign { .. } => (
                Exit::JournalDamaged,
                "nothing was changed; put this job's own files back there, or name the right folder \
                 with `--state-dir`",
            ),
            OpenError::Unbegun { .. } => (
                Exit::ItemsFailed,
                "its first run was stopped at once, before anything was synced; run the job again",
            ),
            OpenError::Io { .. } => (Exit::Internal, "check the state folder and its disk"),
        };
        let message = match &error {
            OpenError::Locked { .. } => format!("this job or folder is {error}"),
            _ => error.to_string(),
        };
        Self::new(exit, message).hint(hint)
    }
}

/// Whether a folder does not let itself be written to, which no waiting mends.
const fn is_refused(class: FailureClass) -> bool {
    matches!(class, FailureClass::Denied | FailureClass::Unsupported)
}

/// What to do about a journal that cannot be read.
pub(super) const DAMAGED: &str = "nothing was changed; `pydio-sync journal verify` lists what is \
    damaged; put the journal's files back from a backup if you have one, or keep what can be read: \
    pydio-sync journal salvage";
/// What to do about a server that nobody here vouches for.
pub(super) const VOUCH: &str = "if its authority is one of your own, name it: `\"ca_file\"` in a \
    job file, `--ca-file` with `login` and `jobs`";
/// What to do about a journal of a newer release: nothing else helps.
pub(super) const UPGRADE: &str = "a newer release wrote it: upgrade this one; nothing was changed";

/// The same, where it is known which release that is.
pub(super) fn upgrade(writer: Option<&str>) -> String {
    match writer {
        Some(release) if release == env!("CARGO_PKG_VERSION") => format!(
            "a later build of release {} wrote it: upgrade this one; nothing was changed",
            plain(release)
        ),
        Some(release) => format!(
            "release {} wrote it: upgrade this one; nothing was changed",
            plain(release)
        ),
        None => UPGRADE.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worst_of_several_jobs_counts() {
        use Exit::{Halted, InSync, InUse, ItemsFailed, Usage};
        assert_eq!(worst([]), InSync);
        assert_eq!(worst([InSync, ItemsFailed, Halted]), Halted);
        assert_eq!(worst([Usage, InUse, Halted]), InUse);
    }
}
