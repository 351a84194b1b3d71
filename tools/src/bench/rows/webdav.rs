//! WebDAV: first sync up and down, a large file both ways, no change, one change, rename.
//!
//! In: servers in processes of their own, one without tags of folders and one with them.
//! Out: ours beside plain requests with as many connections, beside rclone and, on a
//! Nextcloud where it is installed, beside its own client; the notes tell the requests of
//! the last run where the server counts them. Invariant: the server is the same for all of
//! a row, and both sides are compared after each run. Deliberately absent: other real
//! servers; their speed is not ours.

use super::super::dav::{Kind, Site};
use super::super::load::AT_ONCE;
use super::super::peers::Peer;
use super::super::process::{Sample, run, time};
use super::super::report::Outcome;
use super::super::trees;
use super::{Lab, Result, interleave};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

const FILES: u64 = 10_000;
const BYTES: u64 = 4096;
const SETTLED_FILES: u64 = 100_000;
const SETTLED_BYTES: u64 = 128;
const LARGE_BYTES: u64 = 1 << 30;
const CMD: &str = "nextcloudcmd";

/// What is measured.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Work {
    Up,
    Down,
    LargeUp,
    LargeDown,
    NoChange,
    OneChanged,
    Rename,
}

/// Who does it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Who {
    Ours,
    Plain,
    Rclone,
    Bisync,
    /// Nextcloud's own client.
    Cmd,
}

type Contender = (Who, Kind);

pub(super) fn up_title(lab: &Lab) -> String {
    title(lab, "up to a WebDAV server")
}

pub(super) fn up(lab: &Lab) -> Result<Vec<Outcome>> {
    measure(lab, Work::Up)
}

pub(super) fn down_title(lab: &Lab) -> String {
    title(lab, "down from a WebDAV server")
}

pub(super) fn down(lab: &Lab) -> Result<Vec<Outcome>> {
    measure(lab, Work::Down)
}

pub(super) fn large_up_title(lab: &Lab) -> String {
    large_title(lab, "up to a WebDAV server")
}

pub(super) fn large_up(lab: &Lab) -> Result<Vec<Outcome>> {
    measure(lab, Work::LargeUp)
}

pub(super) fn large_down_title(lab: &Lab) -> String {
    large_title(lab, "down from a WebDAV server")
}

pub(super) fn large_down(lab: &Lab) -> Result<Vec<Outcome>> {
    measure(lab, Work::LargeDown)
}

pub(super) fn no_change_title(lab: &Lab) -> String {
    settled_title(lab, "no change")
}

pub(super) fn no_change(lab: &Lab) -> Result<Vec<Outcome>> {
    measure(lab, Work::NoChange)
}

pub(super) fn one_changed_title(lab: &Lab) -> String {
    settled_title(lab, "one changed here")
}

pub(super) fn one_changed(lab: &Lab) -> Result<Vec<Outcome>> {
    measure(lab, Work::OneChanged)
}

pub(super) fn rename_title(lab: &Lab) -> String {
    title(lab, "on a WebDAV server, a folder renamed")
}

pub(super) fn rename(lab: &Lab) -> Result<Vec<Outcome>> {
    measure(lab, Work::Rename)
}

fn title(lab: &Lab, what: &str) -> String {
    format!("{} files of 4 KiB {what}", lab.scaled(FILES))
}

fn large_title(lab: &Lab, what: &str) -> String {
    format!("one file of {} MiB {what}", lab.scaled(LARGE_BYTES) >> 20)
}

fn settled_title(lab: &Lab, what: &str) -> String {
    let files = lab.scaled(SETTLED_FILES);
    format!("{files} files on a WebDAV server, {what}")
}

