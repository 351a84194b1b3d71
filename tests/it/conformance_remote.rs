//! What every remote promises, as one suite; each remote is a line in `REMOTES`.
//!
//! A remote brings a `Bench`: a fresh, empty, claimed root, and a hand that
//! changes it behind the remote's back. What a remote says that it cannot do
//! (links) is left out for it. A server has no marker file: its root's marker is made
//! of what it is, so only that it stays the same is asked of it.

use crate::folders::{Memory, entries, items, lines, path, request, run};
use crate::pydio_site::Site;
use crate::webdav_real::{Address, named, real};
use crate::webdav_site::DavSite;
use journal_format::event::{Expected, FailureClass};
use journal_format::value::{Digest, DigestKind, Entry, Fingerprint, Kind, RemoteVersion, Seq};
use md5::Digest as _;
use pydio_sync::adapters::remote::open_folder;
use pydio_sync::adapters::rooted::Options;
use pydio_sync::ports::{PortResult, Put, PutRequest, Remote, RootState, Source};
use std::fs;
use std::path::PathBuf;
use tempfile::TempDir;
use test_servers::pydio::{Quirk, Quirks};
use test_servers::webdav::Quirks as DavQuirks;

/// A remote with a hand in it.
struct Bench {
    remote: Box<dyn Remote>,
    hand: Box<dyn Hand>,
}

/// Changes and reads what a remote holds, past the remote.
trait Hand {
    fn write(&self, name: &str, text: &[u8]);
    fn read(&self, name: &str) -> Option<Vec<u8>>;
    /// All paths but ours.
    fn names(&self) -> Vec<String>;
    /// A second instance, as after a restart.
    fn again(&self) -> Box<dyn Remote>;
    /// The marker that was written, where markers are written.
    fn marker(&self) -> Option<&str>;
}

type Make = fn() -> Bench;

/// Every remote there is.
const REMOTES: [(&str, Make); 17] = [
    ("Apache", || webdav_real("apache")),
    ("nginx", || webdav_real("nginx")),
    ("rclone", || webdav_real("rclone")),
    ("WsgiDAV", || webdav_real("wsgidav")),
    ("lighttpd", || webdav_real("lighttpd")),
    ("sabre/dav", || webdav_real("sabre")),
    ("webdav", || webdav(DavQuirks::none())),
    ("webdav as Apache", || webdav_timed(DavQuirks::apache())),
    ("webdav as nginx", || webdav(DavQuirks::nginx())),
    ("webdav as rclone", || webdav(DavQuirks::rclone())),
    ("webdav as WsgiDAV", || webdav(DavQuirks::wsgidav())),
    ("webdav as Nextcloud", || webdav(DavQuirks::nextcloud())),
    ("folder", folder),
    ("pydio 6.4", || pydio(Quirks::v6_4())),
    ("pydio 8.2", || pydio(Quirks::v8_2())),
    ("pydio, without quirks", || pydio(Quirks::none())),
    ("pydio, every quirk", || {
        pydio(Quirks::all().without(Quirk::DeferredEvents))
    }),
];

/// A folder on a WebDAV server, whose clock stands still: nothing ages by itself.
fn webdav(quirks: DavQuirks) -> Bench {
    webdav_bench(DavSite::of(quirks))
}

/// The same by this machine's clock: a tag that is weak at first becomes a strong one.
fn webdav_timed(quirks: DavQuirks) -> Bench {
    webdav_bench(DavSite::timed(quirks))
}

fn webdav_bench(site: DavSite) -> Bench {
    let remote = site.remote("client");
    run(remote.claim_root("remote-1")).expect("claim");
    Bench {
        remote: Box::new(remote),
        hand: Box::new(site),
    }
}

/// A folder on a real WebDAV server.
fn webdav_real(kind: &'static str) -> Bench {
    webdav_at(real(kind))
}

fn webdav_at(address: Address) -> Bench {
    let remote = address.remote("client");
    run(remote.claim_root("remote-1")).expect("claim");
    Bench {
        remote: Box::new(remote),
        hand: Box::new(address),
    }
}

impl Hand for Address {
    fn write(&self, name: &str, text: &[u8]) {
        Self::write(self, name, text);
    }

    fn read(&self, name: &str) -> Option<Vec<u8>> {
        Self::read(self, name)
    }

    fn names(&self) -> Vec<String> {
        Self::names(self)
    }

    fn again(&self) -> Box<dyn Remote> {
        Box::new(self.remote("client"))
    }

