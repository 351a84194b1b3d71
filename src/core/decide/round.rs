//! One scan of one side, from its start to its verdict.
//!
//! Changes in place are facts at once. What is missing and what is new is held back
//! until the scan is complete: only then can a move be told from a deletion and a
//! creation, and only then is anything proven absent. When the side has nothing yet,
//! nothing can have moved and new entries become facts as they come.

use super::{Busy, Ledger, PutOff};
use crate::input::{Found, Sight};
use crate::tree::NodeId;
use journal_format::event::{Event, ObservationEvent, UnknownReason};
use journal_format::value::{Entry, Identity, Kind, RelPath, Seq, Side};
use std::collections::{BTreeMap, BTreeSet};

/// A scan that runs.
#[derive(Debug)]
pub(crate) struct Round {
    pub(super) side: Side,
    pub(super) epoch: u64,
    /// The state that the first listing can be compared with.
    pub(super) since: Seq,
    /// Whether the whole side is scanned.
    pub(super) whole: bool,
    /// Whether the side had nothing when the scan began.
    pub(super) streaming: bool,
    /// Parts about directories that are not known yet or not the known ones.
    pub(super) held: BTreeMap<RelPath, Vec<Found>>,
    /// What stands where nothing, or something else, is known.
    pub(super) fresh: BTreeMap<RelPath, Entry>,
    pub(super) fresh_by_identity: BTreeMap<Identity, RelPath>,
    /// Known nodes that were not found, or found replaced by another object.
    /// With their numbers, since places in memory are used again.
    pub(super) missing: BTreeMap<NodeId, u64>,
    /// Where those stood that cannot be synced: meanwhile the other side may have told
    /// that they are nodes of their own.
    pub(super) missing_odd: BTreeSet<RelPath>,
    pub(super) candidates: BTreeMap<Identity, (NodeId, u64)>,
    /// What can be no version of a file or directory stands where these were.
    pub(super) odd: BTreeMap<RelPath, UnknownReason>,
    /// Directories of which a side could not speak and which can be entered again.
    pub(super) unconfirmed: BTreeMap<NodeId, Entry>,
    /// Whether a directory that was there could not be listed: it may have moved away.
    pub(super) lost_sight: bool,
    /// Paths that an operation touched meanwhile.
    pub(super) again: BTreeSet<RelPath>,
    /// Where moves of ours, not seen to end, may have taken nodes.
    pub(super) in_doubt: BTreeMap<RelPath, Vec<NodeId>>,
    /// Directories that this scan found moved, from where to where.
    pub(super) moved: Vec<(RelPath, RelPath)>,
}

impl Round {
    pub(crate) fn new(ledger: &Ledger, side: Side, epoch: u64, whole: bool) -> Self {
        let present = ledger.state.tree.counts().present[crate::tree::index(side)];
        Self {
            side,
            epoch,
            since: ledger.state.seq,
            whole,
            streaming: present == 0 && ledger.state.tree.unknown().len() == 0,
            held: BTreeMap::new(),
            fresh: BTreeMap::new(),
            fresh_by_identity: BTreeMap::new(),
            missing: BTreeMap::new(),
            missing_odd: BTreeSet::new(),
            candidates: BTreeMap::new(),
            odd: BTreeMap::new(),
            unconfirmed: BTreeMap::new(),
            lost_sight: false,
            again: BTreeSet::new(),
            in_doubt: BTreeMap::new(),
            moved: Vec::new(),
        }
    }

    pub(crate) const fn since(&self) -> Seq {
        self.since
    }

    pub(crate) const fn is_whole(&self) -> bool {
        self.whole
    }

    /// Takes a part of the scan.
    pub(crate) fn accept(&mut self, ledger: &mut Ledger, busy: &Busy, found: Found) {
        let directory = match &found {
            Found::Listing { directory, .. } | Found::Unlisted { directory, .. } => directory,
        };
        let known = ledger
            .state
            .tree
            .directory_mut(self.side, directory.as_str());
        let known = known.filter(|id| {
            ledger.state.tree.node(*id).kind == Kind::Directory && !self.is_fresh(directory)
        });
        let Some(node) = known else {
            self.held.entry(directory.clone()).or_default().push(found);
            return;
        };
        match found {
            Found::Listing {
                directory,
                names,
                entries,
            } => {
                self.compare(ledger, busy, node, &directory, &names, entries);
            }
            Found::Unlisted { directory, reason } => {
                self.unconfirmed.remove(&node);
                self.lost_sight |= ledger.state.tree.facet(node, self.side).is_present();
                self.unknown(ledger, busy, Some(node), &directory, reason);
            }
        }
    }

