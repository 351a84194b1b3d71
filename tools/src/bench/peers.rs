//! The programs that are compared, each behind the same three verbs.
//!
//! In: a pair of folders. Out: what syncing it cost. Invariant: each two-way peer
//! keeps its state inside the pair's own folder, so that runs do not see each other,
//! and the sides are compared after every run. Deliberately absent: tuning; peers
//! run as their manuals propose, without questions.

use super::lab::Lab;
use super::process::{Ran, Sample, run};
use super::{Result, trees};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Exit code of ours for "halted for safety".
const HALTED: i32 = 5;

/// A program and how it is used.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Peer {
    Ours,
    Copy,
    CopyDurably,
    Rsync,
    Unison,
    Bisync,
}

/// Two folders and room for a tool's state.
pub(super) struct Pair {
    pub(super) remote: PathBuf,
    pub(super) local: PathBuf,
    pub(super) state: PathBuf,
}

impl Pair {
    /// Makes three empty folders in `folder`.
    pub(super) fn new(folder: &Path) -> Result<Self> {
        let pair = Self {
            remote: folder.join("remote"),
            local: folder.join("local"),
            state: folder.join("state"),
        };
        for path in [&pair.remote, &pair.local, &pair.state] {
            fs::create_dir(path)?;
        }
        Ok(pair)
    }
}

/// The summary that ours prints last, as far as it is looked at.
#[derive(Default)]
pub(super) struct Summary {
    pub(super) job: String,
    pub(super) bytes: u64,
}

impl Peer {
    /// Those that keep two folders in step and are installed.
    pub(super) fn two_way() -> impl Iterator<Item = Self> {
        let peers = [Self::Ours, Self::Unison, Self::Bisync];
        peers.into_iter().filter(|peer| peer.is_installed())
    }

    /// All that can fill an empty folder and are installed.
    pub(super) fn all() -> impl Iterator<Item = Self> {
        let peers = [
            Self::Ours,
            Self::CopyDurably,
            Self::Copy,
            Self::Rsync,
            Self::Unison,
            Self::Bisync,
        ];
        peers.into_iter().filter(|peer| peer.is_installed())
    }

