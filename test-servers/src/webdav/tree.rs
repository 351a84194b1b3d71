//! The files: nodes by number, in memory, and on disk if a folder was given.
//!
//! In: changes, each with its time. Out: nodes. Invariant: no two changes have the same
//! microsecond, and what is on disk is written before the node changes. Deliberately
//! absent: permissions, and changes on disk that did not come through here.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use bytes::Bytes;

use super::quirks::{FileEtags, Quirks};
use super::versions::SECOND_US;

/// A file or a folder.
#[derive(Clone)]
pub(super) struct Node {
    pub(super) id: u64,
    parent: u64,
    pub(super) name: String,
    /// When it was changed, or what a client said; microseconds since 1970.
    pub(super) mtime: u64,
    /// When it was made.
    pub(super) birth: u64,
    /// The last change here (for a folder: or below).
    pub(super) seed: u64,
    /// How often its content was written.
    pub(super) turns: u64,
    /// The second of the last change of content, and whether its seed was kept then.
    written: (u64, bool),
    pub(super) checksum: Option<String>,
    pub(super) kind: Kind,
}

#[derive(Clone)]
pub(super) enum Kind {
    /// By what names have in common, see [`Quirks::key`].
    Folder(BTreeMap<String, u64>),
    File(Bytes),
}

impl Node {
    pub(super) const fn is_folder(&self) -> bool {
        matches!(self.kind, Kind::Folder(_))
    }

    pub(super) fn content(&self) -> Bytes {
        match &self.kind {
            Kind::File(bytes) => bytes.clone(),
            Kind::Folder(_) => Bytes::new(),
        }
    }

    pub(super) fn len(&self) -> u64 {
        match &self.kind {
            Kind::File(bytes) => bytes.len() as u64,
            Kind::Folder(_) => 0,
        }
    }
}

/// What is written to a file.
pub(super) struct Write {
    pub(super) bytes: Bytes,
    /// Its time, if the client may say it; seconds.
    pub(super) mtime: Option<u64>,
    pub(super) checksum: Option<String>,
}

/// All nodes; the root is number 1.
#[derive(Clone)]
pub(super) struct Tree {
    quirks: Quirks,
    nodes: BTreeMap<u64, Node>,
    next: u64,
    last: u64,
    dir: Option<PathBuf>,
    pub(super) used: u64,
}

/// The microsecond of a second that a client names, up to the last one that has a date.
fn said(seconds: u64) -> u64 {
    seconds.min(SECONDS_MAX) * SECOND_US
}

const ROOT: u64 = 1;
/// The end of the year 9999.
const SECONDS_MAX: u64 = 253_402_300_799;

impl Tree {
    /// Empty, or what is in the folder.
    pub(super) fn open(quirks: Quirks, dir: Option<&Path>, now: u64) -> io::Result<Self> {
        let mut tree = Self {
            quirks,
            nodes: BTreeMap::new(),
            next: ROOT,
            last: 0,
            dir: None,
            used: 0,
        };
        tree.insert(0, "", Kind::Folder(BTreeMap::new()), now);
        if let Some(dir) = dir {
            fs::create_dir_all(dir)?;
            tree.load(dir, &mut Vec::new())?;
        }
        tree.dir = dir.map(Path::to_owned);
        Ok(tree)
    }

    fn load(&mut self, dir: &Path, at: &mut Vec<String>) -> io::Result<()> {
        for entry in fs::read_dir(dir)? {
            let entry = entry?;
            let Ok(name) = entry.file_name().into_string() else {
                continue;
            };
            let facts = entry.metadata()?;
            let since = facts.modified()?.duration_since(std::time::UNIX_EPOCH);
            let time = since.map_or(0, |since| since.as_micros() as u64);
            at.push(name);
            if facts.is_dir() {
                self.make_folder(at, time)?;
                self.load(&entry.path(), at)?;
            } else if facts.is_file() {
                let write = Write {
                    bytes: fs::read(entry.path())?.into(),
                    mtime: Some(time / SECOND_US),
                    checksum: None,
                };
                self.write(at, write, time)?;
            }
            at.pop();
        }
        Ok(())
    }

