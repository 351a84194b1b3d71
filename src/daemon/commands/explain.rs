//! What the journal knows of one path: its observations, operations and conflicts.
//!
//! In: a path, where to begin. Out: the events about it, in order. Invariant: a call
//! looks at a bounded part of the journal and says where to go on. Deliberately
//! absent: the story that the events tell together, and other names that the same
//! object had.

use super::fault::Fault;
use super::pages::open;
use crate::daemon::stream::messages::{Origin, journal};
use crate::daemon::supervisor::{OpenJournal, View};
use journal_format::event::{
    Action, ConflictEvent, Displaced, Event, ObservationEvent, OperationEvent, Record,
};
use journal_format::value::{RelPath, Seq};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Answers `explain`.
pub(super) async fn explain(view: &View, path: &RelPath, from: Seq) -> Result<Value, Fault> {
    let open = open(view)?;
    let id = open.reader.id();
    let head = open.reader.head();
    let origin = Origin {
        job: &view.spec.id,
        journal: Some(&id),
    };
    let last = Seq(from.0.saturating_add(CALL_RECORDS_MAX - 1)).min(head);
    let mut known = BTreeMap::new();
    let mut found = Vec::new();
    let mut next = from;
    'reading: while next <= last {
        let page = open.reader.read(next, PAGE_RECORDS).await?;
        if page.is_empty() {
            break;
        }
        for record in &page {
            if record.seq > last || found.len() >= FOUND_MAX {
                break 'reading;
            }
            if is_about(&open, record, path, &mut known).await? {
                found.push(journal(origin, record));
            }
            next = record.seq.next();
        }
    }
    let next = (next <= head).then_some(next.0);
    Ok(json!({
        "job": view.spec.id, "journal": id, "head": head.0, "next": next, "records": found,
    }))
}

/// Tells whether a record is about a path. The end of an operation or conflict is
/// about what its beginning was about.
async fn is_about(
    open: &OpenJournal,
    record: &Record,
    path: &RelPath,
    known: &mut BTreeMap<Seq, bool>,
) -> Result<bool, Fault> {
    let Some(beginning) = beginning(&record.event) else {
        let is_named = names(&record.event, path);
        if is_beginning(&record.event) {
            known.insert(record.seq, is_named);
        }
        return Ok(is_named);
    };
    if let Some(is_named) = known.get(&beginning) {
        return Ok(*is_named);
    }
    let found = open.reader.read(beginning, 1).await?;
    let is_named = found.iter().any(|record| names(&record.event, path));
    known.insert(beginning, is_named);
    Ok(is_named)
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

const fn is_beginning(event: &Event) -> bool {
    matches!(
        event,
        Event::Operation(OperationEvent::Started { .. })
            | Event::Conflict(ConflictEvent::Raised { .. })
    )
}

/// Tells whether an event names a path, or something above it that went whole.
#[must_use]
pub fn names(event: &Event, path: &RelPath) -> bool {
    match event {
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
            OperationEvent::Succeeded { .. } | OperationEvent::Failed { .. } => false,
        },
        Event::Conflict(event) => match event {
            ConflictEvent::Raised { local, remote, .. } => local == path || remote == path,
            ConflictEvent::Resolved { .. } | ConflictEvent::Settled { .. } => false,
        },
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

/// Records that one call looks at.
const CALL_RECORDS_MAX: u64 = 10_000;
const PAGE_RECORDS: usize = 1_000;
/// Events that one call returns.
const FOUND_MAX: usize = 500;
