//! One smallest and one largest record an event, and one an action.
//!
//! In: nothing. Out: named records. Invariant: the largest set every option and use
//! wide numbers, so that no field hides behind a default. A new event
//! gets a value in `*_min` and in `*_max` of its family.

use crate::event::{
    Action, Case, Change, ConflictEvent, Displaced, Event, Expected, Fact, FailureClass, HaltReason, Keep,
    Kept, ObservationEvent, Operation, OperationEvent, Order, Outcome, PathMove, Record,
    SessionEvent, UnknownReason,
};
use crate::value::{
    Brakes, Digest, DigestKind, Direction, Entry, Fingerprint, Identity, Kind, Mode, Policy,
    RelPath, RemoteVersion, Seq, Side, Solve, TEXT_BYTES_MAX, Timestamp, VERSION_BYTES_MAX,
};

pub(super) fn all() -> Vec<(&'static str, Record)> {
    let smallest = [session_min(), observation_min(), operation_min()];
    let largest = [session_max(), observation_max(), operation_max()];
    let mut samples = Vec::new();
    for event in smallest.into_iter().flatten().chain(conflict_min()) {
        samples.push(("minimal", record(1, 0, event)));
    }
    for event in largest.into_iter().flatten().chain(conflict_max()) {
        samples.push(("maximal", record(u64::MAX, i64::MIN, event)));
    }
    for (name, action) in actions() {
        let event = started(Case::U1, action);
        samples.push((name, record(1_000_000, 1_700_000_000_123, event)));
    }
    samples
}

fn record(seq: u64, time: i64, event: Event) -> Record {
    Record {
        seq: Seq(seq),
        time: Timestamp(time),
        event,
    }
}

fn session_min() -> Vec<Event> {
    [
        SessionEvent::RootConfigured {
            job: String::new(),
            label: String::new(),
            rules_version: 1,
            digest: DigestKind::Blake3,
            fold_case: false,
            policy: Policy::default(),
        },
        SessionEvent::PolicyChanged {
            policy: Policy::default(),
        },
        SessionEvent::RootIdentified {
            side: Side::Local,
            marker: String::new(),
        },
        SessionEvent::SessionStarted {
            release: String::new(),
            fold_version: 0,
            seed: 0,
        },
        SessionEvent::SessionStopped,
        SessionEvent::DigestStamped {
            digest: [0; 16],
            fold_version: 0,
        },
        SessionEvent::HistoryLost {
            expected: Seq(1),
            found: Seq::ZERO,
        },
        SessionEvent::HaltRaised {
            reason: HaltReason::RootMissing,
            side: Side::Local,
            count: 0,
            plan: [0; 16],
        },
        SessionEvent::HaltApproved {
            halt: Seq(1),
            by: String::new(),
        },
        SessionEvent::HaltCleared { halt: Seq(1) },
        SessionEvent::FeedRead {
            cursor: String::new(),
            whole: false,
        },
        SessionEvent::RemoteRolledBack {
            detail: String::new(),
        },
        SessionEvent::RemoteProbed { facts: Vec::new() },
        SessionEvent::Undone {
            changes: Vec::new(),
            by: String::new(),
        },
        SessionEvent::Ordered {
            order: Order::Pause,
            by: String::new(),
        },
    ]
    .map(Event::Session)
    .into()
}

#[expect(clippy::too_many_lines, reason = "one table")]
fn session_max() -> Vec<Event> {
    [
        SessionEvent::RootConfigured {
            job: text(),
            label: text(),
            rules_version: u32::MAX,
            digest: DigestKind::Sha1,
            fold_case: true,
            policy: policy(),
        },
        SessionEvent::PolicyChanged { policy: policy() },
        SessionEvent::RootIdentified {
            side: Side::Remote,
            marker: text(),
        },
        SessionEvent::SessionStarted {
            release: text(),
            fold_version: u32::MAX,
            seed: u64::MAX,
        },
        SessionEvent::SessionStopped,
        SessionEvent::DigestStamped {
            digest: [0xff; 16],
            fold_version: u32::MAX,
        },
        SessionEvent::HistoryLost {
            expected: Seq(u64::MAX),
            found: Seq(u64::MAX - 1),
        },
        SessionEvent::HaltRaised {
            reason: HaltReason::HistoryLost,
            side: Side::Remote,
            count: u64::MAX,
            plan: [0xff; 16],
        },
        SessionEvent::HaltApproved {
            halt: Seq(u64::MAX),
            by: text(),
        },
        SessionEvent::HaltCleared {
            halt: Seq(u64::MAX),
        },
        SessionEvent::FeedRead {
            cursor: text(),
            whole: true,
        },
        SessionEvent::RemoteRolledBack { detail: text() },
        SessionEvent::RemoteProbed {
            facts: vec![
                Fact {
                    name: "conditions".to_owned(),
                    value: "true".to_owned(),
                },
                Fact {
                    name: text(),
                    value: text(),
                },
            ],
        },
        SessionEvent::Undone {
            changes: vec![
                Change {
                    undoes: Some(Seq(u64::MAX - 1)),
                    path: path("d/é 漢.txt"),
                    from: Some(path("d/b")),
                    now: Some(entry_min()),
                    trashed: Some(path("00000000000004d2-a")),
                },
                Change {
                    undoes: None,
                    path: path("e"),
                    from: None,
                    now: None,
                    trashed: None,
                },
            ],
            by: text(),
        },
        SessionEvent::Ordered {
            order: Order::Stop,
            by: text(),
        },
    ]
    .map(Event::Session)
    .into()
}

