//! Which paths an event speaks of.
//!
//! In: events. Out: yes or no for a path, and what renames lead to. Invariant: an event
//! about a folder that went or came whole is about what lies in it. Deliberately
//! absent: which object stood at a path (that is folded). A new event is an arm of
//! each function.

use journal_format::event::{
    Action, Change, ConflictEvent, Displaced, Event, ObservationEvent, OperationEvent, Record,
    SessionEvent,
};
use journal_format::value::{RelPath, Seq, Side};
use std::collections::BTreeSet;

/// Picks the events that are about a path, folders above it included.
pub struct About<'a> {
    path: &'a RelPath,
    /// Events about it, of which some begin something.
    ours: BTreeSet<Seq>,
}

impl<'a> About<'a> {
    /// Begins to pick.
    #[must_use]
    pub const fn new(path: &'a RelPath) -> Self {
        Self {
            path,
            ours: BTreeSet::new(),
        }
    }

    /// Takes the next record. Tells whether it is about the path; the end of an
    /// operation or conflict is about what its beginning was about.
    pub fn takes(&mut self, record: &Record) -> bool {
        if let Some(beginning) = beginning(&record.event)
            && self.ours.contains(&beginning)
        {
            return true;
        }
        let is_about = names(&record.event, self.path);
        if is_about {
            self.ours.insert(record.seq);
        }
        is_about
    }
}

/// The event that began what this one ends.
#[must_use]
pub const fn beginning(event: &Event) -> Option<Seq> {
    match event {
        Event::Operation(
            OperationEvent::Succeeded { operation, .. } | OperationEvent::Failed { operation, .. },
        ) => Some(*operation),
        Event::Conflict(
            ConflictEvent::Resolved { conflict, .. } | ConflictEvent::Settled { conflict },
        ) => Some(*conflict),
        _ => None,
    }
}

/// Tells whether an event names a path, or something above it that went whole.
#[must_use]
pub fn names(event: &Event, path: &RelPath) -> bool {
    match event {
        Event::Session(SessionEvent::Undone { changes, .. }) => {
            changes.iter().any(|change| concerns(change, path))
        }
        Event::Session(_) => false,
        Event::Observation(event) => match event {
            ObservationEvent::Observed { path: at, .. }
            | ObservationEvent::Hashed { path: at, .. } => at == path,
            ObservationEvent::Gone { path: at, .. }
            | ObservationEvent::Unknown { path: at, .. } => path.is_within(at),
            ObservationEvent::Moved { moves, .. } => moves
                .iter()
                .any(|it| path.is_within(&it.from) || path.is_within(&it.to)),
        },
        Event::Operation(event) => match event {
            OperationEvent::Started { operation } => works_on(&operation.action, path),
            OperationEvent::Adopted { local, remote, .. } => local == path || remote == path,
            OperationEvent::Succeeded { outcome, .. } => {
                outcome.kept.iter().any(|kept| kept.path == *path)
            }
            OperationEvent::Failed { .. } => false,
        },
        Event::Conflict(event) => match event {
            ConflictEvent::Raised { local, remote, .. } => local == path || remote == path,
            ConflictEvent::Resolved { .. } | ConflictEvent::Settled { .. } => false,
        },
    }
}

/// Tells whether an event that names a path names it by itself, and not by a folder
/// above it: then it is about the path whatever stands there.
pub(super) fn names_itself(event: &Event, path: &RelPath) -> bool {
    match event {
        Event::Observation(
            ObservationEvent::Gone { path: at, .. } | ObservationEvent::Unknown { path: at, .. },
        ) => at == path,
        Event::Observation(ObservationEvent::Moved { moves, .. }) => {
            moves.iter().any(|it| it.from == *path || it.to == *path)
        }
        Event::Operation(OperationEvent::Started { operation }) => match &operation.action {
            Action::Move { from, to, .. } => from == path || to == path,
            _ => names(event, path),
        },
        Event::Session(SessionEvent::Undone { changes, .. }) => {
            let mut changes = changes.iter();
            changes.any(|it| it.path == *path || it.from.as_ref() == Some(path))
        }
        _ => names(event, path),
    }
}

/// The side that an event speaks of.
pub(super) const fn side_of_event(event: &Event) -> Side {
    match event {
        Event::Observation(
            ObservationEvent::Observed { side, .. }
            | ObservationEvent::Moved { side, .. }
            | ObservationEvent::Gone { side, .. }
            | ObservationEvent::Unknown { side, .. }
            | ObservationEvent::Hashed { side, .. },
        ) => *side,
        Event::Operation(OperationEvent::Started { operation }) => match &operation.action {
            Action::Move { side, .. } => *side,
            _ => Side::Local,
        },
        _ => Side::Local,
    }
}

/// Tells whether a change of the local folder is about a path; a folder that was
/// renamed is about what lies in it.
pub(super) fn concerns(change: &Change, path: &RelPath) -> bool {
    match &change.from {
        Some(from) => path.is_within(from) || path.is_within(&change.path),
        None => change.path == *path,
    }
}

fn works_on(action: &Action, path: &RelPath) -> bool {
    match action {
        Action::Transfer {
            source,
            target,
            displaced,
            ..
        } => {
            let copy = match displaced {
                Displaced::ConflictCopy(copy) => copy == path,
                Displaced::Discard | Displaced::Rescue => false,
            };
            source == path || target == path || copy
        }
        Action::Move { from, to, .. } => path.is_within(from) || path.is_within(to),
        Action::MakeDirectory { path: at, .. }
        | Action::Remove { path: at, .. }
        | Action::Hash { path: at, .. } => at == path,
    }
}

/// Returns the path at which an operation keeps the version that it replaces, and the one
/// where that stood.
pub(super) fn copied(event: &Event) -> Option<(&RelPath, &RelPath)> {
    match event {
        Event::Operation(OperationEvent::Started { operation }) => match &operation.action {
            Action::Transfer {
                target,
                displaced: Displaced::ConflictCopy(copy),
                ..
            } => Some((copy, target)),
            _ => None,
        },
        _ => None,
    }
}

/// Returns pairs of paths that one object had, one after the other or on two sides.
pub(super) fn named_moves(event: &Event) -> Vec<(RelPath, RelPath)> {
    match event {
        Event::Observation(ObservationEvent::Moved { moves, .. }) => moves
            .iter()
            .map(|step| (step.from.clone(), step.to.clone()))
            .collect(),
        Event::Operation(OperationEvent::Started { operation }) => match &operation.action {
            Action::Move { from, to, .. } => vec![(from.clone(), to.clone())],
            Action::Transfer { source, target, .. } if source != target => {
                vec![(source.clone(), target.clone())]
            }
            _ => Vec::new(),
        },
        Event::Session(SessionEvent::Undone { changes, .. }) => changes
            .iter()
            .filter_map(|change| Some((change.from.clone()?, change.path.clone())))
            .collect(),
        Event::Operation(OperationEvent::Adopted { local, remote, .. }) if local != remote => {
            vec![(local.clone(), remote.clone())]
        }
        _ => Vec::new(),
    }
}
