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
use crate::journal::explain::{Context, tell};
use crate::ports::Clock;
use std::path::Path;

/// Prints what happened to a path.
///
/// # Errors
/// No such journal, or it is damaged.
pub(super) fn run(args: &Args, state_dir: &Path, flags: &ExplainIn) -> Result<Exit, Failure> {
    let source = source::open(flags.named.journal.as_deref(), state_dir)?;
    let job = source.facts().job.clone();
    let records = source.gathered(&flags.path)?;
    let context = Context {
        job: job.clone(),
        now: SystemClock.now(),
        is_running: false,
    };
    print::explanation(args, &job, &tell(&flags.path, &records, &context));
    Ok(Exit::InSync)
}
