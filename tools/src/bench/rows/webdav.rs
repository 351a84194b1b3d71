//! WebDAV: first sync up and down, no change, rename of a folder; to nginx and to the own
//! server.
//!
//! In: a fresh server a run. Out: ours beside plain requests with as many connections and
//! beside rclone, where it is new enough to go without its pause of 10 ms a request.
//! Invariant: the server is the same for all of a row. Deliberately absent: other real
//! servers; their speed is not ours.

use super::super::load::{AT_ONCE, Dav};
use super::super::peers::Peer;
use super::super::process::{Sample, run, time};
use super::super::report::Outcome;
use super::super::trees;
use super::{Lab, Result, interleave};
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use test_servers::webdav::{Clock, DavServer, Options, Quirks};

const FILES: u64 = 10_000;
const BYTES: u64 = 4096;

/// What is measured.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Work {
    Up,
    Down,
    NoChange,
    Rename,
}

/// Who does it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Who {
    Ours,
    Plain,
    Rclone,
}

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

pub(super) fn no_change_title(lab: &Lab) -> String {
    title(lab, "on a WebDAV server, no change")
}

pub(super) fn no_change(lab: &Lab) -> Result<Vec<Outcome>> {
    measure(lab, Work::NoChange)
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

fn measure(lab: &Lab, work: Work) -> Result<Vec<Outcome>> {
    let has_plain = matches!(work, Work::Up | Work::Down);
    let mut contenders = Vec::new();
    for nginx in [true, false] {
        let place = if nginx { "nginx" } else { "the own server" };
        let mut add = |who: &str, what| contenders.push((format!("{who}, {place}"), (what, nginx)));
        add(Peer::Ours.name(), Who::Ours);
        if has_plain {
            add(&format!("plain requests, {AT_ONCE} at once"), Who::Plain);
        }
        if rclone_is_new() {
            add("rclone sync", Who::Rclone);
        }
    }
    Ok(interleave(lab, contenders, |(who, nginx), _| {
        one_run(lab, work, *who, *nginx)
    }))
}

/// Whether rclone can go without pauses.
fn rclone_is_new() -> bool {
    let told = Command::new("rclone")
        .args(["help", "backend", "webdav"])
        .output();
    told.is_ok_and(|told| String::from_utf8_lossy(&told.stdout).contains("pacer-min-sleep"))
}

fn one_run(lab: &Lab, work: Work, who: Who, nginx: bool) -> Result<Sample> {
    let home = lab.fresh("webdav")?;
    let (local, state) = (home.join("local"), home.join("state"));
    for folder in [&local, &state] {
        fs::create_dir(folder)?;
    }
    let site = Site::start(nginx)?;
    trees::fill(&local, lab.seed, lab.scaled(FILES), BYTES)?;
    let sync = |from: &Path| match who {
        Who::Ours => site.ours(lab, from, &state),
        Who::Plain => time(|| site.dav.upload(from)),
        Who::Rclone => site.rclone(from, &state, true),
    };
    let first = sync(&local)?;
    match work {
        Work::Up => Ok(first),
        Work::NoChange => sync(&local),
        Work::Rename => {
            fs::rename(local.join("dir-0000"), local.join("renamed"))?;
            sync(&local)
        }
        Work::Down => {
            let (empty, fresh) = (home.join("empty"), home.join("fresh"));
            for folder in [&empty, &fresh] {
                fs::create_dir(folder)?;
            }
            let sample = match who {
                Who::Ours => site.ours(lab, &empty, &fresh)?,
                Who::Plain => time(|| site.dav.download(&local, &empty))?,
                Who::Rclone => site.rclone(&empty, &fresh, false)?,
            };
            trees::same(&local, &empty)?;
            Ok(sample)
        }
    }
}

/// A server that ends when this is dropped.
struct Site {
    dav: Dav,
    url: String,
    user: String,
    password: String,
    _server: Server,
}

enum Server {
    Own { _server: DavServer },
    Real(Child),
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Self::Real(child) = self {
            drop(child.stdin.take());
            // It cleans up after itself, and then it has ended.
            drop(child.wait());
        }
    }
}

impl Site {
    fn start(nginx: bool) -> Result<Self> {
        if nginx {
            return Self::real();
        }
        let options = Options::new(Quirks::none()).clock(Clock::machine());
        let server = DavServer::start(options.user("ada", "secret"))?;
        let (url, (user, password)) = (server.url(), server.user());
        let site = (url, user.to_owned(), password.to_owned());
        Self::of(site, Server::Own { _server: server })
    }

    fn real() -> Result<Self> {
        let script: PathBuf = ["tests", "servers", "webdav.py"].iter().collect();
        let mut child = Command::new("python3")
            .arg(script)
            .arg("nginx")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let mut line = String::new();
        let out = child.stdout.take().ok_or("no output")?;
        let server = Server::Real(child);
        BufReader::new(out).read_line(&mut line)?;
        let told: serde_json::Value = serde_json::from_str(&line)
            .map_err(|_| "nginx did not start; tests/servers/webdav.py install installs it")?;
        let text = |key: &str| told[key].as_str().unwrap_or_default().to_owned();
        Self::of((text("url"), text("user"), text("password")), server)
    }

    fn of((url, user, password): (String, String, String), server: Server) -> Result<Self> {
        let rest = url.strip_prefix("http://").ok_or("not http")?;
        let (host, root) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        let port = host.rsplit(':').next().unwrap_or_default().parse()?;
        let dav = Dav {
            port,
            root: root.to_owned(),
            authorization: test_servers::plain::basic(&user, &password),
        };
        Ok(Self {
            dav,
            url,
            user,
            password,
            _server: server,
        })
    }

    fn ours(&self, lab: &Lab, local: &Path, state: &Path) -> Result<Sample> {
        let url = self.url.replacen("http", "webdav", 1);
        let mut command = Command::new(&lab.binary);
        command
            .args(["-s", &url, "-u", &self.user, "-d"])
            .arg(local);
        command.arg("--state-dir").arg(state);
        command.args(["-z", "0", "--once", "--json"]);
        command.env("PYDIO_SYNC_PASSWORD", &self.password);
        Ok(run(&mut command, state)?.expect(&[0])?.sample)
    }

    fn rclone(&self, local: &Path, state: &Path, up: bool) -> Result<Sample> {
        let hidden = Command::new("rclone")
            .args(["obscure", &self.password])
            .output()?;
        let hidden = String::from_utf8(hidden.stdout)?;
        let mut command = Command::new("rclone");
        command.arg("sync");
        if up {
            command.arg(local).arg(":webdav:");
        } else {
            command.arg(":webdav:").arg(local);
        }
        command.args(["--webdav-url", &self.url, "--webdav-user", &self.user]);
        command.args(["--webdav-vendor", "other", "--webdav-pacer-min-sleep", "0s"]);
        command.args(["--exclude", "/.pydio-sync/**", "--track-renames"]);
        command.env("RCLONE_WEBDAV_PASS", hidden.trim());
        command.env("RCLONE_CONFIG", state.join("rclone.conf"));
        Ok(run(&mut command, state)?.expect(&[0])?.sample)
    }
}
