//! Runs one pair: opens what it needs, hands it to the driver, prints the result.
//!
//! The only file that names concrete adapters.

use super::args::Args;
use super::exit::{Exit, Failure};
use super::pair::{Pair, pair};
use super::progress::Bar;
use super::{print, signals};
use crate::adapters::clock::SystemClock;
use crate::adapters::local_fs::LocalFolder;
use crate::adapters::remote;
use crate::adapters::rooted::Options;
use crate::adapters::store::{FolderLock, Health, Journal, Options as StoreOptions, job_directory};
use crate::daemon::{self, Job, Mode, Ports, RunError};
use crate::ports::{LocalFs, PortError, Remote, Store};
use journal_format::value::{Policy, Seq, Side};
use std::time::Instant;

/// Runs what the flags ask for.
pub(super) fn run(args: &Args) -> Result<Exit, Failure> {
    let pair = pair(args)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .max_blocking_threads(BLOCKING_THREADS)
        .build()
        .map_err(|error| Failure::new(Exit::Internal, format!("no runtime: {error}")))?;
    runtime.block_on(run_pair(args, &pair))
}

async fn run_pair(args: &Args, pair: &Pair) -> Result<Exit, Failure> {
    let began = Instant::now();
    let opened = Journal::open(
        &job_directory(&pair.state_dir, &pair.job),
        StoreOptions::default(),
    )?;
    let lost = match opened.health {
        Health::Shortened { expected, .. } => Some(expected),
        Health::UncleanStop { copied_aside } => {
            tracing::info!(copy = %copied_aside.display(), "the last process did not stop cleanly");
            None
        }
        Health::Clean | Health::Created => None,
    };
    let journal = opened.journal;
    let never_ran = journal.head() == Seq::ZERO;
    if never_ran && !args.dry_run {
        create_local(pair)?;
    }
    let _lock = match FolderLock::acquire(&pair.state_dir, &pair.local) {
        Ok(lock) => Some(lock),
        // A folder that is not there cannot be locked; the driver tells of it.
        Err(_) if !pair.local.exists() => None,
        Err(error) => return Err(error.into()),
    };
    let local =
        LocalFolder::open(&pair.local, Options::default()).map_err(unusable(Side::Local))?;
    let client = client_name(pair);
    let remote = remote::open_folder(&pair.remote, &client, Options::default())
        .map_err(unusable(Side::Remote))?;
    let exit = with_ports(args, pair, &journal, &local, remote.as_ref(), lost, began).await;
    journal.close().map_err(RunError::Append)?;
    exit
}

async fn with_ports(
    args: &Args,
    pair: &Pair,
    store: &dyn Store,
    local: &dyn LocalFs,
    remote: &dyn Remote,
    lost_history: Option<Seq>,
    began: Instant,
) -> Result<Exit, Failure> {
    let bar = Bar::new(args);
    let ports = Ports {
        local,
        remote,
        store,
        clock: &SystemClock,
        observer: &bar,
    };
    let job = job(args, pair, lost_history);
    if args.dry_run {
        let (operations, standing) = daemon::preview(ports, &job)
            .await
            .map_err(|e| named(e, pair))?;
        print::preview(args, &operations, &standing);
        return Ok(if standing.halt.is_some() {
            Exit::Halted
        } else {
            Exit::InSync
        });
    }
    let mode = if args.once {
        Mode::Once
    } else {
        Mode::Continuous
    };
    let orders = signals::orders().map_err(|error| {
        Failure::new(
            Exit::Internal,
            format!("signals cannot be awaited: {error}"),
        )
    })?;
    let report = daemon::run(ports, &job, mode, orders)
        .await
        .map_err(|e| named(e, pair))?;
    bar.finish();
    print::report(args, &pair.job, &report, began.elapsed());
    Ok(if args.once {
        Exit::of(&report)
    } else {
        Exit::InSync
    })
}

fn job(args: &Args, pair: &Pair, lost_history: Option<Seq>) -> Job {
    let policy = Policy {
        direction: args.direction.into(),
        solve: args.conflict.into(),
        ..Policy::default()
    };
    Job {
        id: pair.job.clone(),
        label: pair.label.clone(),
        policy,
        release: env!("CARGO_PKG_VERSION").to_owned(),
        fold_case: false,
        poll_interval_ms: POLL_INTERVAL_MS,
        trash_ms: TRASH_MS,
        lost_history,
    }
}

/// Creates the local folder that the user asked for, if its parent is there.
fn create_local(pair: &Pair) -> Result<(), Failure> {
    match std::fs::create_dir(&pair.local) {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(Failure::usage(
            format!(
                "the local folder `{}` cannot be created: {error}",
                pair.local.display()
            ),
            "check the path; its parent folder must exist",
        )),
    }
}

/// Puts the path where the driver knows only the side.
fn named(error: RunError, pair: &Pair) -> Failure {
    let path = |side: Side| match side {
        Side::Local => pair.local.display(),
        Side::Remote => pair.remote.display(),
    };
    if let RunError::RootNeverSeen { side } = error {
        return Failure::usage(
            format!("the {side} folder `{}` does not exist", path(side)),
            "check the path, or create the folder",
        );
    }
    error.into()
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
const POLL_INTERVAL_MS: i64 = 10_000;
const TRASH_MS: i64 = 30 * 86_400_000;
