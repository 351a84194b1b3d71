//! Records as JSON, the same for the command line, notifications and vectors.
//!
//! In: a record. Out: one JSON object, in the words of the glossary and in
//! snake_case. Invariant: every field of every event is shown, and another reader
//! of the bytes gets the same object (`FORMAT.md` has the rules); watched by the
//! conformance reader. Deliberately absent: the way back, since JSON is for
//! reading; a journal travels as records. A new event is an arm here.

use crate::event::{
    Action, Change, ConflictEvent, Displaced, Event, Expected, Fact, FailureClass, HaltReason,
    Keep, Kept, ObservationEvent, OperationEvent, Order, PathMove, Record, SessionEvent,
    UnknownReason,
};
use crate::tag::Tag;
use crate::value::{
    Brakes, DigestKind, Direction, Entry, Fingerprint, Identity, Kind, Mode, Policy, Side, Solve,
};
use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::Value;
use std::fmt;

/// A record that serialises as one object with `seq`, `time`, `type` and its fields.
#[derive(Debug, Clone, Copy)]
pub struct Json<'a>(pub &'a Record);

/// Returns a record as one object with `seq`, `time`, `type` and its fields.
///
/// # Panics
/// Never: all keys are strings and all numbers are integers.
#[must_use]
pub fn to_json(record: &Record) -> Value {
    serde_json::to_value(Json(record)).expect("strings and integers can be shown")
}

/// Serialises entries of a map one by one, without a tree in between.
macro_rules! entries {
    ($map:ident, { $($key:literal: $value:expr),* $(,)? }) => {{
        $($map.serialize_entry($key, &$value)?;)*
        Ok(())
    }};
}

impl Serialize for Json<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("seq", &self.0.seq.0)?;
        map.serialize_entry("time", &self.0.time.0)?;
        map.serialize_entry("type", Tag::of(&self.0.event).name())?;
        match &self.0.event {
            Event::Session(event) => session(&mut map, event),
            Event::Observation(event) => observation(&mut map, event),
            Event::Operation(event) => operation(&mut map, event),
            Event::Conflict(event) => conflict(&mut map, event),
        }?;
        map.end()
    }
}

fn session<M: SerializeMap>(map: &mut M, event: &SessionEvent) -> Result<(), M::Error> {
    match event {
        SessionEvent::RootConfigured {
            job,
            label,
            rules_version,
            digest,
            fold_case,
            policy: chosen,
        } => entries!(map, {
            "job": job,
            "label": label,
            "rules_version": rules_version,
            "digest": digest_kind(*digest),
            "fold_case": fold_case,
            "policy": Shown(chosen),
        }),
        SessionEvent::PolicyChanged { policy: chosen } => {
            entries!(map, { "policy": Shown(chosen) })
        }
        SessionEvent::RootIdentified { side: at, marker } => {
            entries!(map, { "side": side(*at), "marker": marker })
        }
        SessionEvent::SessionStarted {
            release,
            fold_version,
            seed,
        } => entries!(map, { "release": release, "fold_version": fold_version, "seed": seed }),
        SessionEvent::SessionStopped => entries!(map, {}),
        SessionEvent::DigestStamped {
            digest,
            fold_version,
        } => entries!(map, { "digest": hex(digest), "fold_version": fold_version }),
        SessionEvent::HistoryLost { expected, found } => {
            entries!(map, { "expected": expected.0, "found": found.0 })
        }
        SessionEvent::HaltRaised {
            reason,
            side: at,
            count,
            plan,
        } => entries!(map, {
            "reason": halt_reason(*reason),
            "side": side(*at),
            "count": count,
            "plan": hex(plan),
        }),
        SessionEvent::HaltApproved { halt, by } => entries!(map, { "halt": halt.0, "by": by }),
        SessionEvent::HaltCleared { halt } => entries!(map, { "halt": halt.0 }),
        SessionEvent::FeedRead { cursor, whole } => {
            entries!(map, { "cursor": cursor, "whole": whole })
        }
        SessionEvent::RemoteRolledBack { detail } => entries!(map, { "detail": detail }),
        SessionEvent::RemoteProbed { facts } => entries!(map, { "facts": List(facts) }),
        SessionEvent::Undone { changes, by } => {
            entries!(map, { "changes": List(changes), "by": by })
        }
        SessionEvent::Ordered { order: what, by } => {
            entries!(map, { "order": order(*what), "by": by })
        }
    }
}