    fn marker(&self) -> Option<&str> {
        Some("remote-1")
    }
}

impl Hand for DavSite {
    fn write(&self, name: &str, text: &[u8]) {
        self.hand().write(name, text);
    }

    fn read(&self, name: &str) -> Option<Vec<u8>> {
        self.hand().read(name)
    }

    fn names(&self) -> Vec<String> {
        Self::names(self)
    }

    fn again(&self) -> Box<dyn Remote> {
        Box::new(self.remote("client"))
    }

    fn marker(&self) -> Option<&str> {
        Some("remote-1")
    }
}

/// A folder on a Pydio server; the environment may name a real one.
fn pydio(quirks: Quirks) -> Bench {
    let site = Site::real()
        .unwrap_or_else(|| Site::of(quirks))
        .in_new_folder();
    Bench {
        remote: Box::new(site.remote("client")),
        hand: Box::new(site),
    }
}

impl Hand for Site {
    fn write(&self, name: &str, text: &[u8]) {
        Self::write(self, name, text);
    }

    fn read(&self, name: &str) -> Option<Vec<u8>> {
        Self::read(self, name)
    }

    fn names(&self) -> Vec<String> {
        Self::names(self)
    }

    fn again(&self) -> Box<dyn Remote> {
        Box::new(self.remote("client"))
    }

    fn marker(&self) -> Option<&str> {
        None
    }
}

struct FolderHand(TempDir);

fn folder() -> Bench {
    let hand = FolderHand(tempfile::tempdir().expect("temporary directory"));
    let remote = hand.again();
    run(remote.claim_root("remote-1")).expect("claim");
    Bench {
        remote,
        hand: Box::new(hand),
    }
}

impl FolderHand {
    fn at(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }
}

impl Hand for FolderHand {
    fn write(&self, name: &str, text: &[u8]) {
        let at = self.at(name);
        fs::create_dir_all(at.parent().expect("parent")).expect("directories");
        fs::write(at, text).expect("file");
    }

    fn read(&self, name: &str) -> Option<Vec<u8>> {
        fs::read(self.at(name)).ok()
    }

