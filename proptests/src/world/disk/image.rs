//! What is on a disk at one moment, and the effects that change it.
//!
//! In: effects. Out: trees of nodes. Invariant: applying the same effects to the
//! same image gives the same image, so that an image after a power loss can be
//! made from a durable one. Deliberately absent: names that fold, permissions,
//! faults (`disk`, `faults`). A new kind of effect is a variant and an arm here.

use super::names::{Folding, key};
use journal_format::value::RelPath;
use std::collections::{BTreeMap, BTreeSet};

/// A node's place in an image; never used again.
pub type NodeId = u64;

/// The root directory.
pub const ROOT: NodeId = 0;

/// Who wrote the newest data of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Author {
    /// A simulated person.
    User,
    /// The program under test, through a port.
    Engine,
}

/// What a node is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Body {
    /// A regular file.
    File(Vec<u8>),
    /// A directory by name.
    Directory(BTreeMap<String, NodeId>),
    /// A symbolic link.
    Link(String),
    /// A pipe.
    Pipe,
}

/// An inode.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    /// Its number, which may have belonged to another node before.
    pub ino: u64,
    /// When it was made.
    pub born_ns: i64,
    /// When its content was changed.
    pub mtime_ns: i64,
    /// Counts changes of content, over all nodes of the disk.
    pub version: u64,
    /// Who wrote its data.
    pub author: Author,
    /// A program has it open for writing.
    pub being_written: bool,
    /// What it is.
    pub body: Body,
}

/// A name in a directory.
pub type Place = (NodeId, String);

/// One change of an image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// A node appears under a free name.
    Create(Place, NodeId, Node),
    /// A name goes away, with the node and all below it.
    Unlink(Place),
    /// A node changes its name, onto a free one.
    Rename(Place, Place),
    /// A node changes its name and takes the place of what was there.
    Replace(Place, Place),
    /// Two nodes change their names.
    Exchange(Place, Place),
    /// The time of modification is set.
    Touch(NodeId, i64),
    /// The data is another one: with time, version and author. The only effect
    /// that a journaling file system may make durable late.
    Data(NodeId, Vec<u8>, i64, u64, Author),
}

/// A tree of nodes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Image {
    /// All nodes, reachable or not being of no interest: unlinking removes them.
    pub nodes: BTreeMap<NodeId, Node>,
}

impl Node {
    /// Returns the bytes of a file or the target of a link.
    #[must_use]
    pub fn content(&self) -> Option<&[u8]> {
        match &self.body {
            Body::File(data) => Some(data),
            Body::Link(target) => Some(target.as_bytes()),
            Body::Directory(_) | Body::Pipe => None,
        }
    }
}

impl Image {
    /// An empty root.
    #[must_use]
    pub fn empty() -> Self {
        let root = Node {
            ino: 2,
            born_ns: 1,
            mtime_ns: 0,
            version: 0,
            author: Author::User,
            being_written: false,
            body: Body::Directory(BTreeMap::new()),
        };
        Self {
            nodes: BTreeMap::from([(ROOT, root)]),
        }
    }

    /// Returns the names of a directory.
    #[must_use]
    pub fn children(&self, id: NodeId) -> Option<&BTreeMap<String, NodeId>> {
        match &self.nodes.get(&id)?.body {
            Body::Directory(children) => Some(children),
            Body::File(_) | Body::Link(_) | Body::Pipe => None,
        }
    }

    /// Finds a name in a directory: its own spelling and the node.
    #[must_use]
    pub fn child(&self, id: NodeId, name: &str, folding: Folding) -> Option<(&String, NodeId)> {
        let children = self.children(id)?;
        if let Some((own, child)) = children.get_key_value(name) {
            return Some((own, *child));
        }
        let wanted = key(name, folding);
        children
            .iter()
            .find(|(own, _)| key(own, folding) == wanted)
            .map(|(own, child)| (own, *child))
    }

    /// Finds a path; links on the way are not followed.
    #[must_use]
    pub fn find(&self, path: &RelPath, folding: Folding) -> Option<NodeId> {
        path.names().try_fold(ROOT, |at, name| {
            self.child(at, name, folding).map(|found| found.1)
        })
    }

    /// Lists everything below a directory, parents first.
    #[must_use]
    pub fn walk(&self) -> Vec<(RelPath, NodeId)> {
        let mut found = Vec::new();
        let mut open = vec![(RelPath::root(), ROOT)];
        while let Some((path, id)) = open.pop() {
            for (name, child) in self.children(id).into_iter().flatten().rev() {
                if let Ok(path) = path.join(name) {
                    open.push((path, *child));
                }
            }
            if id != ROOT {
                found.push((path, id));
            }
        }
        found
    }

    /// Tells whether `inner` is `outer` or lies below it.
    #[must_use]
    pub fn is_below(&self, inner: NodeId, outer: NodeId) -> bool {
        self.subtree(outer).contains(&inner)
    }

    /// Applies an effect; returns the inode numbers that came free.
    pub fn apply(&mut self, effect: &Effect) -> Vec<u64> {
        match effect {
            Effect::Create((dir, name), id, node) => {
                self.nodes.insert(*id, node.clone());
                self.link(*dir, name, *id);
            }
            Effect::Unlink((dir, name)) => {
                if let Some(id) = self.unlink(*dir, name) {
                    return self.forget(id);
                }
            }
            Effect::Rename(from, to) | Effect::Replace(from, to) => {
                if let Some(id) = self.unlink(from.0, &from.1) {
                    let old = self.unlink(to.0, &to.1);
                    self.link(to.0, &to.1, id);
                    return old.map(|old| self.forget(old)).unwrap_or_default();
                }
            }
            Effect::Exchange(a, b) => {
                if let (Some(at_a), Some(at_b)) = (self.unlink(a.0, &a.1), self.unlink(b.0, &b.1)) {
                    self.link(a.0, &a.1, at_b);
                    self.link(b.0, &b.1, at_a);
                }
            }
            Effect::Touch(id, mtime_ns) => {
                if let Some(node) = self.nodes.get_mut(id) {
                    node.mtime_ns = *mtime_ns;
                }
            }
            Effect::Data(id, bytes, mtime_ns, version, author) => {
                if let Some(node) = self.nodes.get_mut(id) {
                    node.body = Body::File(bytes.clone());
                    node.mtime_ns = *mtime_ns;
                    node.version = *version;
                    node.author = *author;
                }
            }
        }
        Vec::new()
    }

    fn subtree(&self, id: NodeId) -> BTreeSet<NodeId> {
        let mut found = BTreeSet::new();
        let mut open = vec![id];
        while let Some(id) = open.pop() {
            found.insert(id);
            open.extend(self.children(id).into_iter().flatten().map(|(_, id)| *id));
        }
        found
    }

    fn forget(&mut self, id: NodeId) -> Vec<u64> {
        let gone = self.subtree(id);
        gone.iter()
            .filter_map(|id| self.nodes.remove(id))
            .map(|node| node.ino)
            .collect()
    }

    fn link(&mut self, dir: NodeId, name: &str, id: NodeId) {
        if let Some(Body::Directory(children)) = self.nodes.get_mut(&dir).map(|node| &mut node.body)
        {
            children.insert(name.to_owned(), id);
        }
    }

    fn unlink(&mut self, dir: NodeId, name: &str) -> Option<NodeId> {
        match &mut self.nodes.get_mut(&dir)?.body {
            Body::Directory(children) => children.remove(name),
            Body::File(_) | Body::Link(_) | Body::Pipe => None,
        }
    }
}
