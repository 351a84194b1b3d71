mod slots;

use super::calls::digest_of;
use super::disk::{Body, Onto};
use super::options::FaultOptions;
use super::*;
use crate::checkers::{no_half_file, nothing_lost};
use futures::StreamExt;
use journal_format::event::{Event, Expected, FailureClass, Record, SessionEvent};
use journal_format::value::{DigestKind, Entry};
use pydio_sync::ports::{
    History, LocalFs, Observer, PortResult, PutRequest, Remote, RootState, ScanItem, ScanRequest,
    ScanTarget, Scope, Slot, Store,
};
use std::pin::pin;
use std::task::Context;

fn path(text: &str) -> RelPath {
    RelPath::new(text).unwrap()
}

fn calm() -> World {
    World::new(1, Options::calm())
}

/// Polls a call to its end; `between` runs before each step.
fn finish<T>(world: &World, call: impl Future<Output = T>, mut between: impl FnMut(usize)) -> T {
    let mut call = pin!(call);
    let mut context = Context::from_waker(Waker::noop());
    for step in 0..1000 {
        if let Poll::Ready(value) = call.as_mut().poll(&mut context) {
            assert!(step > 0, "a call must be pending at least once");
            return value;
        }
        between(step);
        world.step();
    }
    panic!("the call does not end");
}

fn done<T>(world: &World, call: impl Future<Output = T>) -> T {
    finish(world, call, |_| {})
}

fn write(world: &World, side: Side, at: &str, data: &str) -> Entry {
    world.with(|state| {
        let at = path(at);
        if !state.user_creates(side, &at, data.as_bytes().to_vec()) {
            assert!(state.user_edits(side, &at, data.as_bytes().to_vec()));
        }
        state.entry_at(side, &at).unwrap()
    })
}

fn read(world: &World, side: Side, at: &str) -> Option<String> {
    world.with(|state| {
        let node = state.disk(side).node(&path(at))?;
        Some(String::from_utf8(node.content()?.to_owned()).unwrap())
    })
}

fn class<T: std::fmt::Debug>(result: PortResult<T>) -> FailureClass {
    result.unwrap_err().class
}

fn fetch(world: &World, id: u64, at: &str, entry: &Entry) {
    let at = path(at);
    let source = done(world, world.remote.open(&at, &entry.fingerprint)).unwrap();
    let staged = done(
        world,
        world.local.stage(Seq(id), source, DigestKind::Blake3),
    );
    assert_eq!(staged.unwrap().bytes, entry.fingerprint.size);
}

fn put(world: &World, id: u64, from: &str, to: &str, replaces: &Expected) -> PortResult<Entry> {
    let entry = world.with(|state| state.entry_at(Side::Local, &path(from)).unwrap());
    let source = done(world, world.local.open(&path(from), &entry.fingerprint)).unwrap();
    let to = path(to);
    let request = PutRequest {
        id: Seq(id),
        path: &to,
        source,
        replaces,
        digest: DigestKind::Blake3,
    };
    done(world, world.remote.put(request)).map(|put| put.entry)
}

#[test]
fn a_download_lands_whole_and_with_its_time() {
    let world = calm();
    let entry = write(&world, Side::Remote, "a", "more than one chunk of content");
    fetch(&world, 1, "a", &entry);
    assert_eq!(read(&world, Side::Local, "a"), None);
    let landed = done(&world, world.local.commit_new(Seq(1), &path("a"))).unwrap();
    assert_eq!(landed.fingerprint.mtime_ns, entry.fingerprint.mtime_ns);
    assert_eq!(
        read(&world, Side::Local, "a"),
        read(&world, Side::Remote, "a")
    );
    assert_eq!(done(&world, world.local.leftovers()).unwrap(), []);
}

#[test]
fn an_edit_between_look_and_exchange_comes_out_into_the_slot() {
    let world = calm();
    let theirs = write(&world, Side::Remote, "a", "theirs");
    let ours = write(&world, Side::Local, "a", "ours");
    fetch(&world, 1, "a", &theirs);
    let at = path("a");
    let call = world.local.exchange(Seq(1), &at, &ours.fingerprint);
    let mut late = None;
    let exchanged = finish(&world, call, |step| {
        if step == 2 {
            late = Some(write(&world, Side::Local, "a", "an edit in between"));
        }
    });
    let exchanged = exchanged.unwrap();
    assert_eq!(Some(exchanged.out), late);
    assert_eq!(read(&world, Side::Local, "a").as_deref(), Some("theirs"));
    let kept = Slot::Path(path("kept"));
    done(&world, world.local.release(Seq(1), &kept)).unwrap();
    let kept = read(&world, Side::Local, "kept");
    assert_eq!(kept.as_deref(), Some("an edit in between"));
}

