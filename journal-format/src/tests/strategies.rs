//! Random records that keep the rules of their types.

use crate::event::{
    Action, Case, Change, ConflictEvent, Displaced, Event, Expected, Fact, FailureClass,
    HaltReason, Keep, Kept, ObservationEvent, Operation, OperationEvent, Order, Outcome, PathMove,
    Record, SessionEvent, UnknownReason,
};
use crate::value::{
    Brakes, Digest, DigestKind, Direction, Entry, Fingerprint, Identity, Kind, Mode, Policy,
    RelPath, RemoteVersion, Seq, Side, Solve, Timestamp,
};
use proptest::collection::vec;
use proptest::option::of;
use proptest::prelude::*;
use proptest::sample::select;

pub(super) fn record() -> BoxedStrategy<Record> {
    let seq = prop_oneof![1..300_u64, 1..u64::MAX];
    (seq, any::<i64>(), event())
        .prop_map(|(seq, time, event)| Record {
            seq: Seq(seq),
            time: Timestamp(time),
            event,
        })
        .boxed()
}

fn event() -> BoxedStrategy<Event> {
    prop_oneof![
        session().prop_map(Event::Session),
        observation().prop_map(Event::Observation),
        operation().prop_map(Event::Operation),
        conflict().prop_map(Event::Conflict),
    ]
    .boxed()
}

fn session() -> BoxedStrategy<SessionEvent> {
    prop_oneof![
        (
            text(),
            text(),
            any::<u32>(),
            digest_kind(),
            any::<bool>(),
            policy()
        )
            .prop_map(|(job, label, rules_version, digest, fold_case, policy)| {
                SessionEvent::RootConfigured {
                    job,
                    label,
                    rules_version,
                    digest,
                    fold_case,
                    policy,
                }
            }),
        policy().prop_map(|policy| SessionEvent::PolicyChanged { policy }),
        (side(), text()).prop_map(|(side, marker)| SessionEvent::RootIdentified { side, marker }),
        (text(), any::<u32>(), any::<u64>()).prop_map(|(release, fold_version, seed)| {
            SessionEvent::SessionStarted {
                release,
                fold_version,
                seed,
            }
        }),
        Just(SessionEvent::SessionStopped),
        (any::<[u8; 16]>(), any::<u32>()).prop_map(|(digest, fold_version)| {
            SessionEvent::DigestStamped {
                digest,
                fold_version,
            }
        }),
        (number(), number()).prop_map(|(expected, found)| SessionEvent::HistoryLost {
            expected: Seq(expected),
            found: Seq(found),
        }),
        (halt_reason(), side(), number(), any::<[u8; 16]>()).prop_map(
            |(reason, side, count, plan)| SessionEvent::HaltRaised {
                reason,
                side,
                count,
                plan,
            }
        ),
        (number(), text()).prop_map(|(halt, by)| SessionEvent::HaltApproved {
            halt: Seq(halt),
            by,
        }),
        number().prop_map(|halt| SessionEvent::HaltCleared { halt: Seq(halt) }),
        (text(), any::<bool>())
            .prop_map(|(cursor, whole)| SessionEvent::FeedRead { cursor, whole }),
        text().prop_map(|detail| SessionEvent::RemoteRolledBack { detail }),
        vec(
            (text(), text()).prop_map(|(name, value)| Fact { name, value }),
            0..4
        )
        .prop_map(|facts| SessionEvent::RemoteProbed { facts }),
        (vec(change(), 0..4), text())
            .prop_map(|(changes, by)| SessionEvent::Undone { changes, by }),
        (
            select(vec![Order::Pause, Order::Start, Order::Stop]),
            text()
        )
            .prop_map(|(order, by)| SessionEvent::Ordered { order, by }),
    ]
    .boxed()
}

fn change() -> impl Strategy<Value = Change> {
    let places = (path(), of(path()), of(path()));
    (of(number()), places, of(entry())).prop_map(|(undoes, (path, from, trashed), now)| Change {
        undoes: undoes.map(Seq),
        path,
        from,
        now,
        trashed,
    })
}

