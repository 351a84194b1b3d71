//! What every journal store keeps, and what the one on disk survives.
//!
//! The functions over `&dyn Store` are the contract of `ports::Store`; a new store
//! gets a test that calls [`every_rule`]. `damage` spoils directories, `crash`
//! kills processes.

mod archive;
mod crash;
mod damage;

use journal_format::event::{Event, FailureClass, ObservationEvent, Record};
use journal_format::value::{RelPath, Seq, Side, Timestamp};
use pydio_sync::adapters::store::{FolderLock, Health, Journal, OpenError, Options};
use pydio_sync::ports::{Checkpoint, History, PortResult, Store, Task};
use std::path::Path;
use std::time::Duration;

/// Waits for a port call. A call that never ends fails.
pub(crate) fn wait<T>(task: Task<'_, T>) -> PortResult<T> {
    tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .expect("a runtime")
        .block_on(async { tokio::time::timeout(Duration::from_secs(120), task).await })
        .expect("the call ends")
}

/// Makes `count` records from `from` on; the same ones each time.
pub(crate) fn records(from: u64, count: u64) -> Vec<Record> {
    (from..from + count).map(record).collect()
}

fn record(seq: u64) -> Record {
    let path = format!("folder {}/{}/file {seq}.txt", seq % 7, "x".repeat(200));
    Record {
        seq: Seq(seq),
        time: Timestamp(1_790_000_000_000 + i64::try_from(seq).expect("small")),
        event: Event::Observation(ObservationEvent::Gone {
            side: Side::Local,
            path: RelPath::new(path).expect("a path"),
            epoch: seq,
        }),
    }
}

pub(crate) fn open(dir: &Path) -> Result<(Journal, Health), OpenError> {
    Journal::open(dir, Options::default()).map(|opened| (opened.journal, opened.health))
}

/// Checks that the store holds exactly the records up to `head`.
pub(crate) fn holds(store: &dyn Store, head: u64) {
    assert_eq!(store.head(), Seq(head));
    let read = wait(store.read(Seq(1), usize::MAX)).expect("read");
    assert_eq!(read, records(1, head));
}

/// Calls all rules on an empty store. What they leave is not specified.
pub(crate) fn every_rule(store: &dyn Store) {
    appended_records_are_read_back(store);
    pages_join_without_gap(store);
    appends_in_flight_keep_their_order(store);
    the_newest_checkpoint_replaces_the_one_before(store);
    a_record_that_does_not_follow_stops_the_store(store);
}

fn appended_records_are_read_back(store: &dyn Store) {
    assert_eq!(store.head(), Seq::ZERO);
    assert_eq!(wait(store.read(Seq(1), 10)), Ok(Vec::new()));
    wait(store.append(Vec::new())).expect("nothing to append");
    assert_eq!(store.head(), Seq::ZERO);
    wait(store.append(records(1, 1))).expect("append");
    assert_eq!(store.head(), Seq(1));
    wait(store.append(records(2, 99))).expect("append");
    holds(store, 100);
}

fn pages_join_without_gap(store: &dyn Store) {
    let mut joined = Vec::new();
    let mut from = Seq::ZERO;
    loop {
        let page = wait(store.read(from, 7)).expect("read");
        assert!(page.len() <= 7);
        let Some(last) = page.last() else { break };
        from = last.seq.next();
        joined.extend(page);
    }
    assert_eq!(joined, records(1, 100));
    assert_eq!(wait(store.read(Seq(50), 0)), Ok(Vec::new()));
    assert_eq!(wait(store.read(Seq(99), 5)), Ok(records(99, 2)));
    assert_eq!(wait(store.read(Seq(101), 5)), Ok(Vec::new()));
    assert_eq!(wait(store.read(Seq(u64::MAX), usize::MAX)), Ok(Vec::new()));
}

fn appends_in_flight_keep_their_order(store: &dyn Store) {
    let from = store.head().0 + 1;
    let calls: Vec<_> = (0..20)
        .map(|n| store.append(records(from + n * 3, 3)))
        .collect();
    for call in calls.into_iter().rev() {
        wait(call).expect("append");
    }
    holds(store, from + 59);
}

fn the_newest_checkpoint_replaces_the_one_before(store: &dyn Store) {
    assert_eq!(wait(store.checkpoint()), Ok(None));
    for (seq, size) in [(10, 0), (20, 3_000_000), (30, 5)] {
        let checkpoint = Checkpoint {
            seq: Seq(seq),
            bytes: (0..size).map(|n: u32| n.to_le_bytes()[0]).collect(),
        };
        wait(store.save_checkpoint(checkpoint.clone())).expect("save");
        assert_eq!(wait(store.checkpoint()), Ok(Some(checkpoint)));
    }
}

