//! The three trees: local, remote and synced, as facets of shared nodes.
//!
//! In: changes of facets, from `fold` only. Out: lookups by path and by place, the
//! set of dirty nodes. Invariants: a present facet's directory is present on that
//! side; a node without facets does not exist; the child index holds each place of
//! each node once; watched by `check` in the properties. Deliberately absent: what
//! changes mean (`plan`). A crash leaves nothing behind. A new fact goes to `node`.

mod change;
mod check;
mod names;
mod node;
mod paths;
mod restore;
#[cfg(test)]
mod tests;

pub use names::NameId;
pub(crate) use names::{Names, key};
pub(crate) use node::{Baseline, BaselineState};
pub use node::{Facet, Facts, Location, Node, NodeId, Presence};
pub(crate) use restore::Restoring;

use crate::spelling::canonical;
use journal_format::value::{Entry, Fingerprint, Identity, Kind, RemoteVersion, Side};
use std::collections::{BTreeMap, BTreeSet};

/// All nodes of a pair.
#[derive(Debug, Clone)]
pub struct Tree {
    nodes: Vec<Option<Node>>,
    free: Vec<NodeId>,
    /// Dropped places that somebody may still have a note of.
    retired: Vec<NodeId>,
    names: Names,
    /// Baselines of nodes whose sides have left them.
    baselines: BTreeMap<NodeId, Baseline>,
    /// (directory, key of the canonical name, node) of each facet and baseline.
    children: BTreeSet<(NodeId, u32, NodeId)>,
    dirty: BTreeSet<NodeId>,
    /// Nodes that a side cannot speak of, those left out by a filter excepted.
    unknown: BTreeSet<NodeId>,
    /// Nodes changed since the last [`Tree::take_touched`].
    touched: Vec<NodeId>,
    /// Nodes dropped since the last [`Tree::take_dropped`].
    dropped: Vec<NodeId>,
    next_uid: u64,
    counts: Counts,
    fold_case: bool,
    memo: [Option<(String, NodeId)>; 2],
}

/// How many entries there are, the roots left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// Present entries, local and remote.
    pub present: [u64; 2],
    /// Entries with a baseline.
    pub baseline: u64,
    /// Files with a baseline.
    pub baseline_files: u64,
}

/// A node's baseline, wherever it is kept.
#[derive(Debug, Clone, Copy)]
pub(crate) struct BaselineView {
    pub(crate) location: Location,
    pub(crate) facts: [Facts; 2],
}

pub(crate) const fn index(side: Side) -> usize {
    match side {
        Side::Local => 0,
        Side::Remote => 1,
    }
}

impl Default for Tree {
    fn default() -> Self {
        let root_facet = Facet {
            presence: Presence::Present,
            ..Facet::ABSENT
        };
        let root = Node {
            uid: 0,
            kind: Kind::Directory,
            baseline: BaselineState::InSync,
            facets: [root_facet; 2],
        };
        Self {
            nodes: vec![Some(root)],
            free: Vec::new(),
            retired: Vec::new(),
            names: Names::default(),
            baselines: BTreeMap::new(),
            children: BTreeSet::new(),
            dirty: BTreeSet::new(),
            unknown: BTreeSet::new(),
            touched: Vec::new(),
            dropped: Vec::new(),
            next_uid: 1,
            counts: Counts::default(),
            fold_case: false,
            memo: [None, None],
        }
    }
}

impl Tree {
    /// Returns a node that is known to exist.
    #[must_use]
    pub fn node(&self, id: NodeId) -> &Node {
        self.get(id)
            .expect("ids are dropped together with their nodes")
    }

    /// Returns a node, if it still exists.
    #[must_use]
    pub fn get(&self, id: NodeId) -> Option<&Node> {
        self.nodes.get(id.0 as usize).and_then(Option::as_ref)
    }

    /// Returns a node as one side has it.
    #[must_use]
    pub fn facet(&self, id: NodeId, side: Side) -> &Facet {
        &self.node(id).facets[index(side)]
    }

