//! Each event as a sentence, for the one it happened to.
//!
//! In: an event, and what was known right before it. Out: text. Invariants: a sentence
//! says no more than its event; names from a disk cannot command a terminal.
//! Deliberately absent: the choice of events (`tell`). A new event is an arm of
//! [`sentence`].

use super::about::concerns;
use super::moved;
use crate::journal::text::{count, plain, size, time};
use journal_format::event::{
    Action, Case, Change, ConflictEvent, Displaced, Event, Expected, FailureClass, HaltReason,
    Keep, ObservationEvent, Operation, OperationEvent, Order, Outcome, SessionEvent, UnknownReason,
};
use journal_format::value::{Entry, Fingerprint, Kind, RelPath, Side, Timestamp};
use sync_core::look::{Look, SideLook};
use sync_core::state::Halt;
use sync_core::tree::Presence;

/// What is known beside an event.
pub(super) struct Before<'a> {
    /// The path that the story is about at this point.
    pub(super) path: &'a RelPath,
    /// What was known of it right before.
    pub(super) look: Option<&'a Look>,
    /// The operation that the event ends.
    pub(super) operation: Option<&'a Operation>,
}

/// Tells an event.
pub(super) fn sentence(event: &Event, before: &Before<'_>) -> String {
    match event {
        Event::Session(SessionEvent::Undone { changes, by }) => undone(changes, by, before.path),
        Event::Session(event) => session(event),
        Event::Observation(event) => observation(event, before),
        Event::Operation(event) => match event {
            OperationEvent::Started { operation } => {
                format!(
                    "{}. {}",
                    started(&operation.action),
                    begin(&reason(operation))
                )
            }
            OperationEvent::Succeeded { outcome, .. } => done(outcome, before.operation),
            OperationEvent::Failed {
                class,
                detail,
                retry_at,
                ..
            } => failed(*class, detail, *retry_at),
            OperationEvent::Adopted { case, .. } => {
                format!("recorded as in sync. {}", begin(&rule(*case)))
            }
        },
        Event::Conflict(event) => match event {
            ConflictEvent::Raised { case, .. } => format!("conflict. {}", begin(&rule(*case))),
            ConflictEvent::Resolved { keep, by, .. } => {
                let keep = match keep {
                    Keep::Local => "the local version is to keep the name",
                    Keep::Remote => "the remote version is to keep the name",
                    Keep::Both => "both versions are to be kept",
                };
                format!("{} decided the conflict: {keep}", plain(by))
            }
            ConflictEvent::Settled { .. } => "the conflict is over".to_owned(),
        },
    }
}

/// Tells an event by itself, or with the operation that it ends.
#[must_use]
pub fn event_words(event: &Event, operation: Option<&Operation>) -> String {
    let path = match event {
        Event::Observation(
            ObservationEvent::Observed { path, .. }
            | ObservationEvent::Gone { path, .. }
            | ObservationEvent::Unknown { path, .. }
            | ObservationEvent::Hashed { path, .. },
        ) => path.clone(),
        Event::Observation(ObservationEvent::Moved { moves, .. }) => moves
            .first()
            .map_or_else(RelPath::root, |step| step.from.clone()),
        _ => RelPath::root(),
    };
    let before = Before {
        path: &path,
        look: None,
        operation,
    };
    sentence(event, &before)
}

/// A text that begins a sentence.
fn begin(text: &str) -> String {
    let mut chars = text.chars();
    let first = chars.next().map(|first| first.to_ascii_uppercase());
    first.into_iter().chain(chars).collect()
}

/// The rule of an operation. Of a folder nothing goes to the trash.
fn reason(operation: &Operation) -> String {
    let is_folder = match &operation.action {
        Action::Remove { expect, .. } => expect.kind == Kind::Directory,
        _ => false,
    };
    match operation.case {
        Case::D2 if is_folder => format!(
            "rule {}: it was deleted on the remote side, and nothing in it was added or changed \
             locally, so it is removed here too",
            Case::D2.letter()
        ),
        case => rule(case),
    }
}

/// A rule with its letter and its reason.
pub(super) fn rule(case: Case) -> String {
    format!("rule {}: {}", case.letter(), sync_core::reason(case))
}

