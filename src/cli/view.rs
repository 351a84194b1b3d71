//! What is shown of a job, the same whether a daemon tells it or its journal.
//!
//! In: the daemon's answers, or a journal at rest. Out: lines and JSON. Invariants: one
//! line a job on stdout, what to do about it on stderr; a state is never told better
//! than it is known. Deliberately absent: where it comes from (`channel`, `offline`).

use super::exit::Exit;
use super::print;
use super::text::{count, may_colour, plain, quoted, time};
use journal_format::event::{Case, HaltReason};
use journal_format::value::{Seq, Side, Timestamp};
use serde::{Deserialize, Serialize};
use std::io::IsTerminal;
use std::path::Path;
use sync_core::state::Halt;

/// How a job stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Status {
    pub(super) job: String,
    #[serde(default)]
    pub(super) label: String,
    pub(super) state: String,
    pub(super) reason: Option<String>,
    pub(super) pending: u64,
    pub(super) conflicts: u64,
    pub(super) problems: u64,
    pub(super) divergences: u64,
    pub(super) halt: Option<HaltView>,
    pub(super) seq: u64,
    pub(super) time: i64,
    /// When something was last synced or decided, if that is known.
    pub(super) changed: Option<i64>,
    pub(super) next_try: Option<i64>,
    /// In an error, after a last run that did not end well, or where a pause found a side
    /// not looked at: how a program that runs only this job would exit.
    #[serde(default, skip_serializing)]
    pub(super) exit: Option<u8>,
}

/// Why a job halted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct HaltView {
    pub(super) seq: u64,
    pub(super) reason: HaltReason,
    pub(super) side: Side,
    pub(super) count: u64,
}

/// A path that waits for a decision, differs on purpose or cannot be synced.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Item {
    pub(super) path: String,
    pub(super) case: String,
    #[serde(default, rename = "type")]
    pub(super) kind: String,
    #[serde(default)]
    pub(super) detail: String,
}

impl HaltView {
    pub(super) fn of(halt: &Halt) -> Self {
        Self {
            seq: halt.seq.0,
            reason: halt.reason,
            side: halt.side,
            count: halt.count,
        }
    }

    pub(super) fn halt(&self) -> Halt {
        Halt {
            seq: Seq(self.seq),
            reason: self.reason,
            side: self.side,
            count: self.count,
            plan: [0; 16],
        }
    }
}

impl Item {
    /// Whether it waits for a person.
    pub(super) fn is_conflict(&self) -> bool {
        self.kind != "divergence" && self.case != Case::V1.letter()
    }

    /// What it is, in words.
    pub(super) fn words(&self) -> &'static str {
        if self.is_conflict() {
            print::held_words(Case::C1)
        } else {
            print::held_words(Case::V1)
        }
    }
}

impl Status {
    /// What it amounts to. Changes that wait are not synced, and what was not looked at
    /// is not known to be.
    pub(super) fn exit(&self) -> Exit {
        let is_known = !["starting", "syncing", "salvaged"].contains(&self.state.as_str());
        match self.state.as_str() {
            _ if self.halt.is_some() => Exit::Halted,
            "halted" => Exit::Halted,
            "offline" | "credentials" => Exit::Unreachable,
            "error" => self.exit.map_or(Exit::Internal, Exit::of_code),
            "stopped" | "paused" if self.exit.is_some() => {
                self.exit.map_or(Exit::Internal, Exit::of_code)
            }
            _ if self.problems > 0 => Exit::ItemsFailed,
            "synced" if self.conflicts > 0 => Exit::ConflictsWait,
            "synced" => Exit::InSync,
            _ if self.pending > 0 || !is_known => Exit::ItemsFailed,
            _ if self.conflicts > 0 => Exit::ConflictsWait,
            _ => Exit::InSync,
        }
    }

    /// One line for people, without colour.
    pub(super) fn line(&self) -> String {
        self.line_with(&plain(&self.state))
    }

    /// The same, coloured where stdout is a terminal that wants it.
    pub(super) fn shown(&self) -> String {
        let colour = match self.exit() {
            Exit::InSync => "32",
            Exit::ItemsFailed if self.problems == 0 => "36",
            Exit::ConflictsWait | Exit::ItemsFailed => "33",
            _ => "31",
        };
        if std::io::stdout().is_terminal() && may_colour() {
            self.line_with(&format!("\u{1b}[{colour}m{}\u{1b}[0m", plain(&self.state)))
        } else {
            self.line()
        }
    }

    fn line_with(&self, state: &str) -> String {
        let reason = self.reason.as_deref().map(plain);
        let reason = reason.map_or_else(String::new, |reason| format!(" ({reason})"));
        let mut parts = vec![
            format!("{} pending", self.pending),
            count(self.conflicts, "conflict", "conflicts"),
            format!("{} not synced", self.problems),
        ];
        if self.divergences > 0 {
            parts.push(format!("{} different on purpose", self.divergences));
        }
        let last = match self.changed {
            Some(changed) => format!("last change {}", time(Timestamp(changed))),
            None if self.seq == 0 => "no event".to_owned(),
            None => format!("event {}, {}", self.seq, time(Timestamp(self.time))),
        };
        let next = self.next_try.map_or_else(String::new, |at| {
            format!("; next try {}", time(Timestamp(at)))
        });
        format!(
            "{} ({}): {state}{reason}; {}; {last}{next}",
            plain(&self.label),
            plain(&self.job),
            parts.join(", ")
        )
    }

