//! What a running job says while it runs: its bar, and what cannot wait.
//!
//! In: durable records, progress. Out: a bar on a terminal; in the running daemon a
//! line for each conflict, halt and end of a halt, on stderr and in the log file where
//! there is one: who reads only that file must find them there. Deliberately absent:
//! everything that can wait for the summary.

use super::args::Args;
use super::pair::Pair;
use super::print;
use super::progress::Bar;
use super::text::plain;
use crate::daemon::Tally;
use crate::ports::{Observer, Progress};
use journal_format::event::{ConflictEvent, Event, Record, SessionEvent};
use serde_json::json;
use std::cell::RefCell;
use sync_core::state::Halt;

/// Looks on at one job.
pub(super) struct Voice<'a> {
    pub(super) args: &'a Args,
    pub(super) pair: &'a Pair,
    pub(super) bar: Bar,
    /// Whether nobody sees a summary soon.
    is_continuous: bool,
    tally: RefCell<Tally>,
}

impl<'a> Voice<'a> {
    pub(super) fn new(args: &'a Args, pair: &'a Pair, bar: Bar, is_continuous: bool) -> Self {
        Self {
            args,
            pair,
            bar,
            is_continuous,
            tally: RefCell::default(),
        }
    }

    /// What was done, for a run that cannot say it itself.
    pub(super) fn tally(&self) -> Tally {
        self.tally.borrow().clone()
    }

    fn halted(&self, record: &Record) {
        let Event::Session(event) = &record.event else {
            return;
        };
        match event {
            SessionEvent::HaltRaised {
                reason,
                side,
                count,
                plan,
            } => {
                let halt = Halt {
                    seq: record.seq,
                    reason: *reason,
                    side: *side,
                    count: *count,
                    plan: *plan,
                };
                print::halted(self.args, &self.prefix(), self.pair, &halt);
                self.log(&print::halted_words(self.pair, &halt));
            }
            SessionEvent::HaltCleared { .. } => {
                print::words(&format!("{}the halt is over", self.prefix()));
                self.log("the halt is over");
            }
            _ => {}
        }
    }

    /// Logs what stderr was told already.
    fn log(&self, words: &str) {
        if self.args.common.log_file.is_some() {
            tracing::warn!(job = %plain(&self.pair.label), "{words}");
        }
    }

    fn prefix(&self) -> String {
        format!("{}: ", plain(&self.pair.label))
    }
}

impl Observer for Voice<'_> {
    fn appended(&self, records: &[Record]) {
        if !self.is_continuous {
            self.tally.borrow_mut().count(records);
            return;
        }
        for record in records {
            self.halted(record);
            if let Event::Conflict(ConflictEvent::Raised { local, case, .. }) = &record.event {
                self.log(&format!(
                    "conflict ({}): {}",
                    case.letter(),
                    plain(local.as_str())
                ));
                if self.args.common.json {
                    let (job, path) = (&self.pair.job, local.as_str());
                    print::data(&json!({
                        "type": "conflict", "job": job, "path": path, "case": case.letter(),
                    }));
                } else if !self.args.common.quiet {
                    let path = plain(local.as_str());
                    print::words(&format!(
                        "{}conflict ({}): {path}",
                        self.prefix(),
                        case.letter()
                    ));
                }
            }
        }
    }

    fn progress(&self, progress: &Progress) {
        self.bar.progress(progress);
    }
}