fn observation() -> BoxedStrategy<ObservationEvent> {
    prop_oneof![
        (side(), path(), entry()).prop_map(|(side, path, entry)| ObservationEvent::Observed {
            side,
            path,
            entry
        }),
        (side(), vec(path_move(), 1..4))
            .prop_map(|(side, moves)| ObservationEvent::Moved { side, moves }),
        (side(), path(), number()).prop_map(|(side, path, epoch)| ObservationEvent::Gone {
            side,
            path,
            epoch
        }),
        (side(), path(), unknown_reason())
            .prop_map(|(side, path, reason)| ObservationEvent::Unknown { side, path, reason }),
        (side(), path(), fingerprint(), digest()).prop_map(|(side, path, fingerprint, digest)| {
            ObservationEvent::Hashed {
                side,
                path,
                fingerprint,
                digest,
            }
        }),
    ]
    .boxed()
}

fn operation() -> BoxedStrategy<OperationEvent> {
    prop_oneof![
        (case(), action()).prop_map(|(case, action)| OperationEvent::Started {
            operation: Operation { case, action },
        }),
        (number(), outcome()).prop_map(|(operation, outcome)| OperationEvent::Succeeded {
            operation: Seq(operation),
            outcome,
        }),
        (number(), failure_class(), text(), of(any::<i64>())).prop_map(
            |(operation, class, detail, retry_at)| OperationEvent::Failed {
                operation: Seq(operation),
                class,
                detail,
                retry_at: retry_at.map(Timestamp),
            }
        ),
        (path(), path(), case()).prop_map(|(local, remote, case)| OperationEvent::Adopted {
            local,
            remote,
            case,
        }),
    ]
    .boxed()
}

fn conflict() -> BoxedStrategy<ConflictEvent> {
    let keep = select(vec![Keep::Local, Keep::Remote, Keep::Both]);
    prop_oneof![
        (path(), path(), case()).prop_map(|(local, remote, case)| ConflictEvent::Raised {
            local,
            remote,
            case,
        }),
        (number(), keep, text()).prop_map(|(conflict, keep, by)| ConflictEvent::Resolved {
            conflict: Seq(conflict),
            keep,
            by,
        }),
        number().prop_map(|conflict| ConflictEvent::Settled {
            conflict: Seq(conflict),
        }),
    ]
    .boxed()
}

fn action() -> BoxedStrategy<Action> {
    let replaces = prop_oneof![
        Just(Expected::Absent),
        fingerprint().prop_map(Expected::Version),
    ];
    let displaced = prop_oneof![
        Just(Displaced::Discard),
        Just(Displaced::Rescue),
        path().prop_map(Displaced::ConflictCopy),
    ];
    prop_oneof![
        (side(), path(), entry(), path(), replaces, displaced).prop_map(
            |(from, source, expect, target, replaces, displaced)| Action::Transfer {
                from,
                source,
                expect,
                target,
                replaces,
                displaced,
            }
        ),
        (side(), path()).prop_map(|(side, path)| Action::MakeDirectory { side, path }),
        (side(), path(), path(), fingerprint()).prop_map(|(side, from, to, expect)| {
            Action::Move {
                side,
                from,
                to,
                expect,
            }
        }),
        (side(), path(), fingerprint(), any::<bool>()).prop_map(|(side, path, expect, rescue)| {
            Action::Remove {
                side,
                path,
                expect,
                rescue,
            }
        }),
        (side(), path(), fingerprint()).prop_map(|(side, path, expect)| Action::Hash {
            side,
            path,
            expect
        }),
    ]
    .boxed()
}

fn outcome() -> BoxedStrategy<Outcome> {
    let kept = (path(), entry()).prop_map(|(path, entry)| Kept { path, entry });
    (
        of(entry()),
        of(entry()),
        vec(kept, 0..3),
        of(path()),
        number(),
    )
        .prop_map(|(source, target, kept, trashed, bytes)| Outcome {
            source,
            target,
            kept,
            trashed,
            bytes,
        })
        .boxed()
}

fn path_move() -> BoxedStrategy<PathMove> {
    (path(), path(), entry())
        .prop_map(|(from, to, entry)| PathMove { from, to, entry })
        .boxed()
}

fn entry() -> BoxedStrategy<Entry> {
    (fingerprint(), of(digest()))
        .prop_map(|(fingerprint, digest)| Entry {
            fingerprint,
            digest,
        })
        .boxed()
}

