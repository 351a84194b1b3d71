//! Talking to the daemon that runs.
//!
//! In: a state folder, questions. Out: answers, or why there is none. Invariants: the
//! daemon that answers is the one that `ports.json` tells of; what it says is parsed as
//! carefully as what a stranger says. Deliberately absent: what the answers mean
//! (`desk`). A crash leaves nothing.

use super::exit::{Exit, Failure};
use super::kept;
use super::text::plain;
use crate::adapters::zmtp::{ClientError, Request, Subscription};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

/// A daemon that was found alive.
pub(super) struct Daemon {
    request: Request,
    publish: SocketAddr,
    next_id: u64,
}

/// Why a question has no answer.
#[derive(Debug)]
pub(super) enum Refused {
    /// The daemon says no.
    Error {
        /// One of the protocol's codes.
        code: i64,
        message: String,
        /// The first event that is still kept, where older ones were asked for.
        first: Option<u64>,
    },
    /// The connection failed.
    Line(ClientError),
    /// The answer is none.
    Nonsense(String),
}

/// What the daemon writes into `ports.json`.
#[derive(Deserialize)]
struct Note {
    v: u64,
    pid: u64,
    publish: String,
    commands: String,
}

#[derive(Deserialize)]
struct Version {
    pid: u64,
}

#[derive(Deserialize)]
struct Reply {
    id: Option<u64>,
    result: Option<Value>,
    error: Option<Wrong>,
}

#[derive(Deserialize)]
struct Wrong {
    code: i64,
    message: String,
    data: Option<Beyond>,
}

/// What comes with a refusal of events that are not kept any more.
#[derive(Deserialize)]
struct Beyond {
    first: Option<u64>,
}

impl Daemon {
    /// Finds the daemon of a state folder; nothing when none runs there, or none that
    /// opened ports.
    pub(super) async fn find(state_dir: &Path) -> Option<Self> {
        let note = note(&state_dir.join(NOTE))?;
        let address = |text: &str| text.strip_prefix("tcp://")?.parse::<SocketAddr>().ok();
        let commands = address(&note.commands)?;
        let publish = address(&note.publish)?;
        let request = match Request::connect(commands, PATIENCE).await {
            Ok(request) => request,
            Err(error) => {
                // A daemon that was killed leaves its note.
                tracing::debug!(%error, "nobody at the noted port");
                return None;
            }
        };
        let mut daemon = Self {
            request,
            publish,
            next_id: 1,
        };
        match daemon.ask::<Version>("version", json!({})).await {
            Ok(version) if version.pid == note.pid => Some(daemon),
            Ok(_) => None,
            Err(error) => {
                tracing::debug!(?error, "not a daemon at the noted port");
                None
            }
        }
    }

    /// Asks one question and parses the answer.
    pub(super) async fn ask<T: DeserializeOwned>(
        &mut self,
        method: &str,
        params: Value,
    ) -> Result<T, Refused> {
        let id = self.next_id;
        self.next_id += 1;
        let body = json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params});
        let body = body.to_string();
        let reply = self.request.ask(body.as_bytes(), PATIENCE).await;
        let reply = reply.map_err(Refused::Line)?;
        let nonsense = |error: serde_json::Error| Refused::Nonsense(error.to_string());
        let reply: Reply = serde_json::from_slice(&reply).map_err(nonsense)?;
        if let Some(wrong) = reply.error {
            return Err(Refused::Error {
                code: wrong.code,
                message: wrong.message,
                first: wrong.data.and_then(|beyond| beyond.first),
            });
        }
        if reply.id != Some(id) {
            return Err(Refused::Nonsense("the answer to another question".into()));
        }
        serde_json::from_value(reply.result.unwrap_or(Value::Null)).map_err(nonsense)
    }

    /// Begins to listen to what begins with any of the prefixes.
    pub(super) async fn subscribe(&self, prefixes: &[&str]) -> Result<Subscription, Refused> {
        let subscription = Subscription::connect(self.publish, prefixes, PATIENCE).await;
        subscription.map_err(Refused::Line)
    }
}

