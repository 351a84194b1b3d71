//! Subcommands for jobs that do not run at this moment.
//!
//! In: a job's name and a command. Out: lines about its journal, or a decision in
//! it. Invariant: a job that runs is left alone, with exit code 8. Deliberately
//! absent: orders to a running daemon. The other file that names the journal's
//! adapter. A new command is an arm of [`run`].

use super::args::{Args, Command, Events, OneJob, Resolve};
use super::exit::{Exit, Failure, worst};
use super::job_args::Jobs;
use super::known::{self, Known};
use super::text::{count, plain, time};
use super::{check, doctor, jobs, login, pair, print, run, service, trash};
use crate::adapters::clock::SystemClock;
use crate::adapters::store::{Health, Journal, Options};
use crate::daemon::RunError;
use crate::daemon::offline::{LastKnown, decide, last_known};
use crate::ports::Store;
use clap::CommandFactory;
use journal_format::event::Record;
use journal_format::json::to_json;
use journal_format::value::Seq;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use sync_core::input::Input;

/// Runs a subcommand.
///
/// # Errors
/// In words, with the exit code.
pub(super) fn run(args: &Args, command: &Command) -> Result<Exit, Failure> {
    match command {
        Command::Completions { shell } => {
            let mut out = Vec::new();
            clap_complete::generate(*shell, &mut Args::command(), NAME, &mut out);
            return Ok(whole(&out));
        }
        Command::Man => {
            let mut out = Vec::new();
            let page = clap_mangen::Man::new(Args::command());
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
    let desk = Desk { args, state_dir };
    run::runtime()?.block_on(async {
        match command {
            Command::Status(job) => desk.status(job).await,
            Command::Approve(job) => desk.approve(job).await,
            Command::Conflicts(job) => desk.conflicts(job).await,
            Command::Resolve(resolve) => desk.resolve(resolve).await,
            Command::Events(events) => desk.events(events).await,
            Command::Trash(command) => trash::run(&desk, command).await,
            Command::Jobs(_)
            | Command::Login(_)
            | Command::Logout(_)
            | Command::Doctor(_)
            | Command::Service(_)
            | Command::Completions { .. }
            | Command::Man => Ok(Exit::InSync),
        }
    })
}

/// Who asks, and where the journals are.
pub(super) struct Desk<'a> {
    pub(super) args: &'a Args,
    state_dir: PathBuf,
}

/// A job's journal, open and locked.
pub(super) struct Opened {
    pub(super) known: Known,
    pub(super) journal: Journal,
    lost_history: Option<Seq>,
}

impl Desk<'_> {
    /// Finds a job and opens its journal.
    pub(super) fn open(&self, name: Option<&str>) -> Result<Opened, Failure> {
        open(known::find(&self.state_dir, name)?)
    }

    async fn status(&self, job: &OneJob) -> Result<Exit, Failure> {
        let jobs = match &job.job {
            Some(name) => vec![known::find(&self.state_dir, Some(name))?],
            None => known::all(&self.state_dir)?,
        };
        if jobs.is_empty() {
            print::words("no job ran yet with this state folder");
        }
        let alone = jobs.len() == 1;
        let mut exits = Vec::new();
        for known in jobs {
            let label = known.label.clone();
            match self.status_of(known).await {
                Ok(exit) => exits.push(exit),
                Err(failure) if alone => return Err(failure),
                Err(failure) => {
                    exits.push(failure.exit);
                    print::failure(&failure.of(&label));
                }
            }
        }
        Ok(worst(exits))
    }

    async fn status_of(&self, known: Known) -> Result<Exit, Failure> {
        let opened = open(known)?;
        let last = last_known(&opened.journal, &SystemClock).await?;
        let (state, exit) = standing(&last);
        let known = &opened.known;
        let halt = last.standing.halt;
        if self.args.common.json {
            let halt = halt.as_ref().map(print::halt_json);
            print::data(&json!({
                "type": "status", "job": known.id, "label": known.label, "state": state,
                "pending": last.standing.pending, "conflicts": last.standing.conflicts,
                "problems": last.standing.problems, "divergences": last.standing.divergences,
                "halt": halt, "seq": last.seq.0, "time": last.time.0,
            }));
        } else {
            let [pending, conflicts, problems] = [
                last.standing.pending,
                last.standing.conflicts,
                last.standing.problems,
            ];
            print::line(&format!(
                "{} ({}): {state}; {pending} pending, {}, {} not synced; event {}, {}",
                plain(&known.label),
                plain(&known.id),
                count(conflicts, "conflict", "conflicts"),
                problems,
                last.seq,
                time(last.time),
            ));
        }
        if let Some(halt) = &halt {
            print::words(&format!("  halted: {}", print::halt_words(halt)));
            let release = print::release_words(halt, &known.id, &self.state_dir);
            print::words(&format!("  {release}"));
        }
        close(opened.journal)?;
        Ok(exit)
    }

    async fn approve(&self, job: &OneJob) -> Result<Exit, Failure> {
        let opened = self.open(job.job.as_deref())?;
        let last = last_known(&opened.journal, &SystemClock).await?;
        let Some(halt) = last.standing.halt else {
            print::words("the job is not halted: there is nothing to approve");
            close(opened.journal)?;
            return Ok(Exit::InSync);
        };
        if halt.reason == journal_format::event::HaltReason::RootMissing {
            let message = format!("halted: {}", print::halt_words(&halt));
            let hint = print::release_words(&halt, &opened.known.id, &self.state_dir);
            return Err(Failure::new(Exit::Halted, message).hint(hint));
        }
        self.decide(opened, Input::Approve { by: who() }).await?;
        let what = print::halt_words(&halt);
        print::words(&format!(
            "approved: {what}; the next run goes on with exactly that"
        ));
        Ok(Exit::InSync)
    }

    async fn conflicts(&self, job: &OneJob) -> Result<Exit, Failure> {
        let opened = self.open(job.job.as_deref())?;
        let last = last_known(&opened.journal, &SystemClock).await?;
        for remark in &last.held {
            if self.args.common.json {
                print::data(&print::held_json(&opened.known.id, remark));
            } else {
                let what = print::held_words(remark.case);
                let path = plain(remark.path.as_str());
                print::line(&format!("{} {what}: {path}", remark.case.letter()));
            }
        }
        if last.held.is_empty() && !self.args.common.json {
            print::words("no conflict waits for a decision");
        }
        close(opened.journal)?;
        Ok(Exit::InSync)
    }

    async fn resolve(&self, resolve: &Resolve) -> Result<Exit, Failure> {
        let opened = self.open(resolve.job.as_deref())?;
        let input = Input::Resolve {
            path: resolve.path.clone(),
            keep: resolve.keep.into(),
            by: who(),
        };
        let records = self.decide(opened, input).await?;
        if records.is_empty() {
            return Err(Failure::usage(
                format!("no conflict waits at `{}`", resolve.path),
                "`pydio-sync conflicts` lists those that do",
            ));
        }
        print::words("decided; the next run does it");
        Ok(Exit::InSync)
    }

    /// Appends a decision and shows its events.
    async fn decide(&self, opened: Opened, input: Input) -> Result<Vec<Record>, Failure> {
        let release = env!("CARGO_PKG_VERSION");
        // A loss has to be told first, or the next open would find nothing missing.
        if let Some(expected) = opened.lost_history {
            let message = format!("the journal has lost events: it was at {expected}");
            return Err(Failure::new(Exit::JournalDamaged, message).hint(
                "run the job once: it looks at both sides again and deletes nothing unasked",
            ));
        }
        let records = decide(&opened.journal, &SystemClock, release, input).await?;
        close(opened.journal)?;
        if self.args.common.json {
            records
                .iter()
                .for_each(|record| print::data(&to_json(record)));
        }
        Ok(records)
    }

    async fn events(&self, events: &Events) -> Result<Exit, Failure> {
        let opened = self.open(events.job.as_deref())?;
        let store: &dyn Store = &opened.journal;
        let head = store.head();
        let mut next = Seq(events.from.max(1));
        while next <= head {
            let page = store
                .read(next, PAGE_RECORDS)
                .await
                .map_err(RunError::Read)?;
            let Some(last) = page.last() else { break };
            next = last.seq.next();
            for record in &page {
                if self.args.common.json {
                    print::data(&to_json(record));
                } else {
                    print::line(&event_line(record));
                }
            }
        }
        close(opened.journal)?;
        Ok(Exit::InSync)
    }
}

