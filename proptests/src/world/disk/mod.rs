//! A disk in memory that forgets what was not synced.
//!
//! In: calls as a file system knows them. Out: nodes, times, identities. Fault model: a
//! power loss keeps the durable image, a prefix in order of the changes of names since, and
//! of each file written since either the old data, the new data, a part of it or none, even
//! where its rename survived. Killing a process loses nothing. Inode numbers may be used
//! again. Invariant: content that a person wrote never becomes another one under the same
//! fingerprint, unless the disk hides edits: then only within a step of its times.
//! Deliberately absent: hard links, permissions (see `faults`). A new call is a method here
//! that makes effects, never touches the image itself.

mod image;
mod names;
#[cfg(test)]
mod tests;

pub use image::{Author, Body, Effect, Image, Node, NodeId, Place, ROOT};
pub use names::{COMPOSED, Folding, OWN, composed, decomposed, is_excluded, is_visible, key};

use super::options::DiskOptions;
use super::prng::Rng;
use journal_format::value::{RelPath, Side};
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// Why a call on a disk failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DiskError {
    /// The path or a directory on it is not there.
    Absent,
    /// The path is taken.
    Taken,
    /// It is of the wrong kind.
    WrongKind,
    /// The directory has entries.
    NotEmpty,
    /// A directory would go into itself.
    Loop,
}

/// What stands at the root's place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mount {
    /// The disk.
    There,
    /// Nothing.
    Missing,
    /// An empty directory of somebody else.
    Foreign,
}

/// What a rename does to what stands at its target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Onto {
    /// The target must be free.
    Free,
    /// A file there is replaced, as `rename` does.
    Anything,
    /// Both exchange their names.
    Exchange,
}

/// A disk.
#[derive(Debug, Clone)]
pub struct Disk {
    /// Which side it is.
    pub side: Side,
    /// Its properties.
    pub options: DiskOptions,
    /// What is seen now.
    pub live: Image,
    /// What a power loss leaves at least.
    pub durable: Image,
    /// What stands at the root's place.
    pub mount: Mount,
    /// Counts changes of `mount`.
    pub mounts: u64,
    /// Counts changes of `live`.
    pub changes: u64,
    /// Paths that changed and were not hinted at yet.
    pub touched: VecDeque<(RelPath, bool)>,
    /// The same, for whoever keeps an account of changes.
    pub told: Vec<(RelPath, bool)>,
    /// Earlier images, newest last, for stale listings.
    pub earlier: VecDeque<Image>,
    pending: Vec<Effect>,
    next_node: NodeId,
    next_ino: u64,
    next_version: u64,
    free_inos: BTreeSet<u64>,
    shown: BTreeMap<(u64, i64, usize, i64), Vec<u8>>,
    /// Whether a person's edit may look like the version before, within a step of time.
    pub hides_edits: bool,
}

impl Disk {
    /// An empty disk.
    #[must_use]
    pub fn new(side: Side, options: DiskOptions) -> Self {
        Self {
            side,
            options,
            live: Image::empty(),
            durable: Image::empty(),
            mount: Mount::There,
            mounts: 0,
            changes: 0,
            touched: VecDeque::new(),
            told: Vec::new(),
            earlier: VecDeque::new(),
            pending: Vec::new(),
            next_node: ROOT + 1,
            next_ino: 100,
            next_version: 1,
            free_inos: BTreeSet::new(),
            shown: BTreeMap::new(),
            hides_edits: false,
        }
    }

    /// Returns how names are folded.
    #[must_use]
    pub const fn folding(&self) -> Folding {
        Folding {
            case: self.options.fold_case,
            norm: self.options.fold_norm,
        }
    }

    /// Finds a path.
    #[must_use]
    pub fn find(&self, path: &RelPath) -> Option<NodeId> {
        self.live.find(path, self.folding())
    }

    /// Returns the node at a path.
    #[must_use]
    pub fn node(&self, path: &RelPath) -> Option<&Node> {
        self.live.nodes.get(&self.find(path)?)
    }

    /// Creates a node at a free path. `now_ns` is this side's clock.
    ///
    /// # Errors
    /// The path is taken, or its parent is no directory.
    pub fn create(
        &mut self,
        path: &RelPath,
        body: Body,
        author: Author,
        now_ns: i64,
    ) -> Result<NodeId, DiskError> {
        let place = self.free_place(path)?;
        let id = self.next_node;
        self.next_node += 1;
        self.next_version += 1;
        let (data, body) = match body {
            Body::File(data) => (Some(data), Body::File(Vec::new())),
            other => (None, other),
        };
        let node = Node {
            ino: self.take_ino(author),
            born_ns: now_ns,
            mtime_ns: self.rounded(now_ns),
            version: self.next_version,
            author,
            being_written: false,
            body,
        };
        self.make(path, true, Effect::Create(place, id, node));
        if let Some(data) = data {
            self.write(path, id, data, author, now_ns);
        }
        Ok(id)
    }

