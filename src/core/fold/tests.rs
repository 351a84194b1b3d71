//! Pairing: which node an observation belongs to.

use super::fold;
use crate::state::State;
use journal_format::event::{
    Action, Case, Event, ObservationEvent, Operation, OperationEvent, Outcome, PathMove, Record,
    UnknownReason,
};
use journal_format::value::{Entry, Fingerprint, Identity, Kind, RelPath, Side, Timestamp};

fn path(text: &str) -> RelPath {
    RelPath::new(text).expect("a valid path")
}

fn entry(kind: Kind, object: u64) -> Entry {
    Entry {
        fingerprint: Fingerprint {
            kind,
            size: 0,
            mtime_ns: 0,
            identity: (object > 0).then_some(Identity {
                device: 0,
                object,
                born_ns: 0,
            }),
            version: None,
        },
        digest: None,
    }
}

#[derive(Default)]
struct Bench {
    state: State,
}

impl Bench {
    fn see(&mut self, event: ObservationEvent) {
        self.take(Event::Observation(event));
    }

    fn take(&mut self, event: Event) {
        let record = Record {
            seq: self.state.seq.next(),
            time: Timestamp(0),
            event,
        };
        fold(&mut self.state, &record);
        self.state.tree.check().expect("the tree is sound");
    }

    fn observed(&mut self, side: Side, text: &str, kind: Kind, object: u64) {
        let (path, entry) = (path(text), entry(kind, object));
        self.see(ObservationEvent::Observed { side, path, entry });
    }

    fn gone(&mut self, side: Side, text: &str) {
        let (path, epoch) = (path(text), 1);
        self.see(ObservationEvent::Gone { side, path, epoch });
    }

    fn moved(&mut self, side: Side, moves: &[(&str, &str, Kind, u64)]) {
        let moves = moves.iter().map(|(from, to, kind, object)| PathMove {
            from: path(from),
            to: path(to),
            entry: entry(*kind, *object),
        });
        let moves = moves.collect();
        self.see(ObservationEvent::Moved { side, moves });
    }

    /// Both sides have it, and it is the baseline.
    fn synced(&mut self, text: &str, kind: Kind, object: u64) {
        self.observed(Side::Local, text, kind, object);
        self.observed(Side::Remote, text, kind, object);
        let node = self.state.tree.lookup(Side::Local, &path(text));
        self.state.tree.agree(node.expect("just observed"));
    }

    fn node(&self, side: Side, text: &str) -> Option<u64> {
        let node = self.state.tree.lookup(side, &path(text))?;
        Some(self.state.tree.node(node).uid)
    }
}

#[test]
fn creations_on_both_sides_meet_in_one_node() {
    let mut bench = Bench::default();
    bench.observed(Side::Local, "a", Kind::File, 1);
    bench.observed(Side::Remote, "a", Kind::File, 2);
    assert_eq!(bench.node(Side::Local, "a"), bench.node(Side::Remote, "a"));
}

#[test]
fn creations_of_different_kinds_stay_apart() {
    let mut bench = Bench::default();
    bench.observed(Side::Local, "a", Kind::File, 1);
    bench.observed(Side::Remote, "a", Kind::Directory, 2);
    assert_ne!(bench.node(Side::Local, "a"), bench.node(Side::Remote, "a"));
}

#[test]
fn what_comes_back_is_itself_again() {
    let mut bench = Bench::default();
    bench.synced("a", Kind::File, 1);
    let before = bench.node(Side::Remote, "a");
    bench.gone(Side::Local, "a");
    bench.observed(Side::Local, "a", Kind::File, 9);
    assert_eq!(bench.node(Side::Local, "a"), before);
}

#[test]
fn a_child_belongs_to_its_directory_and_not_to_a_path() {
    let mut bench = Bench::default();
    bench.synced("d", Kind::Directory, 1);
    bench.synced("d/x", Kind::File, 2);
    bench.moved(Side::Local, &[("d", "e", Kind::Directory, 1)]);
    bench.observed(Side::Remote, "d/new", Kind::File, 3);
    bench.observed(Side::Local, "e/new", Kind::File, 4);
    assert_eq!(
        bench.node(Side::Local, "e/x"),
        bench.node(Side::Remote, "d/x")
    );
    assert_eq!(
        bench.node(Side::Local, "e/new"),
        bench.node(Side::Remote, "d/new")
    );
}

#[test]
fn a_group_of_moves_swaps() {
    let mut bench = Bench::default();
    bench.synced("a", Kind::File, 1);
    bench.synced("b", Kind::File, 2);
    let [a, b] = ["a", "b"].map(|name| bench.node(Side::Remote, name));
    let swap = [("a", "b", Kind::File, 1), ("b", "a", Kind::File, 2)];
    bench.moved(Side::Local, &swap);
    assert_eq!(bench.node(Side::Local, "b"), a);
    assert_eq!(bench.node(Side::Local, "a"), b);
}

