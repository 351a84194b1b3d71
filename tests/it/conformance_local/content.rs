//! Content on its way: whole, verified, or refused.

use super::{World, class};
use crate::folders::{MTIME_NS, Memory, blake3, path, run};
use journal_format::event::FailureClass;
use journal_format::value::{DigestKind, Kind, Seq};
use pydio_sync::adapters::local_fs::LocalFolder;
use pydio_sync::adapters::rooted::Options;
use pydio_sync::ports::LocalFs;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};

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
}

#[test]
fn content_is_hashed_with_the_function_that_is_asked_for() {
    let world = World::new();
    for (id, kind) in [
        (Seq(1), DigestKind::Md5),
        (Seq(2), DigestKind::Sha1),
        (Seq(3), DigestKind::Blake3),
    ] {
        let staged = run(world.side.stage(id, Memory::file(b"x"), kind)).expect("staged");
        let digest = staged.source.digest.expect("a digest");
        assert_eq!(digest.kind(), kind);
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
