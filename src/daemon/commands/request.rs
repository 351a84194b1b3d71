//! Requests as types: bytes in, what is asked for out.
//!
//! In: a frame that anybody may have sent. Out: an old word or JSON-RPC calls, each
//! with its request or the fault in it. Invariant: total and pure; whatever passes
//! here needs no second look at its form. Deliberately absent: jobs, sockets. A new
//! method is a variant of [`Request`] and an arm of `request`.

use super::fault::{Fault, METHOD, PARSE, REQUEST};
use crate::daemon::stream::messages::Kinds;
use journal_format::event::{Keep, Order};
use journal_format::value::{RelPath, Seq};
use serde_json::{Map, Value};

/// What a frame asks for.
#[derive(Debug, PartialEq)]
pub(super) enum Asked {
    /// An old word; nothing for one that does not exist.
    Word(Option<(Word, Option<usize>)>),
    /// One call.
    Single(Call),
    /// Several.
    Batch(Vec<Call>),
}

/// The old client's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Word {
    Pause,
    Start,
    Reload,
    ListJobs,
    Status,
}

/// One JSON-RPC call.
#[derive(Debug, PartialEq)]
pub(super) struct Call {
    /// Nothing for a notification, which gets no reply.
    pub(super) id: Option<Value>,
    pub(super) request: Result<Request, Fault>,
}

/// What is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Request {
    Version,
    JobList,
    JobStatus(Option<String>),
    Order(Order, Option<String>, String),
    SyncNow(Option<String>),
    Reload(Option<String>),
    ConflictList(Listing),
    ProblemList(Listing),
    Resolve {
        job: String,
        path: RelPath,
        keep: Keep,
        by: String,
    },
    Approve {
        job: String,
        halt: Option<Seq>,
        by: String,
    },
    JournalRead {
        job: String,
        from: Seq,
        limit: usize,
        kinds: Kinds,
    },
    Snapshot {
        job: String,
        /// The copy's name and where to go on.
        copy: Option<(String, usize)>,
    },
    Explain {
        job: String,
        path: RelPath,
    },
    LogLevel(String),
}

/// A part of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Listing {
    pub(super) job: String,
    pub(super) from: usize,
    pub(super) limit: usize,
}

/// Reads a frame.
pub(super) fn parse(body: &[u8]) -> Asked {
    match body.iter().find(|byte| !byte.is_ascii_whitespace()) {
        Some(b'{' | b'[') => rpc(body),
        _ => Asked::Word(std::str::from_utf8(body).ok().and_then(word)),
    }
}

fn word(text: &str) -> Option<(Word, Option<usize>)> {
    let mut parts = text.split_ascii_whitespace();
    let (first, number, rest) = (parts.next()?, parts.next(), parts.next());
    let number = number.map(str::parse).transpose().ok()?;
    let word = match first {
        "PAUSE" => Word::Pause,
        "START" => Word::Start,
        "RELOAD" => Word::Reload,
        "LIST-JOBS" if number.is_none() => Word::ListJobs,
        "STATUS" => Word::Status,
        _ => return None,
    };
    rest.is_none().then_some((word, number))
}

fn rpc(body: &[u8]) -> Asked {
    let bad = |code, message: String| {
        Asked::Single(Call {
            id: Some(Value::Null),
            request: Err(Fault::new(code, message)),
        })
    };
    match serde_json::from_slice(body) {
        Err(error) => bad(PARSE, format!("not JSON: {error}")),
        Ok(Value::Array(calls)) if calls.is_empty() => bad(REQUEST, "an empty batch".to_owned()),
        Ok(Value::Array(calls)) if calls.len() > BATCH_MAX => bad(
            REQUEST,
            format!("more than {BATCH_MAX} requests in a batch"),
        ),
        Ok(Value::Array(calls)) => Asked::Batch(calls.into_iter().map(call).collect()),
        Ok(value) => Asked::Single(call(value)),
    }
}

