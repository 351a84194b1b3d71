//! Changes of nodes, and everything that follows from one.
//!
//! In: facets and baselines, from `fold` and from a checkpoint. Out: a tree whose
//! index, counts, dirty and touched sets agree with its nodes. Invariant: each change
//! goes through `after_change`; watched by `check`. Deliberately absent: what a change
//! means. A node whose last facet and baseline are gone ends here.

use super::{
    Baseline, BaselineState, Facet, Facts, Location, NameId, Names, Node, NodeId, Presence, Tree,
    index, key,
};
use journal_format::event::UnknownReason;
use journal_format::value::{Kind, Side};
use std::collections::{BTreeMap, BTreeSet};

impl Tree {
    /// Creates a node without facets; `change` must give it one.
    pub(crate) fn create(&mut self, kind: Kind) -> NodeId {
        let node = Node {
            uid: self.next_uid,
            kind,
            baseline: BaselineState::Absent,
            facets: [Facet::ABSENT; 2],
        };
        self.next_uid += 1;
        if let Some(id) = self.free.pop() {
            self.nodes[id.0 as usize] = Some(node);
            return id;
        }
        self.nodes.push(Some(node));
        NodeId(u32::try_from(self.nodes.len() - 1).expect("fewer than 2^32 nodes"))
    }

    /// Replaces one facet; the only way to change one.
    pub(crate) fn set_facet(&mut self, id: NodeId, side: Side, facet: Facet) {
        self.store_baseline(id);
        let before = self.places(id);
        let was = std::mem::replace(&mut self.node_mut(id).facets[index(side)], facet);
        self.count(side, &was, false);
        self.count(side, &facet, true);
        let is_directory = self.node(id).kind == Kind::Directory;
        if is_directory && (was.location != facet.location || was.presence != facet.presence) {
            self.memo = [None, None];
        }
        self.after_change(id, before);
    }

    /// Puts a node at a name in a directory of a side.
    pub(crate) fn put(
        &mut self,
        id: NodeId,
        side: Side,
        (parent, name): (NodeId, &str),
        presence: Presence,
        facts: Facts,
    ) {
        let name = self.name_for(id, name);
        let location = Location { parent, name };
        self.set_facet(
            id,
            side,
            Facet {
                presence,
                location,
                facts,
            },
        );
    }

    /// Gives a directory the facet of another one on `side`, and what lies there. When
    /// the other one is nowhere else, it ends, and what was in it was in this one.
    pub(crate) fn unite(&mut self, id: NodeId, other: NodeId, side: Side) {
        let ends = self.facet(other, side.other()).is_absent();
        let facet = *self.facet(other, side);
        self.set_facet(id, side, facet);
        let below = self
            .children
            .range((other, 0, NodeId(0))..=(other, u32::MAX, NodeId::NONE));
        let below: BTreeSet<NodeId> = below.map(|(_, _, child)| *child).collect();
        for child in below {
            let mut facet = *self.facet(child, side);
            if facet.location.parent == other {
                facet.location.parent = id;
                self.set_facet(child, side, facet);
            }
            let stored = self.baselines.get(&child).copied();
            if let Some(mut stored) = stored.filter(|it| ends && it.location.parent == other) {
                stored.location.parent = id;
                self.set_baseline(child, Some(stored));
            }
        }
        self.set_facet(other, side, Facet::ABSENT);
    }

    /// Makes what both sides hold now the baseline.
    pub(crate) fn agree(&mut self, id: NodeId) {
        let [local, remote] = self.node(id).facets;
        debug_assert!(
            local.is_present() && remote.is_present(),
            "only what is there is agreed on"
        );
        let is_new = self.node(id).baseline == BaselineState::Absent && id != NodeId::ROOT;
        if is_new && self.same_place(local.location, remote.location) {
            self.agree_anew(id);
            return;
        }
        let facts = [local.facts, remote.facts];
        self.set_baseline(
            id,
            Some(Baseline {
                location: local.location,
                facts,
            }),
        );
    }

