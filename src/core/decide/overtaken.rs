//! Scans that a move overtook: what moved was read at both of its places, or at neither.
//!
//! In: what a complete scan found new or missing, and whether hints came meanwhile. Out:
//! paths to look at again before it is believed. Invariant: each of them is put off once,
//! so that a deletion is believed by the look that follows, and an object that stands at
//! two places for good (hard links, shares) is two. Deliberately absent: where it may have
//! gone, which hints say. A crash forgets what was put off; scans begin anew.

use super::moves::is_unique;
use super::{Busy, Ledger, Round};
use crate::tree::NodeId;
use journal_format::value::{Identity, Kind, RelPath, Side};
use std::collections::{BTreeMap, BTreeSet};

/// What scans of a side have put off.
#[derive(Debug, Default)]
pub(crate) struct PutOff {
    /// Numbers of nodes that were missing.
    missing: BTreeSet<u64>,
    /// Where an object stood that was known elsewhere.
    doubles: BTreeSet<RelPath>,
}

impl PutOff {
    /// Tells whether nothing is to be looked at again.
    pub(crate) fn is_empty(&self) -> bool {
        self.missing.is_empty() && self.doubles.is_empty()
    }

    /// Forgets all, once nothing is to be looked at again.
    pub(crate) fn clear(&mut self) {
        *self = Self::default();
    }
}

impl Round {
    /// Tells whether something is missing, or a directory could not be listed, that may
    /// have moved to a place that was looked at before it came there.
    pub(crate) fn may_have_missed_a_move(&self, ledger: &Ledger, put_off: &PutOff) -> bool {
        let mut lost = self.lost_for_good(ledger).into_values();
        self.lost_sight
            || lost.any(|id| {
                self.is_movable(ledger, id) && !put_off.missing.contains(&uid(ledger, id))
            })
    }

    /// Takes off the list what is missing and was not put off before.
    pub(super) fn put_off_missing(&mut self, ledger: &Ledger, busy: &Busy, put_off: &mut PutOff) {
        for (path, id) in self.lost_for_good(ledger) {
            let is_covered = self.is_covered(busy, &path);
            if !is_covered && self.is_movable(ledger, id) && put_off.missing.insert(uid(ledger, id))
            {
                self.missing.remove(&id);
                self.again.insert(path);
            }
        }
    }

    /// What stands at a new place and, as far as is known, at its old one as well was read
    /// there before it moved. Then nothing that is new or missing is judged:
    /// all of it is looked at again. Tells whether it is so.
    pub(super) fn put_off_doubles(&mut self, ledger: &Ledger, put_off: &mut PutOff) -> bool {
        let doubles = self.doubles(ledger);
        let news: Vec<_> = doubles
            .into_iter()
            .filter(|(path, _)| put_off.doubles.insert(path.clone()))
            .collect();
        if news.is_empty() {
            return false;
        }
        let tree = &ledger.state.tree;
        for (path, id) in &news {
            // The folder above it is another one, and so is the one from where it came.
            if tree.node(*id).kind != Kind::Directory {
                let place = tree.path(self.side, *id);
                self.again.extend(top(path));
                self.again.extend(place.as_ref().and_then(top));
            }
        }
        let places = news.into_iter().map(|(_, id)| id);
        let places: Vec<NodeId> = places.chain(self.missing.keys().copied()).collect();
        let is_there = |id: &NodeId| tree.get(*id).is_some();
        let paths = places.into_iter().filter(is_there);
        self.again
            .extend(paths.filter_map(|id| tree.path(self.side, id)));
        self.again
            .extend(self.fresh.keys().chain(self.odd.keys()).cloned());
        true
    }

    /// Finds the new directories that are known elsewhere and not missed there. A watcher
    /// tells of both ends of a move at once; that all is compared costs little beside a
    /// scan of everything or a server's answer. Where an operation failed, files as well:
    /// only their paths are looked at then, whatever folder stands above.
    fn doubles(&self, ledger: &Ledger) -> Vec<(RelPath, NodeId)> {
        let mut wanted: BTreeMap<Identity, &RelPath> = BTreeMap::new();
        let sees_folders = self.whole || self.side == Side::Remote;
        let has_failed = |path| {
            let node = ledger.state.tree.lookup(self.side, path);
            node.is_some_and(|id| ledger.state.failures.contains_key(&id))
        };
        for (path, entry) in &self.fresh {
            let identity = entry.fingerprint.identity;
            let is_new = |identity: &Identity| !self.candidates.contains_key(identity);
            let is_meant = match entry.kind() {
                Kind::Directory => sees_folders,
                Kind::File | Kind::Symlink => has_failed(path),
            };
            if is_meant && let Some(identity) = identity.filter(|it| is_unique(*it)).filter(is_new)
            {
                wanted.insert(identity, path);
            }
        }
        if wanted.is_empty() {
            return Vec::new();
        }
        let tree = &ledger.state.tree;
        let known = tree.ids().filter_map(|id| {
            let path = wanted.get(&tree.identity(id, self.side)?)?;
            let is_one = self.fresh.get(*path)?.kind() == tree.node(id).kind;
            is_one.then(|| ((*path).clone(), id))
        });
        known
            .filter(|(_, id)| !tree.facet(*id, self.side).is_absent())
            .collect()
    }

    fn is_movable(&self, ledger: &Ledger, id: NodeId) -> bool {
        ledger.state.tree.identity(id, self.side).is_some()
    }
}

/// The folder in the root that a path is in, or the path itself.
fn top(path: &RelPath) -> Option<RelPath> {
    RelPath::new(path.names().next()?).ok()
}

fn uid(ledger: &Ledger, id: NodeId) -> u64 {
    ledger.state.tree.node(id).uid
}