fn session(event: &SessionEvent) -> String {
    match event {
        SessionEvent::HaltRaised {
            reason,
            side,
            count,
            plan,
        } => {
            let halt = Halt {
                seq: journal_format::value::Seq::ZERO,
                reason: *reason,
                side: *side,
                count: *count,
                plan: *plan,
            };
            format!("the job halted for safety: {}", halt_words(&halt))
        }
        SessionEvent::HaltApproved { by, .. } => {
            format!("{} approved what was held back", plain(by))
        }
        SessionEvent::HaltCleared { .. } => {
            "the reason for the halt went away; the job went on".to_owned()
        }
        SessionEvent::HistoryLost { expected, found } => format!(
            "events were missing from the journal ({found} instead of {expected}); nothing is \
             deleted until that is approved"
        ),
        SessionEvent::RemoteRolledBack { detail } => {
            format!("the server went back in time: {}", plain(detail))
        }
        SessionEvent::RemoteProbed { facts } => {
            let facts = facts
                .iter()
                .map(|fact| format!("{} {}", fact.name, fact.value));
            let facts: Vec<String> = facts.collect();
            format!("the server was tried: {}", plain(&facts.join(", ")))
        }
        SessionEvent::Ordered { order, by } => match order {
            Order::Pause => format!("{} paused the job", plain(by)),
            Order::Start => format!("{} let the job go on", plain(by)),
            Order::Stop => format!("{} stopped the job", plain(by)),
        },
        SessionEvent::PolicyChanged { .. } => "the job's settings were changed".to_owned(),
        SessionEvent::RootConfigured { .. } => "the job began".to_owned(),
        SessionEvent::RootIdentified { side, .. } => format!("the {side} folder was recognised"),
        SessionEvent::SessionStarted { .. } => "the program started".to_owned(),
        SessionEvent::SessionStopped => "the program ended".to_owned(),
        SessionEvent::Undone { changes, by } => undone(changes, by, &RelPath::root()),
        SessionEvent::DigestStamped { .. } | SessionEvent::FeedRead { .. } => {
            "the program kept its books".to_owned()
        }
    }
}

/// Tells what was undone at a path; of all paths for the root.
fn undone(changes: &[Change], by: &str, path: &RelPath) -> String {
    let about = |change: &&Change| path.is_root() || concerns(change, path);
    let mut ours = changes.iter().filter(about);
    let mut text = match ours.next() {
        Some(change) => format!("{} undid a change: {}", plain(by), change_words(change)),
        None => format!("{} undid a change elsewhere", plain(by)),
    };
    let more = ours.count();
    if more > 0 {
        text.push_str(&format!(", and {more} more"));
    }
    text
}

/// Tells a change of the local folder.
#[must_use]
pub fn change_words(change: &Change) -> String {
    let path = shown(&change.path);
    match (&change.from, &change.now, &change.trashed) {
        (Some(from), ..) => format!("`{}` was renamed to `{path}`", shown(from)),
        (None, Some(_), Some(trashed)) => format!(
            "another version is at `{path}` now; what was there is in the trash as `{}`",
            shown(trashed)
        ),
        (None, Some(now), None) => {
            format!("`{path}` is there again, {}", thing(&now.fingerprint))
        }
        (None, None, Some(trashed)) => {
            format!("`{path}` is in the trash as `{}`", shown(trashed))
        }
        (None, None, None) => format!("the empty folder `{path}` was removed"),
    }
}

/// Says why a job halted.
#[must_use]
pub fn halt_words(halt: &Halt) -> String {
    let (side, other) = (halt.side, halt.side.other());
    let entries = count(halt.count, "entry", "entries");
    match halt.reason {
        HaltReason::RootMissing => format!("the {side} folder is missing"),
        HaltReason::RootReplaced => {
            format!("another folder stands where the {side} one was, or its marker is gone")
        }
        HaltReason::RootEmptied => {
            format!("the {other} folder is empty; {entries} would be deleted on the {side} side")
        }
        HaltReason::TooManyDeletions => format!("{entries} would be deleted on the {side} side"),
        HaltReason::EverythingChanged => {
            format!("all {entries} would be overwritten on the {side} side")
        }
        HaltReason::RolledBack => format!(
            "the server went back in time, as after a restored backup; {entries} would be \
             deleted or replaced by what it holds now on the {side} side"
        ),
        HaltReason::HistoryLost => format!(
            "the journal has lost events, and {entries} would be deleted on the {side} side"
        ),
    }
}

