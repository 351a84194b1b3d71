//! What a Pydio server's log says of a request.
//!
//! In: nothing. Out: entries for `log`. Invariant: no credentials.

use crate::log::Logged;

/// One request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// `GET`, `POST`, ...
    pub method: String,
    /// What it asked for; empty when it never came so far.
    pub action: String,
    /// The workspace as it was named.
    pub workspace: String,
    /// The node that it is about, the first one if there are several.
    pub path: String,
    /// The status of the answer; 0 if there was none.
    pub status: u16,
    /// The bytes of its body.
    pub bytes_in: u64,
    /// The bytes of the answer's body, as far as they are known beforehand.
    pub bytes_out: u64,
    /// Whether a fault was injected.
    pub faulty: bool,
    /// Who it said it was (`User-Agent`).
    pub agent: String,
    /// Which part it asked for (`Range`).
    pub range: Option<String>,
}

impl Logged for Entry {
    fn word(&self) -> &str {
        &self.action
    }
}

/// The requests so far, counted by their actions.
pub type Log = crate::log::Log<Entry>;