fn fingerprint() -> BoxedStrategy<Fingerprint> {
    let kind = select(vec![Kind::File, Kind::Directory, Kind::Symlink]);
    let identity =
        (any::<u64>(), number(), any::<i64>()).prop_map(|(device, object, born_ns)| Identity {
            device,
            object,
            born_ns,
        });
    let version = "[^\\p{Cc}]{1,40}".prop_map(|text| RemoteVersion::new(text).unwrap());
    (kind, number(), any::<i64>(), of(identity), of(version))
        .prop_map(|(kind, size, mtime_ns, identity, version)| Fingerprint {
            kind,
            size,
            mtime_ns,
            identity,
            version,
        })
        .boxed()
}

fn digest() -> BoxedStrategy<Digest> {
    prop_oneof![
        any::<[u8; 32]>().prop_map(Digest::Blake3),
        any::<[u8; 16]>().prop_map(Digest::Md5),
        any::<[u8; 20]>().prop_map(Digest::Sha1),
    ]
    .boxed()
}

fn policy() -> BoxedStrategy<Policy> {
    let direction = select(vec![Direction::Bi, Direction::Up, Direction::Down]);
    let mode = select(vec![Mode::Safe, Mode::Mirror]);
    let solve = select(vec![
        Solve::Both,
        Solve::Manual,
        Solve::Local,
        Solve::Remote,
    ]);
    let brakes = (number(), any::<u8>(), number()).prop_map(
        |(deletions_max, deletions_percent_max, entries_min)| Brakes {
            deletions_max,
            deletions_percent_max,
            entries_min,
        },
    );
    (direction, mode, solve, brakes)
        .prop_map(|(direction, mode, solve, brakes)| Policy {
            direction,
            mode,
            solve,
            brakes,
        })
        .boxed()
}

/// Around every width of an encoded integer.
fn number() -> BoxedStrategy<u64> {
    prop_oneof![
        0..260_u64,
        65_000..66_000_u64,
        4_294_967_000..4_294_968_000_u64,
        any::<u64>(),
    ]
    .boxed()
}

fn path() -> BoxedStrategy<RelPath> {
    let name = prop_oneof!["[a-c]{1,3}", "[^/\0]{1,20}"];
    let name = name.prop_filter("names of their own", |name| name != "." && name != "..");
    vec(name, 0..5)
        .prop_map(|names| RelPath::new(names.join("/")).unwrap())
        .boxed()
}

fn text() -> BoxedStrategy<String> {
    prop_oneof!["[ -~]{0,10}", ".{0,300}", "\\PC{0,20}"].boxed()
}

fn side() -> BoxedStrategy<Side> {
    select(Side::BOTH.to_vec()).boxed()
}

fn digest_kind() -> BoxedStrategy<DigestKind> {
    select(vec![DigestKind::Blake3, DigestKind::Md5, DigestKind::Sha1]).boxed()
}

fn halt_reason() -> BoxedStrategy<HaltReason> {
    select(vec![
        HaltReason::RootMissing,
        HaltReason::RootReplaced,
        HaltReason::RootEmptied,
        HaltReason::TooManyDeletions,
        HaltReason::EverythingChanged,
        HaltReason::RolledBack,
        HaltReason::HistoryLost,
    ])
    .boxed()
}

fn unknown_reason() -> BoxedStrategy<UnknownReason> {
    select(vec![
        UnknownReason::Excluded,
        UnknownReason::Unreadable,
        UnknownReason::UnsupportedKind,
        UnknownReason::UnsupportedSymlink,
        UnknownReason::InvalidName,
        UnknownReason::NameTooLong,
        UnknownReason::NameTwin,
        UnknownReason::MountPoint,
    ])
    .boxed()
}

fn failure_class() -> BoxedStrategy<FailureClass> {
    select(vec![
        FailureClass::Retry,
        FailureClass::Precondition,
        FailureClass::Auth,
        FailureClass::Unsupported,
        FailureClass::NoSpace,
        FailureClass::Denied,
        FailureClass::InDoubt,
        FailureClass::Fatal,
    ])
    .boxed()
}

fn case() -> BoxedStrategy<Case> {
    use Case::*;
    select(vec![
        N0, U1, U2, D1, D2, A1, A2, E1, E2, C1, C2, C3, M1, M2, M3, M4, R1, Q1, V1, V2, P1, H1,
    ])
    .boxed()
}