fn observation(event: &ObservationEvent, before: &Before<'_>) -> String {
    match event {
        ObservationEvent::Observed { side, path, entry } => {
            let known = before.look.map(|look| side_of(look, *side));
            observed(*side, path, entry, known)
        }
        ObservationEvent::Moved { side, moves } => {
            let led = |(from, to)| moved(before.path, from, to).map(|after| (from, after));
            let step = moves.iter().find_map(|step| {
                led((&step.from, &step.to)).map(|(from, after)| (from, before.path.clone(), after))
            });
            let arrived = || moves.iter().find(|step| before.path.is_within(&step.to));
            match step {
                Some((from, old, after)) if *from == old => {
                    format!(
                        "{side} side: `{}` was renamed to `{}`",
                        shown(&old),
                        shown(&after)
                    )
                }
                Some((from, old, after)) => format!(
                    "{side} side: its folder `{}` was renamed, so `{}` became `{}`",
                    shown(from),
                    shown(&old),
                    shown(&after)
                ),
                None => arrived().map_or_else(
                    || format!("{side} side: something was renamed"),
                    |step| {
                        let (from, to) = (shown(&step.from), shown(&step.to));
                        format!("{side} side: `{from}` was renamed to `{to}`")
                    },
                ),
            }
        }
        ObservationEvent::Gone { side, path, .. } if path == before.path => {
            format!("{side} side: `{}` was no longer there", shown(path))
        }
        ObservationEvent::Gone { side, path, .. } => format!(
            "{side} side: the folder `{}` was no longer there, with all that lay in it",
            shown(path)
        ),
        ObservationEvent::Unknown { side, path, reason } => {
            format!("{side} side: `{}` {}", shown(path), unknown_words(*reason))
        }
        ObservationEvent::Hashed { side, path, .. } => {
            format!("{side} side: the content of `{}` was read", shown(path))
        }
    }
}

fn observed(side: Side, path: &RelPath, entry: &Entry, known: Option<&SideLook>) -> String {
    let what = thing(&entry.fingerprint);
    let path = shown(path);
    match known.map(|known| (known.presence, known.size)) {
        Some((Presence::Present, old)) if entry.kind() == Kind::File => {
            let new = entry.fingerprint.size;
            if old == new {
                format!("{side} side: `{path}` was written to, {}", size(new))
            } else {
                format!(
                    "{side} side: `{path}` was changed, from {} to {}",
                    size(old),
                    size(new)
                )
            }
        }
        Some((Presence::Present, _)) => format!("{side} side: `{path}` was seen again"),
        Some((Presence::Unknown(_), _)) => {
            format!("{side} side: `{path}` could be seen again, {what}")
        }
        Some((Presence::Absent, _)) | None => format!("{side} side: `{path}` was there, {what}"),
    }
}

/// Says why nothing can be said about a path.
pub(super) const fn unknown_words(reason: UnknownReason) -> &'static str {
    match reason {
        UnknownReason::Excluded => "is left out by a filter; it is neither synced nor deleted",
        UnknownReason::Unreadable => "cannot be read or listed; check its permissions",
        UnknownReason::UnsupportedKind => "is a pipe, a socket or a device and is not synced",
        UnknownReason::UnsupportedSymlink => "is a symbolic link, which the other side cannot hold",
        UnknownReason::InvalidName => {
            "has a name that is not UTF-8 or that the other side cannot hold; rename it"
        }
        UnknownReason::NameTooLong => "has a name or path that is too long; shorten it",
        UnknownReason::NameTwin => {
            "has a name that means the same as another one beside it; rename one of them"
        }
        UnknownReason::MountPoint => "is another file system mounted inside the folder",
    }
}

fn started(action: &Action) -> String {
    match action {
        Action::Transfer { .. } => transfer(action),
        Action::MakeDirectory { side, path } => {
            format!("create the {side} folder `{}`", shown(path))
        }
        Action::Move { side, from, to, .. } => format!(
            "rename `{}` to `{}` on the {side} side, if it is still the same and the new name \
             is free",
            shown(from),
            shown(to)
        ),
        Action::Remove {
            side,
            path,
            expect,
            rescue,
        } => removal(*side, path, expect, *rescue),
        Action::Hash { side, path, .. } => {
            format!("read `{}` on the {side} side to compare", shown(path))
        }
    }
}

