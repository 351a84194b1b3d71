//! Runs jobs: opens what they need, hands them to the driver, prints the results.
//!
//! In: flags, a job file. Out: synced folders, lines, an exit code. Invariant:
//! every mistake in flags and files is told before anything is opened, and one in
//! the places before anything is started. Deliberately absent: what syncing means.
//! One of the two files that name concrete adapters. CRASH: what each adapter says.

use super::args::Args;
use super::config::JobConfig;
use super::exit::{Exit, Failure, worst};
use super::pair::{self, Pair, pair};
use super::progress::Bars;
use super::values::Port;
use super::voice::Voice;
use super::{jobfile, known, print, signals};
use crate::adapters::clock::SystemClock;
use crate::adapters::local_fs::LocalFolder;
use crate::adapters::remote;
use crate::adapters::rooted::Options;
use crate::adapters::store::{FolderLock, Health, Journal, Options as StoreOptions, job_directory};
use crate::daemon::{self, Job, Mode, Ports, RunError};
use crate::ports::{Clock, PortError, Remote, Store};
use journal_format::value::{Seq, Side};
use tracing::Instrument;

/// A job with its places.
struct Wanted {
    config: JobConfig,
    pair: Pair,
}

/// A job that can be started.
struct Opened {
    wanted: Wanted,
    journal: Journal,
    local: LocalFolder,
    remote: Box<dyn Remote>,
    lost_history: Option<Seq>,
    _lock: Option<FolderLock>,
}

/// Runs what the flags ask for.
///
/// # Errors
/// Nothing was started.
pub(super) fn run(args: &Args) -> Result<Exit, Failure> {
    let wanted = wanted(args)?;
    warn(args, &wanted);
    runtime()?.block_on(run_all(args, wanted))
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
        jobs.push(Wanted { config, pair });
    }
    let active = jobs.iter().filter(|job| job.config.is_active);
    pair::check_together(&active.map(|job| &job.pair).collect::<Vec<_>>())?;
    Ok(jobs)
}