fn observation<M: SerializeMap>(map: &mut M, event: &ObservationEvent) -> Result<(), M::Error> {
    match event {
        ObservationEvent::Observed {
            side: at,
            path,
            entry: seen,
        } => entries!(map, { "side": side(*at), "path": path.as_str(), "entry": Shown(seen) }),
        ObservationEvent::Moved { side: at, moves } => entries!(map, {
            "side": side(*at),
            "moves": List(moves),
        }),
        ObservationEvent::Gone {
            side: at,
            path,
            epoch,
        } => entries!(map, { "side": side(*at), "path": path.as_str(), "epoch": epoch }),
        ObservationEvent::Unknown {
            side: at,
            path,
            reason,
        } => entries!(map, {
            "side": side(*at),
            "path": path.as_str(),
            "reason": unknown_reason(*reason),
        }),
        ObservationEvent::Hashed {
            side: at,
            path,
            fingerprint: version,
            digest,
        } => entries!(map, {
            "side": side(*at),
            "path": path.as_str(),
            "fingerprint": Shown(version),
            "digest": Text(digest),
        }),
    }
}

fn operation<M: SerializeMap>(map: &mut M, event: &OperationEvent) -> Result<(), M::Error> {
    match event {
        OperationEvent::Started { operation } => entries!(map, {
            "case": operation.case.letter(),
            "action": Shown(&operation.action),
        }),
        OperationEvent::Succeeded { operation, outcome } => entries!(map, {
            "operation": operation.0,
            "source": outcome.source.as_ref().map(Shown),
            "target": outcome.target.as_ref().map(Shown),
            "kept": List(&outcome.kept),
            "trashed": outcome.trashed.as_ref().map(|path| path.as_str()),
            "bytes": outcome.bytes,
        }),
        OperationEvent::Failed {
            operation,
            class,
            detail,
            retry_at,
        } => entries!(map, {
            "operation": operation.0,
            "class": failure_class(*class),
            "detail": detail,
            "retry_at": retry_at.map(|time| time.0),
        }),
        OperationEvent::Adopted {
            local,
            remote,
            case,
        } => entries!(map, {
            "local": local.as_str(),
            "remote": remote.as_str(),
            "case": case.letter(),
        }),
    }
}

fn conflict<M: SerializeMap>(map: &mut M, event: &ConflictEvent) -> Result<(), M::Error> {
    match event {
        ConflictEvent::Raised {
            local,
            remote,
            case,
        } => entries!(map, {
            "local": local.as_str(),
            "remote": remote.as_str(),
            "case": case.letter(),
        }),
        ConflictEvent::Resolved {
            conflict,
            keep: choice,
            by,
        } => entries!(map, { "conflict": conflict.0, "keep": keep(*choice), "by": by }),
        ConflictEvent::Settled { conflict } => entries!(map, { "conflict": conflict.0 }),
    }
}

/// A part of a record that serialises as it is shown.
struct Shown<'a, T>(&'a T);

/// Parts that serialise one after the other.
struct List<'a, T>(&'a [T]);

/// What is shown by its text.
struct Text<'a, T>(&'a T);

impl<'a, T> Serialize for List<'a, T>
where
    Shown<'a, T>: Serialize,
{
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.iter().map(Shown))
    }
}

impl<T: fmt::Display> Serialize for Text<'_, T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self.0)
    }
}

