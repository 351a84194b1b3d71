//! Real WebDAV servers, one process of each for all tests, and presets of the own one.
//!
//! `tests/servers/webdav.py` starts them; they end when this process does, because their
//! standard input is a pipe from here. A server that is not installed is a failure.

use serde_json::Value;
use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, OnceLock};
use test_servers::plain::Plain;
use test_servers::webdav::{Clock, DavServer, Options, Quirks};

/// The real ones, by the names that the script has for them.
pub(crate) const REAL: [&str; 4] = ["apache", "nginx", "rclone", "wsgidav"];

/// Where a server is and who may use it.
#[derive(Clone, Debug)]
pub(crate) struct Address {
    /// With `http://`, without a slash at the end.
    pub(crate) url: String,
    pub(crate) user: String,
    pub(crate) password: String,
    /// The folder on this machine, if it has one.
    pub(crate) folder: Option<PathBuf>,
}

impl Address {
    pub(crate) fn plain(&self) -> Plain {
        Plain::new(&self.url, &self.user, &self.password)
    }

    /// The same in a new folder that is ours alone.
    pub(crate) fn in_new_folder(mut self) -> Self {
        let unique = std::time::UNIX_EPOCH.elapsed().expect("clock").as_nanos();
        let name = format!("t{unique}");
        let made = self.plain().ask("MKCOL", &format!("/{name}/"), &[], b"");
        assert_eq!(made.expect("an answer").status, 201);
        self.url = format!("{}/{name}", self.url);
        self.folder = self.folder.map(|folder| folder.join(name));
        self
    }
}

/// A real server, in a new folder of it.
pub(crate) fn real(kind: &'static str) -> Address {
    static RUNNING: OnceLock<Mutex<Vec<(&'static str, Child, Address)>>> = OnceLock::new();
    let mut running = RUNNING
        .get_or_init(Mutex::default)
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner);
    if let Some((_, _, address)) = running.iter().find(|(known, _, _)| *known == kind) {
        return address.clone().in_new_folder();
    }
    let (child, address) = start(kind);
    running.push((kind, child, address.clone()));
    drop(running);
    address.in_new_folder()
}

fn start(kind: &str) -> (Child, Address) {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/servers/webdav.py");
    let mut child = Command::new("python3")
        .args([script, kind])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("python3 runs");
    let mut line = String::new();
    let out = child.stdout.take().expect("its output");
    BufReader::new(out).read_line(&mut line).expect("a line");
    let told: Value = serde_json::from_str(&line)
        .unwrap_or_else(|_| panic!("{kind} did not start; `{script} install` installs it"));
    let text = |key: &str| told[key].as_str().unwrap_or_default().to_owned();
    let address = Address {
        url: text("url"),
        user: text("user"),
        password: text("password"),
        folder: Some(text("folder").into()),
    };
    (child, address)
}

/// The own server, going by the machine's clock as real ones do.
pub(crate) fn preset(quirks: Quirks) -> (DavServer, Address) {
    let options = Options::new(quirks).clock(Clock::machine());
    let server = DavServer::start(options).expect("server");
    let address = address(&server);
    (server, address)
}

/// Where an own server is.
pub(crate) fn address(server: &DavServer) -> Address {
    let (user, password) = server.user();
    Address {
        url: server.url(),
        user: user.to_owned(),
        password: password.to_owned(),
        folder: None,
    }
}
