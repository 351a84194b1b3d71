//! A Pydio server for the suites: the test server, or the real one that the
//! environment names (`PYDIO_SYNC_TEST_URL`, `_USER`, `_PASSWORD`, `_WORKSPACE`).

use crate::folders::{Memory, entries, items, lines, path, request, run};
use journal_format::event::{Expected, FailureClass};
use journal_format::value::{Digest, DigestKind, Entry, Kind, RelPath, Seq};
use md5::Digest as _;
use pydio_sync::adapters::remote::pydio::PydioRemote;
use pydio_sync::adapters::remote::{Link, ServerPlace};
use pydio_sync::adapters::rooted::{Filter, FilterRules};
use pydio_sync::adapters::secret::Secret;
use pydio_sync::ports::{
    Changes, Hint, PortResult, Put, PutRequest, Remote, ScanRequest, ScanTarget, Source,
};
use std::collections::BTreeMap;
use std::time::Duration;
use tempfile::TempDir;
use test_servers::pydio::{Options, PydioServer, Quirks};

/// A workspace on a server, and a folder in it that is ours alone.
pub(crate) struct Site {
    /// Only with the test server: what goes wrong is told to it.
    pub(crate) server: Option<PydioServer>,
    dir: Option<TempDir>,
    pub(crate) place: ServerPlace,
    password: String,
    /// Tells its clients from those of other tests on the same server: two clients of
    /// one name would end each other's keys.
    unique: String,
}

impl Site {
    /// A test server over the workspace's root.
    pub(crate) fn with(change: impl FnOnce(Options) -> Options) -> Self {
        let dir = tempfile::tempdir().expect("temporary directory");
        let server = PydioServer::start(change(Options::new(dir.path()))).expect("server");
        let user = server
            .users()
            .next()
            .map(|(name, password)| (name.to_owned(), password.to_owned()));
        let (user, password) = user.expect("a user");
        let workspace = server.workspaces().next().expect("a workspace").to_owned();
        Self {
            place: place(server.url(), &workspace, &user),
            server: Some(server),
            dir: Some(dir),
            password,
            unique: unique(),
        }
    }

    /// A test server with these quirks, over the workspace's root.
    pub(crate) fn of(quirks: Quirks) -> Self {
        Self::with(|options| options.quirks(quirks))
    }

    /// The real server that the environment names, if it names one.
    pub(crate) fn real() -> Option<Self> {
        let read = |name: &str| std::env::var(format!("PYDIO_SYNC_TEST_{name}")).ok();
        Some(Self {
            server: None,
            dir: None,
            place: place(&read("URL")?, &read("WORKSPACE")?, &read("USER")?),
            password: read("PASSWORD")?,
            unique: unique(),
        })
    }

    /// The same in a new folder of the workspace.
    pub(crate) fn in_new_folder(mut self) -> Self {
        let folder = path(&format!("test {}", self.unique));
        let remote = self.remote("maker");
        run(remote.make_dir(&folder)).expect("folder");
        self.place.folder = folder;
        self
    }

    /// A client of it; each name is one more.
    pub(crate) fn remote(&self, client: &str) -> PydioRemote {
        let rules = FilterRules {
            hidden: true,
            ..FilterRules::default()
        };
        let filter = Filter::new(&rules).expect("filter");
        let password = Secret::new(self.password.as_str());
        let client = format!("{client} {}", self.unique);
        PydioRemote::open(&self.place, password, &client, filter).expect("remote")
    }

    /// Stops the server and starts it at its address again, over the same files, changed.
    pub(crate) fn restart(&mut self, change: impl FnOnce(Options) -> Options) {
        let port = self.server().port();
        drop(self.server.take());
        let dir = self.dir.as_ref().expect("its folder");
        let options = change(Options::new(dir.path()).port(port));
        self.server = Some(PydioServer::start(options).expect("server"));
    }

    pub(crate) fn password(&self) -> &str {
        &self.password
    }

    pub(crate) fn server(&self) -> &PydioServer {
        self.server.as_ref().expect("the test server")
    }

    /// Lets another client do something, from wherever the caller is.
    pub(crate) fn other<T: Send>(&self, act: impl FnOnce(&PydioRemote) -> T + Send) -> T {
        std::thread::scope(|scope| {
            let work = scope.spawn(|| act(&self.remote("another")));
            work.join().expect("the other client")
        })
    }

    /// Writes as another client, with the folders that are needed.
    pub(crate) fn write(&self, name: &str, bytes: &[u8]) {
        self.other(|remote| {
            run(async {
                let target = path(name);
                let above = std::iter::successors(target.parent(), RelPath::parent);
                let mut above: Vec<RelPath> = above.filter(|path| !path.is_root()).collect();
                above.reverse();
                for folder in above {
                    if remote.stat(&folder).await.expect("stat").is_none() {
                        remote.make_dir(&folder).await.expect("folder");
                    }
                }
                let now = remote.stat(&target).await.expect("stat");
                let replaces =
                    now.map_or(Expected::Absent, |now| Expected::Version(now.fingerprint));
                put(remote, name, bytes, &replaces).await;
            });
        });
    }

    /// Posts a form as the first user, past every client; returns the answer's text.
    pub(crate) fn ask(&self, target: &str, form: &str) -> String {
        let place = &self.place;
        let url = format!("{}/api/{}/{target}", place.url, place.workspace);
        let request = async {
            let client = reqwest::Client::new().post(url);
            let client = client.basic_auth(&place.user, Some(&self.password));
            let kind = "application/x-www-form-urlencoded";
            let client = client.header("content-type", kind).body(form.to_owned());
            client.send().await.expect("an answer").text().await
        };
        let asked = std::thread::scope(|scope| scope.spawn(|| run(request)).join());
        asked.expect("the request").expect("a text")
    }