/// Serialises a part as an object.
macro_rules! shown {
    ($($type:ident($name:ident) { $($key:literal: $value:expr),+ $(,)? })+) => {$(
        impl Serialize for Shown<'_, $type> {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                let $name = self.0;
                let mut map = serializer.serialize_map(None)?;
                $(map.serialize_entry($key, &$value)?;)+
                map.end()
            }
        }
    )+};
}

shown! {
    PathMove(group) {
        "from": group.from.as_str(),
        "to": group.to.as_str(),
        "entry": Shown(&group.entry),
    }
    Change(change) {
        "undoes": change.undoes.map(|seq| seq.0),
        "path": change.path.as_str(),
        "from": change.from.as_ref().map(|path| path.as_str()),
        "now": change.now.as_ref().map(Shown),
        "trashed": change.trashed.as_ref().map(|path| path.as_str()),
    }
    Fact(fact) { "name": fact.name, "value": fact.value }
    Kept(kept) { "path": kept.path.as_str(), "entry": Shown(&kept.entry) }
    Entry(entry) {
        "fingerprint": Shown(&entry.fingerprint),
        "digest": entry.digest.as_ref().map(Text),
    }
    Fingerprint(fingerprint) {
        "kind": kind(fingerprint.kind),
        "size": fingerprint.size,
        "mtime_ns": fingerprint.mtime_ns,
        "identity": fingerprint.identity.as_ref().map(Shown),
        "version": fingerprint.version.as_ref().map(|version| version.as_str()),
    }
    Identity(identity) {
        "device": identity.device,
        "object": identity.object,
        "born_ns": identity.born_ns,
    }
    Policy(policy) {
        "direction": direction(policy.direction),
        "mode": mode(policy.mode),
        "solve": solve(policy.solve),
        "brakes": Shown(&policy.brakes),
    }
    Brakes(brakes) {
        "deletions_max": brakes.deletions_max,
        "deletions_percent_max": brakes.deletions_percent_max,
        "entries_min": brakes.entries_min,
    }
}

impl Serialize for Shown<'_, Action> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        action(&mut map, self.0)?;
        map.end()
    }
}

impl Serialize for Shown<'_, Displaced> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Displaced::Discard => serializer.serialize_str("discard"),
            Displaced::Rescue => serializer.serialize_str("rescue"),
            Displaced::ConflictCopy(path) => {
                let mut map = serializer.serialize_map(Some(1))?;
                map.serialize_entry("conflict_copy", path.as_str())?;
                map.end()
            }
        }
    }
}

fn action<M: SerializeMap>(map: &mut M, action: &Action) -> Result<(), M::Error> {
    match action {
        Action::Transfer {
            from,
            source,
            expect,
            target,
            replaces,
            displaced: loser,
        } => entries!(map, {
            "type": "transfer",
            "from": side(*from),
            "source": source.as_str(),
            "expect": Shown(expect),
            "target": target.as_str(),
            "replaces": match replaces {
                Expected::Absent => None,
                Expected::Version(version) => Some(Shown(version)),
            },
            "displaced": Shown(loser),
        }),
        Action::MakeDirectory { side: at, path } => entries!(map, {
            "type": "make_directory",
            "side": side(*at),
            "path": path.as_str(),
        }),
        Action::Move {
            side: at,
            from,
            to,
            expect,
        } => entries!(map, {
            "type": "move",
            "side": side(*at),
            "from": from.as_str(),
            "to": to.as_str(),
            "expect": Shown(expect),
        }),
        Action::Remove {
            side: at,
            path,
            expect,
            rescue,
        } => entries!(map, {
            "type": "remove",
            "side": side(*at),
            "path": path.as_str(),
            "expect": Shown(expect),
            "rescue": rescue,
        }),
        Action::Hash {
            side: at,
            path,
            expect,
        } => entries!(map, {
            "type": "hash",
            "side": side(*at),
            "path": path.as_str(),
            "expect": Shown(expect),
        }),
    }
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
