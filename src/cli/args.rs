//! The flags and subcommands. Each has its name, its meaning and its default in
//! one place.
//!
//! In: arguments. Out: typed values, or clap's message. Invariant: what was parsed
//! needs no second look at its form. Deliberately absent: what the flags lead to.
//! A new subcommand is a variant of [`Command`].

mod asked;
mod examples;
pub(super) mod journal;
pub(super) mod undo;
pub(super) mod views;

use self::asked::{Asked, asked};
use self::journal::JournalCommand;
use self::undo::Undo;
use super::job_args::{Account, Jobs, Login, OneFile, secret};
use super::values::{LogFormat, Pick, Port, Way, Winner};
use crate::adapters::secret::Secret;
use clap::{Args as Group, CommandFactory, FromArgMatches, Parser, Subcommand};
use journal_format::value::RelPath;
use std::ffi::OsString;
use std::path::PathBuf;

/// Keeps a folder in step with a Pydio server, a WebDAV server or another folder.
#[derive(Debug, Parser)]
#[command(name = "pydio-sync", version, after_long_help = EXAMPLES)]
pub(super) struct Args {
    #[command(subcommand)]
    pub(super) command: Option<Command>,
    #[command(flatten)]
    pub(super) run: RunFlags,
    #[command(flatten)]
    pub(super) common: Common,
}

/// What to sync and how; without a subcommand only.
#[derive(Debug, Group)]
pub(super) struct RunFlags {
    /// The remote: a Pydio server (`https://host/path`), a WebDAV server
    /// (`webdavs://host/path`), or a folder, as a path or `file:///path` [default:
    /// http://localhost].
    #[arg(short, long, value_name = "URL")]
    pub(super) server: Option<String>,

    /// The local folder; it is created when only its last part is missing.
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

    /// The user's name on a server; a folder needs none.
    #[arg(short, long, value_name = "NAME")]
    pub(super) user: Option<String>,

    /// The password on a server; visible to other users of this machine, so better
    /// `pydio-sync login`, the variable `PYDIO_SYNC_PASSWORD` or `--password-file`.
    #[arg(short, long, value_name = "TEXT", value_parser = secret)]
    pub(super) password: Option<Secret>,

    /// A file whose first line is the password on a server; `-` is standard input.
    #[arg(long, value_name = "FILE", conflicts_with = "password")]
    pub(super) password_file: Option<PathBuf>,

    /// Which way changes travel; `-dir` is understood as well.
    #[arg(long, value_name = "WAY", default_value = "bi")]
    pub(super) direction: Way,

    /// A JSON job file, in place of `-s`, `-d` and what goes with them; without any of
    /// these it is the file that `jobs add` keeps.
    #[arg(short, long, value_name = "FILE", conflicts_with_all = [
        "server", "directory", "workspace", "remote_folder", "user", "password",
        "password_file", "direction", "conflict",
    ])]
    pub(super) file: Option<PathBuf>,

    /// The port that publishes what happens; the next one takes commands. `auto`
    /// for any free ones, 0 for none.
    #[arg(
        short,
        long,
        alias = "zmq_port",
        value_name = "PORT",
        default_value = "5556"
    )]
    pub(super) zmq_port: Port,

    /// Listen at this address instead of 127.0.0.1; nothing is encrypted.
    #[arg(long, value_name = "ADDRESS")]
    pub(super) zmq_address: Option<std::net::IpAddr>,

    /// Send the old client's notifications as well, for its user interface.
    #[arg(long)]
    pub(super) legacy_channels: bool,

    /// Sync until nothing is left to do, then exit.
    #[arg(long)]
    pub(super) once: bool,

    /// Print what would be done, and why; change nothing.
    #[arg(long)]
    pub(super) dry_run: bool,

    /// Who wins when both sides changed the same file.
    #[arg(long, value_name = "WHO", default_value = "both")]
    pub(super) conflict: Winner,

    /// Whether a flag was given that says something about one job.
    #[arg(skip)]
    pub(super) speaks_of_a_job: bool,
}

