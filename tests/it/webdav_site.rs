//! WebDAV servers for the suites: real ones, started by `tests/servers/webdav.py`.

use crate::folders::run;
use journal_format::value::RelPath;
use pydio_sync::adapters::remote::webdav::WebdavRemote;
use pydio_sync::adapters::remote::{Link, ServerPlace};
use pydio_sync::adapters::rooted::{Filter, FilterRules};
use pydio_sync::adapters::secret::Secret;
use pydio_sync::ports::Remote;
use serde_json::Value;
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// A real server, with its folder on this machine.
pub(crate) struct RealSite {
    child: Child,
    pub(crate) place: ServerPlace,
    password: String,
    folder: PathBuf,
}

impl RealSite {
    /// Starts one; nothing when it is not installed.
    pub(crate) fn start(kind: &str) -> Option<Self> {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/servers/webdav.py");
        let mut child = Command::new("python3")
            .args([script, kind])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .ok()?;
        let mut line = String::new();
        let out = child.stdout.take()?;
        BufReader::new(out).read_line(&mut line).ok()?;
        let told: Value = serde_json::from_str(&line).ok()?;
        let text = |key: &str| told[key].as_str().unwrap_or_default().to_owned();
        Some(Self {
            place: place(&text("url"), &text("user")),
            password: text("password"),
            folder: text("folder").into(),
            child,
        })
    }

    pub(crate) fn remote(&self, client: &str) -> WebdavRemote {
        remote(&self.place, &self.password, client)
    }

    pub(crate) fn at(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    pub(crate) fn write(&self, name: &str, bytes: &[u8]) {
        let at = self.at(name);
        fs::create_dir_all(at.parent().expect("parent")).expect("directories");
        fs::write(&at, bytes).expect("file");
        let open = Command::new("chmod")
            .args(["-R", "a+rwX"])
            .arg(&self.folder)
            .status();
        assert!(open.expect("chmod runs").success());
    }

    pub(crate) fn names(&self) -> Vec<String> {
        let mut names = Vec::new();
        let mut waiting = vec![self.folder.clone()];
        while let Some(directory) = waiting.pop() {
            for entry in fs::read_dir(directory).expect("list") {
                let at = entry.expect("entry").path();
                let name = at
                    .strip_prefix(&self.folder)
                    .expect("below")
                    .display()
                    .to_string();
                if name != ".pydio-sync" {
                    if at.is_dir() {
                        waiting.push(at);
                    }
                    names.push(name);
                }
            }
        }
        names.sort();
        names
    }
}

impl Drop for RealSite {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        let _ended = self.child.wait();
    }
}

pub(crate) fn place(url: &str, user: &str) -> ServerPlace {
    ServerPlace {
        url: url.replacen("http", "webdav", 1),
        workspace: String::new(),
        folder: RelPath::root(),
        user: user.to_owned(),
        link: Link {
            timeout: Duration::from_secs(10),
            ..Link::default()
        },
    }
}

/// A client of a place; each name is one more.
pub(crate) fn remote(place: &ServerPlace, password: &str, client: &str) -> WebdavRemote {
    let filter = Filter::new(&FilterRules::default()).expect("filter");
    let password = Some(Secret::new(password));
    let remote = WebdavRemote::open(place, password, client, filter).expect("remote");
    drop(run(remote.root()));
    remote
}
