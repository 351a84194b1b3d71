//! `journal salvage`: a damaged journal made usable again.
//!
//! In: a job whose journal is damaged. Out: a journal that begins with what could be
//! read, and a list of what could not. Invariant: a whole journal is left as it is.
//! CRASH: what `store::salvage` says.

use super::export::Target;
use super::verify::of_job;
use super::words;
use crate::adapters::store::{BuildError, SalvageError, Salvaged, salvage};
use crate::cli::args::Args;
use crate::cli::args::journal::Salvage;
use crate::cli::exit::{Exit, Failure};
use crate::cli::known::{self, Known};
use crate::cli::offline::shown;
use crate::cli::print;
use crate::cli::text::{count, plain};
use serde_json::json;
use std::path::Path;

/// Salvages a job's journal.
///
/// # Errors
/// The job runs, a newer release wrote its journal, or the disk refuses.
pub(super) fn run(args: &Args, state_dir: &Path, flags: &Salvage) -> Result<Exit, Failure> {
    let mut known = known::all(state_dir)?;
    let names: Vec<_> = known.iter().map(|job| (&*job.id, &*job.label)).collect();
    let place = known::pick(state_dir, &names, flags.job.as_deref())?;
    let job = known.swap_remove(place);
    // What cannot be opened at all can be salvaged.
    if is_whole(&job) {
        print::words("the journal is whole: nothing was changed");
        return Ok(Exit::InSync);
    }
    let target = flags.out.as_deref().map(Target::create).transpose()?;
    let release = env!("CARGO_PKG_VERSION");
    let salvaged = salvage(&job.place, (&job.id, &job.label), release);
    let salvaged = salvaged.map_err(|error| refused(&job.place, error))?;
    if let Some(mut target) = target {
        let copied = std::fs::File::open(&salvaged.file)
            .and_then(|mut kept| std::io::copy(&mut kept, &mut target.file));
        copied.map_err(|error| Failure::new(Exit::Internal, error.to_string()))?;
        target.finish()?;
    }
    tell(args, &job.id, &salvaged);
    Ok(Exit::InSync)
}

/// Whether `verify` finds nothing that would be mended, and nothing of a newer release,
/// which is refused with its name further on.
fn is_whole(job: &Known) -> bool {
    of_job(job).is_ok_and(|findings| !findings.is_mendable && findings.newer.is_none())
}

fn tell(args: &Args, job: &str, salvaged: &Salvaged) {
    if args.common.json {
        print::data(&json!({
            "type": "salvaged", "job": job, "head": salvaged.kept.0,
            "expected": salvaged.expected.0, "losses": salvaged.losses,
            "aside": salvaged.aside.to_string_lossy(),
        }));
        return;
    }
    for loss in salvaged.losses.iter().take(LINES_MAX) {
        print::line(&plain(loss));
    }
    if salvaged.losses.len() > LINES_MAX {
        let more = salvaged.losses.len() - LINES_MAX;
        print::line(&format!("and {more} more; --json lists all"));
    }
    print::line(&format!(
        "{}: {} kept; the damaged files are in {}",
        plain(job),
        count(salvaged.kept.0, "event", "events"),
        shown(&salvaged.aside)
    ));
    print::words("the next run looks at both sides anew and deletes nothing unasked");
}

fn refused(place: &Path, error: SalvageError) -> Failure {
    match error {
        SalvageError::Open(error) => error.into(),
        SalvageError::Newer { .. } => {
            Failure::new(Exit::JournalDamaged, format!("{}: {error}", shown(place)))
                .hint("a newer release wrote it: upgrade this one; nothing was changed")
        }
        SalvageError::Build(BuildError::Open(error)) => error.into(),
        SalvageError::Build(BuildError::Read(error)) => words::fault(place, error),
        other => Failure::new(Exit::Internal, format!("{}: {other}", shown(place))),
    }
}

const LINES_MAX: usize = 50;
