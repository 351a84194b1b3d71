//! What a scan says, and what it proves.

use super::{World, class};
use crate::folders::{Memory, entries, items, lines, path, request, run};
use futures::StreamExt;
use journal_format::event::FailureClass;
use journal_format::value::{DigestKind, Seq};
use pydio_sync::ports::LocalFs;
use std::fs;
use std::os::unix::fs::{MetadataExt, symlink};

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
