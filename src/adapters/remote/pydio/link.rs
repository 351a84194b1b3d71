//! What all calls of one remote share: the server, the folder, what the feed told.
//!
//! In: paths below the remote's root. Out: entries. Invariant: the same thing at
//! the same path gives the same fingerprint, whichever request told of it.
//! Deliberately absent: ports. CRASH: nothing of it outlives the process.

use super::batch::BATCH_MAX;
use super::bin::Sighting;
use super::folders::Folders;
use super::index::Index;
use super::names::other_spelling;
use super::rows::Anchor;
use super::server::Server;
use super::stat::{Found, Md5, Version};
use crate::adapters::rooted::Filter;
use crate::ports::{PortError, PortResult};
use futures::{StreamExt, TryStreamExt, stream};
use journal_format::event::FailureClass;
use journal_format::value::{Digest, Entry, Fingerprint, Kind, RelPath, RemoteVersion};
use std::borrow::Cow;
use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;
use sync_core::spelling::composed;
use tokio::sync::{Mutex, Notify};
use tokio::time::Instant;

pub(super) struct Link {
    pub(super) server: Server,
    /// The remote's root from the workspace's: empty, or with a slash in front.
    pub(super) folder: String,
    pub(super) filter: Filter,
    pub(super) index: RefCell<Index>,
    pub(super) folders: RefCell<Folders>,
    /// How often the times of folders are asked for.
    recheck: Duration,
    /// One reader of the feed at a time.
    gate: Mutex<()>,
    pub(super) has_feed: Cell<bool>,
    /// Paths whose last name is not composed on the server.
    decomposed: RefCell<BTreeSet<String>>,
    /// Parts of uploads that did not fit to the content when they were resumed.
    pub(super) unfit: RefCell<BTreeSet<String>>,
    /// Leftovers of uploads of ours that a listing showed.
    pub(super) leftovers: RefCell<BTreeSet<String>>,
    /// Folders whose whole tree is too much for one answer.
    pub(super) too_deep: RefCell<BTreeSet<String>>,
    /// What is there and the feed does not know: it may go without a word, too.
    pub(super) untold: RefCell<BTreeSet<String>>,
    /// What was last seen of the workspace's bin.
    pub(super) bin: RefCell<Sighting>,
    /// One who asks for the bin at a time.
    pub(super) bin_gate: Mutex<()>,
    /// Names that are on their way to the bin.
    binning: RefCell<BTreeSet<String>>,
    /// Told when one of them has arrived.
    binned: Notify,
    /// How often the feed's last known rows were missing, in a row.
    pub(super) lost_anchors: Cell<u32>,
    /// Whether this process compared the last few of them once.
    pub(super) is_followed: Cell<bool>,
    /// Tells this client's temporary names from others'.
    pub(super) mark: String,
    /// What the feed's cursor stands for: root and filter.
    pub(super) scope: String,
    /// The largest body that the server took so far, where it refused one.
    pub(super) body_max: Cell<u64>,
    /// How many requests run at once where one job makes several.
    pub(super) width: usize,
}

/// The right to bring a name into the bin.
pub(super) struct Turn<'a> {
    link: &'a Link,
    name: String,
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.link.binning.borrow_mut().remove(&self.name);
        self.link.binned.notify_waiters();
    }
}

/// What a link is made of.
pub(super) struct Parts {
    pub(super) server: Server,
    pub(super) folder: String,
    pub(super) filter: Filter,
    pub(super) mark: String,
    pub(super) scope: String,
    pub(super) width: usize,
    pub(super) recheck: Duration,
}

impl Link {
    pub(super) fn new(parts: Parts) -> Self {
        Self {
            server: parts.server,
            folder: parts.folder,
            filter: parts.filter,
            index: RefCell::default(),
            folders: RefCell::default(),
            recheck: parts.recheck,
            gate: Mutex::default(),
            has_feed: Cell::new(true),
            decomposed: RefCell::default(),
            unfit: RefCell::default(),
            leftovers: RefCell::default(),
            too_deep: RefCell::default(),
            untold: RefCell::default(),
            bin: RefCell::default(),
            bin_gate: Mutex::default(),
            binning: RefCell::default(),
            binned: Notify::new(),
            lost_anchors: Cell::new(0),
            is_followed: Cell::new(false),
            mark: parts.mark,
            scope: parts.scope,
            body_max: Cell::new(u64::MAX),
            width: parts.width,
        }
    }

    /// Forgets what was seen of a workspace that another one took the name of.
    pub(super) fn forget(&self) {
        self.index.borrow_mut().clear();
        self.folders.take();
        self.has_feed.set(true);
        for paths in [
            &self.decomposed,
            &self.unfit,
            &self.leftovers,
            &self.too_deep,
            &self.untold,
        ] {
            paths.take();
        }
    }