    /// Returns the nodes whose facets differ from the baseline.
    pub fn dirty(&self) -> impl ExactSizeIterator<Item = NodeId> + '_ {
        self.dirty.iter().copied()
    }

    /// Tells whether a node's facets differ from the baseline.
    pub(crate) fn is_dirty(&self, id: NodeId) -> bool {
        self.dirty.contains(&id)
    }

    /// Returns the nodes that cannot be synced because a side cannot speak of
    /// them.
    pub fn unknown(&self) -> impl ExactSizeIterator<Item = NodeId> + '_ {
        self.unknown.iter().copied()
    }

    /// Tells whether both sides are the baseline.
    #[must_use]
    pub fn is_in_sync(&self, id: NodeId) -> bool {
        self.node(id).baseline == BaselineState::InSync
    }

    /// Returns how many entries there are.
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.counts
    }

    /// Returns the text of a name.
    #[must_use]
    pub fn name(&self, id: NameId) -> &str {
        self.names.get(id)
    }

    pub(crate) fn baseline(&self, id: NodeId) -> Option<BaselineView> {
        let node = self.node(id);
        match node.baseline {
            BaselineState::Absent => None,
            BaselineState::InSync => Some(BaselineView {
                location: node.facets[0].location,
                facts: [node.facets[0].facts, node.facets[1].facts],
            }),
            BaselineState::Stored => {
                let kept = self
                    .baselines
                    .get(&id)
                    .expect("a stored baseline is stored");
                Some(BaselineView {
                    location: kept.location,
                    facts: kept.facts,
                })
            }
        }
    }

    pub(crate) const fn fold_case(&self) -> bool {
        self.fold_case
    }

    /// Sets whether names that differ in case only are one; before any node.
    pub(crate) fn set_fold_case(&mut self, fold_case: bool) {
        if self.children.is_empty() {
            self.fold_case = fold_case;
        }
    }

    pub(crate) fn take_touched(&mut self) -> Vec<NodeId> {
        std::mem::take(&mut self.touched)
    }

    /// Lets the places of dropped nodes be used again. Nobody may hold an id of
    /// theirs any more.
    pub(crate) fn recycle(&mut self) {
        self.free.append(&mut self.retired);
    }

    pub(crate) fn take_dropped(&mut self) -> Vec<NodeId> {
        std::mem::take(&mut self.dropped)
    }

    pub(crate) fn ids(&self) -> impl Iterator<Item = NodeId> + '_ {
        self.nodes
            .iter()
            .enumerate()
            .filter(|(_, node)| node.is_some())
            .map(|(place, _)| NodeId(u32::try_from(place).expect("as many nodes as u32 can count")))
    }

    /// Makes facts of an entry, storing its version's text.
    pub(crate) fn facts(&mut self, entry: &Entry) -> Facts {
        let print = &entry.fingerprint;
        Facts {
            size: print.size,
            mtime_ns: print.mtime_ns,
            identity: print.identity.unwrap_or(Facts::NONE.identity),
            version: print
                .version
                .as_ref()
                .map_or(NameId::NONE, |version| self.names.add(version.as_str())),
            digest: entry.digest,
        }
    }

    /// Returns facts as an entry of a kind.
    pub(crate) fn entry(&self, kind: Kind, facts: &Facts) -> Entry {
        Entry {
            fingerprint: self.fingerprint(kind, facts),
            digest: facts.digest,
        }
    }

    pub(crate) fn fingerprint(&self, kind: Kind, facts: &Facts) -> Fingerprint {
        Fingerprint {
            kind,
            size: facts.size,
            mtime_ns: facts.mtime_ns,
            identity: facts.identity(),
            version: (facts.version != NameId::NONE).then(|| {
                RemoteVersion::new(self.names.get(facts.version)).expect("it was one when added")
            }),
        }
    }

    /// Tells whether two facts of a kind are the same version: by fingerprint, and by
    /// hash where both have one, since a coarse clock hides a change of equal size.
    pub(crate) fn same_version(&self, kind: Kind, one: &Facts, other: &Facts) -> bool {
        if kind == Kind::Directory {
            return true;
        }
        let hashes_differ = match (one.digest, other.digest) {
            (Some(one), Some(other)) => one.kind() == other.kind() && one != other,
            _ => false,
        };
        !hashes_differ
            && one.size == other.size
            && one.mtime_ns == other.mtime_ns
            && one.identity == other.identity
            && self.names.get(one.version) == self.names.get(other.version)
    }

    /// Tells whether facts are the version that a fingerprint names.
    pub(crate) fn is_version(&self, kind: Kind, facts: &Facts, print: &Fingerprint) -> bool {
        if kind != print.kind {
            return false;
        }
        kind == Kind::Directory && facts.identity() == print.identity
            || kind != Kind::Directory
                && facts.size == print.size
                && facts.mtime_ns == print.mtime_ns
                && facts.identity() == print.identity
                && self.names.get(facts.version)
                    == print.version.as_ref().map_or("", RemoteVersion::as_str)
    }

    /// Tells whether two places are the same up to Unicode normalisation. Names
    /// that differ in case are two, also where a side cannot hold both: changing
    /// the case is a move.
    pub(crate) fn same_place(&self, one: Location, other: Location) -> bool {
        one.parent == other.parent
            && (one.name == other.name
                || canonical(self.name(one.name), false) == canonical(self.name(other.name), false))
    }

    pub(crate) fn canonical_of(&self, name: NameId) -> std::borrow::Cow<'_, str> {
        canonical(self.names.get(name), self.fold_case)
    }

    /// Returns an id for a name of this node, shared with its other facets.
    pub(crate) fn name_for(&mut self, id: NodeId, text: &str) -> NameId {
        let known = self.get(id).and_then(|node| {
            let mut names = node.facets.iter().map(|facet| facet.location.name);
            names.find(|name| *name != NameId::NONE && self.names.get(*name) == text)
        });
        known.unwrap_or_else(|| self.names.add(text))
    }

    pub(crate) const fn next_uid(&self) -> u64 {
        self.next_uid
    }

    /// Returns a number above each node's [`NodeId::index`].
    pub(crate) fn places_max(&self) -> usize {
        self.nodes.len()
    }

    /// Returns the object ids of a side's facet, for finding moves.
    pub(crate) fn identity(&self, id: NodeId, side: Side) -> Option<Identity> {
        self.facet(id, side).facts.identity()
    }
}
