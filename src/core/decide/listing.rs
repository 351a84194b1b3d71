//! Compares a directory's listing with what is known of it.
//!
//! In: a listing, whole or of some names. Out: observations of what changed in place;
//! what is new or missing goes to the round, which judges at its end. Invariant: a
//! name that was not looked at is never missed. Deliberately absent: moves (`moves`),
//! verdicts of absence (`round`).

use super::{Busy, Ledger, Round};
use crate::input::{Covered, Sight};
use crate::spelling::canonical;
use crate::tree::{NodeId, Presence, key};
use journal_format::event::{Event, ObservationEvent, UnknownReason};
use journal_format::value::{Entry, Kind, RelPath};
use std::collections::BTreeSet;

impl Round {
    pub(super) fn compare(
        &mut self,
        ledger: &mut Ledger,
        busy: &Busy,
        directory: NodeId,
        path: &RelPath,
        names: &Covered,
        entries: Vec<(String, Sight)>,
    ) {
        self.confirm(ledger, directory, path);
        let twins = twins(ledger, self, directory, &entries);
        let tree = &ledger.state.tree;
        let children: Vec<Option<NodeId>> = entries
            .iter()
            .map(|(name, sight)| {
                let child = tree.child(self.side, directory, name)?;
                // What a filter leaves out is nobody's second spelling.
                let known = tree.name(tree.facet(child, self.side).location.name);
                (!is_excluded(sight) || known == name).then_some(child)
            })
            .collect();
        // Before anything is compared: what a streaming scan adds is not lost.
        let lost = self.lost(ledger, directory, names, &children);
        let holds_on = self.is_to_go(ledger, directory);
        for (place, (name, sight)) in entries.into_iter().enumerate() {
            let sight = if twins.contains(&place) {
                Sight::Unknown(UnknownReason::NameTwin)
            } else {
                sight
            };
            if is_excluded(&sight) && holds_on {
                self.excluded_stays(ledger, busy, children[place], path, &name);
            } else {
                self.compare_one(ledger, busy, (path, &name), children[place], sight);
            }
        }
        for id in lost {
            let Some(path) = ledger.state.tree.path(self.side, id) else {
                continue;
            };
            if self.is_covered(busy, &path) {
                self.again.insert(path);
            } else if !self.fresh.contains_key(&path) {
                self.miss(ledger, id);
            }
        }
    }

    /// Finds the known children that a listing looked for and did not find.
    fn lost(
        &self,
        ledger: &Ledger,
        directory: NodeId,
        names: &Covered,
        found: &[Option<NodeId>],
    ) -> Vec<NodeId> {
        let tree = &ledger.state.tree;
        let found: BTreeSet<NodeId> = found.iter().flatten().copied().collect();
        let is_lost = |id: &NodeId| !found.contains(id);
        match names {
            Covered::All => tree
                .children(self.side, directory)
                .filter(is_lost)
                .collect(),
            Covered::AllButDots => tree
                .children(self.side, directory)
                .filter(is_lost)
                .filter(|id| {
                    let name = tree.facet(*id, self.side).location.name;
                    !tree.name(name).starts_with('.')
                })
                .collect(),
            Covered::These(names) => names
                .iter()
                .filter_map(|name| tree.child(self.side, directory, name))
                .filter(is_lost)
                .collect(),
        }
    }

    /// A directory that could not be listed before was listed now.
    fn confirm(&mut self, ledger: &mut Ledger, directory: NodeId, path: &RelPath) {
        if let Some(entry) = self.unconfirmed.remove(&directory) {
            self.observed(ledger, path.clone(), entry);
        }
    }

    fn compare_one(
        &mut self,
        ledger: &mut Ledger,
        busy: &Busy,
        (directory, name): (&RelPath, &str),
        child: Option<NodeId>,
        sight: Sight,
    ) {
        if let (Some(child), Sight::Entry(entry)) = (child, &sight)
            && self.is_as_known(ledger, child, entry)
        {
            return;
        }
        // A name that is too long to be journaled cannot have been known either.
        let Ok(path) = directory.join(name) else {
            return;
        };
        match sight {
            Sight::Unknown(reason) => self.unknown(ledger, busy, child, &path, reason),
            Sight::Entry(_) if self.is_covered(busy, &path) => {
                self.again.insert(path);
            }
            Sight::Entry(entry) => self.differs(ledger, child, path, entry),
        }
    }

    fn is_as_known(&self, ledger: &Ledger, child: NodeId, entry: &Entry) -> bool {
        let tree = &ledger.state.tree;
        let (node, facet) = (tree.node(child), tree.facet(child, self.side));
        facet.is_present()
            && node.kind == entry.kind()
            && tree.is_version(node.kind, &facet.facts, &entry.fingerprint)
            && (entry.digest.is_none() || entry.digest == facet.facts.digest)
    }