#[test]
fn a_child_that_replaces_its_directory_survives_it() {
    let mut bench = Bench::default();
    bench.synced("d", Kind::Directory, 1);
    bench.synced("d/d", Kind::Directory, 2);
    let child = bench.node(Side::Remote, "d/d");
    bench.moved(Side::Local, &[("d/d", "d", Kind::Directory, 2)]);
    assert_eq!(bench.node(Side::Local, "d"), child);
}

#[test]
fn a_move_without_identities_meets_the_move_of_the_other_side_in_any_order() {
    for gone_first in [false, true] {
        let mut bench = Bench::default();
        bench.synced("a", Kind::File, 0);
        bench.moved(Side::Local, &[("a", "b", Kind::File, 0)]);
        if gone_first {
            bench.gone(Side::Remote, "a");
        }
        bench.observed(Side::Remote, "b", Kind::File, 0);
        bench.gone(Side::Remote, "a");
        assert_eq!(bench.node(Side::Local, "b"), bench.node(Side::Remote, "b"));
    }
}

#[test]
fn another_object_at_the_place_of_a_move_is_another_node_in_any_order() {
    for gone_first in [false, true] {
        let mut bench = Bench::default();
        bench.synced("a", Kind::File, 1);
        bench.moved(Side::Local, &[("a", "b", Kind::File, 1)]);
        if gone_first {
            bench.gone(Side::Remote, "a");
        }
        bench.observed(Side::Remote, "b", Kind::File, 7);
        bench.gone(Side::Remote, "a");
        assert_ne!(bench.node(Side::Local, "b"), bench.node(Side::Remote, "b"));
    }
}

#[test]
fn what_is_gone_takes_along_what_lies_below_it() {
    let mut bench = Bench::default();
    bench.synced("d", Kind::Directory, 1);
    bench.synced("d/x", Kind::File, 2);
    bench.gone(Side::Local, "d");
    assert_eq!(bench.node(Side::Local, "d/x"), None);
    assert!(bench.node(Side::Remote, "d/x").is_some());
    bench.gone(Side::Remote, "d");
    assert_eq!(bench.state.tree.counts().present, [0, 0]);
    assert_eq!(bench.state.tree.counts().baseline, 0);
}

/// Renames `a` to `b` on the remote side; `target` is what stands there afterwards.
fn renamed_to(bench: &mut Bench, target: Entry) {
    let operation = Operation {
        case: Case::M1,
        action: Action::Move {
            side: Side::Remote,
            from: path("a"),
            to: path("b"),
            expect: entry(Kind::File, 1).fingerprint,
        },
    };
    bench.take(Event::Operation(OperationEvent::Started { operation }));
    let operation = bench.state.seq;
    let outcome = Outcome {
        target: Some(target),
        ..Outcome::default()
    };
    bench.take(Event::Operation(OperationEvent::Succeeded {
        operation,
        outcome,
    }));
}

#[test]
fn an_edit_between_the_look_and_the_rename_is_an_edit() {
    for (edited_ns, is_in_sync) in [(0, true), (7, false)] {
        let mut bench = Bench::default();
        bench.synced("a", Kind::File, 1);
        bench.moved(Side::Local, &[("a", "b", Kind::File, 1)]);
        let mut target = entry(Kind::File, 1);
        target.fingerprint.mtime_ns = edited_ns;
        renamed_to(&mut bench, target);
        let node = bench.state.tree.lookup(Side::Remote, &path("b"));
        let node = node.expect("it was renamed");
        assert_eq!(bench.state.tree.is_in_sync(node), is_in_sync);
    }
}

#[test]
fn what_arrives_below_a_file_finds_no_place() {
    let mut bench = Bench::default();
    bench.synced("d", Kind::Directory, 1);
    bench.gone(Side::Local, "d");
    bench.observed(Side::Local, "d", Kind::File, 2);
    bench.observed(Side::Local, "d/a", Kind::File, 3);
    assert_eq!(bench.node(Side::Local, "d/a"), None);
}

#[test]
fn what_cannot_be_synced_is_no_node_that_left_its_name() {
    let mut bench = Bench::default();
    bench.synced("a", Kind::File, 1);
    bench.gone(Side::Local, "a");
    bench.moved(Side::Remote, &[("a", "b", Kind::File, 1)]);
    bench.see(ObservationEvent::Unknown {
        side: Side::Local,
        path: path("a"),
        reason: UnknownReason::UnsupportedKind,
    });
    let pipe = bench.node(Side::Local, "a");
    assert!(pipe.is_some() && pipe != bench.node(Side::Remote, "b"));
}

#[test]
fn what_cannot_be_synced_stays_when_its_namesake_moves() {
    let mut bench = Bench::default();
    bench.observed(Side::Remote, "a", Kind::File, 1);
    bench.see(ObservationEvent::Unknown {
        side: Side::Local,
        path: path("a"),
        reason: UnknownReason::UnsupportedKind,
    });
    bench.moved(Side::Remote, &[("a", "b", Kind::File, 1)]);
    let pipe = bench.node(Side::Local, "a");
    assert!(pipe.is_some() && pipe != bench.node(Side::Remote, "b"));
}