fn call(value: Value) -> Call {
    let refused = |id, message: &str| Call {
        id: Some(id),
        request: Err(Fault::new(REQUEST, message)),
    };
    let Value::Object(mut object) = value else {
        return refused(Value::Null, "a request is an object");
    };
    let id = object.remove("id");
    let shown = match &id {
        None | Some(Value::Null | Value::Number(_)) => id.clone(),
        Some(Value::String(text)) if text.len() <= ID_BYTES_MAX => id.clone(),
        Some(_) => return refused(Value::Null, "`id` is a number or a short text"),
    };
    let known = shown.clone().unwrap_or(Value::Null);
    if object.get("jsonrpc") != Some(&Value::from("2.0")) {
        return refused(known, "`jsonrpc` is \"2.0\"");
    }
    let Some(Value::String(method)) = object.remove("method") else {
        return refused(known, "`method` is a text");
    };
    let request = match object.remove("params") {
        None => request(&method, Params(Map::new())),
        Some(Value::Object(params)) => request(&method, Params(params)),
        Some(_) => Err(Fault::params("`params` is an object")),
    };
    Call { id: shown, request }
}

fn request(method: &str, mut params: Params) -> Result<Request, Fault> {
    let it = &mut params;
    let request = match method {
        "version" => Request::Version,
        "job.list" => Request::JobList,
        "job.status" => Request::JobStatus(it.text("job")?),
        "job.pause" => Request::Order(Order::Pause, it.text("job")?, it.by()?),
        "job.start" => Request::Order(Order::Start, it.text("job")?, it.by()?),
        "job.stop" => Request::Order(Order::Stop, it.text("job")?, it.by()?),
        "job.sync_now" => {
            it.by()?;
            Request::SyncNow(it.text("job")?)
        }
        "job.reload" => {
            it.by()?;
            Request::Reload(it.text("job")?)
        }
        "conflict.list" => Request::ConflictList(it.listing()?),
        "problem.list" => Request::ProblemList(it.listing()?),
        "conflict.resolve" => Request::Resolve {
            job: it.needed("job")?,
            path: it.path()?,
            keep: it.keep()?,
            by: it.by()?,
        },
        "halt.approve" => Request::Approve {
            job: it.needed("job")?,
            halt: it.number("halt")?.map(Seq),
            by: it.by()?,
        },
        "journal.read" => Request::JournalRead {
            job: it.needed("job")?,
            from: Seq(it.needed_number("from")?.max(1)),
            limit: it.limit(PAGE_RECORDS)?,
            kinds: it.kinds()?,
        },
        "subscribe.snapshot" => Request::Snapshot {
            job: it.needed("job")?,
            copy: it.copy()?,
        },
        "explain" => Request::Explain {
            job: it.needed("job")?,
            path: it.path()?,
        },
        "log.level" => Request::LogLevel(it.level()?),
        _ => return Err(Fault::new(METHOD, format!("no method `{}`", short(method)))),
    };
    params.finish()?;
    Ok(request)
}

/// The parameters that were not read yet.
struct Params(Map<String, Value>);

