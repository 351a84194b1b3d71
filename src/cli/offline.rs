//! Subcommands beside the daemon's work: what needs no job, and jobs at rest.
//!
//! In: a command; the journal of a job that no process has. Out: what needs no job is
//! done here; for the rest, values that `desk` shows. Invariants: a job that another
//! process has is left alone, with exit code 8; who only looks keeps nobody from the job.
//! Deliberately absent: questions to a daemon (`online`). The other file that names the
//! journal's adapter. A new command is an arm of [`run`], or of `Desk::run` if it is
//! about a job.

use super::args::{Args, Command};
use super::desk::Desk;
use super::ending::{self, Ending};
use super::exit::{Exit, Failure};
use super::job_args::Jobs;
use super::journal::explained;
use super::journal::source::{self, Source};
use super::journal::words;
use super::known::Known;
use super::text::{plain, time};
use super::view::{HaltView, Item, Status};
use super::{check, doctor, jobs, journal, login, pair, print, run, service, trash, undo};
use crate::adapters::clock::SystemClock;
use crate::adapters::store::{Health, Journal, Options, Reading};
use crate::daemon::RunError;
use crate::daemon::offline::{LastKnown, decide, last_known};
use crate::journal::ReadError;
use crate::journal::explain::{Explanation, Runs};
use journal_format::event::{Case, Record};
use journal_format::json::to_json;
use journal_format::value::{RelPath, Seq, Timestamp};
use serde_json::Value;
use std::path::Path;
use sync_core::engine::Remark;
use sync_core::input::Input;

/// Runs a subcommand.
///
/// # Errors
/// In words, with the exit code.
pub(super) fn run(args: &Args, command: &Command) -> Result<Exit, Failure> {
    match command {
        Command::Completions { shell } => {
            let mut out = Vec::new();
            clap_complete::generate(*shell, &mut Args::whole(), NAME, &mut out);
            return Ok(whole(&out));
        }
        Command::Man => {
            let mut out = Vec::new();
            let page = clap_mangen::Man::new(Args::whole());
            page.render(&mut out)
                .map_err(|error| Failure::new(Exit::Internal, error.to_string()))?;
            return Ok(whole(&out));
        }
        Command::Service(command) => return service::run(args, command),
        Command::Jobs(Jobs::Check(flags)) => return check::check(args, flags),
        Command::Jobs(Jobs::List(flags)) => return jobs::list(args, flags),
        Command::Jobs(Jobs::Add(flags)) => return jobs::add(args, flags),
        Command::Jobs(Jobs::Remove { job, file }) => return jobs::remove(args, job, file),
        Command::Login(flags) => return login::login(args, flags),
        Command::Logout(flags) => return login::logout(args, flags),
        Command::Doctor(flags) => return doctor::run(args, flags),
        _ => {}
    }
    let state_dir = pair::state_dir(args.common.state_dir.as_deref())?;
    if let Command::Journal(command) = command {
        return journal::run(args, &state_dir, command);
    }
    run::runtime()?.block_on(async {
        let mut desk = Desk::new(args, state_dir).await;
        match command {
            Command::Trash(command) => trash::run(&mut desk, command).await,
            Command::Undo(flags) => undo::run(&mut desk, flags).await,
            command => desk.run(command).await,
        }
    })
}

/// A job's journal, to be looked at.
pub(super) struct AtRest {
    known: Known,
    source: Source,
}

/// A job's journal, open and locked, to be written.
pub(super) struct Opened {
    pub(super) known: Known,
    pub(super) journal: Journal,
    lost_history: Option<Seq>,
}

impl AtRest {
    /// Opens a job's journal to look at it.
    ///
    /// # Errors
    /// Another process has the job, or the journal is damaged.
    pub(super) fn open(known: Known) -> Result<Self, Failure> {
        let reading = Reading::open_at_rest(&known.place)?;
        let source = source::of_reading(&known, reading);
        Ok(Self { known, source })
    }

    /// Says what is missing at the journal's end, for whoever goes on with the rest.
    pub(super) fn tell_missing(&self) {
        self.source.tell_missing();
    }

    /// What a command amounts to that told what is there.
    pub(super) fn exit(&self) -> Exit {
        self.source.exit()
    }

    /// Tells how the job stood when it ran last, and what could not be synced.
    pub(super) async fn status(&self) -> Result<(Status, Vec<Item>), Failure> {
        let last = self.last().await?;
        let standing = &last.standing;
        let halt = standing.halt.as_ref().map(HaltView::of);
        let mut status = Status {
            job: self.known.id.clone(),
            label: self.known.label.clone(),
            state: if halt.is_some() { "halted" } else { "stopped" }.to_owned(),
            reason: Some("it does not run".to_owned()),
            pending: standing.workable,
            conflicts: standing.conflicts,
            problems: standing.problems,
            divergences: standing.divergences,
            halt,
            seq: last.seq.0,
            time: last.time.0,
            changed: None,
            next_try: None,
            exit: None,
        };
        let missing = self.source.missing();
        if let Some(missing) = missing.filter(|missing| !missing.is_known) {
            status.state = "error".to_owned();
            status.reason = Some(words::missing_words(&missing));
            status.exit = Some(Exit::JournalDamaged as u8);
        } else if missing.is_some() {
            // As after a start: nothing is known of the sides.
            status.state = "salvaged".to_owned();
            status.reason = Some(words::SALVAGED.to_owned());
        } else if let Some(ending) = self.noted_ending(last.time) {
            let at = time(Timestamp(ending.time));
            let reason = format!("it does not run; the last run, at {at}: {}", ending.reason);
            status.reason = Some(reason);
            status.exit = Some(ending.exit);
        } else if last.markers.iter().any(Option::is_none) && status.halt.is_none() {
            status.reason = Some("it does not run; it never saw both sides".to_owned());
            status.exit = Some(Exit::ItemsFailed as u8);
        } else {
            status.reason = Some(self.ending(status.exit() == Exit::InSync).to_owned());
        }
        Ok((status, last.problems.iter().map(item).collect()))
    }

