//! Projections of the journal as JSON.
//!
//! In: a projected record, whose journal it is. Out: objects as `PROTOCOL.md` shows
//! them. Invariant: what is sent live and what is read later is the same, because
//! both are made here. Deliberately absent: topics' subscribers, sockets.

use super::topic::Topics;
use journal_format::event::{Action, Event, FailureClass, Record, SessionEvent};
use journal_format::json::Json;
use journal_format::value::{Kind, RelPath, Seq, Side, Timestamp};
use serde::Serialize;
use serde_json::{Value, json};
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
) -> Vec<(String, String)> {
    let mut made = Vec::new();
    let mut make = |topic: String, body: &dyn Fn() -> String| {
        if is_wanted(&topic) {
            made.push((topic, body()));
        }
    };
    if kinds.journal {
        make(topics.journal(), &|| text(&Whole::of(origin, record)));
    }
    if let Some(it) = projected.task().filter(|_| kinds.task) {
        make(topics.task(it.id), &|| text(&task(origin, record, &it)));
    }
    if let Some(it) = projected.notification().filter(|_| kinds.notify) {
        let body = || text(&notification(origin, record, &it));
        make(topics.notify(it.side), &body);
    }
    made
}

fn text(body: &impl Serialize) -> String {
    let mut text = Vec::with_capacity(BODY_BYTES);
    serde_json::to_writer(&mut text, body).expect("strings and integers can be shown");
    String::from_utf8(text).expect("JSON is text")
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
#[derive(Serialize)]
struct Whole<'a> {
    v: u64,
    /// Nothing where the event names the job itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    job: Option<&'a str>,
    journal: Option<&'a str>,
    #[serde(flatten)]
    record: Json<'a>,
}

impl<'a> Whole<'a> {
    fn of(origin: Origin<'a>, record: &'a Record) -> Self {
        let names_job = matches!(
            record.event,
            Event::Session(SessionEvent::RootConfigured { .. })
        );
        Self {
            v: VERSION,
            job: (!names_job).then_some(origin.job),
            journal: origin.journal,
            record: Json(record),
        }
    }
}

/// The fields that every message has.
#[derive(Serialize)]
struct Head<'a> {
    v: u64,
    job: &'a str,
    journal: Option<&'a str>,
    seq: u64,
    time: i64,
    #[serde(rename = "type")]
    kind: &'a str,
}

impl<'a> Head<'a> {
    fn of(origin: Origin<'a>, record: &Record, kind: &'a str) -> Self {
        Self {
            v: VERSION,
            job: origin.job,
            journal: origin.journal,
            seq: record.seq.0,
            time: record.time.0,
            kind,
        }
    }
}

#[derive(Serialize)]
struct TaskMessage<'a> {
    #[serde(flatten)]
    head: Head<'a>,
    op: u64,
    action: &'static str,
    case: &'static str,
    side: &'static str,
    kind: &'static str,
    path: &'a str,
    to: Option<&'a str>,
    size: Option<u64>,
    #[serde(flatten)]
    step: StepFields<'a>,
}

#[derive(Serialize)]
#[serde(tag = "state", rename_all = "snake_case")]
enum StepFields<'a> {
    Started,
    Succeeded {
        bytes: u64,
        kept: Vec<&'a str>,
        trashed: Option<&'a str>,
    },
    Failed {
        class: &'static str,
        detail: &'a str,
        retry_at: Option<i64>,
    },
}

fn task<'a>(origin: Origin<'a>, record: &'a Record, task: &'a Task<'_>) -> TaskMessage<'a> {
    let action = &task.operation.action;
    TaskMessage {
        head: Head::of(origin, record, "task"),
        op: task.id.0,
        action: action_word(action),
        case: task.operation.case.letter(),
        side: side_word(action.side()),
        kind: kind_word(projection::kind(action)),
        path: action.path().as_str(),
        to: match action {
            Action::Move { to, .. } => Some(to.as_str()),
            _ => None,
        },
        size: projection::size(action),
        step: step(&task.step),
    }
}

fn step<'a>(step: &'a Step<'_>) -> StepFields<'a> {
    match step {
        Step::Started => StepFields::Started,
        Step::Succeeded {
            bytes,
            kept,
            trashed,
        } => StepFields::Succeeded {
            bytes: *bytes,
            kept: kept.iter().map(|kept| kept.path.as_str()).collect(),
            trashed: trashed.map(RelPath::as_str),
        },
        Step::Failed {
            class,
            detail,
            retry_at,
        } => StepFields::Failed {
            class: class_word(*class),
            detail,
            retry_at: retry_at.map(|time| time.0),
        },
    }
}

#[derive(Serialize)]
struct NotifyMessage<'a> {
    #[serde(flatten)]
    head: Head<'a>,
    side: &'static str,
    kind: Option<&'static str>,
    path: &'a str,
    from: Option<&'a str>,
    size: Option<u64>,
    op: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    case: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    remote_path: Option<&'a str>,
}

fn notification<'a>(
    origin: Origin<'a>,
    record: &'a Record,
    told: &'a Notification<'_>,
) -> NotifyMessage<'a> {
    NotifyMessage {
        head: Head::of(origin, record, what_word(told.what)),
        side: side_word(told.side),
        kind: told.kind.map(kind_word),
        path: told.path.as_str(),
        from: told.from.map(RelPath::as_str),
        size: told.size,
        op: told.operation.map(|id| id.0),
        case: told.conflict.map(|(case, _)| case.letter()),
        remote_path: told.conflict.map(|(_, remote)| remote.as_str()),
    }
}

const fn side_word(side: Side) -> &'static str {
    match side {
        Side::Local => "local",
        Side::Remote => "remote",
    }
}

const fn action_word(action: &Action) -> &'static str {
    match action {
        Action::Transfer { from, .. } => match from {
            Side::Local => "upload",
            Side::Remote => "download",
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

/// What most bodies fit into.
const BODY_BYTES: usize = 768;
