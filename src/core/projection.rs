//! Journal records as something that people and programs want to hear.
//!
//! In: records in order. Out: for each record the operation that it is about and what
//! a person wants to hear of it. Invariant: pure; live sending, later reading and
//! replays share it. Deliberately absent: JSON and sockets (`daemon/stream`). A new
//! event needs an arm in `Projector::project` and one in `Projected::notification`.

#[cfg(test)]
mod tests;

use crate::state::State;
use crate::tree::{NodeId, Presence};
use journal_format::event::{
    Action, Case, ConflictEvent, Event, FailureClass, Kept, ObservationEvent, Operation,
    OperationEvent, Record, SessionEvent, UnknownReason,
};
use journal_format::value::{Kind, RelPath, Seq, Side, Timestamp};
use std::borrow::Cow;
use std::collections::BTreeMap;

/// Projects a journal; remembers the operations that are open.
#[derive(Debug, Clone, Default)]
pub struct Projector {
    open: BTreeMap<Seq, Operation>,
}

/// What a record tells.
#[derive(Debug)]
pub struct Projected<'a> {
    record: &'a Record,
    operation: Option<(Seq, Cow<'a, Operation>)>,
}

/// An operation's start or end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Task<'a> {
    /// The start's sequence number.
    pub id: Seq,
    /// What is done.
    pub operation: &'a Operation,
    /// How far it is.
    pub step: Step<'a>,
}

/// How far an operation is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step<'a> {
    /// It began.
    Started,
    /// It ended well.
    Succeeded {
        /// Bytes of content that crossed.
        bytes: u64,
        /// Versions that made way and stand beside it now.
        kept: &'a [Kept],
        /// Where in the trash the loser is.
        trashed: Option<&'a RelPath>,
    },
    /// It failed.
    Failed {
        /// What kind of failure.
        class: FailureClass,
        /// What happened.
        detail: &'a str,
        /// When it is tried again.
        retry_at: Option<Timestamp>,
    },
}

/// What a person wants to hear.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Notification<'a> {
    /// What happened.
    pub what: What,
    /// The side that changed; the local one for a conflict.
    pub side: Side,
    /// Where, on that side.
    pub path: &'a RelPath,
    /// Where it was before, for what moved.
    pub from: Option<&'a RelPath>,
    /// What it is, where that is known.
    pub kind: Option<Kind>,
    /// Bytes of its content; nothing for directories.
    pub size: Option<u64>,
    /// Bytes of content that crossed.
    pub bytes: u64,
    /// The operation's start.
    pub operation: Option<Seq>,
    /// A conflict's rule, and its path on the remote side.
    pub conflict: Option<(Case, &'a RelPath)>,
}

/// What happened, in one word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum What {
    /// Content arrived on the remote side.
    Uploaded,
    /// Content arrived on the local side.
    Downloaded,
    /// A directory was created.
    Created,
    /// Something went to another directory.
    Moved,
    /// Something got another name in its directory.
    Renamed,
    /// Something was removed.
    Deleted,
    /// Versions exclude one another.
    Conflict,
}

impl Projector {
    /// Returns the operation that a record ends and whose start was not projected:
    /// the record with this number holds it, see [`Projector::remember`].
    #[must_use]
    pub fn missing(&self, record: &Record) -> Option<Seq> {
        ended(&record.event).filter(|id| !self.open.contains_key(id))
    }

    /// Takes a start from a record that is not projected itself.
    pub fn remember(&mut self, start: &Record) {
        if let Event::Operation(OperationEvent::Started { operation }) = &start.event {
            self.open.insert(start.seq, operation.clone());
        }
    }

    /// Projects the next record.
    pub fn project<'a>(&mut self, record: &'a Record) -> Projected<'a> {
        let operation = match &record.event {
            Event::Operation(OperationEvent::Started { operation }) => {
                self.open.insert(record.seq, operation.clone());
                Some((record.seq, Cow::Borrowed(operation)))
            }
            event => ended(event).and_then(|id| Some((id, Cow::Owned(self.open.remove(&id)?)))),
        };
        Projected { record, operation }
    }
}

/// The operation that an event ends.
const fn ended(event: &Event) -> Option<Seq> {
    match event {
        Event::Operation(event) => match event {
            OperationEvent::Succeeded { operation, .. }
            | OperationEvent::Failed { operation, .. } => Some(*operation),
            OperationEvent::Started { .. } | OperationEvent::Adopted { .. } => None,
        },
        Event::Session(_) | Event::Observation(_) | Event::Conflict(_) => None,
    }
}