    fn names(&self) -> Vec<String> {
        let mut names = Vec::new();
        let mut waiting = vec![self.at("")];
        while let Some(directory) = waiting.pop() {
            for entry in fs::read_dir(directory).expect("list") {
                let at = entry.expect("entry").path();
                let name = at
                    .strip_prefix(self.0.path())
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

    fn again(&self) -> Box<dyn Remote> {
        open_folder(self.0.path(), "client", Options::default()).expect("remote")
    }

    fn marker(&self) -> Option<&str> {
        Some("remote-1")
    }
}

impl Bench {
    async fn put(
        &self,
        id: u64,
        name: &str,
        source: Box<dyn Source>,
        replaces: Expected,
    ) -> PortResult<Put> {
        let request = PutRequest {
            id: Seq(id),
            path: &path(name),
            source,
            replaces: &replaces,
            digest: self.kind(),
        };
        let put = self.remote.put(request).await?;
        self.remote.sync().await?;
        Ok(put)
    }

    fn kind(&self) -> DigestKind {
        self.remote.capabilities().digest
    }

    fn digest(&self, bytes: &[u8]) -> Option<Digest> {
        Some(match self.kind() {
            DigestKind::Blake3 => Digest::Blake3(*blake3::hash(bytes).as_bytes()),
            DigestKind::Md5 => Digest::Md5(md5::Md5::digest(bytes).into()),
            DigestKind::Sha1 => Digest::Sha1(sha1::Sha1::digest(bytes).into()),
        })
    }

    /// The same of a file that was read: some servers have nothing else to tell what was
    /// written a moment ago by.
    async fn read(&self, name: &str) -> Entry {
        let entry = self.entry(name).await;
        let kind = self.remote.capabilities().digest;
        let at = path(name);
        let read = self.remote.hash(&at, &entry.fingerprint, kind);
        read.await.expect("its hash");
        entry
    }

    async fn entry(&self, name: &str) -> Entry {
        let entry = self.remote.stat(&path(name)).await.expect("stat");
        entry.unwrap_or_else(|| panic!("{name} is absent"))
    }
}

/// What stands there was told of; what somebody else may have written right after is
/// marked, to be read again.
fn is_told(told: &Fingerprint, now: Fingerprint) {
    let mark = told.version.as_ref().map(RemoteVersion::as_str);
    let is_marked = mark.is_some_and(|mark| mark.ends_with("~young"));
    let version = if is_marked {
        told.version.clone()
    } else {
        now.version.clone()
    };
    assert_eq!(*told, Fingerprint { version, ..now });
}

fn each(check: fn(&Bench)) {
    for (name, make) in REMOTES {
        // Shown only when the check fails.
        println_name(name);
        check(&make());
    }
    if let Some(address) = named() {
        println_name("WebDAV, of the environment");
        check(&webdav_at(address));
    }
}

#[expect(clippy::print_stdout, reason = "names the remote of a failure")]
fn println_name(name: &str) {
    println!("remote: {name}");
}

fn class<T: std::fmt::Debug>(result: PortResult<T>) -> FailureClass {
    result.expect_err("a failure").class
}

#[test]
fn a_put_writes_whole_content_and_verifies_it() {
    each(|bench| {
        let big = vec![9u8; 2_300_000];
        let table = [
            ("empty", Kind::File, &b""[..]),
            ("small ü.txt", Kind::File, b"small"),
            ("big", Kind::File, &big),
            ("link", Kind::Symlink, b"../anywhere"),
        ];
        run(async {
            for (id, (name, kind, bytes)) in (1u64..).zip(table) {
                if kind == Kind::Symlink && !bench.remote.capabilities().symlinks {
                    continue;
                }
                let source = Memory::boxed(kind, bytes, 1 << 16);
                let put = bench
                    .put(id, name, source, Expected::Absent)
                    .await
                    .expect("put");
                assert_eq!((put.bytes, put.kept.len()), (bytes.len() as u64, 0));
                assert_eq!(put.source.digest, bench.digest(bytes));
                assert_eq!(put.entry.digest, bench.digest(bytes));
                let now = bench.entry(name).await;
                is_told(&put.entry.fingerprint, now.fingerprint.clone());
                let mut opened = bench
                    .remote
                    .open(&path(name), &now.fingerprint)
                    .await
                    .expect("open");
                let mut read = Vec::new();
                while let Some(chunk) = opened.read().await.expect("read") {
                    read.extend(chunk);
                }
                assert_eq!(read, bytes);
                let hashed = bench
                    .remote
                    .hash(&path(name), &now.fingerprint, bench.kind())
                    .await;
                assert_eq!(hashed.expect("hash").digest, bench.digest(bytes));
            }
        });
    });
}

#[test]
fn a_put_meets_what_it_expects_or_changes_nothing() {
    each(|bench| {
        bench.hand.write("f", b"old");
        bench.hand.write("d/x", b"x");
        run(async {
            let old = bench.entry("f").await.fingerprint;
            let d = bench.entry("d").await.fingerprint;
            let absent = || Expected::Absent;
            let version = || Expected::Version(old.clone());
            bench.hand.write("f", b"edited");
            for (name, source, replaces) in [
                ("f", Memory::file(b"new"), absent()),
                ("d", Memory::file(b"new"), absent()),
                ("f", Memory::file(b"new"), version()),
                ("absent", Memory::file(b"new"), version()),
                ("no/parent", Memory::file(b"new"), absent()),
                ("f/x", Memory::file(b"new"), absent()),
                ("g", Memory::changing(b"new"), absent()),
                ("g", Memory::lying(b"new", 2), absent()),
                ("g", Memory::lying(b"new", 4), absent()),
            ] {
                let result = bench.put(5, name, source, replaces).await;
                assert_eq!(class(result), FailureClass::Precondition, "{name}");
            }
            let result = bench
                .put(5, "d", Memory::file(b"new"), Expected::Version(d))
                .await;
            assert_eq!(class(result), FailureClass::Unsupported);
        });
        assert_eq!(bench.hand.read("f").expect("f"), b"edited");
        assert_eq!(bench.hand.names(), ["d", "d/x", "f"]);
    });
}

#[test]
fn a_put_replaces_exactly_the_version_it_expects() {
    each(|bench| {
        bench.hand.write("f", b"old");
        run(async {
            let old = bench.read("f").await.fingerprint;
            let replaces = Expected::Version(old.clone());
            let put = bench
                .put(1, "f", Memory::file(b"newer"), replaces)
                .await
                .expect("put");
            assert!(put.kept.is_empty());
            is_told(&put.entry.fingerprint, bench.entry("f").await.fingerprint);
            assert_eq!(
                class(bench.remote.open(&path("f"), &old).await.map(drop)),
                FailureClass::Precondition
            );
        });
        assert_eq!(bench.hand.read("f").expect("f"), b"newer");
        assert_eq!(bench.hand.names(), ["f"]);
    });
}

#[test]
fn directories_and_moves_never_replace() {
    each(|bench| {
        bench.hand.write("a", b"a");
        bench.hand.write("b", b"bb");
        run(async {
            let made = bench.remote.make_dir(&path("d")).await.expect("directory");
            assert_eq!(made.fingerprint, bench.entry("d").await.fingerprint);
            for name in ["d", "a", "x/y", "a/y"] {
                let result = bench.remote.make_dir(&path(name)).await;
                assert_eq!(class(result), FailureClass::Precondition, "{name}");
            }
            let a = bench.entry("a").await.fingerprint;
            for (from, to) in [("a", "b"), ("a", "d"), ("b", "e"), ("x", "e"), ("a", "x/y")] {
                let result = bench.remote.rename(&path(from), &path(to), &a).await;
                assert_eq!(class(result), FailureClass::Precondition, "{from} to {to}");
            }
            bench
                .remote
                .rename(&path("a"), &path("d/a"), &a)
                .await
                .expect("rename");
            let moved = bench
                .remote
                .rename(&path("d"), &path("e"), &made.fingerprint)
                .await;
            assert_eq!(moved.expect("rename").kind(), Kind::Directory);
            bench.remote.sync().await.expect("sync");
        });
        assert_eq!(bench.hand.names(), ["b", "e", "e/a"]);
    });
}

#[test]
fn a_removal_removes_only_what_it_expects() {
    each(|bench| {
        // Sizes differ, since some servers have nothing else to tell versions by.
        bench.hand.write("f", b"f");
        bench.hand.write("d/x", b"xx");
        run(async {
            let f = bench.read("f").await.fingerprint;
            let d = bench.entry("d").await.fingerprint;
            let x = bench.read("d/x").await.fingerprint;
            for (name, expect) in [("f", &x), ("d", &d), ("d", &f), ("absent", &f), ("f/y", &f)] {
                let result = bench.remote.remove(Seq(3), &path(name), expect).await;
                assert_eq!(class(result), FailureClass::Precondition, "{name}");
            }
            assert_eq!(bench.hand.names(), ["d", "d/x", "f"]);
            for (name, expect) in [("f", &f), ("d/x", &x), ("d", &d)] {
                bench
                    .remote
                    .remove(Seq(3), &path(name), expect)
                    .await
                    .expect("remove");
            }
            bench.remote.sync().await.expect("sync");
        });
        assert!(bench.hand.names().is_empty());
    });
}

#[test]
fn a_scan_shows_what_the_hand_made() {
    each(|bench| {
        bench.hand.write("a/b/c", b"c");
        bench.hand.write("e", b"");
        let scan = |targets: &[(&str, bool)]| {
            run(items(bench.remote.scan(request(targets)))).expect("scan")
        };
        assert_eq!(
            lines(&scan(&[("", true)])),
            [
                "/ whole",
                "/a Directory",
                "/e File",
                "a/ whole",
                "a/b Directory",
                "a/b/ whole",
                "a/b/c File"
            ]
        );
        assert_eq!(lines(&scan(&[("a/x", false)])), ["a/ names x"]);
        assert_eq!(lines(&scan(&[("x/y", true)])), ["/ names x"]);
        for (name, entry) in entries(&scan(&[("", true)])) {
            assert_eq!(run(bench.entry(&name)).fingerprint, entry.fingerprint);
        }
        let state = run(bench.remote.root()).expect("root");
        let RootState::Present {
            marker: Some(marker),
        } = &state
        else {
            panic!("{state:?}");
        };
        assert!(bench.hand.marker().is_none_or(|written| written == marker));
        assert_eq!(run(bench.hand.again().root()), Ok(state));
    });
}

#[test]
fn a_restart_settles_what_was_left_and_keeps_what_is_there() {
    each(|bench| {
        bench.hand.write("f", b"f");
        run(async {
            let big = vec![1u8; 3_000_000];
            let target = path("dropped");
            let request = PutRequest {
                id: Seq(1),
                path: &target,
                source: Memory::file(&big),
                replaces: &Expected::Absent,
                digest: bench.kind(),
            };
            let mut put = bench.remote.put(request);
            assert!(futures::poll!(&mut put).is_pending());
            drop(put);
        });
        let again = bench.hand.again();
        run(async {
            again.root().await.expect("root");
            again.tidy_up().await.expect("tidy");
            again.tidy_up().await.expect("nothing left");
        });
        assert_eq!(bench.hand.names(), ["f"]);
    });
}
