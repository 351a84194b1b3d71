//! What every local side promises, checked on a real folder.

use crate::folders::{MTIME_NS, Memory, blake3, entries, items, lines, path, request, run};
use futures::StreamExt;
use journal_format::event::FailureClass;
use journal_format::value::{DigestKind, Entry, Kind, Seq, Timestamp};
use pydio_sync::adapters::local_fs::LocalFolder;
use pydio_sync::adapters::rooted::{Filter, FilterRules, Options};
use pydio_sync::ports::{Hint, HintStream, LocalFs, PortResult, RootState, Slot};
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::PathBuf;
use tempfile::TempDir;

/// A claimed folder, with a place beside it that must not be touched.
struct World {
    base: TempDir,
    side: LocalFolder,
}

impl World {
    fn new() -> Self {
        Self::with(&FilterRules::default())
    }

    fn with(rules: &FilterRules) -> Self {
        let base = tempfile::tempdir().expect("temporary directory");
        let root = base.path().join("root");
        fs::create_dir(&root).expect("root");
        fs::create_dir(base.path().join("outside")).expect("outside");
        fs::write(base.path().join("outside/secret"), "secret").expect("secret");
        let filter = Filter::new(rules).expect("filter");
        let side = LocalFolder::open(&root, Options { filter }).expect("folder");
        run(side.claim_root("root-1")).expect("claim");
        Self { base, side }
    }

    fn at(&self, name: &str) -> PathBuf {
        self.base.path().join("root").join(name)
    }

    fn write(&self, name: &str, text: impl AsRef<[u8]>) {
        let at = self.at(name);
        fs::create_dir_all(at.parent().expect("parent")).expect("directories");
        fs::write(at, text).expect("file");
    }

    fn read(&self, name: &str) -> Vec<u8> {
        fs::read(self.at(name)).expect("file")
    }

    async fn entry(&self, name: &str) -> Entry {
        let entry = self.side.stat(&path(name)).await.expect("stat");
        entry.unwrap_or_else(|| panic!("{name} is absent"))
    }

    async fn stage(&self, id: u64, bytes: &[u8]) {
        self.side
            .stage(Seq(id), Memory::file(bytes), DigestKind::Blake3)
            .await
            .expect("stage");
    }

    /// Every name that is not ours, with its content.
    fn tree(&self) -> Vec<String> {
        let mut found = Vec::new();
        let mut waiting = vec![self.at("")];
        while let Some(directory) = waiting.pop() {
            for entry in fs::read_dir(directory).expect("list") {
                let at = entry.expect("entry").path();
                let name = at
                    .strip_prefix(self.at(""))
                    .expect("below")
                    .display()
                    .to_string();
                if name == ".pydio-sync" {
                    continue;
                }
                if at.is_dir() && !at.is_symlink() {
                    waiting.push(at);
                } else {
                    let text = fs::read(&at).unwrap_or_default();
                    found.push(format!("{name}={}", String::from_utf8_lossy(&text)));
                }
            }
        }
        found.sort();
        found
    }

    fn assert_outside_untouched(&self) {
        let outside = self.base.path().join("outside");
        assert_eq!(fs::read(outside.join("secret")).expect("secret"), b"secret");
        assert_eq!(fs::read_dir(outside).expect("outside").count(), 1);
    }
}

fn class<T: std::fmt::Debug>(result: PortResult<T>) -> FailureClass {
    result.expect_err("a failure").class
}

#[test]
fn a_root_is_told_as_it_is_and_works_again_when_it_returns() {
    let world = World::new();
    let away = world.base.path().join("away");
    run(async {
        let present = |marker: &str| RootState::Present {
            marker: Some(marker.to_owned()),
        };
        assert_eq!(world.side.root().await, Ok(present("root-1")));
        assert_eq!(
            fs::metadata(world.at(".pydio-sync"))
                .expect("control")
                .permissions()
                .mode()
                & 0o777,
            0o700
        );
        fs::rename(world.at(""), &away).expect("away");
        assert_eq!(world.side.root().await, Ok(RootState::Missing));
        assert_eq!(
            class(world.side.make_dir(&path("d")).await),
            FailureClass::Precondition
        );
        fs::write(world.base.path().join("root"), "file").expect("file");
        assert_eq!(world.side.root().await, Ok(RootState::NotADirectory));
        fs::remove_file(world.base.path().join("root")).expect("file");
        fs::create_dir(world.at("")).expect("another root");
        // Nobody looked at the new root yet: nothing is written into it.
        assert_eq!(
            class(world.side.make_dir(&path("d")).await),
            FailureClass::Precondition
        );
        assert_eq!(
            world.side.root().await,
            Ok(RootState::Present { marker: None })
        );
        world.side.claim_root("root-2").await.expect("claim");
        assert_eq!(world.side.root().await, Ok(present("root-2")));
        world.side.make_dir(&path("d")).await.expect("works again");
        fs::write(world.at(".pydio-sync/root"), "two\nlines").expect("damage");
        assert!(matches!(
            world.side.root().await,
            Ok(RootState::Unreadable(_))
        ));
    });
    assert!(!away.join("d").exists());
}