impl Params {
    fn text(&mut self, key: &str) -> Result<Option<String>, Fault> {
        match self.0.remove(key) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) if text.len() <= TEXT_BYTES_MAX => Ok(Some(text)),
            Some(_) => Err(Fault::params(format!("`{key}` is a text"))),
        }
    }

    fn needed(&mut self, key: &str) -> Result<String, Fault> {
        self.text(key)?
            .ok_or_else(|| Fault::params(format!("`{key}` is missing")))
    }

    fn number(&mut self, key: &str) -> Result<Option<u64>, Fault> {
        match self.0.remove(key) {
            None | Some(Value::Null) => Ok(None),
            Some(value) => value
                .as_u64()
                .map(Some)
                .ok_or_else(|| Fault::params(format!("`{key}` is a whole number, 0 or more"))),
        }
    }

    fn needed_number(&mut self, key: &str) -> Result<u64, Fault> {
        self.number(key)?
            .ok_or_else(|| Fault::params(format!("`{key}` is missing")))
    }

    fn limit(&mut self, or: usize) -> Result<usize, Fault> {
        let limit = self.number("limit")?;
        let limit = limit.map_or(Some(or), |limit| usize::try_from(limit).ok());
        limit
            .filter(|limit| (1..=LIMIT_MAX).contains(limit))
            .ok_or_else(|| Fault::params(format!("`limit` is 1 to {LIMIT_MAX}")))
    }

    fn listing(&mut self) -> Result<Listing, Fault> {
        Ok(Listing {
            job: self.needed("job")?,
            from: self.place()?,
            limit: self.limit(LIST_LIMIT)?,
        })
    }

    fn place(&mut self) -> Result<usize, Fault> {
        let from = self.number("from")?.unwrap_or(0);
        usize::try_from(from).map_err(|_| Fault::params("`from` is too large"))
    }

    fn by(&mut self) -> Result<String, Fault> {
        let by = self.text("by")?.filter(|by| !by.is_empty());
        let by = by.unwrap_or_else(|| "command channel".to_owned());
        if by.chars().count() <= BY_CHARS_MAX && !by.chars().any(char::is_control) {
            Ok(by)
        } else {
            Err(Fault::params(format!(
                "`by` has up to {BY_CHARS_MAX} characters and no control characters"
            )))
        }
    }

    fn path(&mut self) -> Result<RelPath, Fault> {
        let path = RelPath::new(self.needed("path")?).ok();
        path.filter(|path| !path.is_root())
            .ok_or_else(|| Fault::params("`path` is relative to the folder, without `.` and `..`"))
    }

    fn keep(&mut self) -> Result<Keep, Fault> {
        match self.needed("keep")?.as_str() {
            "local" => Ok(Keep::Local),
            "remote" => Ok(Keep::Remote),
            "both" => Ok(Keep::Both),
            _ => Err(Fault::params("`keep` is \"local\", \"remote\" or \"both\"")),
        }
    }

    fn level(&mut self) -> Result<String, Fault> {
        let level = self.needed("level")?;
        if LEVELS.contains(&level.as_str()) {
            Ok(level)
        } else {
            let levels = LEVELS.join(", ");
            Err(Fault::params(format!("`level` is one of {levels}")))
        }
    }

    fn kinds(&mut self) -> Result<Kinds, Fault> {
        let wrong = || Fault::params("`topics` lists \"journal\", \"task\", \"notify\"");
        let mut kinds = Kinds {
            journal: false,
            task: false,
            notify: false,
        };
        match self.0.remove("topics") {
            None | Some(Value::Null) => kinds.journal = true,
            Some(Value::Array(topics)) if (1..=3).contains(&topics.len()) => {
                for topic in topics {
                    match topic.as_str() {
                        Some("journal") => kinds.journal = true,
                        Some("task") => kinds.task = true,
                        Some("notify") => kinds.notify = true,
                        _ => return Err(wrong()),
                    }
                }
            }
            Some(_) => return Err(wrong()),
        }
        Ok(kinds)
    }

    fn copy(&mut self) -> Result<Option<(String, usize)>, Fault> {
        let name = self.text("snapshot")?;
        let from = self.place()?;
        match name {
            Some(name) => Ok(Some((name, from))),
            None if from == 0 => Ok(None),
            None => Err(Fault::params("`from` needs the `snapshot` that it is of")),
        }
    }

    fn finish(self) -> Result<(), Fault> {
        match self.0.keys().next() {
            None => Ok(()),
            Some(key) => Err(Fault::params(format!("no parameter `{}`", short(key)))),
        }
    }
}

/// The beginning of a text that a stranger wrote.
fn short(text: &str) -> String {
    text.chars().take(64).collect()
}

const BATCH_MAX: usize = 100;
const ID_BYTES_MAX: usize = 256;
const TEXT_BYTES_MAX: usize = 4_096;
const BY_CHARS_MAX: usize = 64;
const LIMIT_MAX: usize = 1_000;
const LIST_LIMIT: usize = 100;
const PAGE_RECORDS: usize = 256;
const LEVELS: [&str; 5] = ["error", "warn", "info", "debug", "trace"];