#[test]
fn a_write_while_reading_ends_in_an_error_not_in_mixed_content() {
    let world = calm();
    let entry = write(&world, Side::Local, "a", "0123456789abcdef0123456789abcdef");
    let at = path("a");
    let call = world
        .local
        .hash(&at, &entry.fingerprint, DigestKind::Blake3);
    let hashed = finish(&world, call, |step| {
        if step == 3 {
            write(&world, Side::Local, "a", "another content of the same size");
        }
    });
    assert_eq!(class(hashed), FailureClass::Precondition);
}

#[test]
fn a_put_replaces_only_what_was_expected() {
    for atomic in [false, true] {
        let mut options = Options::calm();
        options.remote.atomic = atomic;
        let world = World::new(1, options);
        write(&world, Side::Local, "new", "new");
        let old = write(&world, Side::Remote, "a", "old");
        assert_eq!(
            class(put(&world, 1, "new", "a", &Expected::Absent)),
            FailureClass::Precondition
        );
        let expect = Expected::Version(old.fingerprint);
        write(&world, Side::Remote, "a", "an edit");
        assert_eq!(
            class(put(&world, 2, "new", "a", &expect)),
            FailureClass::Precondition
        );
        assert_eq!(read(&world, Side::Remote, "a").as_deref(), Some("an edit"));
        let now = world.with(|state| state.entry_at(Side::Remote, &path("a")).unwrap());
        let expect = Expected::Version(now.fingerprint);
        let entry = put(&world, 3, "new", "a", &expect).unwrap();
        assert_eq!(entry.digest, Some(digest_of(b"new")));
        let slots = world.with(|state| state.disk(Side::Remote).find(&local::slot_path(Seq(3))));
        assert_eq!(slots, None);
    }
}

#[test]
fn a_lost_answer_leaves_the_effect_and_says_in_doubt() {
    let mut options = Options::calm();
    options.faults.answer_lost = Ratio::ALWAYS;
    let world = World::new(1, options);
    world.with(|state| state.faults.on = true);
    let made = done(&world, world.remote.make_dir(&path("d")));
    assert_eq!(class(made), FailureClass::InDoubt);
    world.with(|state| assert!(state.disk(Side::Remote).find(&path("d")).is_some()));
}

#[test]
fn a_dropped_call_stops_or_goes_on_as_the_world_says() {
    for (ghost, made) in [(Ratio::NEVER, false), (Ratio::ALWAYS, true)] {
        let mut options = Options::calm();
        options.faults.ghost = ghost;
        let world = World::new(1, options);
        world.with(|state| state.faults.on = true);
        drop(world.local.make_dir(&path("d")));
        while world.step() {}
        let found = world.with(|state| state.disk(Side::Local).find(&path("d")).is_some());
        assert_eq!(found, made);
    }
}

#[test]
fn a_crash_stops_every_call_where_it_stands() {
    let world = calm();
    let entry = write(&world, Side::Remote, "a", "more than one chunk of content");
    let at = path("a");
    let source = done(&world, world.remote.open(&at, &entry.fingerprint)).unwrap();
    let call = world.local.stage(Seq(4), source, DigestKind::Blake3);
    let mut call = Box::pin(call);
    let mut context = Context::from_waker(Waker::noop());
    for _ in 0..6 {
        assert!(call.as_mut().poll(&mut context).is_pending());
        assert!(world.step());
    }
    world.crash();
    drop(call);
    assert!(!world.step());
    let left = done(&world, world.local.leftovers()).unwrap();
    assert_eq!(left.len(), 1);
    assert_eq!(left[0].id, Seq(4));
    assert!(left[0].entry.fingerprint.size < entry.fingerprint.size);
}

