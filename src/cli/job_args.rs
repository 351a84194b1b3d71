//! The flags of commands about jobs and accounts: `jobs`, `login`, `logout`, `doctor`.
//!
//! In: arguments. Out: typed values. Invariant: a password becomes a [`Secret`] where
//! it is parsed. Deliberately absent: the other commands (`args`), and what these lead
//! to (`jobs`, `check`, `login`, `doctor`).

use super::values::{Way, Winner};
use crate::adapters::secret::Secret;
use clap::{Args as Group, Subcommand};
use std::path::PathBuf;

#[derive(Debug, Subcommand)]
pub(super) enum Jobs {
    /// List the jobs of the job file and those that ran here before.
    List(OneFile),
    /// Put a job into the job file, to be run by `pydio-sync` without flags.
    #[command(
        after_help = "Example:\n  pydio-sync jobs add -s https://host/pydio -w my-files \
        -u ada -d ~/Pydio"
    )]
    Add(Box<NewJob>),
    /// Take a job out of the job file; its folders and its journal stay.
    Remove {
        /// The job's id or label.
        job: String,
        #[command(flatten)]
        file: OneFile,
    },
    /// Say what is wrong with a job file, and try its servers; or list the workspaces
    /// of a server. Nothing is started.
    #[command(after_help = "Examples:\n  pydio-sync jobs check jobs.json\n  \
        pydio-sync jobs check -s https://host/pydio -u ada")]
    Check(Check),
}

/// A job file other than the usual one.
#[derive(Debug, Group)]
pub(super) struct OneFile {
    /// The job file [default: $XDG_CONFIG_HOME/pydio-sync/jobs.json].
    #[arg(short, long, value_name = "FILE")]
    pub(super) file: Option<PathBuf>,
}

#[derive(Debug, Group)]
pub(super) struct Check {
    /// The job file.
    #[arg(required_unless_present = "server", conflicts_with = "server")]
    pub(super) file: Option<PathBuf>,
    #[command(flatten)]
    pub(super) account: Account,
    #[command(flatten)]
    pub(super) access: Access,
}

#[derive(Debug, Group)]
pub(super) struct Login {
    #[command(flatten)]
    pub(super) account: Account,
    #[command(flatten)]
    pub(super) access: Access,
    /// Log in with a browser (Nextcloud): prints an address, waits until you agreed
    /// there, and keeps the app password that the server makes.
    #[arg(long, requires = "server", conflicts_with_all = ["password", "password_file", "unchecked"])]
    pub(super) web: bool,
    /// Keep it without asking the server.
    #[arg(long)]
    pub(super) unchecked: bool,
}

/// A user of a server.
#[derive(Debug, Group)]
pub(super) struct Account {
    /// The server's URL; may be left out when the jobs know only one.
    #[arg(short, long, value_name = "URL")]
    pub(super) server: Option<String>,
    /// The user's name there; may be left out when the jobs know only one, and for a
    /// token of a WebDAV server.
    #[arg(short, long, value_name = "NAME")]
    pub(super) user: Option<String>,
}

/// How to get into a server.
#[derive(Debug, Group)]
pub(super) struct Access {
    /// The password; visible to other users of this machine.
    #[arg(short, long, value_name = "TEXT", value_parser = secret)]
    pub(super) password: Option<Secret>,
    /// A file whose first line is the password; `-` is standard input.
    #[arg(long, value_name = "FILE", conflicts_with = "password")]
    pub(super) password_file: Option<PathBuf>,
    /// Certificates to believe besides the system's, as PEM.
    #[arg(long, value_name = "FILE")]
    pub(super) ca_file: Option<PathBuf>,
    /// A certificate and its key that say who you are, as PEM.
    #[arg(long, value_name = "FILE")]
    pub(super) client_cert: Option<PathBuf>,
    /// The proxy's URL, like `http://host:3128`; a password in it is visible to other
    /// users of this machine.
    #[arg(long, value_name = "URL", value_parser = proxy)]
    pub(super) proxy: Option<Secret>,
    /// Accept any certificate: whoever is on the way can read the password.
    #[arg(long)]
    pub(super) trust_ssl: bool,
}

#[derive(Debug, Group)]
pub(super) struct NewJob {
    /// The remote: a Pydio server's URL, or a folder.
    #[arg(short, long, value_name = "URL")]
    pub(super) server: String,
    /// The local folder.
    #[arg(short, long, value_name = "DIR")]
    pub(super) directory: PathBuf,
    /// The workspace's id or alias, for Pydio servers.
    #[arg(short, long, value_name = "WS")]
    pub(super) workspace: Option<String>,
    /// The subfolder of the remote to sync.
    #[arg(short, long, alias = "remote_folder", value_name = "PATH")]
    pub(super) remote_folder: Option<String>,
    /// The user's name on a server.
    #[arg(short, long, value_name = "NAME")]
    pub(super) user: Option<String>,
    #[command(flatten)]
    pub(super) access: Access,
    /// Which way changes travel; `-dir` is understood as well.
    #[arg(long, value_name = "WAY")]
    pub(super) direction: Option<Way>,
    /// Who wins when both sides changed the same file.
    #[arg(long, value_name = "WHO")]
    pub(super) conflict: Option<Winner>,
    /// The job's id; otherwise its places name it.
    #[arg(long)]
    pub(super) id: Option<String>,
    /// The name for people, which conflict names show.
    #[arg(long)]
    pub(super) label: Option<String>,
    #[command(flatten)]
    pub(super) file: OneFile,
}

/// Takes a proxy's URL, which may hold a password, so no message shows it.
fn proxy(text: &str) -> Result<Secret, String> {
    let url = url::Url::parse(text).ok();
    let is_right =
        url.is_some_and(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
    is_right
        .then(|| Secret::new(text))
        .ok_or_else(|| "a URL like `http://host:3128` is wanted".to_owned())
}

/// Takes a password from the command line.
pub(super) fn secret(text: &str) -> Result<Secret, std::convert::Infallible> {
    Ok(Secret::new(text))
}