fn measure(lab: &Lab, work: Work) -> Result<Vec<Outcome>> {
    let is_new = rclone_is_new();
    let has_cmd = Command::new(CMD).arg("--version").output().is_ok();
    let whos: &[Who] = match work {
        Work::Up | Work::Down => &[Who::Ours, Who::Plain, Who::Rclone, Who::Cmd],
        Work::LargeUp | Work::LargeDown | Work::Rename => &[Who::Ours, Who::Rclone, Who::Cmd],
        Work::NoChange | Work::OneChanged => &[Who::Ours, Who::Rclone, Who::Bisync, Who::Cmd],
    };
    // With a pause of 10 ms a request its many small files would only measure that.
    let is_many = matches!(work, Work::Up | Work::Down);
    let mut contenders = Vec::new();
    // What the one real server without tags shows for large trees, the other shows as well.
    let kinds: &[Kind] = if is_many {
        &[Kind::Nginx, Kind::Apache, Kind::Nextcloud]
    } else {
        &[Kind::Nginx, Kind::Nextcloud]
    };
    for kind in kinds.iter().copied() {
        let can = |who: &Who| match who {
            Who::Rclone => is_new || !is_many,
            Who::Cmd => kind == Kind::Nextcloud && has_cmd,
            _ => true,
        };
        for who in whos.iter().copied().filter(can) {
            contenders.push((format!("{}, {}", name(who), kind.name()), (who, kind)));
        }
    }
    let notes = contenders.clone();
    let mut asked: BTreeMap<Contender, String> = BTreeMap::new();
    let mut settled: BTreeMap<Contender, Place> = BTreeMap::new();
    let mut outcomes = interleave(lab, contenders, |contender, repetition| {
        let (sample, requests) = match work {
            Work::NoChange | Work::OneChanged => {
                if !settled.contains_key(contender) {
                    settled.insert(*contender, Place::settled(lab, *contender)?);
                }
                let place = settled.get_mut(contender).ok_or("it was just put there")?;
                place.again(lab, work == Work::OneChanged, repetition)?
            }
            _ => Place::fresh(lab, work, *contender)?,
        };
        asked.insert(*contender, requests);
        Ok(sample)
    });
    for (outcome, (_, contender)) in outcomes.iter_mut().zip(notes) {
        outcome.note = asked.remove(&contender).unwrap_or_default();
        if !is_new && matches!(contender.0, Who::Rclone | Who::Bisync) {
            outcome.note += " (it pauses 10 ms after each request)";
        }
    }
    Ok(outcomes)
}

fn name(who: Who) -> String {
    match who {
        Who::Ours => Peer::Ours.name().to_owned(),
        Who::Plain => format!("plain requests, {AT_ONCE} at once"),
        Who::Rclone => "rclone sync".to_owned(),
        Who::Bisync => "rclone bisync".to_owned(),
        Who::Cmd => CMD.to_owned(),
    }
}

/// The program, another one if `RCLONE` names it.
fn rclone() -> Command {
    Command::new(std::env::var_os("RCLONE").unwrap_or_else(|| "rclone".into()))
}

/// Whether rclone can go without pauses.
fn rclone_is_new() -> bool {
    let told = rclone().args(["help", "backend", "webdav"]).output();
    told.is_ok_and(|told| String::from_utf8_lossy(&told.stdout).contains("pacer-min-sleep"))
}

/// A local folder and a server, for one of those who sync them.
struct Place {
    who: Who,
    local: PathBuf,
    served: PathBuf,
    state: PathBuf,
    site: Site,
}

/// Which way content goes, where somebody has to be told.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    Up,
    Down,
    /// For the first time, which only some have to be told.
    First,
}

impl Place {
    /// Folders filled by the caller, then a server for the one of them.
    fn make(
        lab: &Lab,
        who: Who,
        kind: Kind,
        fill: impl Fn(&Path, &Path) -> Result<()>,
    ) -> Result<Self> {
        let home = lab.fresh("webdav")?;
        let folder = |name: &str| -> Result<PathBuf> {
            let path = home.join(name);
            fs::create_dir(&path)?;
            Ok(path)
        };
        let (local, served, state) = (folder("local")?, folder("served")?, folder("state")?);
        // The server may be another user.
        let reach = Command::new("chmod").args(["a+rx"]).arg(&home).status()?;
        if !reach.success() {
            return Err("the server's folder cannot be opened to it".into());
        }
        fill(&local, &served)?;
        let site = Site::start(kind, &served)?;
        Ok(Self {
            who,
            local,
            served,
            state,
            site,
        })
    }

    /// A first sync, or what follows a small one.
    fn fresh(lab: &Lab, work: Work, (who, kind): Contender) -> Result<(Sample, String)> {
        let is_up = matches!(work, Work::Up | Work::LargeUp | Work::Rename);
        let mut place = Self::make(lab, who, kind, |local, served| {
            let from = if is_up { local } else { served };
            match work {
                Work::LargeUp | Work::LargeDown => {
                    let path = from.join("large.bin");
                    trees::write(&path, lab.seed, 0, lab.scaled(LARGE_BYTES))
                }
                _ => trees::fill(from, lab.seed, lab.scaled(FILES), BYTES),
            }
        })?;
        let way = if is_up { Way::Up } else { Way::Down };
        if work == Work::Rename {
            place.sync(lab, way)?;
            let folder = |name: &str| place.local.join(name);
            fs::rename(folder("dir-0000"), folder("renamed"))?;
        }
        place.measured(lab, way)
    }