    /// As it is called in the table.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Ours => "pydio-sync",
            Self::Copy => "cp -r",
            Self::CopyDurably => "cp -r + sync",
            Self::Rsync => "rsync -a",
            Self::Unison => "unison",
            Self::Bisync => "rclone bisync",
        }
    }

    /// The program and how to ask for its version.
    pub(super) fn program(self) -> (&'static str, &'static str) {
        match self {
            Self::Ours => ("pydio-sync", "--version"),
            Self::Copy | Self::CopyDurably => ("cp", "--version"),
            Self::Rsync => ("rsync", "--version"),
            Self::Unison => ("unison", "-version"),
            Self::Bisync => ("rclone", "version"),
        }
    }

    fn is_installed(self) -> bool {
        let (program, version) = self.program();
        self == Self::Ours || Command::new(program).arg(version).output().is_ok()
    }

    /// Syncs a pair for the first time, then until nothing is left; not measured.
    pub(super) fn settle(self, lab: &Lab, pair: &Pair) -> Result<()> {
        self.first(lab, pair)?;
        self.sync(lab, pair)?;
        Ok(())
    }

    /// Syncs a pair it has not seen.
    pub(super) fn first(self, lab: &Lab, pair: &Pair) -> Result<Sample> {
        let mut command = self.command(lab, pair);
        if self == Self::Bisync {
            command.arg("--resync");
        }
        let ran = run(&mut command, &pair.state)?.expect(&[0])?;
        trees::same(&pair.remote, &pair.local)?;
        Ok(ran.sample)
    }

    /// Syncs a pair again.
    pub(super) fn sync(self, lab: &Lab, pair: &Pair) -> Result<Sample> {
        let ran = self.sync_for_summary(lab, pair)?;
        Ok(ran.0)
    }

    /// Syncs a pair again and reads the summary, which peers do not have.
    pub(super) fn sync_for_summary(self, lab: &Lab, pair: &Pair) -> Result<(Sample, Summary)> {
        let ran = run(&mut self.command(lab, pair), &pair.state)?.expect(&[0])?;
        trees::same(&pair.remote, &pair.local)?;
        Ok((ran.sample, self.summary(&ran)?))
    }

    /// Syncs many deletions. Ours halts first and goes on once it is told to; what
    /// it does before and after the halt both count, the person's pause does not.
    pub(super) fn sync_deletions(self, lab: &Lab, pair: &Pair) -> Result<Sample> {
        let first = run(&mut self.command(lab, pair), &pair.state)?.expect(&[0, HALTED])?;
        let mut sample = first.sample;
        if self == Self::Ours && first.code == Some(HALTED) {
            let job = self.summary(&first)?.job;
            let mut approve = Command::new(&lab.binary);
            approve
                .args(["approve", &job, "--state-dir"])
                .arg(&pair.state);
            sample = sample.then(run(&mut approve, &pair.state)?.expect(&[0])?.sample);
            sample = sample.then(
                run(&mut self.command(lab, pair), &pair.state)?
                    .expect(&[0])?
                    .sample,
            );
        }
        trees::same(&pair.remote, &pair.local)?;
        Ok(sample)
    }

    /// The command that keeps a pair in step until it is stopped, if there is one.
    pub(super) fn daemon(self, lab: &Lab, pair: &Pair) -> Option<Command> {
        match self {
            Self::Ours => Some(ours(lab, pair)),
            Self::Unison
                if Command::new("unison-fsmonitor")
                    .arg("--version")
                    .output()
                    .is_ok() =>
            {
                let mut command = self.command(lab, pair);
                command.args(["-repeat", "watch"]);
                Some(command)
            }
            _ => None,
        }
    }

    fn command(self, lab: &Lab, pair: &Pair) -> Command {
        let (remote, local) = (&pair.remote, &pair.local);
        match self {
            Self::Ours => {
                let mut command = ours(lab, pair);
                command.args(["--once", "--json"]);
                command
            }
            Self::Copy => shell("cp -r \"$1/.\" \"$2\"", &[remote, local]),
            Self::CopyDurably => shell("cp -r \"$1/.\" \"$2\" && sync -f \"$2\"", &[remote, local]),
            Self::Rsync => {
                let mut command = Command::new("rsync");
                command
                    .args(["-a", "--delete"])
                    .arg(remote.join(""))
                    .arg(local.join(""));
                command
            }
            Self::Unison => {
                let mut command = Command::new("unison");
                command.arg(remote).arg(local).env("UNISON", &pair.state);
                command.args(["-ui", "text", "-batch", "-silent", "-confirmbigdel=false"]);
                command
            }
            Self::Bisync => {
                let mut command = Command::new("rclone");
                command.arg("bisync").arg(remote).arg(local);
                command
                    .arg("--workdir")
                    .arg(&pair.state)
                    .args(["--force", "--remove-empty-dirs"]);
                command.env("RCLONE_CONFIG", pair.state.join("rclone.conf"));
                command
            }
        }
    }

    fn summary(self, ran: &Ran) -> Result<Summary> {
        if self != Self::Ours {
            return Ok(Summary::default());
        }
        let line = ran.stdout.lines().rev().find(|line| !line.is_empty());
        let value: serde_json::Value = serde_json::from_str(line.unwrap_or_default())
            .map_err(|error| format!("no summary on the last line: {error}"))?;
        if value["type"] != "summary" {
            return Err("no summary on the last line".into());
        }
        let number = |key: &str| {
            value[key]
                .as_u64()
                .ok_or(format!("no {key} in the summary"))
        };
        Ok(Summary {
            job: value["job"].as_str().unwrap_or_default().to_owned(),
            bytes: number("bytes_up")? + number("bytes_down")?,
        })
    }
}

fn ours(lab: &Lab, pair: &Pair) -> Command {
    let mut command = Command::new(&lab.binary);
    command
        .arg("-s")
        .arg(&pair.remote)
        .arg("-d")
        .arg(&pair.local);
    command
        .arg("--state-dir")
        .arg(&pair.state)
        .args(["-z", "0"]);
    command
}

/// A shell line with paths as its arguments.
pub(super) fn shell(line: &str, paths: &[&Path]) -> Command {
    let mut command = Command::new("sh");
    command.args(["-c", line, "sh"]).args(paths);
    command
}

/// Two walks of the two sides, the least any scanner has to do.
pub(super) fn two_walks(pair: &Pair) -> Result<Sample> {
    let line = "find \"$1\" -printf '%p %s %T@ %i %y\\n'; find \"$2\" -printf '%p %s %T@ %i %y\\n'";
    let mut command = shell(line, &[&pair.remote, &pair.local]);
    Ok(run(&mut command, &pair.state)?.expect(&[0])?.sample)
}
