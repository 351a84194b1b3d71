//! A small journal, and the events to go on with, for the tests of explanations.
//!
//! In: what happens after `d/a` was synced. Out: a journal's records, and what they explain
//! of a path. Deliberately absent: what is expected of that (`tests`). Leaves nothing behind.

use super::{Context, Explanation, Runs, gather_from, tell};
use journal_format::event::{
    Action, Case, Event, ObservationEvent, Operation, OperationEvent, Outcome, PathMove, Record,
    SessionEvent,
};
use journal_format::value::{
    Digest, DigestKind, Entry, Fingerprint, Identity, Kind, Policy, RelPath, Seq, Side, Timestamp,
};

pub(super) const JUNE: i64 = 1_750_000_000_000;

pub(super) fn path(text: &str) -> RelPath {
    RelPath::new(text).expect("a path")
}

pub(super) fn entry(kind: Kind, object: u64, size: u64) -> Entry {
    let is_file = kind == Kind::File;
    Entry {
        fingerprint: Fingerprint {
            kind,
            size,
            mtime_ns: if is_file { JUNE * 1_000_000 } else { 0 },
            identity: Some(Identity {
                device: 1,
                object,
                born_ns: 1,
            }),
            version: None,
        },
        digest: is_file.then(|| Digest::Blake3([u8::try_from(size % 251).expect("small"); 32])),
    }
}

pub(super) fn seen(side: Side, at: &str, kind: Kind, object: u64, size: u64) -> Event {
    let (path, entry) = (path(at), entry(kind, object, size));
    Event::Observation(ObservationEvent::Observed { side, path, entry })
}

pub(super) fn gone(side: Side, at: &str) -> Event {
    let path = path(at);
    let epoch = 2;
    Event::Observation(ObservationEvent::Gone { side, path, epoch })
}

pub(super) fn renamed(side: Side, from: &str, to: &str, what: Entry) -> Event {
    let moves = vec![PathMove {
        from: path(from),
        to: path(to),
        entry: what,
    }];
    Event::Observation(ObservationEvent::Moved { side, moves })
}

pub(super) fn agreed(at: &str) -> Event {
    Event::Operation(OperationEvent::Adopted {
        local: path(at),
        remote: path(at),
        case: Case::A1,
    })
}

pub(super) fn start(case: Case, action: Action) -> Event {
    let operation = Operation { case, action };
    Event::Operation(OperationEvent::Started { operation })
}

pub(super) fn end(operation: u64, outcome: Outcome) -> Event {
    let operation = Seq(operation);
    Event::Operation(OperationEvent::Succeeded { operation, outcome })
}

pub(super) fn remove(side: Side, at: &str, what: Entry) -> Action {
    Action::Remove {
        side,
        path: path(at),
        expect: what.fingerprint,
        rescue: false,
    }
}

/// Two sides that agree on `d/` and `d/a`, then what a story adds.
pub(super) fn journal(more: Vec<Event>) -> Vec<Record> {
    let mut events = vec![
        Event::Session(SessionEvent::RootConfigured {
            job: "docs".to_owned(),
            label: "Documents".to_owned(),
            rules_version: 1,
            digest: DigestKind::Blake3,
            fold_case: false,
            policy: Policy::default(),
        }),
        Event::Session(SessionEvent::SessionStarted {
            release: "1.0.0".to_owned(),
            fold_version: 1,
            seed: 1,
        }),
    ];
    for (at, kind, object, size) in [
        ("d", Kind::Directory, 1, 0),
        ("d/a", Kind::File, 2, 5),
        ("other", Kind::File, 3, 6),
    ] {
        for side in Side::BOTH {
            let far = if side == Side::Local { 0 } else { 100 };
            events.push(seen(side, at, kind, object + far, size));
        }
        events.push(agreed(at));
    }
    events.extend(more);
    (1..)
        .zip(events)
        .map(|(seq, event)| Record {
            seq: Seq(seq),
            time: Timestamp(JUNE + i64::try_from(seq).expect("small") * 1000),
            event,
        })
        .collect()
}

pub(super) fn explain(at: &str, records: &[Record]) -> Explanation {
    let at = path(at);
    let gathered = gather_from(records, &at).expect("few records");
    let context = Context {
        job: "docs".to_owned(),
        now: Timestamp(JUNE + 3_600_000),
        runs: Runs::Yes,
        begins: Seq(1),
    };
    tell(&at, &gathered, None, &context)
}

pub(super) fn texts(told: &Explanation) -> Vec<&str> {
    told.events.iter().map(|it| it.text.as_str()).collect()
}