    /// Gives a file other data. Unless the disk hides edits, data of a person grows by
    /// a byte where it could not be told from earlier data of the same inode; returns
    /// what was written.
    pub fn write(
        &mut self,
        path: &RelPath,
        id: NodeId,
        mut data: Vec<u8>,
        author: Author,
        now_ns: i64,
    ) -> Vec<u8> {
        let mtime_ns = self.rounded(now_ns);
        if author == Author::User && !self.hides_edits {
            while self.is_ambiguous(id, mtime_ns, &data) {
                data.push(b'+');
            }
        }
        self.note_shown(id, mtime_ns, &data);
        self.next_version += 1;
        let version = self.next_version;
        self.make(
            path,
            false,
            Effect::Data(id, data.clone(), mtime_ns, version, author),
        );
        data
    }

    /// Sets the time of modification, unless that would hide a change.
    pub fn touch(&mut self, path: &RelPath, id: NodeId, mtime_ns: i64) {
        let mtime_ns = self.rounded(mtime_ns);
        let Some(Body::File(data)) = self.live.nodes.get(&id).map(|node| node.body.clone()) else {
            return;
        };
        if !self.is_ambiguous(id, mtime_ns, &data) {
            self.note_shown(id, mtime_ns, &data);
            self.make(path, false, Effect::Touch(id, mtime_ns));
        }
    }

    /// Sets the time of modification of a copy.
    pub fn set_mtime(&mut self, path: &RelPath, id: NodeId, mtime_ns: i64) {
        let mtime_ns = self.rounded(mtime_ns);
        if let Some(Body::File(data)) = self.live.nodes.get(&id).map(|node| node.body.clone()) {
            // An edit right after the copy must not look like the copy.
            self.note_shown(id, mtime_ns, &data);
        }
        self.make(path, false, Effect::Touch(id, mtime_ns));
    }

    /// Renames.
    ///
    /// # Errors
    /// As the variants of [`DiskError`] say; nothing is changed then.
    pub fn rename(&mut self, from: &RelPath, to: &RelPath, onto: Onto) -> Result<(), DiskError> {
        let (from_place, id) = self.taken_place(from)?;
        let (dir, name) = self.parent(to)?;
        if self.live.is_below(dir, id) {
            return Err(DiskError::Loop);
        }
        let there = self
            .live
            .child(dir, &name, self.folding())
            .map(|(own, there)| (own.clone(), there));
        let effect = match (there, onto) {
            // Another spelling of the name it has already.
            (Some((_, there)), Onto::Free | Onto::Anything) if there == id => {
                Effect::Rename(from_place, (dir, name))
            }
            (None, Onto::Free | Onto::Anything) => Effect::Rename(from_place, (dir, name)),
            (None, Onto::Exchange) => return Err(DiskError::Absent),
            (Some(_), Onto::Free) => return Err(DiskError::Taken),
            (Some((own, there)), Onto::Anything) => {
                if self.live.children(there).is_some() || self.live.children(id).is_some() {
                    return Err(DiskError::WrongKind);
                }
                Effect::Replace(from_place, (dir, own))
            }
            (Some((own, there)), Onto::Exchange) => {
                if self.live.is_below(from_place.0, there) {
                    return Err(DiskError::Loop);
                }
                Effect::Exchange(from_place, (dir, own))
            }
        };
        self.tell(from, true);
        self.make(to, true, effect);
        Ok(())
    }

    /// Removes a name: of a directory only when it is empty or `with_content`.
    ///
    /// # Errors
    /// The path is absent, or the directory has entries.
    pub fn remove(&mut self, path: &RelPath, with_content: bool) -> Result<(), DiskError> {
        let (place, id) = self.taken_place(path)?;
        if !with_content
            && self
                .live
                .children(id)
                .is_some_and(|names| !names.is_empty())
        {
            return Err(DiskError::NotEmpty);
        }
        self.make(path, true, Effect::Unlink(place));
        Ok(())
    }

    /// Opens a file for writing, or closes it.
    pub fn set_being_written(&mut self, id: NodeId, being_written: bool) {
        if let Some(node) = self.live.nodes.get_mut(&id) {
            node.being_written = being_written;
        }
    }

    /// Makes everything durable.
    pub fn sync(&mut self) {
        self.durable = self.live.clone();
        self.pending.clear();
    }

    /// Makes one file's data durable and, as the file system's journal is one,
    /// every change of a name before it; not the data of other files.
    pub fn sync_file(&mut self, id: NodeId) {
        self.sync_where(|other, _| other == id);
    }

    /// Makes the data that an author wrote durable, and names as for one file.
    pub fn sync_data_of(&mut self, author: Author) {
        self.sync_where(|_, other| other == author);
    }