    /// The note of the last run, unless one that wrote to the journal since then was killed
    /// before it could leave its own.
    fn noted_ending(&self, newest: Timestamp) -> Option<Ending> {
        let ending = ending::of(&self.known.place)?;
        let is_older = self.was_killed() && ending.time < newest.0;
        (!is_older).then_some(ending)
    }

    fn was_killed(&self) -> bool {
        let reading = self.source.reading();
        reading.is_some_and(|reading| matches!(reading.health(), Health::UncleanStop { .. }))
    }

    /// How the job ended, and what that says of how it stands.
    fn ending(&self, is_synced: bool) -> &'static str {
        match (self.was_killed(), is_synced) {
            (true, true) => {
                "it does not run; it did not stop by itself (killed, or the power went), and was \
                 synced as far as it had looked"
            }
            (true, false) => {
                "it does not run; it did not stop by itself (killed, or the power went)"
            }
            (false, true) => "it does not run; synced when it stopped",
            (false, false) => "it does not run",
        }
    }

    /// Lists what waits for a decision and what differs on purpose, and tells the halt
    /// because of which nothing is looked for.
    pub(super) async fn held(&self) -> Result<(Vec<Item>, Option<HaltView>), Failure> {
        let last = self.last().await?;
        let halt = last.standing.halt.as_ref().map(HaltView::of);
        Ok((last.held.iter().map(item).collect(), halt))
    }

    async fn last(&self) -> Result<LastKnown, Failure> {
        let reading = self.source.reading().expect("a job's journal is a store");
        Ok(last_known(reading, &SystemClock).await?)
    }

    /// Reads the records from a number on, in order.
    pub(super) fn records(
        &self,
        from: Seq,
    ) -> Result<impl Iterator<Item = Result<Record, ReadError>>, Failure> {
        let first = self.source.facts().first;
        if from < first && first <= self.source.facts().head {
            print::words(&format!("events before {first} are not kept any more"));
        }
        self.source.records(from)
    }

    /// Says what went wrong while records were read.
    pub(super) fn fault(&self, error: ReadError) -> Failure {
        self.source.fault(error)
    }

    /// Tells what happened to a path.
    pub(super) fn explain(&self, path: &RelPath) -> Result<Explanation, Failure> {
        explained(&self.source, path, Runs::No)
    }
}

impl Opened {
    /// Opens a job's journal.
    ///
    /// # Errors
    /// Another process has it, or it is damaged.
    pub(super) fn open(known: Known) -> Result<Self, Failure> {
        let opened = Journal::open(&known.place, Options::default())?;
        let lost_history = match opened.health {
            Health::Shortened { expected, .. } => Some(expected),
            Health::Clean | Health::Created | Health::UncleanStop { .. } => None,
        };
        Ok(Self {
            known,
            journal: opened.journal,
            lost_history,
        })
    }

    /// Tells what holds the job back, if something does.
    pub(super) async fn halt(&self) -> Result<Option<HaltView>, Failure> {
        let last = last_known(&self.journal, &SystemClock).await?;
        Ok(last.standing.halt.as_ref().map(HaltView::of))
    }

    /// Appends a decision. Returns its events; none when it means nothing to the job.
    pub(super) async fn decide(&self, input: Input) -> Result<Vec<Value>, Failure> {
        self.writable()?;
        let release = env!("CARGO_PKG_VERSION");
        let records = decide(&self.journal, &SystemClock, release, input).await?;
        Ok(records.iter().map(to_json).collect())
    }

    /// Refuses to write into a journal that has lost events: that has to be told first,
    /// or the next open would find nothing missing.
    pub(super) fn writable(&self) -> Result<(), Failure> {
        let Some(expected) = self.lost_history else {
            return Ok(());
        };
        let message = format!("the journal has lost events: it was at {expected}");
        Err(Failure::new(Exit::JournalDamaged, message)
            .hint("run the job once: it looks at both sides again and deletes nothing unasked"))
    }

    /// Closes the journal.
    pub(super) fn close(self) -> Result<(), Failure> {
        close(self.journal)
    }
}

fn item(remark: &Remark) -> Item {
    let kind = match remark.case {
        Case::V1 => "divergence",
        Case::P1 => "problem",
        _ => "conflict",
    };
    Item {
        path: remark.path.as_str().to_owned(),
        case: remark.case.letter().to_owned(),
        kind: kind.to_owned(),
        detail: remark.detail.clone(),
    }
}

pub(super) fn close(journal: Journal) -> Result<(), Failure> {
    journal
        .close()
        .map_err(|error| RunError::Append(error).into())
}

/// Prints text that ends in its own line break.
fn whole(bytes: &[u8]) -> Exit {
    print::line(String::from_utf8_lossy(bytes).trim_end_matches('\n'));
    Exit::InSync
}

/// Shortens a path for a message.
pub(super) fn shown(path: &Path) -> String {
    plain(&path.to_string_lossy())
}

const NAME: &str = "pydio-sync";
