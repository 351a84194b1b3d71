//! Opens what one job needs: its journal, its two sides, its locks.
//!
//! In: a job that was checked, with its password. Out: the ports of its driver.
//! Invariants: a journal is begun only for places that can be a pair; whoever opened a
//! job is alone with it. Deliberately absent: running it (`once`). Works in any thread
//! with a runtime. CRASH: what each adapter says.

use super::config::JobConfig;
use super::exit::Failure;
use super::pair::{self, Pair};
use super::{known, server};
use crate::adapters::local_fs::LocalFolder;
use crate::adapters::remote::{self, Opening, RemotePlace};
use crate::adapters::rooted::Options;
use crate::adapters::secret::Secret;
use crate::adapters::store::{FolderLock, Health, Journal, Options as StoreOptions, job_directory};
use crate::daemon::{CHECKPOINT_TAIL_MIN, Job, RUNNING_PER_RECORD, RunError};
use crate::ports::{History, PortError, Remote};
use journal_format::value::{Seq, Side};
use std::path::Path;

/// A job with its places and its password.
#[derive(Debug, Clone)]
pub(super) struct Wanted {
    pub(super) config: JobConfig,
    pub(super) pair: Pair,
    /// For servers only.
    pub(super) password: Option<Secret>,
}

/// A job that can be started.
pub(super) struct Opened {
    pub(super) wanted: Wanted,
    pub(super) journal: Journal,
    pub(super) local: LocalFolder,
    pub(super) remote: Box<dyn Remote>,
    lost_history: Option<Seq>,
    _lock: Option<FolderLock>,
}

/// Opens a job; a first run begins its journal and its local folder.
///
/// # Errors
/// In words, with the exit code; nothing was synced.
pub(super) fn open(wanted: Wanted) -> Result<Opened, Failure> {
    let pair = &wanted.pair;
    let directory = job_directory(&pair.state_dir, &pair.job);
    if !directory.exists() {
        pair::check_new(pair, true)?;
    }
    pair::make_state_dir(&pair.state_dir)?;
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
        pair::check_new(pair, true)?;
        create_local(pair)?;
    }
    let lock = match FolderLock::acquire(&pair.state_dir, &pair.local) {
        Ok(lock) => Some(lock),
        // A folder that is not there cannot be locked; the driver tells of it.
        Err(_) if !pair.local.exists() => None,
        Err(error) => return Err(error.into()),
    };
    let (local, remote) = sides(&wanted)?;
    known::remember(pair);
    Ok(Opened {
        journal,
        local,
        remote,
        lost_history,
        _lock: lock,
        wanted,
    })
}

/// Opens both sides of a job.
///
/// # Errors
/// One of them cannot be used at all.
pub(super) fn sides(wanted: &Wanted) -> Result<(LocalFolder, Box<dyn Remote>), Failure> {
    let pair = &wanted.pair;
    let filter = wanted.config.filter.clone();
    let local = Options {
        filter: filter.clone(),
    };
    let local = LocalFolder::open(&pair.local, local).map_err(unusable(Side::Local))?;
    // A folder reads its own ignore files.
    let filter = match pair.remote.folder() {
        Some(_) => filter,
        None => filter.with_tree(pair.local.clone()),
    };
    let opening = Opening {
        password: wanted.password.as_ref(),
        client: &client_name(pair),
        options: Options { filter },
    };
    let remote = remote::open(&pair.remote, opening).map_err(unusable(Side::Remote))?;
    Ok((local, remote))
}

impl Opened {
    /// The job as its driver wants it.
    pub(super) fn job(&self) -> Job {
        self.wanted.job(self.lost_history)
    }
}

impl Wanted {
    /// The job as its driver wants it; with the head that was acknowledged, when the
    /// journal has lost events.
    pub(super) fn job(&self, lost_history: Option<Seq>) -> Job {
        let Self { config, pair, .. } = self;
        Job {
            id: pair.job.clone(),
            label: pair.label.clone(),
            policy: config.policy,
            release: env!("CARGO_PKG_VERSION").to_owned(),
            fold_case: false,
            poll_interval_ms: config.poll_interval_ms,
            trash_ms: config.trash_ms,
            checkpoint_tail_min: CHECKPOINT_TAIL_MIN,
            running_per_record: RUNNING_PER_RECORD,
            lost_history,
        }
    }
}

/// Puts the place where the driver knows only the side.
pub(super) fn named(error: RunError, pair: &Pair) -> Failure {
    let side = match (error, &pair.remote) {
        (RunError::RootNeverSeen { side }, _) => side,
        (
            RunError::Side {
                side: Side::Remote,
                error,
            }
            | RunError::Unclaimed {
                side: Side::Remote,
                error,
            },
            RemotePlace::Pydio(place) | RemotePlace::Webdav(place),
        ) => return server::refused(&server::account(place), &error),
        (error, _) => return error.into(),
    };
    let obstacle = match (side, pair.remote.folder()) {
        (Side::Remote, None) => "does not exist".to_owned(),
        _ => pair
            .obstacle(side)
            .unwrap_or_else(|| "was gone for a moment".to_owned()),
    };
    Failure::usage(
        format!("the {side} folder `{}` {obstacle}", pair.place(side)),
        "check the path, or create the folder",
    )
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

fn unusable(side: Side) -> impl Fn(PortError) -> Failure {
    move |error| RunError::Side { side, error }.into()
}

/// Tells this client's temporary files on a shared remote from another's.
fn client_name(pair: &Pair) -> String {
    client(&pair.state_dir, &pair.job)
}

/// A name for whoever asks on behalf of `what`: no other installation has it.
pub(super) fn client(state_dir: &Path, what: &str) -> String {
    let mut hasher = blake3::Hasher::new();
    hasher.update(state_dir.as_os_str().as_encoded_bytes());
    hasher.update(what.as_bytes());
    let machine = std::fs::read("/etc/machine-id").unwrap_or_default();
    hasher.update(&machine);
    hasher.finalize().to_hex()[..16].to_owned()
}
