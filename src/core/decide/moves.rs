//! Tells moves from deletions and creations, once a scan is complete.
//!
//! An object that stands at a new path while it is missing from its old one has
//! moved. Identity alone is no proof where inodes are used again: without a birth
//! time, size and time must agree as well, or for a directory a child. What cannot be
//! told stays a deletion and a creation: that costs traffic, never data.

use super::{Busy, Ledger, Round};
use crate::input::{Found, Sight};
use crate::plan;
use crate::state::Doubt;
use crate::tree::NodeId;
use journal_format::event::{Event, ObservationEvent, PathMove};
use journal_format::value::{Entry, Identity, Kind, RelPath};
use std::collections::BTreeSet;

impl Round {
    /// Decides what the sight at `path` is, and takes it off the list.
    pub(super) fn settle(&mut self, ledger: &mut Ledger, busy: &Busy, path: &RelPath) {
        let Some(entry) = self.fresh.get(path).cloned() else {
            return;
        };
        let standing = ledger.state.tree.lookup(self.side, path);
        let newcomer = self
            .moved_here(ledger, path, &entry)
            .or_else(|| self.halfway(ledger, path, &entry));
        if newcomer.is_some() && newcomer == standing {
            self.arrived(ledger, busy, path, entry);
            return;
        }
        let mut chain = Vec::new();
        chain.extend(newcomer.map(|node| (node, path.clone(), entry.clone())));
        self.clear_way(ledger, busy, standing, &entry, &mut chain);
        if newcomer.is_none() && !self.is_done(path) {
            self.arrived(ledger, busy, path, entry);
        }
    }

    /// Finds the missing node that an entry is.
    fn moved_here(&self, ledger: &Ledger, path: &RelPath, entry: &Entry) -> Option<NodeId> {
        let tree = &ledger.state.tree;
        let identity = entry.fingerprint.identity?;
        let (node, uid) = *self.candidates.get(&identity)?;
        let known = tree.get(node).filter(|known| known.uid == uid)?;
        let facts = &tree.facet(node, self.side).facts;
        let is_certain = is_unique(identity)
            || match entry.kind() {
                Kind::Directory => self.kept_a_child(ledger, node, path),
                Kind::File | Kind::Symlink => {
                    facts.size == entry.fingerprint.size
                        && facts.mtime_ns == entry.fingerprint.mtime_ns
                }
            };
        let is_free = facts.identity() == Some(identity)
            && (self.is_missing(ledger, node)
                || tree
                    .ancestors(self.side, node)
                    .any(|id| self.is_missing(ledger, id)));
        let aside = Doubt::Aside(self.side, path.clone());
        let is_ours = doubt(ledger, node) == Some(&aside);
        (known.kind == entry.kind() && is_certain && is_free && !is_ours).then_some(node)
    }

    /// Tells whether a known child of a directory is listed below its new path.
    fn kept_a_child(&self, ledger: &Ledger, node: NodeId, path: &RelPath) -> bool {
        let listings = self.held.get(path).into_iter().flatten();
        let mut entries = listings.flat_map(|found| match found {
            Found::Listing { entries, .. } => entries.as_slice(),
            Found::Unlisted { .. } => &[],
        });
        let tree = &ledger.state.tree;
        let children = tree.children(self.side, node);
        let known: BTreeSet<Identity> = children
            .filter_map(|child| tree.identity(child, self.side))
            .collect();
        entries.any(|(_, sight)| match sight {
            Sight::Entry(entry) => {
                let identity = entry.fingerprint.identity;
                identity.is_some_and(|identity| known.contains(&identity))
            }
            Sight::Unknown(_) => false,
        })
    }

    /// Finds the missing node that a move of ours, not seen to end, took here: its
    /// intent is evidence also on a side without identities.
    pub(super) fn halfway(&self, ledger: &Ledger, path: &RelPath, entry: &Entry) -> Option<NodeId> {
        let uid = plan::moving_uid(path.name()?);
        if uid.is_none() && ledger.state.failures.is_empty() {
            return None;
        }
        let tree = &ledger.state.tree;
        let moved = Doubt::Moved(self.side, path.clone());
        let was_meant =
            |id: NodeId| uid == Some(tree.node(id).uid) || doubt(ledger, id) == Some(&moved);
        let same = |id: NodeId| {
            let (node, facts) = (tree.node(id), tree.facet(id, self.side).facts);
            let is_directory = node.kind == Kind::Directory;
            node.kind == entry.kind() && (is_directory || facts.size == entry.fingerprint.size)
        };
        let missing = self.missing.keys().copied();
        missing
            .filter(|id| self.is_missing(ledger, *id))
            .find(|id| was_meant(*id) && same(*id))
    }

