//! Lookups: from paths to nodes and back, and who stands where.
//!
//! In: paths and places. Out: nodes, in an order that depends on names only.
//! Invariant: what is returned for a side is on that side (present or unknown).
//! Deliberately absent: changes.

use super::{Location, NameId, NodeId, Presence, Tree, index, key};
use crate::spelling::canonical;
use journal_format::event::UnknownReason;
use journal_format::value::{Kind, RelPath, Side};
use std::collections::BTreeSet;

impl Tree {
    /// Returns the node at a path of a side, if something was seen there.
    #[must_use]
    pub fn lookup(&self, side: Side, path: &RelPath) -> Option<NodeId> {
        self.lookup_text(side, path.as_str())
    }

    /// As [`Tree::lookup`], remembering the directory for the next call.
    pub(crate) fn lookup_mut(&mut self, side: Side, path: &str) -> Option<NodeId> {
        let Some((parent, name)) = split(path) else {
            return Some(NodeId::ROOT);
        };
        let directory = self.directory_mut(side, parent)?;
        self.child(side, directory, name)
    }

    /// Returns the directory at a path, remembering it for the next call. What arrives
    /// late below a directory that a file has replaced finds no place.
    pub(crate) fn directory_mut(&mut self, side: Side, path: &str) -> Option<NodeId> {
        if let Some((text, id)) = &self.memo[index(side)]
            && text == path
        {
            return Some(*id);
        }
        let id = self.lookup_text(side, path)?;
        if self.node(id).kind != Kind::Directory {
            return None;
        }
        self.memo[index(side)] = Some((path.to_owned(), id));
        Some(id)
    }

    fn lookup_text(&self, side: Side, path: &str) -> Option<NodeId> {
        path.split('/')
            .filter(|name| !name.is_empty())
            .try_fold(NodeId::ROOT, |directory, name| {
                self.child(side, directory, name)
            })
    }

    /// Returns the node of exactly this name in a directory of a side.
    pub(crate) fn child(&self, side: Side, directory: NodeId, name: &str) -> Option<NodeId> {
        let key = key(&canonical(name, self.fold_case));
        self.in_bucket(directory, key).find(|id| {
            let facet = self.facet(*id, side);
            facet.location.parent == directory && self.names.get(facet.location.name) == name
        })
    }

