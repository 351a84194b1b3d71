//! Journal records as something that people and programs want to hear.
//!
//! In: records in order. Out: at most one notification a record. Invariant: pure;
//! live sending, later reading and replays share it. Deliberately absent: JSON and
//! sockets. A new event needs an arm here.

use crate::state::State;
use crate::tree::{NodeId, Presence};
use journal_format::event::{
    Action, ConflictEvent, Event, ObservationEvent, Operation, OperationEvent, Record,
    SessionEvent, UnknownReason,
};
use journal_format::value::{Kind, RelPath, Seq, Side};
use std::collections::BTreeMap;

/// What a person wants to hear.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Notification {
    /// Content arrived on a side.
    Transferred {
        /// The side that has it now.
        to: Side,
        /// Where.
        path: RelPath,
        /// Bytes of content that crossed.
        bytes: u64,
    },
    /// A directory was created.
    DirectoryCreated {
        /// The side.
        side: Side,
        /// Where.
        path: RelPath,
    },
    /// Something was renamed.
    Moved {
        /// The side.
        side: Side,
        /// Before.
        from: RelPath,
        /// After.
        to: RelPath,
    },
    /// Something was removed.
    Deleted {
        /// The side.
        side: Side,
        /// Where it was.
        path: RelPath,
    },
    /// Versions exclude one another.
    Conflict {
        /// Where, on the local side.
        path: RelPath,
    },
}

/// Projects a journal; remembers the operations that are open.
#[derive(Debug, Clone, Default)]
pub struct Projector {
    open: BTreeMap<Seq, Operation>,
}

impl Projector {
    /// Projects the next record.
    pub fn project(&mut self, record: &Record) -> Option<Notification> {
        match &record.event {
            Event::Operation(event) => self.operation(record.seq, event),
            Event::Conflict(event) => match event {
                ConflictEvent::Raised { local, .. } => Some(Notification::Conflict {
                    path: local.clone(),
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
                | SessionEvent::RemoteRolledBack { .. } => None,
            },
        }
    }

    fn operation(&mut self, seq: Seq, event: &OperationEvent) -> Option<Notification> {
        match event {
            OperationEvent::Started { operation } => {
                self.open.insert(seq, operation.clone());
                None
            }
            OperationEvent::Failed { operation, .. } => {
                self.open.remove(operation);
                None
            }
            OperationEvent::Adopted { .. } => None,
            OperationEvent::Succeeded { operation, outcome } => {
                match self.open.remove(operation)?.action {
                    Action::Transfer { from, target, .. } => Some(Notification::Transferred {
                        to: from.other(),
                        path: target,
                        bytes: outcome.bytes,
                    }),
                    Action::MakeDirectory { side, path } => {
                        Some(Notification::DirectoryCreated { side, path })
                    }
                    Action::Move { side, from, to, .. } => {
                        Some(Notification::Moved { side, from, to })
                    }
                    Action::Remove { side, path, .. } => Some(Notification::Deleted { side, path }),
                    Action::Hash { .. } => None,
                }
            }
        }
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