#[test]
fn a_scan_lists_everything_as_what_it_is() {
    let world = World::new();
    world.write("a/b/c.txt", "c");
    world.write("empty", "");
    world.write("x.tmp", "left out");
    world.write("build/.pydiosyncignore", "*.o\n!keep.o\nsub/\n");
    world.write("build/a.o", "");
    world.write("build/keep.o", "");
    world.write("build/sub/inner", "");
    world.write("build/deep/a.o", "");
    fs::write(world.at("n").with_file_name(bad_name()), "").expect("bytes");
    symlink("../outside", world.at("link")).expect("link");
    rustix::fs::mkfifoat(rustix::fs::CWD, world.at("pipe"), rustix::fs::Mode::RUSR).expect("pipe");
    let (long, dots) = ("é".repeat(127), "z".repeat(255));
    world.write(&long, "");
    world.write(&dots, "");
    let found = run(items(world.side.scan(request(&[("", true)])))).expect("scan");
    let mut expected: Vec<String> = [
        "/ whole",
        "/a Directory",
        "/build Directory",
        "/empty File",
        "/link Symlink",
        "/n\u{fffd} InvalidName",
        "/pipe UnsupportedKind",
        "/x.tmp Excluded",
        "a/ whole",
        "a/b Directory",
        "a/b/ whole",
        "a/b/c.txt File",
        "build/ whole",
        "build/.pydiosyncignore File",
        "build/a.o Excluded",
        "build/deep Directory",
        "build/deep/ whole",
        "build/deep/a.o Excluded",
        "build/keep.o File",
        "build/sub Excluded",
    ]
    .map(str::to_owned)
    .into();
    expected.extend([format!("/{long} File"), format!("/{dots} File")]);
    expected.sort();
    assert_eq!(lines(&found), expected);
    let metadata = fs::metadata(world.at("a/b/c.txt")).expect("metadata");
    let entry = &entries(&found)["a/b/c.txt"].fingerprint;
    let identity = entry.identity.expect("identity");
    assert_eq!(
        (entry.size, identity.object, identity.device),
        (1, metadata.ino(), metadata.dev())
    );
    assert_eq!(
        entry.mtime_ns,
        metadata.mtime() * 1_000_000_000 + metadata.mtime_nsec()
    );
    assert_ne!(identity.born_ns, 0);
    let directory = &entries(&found)["a"].fingerprint;
    assert_eq!((directory.size, directory.mtime_ns), (0, 0));
}

fn bad_name() -> std::ffi::OsString {
    std::os::unix::ffi::OsStringExt::from_vec(vec![b'n', 0xff])
}

#[test]
fn parents_are_listed_before_their_children() {
    let world = World::new();
    for a in 0..12 {
        for b in 0..6 {
            world.write(&format!("{a}/{b}/{a}/f"), "");
        }
    }
    let found = run(items(world.side.scan(request(&[("", true)])))).expect("scan");
    let mut seen = std::collections::BTreeSet::new();
    for item in &found {
        let pydio_sync::ports::ScanItem::Listing(listing) = item else {
            panic!("{item:?}");
        };
        assert!(
            listing
                .directory
                .parent()
                .is_none_or(|parent| seen.contains(&parent))
        );
        assert!(
            seen.insert(listing.directory.clone()),
            "twice: {}",
            listing.directory
        );
    }
    assert_eq!(seen.len(), 1 + 12 + 12 * 6 * 2);
}