    pub(crate) fn read(&self, name: &str) -> Option<Vec<u8>> {
        self.other(|remote| run(read(remote, name)))
    }

    /// All paths, as another client lists them.
    pub(crate) fn names(&self) -> Vec<String> {
        self.other(|remote| run(names(remote)))
    }
}

/// Writes in any way that succeeds.
pub(crate) async fn put(
    remote: &PydioRemote,
    name: &str,
    bytes: &[u8],
    replaces: &Expected,
) -> Put {
    let source = Memory::boxed(Kind::File, bytes, 1 << 16);
    try_put(remote, name, source, replaces).await.expect("put")
}

/// Reads a file whole; nothing when it is absent.
pub(crate) async fn read(remote: &PydioRemote, name: &str) -> Option<Vec<u8>> {
    let target = path(name);
    let now = remote.stat(&target).await.expect("stat")?;
    let mut source = remote.open(&target, &now.fingerprint).await.expect("open");
    let mut bytes = Vec::new();
    while let Some(piece) = source.read().await.expect("read") {
        bytes.extend(piece);
    }
    Some(bytes)
}

fn unique() -> String {
    let now = std::time::UNIX_EPOCH.elapsed().expect("clock").as_nanos();
    format!("{now}-{:?}", std::thread::current().id())
        .replace(['(', ')'], "-")
        .trim_end_matches('-')
        .to_owned()
}

fn place(url: &str, workspace: &str, user: &str) -> ServerPlace {
    ServerPlace {
        url: url.to_owned(),
        workspace: workspace.to_owned(),
        folder: RelPath::root(),
        user: user.to_owned(),
        link: Link {
            timeout: Duration::from_secs(10),
            ..Link::default()
        },
    }
}

/// Writes a source, and tells how that ended.
pub(crate) async fn try_put(
    remote: &PydioRemote,
    name: &str,
    source: Box<dyn Source>,
    replaces: &Expected,
) -> PortResult<Put> {
    try_put_as(Seq(1), remote, name, source, replaces).await
}

/// As [`try_put`], as an operation of its own: two at once need two ids, which their
/// temporary names hold.
pub(crate) async fn try_put_as(
    id: Seq,
    remote: &PydioRemote,
    name: &str,
    source: Box<dyn Source>,
    replaces: &Expected,
) -> PortResult<Put> {
    let request = PutRequest {
        id,
        path: &path(name),
        source,
        replaces,
        digest: DigestKind::Md5,
    };
    remote.put(request).await
}

/// What stands at a path, which must be there.
pub(crate) async fn entry(remote: &PydioRemote, name: &str) -> Entry {
    let entry = remote.stat(&path(name)).await.expect("stat");
    entry.unwrap_or_else(|| panic!("{name} is absent"))
}

/// Every path of the remote.
pub(crate) async fn names(remote: &PydioRemote) -> Vec<String> {
    all(remote).await.into_keys().collect()
}

pub(crate) fn class<T>(result: &PortResult<T>) -> Option<FailureClass> {
    result.as_ref().err().map(|error| error.class)
}

/// What changed since a cursor.
pub(crate) async fn since(remote: &PydioRemote, cursor: Option<&str>) -> Changes {
    let feed = remote.feed().expect("feed");
    feed.since(cursor).await.expect("changes")
}

/// What was hinted at.
pub(crate) fn hinted(changes: &Changes) -> Vec<ScanTarget> {
    let targets = changes.hints.iter().map(|hint| match hint {
        Hint::Path { path, subtree } => ScanTarget {
            path: path.clone(),
            subtree: *subtree,
        },
        Hint::Rescan => ScanTarget {
            path: path(""),
            subtree: true,
        },
    });
    targets.collect()
}

/// Looks at everything that was hinted at: lines of what was seen.
pub(crate) async fn look(remote: &PydioRemote, changes: &Changes) -> Vec<String> {
    let targets = hinted(changes);
    let seen = items(remote.scan(ScanRequest { targets })).await;
    lines(&seen.expect("scan"))
}

/// Everything that a remote lists.
pub(crate) async fn all(remote: &PydioRemote) -> BTreeMap<String, Entry> {
    let found = items(remote.scan(request(&[("", true)]))).await;
    entries(&found.expect("scan"))
}

pub(crate) fn md5(bytes: &[u8]) -> Option<Digest> {
    Some(Digest::Md5(md5::Md5::digest(bytes).into()))
}

pub(crate) fn object(entry: &Entry) -> Option<u64> {
    entry.fingerprint.identity.map(|identity| identity.object)
}

/// Removes as another client.
pub(crate) fn remove(site: &Site, name: &str) {
    site.other(|remote| {
        run(async {
            let now = entry(remote, name).await.fingerprint;
            let removed = remote.remove(Seq(9), &path(name), &now).await;
            removed.expect("remove");
        });
    });
}

/// Renames as another client.
pub(crate) fn rename(site: &Site, from: &str, to: &str) {
    site.other(|remote| {
        run(async {
            let now = entry(remote, from).await.fingerprint;
            let moved = remote.rename(&path(from), &path(to), &now).await;
            moved.expect("rename");
        });
    });
}