    /// What a person can do about it, each a line. `flag` leads a command to the state
    /// folder that was named.
    pub(super) fn ways_out(&self, problems: &[Item], state_dir: &Path, flag: &str) -> Vec<String> {
        let mut lines = Vec::new();
        if let Some(halt) = &self.halt {
            let halt = halt.halt();
            lines.push(format!("halted: {}", print::halt_words(&halt)));
            lines.push(print::release_words(&halt, &self.job, state_dir));
        }
        let job = quoted(&self.job);
        match self.state.as_str() {
            "credentials" => lines.push(format!("give them again: pydio-sync login {job}{flag}")),
            "paused" => lines.push(format!("let it go on: pydio-sync start {job}{flag}")),
            _ => {}
        }
        for item in problems.iter().take(PROBLEMS_SHOWN) {
            let (path, detail) = (plain(&item.path), plain(&item.detail));
            lines.push(format!("not synced: {path}: {detail}"));
        }
        let rest = self.problems.saturating_sub(PROBLEMS_SHOWN as u64);
        if rest > 0 {
            lines.push(format!("and {rest} more; `--json` lists all"));
        }
        if self.conflicts > 0 {
            lines.push(format!("list what waits: pydio-sync conflicts {job}{flag}"));
        }
        lines
    }
}

/// Problems that `status` shows to people.
pub(super) const PROBLEMS_SHOWN: usize = 5;

#[cfg(test)]
mod tests {
    use super::*;

    fn status(state: &str, numbers: [u64; 4]) -> Status {
        let [pending, conflicts, problems, divergences] = numbers;
        Status {
            job: "docs".to_owned(),
            label: "Documents".to_owned(),
            state: state.to_owned(),
            reason: None,
            pending,
            conflicts,
            problems,
            divergences,
            halt: None,
            seq: 128,
            time: 1_760_000_000_128,
            changed: None,
            next_try: None,
            exit: None,
        }
    }

    #[test]
    fn an_error_ends_as_its_job_would() {
        for (code, exit) in [
            (Some(7), Exit::JournalDamaged),
            (Some(8), Exit::InUse),
            (Some(2), Exit::Usage),
            (Some(99), Exit::Internal),
            (None, Exit::Internal),
        ] {
            let mut status = status("error", [0; 4]);
            status.exit = code;
            assert_eq!(status.exit(), exit);
        }
    }

    #[test]
    fn a_job_at_rest_that_did_not_look_is_not_in_sync() {
        for state in ["paused", "stopped"] {
            let mut status = status(state, [0; 4]);
            assert_eq!(status.exit(), Exit::InSync, "{state}");
            for exit in [Exit::ItemsFailed, Exit::Unreachable] {
                status.exit = Some(exit as u8);
                assert_eq!(status.exit(), exit, "{state}");
            }
        }
    }

    #[test]
    fn the_exit_code_never_claims_more_than_is_known() {
        for (state, numbers, exit) in [
            ("synced", [0, 0, 0, 0], Exit::InSync),
            ("synced", [1, 1, 0, 0], Exit::ConflictsWait),
            ("synced", [0, 0, 1, 0], Exit::ItemsFailed),
            ("synced", [2, 0, 0, 2], Exit::InSync),
            ("starting", [0, 0, 0, 0], Exit::ItemsFailed),
            ("syncing", [0, 0, 0, 0], Exit::ItemsFailed),
            ("paused", [3, 0, 0, 0], Exit::ItemsFailed),
            ("stopped", [0, 1, 0, 0], Exit::ConflictsWait),
            ("stopped", [1, 1, 0, 0], Exit::ItemsFailed),
            ("waiting", [0, 0, 0, 0], Exit::InSync),
            ("salvaged", [0, 0, 0, 0], Exit::ItemsFailed),
            ("offline", [0, 0, 0, 0], Exit::Unreachable),
            ("credentials", [0, 0, 0, 0], Exit::Unreachable),
            ("halted", [0, 0, 0, 0], Exit::Halted),
            ("error", [0, 0, 0, 0], Exit::Internal),
            ("a word of tomorrow", [1, 0, 0, 0], Exit::ItemsFailed),
        ] {
            assert_eq!(status(state, numbers).exit(), exit, "{state} {numbers:?}");
        }
    }

    #[test]
    fn a_line_names_state_reason_counts_and_times() {
        let mut status = status("offline", [3, 1, 0, 2]);
        status.reason = Some("the server does not\nanswer".to_owned());
        status.changed = Some(1_500_000_000_123);
        status.next_try = Some(1_500_000_060_000);
        assert_eq!(
            status.line(),
            "Documents (docs): offline (the server does not\\u{a}answer); 3 pending, 1 conflict, \
             0 not synced, 2 different on purpose; last change 2017-07-14 02:40:00 UTC; next try \
             2017-07-14 02:41:00 UTC"
        );
    }
}