    /// Ends the scan. Returns the paths to look at again. With hints that came meanwhile
    /// what is missing is put off until they were looked at, too.
    pub(crate) fn finish(
        mut self,
        ledger: &mut Ledger,
        busy: &Busy,
        (complete, is_hinted): (bool, bool),
        put_off: &mut PutOff,
    ) -> BTreeSet<RelPath> {
        if !complete || self.put_off_doubles(ledger, put_off) {
            return self.again;
        }
        if is_hinted {
            self.put_off_missing(ledger, busy, put_off);
        }
        for (id, to) in ledger.state.moves_in_doubt(self.side) {
            self.in_doubt.entry(to.clone()).or_default().push(id);
        }
        self.report_gone_for_good(ledger, busy);
        self.leave_out_homeless(ledger);
        while !self.fresh.is_empty() {
            self.settle_some(ledger, busy);
        }
        let odd_ones = std::mem::take(&mut self.missing_odd);
        let odd_ones = odd_ones
            .into_iter()
            .filter(|path| !self.odd.contains_key(path));
        let odd_ones: Vec<RelPath> = odd_ones.collect();
        self.report_odd(ledger, busy);
        self.report_gone(ledger, busy);
        self.again.extend(odd_ones.into_iter().filter(|path| {
            let standing = ledger.state.tree.lookup(self.side, path);
            standing.is_some_and(|id| is_odd(ledger, id, self.side))
        }));
        if !self.held.is_empty() || !self.again.is_empty() {
            // Perhaps read under a name that a move of ours has changed meanwhile.
            self.again.extend(busy.moved(self.side, self.since));
        }
        if !self.moved.is_empty() {
            // What we wrote meanwhile may have landed in a namesake of its directory.
            self.again.extend(busy.touched(self.side, self.since));
        }
        self.again
    }

    /// What turned up nowhere is gone before anything new arrives, so that a path
    /// that both sides moved something to finds its node also on a side without
    /// identities.
    fn report_gone_for_good(&mut self, ledger: &mut Ledger, busy: &Busy) {
        for (path, id) in self.lost_for_good(ledger) {
            self.missing.remove(&id);
            self.gone(ledger, busy, &path);
        }
    }

    /// Finds what is missing and of which nothing turned up.
    pub(super) fn lost_for_good(&self, ledger: &Ledger) -> BTreeMap<RelPath, NodeId> {
        if self.missing.is_empty() {
            return BTreeMap::new();
        }
        let seen = self.seen_identities();
        let tree = &ledger.state.tree;
        let fresh = self.fresh.iter();
        let halfway: BTreeSet<NodeId> = fresh
            .filter_map(|(path, entry)| self.halfway(ledger, path, entry))
            .collect();
        let turned_up = |id: NodeId| {
            let identity = tree.identity(id, self.side);
            halfway.contains(&id) || identity.is_some_and(|identity| seen.contains(&identity))
        };
        let lost = |id: NodeId| {
            let path = self
                .is_missing(ledger, id)
                .then(|| tree.path(self.side, id))??;
            let is_replaced = self.fresh.contains_key(&path) || self.odd.contains_key(&path);
            let mut subtree = tree.subtree(self.side, id).into_iter();
            (!is_replaced && !subtree.any(turned_up)).then_some((path, id))
        };
        self.missing.keys().copied().filter_map(lost).collect()
    }

    /// Leaves out what was listed in a directory that is gone by now: where a side takes
    /// several spellings for one, a directory that was renamed answers under its old
    /// name as well. What is there is looked at again.
    fn leave_out_homeless(&mut self, ledger: &Ledger) {
        let tree = &ledger.state.tree;
        let has_home = |path: &RelPath| {
            let parent = path.parent().and_then(|it| tree.lookup(self.side, &it));
            parent.is_some_and(|parent| tree.node(parent).kind == Kind::Directory)
        };
        let paths = self.fresh.keys();
        let homeless: Vec<RelPath> = paths.filter(|path| !has_home(path)).cloned().collect();
        if homeless.is_empty() {
            return;
        }
        for path in homeless {
            self.fresh.remove(&path);
            self.again.insert(path);
        }
        self.fresh_by_identity.clear();
        for (path, entry) in &self.fresh {
            if let Some(identity) = entry.fingerprint.identity {
                self.fresh_by_identity.insert(identity, path.clone());
            }
        }
    }

    /// Returns the identities of everything new, also below new directories.
    fn seen_identities(&self) -> BTreeSet<Identity> {
        let held = self.held.values().flatten();
        let listed = held.flat_map(|found| match found {
            Found::Listing { entries, .. } => entries.as_slice(),
            Found::Unlisted { .. } => &[],
        });
        let below = listed.filter_map(|(_, sight)| match sight {
            Sight::Entry(entry) => entry.fingerprint.identity,
            Sight::Unknown(_) => None,
        });
        below
            .chain(self.fresh_by_identity.keys().copied())
            .collect()
    }

    /// Settles a share of what is new. Directories come first: what a new one holds
    /// may have come from anywhere. Free places come first too: who moves to one
    /// leaves its old place before that is taken or gone.
    fn settle_some(&mut self, ledger: &mut Ledger, busy: &Busy) {
        for free_only in [true, false] {
            for directories in [true, false] {
                let fresh = self.fresh.iter();
                let paths: Vec<RelPath> = fresh
                    .filter(|(_, entry)| (entry.kind() == Kind::Directory) == directories)
                    .map(|(path, _)| path.clone())
                    .collect();
                let mut settled = false;
                for path in paths {
                    let is_free = ledger.state.tree.lookup(self.side, &path).is_none();
                    if is_free || !free_only {
                        self.settle(ledger, busy, &path);
                        settled = true;
                    }
                }
                if settled {
                    return;
                }
            }
        }
    }