#[test]
fn an_unexpected_version_on_the_remote_is_put_back_when_it_is_removed() {
    let world = calm();
    let old = write(&world, Side::Remote, "a", "old");
    let at = path("a");
    let call = world.remote.remove(Seq(1), &at, &old.fingerprint);
    let removed = finish(&world, call, |step| {
        if step == 2 {
            write(&world, Side::Remote, "a", "an edit in between");
        }
    });
    assert_eq!(class(removed), FailureClass::Precondition);
    let left = read(&world, Side::Remote, "a");
    assert_eq!(left.as_deref(), Some("an edit in between"));
}

/// Runs a put for `steps` steps, with an edit of its target after `edit` steps;
/// then the process dies, and the next one tidies up.
fn put_cut_short(atomic: bool, edit: usize, steps: usize) -> World {
    let mut options = Options::calm();
    options.remote.atomic = atomic;
    let world = World::new(1, options);
    let mine = write(&world, Side::Local, "mine", "mine, of several chunks");
    let old = write(&world, Side::Remote, "a", "old");
    let at = path("a");
    let source = done(&world, world.local.open(&path("mine"), &mine.fingerprint)).unwrap();
    let expect = Expected::Version(old.fingerprint);
    let mut call = world.remote.put(PutRequest {
        id: Seq(1),
        path: &at,
        source,
        replaces: &expect,
        digest: DigestKind::Blake3,
    });
    let mut context = Context::from_waker(Waker::noop());
    for step in 0..steps {
        if step == edit {
            write(&world, Side::Remote, "a", "an edit in between");
        }
        if call.as_mut().poll(&mut context).is_ready() {
            break;
        }
        world.step();
    }
    world.crash();
    drop(call);
    done(&world, world.remote.tidy_up()).unwrap();
    // Replacing it is what was asked for.
    world.with(|state| state.ledger.release(Some(Side::Local), b"old"));
    world
}

#[test]
fn an_edit_at_any_point_of_a_put_survives_a_crash_at_any_later_point() {
    let mut kept_beside = 0;
    for atomic in [false, true] {
        for (edit, steps) in (0..40).flat_map(|edit| (edit + 1..40).map(move |to| (edit, to))) {
            let world = put_cut_short(atomic, edit, steps);
            world.with(|state| {
                assert_eq!(nothing_lost::check(state), Ok(()), "{edit} {steps}");
                assert_eq!(no_half_file::check(state), Ok(()), "{edit} {steps}");
                let slot = state.disk(Side::Remote).find(&local::slot_path(Seq(1)));
                assert_eq!(slot, None, "{edit} {steps}");
                kept_beside += u32::from(state.visible_paths(Side::Remote).len() > 1);
            });
        }
    }
    assert!(kept_beside > 0);
}

fn scan(world: &World, side: Side, target: &str, subtree: bool) -> Vec<ScanItem> {
    let request = ScanRequest {
        targets: vec![ScanTarget {
            path: path(target),
            subtree,
        }],
    };
    let mut stream = match side {
        Side::Local => world.local.scan(request),
        Side::Remote => world.remote.scan(request),
    };
    let mut items = Vec::new();
    while let Some(batch) = done(world, async {
        // The end of a stream needs no turn of its own.
        tasks::Turn::default().await;
        stream.next().await
    }) {
        items.extend(batch.unwrap());
    }
    items
}

#[test]
fn a_scan_lists_what_there_is_and_proves_what_is_not() {
    let world = calm();
    world.with(|state| {
        let directory = Body::Directory(BTreeMap::new());
        assert!(state.user_makes(Side::Local, &path("d"), directory));
        assert!(state.user_makes(Side::Local, &path("d/pipe"), Body::Pipe));
    });
    write(&world, Side::Local, "d/a", "a");
    let lines = |items: Vec<ScanItem>| -> Vec<String> {
        let line = |item| match item {
            ScanItem::Listing(listing) => {
                let names: Vec<String> = listing.entries.into_iter().map(|l| l.name).collect();
                let scope = match listing.scope {
                    Scope::Whole => "whole".to_owned(),
                    Scope::WholeButDots => "whole but dots".to_owned(),
                    Scope::Names(names) => names.join("|"),
                };
                format!("{}[{scope}]={}", listing.directory, names.join(","))
            }
            ScanItem::Unlisted { directory, .. } => format!("{directory} unlisted"),
        };
        items.into_iter().map(line).collect()
    };
    let cases: [(&str, bool, &[&str]); 6] = [
        ("", true, &["[whole]=d", "d[whole]=a,pipe"]),
        ("d", true, &["[d]=d", "d[whole]=a,pipe"]),
        ("d", false, &["[d]=d"]),
        ("d/a", true, &["d[a]=a"]),
        ("x/y/z", true, &["[x]="]),
        ("d/a/z", false, &["d[a]=a"]),
    ];
    for (target, subtree, expected) in cases {
        let found = lines(scan(&world, Side::Local, target, subtree));
        assert_eq!(found, expected, "{target} {subtree}");
    }
}