    /// What [`Self::set_baseline`] comes to for a node whose sides were never in sync and
    /// are now: most adoptions. It is indexed where its sides are already.
    fn agree_anew(&mut self, id: NodeId) {
        self.counts.baseline += 1;
        self.counts.baseline_files += u64::from(self.node(id).kind == Kind::File);
        self.node_mut(id).baseline = BaselineState::InSync;
        self.unknown.remove(&id);
        self.dirty.remove(&id);
        self.touched.push(id);
    }

    /// Sets the baseline; nothing for none.
    pub(crate) fn set_baseline(&mut self, id: NodeId, baseline: Option<Baseline>) {
        let before = self.places(id);
        let is_file = self.node(id).kind == Kind::File;
        let had = self.node(id).baseline != BaselineState::Absent;
        match (had, baseline.is_some()) {
            (false, true) => {
                self.counts.baseline += 1;
                self.counts.baseline_files += u64::from(is_file);
            }
            (true, false) => {
                self.counts.baseline -= 1;
                self.counts.baseline_files -= u64::from(is_file);
            }
            _ => {}
        }
        self.node_mut(id).baseline = match baseline {
            None => {
                self.baselines.remove(&id);
                BaselineState::Absent
            }
            Some(baseline) => {
                self.baselines.insert(id, baseline);
                BaselineState::Stored
            }
        };
        self.after_change(id, before);
    }

    fn node_mut(&mut self, id: NodeId) -> &mut Node {
        self.nodes[id.0 as usize]
            .as_mut()
            .expect("ids are dropped together with their nodes")
    }

    /// Writes the baseline down before a facet that stands for it changes.
    fn store_baseline(&mut self, id: NodeId) {
        if self.node(id).baseline == BaselineState::InSync {
            let view = self.baseline(id).expect("an agreed node has a baseline");
            self.baselines.insert(
                id,
                Baseline {
                    location: view.location,
                    facts: view.facts,
                },
            );
            self.node_mut(id).baseline = BaselineState::Stored;
        }
    }

    fn count(&mut self, side: Side, facet: &Facet, added: bool) {
        if facet.is_present() {
            let count = &mut self.counts.present[index(side)];
            *count = if added { *count + 1 } else { *count - 1 };
        }
    }

    /// The distinct places of a node, as keys of the child index.
    pub(super) fn places(&self, id: NodeId) -> [Option<(NodeId, u32)>; 3] {
        let node = self.node(id);
        let stored = (node.baseline == BaselineState::Stored)
            .then(|| self.baselines.get(&id).map(|baseline| baseline.location))
            .flatten()
            .unwrap_or(Location::NONE);
        let mut places = [None; 3];
        let locations = [node.facets[0].location, node.facets[1].location, stored];
        for (place, location) in locations.into_iter().enumerate() {
            if location.parent != NodeId::NONE {
                let wanted = Some((location.parent, key(&self.canonical_of(location.name))));
                if !places[..place].contains(&wanted) {
                    places[place] = wanted;
                }
            }
        }
        places
    }

    fn after_change(&mut self, id: NodeId, before: [Option<(NodeId, u32)>; 3]) {
        let after = self.places(id);
        if before != after {
            for (parent, key) in before.into_iter().flatten() {
                if !after.contains(&Some((parent, key))) {
                    self.children.remove(&(parent, key, id));
                }
            }
            for (parent, key) in after.into_iter().flatten() {
                self.children.insert((parent, key, id));
            }
        }
        self.settle(id);
        self.touched.push(id);
        self.release(id);
        for (parent, _) in before.into_iter().flatten() {
            if self.get(parent).is_some() {
                self.release(parent);
            }
        }
    }