#[test]
fn what_cannot_be_synced_is_not_the_node_that_stands_elsewhere() {
    for reason in [
        UnknownReason::UnsupportedKind,
        UnknownReason::UnsupportedSymlink,
    ] {
        let mut bench = Bench::default();
        bench.synced("a", Kind::File, 1);
        bench.moved(Side::Remote, &[("a", "b", Kind::File, 1)]);
        let side = Side::Local;
        bench.see(ObservationEvent::Unknown {
            side,
            path: path("a"),
            reason,
        });
        let moved = bench.node(Side::Remote, "b");
        assert_ne!(bench.node(Side::Local, "a"), moved);
        bench.observed(Side::Local, "b", Kind::File, 1);
        assert_eq!(bench.node(Side::Local, "b"), moved);
    }
}

#[test]
fn a_directory_and_its_child_change_places_in_one_step() {
    let mut bench = Bench::default();
    bench.synced("a", Kind::Directory, 1);
    bench.synced("a/a", Kind::Directory, 2);
    bench.synced("a/a/x", Kind::File, 3);
    let before = ["a/a", "a", "a/a/x"].map(|path| bench.node(Side::Local, path));
    let moves = [
        ("a/a", "a", Kind::Directory, 2),
        ("a", "a/a", Kind::Directory, 1),
    ];
    bench.moved(Side::Local, &moves);
    let after = ["a", "a/a", "a/x"].map(|path| bench.node(Side::Local, path));
    assert_eq!(after, before);
}

fn adopted(text: &str) -> Event {
    Event::Operation(OperationEvent::Adopted {
        local: path(text),
        remote: path(text),
        case: Case::A1,
    })
}

#[test]
fn two_directories_that_are_adopted_are_one_with_all_that_lies_in_both() {
    let mut bench = Bench::default();
    for side in Side::BOTH {
        bench.observed(side, "d", Kind::Directory, 1);
        bench.observed(side, "d/old", Kind::File, 2);
    }
    bench.take(adopted("d"));
    bench.take(adopted("d/old"));
    bench.gone(Side::Remote, "d");
    bench.observed(Side::Remote, "e", Kind::Directory, 3);
    bench.observed(Side::Remote, "e/new", Kind::File, 4);
    bench.observed(Side::Local, "d/same", Kind::File, 5);
    bench.observed(Side::Remote, "e/same", Kind::File, 6);
    bench.moved(Side::Remote, &[("e", "d", Kind::Directory, 3)]);
    let found = |bench: &Bench, side, text| bench.state.tree.lookup(side, &path(text));
    let pair = |bench: &Bench, text| Side::BOTH.map(|side| found(bench, side, text));
    let [local, remote] = pair(&bench, "d");
    assert_ne!(local, remote);
    bench.take(adopted("d"));
    let [local, remote] = pair(&bench, "d");
    assert_eq!((local, local.is_some()), (remote, true));
    assert!(bench.state.tree.is_in_sync(local.expect("it is there")));
    let [local, remote] = pair(&bench, "d/same");
    assert_eq!((local, local.is_some()), (remote, true));
    assert!(found(&bench, Side::Remote, "d/new").is_some());
    assert!(found(&bench, Side::Local, "d/old").is_some());
}

#[test]
fn a_directory_that_is_on_one_side_only_takes_the_place_of_the_one_that_comes() {
    let mut bench = Bench::default();
    for side in Side::BOTH {
        for (text, object) in [("came", 1), ("kept", 2)] {
            bench.observed(side, text, Kind::Directory, object);
        }
    }
    bench.take(adopted("came"));
    bench.take(adopted("kept"));
    bench.gone(Side::Local, "kept");
    bench.moved(Side::Local, &[("came", "kept", Kind::Directory, 1)]);
    let found = |bench: &Bench, side, text| bench.state.tree.lookup(side, &path(text));
    let kept = found(&bench, Side::Remote, "kept");
    assert_ne!(found(&bench, Side::Local, "kept"), kept);
    bench.take(adopted("kept"));
    assert_eq!(found(&bench, Side::Local, "kept"), kept);
    let came = found(&bench, Side::Remote, "came").expect("it stays until it is empty");
    assert!(bench.state.tree.facet(came, Side::Local).is_absent());
}

#[test]
fn what_goes_while_it_is_left_out_was_never_agreed_on() {
    for out in Side::BOTH {
        let mut bench = Bench::default();
        bench.synced("d", Kind::Directory, 1);
        bench.synced("d/f", Kind::File, 2);
        bench.synced("e", Kind::File, 3);
        let reason = UnknownReason::Excluded;
        let left_out = path("d");
        bench.see(ObservationEvent::Unknown {
            side: out,
            path: left_out,
            reason,
        });
        bench.gone(Side::Local, "d");
        bench.gone(Side::Local, "e");
        for (text, is_agreed) in [("d", false), ("d/f", false), ("e", true)] {
            let node = bench.state.tree.lookup(Side::Remote, &path(text));
            let baseline = bench.state.tree.baseline(node.expect("it is still there"));
            assert_eq!(baseline.is_some(), is_agreed, "{text}, left out on {out}");
        }
    }
}