    /// Returns all nodes with a facet or a baseline at a place, whatever the
    /// spelling.
    pub(crate) fn at_place<'a>(
        &'a self,
        directory: NodeId,
        name: &'a str,
    ) -> impl Iterator<Item = NodeId> + 'a {
        let wanted = canonical(name, self.fold_case);
        let bucket = self.in_bucket(directory, key(&wanted));
        bucket.filter(move |id| {
            let is_here = |location: Location| {
                location.parent == directory && self.canonical_of(location.name) == wanted
            };
            let node = self.node(*id);
            node.facets.iter().any(|facet| is_here(facet.location))
                || self
                    .baseline(*id)
                    .is_some_and(|baseline| is_here(baseline.location))
        })
    }

    /// Returns the nodes of a side at a place, whatever the spelling: one, and twins.
    pub(crate) fn occupants<'a>(
        &'a self,
        side: Side,
        directory: NodeId,
        name: &'a str,
    ) -> impl Iterator<Item = NodeId> + 'a {
        let wanted = canonical(name, self.fold_case);
        self.at_place(directory, name).filter(move |id| {
            let location = self.facet(*id, side).location;
            location.parent == directory && self.canonical_of(location.name) == wanted
        })
    }

    /// Tells whether a node was a second spelling of a name that nobody bears any more.
    pub(crate) fn is_lone_twin(&self, side: Side, id: NodeId) -> bool {
        let is_twin = |id: NodeId| {
            self.facet(id, side).presence == Presence::Unknown(UnknownReason::NameTwin)
        };
        let location = self.facet(id, side).location;
        is_twin(id)
            && self
                .occupants(side, location.parent, self.name(location.name))
                .all(is_twin)
    }

    /// Returns the node that became known first: places in memory say nothing.
    pub(crate) fn first_of(&self, ids: impl Iterator<Item = NodeId>) -> Option<NodeId> {
        ids.min_by_key(|id| self.node(*id).uid)
    }

    fn in_bucket(&self, directory: NodeId, key: u32) -> impl Iterator<Item = NodeId> + '_ {
        self.children
            .range((directory, key, NodeId(0))..=(directory, key, NodeId::NONE))
            .map(|(_, _, id)| *id)
    }

    /// Returns a side's nodes in a directory, unknown ones included.
    pub(crate) fn children(
        &self,
        side: Side,
        directory: NodeId,
    ) -> impl Iterator<Item = NodeId> + '_ {
        self.children
            .range((directory, 0, NodeId(0))..=(directory, u32::MAX, NodeId::NONE))
            .filter(move |(_, key_here, id)| {
                let location = self.facet(*id, side).location;
                location.parent == directory && key(&self.canonical_of(location.name)) == *key_here
            })
            .map(|(_, _, id)| *id)
    }

    /// Returns a node and all that a side has below it, directories first.
    pub(crate) fn subtree(&self, side: Side, top: NodeId) -> Vec<NodeId> {
        let mut found = vec![top];
        let mut next = 0;
        while let Some(directory) = found.get(next).copied() {
            found.extend(self.children(side, directory));
            next += 1;
        }
        found
    }

    /// Returns where a node is on a side, if it is there.
    #[must_use]
    pub fn path(&self, side: Side, id: NodeId) -> Option<RelPath> {
        if id == NodeId::ROOT {
            return Some(RelPath::root());
        }
        if self.facet(id, side).presence == Presence::Absent {
            return None;
        }
        let names = self.ancestry(side, id)?;
        RelPath::new(names.join("/")).ok()
    }

    /// Returns the path that a place has on a side, if its directory is there.
    pub(crate) fn path_at(&self, side: Side, directory: NodeId, name: &str) -> Option<RelPath> {
        self.path(side, directory)?.join(name).ok()
    }

    fn ancestry(&self, side: Side, id: NodeId) -> Option<Vec<&str>> {
        let mut names = Vec::new();
        let mut next = id;
        while next != NodeId::ROOT {
            let location = self.facet(next, side).location;
            if location.name == NameId::NONE {
                return None;
            }
            names.push(self.names.get(location.name));
            next = location.parent;
        }
        names.reverse();
        Some(names)
    }

    /// Returns a node's directories on a side from the nearest up, without the
    /// root.
    pub(crate) fn ancestors(&self, side: Side, id: NodeId) -> impl Iterator<Item = NodeId> + '_ {
        let above = move |id: NodeId| {
            let parent = self.get(id)?.facets[index(side)].location.parent;
            (parent != NodeId::ROOT && parent != NodeId::NONE).then_some(parent)
        };
        std::iter::successors(above(id), move |id| above(*id))
    }

    /// Returns the best name of a node for people: where it is, or last was.
    #[must_use]
    pub fn shown_path(&self, id: NodeId) -> RelPath {
        let here = Side::BOTH.into_iter().find_map(|side| self.path(side, id));
        here.or_else(|| self.baseline_path(id)).unwrap_or_default()
    }

    /// Returns the path of a node's baseline, each name as the baseline or, for
    /// directories without one, as a side has it. Baselines are of different times, so
    /// two directories may each have been in the other: then there is none.
    pub(crate) fn baseline_path(&self, id: NodeId) -> Option<RelPath> {
        let mut names = Vec::new();
        let mut seen = BTreeSet::new();
        let mut next = id;
        let above = loop {
            let baseline = self.baseline(next).filter(|_| seen.insert(next))?;
            names.push(baseline.location.name);
            next = baseline.location.parent;
            let here = Side::BOTH
                .into_iter()
                .find_map(|side| self.path(side, next));
            if let Some(here) = here {
                break here;
            }
        };
        let mut names = names.into_iter().rev();
        names.try_fold(above, |path, name| path.join(self.names.get(name)).ok())
    }
}

fn split(path: &str) -> Option<(&str, &str)> {
    if path.is_empty() {
        return None;
    }
    Some(path.rsplit_once('/').unwrap_or(("", path)))
}