    /// Returns a path from the workspace's root; empty for that root itself. Names
    /// are composed, as uploads are stored, unless they were seen in another form.
    pub(super) fn at(&self, path: &RelPath) -> String {
        let mut at = self.folder.clone();
        let decomposed = self.decomposed.borrow();
        for name in path.names() {
            let asked = format!("{at}/{name}");
            at = match composed(name) {
                Cow::Owned(name) if !decomposed.contains(&asked) => format!("{at}/{name}"),
                _ => asked,
            };
        }
        at
    }

    /// Returns a path as the server spells it.
    pub(super) fn told(&self, path: &RelPath) -> RelPath {
        self.below(&self.at(path)).unwrap_or_else(|| path.clone())
    }

    /// Returns where something would stand that has the same name in another spelling.
    pub(super) fn misspelled(&self, path: &RelPath) -> Option<String> {
        let at = self.at(path);
        let (parent, name) = at.rsplit_once('/')?;
        Some(format!("{parent}/{}", other_spelling(name)?))
    }

    /// Remembers a name that was listed, if its form is not the usual one.
    pub(super) fn spelled(&self, at: &str, name: &str) {
        if matches!(composed(name), Cow::Owned(_)) {
            self.decomposed.borrow_mut().insert(at.to_owned());
        }
    }

    /// Finds out in which form the server has the names of a path.
    pub(super) async fn settle(&self, path: &RelPath) -> PortResult<()> {
        let mut parent = RelPath::root();
        for name in path.names() {
            let asked = format!("{}/{name}", self.at(&parent));
            let is_odd = matches!(composed(name), Cow::Owned(_));
            if is_odd
                && !self.decomposed.borrow().contains(&asked)
                && self.server.look(&asked, false).await? != Found::Absent
            {
                self.decomposed.borrow_mut().insert(asked);
            }
            let Ok(next) = parent.join(name) else { break };
            parent = next;
        }
        Ok(())
    }

    /// Returns a path below the remote's root; nothing outside of it.
    pub(super) fn below(&self, at: &str) -> Option<RelPath> {
        let rest = at.strip_prefix(&self.folder)?;
        let rest = if rest.is_empty() {
            rest
        } else {
            rest.strip_prefix('/')?
        };
        RelPath::new(rest).ok()
    }

    /// Makes an entry of what was found; nothing when there is nothing to sync.
    pub(super) fn entry(&self, at: &str, found: &Found) -> Option<Entry> {
        match found {
            Found::Directory => Some(self.folder_entry(at)),
            Found::File(version) => Some(self.file_entry(at, version)),
            Found::Absent | Found::Odd => None,
        }
    }

    pub(super) fn folder_entry(&self, at: &str) -> Entry {
        Entry {
            fingerprint: Fingerprint {
                kind: Kind::Directory,
                size: 0,
                mtime_ns: 0,
                identity: self.index.borrow().identity(at),
                version: None,
            },
            digest: None,
        }
    }

    /// Makes an entry of a file. A hash that the server claims is newer than what
    /// the feed said, unless it is known to be stale. Where hashes come with each look
    /// they tell versions apart, since times are whole seconds.
    pub(super) fn file_entry(&self, at: &str, version: &Version) -> Entry {
        let index = self.index.borrow();
        let verified = index.verified(at, version);
        let md5 = verified.or(version.md5).or_else(|| index.md5(at, version));
        let is_telling = self.has_feed.get() && !self.server.is_hashless.get();
        let digest = md5.map(Digest::Md5);
        Entry {
            fingerprint: Fingerprint {
                kind: Kind::File,
                size: version.size,
                mtime_ns: nanos(version.mtime),
                identity: index.identity(at),
                version: digest
                    .filter(|_| is_telling)
                    .and_then(|digest| RemoteVersion::new(digest.to_string()).ok()),
            },
            digest,
        }
    }

    /// Reads the feed from its beginning, once.
    pub(super) async fn learn_all(&self) -> PortResult<()> {
        if !self.has_feed.get() || self.index.borrow().is_full() {
            return Ok(());
        }
        let _gate = self.gate.lock().await;
        if self.index.borrow().is_full() {
            return Ok(());
        }
        self.read_all().await
    }

    async fn read_all(&self) -> PortResult<()> {
        if !self.server.entered().await?.0.has_feed {
            self.has_feed.set(false);
            return Ok(());
        }
        match self.server.rows(0, true, &self.folder).await {
            Ok(found) => self.index.borrow_mut().fill(&found.rows),
            Err(error) if error.class == FailureClass::Unsupported => self.has_feed.set(false),
            Err(error) => return Err(error),
        }
        Ok(())
    }

    /// Reads what the feed got since it was last read here.
    pub(super) async fn catch_up(&self) -> PortResult<()> {
        if !self.has_feed.get() {
            return Ok(());
        }
        let _gate = self.gate.lock().await;
        let Anchor { seq, .. } = self.index.borrow().trail().newest();
        if seq == 0 {
            return self.read_all().await;
        }
        let found = self.server.rows(seq, false, &self.folder).await?;
        if found.last < seq {
            self.index.borrow_mut().clear();
            return self.read_all().await;
        }
        self.index.borrow_mut().apply(&found.rows);
        Ok(())
    }

