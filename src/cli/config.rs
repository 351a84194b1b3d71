//! What one job is to do, from flags or from a job file alike.
//!
//! In: flags; the job file's parser makes the same value. Out: a [`JobConfig`].
//! Invariant: its fields are checked for form; whether the places exist and may be
//! a pair is `pair`'s question. Deliberately absent: credentials, which no folder
//! needs.

use super::args::RunFlags;
use super::exit::Failure;
use crate::adapters::rooted::Filter;
use journal_format::value::Policy;
use std::path::PathBuf;

/// One job as its user wrote it.
#[derive(Debug, Clone)]
pub(super) struct JobConfig {
    /// The id; without one the two places name the job.
    pub(super) id: Option<String>,
    /// The label; without one the local folder's name.
    pub(super) label: Option<String>,
    pub(super) server: String,
    pub(super) workspace: Option<String>,
    pub(super) directory: PathBuf,
    pub(super) remote_folder: String,
    pub(super) policy: Policy,
    pub(super) filter: Filter,
    pub(super) poll_interval_ms: i64,
    pub(super) trash_ms: i64,
    pub(super) is_active: bool,
    /// Whether one cycle is made even by the running daemon.
    pub(super) is_manual: bool,
    /// Keys that were given and change nothing for a folder.
    pub(super) without_effect: Vec<&'static str>,
}

impl JobConfig {
    /// Reads a job off the flags.
    ///
    /// # Errors
    /// No local folder is named.
    pub(super) fn from_flags(flags: &RunFlags) -> Result<Self, Failure> {
        let Some(directory) = &flags.directory else {
            return Err(Failure::usage(
                "no local folder is given",
                "add `-d DIR`, or name a job file with `-f FILE`",
            ));
        };
        let credentials = [
            ("user", flags.user.is_some()),
            (
                "password",
                flags.password.is_some() || flags.password_file.is_some(),
            ),
        ];
        Ok(Self {
            id: None,
            label: None,
            server: flags.server.clone(),
            workspace: flags.workspace.clone(),
            directory: directory.clone(),
            remote_folder: flags.remote_folder.clone(),
            policy: Policy {
                direction: flags.direction.into(),
                solve: flags.conflict.into(),
                ..Policy::default()
            },
            filter: default_filter()?,
            poll_interval_ms: POLL_INTERVAL_MS,
            trash_ms: TRASH_DAYS * DAY_MS,
            is_active: true,
            is_manual: false,
            without_effect: credentials
                .into_iter()
                .filter_map(|(name, is_given)| is_given.then_some(name))
                .collect(),
        })
    }
}

fn default_filter() -> Result<Filter, Failure> {
    Filter::new(&crate::adapters::rooted::FilterRules::default())
        .map_err(|error| Failure::new(super::exit::Exit::Internal, error.to_string()))
}

pub(super) const DAY_MS: i64 = 86_400_000;
/// How often a side without a watcher is scanned, unless told otherwise.
pub(super) const POLL_INTERVAL_MS: i64 = 10_000;
/// How long the trash keeps what it holds, unless told otherwise.
pub(super) const TRASH_DAYS: i64 = 30;
