//! The flags. Each has its name, its meaning and its default in one place.

use clap::{Parser, ValueEnum};
use journal_format::value::{Direction, Solve};
use std::ffi::OsString;
use std::path::PathBuf;

/// Keeps a folder in step with a server or with another folder.
#[derive(Debug, Parser)]
#[command(name = "pydio-sync", version, about, after_long_help = EXAMPLES)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a switch of the command line"
)]
pub(super) struct Args {
    /// The remote: `file:///path` or a plain path for a folder.
    #[arg(short, long, value_name = "URL", default_value = "http://localhost")]
    pub(super) server: String,

    /// The local folder.
    #[arg(short, long, value_name = "DIR")]
    pub(super) directory: Option<PathBuf>,

    /// The workspace's id or alias, for Pydio servers only.
    #[arg(short, long, value_name = "WS")]
    pub(super) workspace: Option<String>,

    /// The subfolder of the remote to sync.
    #[arg(
        short,
        long,
        alias = "remote_folder",
        value_name = "PATH",
        default_value = "/"
    )]
    pub(super) remote_folder: String,

    /// Which way changes travel; `-dir` is understood as well.
    #[arg(long, value_name = "WAY", default_value = "bi")]
    pub(super) direction: Way,

    /// A JSON job file.
    #[arg(short, long, value_name = "FILE")]
    pub(super) file: Option<PathBuf>,

    /// The port for notifications; the next one takes commands; 0 for none.
    #[arg(
        short,
        long,
        alias = "zmq_port",
        value_name = "PORT",
        default_value = "5556"
    )]
    pub(super) zmq_port: String,

    /// Sync until nothing is left to do, then exit.
    #[arg(long)]
    pub(super) once: bool,

    /// Print what would be done, and why; change nothing.
    #[arg(long)]
    pub(super) dry_run: bool,

    /// Where journals and locks are kept.
    #[arg(long, value_name = "DIR", env = "PYDIO_SYNC_STATE_DIR")]
    pub(super) state_dir: Option<PathBuf>,

    /// Who wins when both sides changed the same file.
    #[arg(long, value_name = "WHO", default_value = "both")]
    pub(super) conflict: Winner,

    /// Print results on stdout as JSON lines.
    #[arg(long)]
    pub(super) json: bool,

    /// Say more (twice: still more).
    #[arg(short, long, action = clap::ArgAction::Count)]
    pub(super) verbose: u8,

    /// Say nothing but errors.
    #[arg(short, long, conflicts_with = "verbose")]
    pub(super) quiet: bool,

    /// How log lines look.
    #[arg(long, value_name = "FORM", default_value = "text")]
    pub(super) log_format: LogFormat,

    /// Write the log to a file instead of stderr.
    #[arg(long, value_name = "FILE")]
    pub(super) log_file: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Way {
    /// Both ways.
    Bi,
    /// From the local folder to the remote.
    Up,
    /// From the remote to the local folder.
    Down,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Winner {
    /// The remote version keeps the name, the local one becomes a conflict copy.
    Both,
    /// Nobody, until a person decides.
    Manual,
    /// The local version; the other one goes to the trash.
    Local,
    /// The remote version; the other one goes to the trash.
    Remote,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum LogFormat {
    /// Lines for people.
    Text,
    /// JSON lines for programs.
    Json,
}

impl From<Way> for Direction {
    fn from(way: Way) -> Self {
        match way {
            Way::Bi => Self::Bi,
            Way::Up => Self::Up,
            Way::Down => Self::Down,
        }
    }
}

impl From<Winner> for Solve {
    fn from(winner: Winner) -> Self {
        match winner {
            Winner::Both => Self::Both,
            Winner::Manual => Self::Manual,
            Winner::Local => Self::Local,
            Winner::Remote => Self::Remote,
        }
    }
}

/// Spells the old client's one-dash long flag `-dir` the way the parser knows it.
pub(super) fn normalised(
    arguments: impl IntoIterator<Item = OsString>,
) -> impl Iterator<Item = OsString> {
    arguments
        .into_iter()
        .map(|argument| match argument.to_str() {
            Some("-dir") => OsString::from("--direction"),
            Some(text) => match text.strip_prefix("-dir=") {
                Some(way) => OsString::from(format!("--direction={way}")),
                None => argument,
            },
            None => argument,
        })
}

const EXAMPLES: &str = "\
Examples:
  pydio-sync -s /mnt/disk/documents -d ~/Documents --once
  pydio-sync -s /mnt/disk/photos -d ~/Photos -dir up
  pydio-sync -s /mnt/disk/documents -d ~/Documents --dry-run

Exit codes: 0 in sync, 1 internal error, 2 usage or configuration, 3 conflicts wait,
4 some items could not be synced, 5 halted for safety, 6 remote unreachable,
7 journal damaged, 8 another process has this job or folder.";