impl Projected<'_> {
    /// Returns the operation's start or end that the record tells of.
    #[must_use]
    pub fn task(&self) -> Option<Task<'_>> {
        let (id, operation) = self.operation.as_ref()?;
        let Event::Operation(event) = &self.record.event else {
            return None;
        };
        let step = match event {
            OperationEvent::Started { .. } => Step::Started,
            OperationEvent::Succeeded { outcome, .. } => Step::Succeeded {
                bytes: outcome.bytes,
                kept: &outcome.kept,
                trashed: outcome.trashed.as_ref(),
            },
            OperationEvent::Failed {
                class,
                detail,
                retry_at,
                ..
            } => Step::Failed {
                class: *class,
                detail,
                retry_at: *retry_at,
            },
            OperationEvent::Adopted { .. } => return None,
        };
        Some(Task {
            id: *id,
            operation,
            step,
        })
    }

    /// Returns what a person wants to hear of the record.
    #[must_use]
    pub fn notification(&self) -> Option<Notification<'_>> {
        match &self.record.event {
            Event::Operation(event) => match event {
                OperationEvent::Succeeded { outcome, .. } => {
                    let (id, operation) = self.operation.as_ref()?;
                    done(*id, &operation.action, outcome.bytes)
                }
                OperationEvent::Started { .. }
                | OperationEvent::Failed { .. }
                | OperationEvent::Adopted { .. } => None,
            },
            Event::Conflict(event) => match event {
                ConflictEvent::Raised {
                    local,
                    remote,
                    case,
                } => Some(Notification {
                    conflict: Some((*case, remote)),
                    ..told(What::Conflict, Side::Local, local)
                }),
                ConflictEvent::Resolved { .. } | ConflictEvent::Settled { .. } => None,
            },
            Event::Observation(event) => match event {
                ObservationEvent::Observed { .. }
                | ObservationEvent::Moved { .. }
                | ObservationEvent::Gone { .. }
                | ObservationEvent::Unknown { .. }
                | ObservationEvent::Hashed { .. } => None,
            },
            Event::Session(event) => match event {
                SessionEvent::RootConfigured { .. }
                | SessionEvent::PolicyChanged { .. }
                | SessionEvent::RootIdentified { .. }
                | SessionEvent::SessionStarted { .. }
                | SessionEvent::SessionStopped
                | SessionEvent::DigestStamped { .. }
                | SessionEvent::HistoryLost { .. }
                | SessionEvent::HaltRaised { .. }
                | SessionEvent::HaltApproved { .. }
                | SessionEvent::HaltCleared { .. }
                | SessionEvent::FeedRead { .. }
                | SessionEvent::RemoteRolledBack { .. }
                | SessionEvent::RemoteProbed { .. }
                | SessionEvent::Undone { .. }
                | SessionEvent::Ordered { .. } => None,
            },
        }
    }
}

const fn told(what: What, side: Side, path: &RelPath) -> Notification<'_> {
    Notification {
        what,
        side,
        path,
        from: None,
        kind: None,
        size: None,
        bytes: 0,
        operation: None,
        conflict: None,
    }
}

/// What an operation that ended well tells; nothing for what nobody sees.
fn done(id: Seq, action: &Action, bytes: u64) -> Option<Notification<'_>> {
    let side = action.side();
    let what = match action {
        Action::Transfer { .. } if side == Side::Remote => What::Uploaded,
        Action::Transfer { .. } => What::Downloaded,
        Action::MakeDirectory { .. } => What::Created,
        Action::Move { from, to, .. } if from.parent() == to.parent() => What::Renamed,
        Action::Move { .. } => What::Moved,
        Action::Remove { .. } => What::Deleted,
        Action::Hash { .. } => return None,
    };
    let (path, from) = match action {
        Action::Move { from, to, .. } => (to, Some(from)),
        _ => (action.path(), None),
    };
    Some(Notification {
        from,
        kind: Some(kind(action)),
        size: size(action),
        bytes,
        operation: Some(id),
        ..told(what, side, path)
    })
}

/// Returns what an action works on.
#[must_use]
pub const fn kind(action: &Action) -> Kind {
    match action {
        Action::Transfer { expect, .. } => expect.fingerprint.kind,
        Action::MakeDirectory { .. } => Kind::Directory,
        Action::Move { expect, .. }
        | Action::Remove { expect, .. }
        | Action::Hash { expect, .. } => expect.kind,
    }
}

/// Returns the bytes of content that an action works on; nothing for directories.
#[must_use]
pub const fn size(action: &Action) -> Option<u64> {
    match action {
        Action::Transfer { expect, .. } => Some(expect.fingerprint.size),
        Action::MakeDirectory { .. } => None,
        Action::Move { expect, .. }
        | Action::Remove { expect, .. }
        | Action::Hash { expect, .. } => match expect.kind {
            Kind::Directory => None,
            Kind::File | Kind::Symlink => Some(expect.size),
        },
    }
}

/// Says why a side cannot speak of a node.
pub(crate) fn unknown_detail(state: &State, id: NodeId) -> String {
    let found = Side::BOTH
        .into_iter()
        .find_map(|side| match state.tree.facet(id, side).presence {
            Presence::Unknown(reason) => Some((side, reason)),
            Presence::Absent | Presence::Present => None,
        });
    let Some((side, reason)) = found else {
        return String::new();
    };
    let is_directory = state.tree.node(id).kind == Kind::Directory;
    let what = match reason {
        UnknownReason::Excluded => "is left out by a filter",
        UnknownReason::Unreadable if is_directory => "cannot be listed; check its permissions",
        UnknownReason::Unreadable => "cannot be read; check its permissions",
        UnknownReason::UnsupportedKind => "is a pipe, a socket or a device and is not synced",
        UnknownReason::UnsupportedSymlink => "is a symbolic link, which the other side cannot hold",
        UnknownReason::InvalidName => "has a name that is not UTF-8; rename it to have it synced",
        UnknownReason::NameTooLong => "has a name or path that is too long; shorten it",
        UnknownReason::NameTwin => {
            "has a name that means the same as another one beside it; rename one of them"
        }
        UnknownReason::MountPoint => "is another file system mounted inside the folder",
    };
    format!("on the {side} side it {what}")
}
