//! A WebDAV server for the suites: one that answers as a real one was seen to; and what
//! they do with it, by the program or by the remote itself.

use crate::folders::{Memory, path, run};
use crate::program::{Done, Lab, done};
use journal_format::event::Expected;
use journal_format::value::{DigestKind, Entry, RelPath, Seq};
use pydio_sync::adapters::remote::webdav::WebdavRemote;
use pydio_sync::adapters::remote::{Link, ServerPlace};
use pydio_sync::adapters::rooted::{Filter, FilterRules};
use pydio_sync::adapters::secret::Secret;
use pydio_sync::ports::{PortResult, Put, PutRequest, Remote};
use std::process::Command;
use std::time::Duration;
use test_servers::webdav::{Clock, DavServer, Hand, Options, Quirks};

/// A server, and its root as the remote's.
pub(crate) struct DavSite {
    pub(crate) server: DavServer,
    pub(crate) place: ServerPlace,
}

impl DavSite {
    /// A server with these quirks, whose clock stands still.
    pub(crate) fn of(quirks: Quirks) -> Self {
        Self::with(Options::new(quirks))
    }

    /// The same, by this machine's clock.
    pub(crate) fn timed(quirks: Quirks) -> Self {
        Self::with(Options::new(quirks).clock(Clock::machine()))
    }

    /// One whose clock stands still and dates its answers: nothing ages until it is moved.
    pub(crate) fn dated(quirks: Quirks) -> Self {
        Self::with(Options::new(quirks).dated())
    }

    /// Moves such a clock on, beyond what is young.
    pub(crate) fn age(&self) {
        self.server.clock().advance(Duration::from_secs(5));
    }

    pub(crate) fn with(options: Options) -> Self {
        let server = DavServer::start(options).expect("server");
        Self {
            place: place(&server.url(), server.user().0),
            server,
        }
    }

    /// A client of it; each name is one more.
    pub(crate) fn remote(&self, client: &str) -> WebdavRemote {
        remote(&self.place, self.server.user().1, client)
    }

    pub(crate) fn hand(&self) -> Hand {
        self.server.hand()
    }

    /// The program on it, with a lab's folders.
    pub(crate) fn command(&self, lab: &Lab) -> Command {
        let mut command = lab.bare();
        command
            .args(["-s", &self.place.url, "-u", &self.place.user])
            .args(["-z", "0", "-d"])
            .arg(&lab.local)
            .env("PYDIO_SYNC_PASSWORD", self.server.user().1);
        command
    }

    pub(crate) fn once(&self, lab: &Lab) -> Done {
        done(self.command(lab).args(["--once", "--json"]))
    }

    /// Syncs once and expects that all went well.
    pub(crate) fn synced(&self, lab: &Lab) -> Done {
        let done = self.once(lab);
        assert_eq!(done.code, 0, "{done:?}");
        done
    }

    /// All paths but ours.
    pub(crate) fn names(&self) -> Vec<String> {
        let mut names = self.hand().names();
        names.retain(|name| !name.starts_with(".pydio-sync"));
        names
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

/// A site with a folder `d` that holds `x` and `y`, and a client that has tried it.
pub(crate) fn tried(quirks: Quirks) -> (DavSite, WebdavRemote) {
    let site = DavSite::of(quirks);
    site.hand().write("d/x", b"x");
    site.hand().write("d/y", b"yy");
    let remote = site.remote("client");
    run(remote.claim_root("remote-1")).expect("claim");
    try_out(&remote);
    (site, remote)
}

/// Has a client try everything that it tries of a server.
pub(crate) fn try_out(remote: &WebdavRemote) {
    put(remote, "new.tried", b"new", &Expected::Absent).expect("a file, and the trials");
    let print = entry(remote, "new.tried").fingerprint;
    run(remote.remove(Seq(1), &path("new.tried"), &print)).expect("remove");
}

pub(crate) fn entry(remote: &WebdavRemote, name: &str) -> Entry {
    let found = run(remote.stat(&path(name))).expect("stat");
    found.expect("something is there")
}

pub(crate) fn put(
    remote: &WebdavRemote,
    name: &str,
    bytes: &[u8],
    replaces: &Expected,
) -> PortResult<Put> {
    run(send(remote, name, bytes, replaces))
}

pub(crate) async fn send(
    remote: &WebdavRemote,
    name: &str,
    bytes: &[u8],
    replaces: &Expected,
) -> PortResult<Put> {
    let path = path(name);
    let request = PutRequest {
        id: Seq(7),
        path: &path,
        source: Memory::file(bytes),
        replaces,
        digest: DigestKind::Blake3,
    };
    remote.put(request).await
}

pub(crate) fn fetch(remote: &WebdavRemote, name: &str) -> PortResult<Vec<u8>> {
    let expect = entry(remote, name).fingerprint;
    run(async {
        let mut source = remote.open(&path(name), &expect).await?;
        let mut bytes = Vec::new();
        while let Some(piece) = source.read().await? {
            bytes.extend(piece);
        }
        Ok(bytes)
    })
}

/// The value of a fact that a remote found out; it tells all of them once.
pub(crate) fn fact(remote: &WebdavRemote, name: &str) -> String {
    let facts = remote.found_out().expect("facts");
    let fact = facts.into_iter().find(|fact| fact.name == name);
    fact.expect("the fact").value
}
