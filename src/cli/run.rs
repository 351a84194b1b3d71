//! Reads what is to be run, checks all of it, and hands it on.
//!
//! In: flags, a job file. Out: an exit code. Invariant: every mistake in flags, files
//! and places is told before anything is opened. Deliberately absent: opening
//! (`open`), running (`once`, `serve`).

use super::args::Args;
use super::config::JobConfig;
use super::exit::{Exit, Failure};
use super::logs::Switch;
use super::open::Wanted;
use super::pair::{self, Pair, pair};
use super::password::{self, Passwords};
use super::{jobfile, jobs, moved, once, print, serve};
use crate::adapters::credentials::Credentials;
use crate::adapters::remote::RemotePlace;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// Runs what the flags ask for.
///
/// # Errors
/// Nothing was started.
pub(super) fn run(args: &Args, logs: &Switch) -> Result<Exit, Failure> {
    let state_dir = pair::state_dir(args.common.state_dir.as_deref())?;
    let mut wanted = wanted(args, false)?;
    warn(args, &wanted);
    let is_daemon = !args.run.once && !args.run.dry_run;
    let is_alone = wanted.len() == 1;
    let mut passwords = Passwords::new(&state_dir);
    for job in &mut wanted {
        match passwords.of_job(job.config.password.as_ref(), &job.pair.remote) {
            Ok(found) => job.password = found,
            // One of several jobs waits for its password; the others run.
            Err(_) if is_daemon && !is_alone => {}
            Err(failure) => return Err(failure),
        }
    }
    if let Some(file) = file(args).filter(|_| !args.run.dry_run) {
        moved::passwords(args, &file, &Credentials::new(&state_dir), &wanted);
    }
    if is_daemon {
        serve::serve(args, logs, wanted)
    } else {
        runtime()?.block_on(once::run_all(args, wanted))
    }
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

/// The job file that is meant: the named one, or without any word about a job the one
/// that `jobs add` keeps, if it is there.
pub(super) fn file(args: &Args) -> Option<PathBuf> {
    if args.run.file.is_some() || args.run.speaks_of_a_job {
        return args.run.file.clone();
    }
    jobs::usual().ok().filter(|file| file.exists())
}

/// Reads the jobs that are to run. Only who runs already can do without any.
///
/// # Errors
/// The first mistake.
pub(super) fn wanted(args: &Args, may_be_none: bool) -> Result<Vec<Wanted>, Failure> {
    let state_dir = pair::state_dir(args.common.state_dir.as_deref())?;
    let file = file(args);
    let configs = match &file {
        Some(file) => jobfile::read(file)?,
        None => vec![JobConfig::from_flags(&args.run)?],
    };
    let has_any = !configs.is_empty();
    let mut jobs = checked(configs, &state_dir)?;
    jobs.retain(|job| job.config.is_active);
    if let (true, Some(file)) = (jobs.is_empty() && !may_be_none, file) {
        let hint = if has_any {
            "set `active` to true in one of them"
        } else {
            "put one in, as with `pydio-sync jobs add`"
        };
        let message = format!("the job file `{}` has no active job", file.display());
        return Err(Failure::usage(message, hint));
    }
    Ok(jobs)
}

/// Finds each job's places. Jobs that are not active have to be right too, but may
/// overlap others.
///
/// # Errors
/// The first mistake.
pub(super) fn checked(configs: Vec<JobConfig>, state_dir: &Path) -> Result<Vec<Wanted>, Failure> {
    let mut jobs = Vec::new();
    for config in configs {
        let pair = pair(&config, state_dir);
        let pair = pair.map_err(|failure| failure.written_at(config.place.as_deref()))?;
        jobs.push(Wanted {
            config,
            pair,
            password: None,
        });
    }
    let active = jobs.iter().filter(|job| job.config.is_active);
    let active: Vec<&Wanted> = active.collect();
    let pairs: Vec<&Pair> = active.iter().map(|job| &job.pair).collect();
    pair::check_together(&pairs)
        .map_err(|(later, failure)| failure.written_at(active[later].config.place.as_deref()))?;
    Ok(jobs)
}

/// Says once what was given and has no effect.
fn warn(args: &Args, jobs: &[Wanted]) {
    if args.run.password.is_some() {
        password::warn(args);
    }
    let mut ignored: BTreeMap<_, BTreeSet<_>> = BTreeMap::new();
    for job in jobs {
        let remote = &job.pair.remote;
        let keys = job.config.server_keys.iter().copied();
        for key in keys.filter(|key| is_idle(remote, key)) {
            ignored.entry(kind_of(remote)).or_default().insert(key);
        }
    }
    for (kind, keys) in ignored {
        let keys = keys.into_iter().collect::<Vec<_>>().join(", ");
        let text = format!("{kind} needs none of these, they are ignored: {keys}");
        print::warning(args, &text);
    }
    let is_trusting = |job: &&Wanted| {
        let server = job.pair.remote.server();
        server.is_some_and(|place| place.link.trust_ssl)
    };
    if let Some(job) = jobs.iter().find(is_trusting) {
        let text = format!(
            "{}: `trust_ssl` accepts any certificate: whoever is on the way can read the password",
            job.pair.label
        );
        print::warning(args, &text);
    }
}

/// Tells whether a key has no effect on a kind of remote.
fn is_idle(remote: &RemotePlace, key: &str) -> bool {
    match remote {
        RemotePlace::Folder(_) => true,
        RemotePlace::Pydio(_) => key == "requests_max",
        RemotePlace::Webdav(_) => key == "recheck",
    }
}

const fn kind_of(remote: &RemotePlace) -> &'static str {
    match remote {
        RemotePlace::Folder(_) => "a folder",
        RemotePlace::Pydio(_) => "a Pydio server",
        RemotePlace::Webdav(_) => "a WebDAV server",
    }
}

/// File work is bound by the disk: more threads than this only wait.
const BLOCKING_THREADS: usize = 8;
