//! The tree's invariants, for the properties.
//!
//! In: a tree. Out: nothing, or the sentence that says which invariant is broken.
//! Deliberately absent: repair. A new invariant is a function here.

use super::{BaselineState, Counts, Location, NodeId, Tree, index};
use journal_format::value::{Kind, PATH_BYTES_MAX, Side};
use std::collections::BTreeSet;

impl Tree {
    /// Checks every invariant of the tree.
    ///
    /// # Errors
    /// The first one that is broken.
    pub fn check(&self) -> Result<(), String> {
        for id in self.ids().filter(|id| *id != NodeId::ROOT) {
            // By its number: what is broken may have no end of folders above it.
            self.check_facets(id)
                .map_err(|broken| format!("node {}: {broken}", self.node(id).uid))?;
        }
        self.check_index()?;
        self.check_names()?;
        self.check_counts()
    }

    fn check_facets(&self, id: NodeId) -> Result<(), String> {
        let node = self.node(id);
        let nowhere = node.facets.iter().all(super::Facet::is_absent);
        if nowhere && !self.has_index_entries(id) {
            return Err("a node without facets exists".to_owned());
        }
        if (node.baseline == BaselineState::Stored) != self.baselines.contains_key(&id) {
            return Err("its stored baseline is not where it says".to_owned());
        }
        if (node.baseline != BaselineState::InSync) != self.dirty.contains(&id) {
            return Err("it is dirty without a difference, or the reverse".to_owned());
        }
        for side in Side::BOTH {
            let facet = &node.facets[index(side)];
            if facet.is_absent() != (facet.location == Location::NONE) {
                return Err(format!("its {side} facet has no fitting place"));
            }
            if !facet.is_absent() && !self.reaches_root(side, id) {
                return Err(format!("on the {side} side no directory leads to it"));
            }
        }
        Ok(())
    }

    fn reaches_root(&self, side: Side, id: NodeId) -> bool {
        let mut next = id;
        // No path has more names than bytes: a ring is found soon.
        for _ in 0..self.nodes.len().min(PATH_BYTES_MAX) {
            next = self.facet(next, side).location.parent;
            if next == NodeId::ROOT {
                return true;
            }
            let is_there = self.get(next).is_some_and(|node| {
                node.kind == Kind::Directory && !node.facets[index(side)].is_absent()
            });
            if !is_there {
                return false;
            }
        }
        false
    }

    fn check_index(&self) -> Result<(), String> {
        let places = self.ids().flat_map(|id| {
            let places = self.places(id).into_iter().flatten();
            places.map(move |(parent, key)| (parent, key, id))
        });
        let wanted: BTreeSet<_> = places.collect();
        if wanted == self.children {
            Ok(())
        } else {
            Err("the child index differs from the places of the nodes".to_owned())
        }
    }

    /// No two nodes of a side bear one name in one directory.
    fn check_names(&self) -> Result<(), String> {
        let mut seen = BTreeSet::new();
        for id in self.ids() {
            for side in Side::BOTH {
                let Location { parent, name } = self.facet(id, side).location;
                if parent != NodeId::NONE && !seen.insert((side, parent, self.name(name))) {
                    return Err(format!(
                        "two nodes are {} on the {side} side",
                        self.name(name)
                    ));
                }
            }
        }
        Ok(())
    }

    fn check_counts(&self) -> Result<(), String> {
        let mut counts = Counts::default();
        for id in self.ids().filter(|id| *id != NodeId::ROOT) {
            let node = self.node(id);
            for side in Side::BOTH {
                counts.present[index(side)] += u64::from(self.facet(id, side).is_present());
            }
            if node.baseline != BaselineState::Absent {
                counts.baseline += 1;
                counts.baseline_files += u64::from(node.kind == Kind::File);
            }
        }
        if counts == self.counts {
            Ok(())
        } else {
            Err(format!(
                "{:?} are counted, there are {counts:?}",
                self.counts
            ))
        }
    }
}
