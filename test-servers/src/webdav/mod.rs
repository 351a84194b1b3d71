//! A WebDAV server that behaves as one of five real ones, or as a test wishes.
//!
//! In: [`Options`] with [`Quirks`], users, a [`Clock`]. Out: a [`DavServer`] on a loopback
//! port, a [`Hand`] that changes its files behind everybody's back, a [`Log`]. Invariant:
//! a preset answers as that server was seen to answer; `tests/it/webdav_interop` of the
//! program compares them with the real ones. Deliberately absent: TLS, PROPPATCH, shares.
//! Nothing waits for time to pass: etags age when the clock is moved. The next behaviour
//! is a field of [`Quirks`], the next thing that goes wrong a [`Fault`].

mod answer;
mod auth;
mod call;
mod clock;
mod collections;
mod conditions;
mod content;
mod digest;
mod faults;
mod hand;
mod hrefs;
mod locks;
mod log;
mod names;
mod nextcloud;
mod options;
mod presets;
mod propfind;
mod props;
mod quirks;
mod serve;
mod server;
mod tree;
mod versions;

use std::io;
use std::sync::Arc;
use std::time::Duration;

pub use self::clock::Clock;
pub use self::faults::{Fault, Rule};
pub use self::hand::{Backup, Hand};
pub use self::log::{Entry, Log};
pub use self::options::{Options, Scheme};
pub use self::presets::Preset;
pub use self::quirks::{
    ContentRange, FileEtags, FolderEtags, Hrefs, OcMtime, Percent, Quirks, Quotes, Redirects,
};
use self::server::Server;
use crate::socket::{Listening, Running};

/// A running server. Dropping it stops it: connections end and the port is free.
///
/// It runs in threads of its own, so it can be used from any runtime or from none.
pub struct DavServer {
    server: Arc<Server>,
    port: u16,
    _running: Running,
}

impl DavServer {
    /// Starts a server, which answers when this returns.
    ///
    /// # Errors
    /// If its folder cannot be read or the port is taken.
    pub fn start(options: Options) -> io::Result<Self> {
        let listening = Listening::on(options.port)?;
        let port = listening.port();
        let server = Arc::new(Server::open(options, port)?);
        let shared = Arc::clone(&server);
        let serve = move |stream| serve::connection(Arc::clone(&shared), stream);
        let running = listening.serve("webdav-server", serve)?;
        Ok(Self {
            server,
            port,
            _running: running,
        })
    }

    /// The address of the files' root, without a slash at the end. With a Nextcloud it is
    /// below [`Self::web`].
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}{}", self.port, self.server.root_path())
    }

    /// The address that a person knows the server by, without a slash at the end.
    #[must_use]
    pub fn web(&self) -> String {
        let base = &self.server.options.base;
        format!("http://127.0.0.1:{}{base}", self.port)
    }

    /// The port that it listens on, to start it there again.
    #[must_use]
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// The first user and their password.
    #[must_use]
    pub fn user(&self) -> (&str, &str) {
        let user = &self.server.options.users[0];
        (&user.0, &user.1)
    }

    /// What was asked so far; the handle goes on counting.
    #[must_use]
    pub fn log(&self) -> Log {
        self.server.log.clone()
    }

    /// The time that it goes by.
    #[must_use]
    pub fn clock(&self) -> Clock {
        self.server.options.clock.clone()
    }

    /// Adds a rule for what shall go wrong.
    pub fn inject(&self, rule: Rule) {
        self.server.faults.add(rule);
    }

    /// Does something right before the next request with this method about a path that
    /// matches is answered, once.
    pub fn before(&self, method: &str, path: &str, call: impl FnOnce() + Send + 'static) {
        let rule = Rule::on(method, Fault::Delay(Duration::ZERO)).path(path);
        self.server.hooks.add(rule, Box::new(call));
    }

    /// Forgets the rules that are left.
    pub fn clear_faults(&self) {
        self.server.faults.clear();
    }

    /// Changes its files as somebody with access to its disk does.
    #[must_use]
    pub fn hand(&self) -> Hand {
        Hand::new(Arc::clone(&self.server))
    }

    /// Begins or ends maintenance: 503 for everything, with what Nextcloud says about it.
    pub fn maintenance(&self, on: bool) {
        self.server.set_maintenance(on);
    }

    /// Grants every login that waits for a person, and returns how many there were.
    pub fn grant_logins(&self) -> usize {
        self.server.logins.grant(&self.server.options.users[0].0)
    }

    /// Ends all sessions, app passwords and nonces, as a change of the password does.
    pub fn revoke(&self) {
        self.server.doors.revoke();
        self.server.logins.revoke();
    }

    /// Accepts another bearer token in place of the present one.
    pub fn change_token(&self, token: &str) {
        self.server.doors.set_token(token);
    }
}