fn removal(side: Side, path: &RelPath, expect: &Fingerprint, rescue: bool) -> String {
    let path = shown(path);
    if expect.kind == Kind::Directory {
        return format!("remove the folder `{path}` on the {side} side, if it is empty by then");
    }
    let (verb, place) = match side {
        Side::Local => ("move", " to the trash"),
        Side::Remote if rescue => ("delete", " after a copy went to the local trash"),
        Side::Remote => ("delete", ""),
    };
    format!(
        "{verb} `{path}` on the {side} side{place}, if it is still the version of {}",
        version_of(expect)
    )
}

fn transfer(action: &Action) -> String {
    let Action::Transfer {
        from,
        source,
        expect,
        target,
        replaces,
        displaced,
    } = action
    else {
        return String::new();
    };
    let verb = if *from == Side::Local {
        "upload"
    } else {
        "download"
    };
    let to = if source == target {
        String::new()
    } else {
        format!(" to `{}`", shown(target))
    };
    let condition = match replaces {
        Expected::Absent => "if the name is still free there".to_owned(),
        Expected::Version(version) => {
            format!(
                "if the version there is still the one of {}",
                version_of(version)
            )
        }
    };
    let loser = match displaced {
        Displaced::ConflictCopy(copy) => {
            format!("; the version there becomes `{}`", shown(copy))
        }
        Displaced::Rescue => "; the version there goes to the local trash".to_owned(),
        Displaced::Discard => String::new(),
    };
    format!(
        "{verb} `{}`{to}, {}, {condition}{loser}",
        shown(source),
        thing(&expect.fingerprint)
    )
}

fn done(outcome: &Outcome, operation: Option<&Operation>) -> String {
    let mut text = match operation.map(|operation| &operation.action) {
        Some(Action::Transfer {
            from: Side::Local, ..
        }) => "uploaded",
        Some(Action::Transfer { .. }) => "downloaded",
        Some(Action::MakeDirectory { .. }) => "created",
        Some(Action::Move { .. }) => "renamed",
        Some(Action::Remove { .. }) => "removed",
        Some(Action::Hash { .. }) => "read and compared",
        None => "done",
    }
    .to_owned();
    if outcome.bytes > 0 {
        text.push_str(&format!(", {} sent", size(outcome.bytes)));
    }
    if let Some(place) = &outcome.trashed {
        text.push_str(&format!(
            "; what made way is in the trash as `{}`",
            shown(place)
        ));
    }
    for kept in &outcome.kept {
        text.push_str(&format!(
            "; the version that had to make way is `{}` now",
            shown(&kept.path)
        ));
    }
    text
}

fn failed(class: FailureClass, detail: &str, retry_at: Option<Timestamp>) -> String {
    let class = match class {
        FailureClass::Retry => "it did not work this time",
        FailureClass::Precondition => {
            "it was no longer what the plan expected, so nothing was touched"
        }
        FailureClass::Auth => "the credentials were refused",
        FailureClass::Unsupported => "the side cannot do or hold this",
        FailureClass::NoSpace => "there is no space left",
        FailureClass::Denied => "the permission is missing",
        FailureClass::InDoubt => "how it ended is not known, so both sides are looked at again",
        FailureClass::Fatal => "it failed",
    };
    let next = retry_at.map_or_else(
        || "not tried again until something changes".to_owned(),
        |at| format!("tried again from {}", time(at)),
    );
    format!("{class} ({}); {next}", plain(detail))
}

pub(super) fn shown(path: &RelPath) -> String {
    plain(path.as_str())
}

/// What something is, with its size.
fn thing(version: &Fingerprint) -> String {
    match version.kind {
        Kind::File => format!("a file of {}", size(version.size)),
        Kind::Directory => "a folder".to_owned(),
        Kind::Symlink => "a symbolic link".to_owned(),
    }
}

fn version_of(version: &Fingerprint) -> String {
    match version.mtime_ns {
        0 => size(version.size),
        at => format!(
            "{}, last written {}",
            size(version.size),
            time(Timestamp(at / 1_000_000))
        ),
    }
}

pub(super) const fn side_of(look: &Look, side: Side) -> &SideLook {
    let [local, remote] = &look.sides;
    match side {
        Side::Local => local,
        Side::Remote => remote,
    }
}