    /// A large tree that is in sync.
    fn settled(lab: &Lab, (who, kind): Contender) -> Result<Self> {
        let mut place = Self::make(lab, who, kind, |local, served| {
            let files = lab.scaled(SETTLED_FILES);
            trees::fill(served, lab.seed, files, SETTLED_BYTES)?;
            // These fetch them; the others compare sizes and times.
            if matches!(who, Who::Ours | Who::Cmd) {
                return Ok(());
            }
            trees::fill(local, lab.seed, files, SETTLED_BYTES)
        })?;
        place.sync(lab, Way::First)?;
        place.sync(lab, Way::Up)?;
        Ok(place)
    }

    fn again(&mut self, lab: &Lab, change: bool, repetition: u32) -> Result<(Sample, String)> {
        if change {
            let more = u64::from(repetition) + 1;
            let path = self.local.join("dir-0000/file-00.dat");
            trees::write(&path, lab.seed + more, more, SETTLED_BYTES + more)?;
        }
        self.measured(lab, Way::Up)
    }

    fn measured(&mut self, lab: &Lab, way: Way) -> Result<(Sample, String)> {
        self.site.requests()?;
        let sample = self.sync(lab, way)?;
        let requests = self.site.requests()?;
        trees::same(&self.local, &self.served)?;
        Ok((sample, requests))
    }

    fn sync(&mut self, lab: &Lab, way: Way) -> Result<Sample> {
        let mut command = match (self.who, way) {
            (Who::Plain, Way::Up) => {
                let dav = self.site.plain()?;
                return time(|| dav.upload(&self.local));
            }
            (Who::Plain, _) => {
                let dav = self.site.plain()?;
                return time(|| dav.download(&self.served, &self.local));
            }
            (Who::Ours, _) => self.ours(lab),
            (Who::Cmd, _) => self.cmd()?,
            (Who::Rclone, _) => self.rclone("sync", way == Way::Down)?,
            (Who::Bisync, _) => {
                let mut command = self.rclone("bisync", false)?;
                command.arg("--workdir").arg(&self.state);
                if way == Way::First {
                    command.arg("--resync");
                }
                command
            }
        };
        Ok(run(&mut command, &self.state)?.expect(&[0])?.sample)
    }

    fn ours(&self, lab: &Lab) -> Command {
        let url = self.site.url.replacen("http", "webdav", 1);
        let mut command = Command::new(&lab.binary);
        command.args(["-s", &url, "-u", &self.site.user, "-d"]);
        command.arg(&self.local).arg("--state-dir").arg(&self.state);
        command.args(["-z", "0", "--once", "--json"]);
        command.env("PYDIO_SYNC_PASSWORD", &self.site.password);
        command
    }

    fn cmd(&self) -> Result<Command> {
        let (server, _) = (self.site.url.split_once("/remote.php")).ok_or("a Nextcloud's URL")?;
        let mut command = Command::new(CMD);
        command.args(["--non-interactive", "--silent", "-u", &self.site.user]);
        command.args(["-p", &self.site.password]);
        command.arg(&self.local).arg(server);
        command.env("HOME", &self.state);
        Ok(command)
    }

    fn rclone(&self, verb: &str, is_down: bool) -> Result<Command> {
        let hidden = rclone().args(["obscure", &self.site.password]).output()?;
        let hidden = String::from_utf8(hidden.stdout)?;
        let mut command = rclone();
        command.arg(verb);
        if is_down {
            command.arg(":webdav:").arg(&self.local);
        } else {
            command.arg(&self.local).arg(":webdav:");
        }
        let vendor = match self.site.kind {
            Kind::Nginx | Kind::Apache => "other",
            Kind::Nextcloud => "nextcloud",
        };
        command.args(["--webdav-url", &self.site.url, "--webdav-user"]);
        command.args([&self.site.user, "--webdav-vendor", vendor]);
        if rclone_is_new() {
            command.args(["--webdav-pacer-min-sleep", "0s"]);
        }
        if verb == "sync" {
            command.args(["--exclude", "/.pydio-sync/**"]);
        }
        command.env("RCLONE_WEBDAV_PASS", hidden.trim());
        command.env("RCLONE_CONFIG", self.state.join("rclone.conf"));
        Ok(command)
    }
}
