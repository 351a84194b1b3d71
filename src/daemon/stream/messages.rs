//! Projections of the journal as JSON.
//!
//! In: a projected record, whose journal it is. Out: objects as `PROTOCOL.md` shows
//! them. Invariant: what is sent live and what is read later is the same, because
//! both are made here. Deliberately absent: topics' subscribers, sockets.

use super::topic::Topics;
use journal_format::event::{Action, FailureClass, Record};
use journal_format::json::to_json;
use journal_format::value::{Kind, RelPath, Seq, Timestamp};
use serde_json::{Map, Value, json};
use sync_core::projection::{self, Notification, Projected, Step, Task, What};

/// Whose messages they are.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Origin<'a> {
    pub(crate) job: &'a str,
    /// The journal's id; nothing while none is open.
    pub(crate) journal: Option<&'a str>,
}

/// Which messages of a record are wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Kinds {
    pub(crate) journal: bool,
    pub(crate) task: bool,
    pub(crate) notify: bool,
}

impl Kinds {
    pub(crate) const ALL: Self = Self {
        journal: true,
        task: true,
        notify: true,
    };
}

/// Makes the messages of a record, in the order in which they are sent; those that
/// are not wanted are not made.
pub(crate) fn messages(
    origin: Origin<'_>,
    topics: &Topics,
    record: &Record,
    projected: &Projected<'_>,
    kinds: Kinds,
    is_wanted: impl Fn(&str) -> bool,
) -> Vec<(String, Value)> {
    let mut made = Vec::new();
    let mut make = |topic: String, body: &dyn Fn() -> Value| {
        if is_wanted(&topic) {
            made.push((topic, body()));
        }
    };
    if kinds.journal {
        make(topics.journal(), &|| journal(origin, record));
    }
    if let Some(it) = projected.task().filter(|_| kinds.task) {
        make(topics.task(it.id), &|| task(origin, record, &it));
    }
    if let Some(it) = projected.notification().filter(|_| kinds.notify) {
        make(topics.notify(it.side), &|| {
            notification(origin, record, &it)
        });
    }
    made
}

/// The fields that every message has.
pub(crate) fn envelope(origin: Origin<'_>, seq: Seq, time: Timestamp, kind: &str) -> Value {
    json!({
        "v": VERSION, "job": origin.job, "journal": origin.journal,
        "seq": seq.0, "time": time.0, "type": kind,
    })
}

/// Adds fields to an object.
pub(crate) fn with(mut object: Value, fields: Value) -> Value {
    if let (Value::Object(object), Value::Object(mut fields)) = (&mut object, fields) {
        object.append(&mut fields);
    }
    object
}

/// An event, whole.
pub(crate) fn journal(origin: Origin<'_>, record: &Record) -> Value {
    let mut value = to_json(record);
    if let Value::Object(object) = &mut value {
        object.insert("v".into(), VERSION.into());
        object.insert("job".into(), origin.job.into());
        object.insert("journal".into(), origin.journal.into());
    }
    value
}

fn task(origin: Origin<'_>, record: &Record, task: &Task<'_>) -> Value {
    let action = &task.operation.action;
    let to = match action {
        Action::Move { to, .. } => Some(to.as_str()),
        _ => None,
    };
    let mut fields = json!({
        "op": task.id.0,
        "action": action_word(action),
        "case": task.operation.case.letter(),
        "side": action.side().to_string(),
        "kind": kind_word(projection::kind(action)),
        "path": action.path().as_str(),
        "to": to,
        "size": projection::size(action),
    });
    if let Value::Object(fields) = &mut fields {
        fields.append(&mut step(task.step));
    }
    with(envelope(origin, record.seq, record.time, "task"), fields)
}

fn step(step: Step<'_>) -> Map<String, Value> {
    let fields = match step {
        Step::Started => json!({"state": "started"}),
        Step::Succeeded {
            bytes,
            kept,
            trashed,
        } => json!({
            "state": "succeeded",
            "bytes": bytes,
            "kept": kept.iter().map(|kept| kept.path.as_str()).collect::<Vec<_>>(),
            "trashed": trashed.map(RelPath::as_str),
        }),
        Step::Failed {
            class,
            detail,
            retry_at,
        } => json!({
            "state": "failed",
            "class": class_word(class),
            "detail": detail,
            "retry_at": retry_at.map(|time| time.0),
        }),
    };
    match fields {
        Value::Object(fields) => fields,
        _ => Map::new(),
    }
}

fn notification(origin: Origin<'_>, record: &Record, told: &Notification<'_>) -> Value {
    let mut object = with(
        envelope(origin, record.seq, record.time, what_word(told.what)),
        json!({
            "side": told.side.to_string(),
            "kind": told.kind.map(kind_word),
            "path": told.path.as_str(),
            "from": told.from.map(RelPath::as_str),
            "size": told.size,
            "op": told.operation.map(|id| id.0),
        }),
    );
    if let Some((case, remote)) = told.conflict {
        let fields = json!({"case": case.letter(), "remote_path": remote.as_str()});
        object = with(object, fields);
    }
    object
}

const fn action_word(action: &Action) -> &'static str {
    match action {
        Action::Transfer { from, .. } => match from {
            journal_format::value::Side::Local => "upload",
            journal_format::value::Side::Remote => "download",
        },
        Action::MakeDirectory { .. } => "create",
        Action::Move { .. } => "move",
        Action::Remove { .. } => "delete",
        Action::Hash { .. } => "hash",
    }
}

pub(crate) const fn kind_word(kind: Kind) -> &'static str {
    match kind {
        Kind::File => "file",
        Kind::Directory => "directory",
        Kind::Symlink => "symlink",
    }
}

const fn what_word(what: What) -> &'static str {
    match what {
        What::Uploaded => "uploaded",
        What::Downloaded => "downloaded",
        What::Created => "created",
        What::Moved => "moved",
        What::Renamed => "renamed",
        What::Deleted => "deleted",
        What::Conflict => "conflict",
    }
}

const fn class_word(class: FailureClass) -> &'static str {
    match class {
        FailureClass::Retry => "retry",
        FailureClass::Precondition => "precondition",
        FailureClass::Auth => "auth",
        FailureClass::Unsupported => "unsupported",
        FailureClass::NoSpace => "no_space",
        FailureClass::Denied => "denied",
        FailureClass::InDoubt => "in_doubt",
        FailureClass::Fatal => "fatal",
    }
}

/// The version of every object.
pub(crate) const VERSION: u64 = 1;