    /// Derives from facets and baseline whether the node is in sync or dirty.
    fn settle(&mut self, id: NodeId) {
        if id == NodeId::ROOT {
            return;
        }
        let node = self.node(id);
        let [local, remote] = &node.facets;
        if node.baseline == BaselineState::Stored && local.is_present() && remote.is_present() {
            let baseline = self
                .baselines
                .get(&id)
                .expect("a stored baseline is stored");
            let agreed = self.same_place(local.location, baseline.location)
                && self.same_place(remote.location, baseline.location)
                && self.same_version(node.kind, &local.facts, &baseline.facts[0])
                && self.same_version(node.kind, &remote.facts, &baseline.facts[1]);
            if agreed {
                self.adopt_digests(id);
                self.baselines.remove(&id);
                self.node_mut(id).baseline = BaselineState::InSync;
            }
        }
        let is_problem = |facet: &Facet| match facet.presence {
            Presence::Unknown(reason) => reason != UnknownReason::Excluded,
            Presence::Absent | Presence::Present => false,
        };
        if self.node(id).facets.iter().any(is_problem) {
            self.unknown.insert(id);
        } else {
            self.unknown.remove(&id);
        }
        if self.node(id).baseline == BaselineState::InSync {
            self.dirty.remove(&id);
        } else {
            self.dirty.insert(id);
        }
    }

    /// Keeps a digest that only the baseline knows.
    fn adopt_digests(&mut self, id: NodeId) {
        let facts = self
            .baselines
            .get(&id)
            .expect("a stored baseline is stored")
            .facts;
        for (facet, kept) in self.node_mut(id).facets.iter_mut().zip(facts) {
            facet.facts.digest = facet.facts.digest.or(kept.digest);
        }
    }

    /// Drops a node that is nowhere any more, and then its directory likewise.
    fn release(&mut self, id: NodeId) {
        let mut next = Some(id);
        while let Some(id) = next.take() {
            let node = self.node(id);
            let gone = node.facets.iter().all(Facet::is_absent);
            if id == NodeId::ROOT || !gone || self.has_index_entries(id) {
                return;
            }
            let places = self.places(id);
            for (parent, key) in places.into_iter().flatten() {
                self.children.remove(&(parent, key, id));
                next = Some(parent);
            }
            self.baselines.remove(&id);
            if self.node(id).baseline != BaselineState::Absent {
                self.counts.baseline -= 1;
                self.counts.baseline_files -= u64::from(self.node(id).kind == Kind::File);
            }
            self.dirty.remove(&id);
            self.unknown.remove(&id);
            self.nodes[id.0 as usize] = None;
            self.retired.push(id);
            self.dropped.push(id);
            self.memo = [None, None];
            next = next.filter(|parent| self.get(*parent).is_some());
        }
    }

    pub(super) fn has_index_entries(&self, directory: NodeId) -> bool {
        self.children
            .range((directory, 0, NodeId(0))..=(directory, u32::MAX, NodeId::NONE))
            .next()
            .is_some()
    }

    /// Rewrites the name arena without what nobody refers to, once it has doubled.
    ///
    /// Every [`NameId`] outside of the tree is void afterwards.
    pub(crate) fn compact_if_grown(&mut self) {
        if !self.names.has_doubled() {
            return;
        }
        let mut fresh = Names::default();
        let mut kept: BTreeMap<NameId, NameId> = BTreeMap::new();
        let old = std::mem::take(&mut self.names);
        let mut keep = |name: &mut NameId| {
            if *name != NameId::NONE {
                *name = *kept
                    .entry(*name)
                    .or_insert_with(|| fresh.add(old.get(*name)));
            }
        };
        for node in self.nodes.iter_mut().flatten() {
            for facet in &mut node.facets {
                keep(&mut facet.location.name);
                keep(&mut facet.facts.version);
            }
        }
        for baseline in self.baselines.values_mut() {
            keep(&mut baseline.location.name);
            baseline
                .facts
                .iter_mut()
                .for_each(|facts| keep(&mut facts.version));
        }
        fresh.mark_compact();
        self.names = fresh;
    }
}
