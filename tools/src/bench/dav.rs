//! WebDAV servers that are measured with, each a process of its own.
//!
//! In: which one, the folder that it serves. Out: an address, and where it is ours how
//! many requests there were. Invariant: it ends when this is dropped. Deliberately
//! absent: what is asked of it (`rows/webdav`).

use super::Result;
use super::load;
use rustix::process::{Pid, Signal, kill_process};
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};

/// Which server.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    Nginx,
    Apache,
    /// The own server, as Nextcloud.
    Nextcloud,
}

impl Kind {
    /// As it is called in the table.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Nginx => "nginx",
            Self::Apache => "Apache",
            Self::Nextcloud => "the own server as Nextcloud",
        }
    }

    /// What the script of the interop suite calls a real one.
    const fn script(self) -> Option<&'static str> {
        match self {
            Self::Nginx => Some("nginx"),
            Self::Apache => Some("apache"),
            Self::Nextcloud => None,
        }
    }
}

/// A running server.
pub(super) struct Site {
    pub(super) kind: Kind,
    pub(super) url: String,
    pub(super) user: String,
    pub(super) password: String,
    child: Child,
    out: BufReader<ChildStdout>,
}

impl Drop for Site {
    fn drop(&mut self) {
        // The one ends with its input, the other by a signal.
        drop(self.child.stdin.take());
        if self.kind == Kind::Nextcloud {
            self.signal(Signal::TERM);
        }
        drop(self.child.wait());
    }
}

impl Site {
    /// Starts a server for a folder and what is in it.
    pub(super) fn start(kind: Kind, folder: &Path) -> Result<Self> {
        let mut command = match kind.script() {
            Some(name) => {
                let script: PathBuf = ["tests", "servers", "webdav.py"].iter().collect();
                let mut command = Command::new("python3");
                command.arg(script).arg(name).arg("--folder").arg(folder);
                command
            }
            None => {
                let mut command = Command::new(std::env::current_exe()?);
                command.args(["webdav-server", "--preset", "nextcloud", "--port", "0"]);
                command.args(["--user", "ada:secret", "--dir"]).arg(folder);
                command
            }
        };
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn()?;
        let out = BufReader::new(child.stdout.take().ok_or("no output")?);
        let mut site = Self {
            kind,
            url: String::new(),
            user: String::new(),
            password: String::new(),
            child,
            out,
        };
        site.listen()?;
        Ok(site)
    }

    /// Reads where it answers.
    fn listen(&mut self) -> Result<()> {
        if self.kind.script().is_some() {
            let told: serde_json::Value = serde_json::from_str(&self.line()?).map_err(
                |_| "the server did not start; tests/servers/webdav.py install installs it",
            )?;
            let text = |key: &str| told[key].as_str().unwrap_or_default().to_owned();
            (self.url, self.user, self.password) = (text("url"), text("user"), text("password"));
            return Ok(());
        }
        loop {
            let line = self.line()?;
            match line.split_once(' ').map(|(key, rest)| (key, rest.trim())) {
                Some(("URL", url)) => url.clone_into(&mut self.url),
                Some(("user", user)) => user.clone_into(&mut self.user),
                Some(("password", password)) => password.clone_into(&mut self.password),
                _ if line.trim() == "Ends with Ctrl-C." => return Ok(()),
                _ => {}
            }
        }
    }

    fn line(&mut self) -> Result<String> {
        let mut line = String::new();
        if self.out.read_line(&mut line)? == 0 {
            return Err("the server ended".into());
        }
        Ok(line)
    }

    fn signal(&self, signal: Signal) {
        let id = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw);
        if let Some(id) = id {
            // It may have ended by itself.
            kill_process(id, signal).ok();
        }
    }

    /// Returns how many requests there were since this was last asked; nothing where the
    /// server does not count.
    pub(super) fn requests(&mut self) -> Result<String> {
        if self.kind.script().is_some() {
            return Ok(String::new());
        }
        self.signal(Signal::HUP);
        Ok(self.line()?.trim().to_owned())
    }

    /// The same server for plain requests.
    pub(super) fn plain(&self) -> Result<load::Dav> {
        let rest = self.url.strip_prefix("http://").ok_or("not http")?;
        let (host, root) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        Ok(load::Dav {
            port: host.rsplit(':').next().unwrap_or_default().parse()?,
            root: root.trim_end_matches('/').to_owned(),
            authorization: test_servers::plain::basic(&self.user, &self.password),
        })
    }
}
