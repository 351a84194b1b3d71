//! What is put in place, taken out and put away, and never replaced unseen.

use super::{World, class};
use crate::folders::{Memory, items, lines, path, request, run};
use journal_format::event::FailureClass;
use journal_format::value::{DigestKind, Seq, Timestamp};
use pydio_sync::ports::{LocalFs, Slot};
use std::fs;
use std::os::unix::fs::symlink;

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
