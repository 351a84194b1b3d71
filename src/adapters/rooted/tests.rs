//! What cannot be provoked from outside.

use super::folder::{Folder, Options, locked};
use super::list::{Job, Lister};
use super::slots::slot_name;
use crate::ports::{PortResult, ScanItem};
use journal_format::event::{FailureClass, UnknownReason};
use journal_format::value::{Identity, RelPath, Seq};
use std::fs;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use tempfile::TempDir;

fn claimed() -> (TempDir, Arc<Folder>) {
    let root = tempfile::tempdir().expect("temporary directory");
    let folder = Folder::new(root.path(), Options::default()).expect("folder");
    folder.claim("marker").expect("claim");
    (root, folder)
}

fn path(text: &str) -> RelPath {
    RelPath::new(text).expect("path")
}

#[test]
fn a_directory_that_vanished_or_was_swapped_is_unlisted() {
    let (root, folder) = claimed();
    fs::create_dir_all(root.path().join("d/below")).expect("directories");
    fs::write(root.path().join("file"), "").expect("file");
    std::os::unix::fs::symlink("d", root.path().join("link")).expect("link");
    fs::create_dir(root.path().join("rules")).expect("directory");
    let rules = fs::File::create(root.path().join("rules/.pydiosyncignore")).expect("file");
    rules.set_len(1 << 30).expect("length");
    let base = folder.base().expect("root");
    let stop = AtomicBool::new(false);
    let mut lister = Lister::new(&base, &folder.filter, &stop);
    let other = Identity {
        device: 1,
        object: 2,
        born_ns: 3,
    };
    let table = [
        ("gone", None),
        ("file", None),
        ("link", None),
        ("d", Some(other)),
        ("rules", None),
    ];
    for (name, expect) in table {
        let job = Job {
            path: path(name),
            expect,
            ignores: None,
        };
        let mut below = Vec::new();
        let unlisted = ScanItem::Unlisted {
            directory: path(name),
            reason: UnknownReason::Unreadable,
        };
        assert_eq!(lister.list(&job, &mut below), unlisted);
        assert!(below.is_empty(), "{name}: nothing is known below it");
    }
}

#[test]
fn a_slot_that_a_failed_flush_may_have_lost_is_not_committed() {
    let (root, folder) = claimed();
    let slot = slot_name(Seq(1));
    fs::write(root.path().join(".pydio-sync/staging").join(&slot), "x").expect("slot");
    locked(&folder.staged).insert(slot.clone(), true);
    let refused = folder.commit_new(&slot, &path("f")).expect_err("refused");
    assert_eq!(refused.class, FailureClass::Retry);
    folder.discard(&slot).expect("discard");
    fs::write(root.path().join(".pydio-sync/staging").join(&slot), "x").expect("slot");
    folder
        .commit_new(&slot, &path("f"))
        .expect("another content");
}

#[test]
fn an_exchange_in_two_steps_is_ended_after_a_stop() {
    let (root, folder) = claimed();
    let staging = root.path().join(".pydio-sync/staging");
    let slot = slot_name(Seq(1));
    // The old version was moved aside, the new one not yet put in its place.
    fs::write(staging.join(&slot), "new").expect("slot");
    fs::write(staging.join(format!("{slot}.out")), "old").expect("aside");
    let left = folder.leftovers().expect("leftovers");
    assert_eq!((left.len(), left[0].id), (1, Seq(1)));
    assert_eq!(fs::read(staging.join(slot)).expect("slot"), b"old");
}

#[test]
fn work_that_panics_is_told_and_the_next_one_runs() {
    let (_root, folder) = claimed();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .expect("runtime");
    runtime.block_on(async {
        for _ in 0..8 {
            let lost: PortResult<()> = folder.run(|_| panic!("provoked")).await;
            assert_eq!(lost.expect_err("lost").class, FailureClass::Fatal);
        }
        assert_eq!(folder.run(|_| Ok(7)).await, Ok(7));
    });
}
