//! A job's journal of any length, made up: for measuring what reads journals.
//!
//! In: a number of files, a state folder. Out: a job `made-up` in it, whose journal is
//! that of a first sync (see `state`). Invariant: the store is closed cleanly, so that
//! every tool opens it as that of a job at rest. Deliberately absent: measuring itself,
//! which any clock does: `time pydio-sync explain made-up PATH --state-dir DIR`.

use crate::state;
use journal_format::event::{Event, Record, SessionEvent};
use journal_format::value::{DigestKind, Policy, Seq, Timestamp};
use pydio_sync::adapters::store::{Journal, Options, job_directory};
use pydio_sync::ports::Store;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

/// What to make up.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Files; three events each.
    #[arg(long, default_value_t = 333_000)]
    files: u64,
    /// Where the job's journal is put.
    #[arg(long)]
    state_dir: PathBuf,
}

/// Writes the journal.
#[expect(clippy::print_stdout, reason = "a command")]
pub(crate) fn run(args: &Args) -> ExitCode {
    match write(args) {
        Ok((head, appending)) => {
            #[expect(clippy::cast_precision_loss, reason = "a rate for people")]
            let rate = head.0 as f64 / appending.as_secs_f64();
            println!("{head} events, appended {rate:.0}/s in batches of {BATCH}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            println!("not written: {error}");
            ExitCode::FAILURE
        }
    }
}

fn write(args: &Args) -> Result<(Seq, Duration), String> {
    let place = job_directory(&args.state_dir, JOB);
    let text = |error: &dyn std::fmt::Display| error.to_string();
    let opened = Journal::open(&place, Options::default()).map_err(|error| text(&error))?;
    let runtime = tokio::runtime::Builder::new_current_thread().build();
    let runtime = runtime.map_err(|error| text(&error))?;
    let mut seq = Seq(2);
    let mut records = beginning();
    let mut appending = Duration::ZERO;
    let mut append = |batch| {
        let began = state::now();
        let done = runtime.block_on(opened.journal.append(batch));
        appending += began.elapsed();
        done.map_err(|error| text(&error))
    };
    for chunk in 0..args.files.div_ceil(state::FILES_A_DIRECTORY) {
        records.extend(state::records(chunk, &mut seq));
        if records.len() > BATCH {
            append(std::mem::take(&mut records))?;
        }
    }
    append(records)?;
    opened.journal.close().map_err(|error| text(&error))?;
    let note = serde_json::json!({
        "id": JOB, "label": JOB, "server": "/nowhere", "directory": "/nowhere",
        "remote_folder": "/",
    });
    std::fs::write(place.join("job.json"), note.to_string()).map_err(|error| text(&error))?;
    Ok((seq, appending))
}

fn beginning() -> Vec<Record> {
    let configured = SessionEvent::RootConfigured {
        job: JOB.to_owned(),
        label: JOB.to_owned(),
        rules_version: 1,
        digest: DigestKind::Blake3,
        fold_case: false,
        policy: Policy::default(),
    };
    let started = SessionEvent::SessionStarted {
        release: env!("CARGO_PKG_VERSION").to_owned(),
        fold_version: 1,
        seed: 1,
    };
    let record = |(seq, event)| Record {
        seq: Seq(seq),
        time: Timestamp(1_700_000_000_000),
        event: Event::Session(event),
    };
    (1..).zip([configured, started]).map(record).collect()
}

const JOB: &str = "made-up";
const BATCH: usize = 20_000;