    /// Sees to it that the index can tell of paths that are there.
    pub(super) async fn learn_of(&self, found: &BTreeMap<String, Found>) -> PortResult<()> {
        let is_strange = {
            let index = self.index.borrow();
            let is_there = |found: &Found| matches!(found, Found::Directory | Found::File(_));
            let mut there = found.iter().filter(|(_, found)| is_there(found));
            there.any(|(path, _)| !index.knows(path) && *path != self.folder)
        };
        if is_strange {
            self.learn_all().await
        } else {
            Ok(())
        }
    }

    /// Notes whether the feed knows something that was seen at a path, or that nothing
    /// is there.
    pub(super) fn seen(&self, at: &str, is_there: bool) {
        let index = self.index.borrow();
        let mut untold = self.untold.borrow_mut();
        let is_untold = is_there && index.is_full() && !index.knows(at) && at != self.folder;
        if !is_untold {
            untold.remove(at);
        } else if untold.len() < UNTOLD_MAX {
            untold.insert(at.to_owned());
        }
    }

    /// Looks at any number of paths, with hashes: within one second nothing else
    /// tells an edit of equal size.
    pub(super) async fn look_at_all(
        &self,
        paths: BTreeSet<String>,
    ) -> PortResult<BTreeMap<String, Found>> {
        let paths: Vec<String> = paths.into_iter().collect();
        let pieces = paths
            .chunks(BATCH_MAX)
            .map(|paths| self.server.look_at(paths, true));
        let pieces = stream::iter(pieces).buffer_unordered(self.width);
        let found: Vec<BTreeMap<String, Found>> = pieces.try_collect().await?;
        Ok(found.into_iter().flatten().collect())
    }

    /// Tells whether what was found is the version that is expected. A fact that
    /// only one of the two has is no difference.
    pub(super) fn is_expected(&self, at: &str, found: &Found, expect: &Fingerprint) -> bool {
        let Some(entry) = self.entry(at, found) else {
            return false;
        };
        let print = &entry.fingerprint;
        let same_object = match (print.identity, expect.identity) {
            (Some(one), Some(other)) => one == other,
            _ => true,
        };
        // What only the feed says of the content is no evidence against it.
        let is_hashed = matches!(found, Found::File(version) if version.md5.is_some());
        let same_content = match (&print.version, &expect.version) {
            (Some(one), Some(other)) => !is_hashed || one == other,
            _ => true,
        };
        let same_version = print.size == expect.size && print.mtime_ns == expect.mtime_ns;
        print.kind == expect.kind
            && same_object
            && same_content
            && (print.kind == Kind::Directory || same_version)
    }

    /// Compares what was found with what is expected.
    ///
    /// # Errors
    /// `Precondition` when it is something else.
    pub(super) fn expect(&self, at: &str, found: &Found, expect: &Fingerprint) -> PortResult<()> {
        if self.is_expected(at, found, expect) {
            return Ok(());
        }
        let what = if *found == Found::Absent {
            "is absent"
        } else {
            "is not what was expected"
        };
        tracing::debug!(?found, ?expect, "{at} {what}");
        Err(PortError::precondition(format!("`{at}` {what}")))
    }

    /// Waits until nothing else of this name is on its way to the bin.
    pub(super) async fn turn(&self, name: &str) -> Turn<'_> {
        loop {
            let freed = self.binned.notified();
            if self.binning.borrow_mut().insert(name.to_owned()) {
                let name = name.to_owned();
                return Turn { link: self, name };
            }
            freed.await;
        }
    }

    /// Notes a change of ours, which shows in the times of folders.
    pub(super) fn explain(&self, at: &str) {
        self.folders.borrow_mut().explain(at);
    }

    /// Returns the folders that changed without anybody telling of it, when it is time
    /// to ask; the root if nothing was listed yet. What cannot be asked now is asked
    /// later.
    pub(super) async fn unexplained(&self) -> Vec<String> {
        let due = self.folders.borrow_mut().due(self.recheck, Instant::now());
        let Some(asked) = due else {
            return Vec::new();
        };
        if asked.is_empty() {
            return vec![self.folder.clone()];
        }
        let mut changed = Vec::new();
        for paths in asked.chunks(BATCH_MAX) {
            match self.server.folder_times(paths).await {
                Ok(now) if now.is_empty() => {}
                Ok(now) => changed.extend(self.folders.borrow_mut().compare(paths, &now)),
                Err(error) => {
                    tracing::debug!("the times of folders are not known: {error}");
                    break;
                }
            }
        }
        changed
    }

    /// Remembers a hash that was verified.
    pub(super) fn verified(&self, at: &str, version: &Version, md5: Md5) {
        self.index.borrow_mut().verify(at, version, md5);
    }
}

/// So many are looked at with each new thing that the feed tells of.
const UNTOLD_MAX: usize = 1000;

fn nanos(seconds: i64) -> i64 {
    seconds.saturating_mul(1_000_000_000)
}