fn observation_min() -> Vec<Event> {
    [
        ObservationEvent::Observed {
            side: Side::Local,
            path: RelPath::root(),
            entry: entry_min(),
        },
        ObservationEvent::Moved {
            side: Side::Local,
            moves: vec![PathMove {
                from: path("a"),
                to: path("b"),
                entry: entry_min(),
            }],
        },
        ObservationEvent::Gone {
            side: Side::Local,
            path: path("a"),
            epoch: 0,
        },
        ObservationEvent::Unknown {
            side: Side::Local,
            path: path("a"),
            reason: UnknownReason::Excluded,
        },
        ObservationEvent::Hashed {
            side: Side::Local,
            path: path("a"),
            fingerprint: fingerprint_min(),
            digest: Digest::Md5([0; 16]),
        },
    ]
    .map(Event::Observation)
    .into()
}

fn observation_max() -> Vec<Event> {
    let swap = |from: &str, to: &str| PathMove {
        from: path(from),
        to: path(to),
        entry: entry_max(),
    };
    [
        ObservationEvent::Observed {
            side: Side::Remote,
            path: long_path(),
            entry: entry_max(),
        },
        ObservationEvent::Moved {
            side: Side::Remote,
            moves: vec![
                swap("été", "hiver/🎿"),
                swap("hiver/🎿", "été"),
                PathMove {
                    from: long_path(),
                    to: path("short"),
                    entry: entry_min(),
                },
            ],
        },
        ObservationEvent::Gone {
            side: Side::Remote,
            path: long_path(),
            epoch: u64::MAX,
        },
        ObservationEvent::Unknown {
            side: Side::Remote,
            path: long_path(),
            reason: UnknownReason::MountPoint,
        },
        ObservationEvent::Hashed {
            side: Side::Remote,
            path: long_path(),
            fingerprint: fingerprint_max(),
            digest: Digest::Sha1([0xab; 20]),
        },
    ]
    .map(Event::Observation)
    .into()
}

fn operation_min() -> Vec<Event> {
    let make = Action::MakeDirectory {
        side: Side::Local,
        path: path("a"),
    };
    let rest = [
        OperationEvent::Succeeded {
            operation: Seq(1),
            outcome: Outcome::default(),
        },
        OperationEvent::Failed {
            operation: Seq(1),
            class: FailureClass::Retry,
            detail: String::new(),
            retry_at: None,
        },
        OperationEvent::Adopted {
            local: path("a"),
            remote: path("a"),
            case: Case::N0,
        },
    ]
    .map(Event::Operation);
    std::iter::once(started(Case::N0, make))
        .chain(rest)
        .collect()
}

fn operation_max() -> Vec<Event> {
    let transfer = Action::Transfer {
        from: Side::Remote,
        source: long_path(),
        expect: entry_max(),
        target: long_path(),
        replaces: Expected::Version(fingerprint_max()),
        displaced: Displaced::ConflictCopy(long_path()),
    };
    let rest = [
        OperationEvent::Succeeded {
            operation: Seq(u64::MAX),
            outcome: Outcome {
                source: Some(entry_max()),
                target: Some(entry_max()),
                kept: vec![
                    Kept {
                        path: long_path(),
                        entry: entry_max(),
                    },
                    Kept {
                        path: path("a"),
                        entry: entry_min(),
                    },
                ],
                trashed: Some(long_path()),
                bytes: u64::MAX,
            },
        },
        OperationEvent::Failed {
            operation: Seq(u64::MAX),
            class: FailureClass::Fatal,
            detail: text(),
            retry_at: Some(Timestamp(i64::MAX)),
        },
        OperationEvent::Adopted {
            local: long_path(),
            remote: long_path(),
            case: Case::H1,
        },
    ]
    .map(Event::Operation);
    std::iter::once(started(Case::H1, transfer))
        .chain(rest)
        .collect()
}