    /// What is at a path.
    pub(super) fn find(&self, path: &[String]) -> Option<&Node> {
        let mut node = self.nodes.get(&ROOT)?;
        for name in path {
            let Kind::Folder(children) = &node.kind else {
                return None;
            };
            node = self.nodes.get(children.get(&self.quirks.key(name))?)?;
        }
        Some(node)
    }

    /// Whether the folder is there that something at this path would be in.
    pub(super) fn has_parent(&self, path: &[String]) -> bool {
        let above = path.split_last().map(|(_, above)| above);
        above
            .and_then(|above| self.find(above))
            .is_some_and(Node::is_folder)
    }

    /// What is in a folder, by name.
    pub(super) fn children(&self, node: &Node) -> Vec<&Node> {
        let Kind::Folder(children) = &node.kind else {
            return Vec::new();
        };
        let mut found: Vec<_> = children
            .values()
            .filter_map(|id| self.nodes.get(id))
            .collect();
        found.sort_by(|a, b| a.name.cmp(&b.name));
        found
    }

    /// Bytes in and below a node.
    pub(super) fn size(&self, node: &Node) -> u64 {
        let below = self.children(node).into_iter();
        node.len() + below.map(|child| self.size(child)).sum::<u64>()
    }

    /// Writes a file whose parent is a folder; true if it is new.
    pub(super) fn write(&mut self, path: &[String], write: Write, now: u64) -> io::Result<bool> {
        let stamp = self.stamp(now);
        let known = self.find(path).map(|node| node.id);
        if let Some(dir) = &self.dir {
            fs::write(self.place(dir, path), &write.bytes)?;
        }
        let (id, is_new) = match known {
            Some(id) => (id, false),
            None => {
                let (name, above) = path.split_last().ok_or(io::ErrorKind::IsADirectory)?;
                let parent = self.find(above).ok_or(io::ErrorKind::NotFound)?.id;
                let kind = Kind::File(Bytes::new());
                (self.insert(parent, name, kind, stamp), true)
            }
        };
        let node = self.nodes.get_mut(&id).ok_or(io::ErrorKind::NotFound)?;
        let second = stamp / SECOND_US;
        let same = !is_new && node.len() == write.bytes.len() as u64;
        let keeps = same && node.written.0 == second && !node.written.1;
        self.used = self.used - node.len() + write.bytes.len() as u64;
        if !(keeps && self.quirks.file_etags == FileEtags::MostChanges) {
            node.seed = stamp;
        }
        node.written = (second, keeps);
        node.turns += 1;
        node.mtime = write.mtime.map_or(stamp, said);
        node.checksum = write.checksum;
        node.kind = Kind::File(write.bytes);
        let parent = node.parent;
        let listing = is_new || self.quirks.overwrite_touches_folder;
        self.touch(parent, listing, stamp);
        Ok(is_new)
    }

    /// Makes a folder whose parent is one.
    pub(super) fn make_folder(&mut self, path: &[String], now: u64) -> io::Result<()> {
        let stamp = self.stamp(now);
        let (name, above) = path.split_last().ok_or(io::ErrorKind::AlreadyExists)?;
        let parent = self.find(above).ok_or(io::ErrorKind::NotFound)?.id;
        if let Some(dir) = &self.dir {
            fs::create_dir(self.place(dir, path))?;
        }
        self.insert(parent, name, Kind::Folder(BTreeMap::new()), stamp);
        self.touch(parent, true, stamp);
        Ok(())
    }

    /// Takes a node away with everything below.
    pub(super) fn remove(&mut self, path: &[String], now: u64) -> io::Result<()> {
        let stamp = self.stamp(now);
        let node = self.find(path).ok_or(io::ErrorKind::NotFound)?;
        let (id, parent, key) = (node.id, node.parent, self.quirks.key(&node.name));
        if let Some(dir) = &self.dir {
            let place = self.place(dir, path);
            if node.is_folder() {
                fs::remove_dir_all(place)?;
            } else {
                fs::remove_file(place)?;
            }
        }
        self.detach(parent, &key);
        self.forget(id);
        self.touch(parent, true, stamp);
        Ok(())
    }

