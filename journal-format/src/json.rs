//! Records as JSON, the same for the command line, notifications and vectors.
//!
//! In: a record. Out: one JSON object, in the words of the glossary and in
//! snake_case. Invariant: every field of every event is shown, and another reader
//! of the bytes gets the same object (`FORMAT.md` has the rules); watched by the
//! conformance reader. Deliberately absent: the way back, since JSON is for
//! reading; a journal travels as records. A new event is an arm here.

use crate::event::{
    Action, ConflictEvent, Displaced, Event, Expected, Fact, FailureClass, HaltReason, Keep, Kept,
    ObservationEvent, OperationEvent, Order, PathMove, Record, SessionEvent, UnknownReason,
};
use crate::tag::Tag;
use crate::value::{
    Digest, DigestKind, Direction, Entry, Fingerprint, Kind, Mode, Policy, Side, Solve,
};
use serde_json::{Map, Value, json};

/// Returns a record as one object with `seq`, `time`, `type` and its fields.
#[must_use]
pub fn to_json(record: &Record) -> Value {
    let mut object = Map::new();
    object.insert("seq".into(), record.seq.0.into());
    object.insert("time".into(), record.time.0.into());
    object.insert("type".into(), Tag::of(&record.event).name().into());
    let fields = match &record.event {
        Event::Session(event) => session(event),
        Event::Observation(event) => observation(event),
        Event::Operation(event) => operation(event),
        Event::Conflict(event) => conflict(event),
    };
    if let Value::Object(mut fields) = fields {
        object.append(&mut fields);
    }
    Value::Object(object)
}

fn session(event: &SessionEvent) -> Value {
    match event {
        SessionEvent::RootConfigured {
            job,
            label,
            rules_version,
            digest,
            fold_case,
            policy: chosen,
        } => json!({
            "job": job,
            "label": label,
            "rules_version": rules_version,
            "digest": digest_kind(*digest),
            "fold_case": fold_case,
            "policy": policy(chosen),
        }),
        SessionEvent::PolicyChanged { policy: chosen } => json!({ "policy": policy(chosen) }),
        SessionEvent::RootIdentified { side: at, marker } => {
            json!({ "side": side(*at), "marker": marker })
        }
        SessionEvent::SessionStarted {
            release,
            fold_version,
            seed,
        } => json!({ "release": release, "fold_version": fold_version, "seed": seed }),
        SessionEvent::SessionStopped => json!({}),
        SessionEvent::DigestStamped {
            digest,
            fold_version,
        } => json!({ "digest": hex(digest), "fold_version": fold_version }),
        SessionEvent::HistoryLost { expected, found } => {
            json!({ "expected": expected.0, "found": found.0 })
        }
        SessionEvent::HaltRaised {
            reason,
            side: at,
            count,
            plan,
        } => json!({
            "reason": halt_reason(*reason),
            "side": side(*at),
            "count": count,
            "plan": hex(plan),
        }),
        SessionEvent::HaltApproved { halt, by } => json!({ "halt": halt.0, "by": by }),
        SessionEvent::HaltCleared { halt } => json!({ "halt": halt.0 }),
        SessionEvent::FeedRead { cursor, whole } => json!({ "cursor": cursor, "whole": whole }),
        SessionEvent::RemoteRolledBack { detail } => json!({ "detail": detail }),
        SessionEvent::RemoteProbed { facts } => {
            let fact = |fact: &Fact| json!({ "name": fact.name, "value": fact.value });
            json!({ "facts": facts.iter().map(fact).collect::<Vec<_>>() })
        }
        SessionEvent::Ordered { order: what, by } => json!({ "order": order(*what), "by": by }),
    }
}

fn observation(event: &ObservationEvent) -> Value {
    match event {
        ObservationEvent::Observed {
            side: at,
            path,
            entry: seen,
        } => json!({ "side": side(*at), "path": path.as_str(), "entry": entry(seen) }),
        ObservationEvent::Moved { side: at, moves } => json!({
            "side": side(*at),
            "moves": moves.iter().map(path_move).collect::<Vec<_>>(),
        }),
        ObservationEvent::Gone {
            side: at,
            path,
            epoch,
        } => json!({ "side": side(*at), "path": path.as_str(), "epoch": epoch }),
        ObservationEvent::Unknown {
            side: at,
            path,
            reason,
        } => json!({
            "side": side(*at),
            "path": path.as_str(),
            "reason": unknown_reason(*reason),
        }),
        ObservationEvent::Hashed {
            side: at,
            path,
            fingerprint: version,
            digest,
        } => json!({
            "side": side(*at),
            "path": path.as_str(),
            "fingerprint": fingerprint(version),
            "digest": digest.to_string(),
        }),
    }
}

fn operation(event: &OperationEvent) -> Value {
    match event {
        OperationEvent::Started { operation } => json!({
            "case": operation.case.letter(),
            "action": action(&operation.action),
        }),
        OperationEvent::Succeeded { operation, outcome } => json!({
            "operation": operation.0,
            "source": outcome.source.as_ref().map(entry),
            "target": outcome.target.as_ref().map(entry),
            "kept": outcome.kept.iter().map(kept).collect::<Vec<_>>(),
            "trashed": outcome.trashed.as_ref().map(|path| path.as_str()),
            "bytes": outcome.bytes,
        }),
        OperationEvent::Failed {
            operation,
            class,
            detail,
            retry_at,
        } => json!({
            "operation": operation.0,
            "class": failure_class(*class),
            "detail": detail,
            "retry_at": retry_at.map(|time| time.0),
        }),
        OperationEvent::Adopted {
            local,
            remote,
            case,
        } => json!({
            "local": local.as_str(),
            "remote": remote.as_str(),
            "case": case.letter(),
        }),
    }
}