/// What every command understands.
#[derive(Debug, Group)]
pub(super) struct Common {
    /// Where journals and locks are kept.
    #[arg(
        long,
        value_name = "DIR",
        env = "PYDIO_SYNC_STATE_DIR",
        hide_env_values = true,
        global = true
    )]
    pub(super) state_dir: Option<PathBuf>,

    /// Print results on stdout as JSON lines.
    #[arg(long, global = true)]
    pub(super) json: bool,

    /// Say more (twice: still more).
    #[arg(short, long, action = clap::ArgAction::Count, global = true)]
    pub(super) verbose: u8,

    /// Say nothing but errors.
    #[arg(short, long, conflicts_with = "verbose", global = true)]
    pub(super) quiet: bool,

    /// How log lines look.
    #[arg(long, value_name = "FORM", default_value = "text", global = true)]
    pub(super) log_format: LogFormat,

    /// Write the log to a file instead of stderr.
    #[arg(long, value_name = "FILE", global = true)]
    pub(super) log_file: Option<PathBuf>,
}

/// What to do with jobs: by way of the daemon that has them, or with their journals if
/// none runs.
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Tell how jobs stand.
    #[command(
        after_help = "Exit codes as for `--once`: 0 in sync, 3 conflicts, 4 problems or \
        changes not synced yet, 5 halted, 6 a side cannot be used, 7 journal damaged, 8 \
        another process has the job and does not answer.\n\nExamples:\n  pydio-sync status\n  \
        pydio-sync status --watch"
    )]
    Status(Status),
    /// Let jobs go on that were paused or stopped, or that wait for something.
    #[command(after_help = FOR_DAEMONS)]
    Start(OneJob),
    /// Let jobs watch on and start nothing; `status` counts what waits.
    #[command(after_help = FOR_DAEMONS)]
    Pause(OneJob),
    /// Stop jobs and close their journals; the daemon stays.
    #[command(after_help = FOR_DAEMONS)]
    Stop(OneJob),
    /// Read the job file again; a file with a mistake changes nothing.
    #[command(after_help = FOR_DAEMONS)]
    Reload(OneJob),
    /// Look at both sides now.
    #[command(after_help = FOR_DAEMONS)]
    SyncNow(OneJob),
    /// Release a safety halt: the plan that was held back, and no other.
    #[command(
        after_help = "See what would be done first: run the job's usual command with `--dry-run`."
    )]
    Approve(OneJob),
    /// List what waits for a decision.
    Conflicts(OneJob),
    /// Decide a conflict; the next run does it.
    #[command(
        allow_missing_positional = true,
        after_help = "Folders that were moved into one another, one on each side, are no conflict to \
        decide: the remote's move holds.\n\nExample:\n  pydio-sync resolve \
        Documents-0123456789ab letters/draft.txt --keep local"
    )]
    Resolve(Resolve),
    /// Print the journal: every change that was seen and everything that was done.
    #[command(
        after_help = "Examples:\n  pydio-sync events --from 1000 --json | head\n  pydio-sync events \
        --follow"
    )]
    Events(Events),
    /// Tell what happened to a path, and why.
    #[command(
        allow_missing_positional = true,
        after_help = "Example:\n  pydio-sync explain Documents-0123456789ab letters/draft.txt"
    )]
    Explain(Explain),
    /// Look at a journal, of a job or as a file.
    #[command(subcommand)]
    Journal(JournalCommand),
    /// List or restore what was deleted or replaced.
    #[command(subcommand)]
    Trash(Trash),
    /// Undo what sync did in the local folder; the next run carries that to the remote.
    #[command(after_help = UNDO_EXAMPLES)]
    Undo(Undo),
    /// List, add, remove and check jobs.
    #[command(subcommand)]
    Jobs(Jobs),
    /// Check a password with its server and keep it for later runs.
    #[command(
        after_help = "Examples:\n  pydio-sync login -s https://host/pydio -u ada\n  \
        pydio-sync login -s https://host/pydio -u ada --password-file - < secret.txt"
    )]
    Login(Login),
    /// Forget the password that is kept for a user of a server.
    Logout(Account),
    /// Look for what could keep jobs from running: servers, clocks, disks, limits,
    /// permissions, ports.
    #[command(
        after_help = "Exit codes: 0 no job is kept from running, otherwise what the job would end with."
    )]
    Doctor(OneFile),
    /// Print a completion script for a shell.
    #[command(after_help = "Example:\n  pydio-sync completions bash > \
        ~/.local/share/bash-completion/completions/pydio-sync")]
    Completions {
        /// Which shell.
        shell: clap_complete::Shell,
    },
    /// Print the manual page.
    #[command(after_help = "Example:\n  pydio-sync man | man -l -")]
    Man,
    /// Have the jobs of a file run in the background, as a systemd user unit.
    #[command(subcommand)]
    Service(Service),
}

