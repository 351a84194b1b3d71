//! `journal import`: a portable file as a job's journal again.
//!
//! In: a file, a job that has no journal. Out: its store. Invariants: never over a
//! journal; the file is read to its last byte before the store gets its place; the next
//! run is told that events may be missing. CRASH: leaves a job without a journal, or with
//! the whole one.

use super::input::opened;
use super::source;
use super::words::fault;
use crate::adapters::store::{Base, BuildError, build, job_directory};
use crate::cli::args::Args;
use crate::cli::args::journal::Import;
use crate::cli::exit::{Exit, Failure};
use crate::cli::offline::shown;
use crate::cli::print;
use crate::cli::text::{count, plain};
use crate::journal::PortableReader;
use crate::ports::Checkpoint;
use journal_format::portable::Header;
use journal_format::value::Seq;
use serde_json::json;
use std::path::Path;
use sync_core::checkpoint;

/// Makes the store.
///
/// # Errors
/// The file is damaged or cannot be a job's journal, or the job has one.
pub(super) fn run(args: &Args, state_dir: &Path, flags: &Import) -> Result<Exit, Failure> {
    let path = &flags.file;
    let mut reader = PortableReader::open(opened(path)?).map_err(|error| fault(path, error))?;
    let state = reader.state().map_err(|error| fault(path, error))?;
    let header = reader.header();
    if header.redacted {
        return Err(Failure::usage(
            format!("`{}` is redacted: its names are none", shown(path)),
            "import a file that was exported without `--redact`",
        ));
    }
    let base = base(path, header, state)?;
    let job = flags.job.clone().unwrap_or_else(|| header.job.clone());
    if job.is_empty() {
        return Err(Failure::usage(
            "a job's id is not empty",
            "name it: `--job ID`",
        ));
    }
    // A file that cannot be read leaves no folder of a job.
    readable(path)?;
    let place = job_directory(state_dir, &job);
    // Whether it was the newest is not known, so a loss is told.
    let head = build(&place, reader, Some(Seq(1)), base).map_err(|error| match error {
        BuildError::Open(error) => error.into(),
        BuildError::Read(error) => fault(path, error),
        BuildError::Exists => Failure::usage(
            format!("the job `{}` has a journal", plain(&job)),
            "nothing was changed; `--job ID` names another job",
        ),
        other => Failure::new(Exit::Internal, format!("{}: {other}", shown(&place))),
    })?;
    if args.common.json {
        print::data(&json!({"type": "imported", "job": job, "events": head.0, "head": head.0}));
    } else {
        print::line(&format!(
            "{}: {}",
            plain(&job),
            count(head.0, "event", "events")
        ));
        print::words(
            "run the job with its usual flags: it looks at both sides anew and deletes nothing \
             unasked",
        );
    }
    Ok(Exit::InSync)
}

/// The state that a file goes on from, where it does not begin with the first event.
fn base(path: &Path, header: &Header, state: Option<Vec<u8>>) -> Result<Option<Base>, Failure> {
    if header.first == Seq(1) {
        return Ok(None);
    }
    let begins = format!("`{}` begins at event {}", shown(path), header.first);
    let Some(bytes) = state else {
        return Err(Failure::usage(
            format!("{begins}, and the state before it is not in it"),
            "import a file that was exported without `--from`, or by a release that adds the state",
        ));
    };
    let decoded = checkpoint::decode_foreign(&bytes);
    let state = decoded.ok().filter(|it| it.seq.next() == header.first);
    let seq = state.map(|state| state.seq).ok_or_else(|| {
        Failure::new(
            Exit::JournalDamaged,
            format!("{begins}, and the state before it cannot be used"),
        )
        .hint("import it with the release that wrote it")
    })?;
    Ok(Some(Base {
        state: Checkpoint { seq, bytes },
        before: header.before.unwrap_or_default(),
    }))
}

/// Reads a file to its last byte.
fn readable(path: &Path) -> Result<(), Failure> {
    let source = source::of_file(path)?;
    for read in source.entries(Seq(1))? {
        read.map_err(|error| source.fault(error))?;
    }
    Ok(())
}
