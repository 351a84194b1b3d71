//! Builds a tree from nodes that were a tree before.
//!
//! In: nodes in the order in which they became known. Out: the tree, its index made
//! in one go. Invariant: a node's place in that order is its id, and the root is the
//! first. Deliberately absent: bytes (`checkpoint`).

use super::{Baseline, BaselineState, Facet, NameId, Node, NodeId, Presence, Tree, index};
use journal_format::event::UnknownReason;
use journal_format::value::{Kind, RelPath, RemoteVersion, Side};

/// A tree under construction.
pub(crate) struct Restoring {
    tree: Tree,
    nodes: usize,
}

impl Restoring {
    /// Begins with the root; `nodes` counts it.
    pub(crate) fn begin(fold_case: bool, nodes: usize) -> Self {
        let mut tree = Tree::default();
        tree.set_fold_case(fold_case);
        Self { tree, nodes }
    }

    /// Returns the directory at a place of the order.
    pub(crate) fn directory(&self, place: u32) -> Option<NodeId> {
        ((place as usize) < self.nodes).then_some(NodeId(place))
    }

    /// Adds a name, unless one of `shared` has it; nothing if it is none.
    pub(crate) fn name(&mut self, text: &str, shared: &[Facet]) -> Option<NameId> {
        let mut known = shared.iter().map(|facet| facet.location.name);
        let known = known.find(|id| *id != NameId::NONE && self.tree.names.get(*id) == text);
        known.or_else(|| is_name(text).then(|| self.tree.names.add(text)))
    }

    /// Adds a version's text; none for an empty one, nothing if it is no version.
    pub(crate) fn version(&mut self, text: &str) -> Option<NameId> {
        match text {
            "" => Some(NameId::NONE),
            text => {
                RemoteVersion::new(text).ok()?;
                Some(self.tree.names.add(text))
            }
        }
    }

    /// Adds the next node.
    pub(crate) fn add(
        &mut self,
        uid: u64,
        kind: Kind,
        facets: [Facet; 2],
        baseline: BaselineState,
        stored: Option<Baseline>,
    ) -> Option<NodeId> {
        let id = NodeId(u32::try_from(self.tree.nodes.len()).ok()?);
        self.tree.nodes.push(Some(Node {
            uid,
            kind,
            baseline,
            facets,
        }));
        if let Some(stored) = stored {
            self.tree.baselines.insert(id, stored);
        }
        Some(id)
    }

    /// Makes the index and the counts; nothing when nodes are missing.
    pub(crate) fn finish(mut self, next_uid: u64) -> Option<Tree> {
        let tree = &mut self.tree;
        if tree.nodes.len() != self.nodes {
            return None;
        }
        let ids: Vec<NodeId> = tree.ids().skip(1).collect();
        let mut keys = Vec::with_capacity(ids.len());
        for id in &ids {
            keys.extend(
                tree.places(*id)
                    .into_iter()
                    .flatten()
                    .map(|(at, key)| (at, key, *id)),
            );
            tree.count_restored(*id);
        }
        keys.sort_unstable();
        tree.children = keys.into_iter().collect();
        tree.next_uid = next_uid;
        tree.names.mark_compact();
        Some(self.tree)
    }
}

/// One name is a path of its own.
fn is_name(text: &str) -> bool {
    !text.is_empty() && !text.contains('/') && RelPath::new(text).is_ok()
}

impl Tree {
    fn count_restored(&mut self, id: NodeId) {
        let node = self.node(id);
        let (kind, baseline, facets) = (node.kind, node.baseline, node.facets);
        for side in Side::BOTH {
            self.counts.present[index(side)] += u64::from(facets[index(side)].is_present());
        }
        if baseline != BaselineState::Absent {
            self.counts.baseline += 1;
            self.counts.baseline_files += u64::from(kind == Kind::File);
        }
        if baseline != BaselineState::InSync {
            self.dirty.insert(id);
        }
        let is_problem = facets.iter().any(|facet| match facet.presence {
            Presence::Unknown(reason) => reason != UnknownReason::Excluded,
            Presence::Absent | Presence::Present => false,
        });
        if is_problem {
            self.unknown.insert(id);
        }
    }
}