fn conflict(event: &ConflictEvent) -> Value {
    match event {
        ConflictEvent::Raised {
            local,
            remote,
            case,
        } => json!({
            "local": local.as_str(),
            "remote": remote.as_str(),
            "case": case.letter(),
        }),
        ConflictEvent::Resolved {
            conflict,
            keep: choice,
            by,
        } => json!({ "conflict": conflict.0, "keep": keep(*choice), "by": by }),
        ConflictEvent::Settled { conflict } => json!({ "conflict": conflict.0 }),
    }
}

fn action(action: &Action) -> Value {
    match action {
        Action::Transfer {
            from,
            source,
            expect,
            target,
            replaces,
            displaced: loser,
        } => json!({
            "type": "transfer",
            "from": side(*from),
            "source": source.as_str(),
            "expect": entry(expect),
            "target": target.as_str(),
            "replaces": match replaces {
                Expected::Absent => Value::Null,
                Expected::Version(version) => fingerprint(version),
            },
            "displaced": displaced(loser),
        }),
        Action::MakeDirectory { side: at, path } => json!({
            "type": "make_directory",
            "side": side(*at),
            "path": path.as_str(),
        }),
        Action::Move {
            side: at,
            from,
            to,
            expect,
        } => json!({
            "type": "move",
            "side": side(*at),
            "from": from.as_str(),
            "to": to.as_str(),
            "expect": fingerprint(expect),
        }),
        Action::Remove {
            side: at,
            path,
            expect,
            rescue,
        } => json!({
            "type": "remove",
            "side": side(*at),
            "path": path.as_str(),
            "expect": fingerprint(expect),
            "rescue": rescue,
        }),
        Action::Hash {
            side: at,
            path,
            expect,
        } => json!({
            "type": "hash",
            "side": side(*at),
            "path": path.as_str(),
            "expect": fingerprint(expect),
        }),
    }
}

fn displaced(displaced: &Displaced) -> Value {
    match displaced {
        Displaced::Discard => "discard".into(),
        Displaced::Rescue => "rescue".into(),
        Displaced::ConflictCopy(path) => json!({ "conflict_copy": path.as_str() }),
    }
}

fn path_move(group: &PathMove) -> Value {
    json!({
        "from": group.from.as_str(),
        "to": group.to.as_str(),
        "entry": entry(&group.entry),
    })
}

fn kept(kept: &Kept) -> Value {
    json!({ "path": kept.path.as_str(), "entry": entry(&kept.entry) })
}

fn entry(entry: &Entry) -> Value {
    json!({
        "fingerprint": fingerprint(&entry.fingerprint),
        "digest": entry.digest.as_ref().map(Digest::to_string),
    })
}

fn fingerprint(fingerprint: &Fingerprint) -> Value {
    json!({
        "kind": kind(fingerprint.kind),
        "size": fingerprint.size,
        "mtime_ns": fingerprint.mtime_ns,
        "identity": fingerprint.identity.map(|identity| json!({
            "device": identity.device,
            "object": identity.object,
            "born_ns": identity.born_ns,
        })),
        "version": fingerprint.version.as_ref().map(|version| version.as_str()),
    })
}

fn policy(policy: &Policy) -> Value {
    json!({
        "direction": direction(policy.direction),
        "mode": mode(policy.mode),
        "solve": solve(policy.solve),
        "brakes": {
            "deletions_max": policy.brakes.deletions_max,
            "deletions_percent_max": policy.brakes.deletions_percent_max,
            "entries_min": policy.brakes.entries_min,
        },
    })
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Writes down the word of each variant, so that renaming a type changes no output.
macro_rules! words {
    ($($function:ident($name:ident) { $($variant:ident = $word:literal)+ })+) => {$(
        const fn $function(value: $name) -> &'static str {
            match value { $($name::$variant => $word),+ }
        }
    )+};
}

words! {
    side(Side) { Local = "local" Remote = "remote" }
    kind(Kind) { File = "file" Directory = "directory" Symlink = "symlink" }
    digest_kind(DigestKind) { Blake3 = "blake3" Md5 = "md5" Sha1 = "sha1" }
    direction(Direction) { Bi = "bi" Up = "up" Down = "down" }
    mode(Mode) { Safe = "safe" Mirror = "mirror" }
    solve(Solve) { Both = "both" Manual = "manual" Local = "local" Remote = "remote" }
    keep(Keep) { Local = "local" Remote = "remote" Both = "both" }
    order(Order) { Pause = "pause" Start = "start" Stop = "stop" }
    halt_reason(HaltReason) {
        RootMissing = "root_missing"
        RootReplaced = "root_replaced"
        RootEmptied = "root_emptied"
        TooManyDeletions = "too_many_deletions"
        EverythingChanged = "everything_changed"
        RolledBack = "rolled_back"
        HistoryLost = "history_lost"
    }
    unknown_reason(UnknownReason) {
        Excluded = "excluded"
        Unreadable = "unreadable"
        UnsupportedKind = "unsupported_kind"
        UnsupportedSymlink = "unsupported_symlink"
        InvalidName = "invalid_name"
        NameTooLong = "name_too_long"
        NameTwin = "name_twin"
        MountPoint = "mount_point"
    }
    failure_class(FailureClass) {
        Retry = "retry"
        Precondition = "precondition"
        Auth = "auth"
        Unsupported = "unsupported"
        NoSpace = "no_space"
        Denied = "denied"
        InDoubt = "in_doubt"
        Fatal = "fatal"
    }
}