#[test]
fn a_target_proves_absence_only_where_its_directory_was_opened() {
    let world = World::new();
    world.write("a/b/c", "");
    world.write("file", "");
    world.write("skip.tmp/inner", "");
    world.write("i/.pydiosyncignore", "gone\n");
    symlink("../outside", world.at("link")).expect("link");
    type Case<'a> = (&'a [(&'a str, bool)], &'a [&'a str]);
    let table: [Case<'_>; 10] = [
        (&[("a/b/c", false)], &["a/b/ names c", "a/b/c File"]),
        (&[("a/b/x", false)], &["a/b/ names x"]),
        (&[("a/x/y/z", true)], &["a/ names x"]),
        (&[("file/x", false)], &["/ names file", "/file File"]),
        (&[("link/secret", true)], &["/ names link", "/link Symlink"]),
        (
            &[("skip.tmp/inner", false)],
            &["/ names skip.tmp", "/skip.tmp Excluded"],
        ),
        (&[("i/gone", false)], &["i/ names gone"]),
        (&[(".pydio-sync/root", false)], &[]),
        (
            &[("a", true), ("a/b/c", false), ("a/b", true)],
            &[
                "/ names a",
                "/a Directory",
                "a/ whole",
                "a/b Directory",
                "a/b/ whole",
                "a/b/c File",
            ],
        ),
        (
            &[("file", true), ("x", false)],
            &["/ names file x", "/file File"],
        ),
    ];
    for (targets, expected) in table {
        let found = run(items(world.side.scan(request(targets)))).expect("scan");
        assert_eq!(lines(&found), expected, "{targets:?}");
    }
    fs::rename(world.at(""), world.base.path().join("away")).expect("away");
    let result = run(items(world.side.scan(request(&[("a", false)]))));
    assert_eq!(class(result), FailureClass::Precondition);
}

#[test]
fn content_crosses_whole_with_time_mode_and_digest() {
    let source = World::new();
    let world = World::new();
    let big: Vec<u8> = (0..3_000_017u32).map(|n| (n % 251) as u8).collect();
    let table: [(&str, &[u8]); 4] = [
        ("empty", b""),
        ("small", b"small"),
        ("big", &big),
        ("d/deep", &big[..1 << 20]),
    ];
    for (id, (name, bytes)) in (1u64..).zip(table) {
        source.write(name, bytes);
        fs::set_permissions(source.at(name), fs::Permissions::from_mode(0o4640)).expect("mode");
        run(async {
            if name.contains('/') {
                world.side.make_dir(&path("d")).await.expect("directory");
            }
            let entry = source.entry(name).await;
            let opened = source
                .side
                .open(&path(name), &entry.fingerprint)
                .await
                .expect("open");
            let staged = world.side.stage(Seq(id), opened, DigestKind::Blake3).await;
            let staged = staged.expect("stage");
            assert_eq!(staged.bytes, bytes.len() as u64);
            assert_eq!(staged.source.digest, blake3(bytes));
            world.side.sync().await.expect("sync");
            let now = world
                .side
                .commit_new(Seq(id), &path(name))
                .await
                .expect("commit");
            world.side.sync().await.expect("sync");
            assert_eq!(now, world.entry(name).await);
            assert_eq!(now.fingerprint.mtime_ns, entry.fingerprint.mtime_ns);
            let hashed = world
                .side
                .hash(&path(name), &now.fingerprint, DigestKind::Blake3)
                .await;
            assert_eq!(hashed.expect("hash").digest, blake3(bytes));
        });
        assert_eq!(world.read(name), bytes);
        let mode = fs::metadata(world.at(name)).expect("metadata").mode();
        assert_eq!(mode & 0o7777, 0o640, "no setuid");
    }
}

#[test]
fn content_of_a_peer_and_links_are_staged_alike() {
    let world = World::new();
    let big = vec![7u8; 2_500_000];
    let table = [
        (Kind::File, &b""[..], 1 << 16),
        (Kind::File, b"one piece", 1 << 16),
        (Kind::File, &big, 1 << 16),
        (Kind::Symlink, b"../outside/secret", 5),
    ];
    for (id, (kind, bytes, piece)) in (1u64..).zip(table) {
        let name = format!("f{id}");
        run(async {
            let source = Memory::boxed(kind, bytes, piece);
            let staged = world.side.stage(Seq(id), source, DigestKind::Blake3).await;
            assert_eq!(staged.expect("stage").source.digest, blake3(bytes));
            let now = world
                .side
                .commit_new(Seq(id), &path(&name))
                .await
                .expect("commit");
            assert_eq!((now.kind(), now.fingerprint.mtime_ns), (kind, MTIME_NS));
            let mut opened = world
                .side
                .open(&path(&name), &now.fingerprint)
                .await
                .expect("open");
            let mut read = Vec::new();
            while let Some(chunk) = opened.read().await.expect("read") {
                read.extend(chunk);
            }
            assert_eq!(read, bytes);
        });
    }
    assert_eq!(
        fs::metadata(world.at("f2")).expect("metadata").mode() & 0o7777,
        0o751
    );
    world.assert_outside_untouched();
}

#[test]
fn content_that_is_not_what_was_announced_leaves_no_slot() {
    let world = World::new();
    let big = vec![1u8; 2_000_000];
    for source in [
        Memory::changing(b"short"),
        Memory::changing(&big),
        Memory::lying(b"short", 9),
        Memory::lying(b"longer than said", 3),
        Memory::lying(&big, 1_999_999),
        Memory::lying(&big, 2_000_001),
    ] {
        let result = run(world.side.stage(Seq(1), source, DigestKind::Blake3));
        assert_eq!(class(result), FailureClass::Precondition);
        assert_eq!(run(world.side.leftovers()), Ok(Vec::new()));
    }
    for kind in [DigestKind::Md5, DigestKind::Sha1] {
        let result = run(world.side.stage(Seq(1), Memory::file(b"x"), kind));
        assert_eq!(class(result), FailureClass::Unsupported);
    }
}

#[test]
fn a_file_that_changes_while_it_is_read_ends_in_an_error() {
    let world = World::new();
    let big = vec![3u8; 2_000_000];
    type Change = fn(&World);
    let changes: [Change; 3] = [
        |world| {
            world.write("f", vec![4u8; 2_000_000]);
            // Some kernels' clocks step too rarely to tell the write.
            let file = fs::File::options()
                .write(true)
                .open(world.at("f"))
                .expect("file");
            file.set_modified(std::time::SystemTime::UNIX_EPOCH)
                .expect("time");
        },
        |world| world.write("f", "short"),
        |world| fs::rename(world.at("other"), world.at("f")).expect("replace"),
    ];
    for change in changes {
        world.write("f", &big);
        world.write("other", &big);
        run(async {
            let entry = world.entry("f").await;
            let at = path("f");
            let open = || world.side.open(&at, &entry.fingerprint);
            let (mut reader, staged) = (open().await.expect("open"), open().await.expect("open"));
            reader.read().await.expect("first").expect("chunk");
            change(&world);
            let last = loop {
                match reader.read().await {
                    Ok(Some(_)) => {}
                    other => break other,
                }
            };
            assert_eq!(class(last), FailureClass::Precondition);
            let result = world.side.stage(Seq(1), staged, DigestKind::Blake3).await;
            assert_eq!(class(result), FailureClass::Precondition);
            assert_eq!(world.side.leftovers().await, Ok(Vec::new()));
            assert_eq!(class(open().await.map(drop)), FailureClass::Precondition);
        });
    }
}

#[test]
fn nothing_is_replaced_and_a_failure_keeps_the_slot() {
    let world = World::new();
    world.write("taken", "old");
    world.write("dir/inner", "inner");
    symlink("nowhere", world.at("dangling")).expect("link");
    run(async {
        world.stage(7, b"new").await;
        for name in [
            "taken",
            "dir",
            "dangling",
            "absent/x",
            "taken/x",
            "dangling/x",
        ] {
            let result = world.side.commit_new(Seq(7), &path(name)).await;
            assert_eq!(class(result), FailureClass::Precondition, "{name}");
            let result = world.side.make_dir(&path(name)).await;
            assert_eq!(class(result), FailureClass::Precondition, "{name}");
        }
        let entry = world.entry("dir/inner").await;
        for name in ["taken", "dir", "absent/x"] {
            let result = world
                .side
                .rename(&path("dir/inner"), &path(name), &entry.fingerprint)
                .await;
            assert_eq!(class(result), FailureClass::Precondition, "{name}");
        }
        let dir = world.entry("dir").await;
        let into = world
            .side
            .rename(&path("dir"), &path("dir/x"), &dir.fingerprint)
            .await;
        assert_eq!(class(into), FailureClass::Precondition);
        let removed = world.side.remove_dir(&path("dir"), &dir.fingerprint).await;
        assert_eq!(
            class(removed),
            FailureClass::Precondition,
            "it is not empty"
        );
        // A slot that is taken is not overwritten.
        let again = world
            .side
            .stage(Seq(7), Memory::file(b"x"), DigestKind::Blake3)
            .await;
        assert_eq!(class(again), FailureClass::Precondition);
        let take = world
            .side
            .take(Seq(7), &path("dir/inner"), &entry.fingerprint)
            .await;
        assert_eq!(class(take), FailureClass::Precondition);
        let left = world.side.leftovers().await.expect("leftovers");
        assert_eq!(
            (left.len(), left[0].id, left[0].entry.fingerprint.size),
            (1, Seq(7), 3)
        );
        world
            .side
            .commit_new(Seq(7), &path("free"))
            .await
            .expect("commit");
        assert_eq!(world.side.leftovers().await, Ok(Vec::new()));
    });
    assert_eq!(
        world.tree(),
        ["dangling=", "dir/inner=inner", "free=new", "taken=old"]
    );
}

#[test]
fn ours_and_the_root_are_out_of_reach() {
    let world = World::new();
    run(async {
        world.stage(1, b"x").await;
        let root = world.entry("").await.fingerprint;
        for name in ["", ".pydio-sync", ".pydio-sync/root", ".PYDIO-SYNC/x"] {
            let at = path(name);
            for result in [
                world.side.commit_new(Seq(1), &at).await.map(drop),
                world.side.make_dir(&at).await.map(drop),
                world.side.take(Seq(2), &at, &root).await.map(drop),
                world.side.exchange(Seq(1), &at, &root).await.map(drop),
                world.side.rename(&at, &path("y"), &root).await.map(drop),
                world.side.remove_dir(&at, &root).await,
                world.side.open(&at, &root).await.map(drop),
            ] {
                let class = class(result);
                assert!(
                    matches!(
                        class,
                        FailureClass::Unsupported | FailureClass::Precondition
                    ),
                    "{name}: {class:?}"
                );
            }
        }
        assert!(world.side.root().await.is_ok());
    });
    assert!(world.tree().is_empty());
}

#[test]
fn an_exchange_brings_out_what_was_there() {
    let world = World::new();
    world.write("f", "old");
    run(async {
        let old = world.entry("f").await;
        world.stage(1, b"newer").await;
        world.write("f", "edited");
        let result = world
            .side
            .exchange(Seq(1), &path("f"), &old.fingerprint)
            .await;
        assert_eq!(
            class(result),
            FailureClass::Precondition,
            "it was edited meanwhile"
        );
        assert_eq!(world.read("f"), b"edited");
        let edited = world.entry("f").await;
        let absent = world
            .side
            .exchange(Seq(1), &path("x"), &edited.fingerprint)
            .await;
        assert_eq!(class(absent), FailureClass::Precondition);
        let exchanged = world
            .side
            .exchange(Seq(1), &path("f"), &edited.fingerprint)
            .await;
        let exchanged = exchanged.expect("exchange");
        assert_eq!(exchanged.out, edited);
        assert_eq!(exchanged.now, world.entry("f").await);
        let trash = Slot::Trash(path("0001 f"));
        let entry = world.side.release(Seq(1), &trash).await.expect("release");
        assert_eq!(entry, edited);
        world.side.sync().await.expect("sync");
        for name in ["", "a/b"] {
            let wrong = world.side.release(Seq(1), &Slot::Trash(path(name))).await;
            assert_eq!(class(wrong), FailureClass::Unsupported);
        }
    });
    assert_eq!(world.tree(), ["f=newer"]);
    assert_eq!(world.read(".pydio-sync/trash/0001 f"), b"edited");
}

#[test]
fn takes_releases_and_discards_move_what_is_expected() {
    let world = World::new();
    world.write("f", "f");
    world.write("d/inner", "inner");
    world.write("e/x", "");
    fs::remove_file(world.at("e/x")).expect("file");
    run(async {
        let (f, d, e) = (
            world.entry("f").await,
            world.entry("d").await,
            world.entry("e").await,
        );
        assert_eq!(
            class(world.side.take(Seq(1), &path("f"), &d.fingerprint).await),
            FailureClass::Precondition
        );
        assert_eq!(
            world.side.take(Seq(1), &path("f"), &f.fingerprint).await,
            Ok(f.clone())
        );
        let taken = world.side.release(Seq(1), &Slot::Path(path("d"))).await;
        assert_eq!(class(taken), FailureClass::Precondition);
        assert_eq!(
            world.side.release(Seq(1), &Slot::Path(path("d/g"))).await,
            Ok(f)
        );
        assert_eq!(
            world.side.take(Seq(2), &path("d"), &d.fingerprint).await,
            Ok(d)
        );
        // A directory with entries is nobody's copy.
        assert_eq!(
            class(world.side.discard(Seq(2)).await),
            FailureClass::Precondition
        );
        world
            .side
            .release(Seq(2), &Slot::Path(path("d2")))
            .await
            .expect("release");
        world
            .side
            .discard(Seq(99))
            .await
            .expect("nothing to discard");
        world.stage(3, b"x").await;
        world.side.discard(Seq(3)).await.expect("discard");
        let moved = world
            .side
            .rename(&path("e"), &path("d2/e"), &e.fingerprint)
            .await;
        assert_eq!(moved, Ok(e.clone()));
        world
            .side
            .remove_dir(&path("d2/e"), &e.fingerprint)
            .await
            .expect("remove");
        assert_eq!(world.side.leftovers().await, Ok(Vec::new()));
    });
    assert_eq!(world.tree(), ["d2/g=f", "d2/inner=inner"]);
}

#[test]
fn a_link_in_place_of_a_directory_leads_nowhere() {
    let world = World::new();
    world.write("d/f", "f");
    world.write("d/sub/g", "g");
    run(async {
        let f = world.entry("d/f").await.fingerprint;
        let sub = world.entry("d/sub").await.fingerprint;
        world.stage(1, b"new").await;
        fs::rename(world.at("d"), world.at("moved")).expect("away");
        symlink(world.base.path().join("outside"), world.at("d")).expect("link");
        for name in ["d/secret", "d/new", "d/f", "d/sub/g"] {
            let at = path(name);
            assert_eq!(world.side.stat(&at).await, Ok(None), "{name}");
            for result in [
                world.side.commit_new(Seq(1), &at).await.map(drop),
                world.side.exchange(Seq(1), &at, &f).await.map(drop),
                world.side.take(Seq(2), &at, &f).await.map(drop),
                world.side.make_dir(&at).await.map(drop),
                world.side.open(&at, &f).await.map(drop),
                world.side.hash(&at, &f, DigestKind::Blake3).await.map(drop),
                world.side.rename(&path("moved/f"), &at, &f).await.map(drop),
                world.side.remove_dir(&at, &sub).await,
            ] {
                assert_eq!(class(result), FailureClass::Precondition, "{name}");
            }
        }
        let found = items(world.side.scan(request(&[("", true)])))
            .await
            .expect("scan");
        assert!(!lines(&found).iter().any(|line| line.contains("secret")));
        // Our own directories may be swapped as well.
        fs::rename(world.at(".pydio-sync/staging"), world.at("stolen")).expect("steal");
        symlink(
            world.base.path().join("outside"),
            world.at(".pydio-sync/staging"),
        )
        .expect("link");
        let staged = world
            .side
            .stage(Seq(3), Memory::file(b"x"), DigestKind::Blake3)
            .await;
        assert_eq!(class(staged), FailureClass::Precondition);
        assert_eq!(
            class(world.side.discard(Seq(1)).await),
            FailureClass::Precondition
        );
    });
    world.assert_outside_untouched();
}

#[test]
fn what_cannot_be_synced_is_never_opened() {
    let world = World::new();
    rustix::fs::mkfifoat(rustix::fs::CWD, world.at("pipe"), rustix::fs::Mode::RUSR).expect("pipe");
    world.write("f", "f");
    run(async {
        let f = world.entry("f").await.fingerprint;
        assert_eq!(
            class(world.side.stat(&path("pipe")).await),
            FailureClass::Unsupported
        );
        let opened = world.side.open(&path("pipe"), &f).await.map(drop);
        assert_eq!(class(opened), FailureClass::Precondition);
        let taken = world.side.take(Seq(1), &path("pipe"), &f).await;
        assert_eq!(class(taken), FailureClass::Precondition);
    });
}

#[test]
fn a_file_that_another_program_writes_has_to_wait() {
    let world = World::new();
    world.write("f", "f");
    let mut writer = std::process::Command::new("sh")
        .args(["-c", "exec 3>>\"$0\"; echo ready; read line"])
        .arg(world.at("f"))
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .expect("sh");
    let mut ready = [0; 6];
    let stdout = writer.stdout.as_mut().expect("stdout");
    std::io::Read::read_exact(stdout, &mut ready).expect("ready");
    run(async {
        let f = world.entry("f").await.fingerprint;
        assert_eq!(
            class(world.side.open(&path("f"), &f).await.map(drop)),
            FailureClass::Retry
        );
    });
    drop(writer.stdin.take());
    writer.wait().expect("end");
    // Another look at `/proc`, not the one that is used again for a second.
    let other = LocalFolder::open(&world.at(""), Options::default()).expect("folder");
    run(async {
        let f = world.entry("f").await.fingerprint;
        other.open(&path("f"), &f).await.map(drop).expect("free");
    });
}

#[test]
fn sparse_files_stay_sparse() {
    let world = World::new();
    let size = 1u64 << 30;
    let file = fs::File::create(world.at("hole")).expect("file");
    file.set_len(size).expect("length");
    std::os::unix::fs::FileExt::write_all_at(&file, b"end", size - 3).expect("end");
    run(async {
        let entry = world.entry("hole").await;
        let opened = world
            .side
            .open(&path("hole"), &entry.fingerprint)
            .await
            .expect("open");
        let staged = world
            .side
            .stage(Seq(1), opened, DigestKind::Blake3)
            .await
            .expect("stage");
        assert_eq!(staged.bytes, size);
        world
            .side
            .commit_new(Seq(1), &path("copy"))
            .await
            .expect("commit");
    });
    let copy = fs::metadata(world.at("copy")).expect("metadata");
    assert_eq!(copy.len(), size);
    assert!(copy.blocks() * 512 < 4 << 20, "{} blocks", copy.blocks());
}

#[test]
fn deep_paths_work_as_long_as_a_path_may_be() {
    let world = World::new();
    let deep = vec!["n".repeat(200); 20].join("/");
    run(async {
        let mut at = String::new();
        for name in deep.split('/') {
            at = if at.is_empty() {
                name.to_owned()
            } else {
                format!("{at}/{name}")
            };
            world.side.make_dir(&path(&at)).await.expect("directory");
        }
        world.stage(1, b"deep").await;
        let file = path(&format!("{deep}/f"));
        let now = world.side.commit_new(Seq(1), &file).await.expect("commit");
        assert_eq!(world.side.stat(&file).await, Ok(Some(now)));
        let found = items(world.side.scan(request(&[("", true)])))
            .await
            .expect("scan");
        assert_eq!(entries(&found).len(), 21);
        // One more level, with names that the path's limit cannot hold.
        let directory = fs::File::open(world.at(&vec!["n".repeat(200); 18].join("/")));
        let mut fd: std::os::fd::OwnedFd = directory.expect("directory").into();
        for name in ["n".repeat(200), "n".repeat(200), "m".repeat(80)] {
            match rustix::fs::mkdirat(&fd, &name, rustix::fs::Mode::RWXU) {
                Ok(()) | Err(rustix::io::Errno::EXIST) => {}
                Err(error) => panic!("{error}"),
            }
            let flags = rustix::fs::OFlags::DIRECTORY;
            fd = rustix::fs::openat(&fd, &name, flags, rustix::fs::Mode::empty()).expect("open");
        }
        let found = items(world.side.scan(request(&[("", true)])))
            .await
            .expect("scan");
        let too_long = lines(&found)
            .into_iter()
            .filter(|line| line.ends_with("NameTooLong"));
        assert_eq!(too_long.count(), 1);
    });
}

#[test]
fn the_trash_forgets_by_age_and_by_size() {
    let world = World::new();
    for (id, name) in (1u64..).zip(["a", "b", "c", "d/x/y"]) {
        world.write(name, "12345");
        run(async {
            let top = name.split('/').next().expect("name");
            let entry = world.entry(top).await.fingerprint;
            world
                .side
                .take(Seq(id), &path(top), &entry)
                .await
                .expect("take");
            let to = Slot::Trash(path(&format!("{id} {top}")));
            world.side.release(Seq(id), &to).await.expect("release");
        });
    }
    symlink(
        world.base.path().join("outside"),
        world.at(".pydio-sync/trash/4 d/x/link"),
    )
    .expect("link");
    let names = || {
        let mut names: Vec<String> = fs::read_dir(world.at(".pydio-sync/trash"))
            .expect("trash")
            .map(|entry| {
                entry
                    .expect("entry")
                    .file_name()
                    .into_string()
                    .expect("name")
            })
            .collect();
        names.sort();
        names
    };
    run(async {
        assert_eq!(world.side.expire_trash(Timestamp(0), u64::MAX).await, Ok(0));
        assert_eq!(names().len(), 4);
        // Directories have a size of their own, so only the files are counted on.
        assert_eq!(world.side.expire_trash(Timestamp(0), 100_000).await, Ok(0));
        assert_eq!(world.side.expire_trash(Timestamp(0), 0).await, Ok(4));
        assert!(names().is_empty());
        world.write("again", "");
        let entry = world.entry("again").await.fingerprint;
        world
            .side
            .take(Seq(9), &path("again"), &entry)
            .await
            .expect("take");
        world
            .side
            .release(Seq(9), &Slot::Trash(path("9")))
            .await
            .expect("release");
        let far = Timestamp(i64::MAX / 2_000_000);
        assert_eq!(world.side.expire_trash(far, u64::MAX).await, Ok(1));
    });
    world.assert_outside_untouched();
}

#[test]
fn many_waiters_share_flushes_and_all_get_an_answer() {
    let world = World::new();
    run(async {
        let each = (1..=300u64).map(|id| {
            let world = &world;
            async move {
                world.stage(id, id.to_string().as_bytes()).await;
                world.side.sync().await?;
                let name = path(&format!("f{id}"));
                world.side.commit_new(Seq(id), &name).await?;
                world.side.sync().await
            }
        });
        futures::future::try_join_all(each).await.expect("all");
        world.side.sync().await.expect("nothing left");
        // A dropped waiter leaves the others whole.
        world.stage(1000, b"x").await;
        let dropped = world.side.sync();
        drop(dropped);
        world.side.sync().await.expect("sync");
    });
    assert_eq!(world.tree().len(), 300);
}

#[test]
fn a_dropped_scan_and_a_dropped_stage_leave_a_working_side() {
    let world = World::new();
    for name in 0..200 {
        world.write(&format!("{name}/f"), "");
    }
    run(async {
        let mut scan = world.side.scan(request(&[("", true)]));
        scan.next().await.expect("batch").expect("listing");
        drop(scan);
        let big = vec![5u8; 3_000_000];
        let mut stage = world
            .side
            .stage(Seq(1), Memory::file(&big), DigestKind::Blake3);
        assert!(futures::poll!(&mut stage).is_pending());
        drop(stage);
        let found = items(world.side.scan(request(&[("", true)])))
            .await
            .expect("scan");
        assert_eq!(entries(&found).len(), 400);
        world.side.discard(Seq(1)).await.expect("discard");
    });
}

type Change = fn(&World);

/// What is done, how, and which paths must be hinted at; each builds on the one before.
const CHANGES: [(&str, Change, &[&str]); 10] = [
    ("write", |world| world.write("d/f", "longer"), &["d/f"]),
    ("create", |world| world.write("d/g", ""), &["d/g"]),
    (
        "rename",
        |world| fs::rename(world.at("d/g"), world.at("h")).expect("rename"),
        &["d/g", "h"],
    ),
    (
        "link",
        |world| symlink("x", world.at("d/l")).expect("link"),
        &["d/l"],
    ),
    (
        "remove",
        |world| fs::remove_file(world.at("h")).expect("remove"),
        &["h"],
    ),
    (
        "mkdir",
        |world| fs::create_dir(world.at("n")).expect("mkdir"),
        &["n"],
    ),
    (
        "moved in",
        |world| {
            fs::rename(world.base.path().join("coming"), world.at("in")).expect("move");
        },
        &["in", "in/inner"],
    ),
    (
        "moved within",
        |world| {
            fs::rename(world.at("d"), world.at("e")).expect("move");
        },
        &["d", "e", "e/f"],
    ),
    (
        "other ignore rules",
        |world| world.write("e/.pydiosyncignore", "f"),
        &["e/any/thing"],
    ),
    (
        "under a new name",
        |world| world.write("e/f", "again"),
        &["e/f"],
    ),
];

#[test]
fn a_watch_hints_at_whatever_happens() {
    let world = World::with(&FilterRules {
        excludes: vec!["quiet".to_owned()],
        ..FilterRules::default()
    });
    world.write("d/f", "f");
    world.write("quiet/f", "f");
    fs::create_dir(world.base.path().join("coming")).expect("directory");
    fs::write(world.base.path().join("coming/inner"), "").expect("file");
    run(async {
        let mut watch = world.side.watch().expect("watch");
        for (what, change, expected) in CHANGES {
            world.write("quiet/f", what);
            world.write(".pydio-sync/x", what);
            change(&world);
            let covered = Covered::until(&mut watch, expected).await;
            let quiet = covered
                .paths
                .keys()
                .find(|path| path.starts_with("quiet") || path.starts_with(".pydio-sync"));
            assert_eq!((quiet, covered.rescan), (None, false), "{what}");
        }
        fs::rename(world.at(""), world.base.path().join("away")).expect("away");
        let last = Covered::until_end(&mut watch).await;
        assert!(last.rescan, "the root went away");
    });
}

#[test]
fn bursts_of_new_trees_are_hinted_at_whole() {
    for seed in 0..4u64 {
        let world = World::new();
        run(async {
            let mut watch = world.side.watch().expect("watch");
            let root = world.at("");
            let made = std::thread::spawn(move || grow(&root, seed))
                .join()
                .expect("tree");
            let made: Vec<&str> = made.iter().map(String::as_str).collect();
            Covered::until(&mut watch, &made).await;
        });
    }
}

/// Makes a tree of random shape as fast as it can; returns its files.
fn grow(root: &std::path::Path, seed: u64) -> Vec<String> {
    let mut random = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let mut next = |below: u64| {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        random % below
    };
    let mut directories = vec![String::new()];
    let mut files = Vec::new();
    for count in 0..3000 {
        let parent = &directories[usize::try_from(next(directories.len() as u64)).expect("index")];
        let name = format!("{parent}{count}");
        if next(3) == 0 {
            fs::create_dir(root.join(&name)).expect("directory");
            directories.push(format!("{name}/"));
        } else {
            fs::write(root.join(&name), "").expect("file");
            files.push(name);
        }
    }
    files
}

/// What hints said so far.
#[derive(Default)]
struct Covered {
    paths: std::collections::BTreeMap<String, bool>,
    rescan: bool,
}

impl Covered {
    /// Listens until all paths are covered; a watch that misses one fails here.
    async fn until(watch: &mut HintStream<'_>, wanted: &[&str]) -> Self {
        let mut covered = Self::default();
        while !wanted.iter().all(|path| covered.covers(path)) {
            let hints = tokio::time::timeout(PATIENCE, watch.next()).await;
            let missing = || {
                wanted
                    .iter()
                    .filter(|path| !covered.covers(path))
                    .collect::<Vec<_>>()
            };
            let hints = hints.unwrap_or_else(|_| panic!("no hint at {:?}", missing()));
            covered.add(hints.expect("the watch goes on"));
        }
        covered
    }

    async fn until_end(watch: &mut HintStream<'_>) -> Self {
        let mut covered = Self::default();
        while let Some(hints) = tokio::time::timeout(PATIENCE, watch.next())
            .await
            .expect("end")
        {
            covered.add(hints);
        }
        covered
    }

    fn add(&mut self, hints: Vec<Hint>) {
        for hint in hints {
            match hint {
                Hint::Rescan => self.rescan = true,
                Hint::Path { path, subtree } => {
                    *self.paths.entry(path.as_str().to_owned()).or_default() |= subtree;
                }
            }
        }
    }

    fn covers(&self, wanted: &str) -> bool {
        let ends = wanted.match_indices('/').map(|(at, _)| at);
        self.rescan
            || self.paths.contains_key(wanted)
            || ends
                .into_iter()
                .any(|end| self.paths.get(&wanted[..end]) == Some(&true))
    }
}

const PATIENCE: std::time::Duration = std::time::Duration::from_secs(60);

#[test]
fn probes_agree_with_the_disk() {
    let world = World::new();
    let probes = run(world.side.probe()).expect("probe").expect("claimed");
    assert!(probes.symlinks);
    assert!(!probes.fold_case);
    assert!(probes.rename_noreplace && probes.rename_exchange);
    assert!(
        !fs::read_dir(world.at(".pydio-sync"))
            .expect("list")
            .any(|entry| entry
                .expect("entry")
                .file_name()
                .as_encoded_bytes()
                .starts_with(b"probe"))
    );
}