    /// Sees to it that whoever stands in the way of `chain`'s first move leaves:
    /// to where it was seen, in a ring with the others if need be, or as gone.
    fn clear_way(
        &mut self,
        ledger: &mut Ledger,
        busy: &Busy,
        standing: Option<NodeId>,
        entry: &Entry,
        chain: &mut Vec<(NodeId, RelPath, Entry)>,
    ) {
        let mut next = standing;
        while let Some(node) = next {
            if chain.iter().any(|(moving, ..)| *moving == node) {
                return self.move_together(ledger, busy, chain);
            }
            if let Some((to, entry)) = self.seen_elsewhere(ledger, node) {
                next = ledger.state.tree.lookup(self.side, &to);
                chain.push((node, to, entry));
                continue;
            }
            // A move takes the place of whoever stands there by itself.
            let stays = !chain.is_empty() || ledger.state.tree.node(node).kind == entry.kind();
            if !stays && let Some(path) = ledger.state.tree.path(self.side, node) {
                self.missing.remove(&node);
                self.gone(ledger, busy, &path);
            }
            break;
        }
        while let Some(step) = chain.pop() {
            self.move_together(ledger, busy, &mut vec![step]);
        }
    }

    /// Finds where a displaced node was seen, if its new directory is known.
    fn seen_elsewhere(&self, ledger: &Ledger, node: NodeId) -> Option<(RelPath, Entry)> {
        let identity = ledger.state.tree.identity(node, self.side)?;
        let path = self.fresh_by_identity.get(&identity)?;
        let entry = self.fresh.get(path)?;
        let directory = ledger.state.tree.lookup(self.side, &path.parent()?)?;
        let known = ledger.state.tree.node(directory).kind == Kind::Directory;
        (known && self.moved_here(ledger, path, entry) == Some(node))
            .then(|| (path.clone(), entry.clone()))
    }

    fn move_together(
        &mut self,
        ledger: &mut Ledger,
        busy: &Busy,
        chain: &mut Vec<(NodeId, RelPath, Entry)>,
    ) {
        let tree = &ledger.state.tree;
        let mut moves = Vec::new();
        let mut done = Vec::new();
        for (node, to, entry) in chain.drain(..) {
            self.missing.remove(&node);
            // An earlier move may have ended a node that one of these is.
            let is_there = tree.get(node).is_some();
            let Some(from) = is_there.then(|| tree.path(self.side, node)).flatten() else {
                continue;
            };
            if !tree.facet(node, self.side).is_present() {
                // What could not be looked at there is not what has moved away.
                self.again.insert(from.clone());
            }
            if [&from, &to]
                .into_iter()
                .any(|path| self.is_covered(busy, path))
            {
                self.fresh.remove(&to);
                self.again.extend([from, to]);
                continue;
            }
            if entry.kind() == Kind::Directory {
                self.moved.push((from.clone(), to.clone()));
            }
            done.push((to.clone(), entry.kind()));
            moves.push(PathMove { from, to, entry });
        }
        if moves.is_empty() {
            return;
        }
        let side = self.side;
        ledger.emit(Event::Observation(ObservationEvent::Moved { side, moves }));
        for (path, kind) in done {
            self.fresh.remove(&path);
            if kind == Kind::Directory {
                self.release_held(ledger, busy, &path);
            }
        }
    }

    /// A sight that is no move: something new, or a replacement in place.
    fn arrived(&mut self, ledger: &mut Ledger, busy: &Busy, path: &RelPath, entry: Entry) {
        self.fresh.remove(path);
        if self.is_covered(busy, path) {
            self.again.insert(path.clone());
            return;
        }
        let kind = entry.kind();
        self.observed(ledger, path.clone(), entry);
        if let Some(standing) = ledger.state.tree.lookup(self.side, path) {
            self.missing.remove(&standing);
        }
        if kind == Kind::Directory {
            self.release_held(ledger, busy, path);
        }
    }

    fn is_done(&self, path: &RelPath) -> bool {
        !self.fresh.contains_key(path)
    }

    /// Takes up what was held back about a directory that is known now.
    fn release_held(&mut self, ledger: &mut Ledger, busy: &Busy, directory: &RelPath) {
        let below: Vec<RelPath> = self
            .held
            .range(directory.clone()..)
            .map(|(path, _)| path)
            .take_while(|path| path.as_str().starts_with(directory.as_str()))
            .filter(|path| path.is_within(directory))
            .cloned()
            .collect();
        for path in below {
            for found in self.held.remove(&path).unwrap_or_default() {
                self.accept(ledger, busy, found);
            }
        }
    }
}

fn doubt(ledger: &Ledger, id: NodeId) -> Option<&Doubt> {
    ledger.state.failures.get(&id)?.doubt.as_ref()
}

/// Server ids and inodes with a birth time are not used again.
fn is_unique(identity: Identity) -> bool {
    identity.device == 0 || identity.born_ns != 0
}
