//! `journal explain`: `explain` on any journal.
//!
//! In: a journal, a path. Out: what `explain` prints of a job. Invariant: read-only,
//! beside whoever has the job. Deliberately absent: what only a running job knows.

use super::source::{self, Origin, Source};
use crate::adapters::clock::SystemClock;
use crate::cli::args::Args;
use crate::cli::args::views::ExplainIn;
use crate::cli::exit::{Exit, Failure};
use crate::cli::{run as process, story, trash};
use crate::journal::explain::{Context, Explanation, Fate, Runs, tell};
use crate::ports::Clock;
use journal_format::value::RelPath;
use std::path::Path;

/// Prints what happened to a path.
///
/// # Errors
/// No such journal, or it is damaged.
pub(super) fn run(args: &Args, state_dir: &Path, flags: &ExplainIn) -> Result<Exit, Failure> {
    let source = source::open(flags.named.journal.as_deref(), state_dir)?;
    let job = source.facts().job.clone();
    let mut told = explained(&source, &flags.path.below(source.local())?, runs(&source))?;
    if source.facts().redacted && told.state == Fate::NeverSeen {
        told.advice = vec![
            "names were replaced in this file: name a path as `pydio-sync journal tree` prints it"
                .to_owned(),
        ];
    }
    if let Some(local) = source.local() {
        process::runtime()?.block_on(trash::look_into(local, &mut told));
    }
    story::explanation(args, &job, told);
    Ok(source.exit())
}

/// Tells what happened to a path.
///
/// # Errors
/// The journal is damaged.
pub(in crate::cli) fn explained(
    source: &Source,
    path: &RelPath,
    runs: Runs,
) -> Result<Explanation, Failure> {
    let records = source.gathered(path)?;
    let context = Context {
        job: source.facts().job.clone(),
        now: SystemClock.now(),
        runs,
        begins: source.facts().first,
    };
    Ok(tell(path, &records, source.base()?.as_ref(), &context))
}

/// Whether the job runs, from how its journal was found.
const fn runs(source: &Source) -> Runs {
    match source.facts().origin {
        Origin::Store => Runs::No,
        Origin::Copy => Runs::Perhaps,
        Origin::File => Runs::Elsewhere,
    }
}