/// Says once what was given and has no effect.
fn warn(args: &Args, jobs: &[Wanted]) {
    if args.run.password.is_some() {
        print::warning(
            args,
            "`-p` shows the password to other users of this machine; write it to a file of your \
             own and name that with `--password-file`",
        );
    }
    let mut ignored: Vec<_> = jobs
        .iter()
        .flat_map(|job| job.config.without_effect.iter().copied())
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

async fn run_all(args: &Args, jobs: Vec<Wanted>) -> Result<Exit, Failure> {
    let alone = jobs.len() == 1;
    let mut exits = Vec::new();
    let mut opened = Vec::new();
    for job in jobs {
        let label = job.pair.label.clone();
        match open(args, job) {
            Ok(job) => opened.push(job),
            // A mistake: nothing is started.
            Err(failure) if alone || failure.exit == Exit::Usage => return Err(failure),
            Err(failure) => {
                exits.push(failure.exit);
                print::failure(&failure.of(&label));
            }
        }
    }
    let bars = Bars::new(args);
    let runs = opened.into_iter().map(|job| {
        let bars = &bars;
        async move {
            let label = job.wanted.pair.label.clone();
            run_one(args, job, bars, alone)
                .await
                .unwrap_or_else(|failure| {
                    let failure = if alone { failure } else { failure.of(&label) };
                    print::failure(&failure);
                    failure.exit
                })
        }
    });
    exits.extend(futures::future::join_all(runs).await);
    Ok(worst(exits))
}

fn open(args: &Args, wanted: Wanted) -> Result<Opened, Failure> {
    let pair = &wanted.pair;
    let may_create = !args.run.dry_run;
    let directory = job_directory(&pair.state_dir, &pair.job);
    if !directory.exists() {
        pair::check_new(pair, may_create)?;
    }
    let opened = Journal::open(&directory, StoreOptions::default())?;
    let lost_history = match opened.health {
        Health::Shortened { expected, .. } => Some(expected),
        Health::UncleanStop { copied_aside } => {
            tracing::info!(copy = %copied_aside.display(), "the last process did not stop cleanly");
            None
        }
        Health::Clean | Health::Created => None,
    };
    let journal = opened.journal;
    if journal.head() == Seq::ZERO {
        pair::check_new(pair, may_create)?;
        if may_create {
            create_local(pair)?;
        }
    }
    let lock = match FolderLock::acquire(&pair.state_dir, &pair.local) {
        Ok(lock) => Some(lock),
        // A folder that is not there cannot be locked; the driver tells of it.
        Err(_) if !pair.local.exists() => None,
        Err(error) => return Err(error.into()),
    };
    let options = || Options {
        filter: wanted.config.filter.clone(),
    };
    let local = LocalFolder::open(&pair.local, options()).map_err(unusable(Side::Local))?;
    let remote = remote::open_folder(&pair.remote, &client_name(pair), options())
        .map_err(unusable(Side::Remote))?;
    if !args.run.dry_run {
        known::remember(pair);
    }
    Ok(Opened {
        journal,
        local,
        remote,
        lost_history,
        _lock: lock,
        wanted,
    })
}

async fn run_one(args: &Args, opened: Opened, bars: &Bars, alone: bool) -> Result<Exit, Failure> {
    let exit = with_ports(args, &opened, bars, alone).await;
    opened.journal.close().map_err(RunError::Append)?;
    exit
}

async fn with_ports(
    args: &Args,
    opened: &Opened,
    bars: &Bars,
    alone: bool,
) -> Result<Exit, Failure> {
    let clock = SystemClock;
    let began = clock.now();
    let is_once = args.run.once || opened.wanted.config.is_manual;
    let voice = Voice {
        args,
        pair: &opened.wanted.pair,
        bar: bars.add(),
        is_continuous: !is_once && !args.run.dry_run,
    };
    let ports = Ports {
        local: &opened.local,
        remote: opened.remote.as_ref(),
        store: &opened.journal,
        clock: &clock,
        observer: &voice,
    };
    let pair = &opened.wanted.pair;
    let job = job(opened);
    if args.run.dry_run {
        let (operations, standing) = daemon::preview(ports, &job)
            .await
            .map_err(|error| named(error, pair))?;
        print::preview(args, pair, alone, &operations, &standing);
        return Ok(match standing.halt {
            Some(_) => Exit::Halted,
            None => Exit::InSync,
        });
    }
    let (orders, was_stopped) = signals::orders().map_err(|error| {
        Failure::new(
            Exit::Internal,
            format!("signals cannot be awaited: {error}"),
        )
    })?;
    let mode = if is_once {
        Mode::Once
    } else {
        Mode::Continuous
    };
    let report = daemon::run(ports, &job, mode, orders)
        .instrument(tracing::error_span!("job", job = pair.job))
        .await
        .map_err(|error| named(error, pair))?;
    voice.bar.finish();
    let elapsed = clock.now().0.saturating_sub(began.0);
    let exit = match Exit::of(&report.standing) {
        // Whoever was stopped on the way has not seen everything.
        Exit::InSync | Exit::ConflictsWait if was_stopped.get() => Exit::Stopped,
        exit => exit,
    };
    print::report(args, pair, alone, &report, exit, elapsed.unsigned_abs());
    Ok(if is_once { exit } else { Exit::InSync })
}

fn job(opened: &Opened) -> Job {
    let Wanted { config, pair } = &opened.wanted;
    Job {
        id: pair.job.clone(),
        label: pair.label.clone(),
        policy: config.policy,
        release: env!("CARGO_PKG_VERSION").to_owned(),
        fold_case: false,
        poll_interval_ms: config.poll_interval_ms,
        trash_ms: config.trash_ms,
        lost_history: opened.lost_history,
    }
}

/// Creates the local folder that the user asked for.
fn create_local(pair: &Pair) -> Result<(), Failure> {
    match std::fs::create_dir(&pair.local) {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(Failure::usage(
            format!(
                "the local folder `{}` cannot be created: {error}",
                pair.local.display()
            ),
            "check the path; the folder above it must exist and be yours",
        )),
    }
}

/// Puts the path where the driver knows only the side.
fn named(error: RunError, pair: &Pair) -> Failure {
    let RunError::RootNeverSeen { side } = error else {
        return error.into();
    };
    let path = match side {
        Side::Local => &pair.local,
        Side::Remote => &pair.remote,
    };
    let obstacle = pair::obstacle(path).unwrap_or_else(|| "was gone for a moment".to_owned());
    Failure::usage(
        format!("the {side} folder `{}` {obstacle}", path.display()),
        "check the path, or create the folder",
    )
}

fn unusable(side: Side) -> impl Fn(PortError) -> Failure {
    move |error| RunError::Side { side, error }.into()
}

/// Tells this client's temporary files on a shared remote from another's.
fn client_name(pair: &Pair) -> String {
    let mut hasher = blake3::Hasher::new();
    hasher.update(pair.state_dir.as_os_str().as_encoded_bytes());
    hasher.update(pair.job.as_bytes());
    let machine = std::fs::read("/etc/machine-id").unwrap_or_default();
    hasher.update(&machine);
    hasher.finalize().to_hex()[..16].to_owned()
}

/// File work is bound by the disk: more threads than this only wait.
const BLOCKING_THREADS: usize = 8;