fn a_record_that_does_not_follow_stops_the_store(store: &dyn Store) {
    let head = store.head().0;
    let mut gap = records(head + 1, 3);
    gap.remove(1);
    let refused = wait(store.append(gap)).expect_err("a gap");
    assert_eq!(refused.class, FailureClass::Fatal);
    holds(store, head);
    let after = wait(store.append(records(head + 1, 1))).expect_err("stopped");
    assert_eq!(after.class, FailureClass::Fatal);
}

#[test]
fn the_journal_on_disk_keeps_every_rule() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let (journal, health) = open(folder.path()).expect("open");
    assert_eq!(health, Health::Created);
    every_rule(&journal);
}

#[test]
fn a_closed_journal_opens_clean_with_everything() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let (journal, _) = open(folder.path()).expect("open");
    let id = journal.id();
    journal.close().expect("close");
    let mut head = 0;
    // A close flushes what is large and leaves what is small to the next open.
    for count in [6000, 5, 6000, 0, 1] {
        let (journal, health) = open(folder.path()).expect("open");
        assert_eq!(health, Health::Clean);
        assert_eq!(journal.id(), id);
        holds(&journal, head);
        wait(journal.append(records(head + 1, count))).expect("append");
        head += count;
        assert_eq!(wait(journal.verify()).expect("verify").head, Seq(head));
        journal.close().expect("close");
    }
}

#[test]
fn a_damaged_or_foreign_checkpoint_is_passed_over() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let (journal, _) = open(folder.path()).expect("open");
    wait(journal.append(records(1, 20))).expect("append");
    let checkpoint = |seq| Checkpoint {
        seq: Seq(seq),
        bytes: vec![7; 50],
    };
    wait(journal.save_checkpoint(checkpoint(20))).expect("save");
    let path = folder.path().join("checkpoint");
    let good = std::fs::read(&path).expect("read");
    for position in 0..good.len() {
        let mut bad = good.clone();
        bad[position] ^= 1;
        std::fs::write(&path, &bad).expect("write");
        assert_eq!(wait(journal.checkpoint()), Ok(None), "flip at {position}");
        std::fs::write(&path, &good[..position]).expect("write");
        assert_eq!(wait(journal.checkpoint()), Ok(None), "cut at {position}");
    }
    std::fs::write(&path, &good).expect("write");
    assert_eq!(wait(journal.checkpoint()), Ok(Some(checkpoint(20))));

    let other = tempfile::tempdir().expect("temporary folder");
    let (foreign, _) = open(other.path()).expect("open");
    wait(foreign.append(records(1, 20))).expect("append");
    std::fs::copy(&path, other.path().join("checkpoint")).expect("copy");
    assert_eq!(wait(foreign.checkpoint()), Ok(None));

    wait(journal.save_checkpoint(checkpoint(21))).expect("save");
    assert_eq!(wait(journal.checkpoint()), Ok(None), "beyond the head");
}

#[test]
fn a_record_that_readers_would_refuse_is_not_written() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let (journal, _) = open(folder.path()).expect("open");
    let mut batch = records(1, 3);
    batch[2].event = Event::Observation(ObservationEvent::Moved {
        side: Side::Local,
        moves: Vec::new(),
    });
    let refused = wait(journal.append(batch)).expect_err("an empty group of moves");
    assert_eq!(refused.class, FailureClass::Fatal);
    assert_eq!(journal.head(), Seq::ZERO);
    journal.close().expect_err("it was stopped");
    let (journal, _) = open(folder.path()).expect("reopen");
    holds(&journal, 0);
}

#[test]
fn a_folder_has_one_lock_whatever_its_path() {
    let state = tempfile::tempdir().expect("temporary folder");
    let root = tempfile::tempdir().expect("temporary folder");
    let link = state.path().join("link");
    std::os::unix::fs::symlink(root.path(), &link).expect("link");
    let held = FolderLock::acquire(state.path(), root.path()).expect("lock");
    let second = FolderLock::acquire(state.path(), &link).expect_err("held");
    assert!(matches!(second, OpenError::Locked { .. }), "{second}");
    FolderLock::acquire(state.path(), state.path()).expect("another folder");
    drop(held);
    FolderLock::acquire(state.path(), &link).expect("released");
}

#[test]
fn nobody_has_a_folder_inside_or_around_the_one_of_another() {
    let state = tempfile::tempdir().expect("temporary folder");
    let root = tempfile::tempdir().expect("temporary folder");
    let at = |name: &str| root.path().join(name);
    for name in ["a/b/c", "a/d"] {
        std::fs::create_dir_all(at(name)).expect("make");
    }
    let take = |name: &str| FolderLock::acquire(state.path(), &at(name));
    for (held, others) in [
        ("a/b", [("a", false), ("a/b/c", false), ("a/d", true)]),
        ("a", [("a/b", false), ("a/b/c", false), ("a/d", false)]),
    ] {
        let own = take(held).expect("free");
        for (other, is_free) in others {
            let taken = take(other);
            assert_eq!(taken.is_ok(), is_free, "{other} beside {held}: {taken:?}");
        }
        drop(own);
        for (other, _) in others {
            take(other).expect("free again");
        }
    }
}
