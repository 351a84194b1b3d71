//! `journal explain`: `explain` on any journal.
//!
//! In: a journal, a path. Out: what `explain` prints of a job. Invariant: read-only,
//! beside whoever has the job. Deliberately absent: what only a running job knows.

use super::source;
use crate::adapters::clock::SystemClock;
use crate::cli::args::Args;
use crate::cli::args::views::ExplainIn;
use crate::cli::exit::{Exit, Failure};
use crate::cli::print;
use crate::journal::explain::{Context, Gathering, tell};
use crate::ports::Clock;
use journal_format::event::Record;
use journal_format::value::{RelPath, Seq};
use std::path::Path;

/// Prints what happened to a path.
///
/// # Errors
/// No such journal, or it is damaged.
pub(super) fn run(args: &Args, state_dir: &Path, flags: &ExplainIn) -> Result<Exit, Failure> {
    let source = source::open(flags.named.journal.as_deref(), state_dir)?;
    let job = source.facts().job.clone();
    let records = gathered(&source, &flags.path)?;
    let context = Context {
        job: job.clone(),
        now: SystemClock.now(),
        is_running: false,
    };
    print::explanation(args, &job, &tell(&flags.path, &records, &context));
    Ok(Exit::InSync)
}

/// Reads the records that are about a path.
fn gathered(source: &source::Source, path: &RelPath) -> Result<Vec<Record>, Failure> {
    let mut gathering = Gathering::new(path);
    loop {
        let mut sieve = gathering.sieve();
        for read in source.entries(Seq(1))? {
            let stored = read.map_err(|error| source.fault(error))?;
            if sieve.wants(&stored.bytes) {
                gathering.take(stored.record);
            }
        }
        if !gathering.needs_another_pass() {
            break;
        }
    }
    if gathering.is_full() {
        return Err(Failure::new(
            Exit::Internal,
            format!("`{path}` has more events than can be explained"),
        )
        .hint("`pydio-sync journal cat JOB --path PATH` prints them all"));
    }
    for seq in gathering.missing() {
        let first = source.records(seq)?.next();
        if let Some(record) = first.transpose().map_err(|error| source.fault(error))? {
            gathering.take(record);
        }
    }
    Ok(gathering.finish())
}
