//! One pretend side: a tree of objects with identities and contents as numbers.
//!
//! In: changes by the user or by operations. Out: entries and listings as a real
//! side would give them. Invariant: each item's parent is a directory here.
//! Deliberately absent: who may change what, and when (`world`).

use journal_format::event::UnknownReason;
use journal_format::value::{
    Digest, Entry, Fingerprint, Identity, Kind, RelPath, RemoteVersion, Side,
};
use std::collections::BTreeMap;

/// What a side can tell and hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Traits {
    /// Entries carry identities.
    pub identities: bool,
    /// Identities are bare inode numbers, used again after a deletion.
    pub inodes_reused: bool,
    /// Listings carry digests.
    pub digests: bool,
    /// Entries carry versions.
    pub versions: bool,
    /// A write replaces the object instead of its content.
    pub write_replaces: bool,
    /// Names that differ in case only are one name.
    pub fold_case: bool,
}

impl Traits {
    /// A disk with birth times.
    pub const DISK: Self = Self {
        identities: true,
        inodes_reused: false,
        digests: false,
        versions: false,
        write_replaces: true,
        fold_case: false,
    };
    /// A server with ids, hashes and versions.
    pub const RICH: Self = Self {
        identities: true,
        inodes_reused: false,
        digests: true,
        versions: true,
        write_replaces: false,
        fold_case: false,
    };
    /// A server without ids and hashes.
    pub const PLAIN: Self = Self {
        identities: false,
        inodes_reused: false,
        digests: false,
        versions: true,
        write_replaces: false,
        fold_case: false,
    };
}

/// A file, directory or link.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    /// Which object.
    pub object: u64,
    /// What it is.
    pub kind: Kind,
    /// What it holds; 0 for directories.
    pub content: u64,
    /// When it was written.
    pub mtime_ms: i64,
    /// Counts writes.
    pub version: u64,
    /// Why the side cannot speak of it, if it cannot.
    pub hidden: Option<UnknownReason>,
}

/// A side.
#[derive(Debug, Clone)]
pub struct Disk {
    /// Which one.
    pub side: Side,
    /// What it can tell and hold.
    pub traits: Traits,
    /// What it holds, by path.
    pub items: BTreeMap<String, Item>,
    next: u64,
}

impl Disk {
    /// Makes an empty side.
    #[must_use]
    pub const fn new(side: Side, traits: Traits) -> Self {
        Self {
            side,
            traits,
            items: BTreeMap::new(),
            next: 100,
        }
    }

    /// Returns a number that was not used before on this side.
    pub const fn fresh(&mut self) -> u64 {
        self.next += 1;
        self.next
    }

    fn new_object(&mut self) -> u64 {
        if self.traits.inodes_reused {
            let used = |object: &u64| self.items.values().any(|item| item.object == *object);
            return (2..).find(|object| !used(object)).expect("endless");
        }
        self.fresh()
    }

    /// Tells whether `path` is the root or a directory.
    #[must_use]
    pub fn is_directory(&self, path: &str) -> bool {
        path.is_empty()
            || self
                .items
                .get(path)
                .is_some_and(|item| item.kind == Kind::Directory)
    }

    /// Returns the path that already bears this name, in this side's sense.
    #[must_use]
    pub fn occupant(&self, path: &str) -> Option<String> {
        if self.items.contains_key(path) {
            return Some(path.to_owned());
        }
        if !self.traits.fold_case {
            return None;
        }
        let wanted = path.to_lowercase();
        let mut paths = self.items.keys();
        paths
            .find(|known| known.to_lowercase() == wanted && parent(known) == parent(path))
            .cloned()
    }

    /// Returns the paths directly in a directory.
    #[must_use]
    pub fn children(&self, directory: &str) -> Vec<String> {
        let paths = self.items.keys();
        paths
            .filter(|path| parent(path) == directory)
            .cloned()
            .collect()
    }

    /// Returns a path and all below it.
    #[must_use]
    pub fn subtree(&self, top: &str) -> Vec<String> {
        let below = format!("{top}/");
        let paths = self.items.keys();
        paths
            .filter(|path| *path == top || path.starts_with(&below))
            .cloned()
            .collect()
    }

