//! A hand on the server's disk: changes that no client made.
//!
//! In: paths without a slash in front. Out: the tree as it is. Invariant: what it does
//! counts as a change at the server's time. Deliberately absent: HTTP.

use std::sync::Arc;
use std::time::Duration;

use super::server::Server;
use super::tree::{Tree, Write};

/// Reads and changes what a server holds, past its protocol.
#[derive(Clone)]
pub struct Hand(Arc<Server>);

/// A server's files as they were once.
#[derive(Clone)]
pub struct Backup(Tree);

fn path(name: &str) -> Vec<String> {
    let parts = name.split('/').filter(|part| !part.is_empty());
    parts.map(str::to_owned).collect()
}

impl Hand {
    pub(super) const fn new(server: Arc<Server>) -> Self {
        Self(server)
    }

    fn now(&self) -> u64 {
        self.0.options.clock.now()
    }

    /// Writes a file, with the folders that are needed.
    ///
    /// # Panics
    /// If a file is in the way, or the disk refuses it.
    pub fn write(&self, name: &str, bytes: &[u8]) {
        let (path, now) = (path(name), self.now());
        for depth in 1..path.len() {
            self.make_folder(&path[..depth].join("/"));
        }
        let write = Write {
            bytes: bytes.to_vec().into(),
            mtime: None,
            checksum: None,
        };
        let written = self.0.state().tree.write(&path, write, now);
        written.expect("a place for a file");
    }

    /// Makes a folder, if there is none.
    ///
    /// # Panics
    /// If its parent is no folder, or the disk refuses it.
    pub fn make_folder(&self, name: &str) {
        let (path, now) = (path(name), self.now());
        let mut state = self.0.state();
        if state.tree.find(&path).is_none() {
            state.tree.make_folder(&path, now).expect("a parent");
        }
    }

    /// Takes away what is there, with everything below.
    ///
    /// # Panics
    /// If nothing is there.
    pub fn remove(&self, name: &str) {
        let now = self.now();
        let removed = self.0.state().tree.remove(&path(name), now);
        removed.expect("something to remove");
    }

    /// Gives something another name.
    ///
    /// # Panics
    /// If nothing is there, or the parent of the new place is no folder.
    pub fn rename(&self, from: &str, to: &str) {
        let now = self.now();
        let renamed = self.0.state().tree.rename(&path(from), &path(to), now);
        renamed.expect("something to rename");
    }

    /// Sets a file's time, in seconds since 1970.
    pub fn set_time(&self, name: &str, seconds: u64) {
        self.0.state().tree.set_time(&path(name), seconds);
    }

    /// A file's content; nothing if no file is there.
    #[must_use]
    pub fn read(&self, name: &str) -> Option<Vec<u8>> {
        let state = self.0.state();
        let node = state.tree.find(&path(name))?;
        (!node.is_folder()).then(|| node.content().to_vec())
    }

    /// A file's time in seconds since 1970.
    #[must_use]
    pub fn time(&self, name: &str) -> Option<u64> {
        let state = self.0.state();
        Some(state.tree.find(&path(name))?.mtime / 1_000_000)
    }

    /// Every path, sorted.
    #[must_use]
    pub fn names(&self) -> Vec<String> {
        let state = self.0.state();
        let mut names = Vec::new();
        let mut open = vec![Vec::new()];
        while let Some(folder) = open.pop() {
            let Some(node) = state.tree.find(&folder) else {
                continue;
            };
            for child in state.tree.children(node) {
                let mut path = folder.clone();
                path.push(child.name.clone());
                names.push(path.join("/"));
                if child.is_folder() {
                    open.push(path);
                }
            }
        }
        names.sort();
        names
    }

    /// Locks a path as another client does; false if it is locked.
    #[must_use]
    pub fn lock(&self, name: &str) -> bool {
        self.0.state().locks.take(&path(name)).is_some()
    }

    /// Ends a lock.
    pub fn unlock(&self, name: &str) {
        self.0.state().locks.release(&path(name));
    }

    /// The folders of unfinished chunked uploads with how many parts each has.
    #[must_use]
    pub fn uploads(&self) -> Vec<(String, usize)> {
        self.0.state().uploads.parts()
    }

    /// Begins a chunked upload as another client does, with one part.
    pub fn begin_upload(&self, id: &str) {
        let now = self.now();
        self.0.state().uploads.begin(id, now);
    }

    /// Makes unfinished uploads older.
    pub fn age_uploads(&self, time: Duration) {
        let time = u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
        self.0.state().uploads.age(time);
    }

    /// Begins or ends maintenance, as [`super::DavServer::maintenance`].
    pub fn maintenance(&self, on: bool) {
        self.0.set_maintenance(on);
    }

    /// Has done what was answered too early; returns the statuses that nobody heard.
    pub fn catch_up(&self) -> Vec<u16> {
        self.0.catch_up()
    }

    /// Keeps the files as they are.
    #[must_use]
    pub fn backup(&self) -> Backup {
        Backup(self.0.state().tree.clone())
    }

    /// Takes the files back to a backup, without a word.
    pub fn restore(&self, backup: &Backup) {
        self.0.state().tree = backup.0.clone();
    }

    /// Sets what `oc:data-fingerprint` tells, as an administrator does after a restore.
    pub fn set_fingerprint(&self, text: &str) {
        text.clone_into(&mut self.0.state().fingerprint);
    }
}
