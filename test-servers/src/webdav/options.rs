//! What a server is started with.
//!
//! In: builder calls. Out: [`Options`]. Invariant: the defaults are enough to sync: one
//! user, a tree in memory, a clock that stands still. The next one: a field and a method.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::clock::Clock;
use super::quirks::Quirks;

/// A way to say who one is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scheme {
    /// Name and password with each request.
    Basic,
    /// RFC 7616 with `qop=auth`; true for SHA-256, false for MD5.
    Digest(bool),
    /// This token.
    Bearer(String),
    /// Nobody is asked.
    Open,
}

/// How a server is started.
#[derive(Clone, Debug)]
pub struct Options {
    pub(super) quirks: Quirks,
    pub(super) users: Vec<(String, String)>,
    pub(super) schemes: Vec<Scheme>,
    pub(super) base: String,
    pub(super) port: u16,
    pub(super) dir: Option<PathBuf>,
    pub(super) clock: Clock,
    pub(super) latency: Duration,
    pub(super) dated: bool,
}

impl Options {
    /// A server with these quirks, a tree in memory and the user `alice` (`secret`).
    #[must_use]
    pub fn new(quirks: Quirks) -> Self {
        Self {
            quirks,
            users: vec![("alice".to_owned(), "secret".to_owned())],
            schemes: vec![Scheme::Basic],
            base: String::new(),
            port: 0,
            dir: None,
            clock: Clock::stopped(),
            latency: Duration::ZERO,
            dated: false,
        }
    }

    /// Another user as the first one.
    #[must_use]
    pub fn user(mut self, name: &str, password: &str) -> Self {
        self.users.insert(0, (name.to_owned(), password.to_owned()));
        self
    }

    /// The ways to log in, in the order in which 401 offers them.
    #[must_use]
    pub fn schemes(self, schemes: &[Scheme]) -> Self {
        Self {
            schemes: schemes.to_vec(),
            ..self
        }
    }

    /// A path below which it answers, such as `/dav`.
    #[must_use]
    pub fn base(self, base: &str) -> Self {
        Self {
            base: base.trim_end_matches('/').to_owned(),
            ..self
        }
    }

    /// A certain port.
    #[must_use]
    pub const fn port(mut self, port: u16) -> Self {
        self.port = port;
        self
    }

    /// Files are read from this folder at the start, and written there as they change.
    #[must_use]
    pub fn dir(self, dir: &Path) -> Self {
        Self {
            dir: Some(dir.to_owned()),
            ..self
        }
    }

    /// The time that it goes by.
    #[must_use]
    pub fn clock(self, clock: Clock) -> Self {
        Self { clock, ..self }
    }

    /// What each request costs.
    #[must_use]
    pub const fn latency(mut self, latency: Duration) -> Self {
        self.latency = latency;
        self
    }

    /// Dates answers by the server's own clock, not by the machine's.
    #[must_use]
    pub const fn dated(mut self) -> Self {
        self.dated = true;
        self
    }
}
