//! What becomes of a slot that an operation left full.

use super::*;
use journal_format::event::{Action, Case, Displaced, Operation, OperationEvent};
use journal_format::value::Fingerprint;
use pydio_sync::executor::{Sides, put_away_leftovers};
use std::collections::BTreeMap;

fn removal(at: &str, expect: &Fingerprint) -> Operation {
    Operation {
        case: Case::D2,
        action: Action::Remove {
            side: Side::Local,
            path: path(at),
            expect: expect.clone(),
            rescue: false,
        },
    }
}

fn replacement(at: &str, source: &Entry, expect: &Fingerprint, displaced: Displaced) -> Operation {
    Operation {
        case: Case::C1,
        action: Action::Transfer {
            from: Side::Remote,
            source: path(at),
            expect: source.clone(),
            target: path(at),
            replaces: Expected::Version(expect.clone()),
            displaced,
        },
    }
}

/// The operation is over in the journal: only its start tells what it was.
fn start_anew(world: &World, id: u64, operation: Operation) {
    let record = |seq, event| Record {
        seq: Seq(seq),
        time: Default::default(),
        event,
    };
    let before = (1..id).map(|seq| record(seq, Event::Session(SessionEvent::SessionStopped)));
    let started = Event::Operation(OperationEvent::Started { operation });
    let records: Vec<Record> = before.chain([record(id, started)]).collect();
    done(world, world.store.append(records)).unwrap();
    let sides = Sides {
        local: &world.local,
        remote: &world.remote,
        digest: DigestKind::Blake3,
    };
    let open = BTreeMap::new();
    done(world, put_away_leftovers(sides, &world.store, &open)).unwrap();
    assert_eq!(done(world, world.local.leftovers()).unwrap(), []);
}

fn trash(world: &World) -> Vec<String> {
    let below = format!("{}/trash/", disk::OWN);
    world.with(|state| {
        let paths = state.disk(Side::Local).live.walk().into_iter();
        let names = paths.filter_map(|(path, _)| Some(path.as_str().strip_prefix(&below)?.into()));
        names.collect()
    })
}

fn take(world: &World, id: u64, at: &str) {
    let entry = world.with(|state| state.entry_at(Side::Local, &path(at)).unwrap());
    done(
        world,
        world.local.take(Seq(id), &path(at), &entry.fingerprint),
    )
    .unwrap();
}

fn remove_dir(world: &World, at: &str) {
    let entry = world.with(|state| state.entry_at(Side::Local, &path(at)).unwrap());
    done(world, world.local.remove_dir(&path(at), &entry.fingerprint)).unwrap();
}

fn make_dir(world: &World, at: &str) {
    done(world, world.local.make_dir(&path(at))).unwrap();
}

#[test]
fn what_cannot_go_back_since_its_directory_is_gone_stays_in_sight_above() {
    let world = calm();
    make_dir(&world, "d");
    make_dir(&world, "d/e");
    make_dir(&world, "d/e/f");
    let seen = write(&world, Side::Local, "d/e/f/a", "one");
    write(&world, Side::Local, "d/e/f/a", "an edit");
    take(&world, 3, "d/e/f/a");
    remove_dir(&world, "d/e/f");
    remove_dir(&world, "d/e");
    write(&world, Side::Local, "d/a", "another");
    start_anew(&world, 3, removal("d/e/f/a", &seen.fingerprint));
    let there = |at: &str| read(&world, Side::Local, at);
    assert_eq!(there("d/a").as_deref(), Some("another"));
    assert_eq!(there("d/a (kept 3-1)").as_deref(), Some("an edit"));
    assert_eq!(trash(&world), [""; 0]);
}

#[test]
fn a_slot_that_outlived_its_operation_is_put_away_as_that_operation_would() {
    for (displaced, place) in [
        (Displaced::ConflictCopy(path("a (mine)")), "a (mine)"),
        (Displaced::Rescue, "a (kept 3-0)"),
    ] {
        let world = calm();
        let seen = write(&world, Side::Local, "a", "one");
        let theirs = write(&world, Side::Remote, "a", "theirs");
        world.with(|state| state.time.pass(10_000_000_000));
        fetch(&world, 3, "a", &theirs);
        let edited = write(&world, Side::Local, "a", "an edit");
        done(
            &world,
            world
                .local
                .exchange(Seq(3), &path("a"), &edited.fingerprint),
        )
        .unwrap();
        let operation = replacement("a", &theirs, &seen.fingerprint, displaced);
        start_anew(&world, 3, operation);
        let there = read(&world, Side::Local, place);
        assert_eq!(there.as_deref(), Some("an edit"), "{place}");
        assert_eq!(trash(&world), [""; 0]);
    }
}

#[test]
fn what_may_be_a_copy_of_ours_is_not_shown_and_not_deleted() {
    let world = calm();
    let seen = write(&world, Side::Local, "a", "one");
    let theirs = write(&world, Side::Remote, "a", "theirs");
    fetch(&world, 3, "a", &theirs);
    let displaced = Displaced::ConflictCopy(path("a (mine)"));
    let operation = replacement("a", &theirs, &seen.fingerprint, displaced);
    start_anew(&world, 3, operation);
    assert_eq!(read(&world, Side::Local, "a (mine)"), None);
    assert_eq!(trash(&world), ["0000000000000003-a"]);
}

#[test]
fn what_was_edited_after_it_came_is_kept_when_its_name_is_lost() {
    for edit in ["a longer edit", "edit!!"] {
        let world = calm();
        let theirs = write(&world, Side::Remote, "a", "theirs");
        world.with(|state| state.time.pass(10_000_000_000));
        // Power takes back the name, not what was written since.
        write(&world, Side::Local, "a", edit);
        take(&world, 3, "a");
        let mut operation = replacement("a", &theirs, &theirs.fingerprint, Displaced::Discard);
        if let Action::Transfer { replaces, .. } = &mut operation.action {
            *replaces = Expected::Absent;
        }
        start_anew(&world, 3, operation);
        assert_eq!(trash(&world), ["0000000000000003-a"], "{edit}");
    }
}