    /// Something else stands at a path than is known there.
    fn differs(&mut self, ledger: &mut Ledger, child: Option<NodeId>, path: RelPath, entry: Entry) {
        let Some(child) = child else {
            return self.hold(ledger, path, entry);
        };
        let tree = &ledger.state.tree;
        let (node, facet) = (tree.node(child), tree.facet(child, self.side));
        if let Presence::Unknown(reason) = facet.presence {
            let shut = matches!(
                reason,
                UnknownReason::Unreadable | UnknownReason::MountPoint
            );
            if shut && node.kind == Kind::Directory && entry.kind() == Kind::Directory {
                self.unconfirmed.insert(child, entry);
            } else {
                self.observed(ledger, path, entry);
            }
            return;
        }
        let known = facet.facts.identity();
        let same_object = if known.is_none() {
            !self.may_have_left(ledger, child, &path)
        } else {
            known == entry.fingerprint.identity
        };
        if node.kind == entry.kind() && same_object {
            self.observed(ledger, path, entry);
        } else {
            self.miss(ledger, child);
            self.hold(ledger, path, entry);
        }
    }

    /// Tells whether a move of ours, not seen to end, may have taken a node away. Then
    /// what stands at its path may be another one.
    fn may_have_left(&self, ledger: &Ledger, child: NodeId, path: &RelPath) -> bool {
        let mut ends = ledger.state.ends_in_doubt(child, self.side);
        ends.any(|to| to != path)
    }

    /// Tells whether the other side has removed a directory, so that it is to go here.
    fn is_to_go(&self, ledger: &Ledger, directory: NodeId) -> bool {
        let tree = &ledger.state.tree;
        tree.baseline(directory).is_some() && tree.facet(directory, self.side.other()).is_absent()
    }

    /// What is left out is not journaled, however much there is of it, unless it keeps
    /// a directory from being removed: then that is why.
    fn excluded_stays(
        &self,
        ledger: &mut Ledger,
        busy: &Busy,
        child: Option<NodeId>,
        directory: &RelPath,
        name: &str,
    ) {
        let reason = UnknownReason::Excluded;
        let known = child.map(|id| ledger.state.tree.facet(id, self.side).presence);
        let Ok(path) = directory.join(name) else {
            return;
        };
        if known != Some(Presence::Unknown(reason)) && !busy.covers(self.side, &path, self.since) {
            let side = self.side;
            let unknown = ObservationEvent::Unknown { side, path, reason };
            ledger.emit(Event::Observation(unknown));
        }
    }

    /// A side cannot speak of a path.
    pub(super) fn unknown(
        &mut self,
        ledger: &mut Ledger,
        busy: &Busy,
        child: Option<NodeId>,
        path: &RelPath,
        reason: UnknownReason,
    ) {
        if path.is_root() {
            return;
        }
        if self.is_covered(busy, path) {
            self.again.insert(path.clone());
            return;
        }
        let known = child.map(|id| ledger.state.tree.facet(id, self.side).presence);
        let is_news = match known {
            None => reason != UnknownReason::Excluded,
            Some(presence) => presence != Presence::Unknown(reason),
        };
        let is_another = Presence::Unknown(reason).is_another_kind();
        if let Some(child) = child.filter(|_| is_news && is_another) {
            // What stood there may have moved.
            self.miss(ledger, child);
            self.odd.insert(path.clone(), reason);
        } else if is_news {
            let (side, path) = (self.side, path.clone());
            let unknown = ObservationEvent::Unknown { side, path, reason };
            ledger.emit(Event::Observation(unknown));
        }
    }
}

fn is_excluded(sight: &Sight) -> bool {
    *sight == Sight::Unknown(UnknownReason::Excluded)
}

/// Finds the entries whose names mean the same as another entry's. The one that is
/// known keeps the name, or else the first by its bytes.
fn twins(
    ledger: &Ledger,
    round: &Round,
    directory: NodeId,
    entries: &[(String, Sight)],
) -> BTreeSet<usize> {
    let tree = &ledger.state.tree;
    let fold_case = tree.fold_case();
    let plain = |name: &String| name.is_ascii() && !fold_case;
    let mut twins = BTreeSet::new();
    if entries.iter().all(|(name, _)| plain(name)) {
        return twins;
    }
    let keys: Vec<u32> = entries
        .iter()
        .map(|(name, _)| key(&canonical(name, fold_case)))
        .collect();
    let mut order: Vec<usize> = (0..entries.len()).collect();
    order.retain(|place| !is_excluded(&entries[*place].1));
    let is_known = |place: usize| {
        let child = tree.child(round.side, directory, &entries[place].0);
        child.is_some_and(|id| tree.facet(id, round.side).is_present())
    };
    order.sort_by(|one, other| {
        keys[*one]
            .cmp(&keys[*other])
            .then_with(|| entries[*one].0.cmp(&entries[*other].0))
    });
    for group in order.chunk_by(|one, other| keys[*one] == keys[*other]) {
        let keeper = group
            .iter()
            .copied()
            .find(|place| is_known(*place))
            .unwrap_or(group[0]);
        let kept = canonical(&entries[keeper].0, fold_case);
        twins.extend(
            group.iter().copied().filter(|place| {
                *place != keeper && canonical(&entries[*place].0, fold_case) == kept
            }),
        );
    }
    twins
}
