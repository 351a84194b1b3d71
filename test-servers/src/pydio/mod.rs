//! A server that behaves as Pydio 6 to 8 do.
//!
//! In: [`Options`]: a folder, users, workspaces, [`Quirks`]. Out: a [`PydioServer`] on a
//! loopback port. Files lie in real folders, one a workspace, and the state beside them in
//! `.pydio-server`, so that a server can be stopped and started again, and so that tests
//! can change files behind its back. Invariant: what it answers is what a real server was
//! seen to answer; `tests/replay.rs` compares with recordings. Deliberately absent:
//! sessions with cookies, sharing, versions. The next action: see `server`.

mod answer;
mod auth;
mod bin;
mod call;
mod download;
mod faults;
mod feed;
mod form;
mod index;
mod limits;
mod listing;
mod log;
mod make;
mod moves;
mod names;
mod node;
mod options;
mod place;
mod quirks;
mod registry;
mod serve;
mod server;
mod stat;
mod tracker;
mod upload;
mod zip;

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

pub use self::faults::{Fault, Rule};
pub use self::log::{Entry, Log};
pub use self::options::{Options, Rights, User, Workspace};
pub use self::quirks::{Quirk, Quirks};
use self::server::Server;
use crate::socket::{Listening, Running};

/// A running server. Dropping it stops it: connections end and the port is free.
///
/// It runs in threads of its own, so it can be used from any runtime or from none.
pub struct PydioServer {
    server: Arc<Server>,
    port: u16,
    url: String,
    _running: Running,
}

impl PydioServer {
    /// Starts a server, which answers when this returns.
    ///
    /// # Errors
    /// If its folder cannot be used or the port is taken.
    pub fn start(options: Options) -> io::Result<Self> {
        let listening = Listening::on(options.port)?;
        let port = listening.port();
        let url = format!("http://127.0.0.1:{port}{}", options.base);
        let server = Arc::new(Server::open(options)?);
        let shared = Arc::clone(&server);
        let serve = move |stream| serve::connection(Arc::clone(&shared), stream);
        let running = listening.serve("pydio-server", serve)?;
        Ok(Self {
            server,
            port,
            url,
            _running: running,
        })
    }

    /// Its address, with the base path and without a slash at the end.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The port that it listens on, to start it there again.
    #[must_use]
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// What was asked so far; the handle goes on counting.
    #[must_use]
    pub fn log(&self) -> Log {
        self.server.log.clone()
    }

    /// Adds a rule for what shall go wrong.
    pub fn inject(&self, rule: Rule) {
        self.server.faults.add(rule);
    }

    /// Forgets the rules that are left.
    pub fn clear_faults(&self) {
        self.server.faults.clear();
    }

    /// The folder that holds a workspace's files (with a folder for each user in it, if
    /// it is one of those).
    #[must_use]
    pub fn folder(&self, slug: &str) -> PathBuf {
        self.server.options.dir.join(slug)
    }

    /// The names and passwords of the users.
    pub fn users(&self) -> impl Iterator<Item = (&str, &str)> {
        let users = self.server.options.users.iter();
        users.map(|user| (user.name.as_str(), user.password.as_str()))
    }

    /// The slugs of the workspaces.
    pub fn workspaces(&self) -> impl Iterator<Item = &str> {
        self.server
            .options
            .workspaces
            .iter()
            .map(|workspace| workspace.slug.as_str())
    }

    /// The highest number in the feed of any workspace.
    #[must_use]
    pub fn last_seq(&self) -> u64 {
        self.server.index.last_seq()
    }

    /// Takes the index and the feed back to a number, as a database restored from a
    /// backup; files stay as they are, and numbers are given again.
    ///
    /// # Errors
    /// If the state cannot be written.
    pub fn roll_back_index(&self, seq: u64) -> io::Result<()> {
        self.server.index.roll_back(seq)
    }

    /// Empties the index and the feed, as a new installation over old files.
    ///
    /// # Errors
    /// If the state cannot be written.
    pub fn reset_index(&self) -> io::Result<()> {
        self.server.index.roll_back(0)
    }

    /// Gives everything in a workspace a new row in the index, for each user who has it.
    pub fn reindex(&self, slug: &str) {
        self.server.reindex(slug);
    }

    /// Takes the right to a folder of a workspace from a user, or gives it back.
    pub fn mask(&self, user: &str, slug: &str, folder: &str, is_hidden: bool) {
        self.server.mask(user, slug, folder, is_hidden);
    }

    /// Ends a user's key pairs, as a change of the password does.
    pub fn revoke_tokens(&self, user: &str) {
        self.server.tokens.revoke(user, None);
    }
}