fn open(known: Known) -> Result<Opened, Failure> {
    let opened = Journal::open(&known.place, Options::default())?;
    let lost_history = match opened.health {
        Health::Shortened { expected, .. } => Some(expected),
        Health::Clean | Health::Created | Health::UncleanStop { .. } => None,
    };
    Ok(Opened {
        known,
        journal: opened.journal,
        lost_history,
    })
}

pub(super) fn close(journal: Journal) -> Result<(), Failure> {
    journal
        .close()
        .map_err(|error| RunError::Append(error).into())
}

/// A state in a word, and what it amounts to. Changes that wait for a run are not
/// synced, so they are not `synced`.
fn standing(last: &LastKnown) -> (&'static str, Exit) {
    let standing = &last.standing;
    let held = u64::try_from(last.held.len()).unwrap_or(u64::MAX);
    match Exit::of(standing) {
        Exit::InSync if standing.pending > held => ("pending", Exit::ItemsFailed),
        exit => (exit.state(), exit),
    }
}

/// One event for people: what it is first, then its fields.
fn event_line(record: &Record) -> String {
    let mut value = to_json(record);
    let mut kind = Value::Null;
    if let Value::Object(fields) = &mut value {
        kind = fields.remove("type").unwrap_or(Value::Null);
        fields.remove("seq");
        fields.remove("time");
    }
    let kind = kind.as_str().unwrap_or("event");
    plain(&format!(
        "{} {} {kind} {value}",
        record.seq,
        time(record.time)
    ))
}

/// Who decides, for the journal.
fn who() -> String {
    let set = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    let name = set("SUDO_USER").or_else(|| set("USER"));
    let name = name.unwrap_or_else(|| format!("user {}", rustix::process::getuid().as_raw()));
    let name: String = name.chars().take(NAME_CHARS_MAX).collect();
    format!("{name} (command line)")
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
const NAME_CHARS_MAX: usize = 64;
const PAGE_RECORDS: usize = 4096;
