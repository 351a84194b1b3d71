//! `undo`: what sync did in the local folder, taken back there.
//!
//! In: a job and which operations. Out: steps that are shown, asked about and done; what
//! was left and why; an event. Invariants: nothing that changed since is touched; what is
//! told to be undone is durable and in the journal; a job that runs rests meanwhile
//! (`desk::resting`). Deliberately absent: the remote, to which the next run carries it.
//! CRASH: as `daemon::by_hand` says; the steps that were done are not tried again, since
//! their preconditions fail.

use super::args::undo::Undo as Flags;
use super::desk::{Desk, who};
use super::exit::{Exit, Failure};
use super::journal::source::{self, Source};
use super::offline::Opened;
use super::print;
use super::text::{count, plain, quoted, time};
use super::trash;
use crate::adapters::clock::SystemClock;
use crate::daemon::by_hand;
use crate::journal::undo::{Collector, Left, Step, Undo, Which};
use crate::ports::Clock;
use journal_format::value::{RelPath, Seq};
use serde_json::json;
use std::io::{BufRead, IsTerminal, Write};

/// Runs `undo`.
pub(super) async fn run(desk: &mut Desk<'_>, flags: &Flags) -> Result<Exit, Failure> {
    let (job, which) = flags.meant(SystemClock.now())?;
    let source = source::of_job(&desk.known(job)?)?;
    let id = source.facts().job.clone();
    if let Which::Event(seq) = which {
        source.reaches(seq)?;
    }
    let mut undo = collect(&source, which, flags)?;
    let shown = Shown {
        is_json: desk.args.common.json,
        job: &id,
        place: print::state_dir_flag(desk.args),
    };
    if let (Which::Event(seq), true) = (which, undo.steps.is_empty() && undo.left.is_empty()) {
        return Err(Failure::usage(
            format!("event {seq} did nothing that could be undone"),
            "`pydio-sync events` lists operations that succeeded, and what was undone",
        ));
    }
    let mut done = 0;
    let mut event = None;
    if flags.dry_run {
        undo.steps
            .iter()
            .for_each(|step| shown.step(step, "planned"));
    } else if !undo.steps.is_empty() {
        if !agreed(flags, &undo)? {
            print::words("nothing was changed");
            return Ok(Exit::InSync);
        }
        // What is done is what was agreed to, whatever happened since: each step looks
        // whether it still can be.
        drop(source);
        let resting = desk.rest(&id).await?;
        let performed = perform(desk, &resting.opened, &mut undo, &shown).await;
        desk.end_rest(resting).await?;
        (done, event) = performed?;
    }
    undo.left.iter().for_each(|left| shown.left(left));
    shown.sum(&undo, done, event, flags.dry_run);
    Ok(if undo.left.is_empty() {
        Exit::InSync
    } else {
        Exit::ItemsFailed
    })
}

/// Reads what is meant from the journal, beside whoever has it.
fn collect(source: &Source, which: Which, flags: &Flags) -> Result<Undo, Failure> {
    // Who names one means that one, whoever's change it followed from.
    let is_of_both = flags.mine || matches!(which, Which::Event(_));
    let mut collector = if is_of_both {
        Collector::of_both_sides(which, source.engine(Seq(u64::MAX))?)
    } else {
        Collector::new(which)
    };
    for read in source.records(Seq(1))? {
        collector.take(&read.map_err(|error| source.fault(error))?);
    }
    Ok(collector.finish())
}

/// Does the steps; those that cannot be done go to what is left. Returns how many were,
/// and the first event that tells of them.
async fn perform(
    desk: &Desk<'_>,
    opened: &Opened,
    undo: &mut Undo,
    shown: &Shown<'_>,
) -> Result<(u64, Option<Seq>), Failure> {
    opened.writable()?;
    let _held = trash::hold(desk, opened)?;
    let local = trash::folder(opened).await?;
    let mut deeds = trash::deeds(opened).await?;
    let told = |steps: &[&Step]| steps.iter().for_each(|step| shown.step(step, "done"));
    let performed = by_hand::perform(&local, &mut deeds, &undo.steps, &who(), told).await?;
    deeds.end().await?;
    undo.left.extend(performed.left);
    Ok((performed.done, performed.first))
}

/// Asks, where somebody can answer.
fn agreed(flags: &Flags, undo: &Undo) -> Result<bool, Failure> {
    if flags.yes {
        return Ok(true);
    }
    if !std::io::stdin().is_terminal() || !std::io::stderr().is_terminal() {
        return Err(Failure::usage(
            "nobody is here to be asked",
            "look with `--dry-run`, then say `--yes`",
        ));
    }
    if undo.steps.len() == 1 {
        return Ok(true);
    }
    let shown = undo.steps.iter().take(STEPS_SHOWN);
    shown.for_each(|step| print::words(&format!("  {}", step.inverse.words())));
    let more = undo.steps.len().saturating_sub(STEPS_SHOWN);
    if more > 0 {
        print::words(&format!("  and {more} more"));
    }
    let mut err = std::io::stderr().lock();
    write!(err, "Do these {} steps? [y/N] ", undo.steps.len()).ok();
    err.flush().ok();
    let mut answer = String::new();
    let read = std::io::stdin().lock().read_line(&mut answer);
    Ok(read.is_ok() && matches!(answer.trim(), "y" | "Y" | "yes"))
}

/// How results are printed.
struct Shown<'a> {
    is_json: bool,
    job: &'a str,
    /// The flag that leads a command to the state folder.
    place: String,
}

impl Shown<'_> {
    fn step(&self, step: &Step, state: &str) {
        if self.is_json {
            print::data(&json!({
                "type": "undo", "job": self.job, "undoes": step.undoes.0, "time": step.time.0,
                "step": step.inverse.word(), "path": step.inverse.path().as_str(),
                "to": step.inverse.to().map(RelPath::as_str), "state": state,
            }));
        } else {
            let (at, words) = (time(step.time), step.inverse.words());
            print::line(&format!("{state}: {words} [{}, {at}]", step.undoes));
        }
    }

    fn left(&self, left: &Left) {
        if self.is_json {
            print::data(&json!({
                "type": "undo", "job": self.job, "undoes": left.undoes.0, "time": left.time.0,
                "path": left.path.as_str(), "state": "left", "reason": left.reason,
            }));
        } else {
            let (path, reason) = (plain(left.path.as_str()), plain(&left.reason));
            let at = time(left.time);
            print::line(&format!(
                "not undone: `{path}`: {reason} [{}, {at}]",
                left.undoes
            ));
        }
    }

    fn sum(&self, undo: &Undo, done: u64, event: Option<Seq>, is_dry: bool) {
        if self.is_json {
            print::data(&json!({
                "type": "undo_summary", "job": self.job, "planned": undo.steps.len(),
                "done": done, "left": undo.left.len(), "seq": event.map(|event| event.0),
            }));
        }
        match event {
            Some(event) => print::words(&format!(
                "{} done; the next run syncs that. To take it back: pydio-sync undo {} {event}{}",
                count(done, "step", "steps"),
                quoted(self.job),
                self.place,
            )),
            None if is_dry => {}
            None => print::words("nothing was changed"),
        }
    }
}

const STEPS_SHOWN: usize = 20;
