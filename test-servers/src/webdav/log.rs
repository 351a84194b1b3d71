//! What a WebDAV server's log says of a request.
//!
//! In: a request and its answer. Out: entries for `log`, which bounds and keeps them.
//! Invariant: no credentials, since tests print entries. Deliberately absent: bodies. A
//! crash leaves nothing. A new thing to be asked of a request is a field of `Entry`.

use crate::log::Logged;

/// One request.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Entry {
    /// `GET`, `PROPFIND`, ...
    pub method: String,
    /// `/a/b` below the files' root, or `room:rest` for what is elsewhere, such as
    /// `uploads:/id/00001`, `bulk:`, `login:/v2`.
    pub path: String,
    /// `Depth`, if there was one.
    pub depth: String,
    /// The status of the answer; 0 if there was none.
    pub status: u16,
    /// The bytes of its body that came.
    pub bytes_in: u64,
    /// The bytes of the answer's body.
    pub bytes_out: u64,
    /// Whether a fault was injected.
    pub faulty: bool,
    /// Whether the account's password had to be hashed for it.
    pub hashed: bool,
}

impl Logged for Entry {
    fn word(&self) -> &str {
        &self.method
    }
}

/// The requests so far, counted by their methods.
pub type Log = crate::log::Log<Entry>;

impl Log {
    /// How often the account's password had to be hashed.
    #[must_use]
    pub fn hashed(&self) -> usize {
        self.entries().iter().filter(|entry| entry.hashed).count()
    }
}