#[derive(Debug, Subcommand)]
pub(super) enum Service {
    /// Write the unit, enable and start it.
    #[command(
        after_help = "Example:\n  pydio-sync service install -f ~/jobs.json\n  pydio-sync service install -f \
        ~/jobs.json --print | systemd-analyze --user verify /dev/stdin"
    )]
    Install(Install),
    /// Stop the service and remove the unit; jobs, journals and folders stay.
    Uninstall,
    /// Tell whether the service is installed and runs.
    Status,
}

#[derive(Debug, Group)]
pub(super) struct Install {
    /// The job file.
    #[arg(short, long, value_name = "FILE")]
    pub(super) file: PathBuf,
    /// The port that publishes; the next one takes commands.
    #[arg(short, long, value_name = "PORT", default_value = "5556")]
    pub(super) zmq_port: Port,
    /// Print the unit instead; change nothing.
    #[arg(long)]
    pub(super) print: bool,
    /// Have it start at the next login only.
    #[arg(long)]
    pub(super) no_start: bool,
}

#[derive(Debug, Group)]
pub(super) struct Status {
    /// The job's id or label; all jobs if it is left out.
    pub(super) job: Option<String>,
    /// Go on telling until interrupted; needs a daemon.
    #[arg(long)]
    pub(super) watch: bool,
}

/// One of the known jobs.
#[derive(Debug, Group)]
pub(super) struct OneJob {
    /// The job's id or label; may be left out when only one is known.
    pub(super) job: Option<String>,
}

#[derive(Debug, Group)]
pub(super) struct Resolve {
    /// The job's id or label; may be left out when only one is known.
    pub(super) job: Option<String>,
    /// The path as `conflicts` prints it.
    #[arg(value_parser = relative)]
    pub(super) path: RelPath,
    /// Which version keeps the name.
    #[arg(long, value_name = "WHICH")]
    pub(super) keep: Pick,
}

#[derive(Debug, Group)]
pub(super) struct Events {
    /// The job's id or label; may be left out when only one is known.
    pub(super) job: Option<String>,
    /// The first event to print.
    #[arg(long, value_name = "SEQ", default_value = "1")]
    pub(super) from: u64,
    /// Go on with what happens until interrupted; needs a daemon.
    #[arg(long)]
    pub(super) follow: bool,
}

#[derive(Debug, Group)]
pub(super) struct Explain {
    /// The job's id or label; may be left out when only one is known.
    pub(super) job: Option<String>,
    /// The path as it is or was: below the folder, or absolute in the local one.
    #[arg(value_parser = asked)]
    pub(super) path: Asked,
}

#[derive(Debug, Subcommand)]
pub(super) enum Trash {
    /// List what lies in the trash of a job's local folder.
    List(OneJob),
    /// Put something back into the local folder, never over anything.
    #[command(
        allow_missing_positional = true,
        after_help = "Example:\n  pydio-sync trash restore 00000000000004d2 --to letters/old-draft.txt"
    )]
    Restore(Restore),
}

#[derive(Debug, Group)]
pub(super) struct Restore {
    /// The job's id or label; may be left out when only one is known.
    pub(super) job: Option<String>,
    /// The entry's id or whole name as `trash list` prints it.
    pub(super) entry: String,
    /// Where to put it, below the folder or absolute in the local one; otherwise where
    /// it came from.
    #[arg(long, value_name = "PATH", value_parser = asked)]
    pub(super) to: Option<Asked>,
}

impl Args {
    /// The commands and flags, with everything that help shows.
    pub(super) fn whole() -> clap::Command {
        examples::shown(Self::command())
    }