impl Refused {
    /// Returns the first event that is still kept, where older ones were asked for.
    pub(super) fn gone(&self) -> Option<(u64, &str)> {
        match self {
            Self::Error {
                code: -32008,
                message,
                first,
            } => first.map(|first| (first, message.as_str())),
            _ => None,
        }
    }

    /// Tells whether the job's journal is not open in the daemon, so that it can be
    /// read at rest.
    pub(super) const fn is_at_rest(&self) -> bool {
        matches!(self, Self::Error { code: -32002, .. })
    }

    /// Tells whether there is nothing to do it to.
    pub(super) const fn is_nothing(&self) -> bool {
        matches!(self, Self::Error { code: -32003, .. })
    }
}

impl From<Refused> for Failure {
    fn from(refused: Refused) -> Self {
        let (code, message) = match refused {
            Refused::Error { code, message, .. } => (code, plain(&message)),
            Refused::Line(error) => (0, format!("the daemon does not answer: {error}")),
            Refused::Nonsense(what) => (0, format!("the daemon's answer is none: {what}")),
        };
        match code {
            -32001 | -32003 => Self::usage(message, "`pydio-sync status` tells what there is"),
            -32002 => Self::usage(message, "start the job: pydio-sync start JOB"),
            -32004 => Self::new(Exit::Internal, message)
                .hint("what was ordered may still happen; `pydio-sync status` tells"),
            -32005 => Self::usage(message, "the old job file stays in force"),
            -32007 => Self::new(Exit::JournalDamaged, message)
                .hint("`pydio-sync journal verify` tells what is wrong, and what to do about it"),
            -32602 | -32601 => Self::new(Exit::Internal, message)
                .hint("is the daemon another release than this program? restart it"),
            _ => Self::new(Exit::Internal, message),
        }
    }
}

/// Reads where a daemon listens. A note that is none counts as absent.
fn note(path: &Path) -> Option<Note> {
    let bytes = kept::bytes(path, NOTE_BYTES_MAX).ok()?;
    let note: Note = serde_json::from_slice(&bytes).ok()?;
    (note.v == 1).then_some(note)
}

/// A job's id as it stands in topics, where a dot separates.
pub(super) fn topic_word(id: &str) -> String {
    let mut word = String::new();
    for byte in id.bytes() {
        if byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_' {
            word.push(char::from(byte));
        } else {
            word.push_str(&format!("%{byte:02x}"));
        }
    }
    word
}

const NOTE: &str = "ports.json";
const NOTE_BYTES_MAX: u64 = 4096;
/// A daemon answers within 100 ms; a machine that wakes up may take longer.
const PATIENCE: Duration = Duration::from_secs(10);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_note_that_is_none_counts_as_no_daemon() {
        let dir = tempfile::tempdir().expect("temporary folder");
        let path = dir.path().join(NOTE);
        assert!(note(&path).is_none());
        let whole = r#"{"v": 1, "pid": 4242, "publish": "tcp://127.0.0.1:5556",
            "commands": "tcp://127.0.0.1:5557", "since": 1760000000000, "version": "0.1.0"}"#;
        for (text, is_one) in [
            (whole, true),
            (&whole.replace("\"v\": 1", "\"v\": 2"), false),
            (&whole[..40], false),
            ("", false),
            ("[]", false),
        ] {
            std::fs::write(&path, text).expect("written");
            assert_eq!(note(&path).is_some(), is_one, "{text}");
        }
    }

    #[test]
    fn a_dot_in_an_id_does_not_separate() {
        assert_eq!(topic_word("docs-1_A"), "docs-1_A");
        assert_eq!(topic_word("a.b é"), "a%2eb%20%c3%a9");
    }
}
