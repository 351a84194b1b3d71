//! What one job is to do, from flags or from a job file alike.
//!
//! In: flags; the job file's parser makes the same value. Out: a [`JobConfig`].
//! Invariant: its fields are checked for form; whether the places exist and may be
//! a pair is `pair`'s question, and no `Debug` shows a password. Deliberately absent:
//! where a password is looked for (`password`).

use super::args::{RunFlags, SERVER};
use super::exit::Failure;
use super::place::is_pydio;
use crate::adapters::remote::Link;
use crate::adapters::rooted::{Filter, FilterRules};
use crate::adapters::secret::Secret;
use crate::daemon::supervisor::Frequency;
use journal_format::value::Policy;
use std::path::PathBuf;

/// One job as its user wrote it.
#[derive(Debug, Clone)]
pub(super) struct JobConfig {
    /// Its place in its job file, as a JSON pointer.
    pub(super) at: Option<String>,
    /// The same for people, with the file and the line.
    pub(super) place: Option<String>,
    /// The id; without one the two places name the job.
    pub(super) id: Option<String>,
    /// The label; without one the local folder's name.
    pub(super) label: Option<String>,
    pub(super) server: String,
    pub(super) workspace: Option<String>,
    pub(super) directory: PathBuf,
    pub(super) remote_folder: String,
    pub(super) user: Option<String>,
    /// What the user said about the password.
    pub(super) password: Option<Given>,
    /// How a server is reached.
    pub(super) link: Link,
    pub(super) policy: Policy,
    pub(super) filter: Filter,
    pub(super) poll_interval_ms: i64,
    pub(super) trash_ms: i64,
    pub(super) is_active: bool,
    /// When the daemon runs it.
    pub(super) frequency: Frequency,
    /// Keys that were given and mean something for some servers only.
    pub(super) server_keys: Vec<&'static str>,
}

/// A password as its user gave it.
#[derive(Debug, Clone)]
pub(super) enum Given {
    /// On the command line.
    Flag(Secret),
    /// The first line of a file.
    File(PathBuf),
    /// In the job file.
    JobFile(Secret),
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
                "add `-d DIR`, name a job file with `-f FILE`, or keep jobs with \
                 `pydio-sync jobs add`",
            ));
        };
        let given = flags.password.clone().map(Given::Flag);
        let file = flags.password_file.clone().map(Given::File);
        let password = given.or(file);
        let server_keys = [
            ("user", flags.user.is_some()),
            ("password", password.is_some()),
        ];
        let server_keys = server_keys.into_iter().filter(|(_, is_given)| *is_given);
        let server = flags.server.as_deref().unwrap_or(SERVER);
        Ok(Self {
            at: None,
            place: None,
            id: None,
            label: None,
            server: server.to_owned(),
            workspace: flags.workspace.clone().filter(|name| !name.is_empty()),
            directory: directory.clone(),
            remote_folder: flags.remote_folder.clone(),
            user: flags.user.clone(),
            password,
            link: Link::default(),
            policy: Policy {
                direction: flags.direction.into(),
                solve: flags.conflict.into(),
                ..Policy::default()
            },
            filter: default_filter(server)?,
            poll_interval_ms: POLL_INTERVAL_MS,
            trash_ms: TRASH_DAYS * DAY_MS,
            is_active: true,
            frequency: Frequency::Auto,
            server_keys: server_keys.map(|(name, _)| name).collect(),
        })
    }
}

/// What is left out unless a job file says otherwise: with a Pydio server hidden
/// names too, as the old client did.
pub(super) fn default_rules(server: &str) -> FilterRules {
    FilterRules {
        hidden: is_pydio(server),
        ..FilterRules::default()
    }
}

fn default_filter(server: &str) -> Result<Filter, Failure> {
    Filter::new(&default_rules(server))
        .map_err(|error| Failure::new(super::exit::Exit::Internal, error.to_string()))
}

pub(super) const DAY_MS: i64 = 86_400_000;
/// How often a side without a watcher is scanned, unless told otherwise.
pub(super) const POLL_INTERVAL_MS: i64 = 10_000;
/// How long the trash keeps what it holds, unless told otherwise.
pub(super) const TRASH_DAYS: i64 = 30;
