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

/// A node, its new path, and what was seen there.
type Step = (NodeId, RelPath, Entry);

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
        let tree = &ledger.state.tree;
        let same = |id: NodeId| {
            let (node, facts) = (tree.node(id), tree.facet(id, self.side).facts);
            // Nobody but us uses a temporary name, so what is there was moved, even if
            // it was written to since.
            let is_alike = node.kind == Kind::Directory
                || facts.size == entry.fingerprint.size
                || plan::is_temporary(path);
            node.kind == entry.kind() && is_alike
        };
        let mut meant = self.in_doubt.get(path)?.iter().copied();
        meant.find(|id| self.is_missing(ledger, *id) && same(*id))
    }

    /// Sees to it that whoever stands in the way of `chain`'s first move leaves:
    /// to where it was seen, in a ring with the others if need be, or as gone.
    fn clear_way(
        &mut self,
        ledger: &mut Ledger,
        busy: &Busy,
        standing: Option<NodeId>,
        entry: &Entry,
        chain: &mut Vec<Step>,
    ) {
        let mut next = standing;
        let mut is_tied = false;
        while let Some(node) = next {
            if chain.iter().any(|(moving, ..)| *moving == node) {
                return self.move_together(ledger, busy, chain);
            }
            if let Some((to, entry)) = self.seen_elsewhere(ledger, node) {
                next = ledger.state.tree.lookup(self.side, &to);
                chain.push((node, to, entry));
                continue;
            }
            if let Some((to, entry, standing)) = self.seen_within(ledger, chain, node) {
                is_tied = true;
                next = standing;
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
        if is_tied {
            return self.move_together(ledger, busy, chain);
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

    /// Finds where a displaced node was seen inside of a directory that displaces it, or
    /// that another step of the chain brings, and who stands there now.
    fn seen_within(
        &self,
        ledger: &Ledger,
        chain: &[Step],
        node: NodeId,
    ) -> Option<(RelPath, Entry, Option<NodeId>)> {
        let tree = &ledger.state.tree;
        let identity = tree.identity(node, self.side)?;
        chain.iter().find_map(|(moving, top, _)| {
            let below = self.held.range(top.clone()..);
            let below = below.take_while(|(path, _)| path.as_str().starts_with(top.as_str()));
            let mut listed = below.flat_map(|(path, parts)| {
                let entries = parts.iter().flat_map(|found| match found {
                    Found::Listing { entries, .. } => entries.as_slice(),
                    Found::Unlisted { .. } => &[],
                });
                entries.map(move |(name, sight)| (path, name, sight))
            });
            listed.find_map(|(directory, name, sight)| {
                let Sight::Entry(entry) = sight else {
                    return None;
                };
                if entry.fingerprint.identity != Some(identity) || !directory.is_within(top) {
                    return None;
                }
                let path = directory.join(name).ok()?;
                let parent = self.resolve(ledger, *moving, top, directory)?;
                let is_it = parent != node && self.moved_here(ledger, &path, entry) == Some(node);
                is_it.then(|| (path, entry.clone(), tree.child(self.side, parent, name)))
            })
        })
    }

    /// Finds the directory that will be at a path once a node has moved to `top`.
    fn resolve(
        &self,
        ledger: &Ledger,
        moving: NodeId,
        top: &RelPath,
        path: &RelPath,
    ) -> Option<NodeId> {
        let tree = &ledger.state.tree;
        let rest = &path.as_str()[top.as_str().len()..];
        let mut names = rest.split('/').filter(|name| !name.is_empty());
        let found = names.try_fold(moving, |id, name| {
            tree.child(self.side, id, name)
                .filter(|id| !self.is_missing(ledger, *id))
        })?;
        (tree.node(found).kind == Kind::Directory).then_some(found)
    }

    fn move_together(&mut self, ledger: &mut Ledger, busy: &Busy, chain: &mut Vec<Step>) {
        let tree = &ledger.state.tree;
        let mut moves = Vec::new();
        let mut done = Vec::new();
        let steps = std::mem::take(chain);
        // What goes together waits together.
        let is_covered = steps.iter().any(|(node, to, _)| {
            let from = tree.get(*node).and_then(|_| tree.path(self.side, *node));
            from.into_iter()
                .chain([to.clone()])
                .any(|path| self.is_covered(busy, &path))
        });
        for (node, to, entry) in steps {
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
            if is_covered {
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
pub(super) fn is_unique(identity: Identity) -> bool {
    identity.device == 0 || identity.born_ns != 0
}