    /// Who did not turn up elsewhere is hidden by what stands at its path.
    fn report_odd(&mut self, ledger: &mut Ledger, busy: &Busy) {
        for (path, reason) in std::mem::take(&mut self.odd) {
            let child = ledger.state.tree.lookup(self.side, &path);
            if let Some(child) = child {
                self.missing.remove(&child);
            }
            if self.is_covered(busy, &path) {
                self.again.insert(path);
                continue;
            }
            let side = self.side;
            let unknown = ObservationEvent::Unknown {
                side,
                path: path.clone(),
                reason,
            };
            ledger.emit(Event::Observation(unknown));
            // Whose place it is now, wherever that one was missing.
            if let Some(child) = ledger.state.tree.lookup(side, &path) {
                self.missing.remove(&child);
            }
        }
    }

    fn report_gone(&mut self, ledger: &mut Ledger, busy: &Busy) {
        let missing = std::mem::take(&mut self.missing);
        let tree = &ledger.state.tree;
        let mut gone: Vec<RelPath> = missing
            .into_iter()
            .filter(|(id, uid)| ledger.state.is_node(*id, *uid))
            .filter_map(|(id, _)| tree.path(self.side, id))
            .collect();
        gone.sort();
        for path in gone {
            self.gone(ledger, busy, &path);
        }
    }

    /// Tells whether a node is not where it was.
    pub(super) fn is_missing(&self, ledger: &Ledger, id: NodeId) -> bool {
        let uid = self.missing.get(&id);
        uid.is_some_and(|uid| ledger.state.is_node(id, *uid))
    }

    /// Tells whether an operation was at work at a path since the scan began, also
    /// under the name that its directory had before the user moved it.
    pub(super) fn is_covered(&self, busy: &Busy, path: &RelPath) -> bool {
        let before = |(from, to): &(RelPath, RelPath)| {
            let rest = path
                .is_within(to)
                .then(|| &path.as_str()[to.as_str().len()..])?;
            RelPath::new(format!("{from}{rest}")).ok()
        };
        let covers = |path: &RelPath| busy.covers(self.side, path, self.since);
        covers(path)
            || self
                .moved
                .iter()
                .filter_map(before)
                .any(|path| covers(&path))
    }

    /// Appends that a path is gone, if something is still known there.
    pub(super) fn gone(&mut self, ledger: &mut Ledger, busy: &Busy, path: &RelPath) {
        if self.is_covered(busy, path) {
            self.again.insert(path.clone());
        } else if ledger.state.tree.lookup(self.side, path).is_some() {
            let (side, epoch) = (self.side, self.epoch);
            ledger.emit(Event::Observation(ObservationEvent::Gone {
                side,
                path: path.clone(),
                epoch,
            }));
        }
    }

    pub(super) fn observed(&self, ledger: &mut Ledger, path: RelPath, entry: Entry) {
        let side = self.side;
        ledger.emit(Event::Observation(ObservationEvent::Observed {
            side,
            path,
            entry,
        }));
    }

    /// Tells whether a directory, or one above it, is new or another one.
    fn is_fresh(&self, directory: &RelPath) -> bool {
        if self.fresh.is_empty() {
            return false;
        }
        let mut next = Some(directory.clone());
        while let Some(path) = next {
            if self.fresh.contains_key(&path) {
                return true;
            }
            next = path.parent();
        }
        false
    }

    /// Holds a sight back until the scan is complete.
    pub(super) fn hold(&mut self, ledger: &mut Ledger, path: RelPath, entry: Entry) {
        if self.streaming {
            return self.observed(ledger, path, entry);
        }
        if let Some(identity) = entry.fingerprint.identity {
            self.fresh_by_identity.insert(identity, path.clone());
        }
        self.fresh.insert(path, entry);
    }

    /// Notes that a node is not where it was. It and what it took along may turn
    /// up elsewhere.
    pub(super) fn miss(&mut self, ledger: &Ledger, node: NodeId) {
        let tree = &ledger.state.tree;
        let uid = tree.node(node).uid;
        if self.missing.insert(node, uid) == Some(uid) {
            return;
        }
        if is_odd(ledger, node, self.side) {
            self.missing_odd.extend(tree.path(self.side, node));
        }
        for id in tree.subtree(self.side, node) {
            if let Some(identity) = tree.identity(id, self.side) {
                let uid = tree.node(id).uid;
                self.candidates.entry(identity).or_insert((id, uid));
            }
        }
    }
}

/// Tells whether something that cannot be synced stands at a node's place.
fn is_odd(ledger: &Ledger, node: NodeId, side: Side) -> bool {
    let facet = ledger.state.tree.facet(node, side);
    facet.presence.is_another_kind()
}
