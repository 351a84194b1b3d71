use super::*;
use crate::program::Program;
use crate::system::{Mode, Process, System};
use crate::world::World;
use crate::world::disk::{Author, Body, Onto};
use crate::world::local::own;
use crate::world::options::Options;
use journal_format::event::{Event, Record, SessionEvent};
use journal_format::value::{RelPath, Seq, Side};

fn path(text: &str) -> RelPath {
    RelPath::new(text).unwrap()
}

fn world() -> World {
    World::new(1, Options::calm())
}

fn write(world: &World, side: Side, at: &str, data: &str) {
    world.with(|state| assert!(state.user_creates(side, &path(at), data.as_bytes().to_vec())));
}

/// Does something to a disk as the program would.
fn engine(world: &World, act: impl FnOnce(&mut crate::world::disk::Disk)) {
    world.with(|state| act(state.disk_mut(Side::Local)));
}

#[test]
fn a_content_that_the_program_removed_is_lost_unless_a_copy_is_left() {
    let world = world();
    write(&world, Side::Local, "a", "one");
    engine(&world, |disk| {
        disk.rename(&path("a"), &own("trash/a"), Onto::Free)
            .unwrap()
    });
    assert_eq!(world.with(|state| nothing_lost::check(state)), Ok(()));
    engine(&world, |disk| disk.remove(&own("trash/a"), false).unwrap());
    assert!(world.with(|state| nothing_lost::check(state)).is_err());
    write(&world, Side::Remote, "b", "one");
    assert_eq!(world.with(|state| nothing_lost::check(state)), Ok(()));
}

#[test]
fn what_a_person_deletes_or_overwrites_is_not_lost() {
    let world = world();
    write(&world, Side::Local, "a", "one");
    world.with(|state| {
        assert!(state.user_edits(Side::Local, &path("a"), b"two".to_vec()));
        assert_eq!(nothing_lost::check(state), Ok(()));
        assert!(state.user_deletes(Side::Local, &path("a")));
        assert_eq!(nothing_lost::check(state), Ok(()));
    });
}

#[test]
fn a_deletion_of_one_copy_does_not_release_the_other() {
    let world = world();
    write(&world, Side::Local, "a", "one");
    write(&world, Side::Local, "b", "one");
    world.with(|state| assert!(state.user_deletes(Side::Local, &path("a"))));
    engine(&world, |disk| disk.remove(&path("b"), false).unwrap());
    assert!(world.with(|state| nothing_lost::check(state)).is_err());
}

#[test]
fn content_that_nobody_wrote_is_seen_where_people_look() {
    let world = world();
    let half = |disk: &mut crate::world::disk::Disk, at: &RelPath| {
        let body = Body::File(b"ha".to_vec());
        disk.create(at, body, Author::Engine, 1).unwrap();
    };
    write(&world, Side::Local, "a", "half");
    engine(&world, |disk| half(disk, &own("staging/1")));
    assert_eq!(world.with(|state| no_half_file::check(state)), Ok(()));
    engine(&world, |disk| half(disk, &path("b")));
    assert!(world.with(|state| no_half_file::check(state)).is_err());
}

#[test]
fn sides_are_equal_up_to_normalisation_and_documented_problems() {
    let file = |text: &str| (text.to_owned(), Some(text.to_owned()));
    let directory = |text: &str| (text.to_owned(), None);
    type Tree = Vec<(String, Option<String>)>;
    let rows: [(&str, Tree, Tree, bool); 8] = [
        ("equal", vec![file("a")], vec![file("a")], true),
        ("missing", vec![file("a")], vec![], false),
        ("missing directory", vec![], vec![directory("d")], false),
        (
            "case differs",
            vec![file("a")],
            vec![("A".to_owned(), Some("a".to_owned()))],
            false,
        ),
        (
            "normalisation differs",
            vec![("caf\u{e9}".to_owned(), Some("x".to_owned()))],
            vec![("cafe\u{301}".to_owned(), Some("x".to_owned()))],
            true,
        ),
        ("excluded", vec![file("x.tmp")], vec![], true),
        (
            "kept for an excluded name",
            vec![directory("d"), file("d/x.tmp")],
            vec![],
            true,
        ),
        (
            "twins",
            vec![file("e\u{301}"), file("\u{e9}")],
            vec![],
            true,
        ),
    ];
    for (name, local, remote, equal) in rows {
        let world = world();
        for (side, tree) in [(Side::Local, local), (Side::Remote, remote)] {
            for (at, content) in tree {
                let body = match content {
                    Some(content) => Body::File(content.into_bytes()),
                    None => Body::Directory(std::collections::BTreeMap::new()),
                };
                world.with(|state| assert!(state.user_makes(side, &path(&at), body)));
            }
        }
        let verdict = world.with(|state| converged::check(state, &Program));
        assert_eq!(verdict.is_ok(), equal, "{name}: {verdict:?}");
    }
}

struct Folder(fn(&[Record]) -> [u8; 16]);

impl System for Folder {
    fn start<'w>(&'w self, _world: &'w World, _mode: Mode) -> Process<'w> {
        Box::pin(async { Ok(()) })
    }

    fn fold(&self, records: &[Record]) -> Option<[u8; 16]> {
        Some((self.0)(records))
    }
}

#[test]
fn a_stamp_that_the_fold_does_not_reproduce_is_seen() {
    let count = |records: &[Record]| [u8::try_from(records.len()).unwrap(); 16];
    let stamp = |seq: u64, digest: u8| Record {
        seq: Seq(seq),
        time: Default::default(),
        event: Event::Session(SessionEvent::DigestStamped {
            digest: [digest; 16],
            fold_version: 1,
        }),
    };
    let system = Folder(count);
    let good = [stamp(1, 0), stamp(2, 1)];
    assert_eq!(replay_equal::check(&system, &good, &[]), Ok(()));
    let bad = [stamp(1, 0), stamp(2, 7)];
    assert!(replay_equal::check(&system, &bad, &[]).is_err());
}

#[test]
fn an_idle_cycle_appends_only_what_is_about_the_process() {
    let world = world();
    let before = world.with(|state| second_run_idle::before(state));
    let record = |seq, event| Record {
        seq: Seq(seq),
        time: Default::default(),
        event: Event::Session(event),
    };
    world.with(|state| {
        state
            .journal
            .records
            .push(record(1, SessionEvent::SessionStopped));
        assert_eq!(second_run_idle::check(state, &before), Ok(()));
        let halt = Seq(1);
        state
            .journal
            .records
            .push(record(2, SessionEvent::HaltCleared { halt }));
        assert!(second_run_idle::check(state, &before).is_err());
    });
}

#[test]
fn a_persons_unsynced_data_may_go_with_the_power_but_not_synced_data() {
    for synced in [false, true] {
        let mut gone = 0;
        for seed in 0..40 {
            let world = World::new(seed, Options::calm());
            write(&world, Side::Local, "a", "one");
            if synced {
                engine(&world, crate::world::disk::Disk::sync);
            }
            world.lose_power();
            world.with(|state| {
                assert_eq!(nothing_lost::check(state), Ok(()));
                assert_eq!(no_half_file::check(state), Ok(()));
                let found = state.disk(Side::Local).node(&path("a"));
                gone += u32::from(found.is_none());
            });
        }
        assert_eq!(gone > 0, !synced);
    }
}