fn actions() -> Vec<(&'static str, Action)> {
    let transfer = |replaces, displaced| Action::Transfer {
        from: Side::Local,
        source: path("docs/plan.txt"),
        expect: entry_max(),
        target: path("docs/plan.txt"),
        replaces,
        displaced,
    };
    vec![
        ("create", transfer(Expected::Absent, Displaced::Discard)),
        (
            "replace",
            transfer(Expected::Version(fingerprint_min()), Displaced::Rescue),
        ),
        (
            "move",
            Action::Move {
                side: Side::Remote,
                from: path("a"),
                to: path("b/c"),
                expect: fingerprint_min(),
            },
        ),
        (
            "remove",
            Action::Remove {
                side: Side::Remote,
                path: path("a"),
                expect: fingerprint_max(),
                rescue: true,
            },
        ),
        (
            "hash",
            Action::Hash {
                side: Side::Local,
                path: path("a"),
                expect: fingerprint_min(),
            },
        ),
    ]
}

fn conflict_min() -> Vec<Event> {
    [
        ConflictEvent::Raised {
            local: RelPath::root(),
            remote: RelPath::root(),
            case: Case::N0,
        },
        ConflictEvent::Resolved {
            conflict: Seq(1),
            keep: Keep::Local,
            by: String::new(),
        },
        ConflictEvent::Settled { conflict: Seq(1) },
    ]
    .map(Event::Conflict)
    .into()
}

fn conflict_max() -> Vec<Event> {
    [
        ConflictEvent::Raised {
            local: long_path(),
            remote: long_path(),
            case: Case::H1,
        },
        ConflictEvent::Resolved {
            conflict: Seq(u64::MAX),
            keep: Keep::Both,
            by: text(),
        },
        ConflictEvent::Settled {
            conflict: Seq(u64::MAX),
        },
    ]
    .map(Event::Conflict)
    .into()
}

fn started(case: Case, action: Action) -> Event {
    Event::Operation(OperationEvent::Started {
        operation: Operation { case, action },
    })
}

const fn entry_min() -> Entry {
    Entry {
        fingerprint: fingerprint_min(),
        digest: None,
    }
}

fn entry_max() -> Entry {
    Entry {
        fingerprint: fingerprint_max(),
        digest: Some(Digest::Blake3([0xfe; 32])),
    }
}

const fn fingerprint_min() -> Fingerprint {
    Fingerprint {
        kind: Kind::Directory,
        size: 0,
        mtime_ns: 0,
        identity: None,
        version: None,
    }
}

fn fingerprint_max() -> Fingerprint {
    let version = format!("\"{}\"", "v".repeat(VERSION_BYTES_MAX - 2));
    Fingerprint {
        kind: Kind::Symlink,
        size: u64::MAX,
        mtime_ns: i64::MIN,
        identity: Some(Identity {
            device: u64::MAX,
            object: u64::MAX,
            born_ns: i64::MAX,
        }),
        version: Some(RemoteVersion::new(version).expect("a version of the greatest length")),
    }
}

const fn policy() -> Policy {
    Policy {
        direction: Direction::Down,
        mode: Mode::Mirror,
        solve: Solve::Remote,
        brakes: Brakes {
            deletions_max: u64::MAX,
            deletions_percent_max: u8::MAX,
            entries_min: u64::MAX,
        },
    }
}

fn text() -> String {
    let mut text = "line\n\"quoted\" \\ é 漢 🎿 ".to_owned();
    text.push_str(&"x".repeat(TEXT_BYTES_MAX.saturating_sub(text.len())));
    text
}

fn path(text: &str) -> RelPath {
    RelPath::new(text).expect("a path of the samples")
}

/// A path of the greatest length, with names of the greatest length and of every
/// width of a character.
fn long_path() -> RelPath {
    let name = "é漢🎿n".repeat(25) + "12345";
    let names = vec![name; 16].join("/");
    path(
        names
            .get(..4095)
            .expect("16 names of 255 bytes and 15 slashes"),
    )
}