    /// Creates an object at a free path.
    pub fn create(&mut self, path: &str, kind: Kind, content: u64, mtime_ms: i64) {
        let item = Item {
            object: self.new_object(),
            kind,
            content,
            mtime_ms,
            version: self.fresh(),
            hidden: None,
        };
        self.items.insert(path.to_owned(), item);
    }

    /// Gives a file new content, as the side does such things.
    pub fn overwrite(&mut self, path: &str, content: u64, mtime_ms: i64, replace: bool) {
        let version = self.fresh();
        let object = replace.then(|| self.new_object());
        let item = self
            .items
            .get_mut(path)
            .expect("only what exists is overwritten");
        item.object = object.unwrap_or(item.object);
        item.content = content;
        item.mtime_ms = mtime_ms;
        item.version = version;
    }

    /// Renames a path and all below it.
    pub fn rename(&mut self, from: &str, to: &str) {
        for path in self.subtree(from) {
            let item = self.items.remove(&path).expect("just listed");
            self.items
                .insert(format!("{to}{}", &path[from.len()..]), item);
        }
    }

    /// Removes a path and all below it.
    pub fn remove(&mut self, top: &str) {
        for path in self.subtree(top) {
            self.items.remove(&path);
        }
    }

    /// Returns what a listing says of a path.
    #[must_use]
    pub fn entry(&self, path: &str) -> Option<Entry> {
        let item = self.items.get(path)?;
        let is_directory = item.kind == Kind::Directory;
        let identity = self.traits.identities.then(|| Identity {
            device: u64::from(self.side == Side::Local || self.traits.inodes_reused),
            object: item.object,
            born_ns: if self.side == Side::Local && !self.traits.inodes_reused {
                7_000_000 + i64::try_from(item.object).expect("small")
            } else {
                0
            },
        });
        let version = (self.traits.versions && !is_directory).then(|| {
            RemoteVersion::new(format!("v{}", item.version)).expect("short and printable")
        });
        Some(Entry {
            fingerprint: Fingerprint {
                kind: item.kind,
                size: if is_directory { 0 } else { size(item.content) },
                mtime_ns: if is_directory {
                    0
                } else {
                    item.mtime_ms * 1_000_000
                },
                identity,
                version,
            },
            digest: (self.traits.digests && !is_directory).then(|| digest(item.content)),
        })
    }

    /// Returns an entry with its digest, as after a verified read.
    #[must_use]
    pub fn read(&self, path: &str) -> Option<Entry> {
        let content = self.items.get(path)?.content;
        let mut entry = self.entry(path)?;
        entry.digest = (entry.kind() != Kind::Directory).then(|| digest(content));
        Some(entry)
    }
}

/// Contents have few sizes, so that size rarely tells them apart.
#[must_use]
pub const fn size(content: u64) -> u64 {
    1 + content % 3
}

/// The digest of a content; its first four hexadecimal digits are the number.
#[must_use]
pub fn digest(content: u64) -> Digest {
    let mut bytes = [0_u8; 32];
    bytes[0] = u8::try_from(content >> 8 & 0xff).expect("masked");
    bytes[1] = u8::try_from(content & 0xff).expect("masked");
    bytes[2..10].copy_from_slice(&content.to_be_bytes());
    Digest::Blake3(bytes)
}

/// The directory of a path.
#[must_use]
pub fn parent(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(parent, _)| parent)
}

/// The last name of a path.
#[must_use]
pub fn name(path: &str) -> &str {
    path.rsplit_once('/').map_or(path, |(_, name)| name)
}

/// Joins a directory and a name.
#[must_use]
pub fn join(directory: &str, name: &str) -> String {
    if directory.is_empty() {
        name.to_owned()
    } else {
        format!("{directory}/{name}")
    }
}

/// Parses a path that is known to be one.
#[must_use]
pub fn path(text: &str) -> RelPath {
    RelPath::new(text).expect("pretend paths are valid")
}