#[test]
fn a_root_that_goes_away_during_a_scan_ends_it_with_an_error() {
    let world = calm();
    write(&world, Side::Local, "a", "a");
    let request = ScanRequest {
        targets: vec![ScanTarget {
            path: RelPath::root(),
            subtree: true,
        }],
    };
    let mut stream = world.local.scan(request);
    let first = finish(&world, stream.next(), |step| {
        if step == 0 {
            world.with(|state| state.disk_mut(Side::Local).remount(Mount::Foreign));
        }
    });
    assert!(first.unwrap().is_err());
    let root = done(&world, world.local.root()).unwrap();
    assert_eq!(root, RootState::Present { marker: None });
}

fn record(seq: u64) -> Record {
    Record {
        seq: Seq(seq),
        time: Default::default(),
        event: Event::Session(SessionEvent::SessionStopped),
    }
}

#[test]
fn a_power_loss_during_an_append_keeps_all_of_it_or_none() {
    let mut heads = BTreeSet::new();
    for seed in 0..40 {
        for steps in 0..4 {
            let world = World::new(seed, Options::calm());
            done(&world, world.store.append(vec![record(1)])).unwrap();
            let mut call = world.store.append(vec![record(2), record(3)]);
            let mut context = Context::from_waker(Waker::noop());
            let mut returned = false;
            for _ in 0..steps {
                returned |= call.as_mut().poll(&mut context).is_ready();
                world.step();
            }
            drop(call);
            world.lose_power();
            let head = world.store.head();
            assert!(head == Seq(1) || head == Seq(3));
            assert!(!returned || head == Seq(3));
            heads.insert(head);
        }
    }
    assert_eq!(heads.len(), 2);
}

#[test]
fn whoever_publishes_early_or_twice_is_caught() {
    let rows: [(&[u64], bool); 4] = [
        (&[1, 2], false),
        (&[1, 1], true),
        (&[2, 1], true),
        (&[3], true),
    ];
    for (published, caught) in rows {
        let world = calm();
        done(&world, world.store.append(vec![record(1), record(2)])).unwrap();
        for seq in published {
            world.observer.appended(&[record(*seq)]);
        }
        let noted = world.with(|state| !state.violations.is_empty());
        assert_eq!(noted, caught, "{published:?}");
    }
}

#[test]
fn a_watcher_speaks_of_changes_until_it_gives_up() {
    let world = calm();
    let mut hints = world.local.watch().unwrap();
    let mut context = Context::from_waker(Waker::noop());
    assert!(hints.poll_next_unpin(&mut context).is_pending());
    write(&world, Side::Local, "a", "a");
    world.with(|state| {
        assert!(state.user_moves(Side::Local, &path("a"), &path("b"), Onto::Free));
    });
    let mut named = BTreeSet::new();
    while world.step() {
        if let Poll::Ready(said) = hints.poll_next_unpin(&mut context) {
            named.extend(said.unwrap().into_iter().map(|hint| format!("{hint:?}")));
        }
    }
    for name in ["path: \"a\"", "path: \"b\""] {
        assert!(named.iter().any(|hint| hint.contains(name)), "{named:?}");
    }
    world.with(|state| state.watchers[0].give_up());
    assert!(matches!(
        hints.poll_next_unpin(&mut context),
        Poll::Ready(None)
    ));
}

#[test]
fn faults_are_off_until_they_are_turned_on() {
    let mut options = Options::calm();
    options.faults = FaultOptions {
        transient: Ratio::ALWAYS,
        ..FaultOptions::NONE
    };
    let world = World::new(1, options);
    assert_eq!(done(&world, world.local.stat(&path("a"))), Ok(None));
    world.with(|state| state.faults.on = true);
    let failed = done(&world, world.local.stat(&path("a")));
    assert_eq!(class(failed), FailureClass::Retry);
}