    /// Cuts the power and starts again from what the disk kept.
    pub fn lose_power(&mut self, rng: &mut Rng) {
        let pending = std::mem::take(&mut self.pending);
        let is_name = |effect: &&Effect| !matches!(effect, Effect::Data(..));
        let names = pending.iter().filter(is_name).count();
        let kept = rng.below(names + 1);
        let mut image = self.durable.clone();
        for effect in pending.iter().filter(is_name).take(kept) {
            drop(image.apply(effect));
        }
        let written: BTreeMap<NodeId, &Effect> = pending
            .iter()
            .filter_map(|effect| match effect {
                Effect::Data(id, ..) => Some((*id, effect)),
                _ => None,
            })
            .collect();
        for effect in written.into_values() {
            if let Some(effect) = damaged(effect, rng) {
                drop(image.apply(&effect));
            }
        }
        for node in image.nodes.values_mut() {
            node.being_written = false;
        }
        let used: BTreeSet<u64> = image.nodes.values().map(|node| node.ino).collect();
        self.free_inos.retain(|ino| !used.contains(ino));
        self.durable = image.clone();
        self.live = image;
        self.earlier.clear();
        self.changes += 1;
    }

    /// Changes what stands at the root's place.
    pub const fn remount(&mut self, mount: Mount) {
        self.mount = mount;
        self.mounts += 1;
        self.changes += 1;
    }

    fn sync_where(&mut self, wanted: impl Fn(NodeId, Author) -> bool) {
        for effect in std::mem::take(&mut self.pending) {
            match &effect {
                Effect::Data(id, _, _, _, author) if !wanted(*id, *author) => {
                    self.pending.push(effect);
                }
                _ => drop(self.durable.apply(&effect)),
            }
        }
    }

    fn make(&mut self, path: &RelPath, subtree: bool, effect: Effect) {
        self.earlier.push_back(self.live.clone());
        if self.earlier.len() > EARLIER_MAX {
            self.earlier.pop_front();
        }
        self.free_inos.extend(self.live.apply(&effect));
        self.pending.push(effect);
        self.changes += 1;
        self.tell(path, subtree);
    }

    fn tell(&mut self, path: &RelPath, subtree: bool) {
        self.touched.push_back((path.clone(), subtree));
        if self.side == Side::Remote {
            self.told.push((path.clone(), subtree));
        }
    }

    fn parent(&self, path: &RelPath) -> Result<Place, DiskError> {
        let name = path.name().ok_or(DiskError::Taken)?;
        let parent = path.parent().ok_or(DiskError::Taken)?;
        let dir = self.find(&parent).ok_or(DiskError::Absent)?;
        match self.live.children(dir) {
            Some(_) => Ok((dir, name.to_owned())),
            None => Err(DiskError::WrongKind),
        }
    }

    fn free_place(&self, path: &RelPath) -> Result<Place, DiskError> {
        let (dir, name) = self.parent(path)?;
        match self.live.child(dir, &name, self.folding()) {
            Some(_) => Err(DiskError::Taken),
            None => Ok((dir, name)),
        }
    }

    fn taken_place(&self, path: &RelPath) -> Result<(Place, NodeId), DiskError> {
        let (dir, name) = self.parent(path)?;
        let found = self.live.child(dir, &name, self.folding());
        let (own, id) = found.ok_or(DiskError::Absent)?;
        Ok(((dir, own.clone()), id))
    }

    fn take_ino(&mut self, author: Author) -> u64 {
        let reuse = self.options.reuse_inodes && author == Author::User;
        if let Some(ino) = reuse.then(|| self.free_inos.pop_first()).flatten() {
            return ino;
        }
        self.next_ino += 1;
        self.next_ino
    }

    const fn rounded(&self, time_ns: i64) -> i64 {
        time_ns - time_ns.rem_euclid(self.options.granularity_ns)
    }

    fn shown_key(&self, id: NodeId, mtime_ns: i64, size: usize) -> Option<(u64, i64, usize, i64)> {
        let node = self.live.nodes.get(&id)?;
        let born_ns = if self.options.births { node.born_ns } else { 0 };
        Some((node.ino, born_ns, size, mtime_ns))
    }

    fn is_ambiguous(&self, id: NodeId, mtime_ns: i64, data: &[u8]) -> bool {
        self.shown_key(id, mtime_ns, data.len())
            .and_then(|key| self.shown.get(&key))
            .is_some_and(|shown| shown != data)
    }

    fn note_shown(&mut self, id: NodeId, mtime_ns: i64, data: &[u8]) {
        if let Some(key) = self.shown_key(id, mtime_ns, data.len()) {
            self.shown.insert(key, data.to_owned());
        }
    }
}

/// What a power loss makes of data that was not synced; nothing for the old data.
/// A person's data never keeps its size with other bytes: that would be a change
/// nobody can see.
fn damaged(effect: &Effect, rng: &mut Rng) -> Option<Effect> {
    let Effect::Data(id, bytes, mtime_ns, version, author) = effect else {
        return None;
    };
    let kept = match rng.below(5) {
        0 => return None,
        1 => bytes.clone(),
        2 => bytes[..bytes.len() / 2].to_owned(),
        3 if *author == Author::Engine => vec![0; bytes.len()],
        _ => Vec::new(),
    };
    Some(Effect::Data(*id, kept, *mtime_ns, *version, *author))
}

const EARLIER_MAX: usize = 6;
