//! Checkpoints against the states they were made from.

use super::{CheckpointError, decode, decode_foreign, digest, encode, is_sound, restored};
use crate::engine::Engine;
use journal_format::event::{
    Action, Case, ConflictEvent, Event, Expected, FailureClass, HaltReason, ObservationEvent,
    Operation, OperationEvent, Record, SessionEvent, UnknownReason,
};
use journal_format::value::{
    Digest, DigestKind, Entry, Fingerprint, Identity, Kind, Policy, RelPath, RemoteVersion, Seq,
    Side, Timestamp,
};

fn path(text: &str) -> RelPath {
    RelPath::new(text).expect("a test's path")
}

fn entry(kind: Kind, object: u64) -> Entry {
    let is_file = kind == Kind::File;
    let fingerprint = Fingerprint {
        kind,
        size: if is_file { object } else { 0 },
        mtime_ns: if is_file { 7 } else { 0 },
        identity: Some(Identity {
            device: 1,
            object,
            born_ns: 3,
        }),
        version: is_file.then(|| RemoteVersion::new(format!("v{object}")).expect("a version")),
    };
    Entry {
        fingerprint,
        digest: is_file.then_some(Digest::Blake3([9; 32])),
    }
}

fn observed(side: Side, text: &str, kind: Kind, object: u64) -> Event {
    let entry = entry(kind, object);
    Event::Observation(ObservationEvent::Observed {
        side,
        path: path(text),
        entry,
    })
}

/// A state with every part in use.
fn state_of_all_parts() -> Engine {
    let mut events = what_both_sides_show();
    open_and_fail(&mut events);
    let mut engine = Engine::new();
    for (seq, event) in (1..).zip(events) {
        engine.replay(&Record {
            seq: Seq(seq),
            time: Timestamp(1),
            event,
        });
    }
    engine
}

fn what_both_sides_show() -> Vec<Event> {
    let adopted = |text: &str| {
        let (local, remote) = (path(text), path(text));
        Event::Operation(OperationEvent::Adopted {
            local,
            remote,
            case: Case::A1,
        })
    };
    let mut events = vec![Event::Session(SessionEvent::RootConfigured {
        job: "job".to_owned(),
        label: "label".to_owned(),
        rules_version: 1,
        digest: DigestKind::Blake3,
        fold_case: true,
        policy: Policy::default(),
    })];
    for side in Side::BOTH {
        let object = if side == Side::Local { 0 } else { 100 };
        events.push(observed(side, "d", Kind::Directory, object + 1));
        events.push(observed(side, "d/same", Kind::File, object + 2));
        events.push(observed(side, "d/edited", Kind::File, object + 3));
    }
    events.extend(["d", "d/same", "d/edited"].map(adopted));
    events.push(observed(Side::Remote, "d/edited", Kind::File, 200));
    events.push(observed(Side::Local, "d/new", Kind::File, 30));
    events.push(observed(Side::Local, "d/failing", Kind::File, 31));
    events.push(Event::Observation(ObservationEvent::Unknown {
        side: Side::Local,
        path: path("pipe"),
        reason: UnknownReason::UnsupportedKind,
    }));
    events
}

fn open_and_fail(events: &mut Vec<Event>) {
    let operation = Operation {
        case: Case::U1,
        action: Action::Transfer {
            from: Side::Local,
            source: path("d/new"),
            expect: entry(Kind::File, 30),
            target: path("d/new"),
            replaces: Expected::Absent,
            displaced: journal_format::event::Displaced::Discard,
        },
    };
    events.push(Event::Conflict(ConflictEvent::Raised {
        local: path("d/edited"),
        remote: path("d/edited"),
        case: Case::C1,
    }));
    let hash = |text: &str| Operation {
        case: Case::Q1,
        action: Action::Hash {
            side: Side::Local,
            path: path(text),
            expect: entry(Kind::File, 31).fingerprint,
        },
    };
    events.push(Event::Operation(OperationEvent::Started {
        operation: hash("d/failing"),
    }));
    let failed = Seq(u64::try_from(events.len()).expect("few"));
    events.push(Event::Operation(OperationEvent::Failed {
        operation: failed,
        class: FailureClass::Denied,
        detail: "no".to_owned(),
        retry_at: Some(Timestamp(5)),
    }));
    events.push(Event::Operation(OperationEvent::Started { operation }));
    let detour = Operation {
        case: Case::M4,
        action: Action::Move {
            side: Side::Local,
            from: path("d/edited"),
            to: path("pydio-sync-moving-0000000000000001"),
            expect: entry(Kind::File, 32).fingerprint,
        },
    };
    events.push(Event::Operation(OperationEvent::Started {
        operation: detour,
    }));
    events.push(Event::Session(SessionEvent::HaltRaised {
        reason: HaltReason::TooManyDeletions,
        side: Side::Remote,
        count: 3,
        plan: [4; 16],
    }));
}

#[test]
fn a_checkpoint_gives_the_same_state_and_the_same_bytes() {
    let engine = state_of_all_parts();
    let state = engine.state();
    assert!(!state.detours.is_empty());
    assert!(!state.failures.is_empty() && !state.open.is_empty() && state.halt.is_some());
    let bytes = encode(state);
    let again = decode(&bytes).expect("it was just encoded");
    assert_eq!(digest(&again), digest(state));
    assert_eq!(encode(&again), bytes);
    assert_eq!(again.tree.counts(), state.tree.counts());
    assert_eq!(again.tree.dirty().len(), state.tree.dirty().len());
    assert_eq!(again.tree.unknown().len(), state.tree.unknown().len());
}

#[test]
fn damage_is_refused() {
    let engine = state_of_all_parts();
    let bytes = encode(engine.state());
    for length in 0..bytes.len() {
        assert!(decode(&bytes[..length]).is_err(), "cut at {length}");
    }
    for place in 0..bytes.len() {
        let mut damaged = bytes.clone();
        damaged[place] ^= 0x41;
        assert!(decode(&damaged).is_err(), "byte {place}");
    }
}

#[test]
fn another_fold_is_refused_by_name() {
    let mut bytes = encode(state_of_all_parts().state());
    bytes[3] ^= 1;
    assert_eq!(decode(&bytes).err(), Some(CheckpointError::OtherFold));
}

#[test]
fn a_foreign_state_is_refused_or_can_be_worked_with() {
    let bytes = encode(state_of_all_parts().state());
    let whole = &bytes[4..bytes.len() - 16];
    let (mut refused, mut usable) = (0, 0);
    for place in 0..whole.len() {
        for mask in [0x01, 0x41, 0x80, 0xff] {
            let mut foreign = whole.to_vec();
            foreign[place] ^= mask;
            // Whoever makes such a thing up gives it the checksums that it needs.
            let state = restored(&mut &foreign[..]).map(|(state, _)| state);
            let Some(state) = state.filter(is_sound) else {
                refused += 1;
                continue;
            };
            usable += 1;
            let seq = state.seq.next();
            let again = encode(&state);
            let mut engine = Engine::restore(state);
            drop(engine.judge(Timestamp(1_000_000_000)));
            drop(engine.judge_without_brakes(Timestamp(1_000_000_000)));
            for (seq, event) in (seq.0..).zip(what_both_sides_show()).take(40) {
                let (seq, time) = (Seq(seq), Timestamp(2));
                engine.replay(&Record { seq, time, event });
            }
            drop(engine.judge(Timestamp(2_000_000_000)));
            assert!(decode_foreign(&again).is_ok(), "byte {place}, {mask}");
        }
    }
    assert!(refused > 100 && usable > 100, "{refused} {usable}");
}