    /// Parses arguments.
    ///
    /// # Errors
    /// clap's error, which also stands for `--help` and `--version`.
    pub(super) fn parse_from_os(
        arguments: impl IntoIterator<Item = OsString>,
    ) -> Result<Self, clap::Error> {
        let mut command = Self::whole();
        let matches = command.try_get_matches_from_mut(normalised(arguments))?;
        if let Some((name, _)) = matches.subcommand() {
            let stray = RUN_FLAGS.into_iter().find(|flag| {
                matches.value_source(flag) == Some(clap::parser::ValueSource::CommandLine)
            });
            if let Some(flag) = stray {
                let flag = flag.replace('_', "-");
                return Err(command.error(
                    clap::error::ErrorKind::ArgumentConflict,
                    format!("`--{flag}` has no meaning for `{name}`"),
                ));
            }
        }
        let mut args = Self::from_arg_matches(&matches)?;
        args.run.speaks_of_a_job = JOB_FLAGS
            .into_iter()
            .any(|flag| matches.value_source(flag) == Some(clap::parser::ValueSource::CommandLine));
        Ok(args)
    }
}

/// Spells the old client's one-dash long flag `-dir` the way the parser knows it.
fn normalised(arguments: impl IntoIterator<Item = OsString>) -> impl Iterator<Item = OsString> {
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

fn relative(text: &str) -> Result<RelPath, String> {
    let names = text.split('/').filter(|name| !matches!(*name, "" | "."));
    let names: Vec<&str> = names.collect();
    match RelPath::new(names.join("/")) {
        Ok(path) if !path.is_root() => Ok(path),
        Ok(_) => Err("name something below the folder".to_owned()),
        Err(_) => Err("a path below the folder is wanted, without `..`".to_owned()),
    }
}

/// The flags of [`RunFlags`], as clap names them.
const RUN_FLAGS: [&str; 15] = [
    "server",
    "directory",
    "workspace",
    "remote_folder",
    "user",
    "password",
    "password_file",
    "direction",
    "file",
    "zmq_port",
    "zmq_address",
    "legacy_channels",
    "once",
    "dry_run",
    "conflict",
];

/// Those that say something about one job.
const JOB_FLAGS: [&str; 9] = [
    "server",
    "directory",
    "workspace",
    "remote_folder",
    "user",
    "password",
    "password_file",
    "direction",
    "conflict",
];

/// Where a Pydio server is taken to be when nothing is said.
pub(super) const SERVER: &str = "http://localhost";

const FOR_DAEMONS: &str = "Without JOB all jobs of the daemon are meant. It is found by the state \
                           folder: name the one it runs with by `--state-dir`.";

const UNDO_EXAMPLES: &str = "\
Nothing is replaced: each step looks first whether what sync put there is still there, and \
what it takes away goes to the trash. A job that the daemon runs rests meanwhile. Exit codes: \
0 all is undone, 4 something could not be and is listed, 8 another process has the job.

Examples:
  pydio-sync undo --last
  pydio-sync undo Documents-0123456789ab 1234
  pydio-sync undo Documents-0123456789ab --since 2h --dry-run
  pydio-sync undo --since '2026-11-22 17:30' --yes";

const EXAMPLES: &str = "\
Examples:
  Keep a folder in sync with a workspace of a Pydio server until Ctrl-C:
    pydio-sync login -s https://host/pydio -u ada
    pydio-sync -s https://host/pydio -w my-files -u ada -d ~/Pydio
  Sync two folders once, and again whenever you like:
    pydio-sync -s /mnt/disk/documents -d ~/Documents --once
  Keep them in sync until Ctrl-C:
    pydio-sync -s /mnt/disk/documents -d ~/Documents
  Look first:
    pydio-sync -s /mnt/disk/documents -d ~/Documents --dry-run
  One way, from here to there:
    pydio-sync -s /mnt/disk/photos -d ~/Photos -dir up
  Several pairs from a job file:
    pydio-sync -f jobs.json

Exit codes: 0 in sync, 1 internal error, 2 usage or configuration, 3 conflicts wait,
4 some items could not be synced, 5 halted for safety, 6 remote unreachable,
7 journal damaged, 8 another process has this job or folder. With several jobs the
first of 1, 7, 8, 2, 6, 5, 4, 3, 0 that one of them ended with.";

#[cfg(test)]
mod tests;
