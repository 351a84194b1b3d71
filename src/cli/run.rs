//! Reads what is to be run, checks all of it, and hands it on.
//!
//! In: flags, a job file. Out: an exit code. Invariant: every mistake in flags, files
//! and places is told before anything is opened. Deliberately absent: opening
//! (`open`), running (`once`).

use super::args::Args;
use super::config::JobConfig;
use super::exit::{Exit, Failure};
use super::open::Wanted;
use super::pair::{self, pair};
use super::values::Port;
use super::{jobfile, once, password, print};

/// Runs what the flags ask for.
///
/// # Errors
/// Nothing was started.
pub(super) fn run(args: &Args) -> Result<Exit, Failure> {
    let mut wanted = wanted(args)?;
    warn(args, &wanted);
    for job in &mut wanted {
        job.password = password::find(&job.config, &job.pair.remote)?;
    }
    runtime()?.block_on(once::run_all(args, wanted))
}

/// Reads all jobs of a file and checks them against one another.
///
/// # Errors
/// The first mistake.
pub(super) fn check(args: &Args, file: &std::path::Path) -> Result<usize, Failure> {
    let state_dir = pair::state_dir(args.common.state_dir.as_deref())?;
    checked(jobfile::read(file)?, &state_dir).map(|jobs| jobs.len())
}

/// Makes the runtime that everything awaits in.
///
/// # Errors
/// The machine has no threads or descriptors left.
pub(super) fn runtime() -> Result<tokio::runtime::Runtime, Failure> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .max_blocking_threads(BLOCKING_THREADS)
        .build()
        .map_err(|error| Failure::new(Exit::Internal, format!("no runtime: {error}")))
}

fn wanted(args: &Args) -> Result<Vec<Wanted>, Failure> {
    let configs = match &args.run.file {
        Some(file) => jobfile::read(file)?,
        None => vec![JobConfig::from_flags(&args.run)?],
    };
    let state_dir = pair::state_dir(args.common.state_dir.as_deref())?;
    let mut jobs = checked(configs, &state_dir)?;
    jobs.retain(|job| job.config.is_active);
    if jobs.is_empty() {
        return Err(Failure::usage(
            "the job file has no active job",
            "set `active` to true in one of them",
        ));
    }
    Ok(jobs)
}

/// Finds each job's places. Jobs that are not active have to be right too, but may
/// overlap others.
fn checked(configs: Vec<JobConfig>, state_dir: &std::path::Path) -> Result<Vec<Wanted>, Failure> {
    let mut jobs = Vec::new();
    for config in configs {
        let pair = pair(&config, state_dir)?;
        jobs.push(Wanted {
            config,
            pair,
            password: None,
        });
    }
    let active = jobs.iter().filter(|job| job.config.is_active);
    pair::check_together(&active.map(|job| &job.pair).collect::<Vec<_>>())?;
    Ok(jobs)
}

/// Says once what was given and has no effect.
fn warn(args: &Args, jobs: &[Wanted]) {
    password::warn(args);
    let mut ignored: Vec<_> = jobs
        .iter()
        .filter(|job| job.pair.remote.folder().is_some())
        .flat_map(|job| job.config.server_keys.iter().copied())
        .collect();
    ignored.sort_unstable();
    ignored.dedup();
    if !ignored.is_empty() {
        let text = format!(
            "a folder needs none of these, they are ignored: {}",
            ignored.join(", ")
        );
        print::warning(args, &text);
    }
    if args.run.zmq_port != Port::Off {
        tracing::info!("notifications are not part of this release: no port is opened");
    }
}

/// File work is bound by the disk: more threads than this only wait.
const BLOCKING_THREADS: usize = 8;