    /// Gives a node another place, whose parent is a folder and where nothing is.
    pub(super) fn rename(&mut self, from: &[String], to: &[String], now: u64) -> io::Result<()> {
        let stamp = self.stamp(now);
        let node = self.find(from).ok_or(io::ErrorKind::NotFound)?;
        let (id, old, old_key) = (node.id, node.parent, self.quirks.key(&node.name));
        let (name, above) = to.split_last().ok_or(io::ErrorKind::AlreadyExists)?;
        let new = self.find(above).ok_or(io::ErrorKind::NotFound)?.id;
        if let Some(dir) = &self.dir {
            fs::rename(self.place(dir, from), self.place(dir, to))?;
        }
        self.detach(old, &old_key);
        let (kept, key) = (self.quirks.kept(name).into_owned(), self.quirks.key(name));
        if let Some(node) = self.nodes.get_mut(&id) {
            node.parent = new;
            node.name = kept;
        }
        self.attach(new, key, id);
        self.touch(old, true, stamp);
        self.touch(new, true, stamp);
        Ok(())
    }

    /// Copies a node with everything below to a free place.
    pub(super) fn copy(&mut self, from: &[String], to: &[String], now: u64) -> io::Result<()> {
        let node = self.find(from).ok_or(io::ErrorKind::NotFound)?.clone();
        if !node.is_folder() {
            let write = Write {
                bytes: node.content(),
                mtime: None,
                checksum: node.checksum,
            };
            self.write(to, write, now)?;
            return Ok(());
        }
        let names = self.children(&node).into_iter().map(|n| n.name.clone());
        let names: Vec<_> = names.collect();
        self.make_folder(to, now)?;
        for name in names {
            let of = |path: &[String]| [path, std::slice::from_ref(&name)].concat();
            self.copy(&of(from), &of(to), now)?;
        }
        Ok(())
    }

    /// Sets a file's time, as somebody on the server's disk can; seconds.
    pub(super) fn set_time(&mut self, path: &[String], seconds: u64) {
        if let Some(id) = self.find(path).map(|node| node.id)
            && let Some(node) = self.nodes.get_mut(&id)
        {
            node.mtime = said(seconds);
        }
    }

    fn insert(&mut self, parent: u64, name: &str, kind: Kind, stamp: u64) -> u64 {
        let id = self.next;
        self.next += 1;
        let node = Node {
            id,
            parent,
            name: self.quirks.kept(name).into_owned(),
            mtime: stamp,
            birth: stamp,
            seed: stamp,
            turns: 0,
            written: (0, false),
            checksum: None,
            kind,
        };
        self.nodes.insert(id, node);
        let key = self.quirks.key(name);
        self.attach(parent, key, id);
        id
    }

    fn attach(&mut self, parent: u64, key: String, id: u64) {
        if let Some(Node {
            kind: Kind::Folder(children),
            ..
        }) = self.nodes.get_mut(&parent)
        {
            children.insert(key, id);
        }
    }

    fn detach(&mut self, parent: u64, key: &str) {
        if let Some(Node {
            kind: Kind::Folder(children),
            ..
        }) = self.nodes.get_mut(&parent)
        {
            children.remove(key);
        }
    }

    fn forget(&mut self, id: u64) {
        let Some(node) = self.nodes.remove(&id) else {
            return;
        };
        self.used -= node.len();
        if let Kind::Folder(children) = node.kind {
            for child in children.into_values() {
                self.forget(child);
            }
        }
    }

    /// A folder's own change, and what those above hear of it.
    fn touch(&mut self, folder: u64, listing: bool, stamp: u64) {
        let (mut id, mut own) = (folder, true);
        while let Some(node) = self.nodes.get_mut(&id) {
            node.seed = stamp;
            if (own && listing) || self.quirks.deep_mtime {
                node.mtime = stamp;
            }
            own = false;
            id = node.parent;
        }
    }

    fn stamp(&mut self, now: u64) -> u64 {
        self.last = now.max(self.last + 1);
        self.last
    }

    /// The place on disk: names as they are kept.
    fn place(&self, dir: &Path, path: &[String]) -> PathBuf {
        let mut place = dir.to_owned();
        for at in 1..=path.len() {
            let kept = match self.find(&path[..at]) {
                Some(node) => node.name.clone(),
                None => self.quirks.kept(&path[at - 1]).into_owned(),
            };
            place.push(kept);
        }
        place
    }
}
