//! Real WebDAV servers, one process of each for all tests, one that the environment may
//! name (`PYDIO_SYNC_TEST_WEBDAV_URL`, `_USER`, `_PASSWORD`), and presets of the own one.
//!
//! `tests/servers/webdav.py` starts them; they end when this process does, because their
//! standard input is a pipe from here. A server that is not installed is a failure.

use crate::program::{Done, Lab, done};
use crate::webdav_site::{place, remote};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use pydio_sync::adapters::remote::webdav::WebdavRemote;
use serde_json::Value;
use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, OnceLock};
use test_servers::plain::{Plain, Reply};
use test_servers::webdav::{Clock, DavServer, Options, Quirks};

/// Real ones that have a preset each, by the names that the script has for them.
pub(crate) const REAL: [&str; 4] = ["apache", "nginx", "rclone", "wsgidav"];
/// Those that have none.
pub(crate) const MORE_REAL: [&str; 2] = ["lighttpd", "sabre"];

/// Where a server is and who may use it.
#[derive(Clone, Debug)]
pub(crate) struct Address {
    /// With `http://`, without a slash at the end.
    pub(crate) url: String,
    pub(crate) user: String,
    pub(crate) password: String,
}

impl Address {
    pub(crate) fn plain(&self) -> Plain {
        Plain::new(&self.url, &self.user, &self.password)
    }

    /// A client of it; each name is one more.
    pub(crate) fn remote(&self, client: &str) -> WebdavRemote {
        remote(&place(&self.url, &self.user), &self.password, client)
    }

    fn ask(&self, method: &str, name: &str, headers: &[(&str, &str)], body: &[u8]) -> Reply {
        let reply = self.plain().ask(method, &encoded(name), headers, body);
        reply.unwrap_or_else(|error| panic!("{method} {name}: {error}"))
    }

    /// Writes a file with the folders above it, past the program.
    pub(crate) fn write(&self, name: &str, bytes: &[u8]) {
        for (at, _) in name.match_indices('/') {
            self.ask("MKCOL", &format!("{}/", &name[..at]), &[], b"");
        }
        let status = self.ask("PUT", name, &[], bytes).status;
        assert!((200..300).contains(&status), "{name}: {status}");
    }

    pub(crate) fn read(&self, name: &str) -> Option<Vec<u8>> {
        let reply = self.ask("GET", name, &[], b"");
        (reply.status == 200).then_some(reply.body)
    }

    /// All paths but ours.
    pub(crate) fn names(&self) -> Vec<String> {
        let mut names = Vec::new();
        let mut open = vec![String::new()];
        while let Some(folder) = open.pop() {
            for (name, is_folder) in self.children(&folder) {
                if name == ".pydio-sync" {
                    continue;
                }
                if is_folder {
                    open.push(format!("{name}/"));
                }
                names.push(name);
            }
        }
        names.sort();
        names
    }

    /// What a listing has below a folder, which ends in a slash unless it is the root.
    fn children(&self, folder: &str) -> Vec<(String, bool)> {
        let reply = self.ask("PROPFIND", folder, &[("Depth", "1")], b"");
        assert_eq!(reply.status, 207, "{folder}");
        let root = self.url.splitn(4, '/').nth(3).unwrap_or("");
        let own = format!("/{root}").trim_end_matches('/').to_owned();
        let own = percent_decode_str(&own)
            .decode_utf8()
            .expect("UTF-8")
            .into_owned();
        let text = reply.text().replace("&amp;", "&");
        // Servers have their own prefixes, and not all end a folder's address in a slash.
        let parts: Vec<&str> = text.split("href>").skip(1).collect();
        let paths = parts.chunks(2).filter_map(|parts| {
            let [href, told] = parts else { return None };
            let href = href.split('<').next()?;
            let href = match href.split_once("://") {
                Some((_, rest)) => &rest[rest.find('/').unwrap_or(rest.len())..],
                None => href,
            };
            let path = percent_decode_str(href).decode_utf8().expect("UTF-8");
            let below = path.strip_prefix(&own).expect("below the root");
            let is_folder = told.contains(":collection") || told.contains("<collection");
            Some((below.trim_matches('/').to_owned(), is_folder))
        });
        let asked = folder.trim_matches('/').to_owned();
        paths.filter(|(name, _)| *name != asked).collect()
    }

    /// The program on it, with a lab's folders.
    pub(crate) fn command(&self, lab: &Lab) -> Command {
        let mut command = lab.bare();
        let url = place(&self.url, "").url;
        command
            .args(["-s", &url, "-u", &self.user, "-z", "0", "-d"])
            .arg(&lab.local)
            .env("PYDIO_SYNC_PASSWORD", &self.password);
        command
    }

    /// Syncs once and expects that all went well.
    pub(crate) fn synced(&self, lab: &Lab) -> Done {
        let done = done(self.command(lab).args(["--once", "--json"]));
        assert_eq!(done.code, 0, "{}: {done:?}", self.url);
        done
    }

    /// The same in a new folder that is ours alone.
    pub(crate) fn in_new_folder(mut self) -> Self {
        let unique = std::time::UNIX_EPOCH.elapsed().expect("clock").as_nanos();
        let name = format!("t{unique}");
        let made = self.plain().ask("MKCOL", &format!("/{name}/"), &[], b"");
        assert_eq!(made.expect("an answer").status, 201);
        self.url = format!("{}/{name}", self.url);
        self
    }
}

fn encoded(name: &str) -> String {
    format!("/{}", utf8_percent_encode(name, PLAIN))
}

const PLAIN: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'/')
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// A real server, in a new folder of it.
pub(crate) fn real(kind: &'static str) -> Address {
    type Running = (&'static str, Child, Address);
    static RUNNING: OnceLock<Mutex<Vec<Running>>> = OnceLock::new();
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
    };
    (child, address)
}

/// The server that the environment names, in a new folder of it.
pub(crate) fn named() -> Option<Address> {
    let read = |name: &str| std::env::var(format!("PYDIO_SYNC_TEST_WEBDAV_{name}")).ok();
    let address = Address {
        url: read("URL")?.trim_end_matches('/').to_owned(),
        user: read("USER").unwrap_or_default(),
        password: read("PASSWORD").unwrap_or_default(),
    };
    Some(address.in_new_folder())
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
    }
}
