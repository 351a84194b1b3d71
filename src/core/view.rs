//! Nodes for readers outside: what a copy of the state says, page by page.
//!
//! In: a state. Out: one [`NodeView`] a node, without the root. Invariant: all pages
//! of one state together name each node once. Deliberately absent: an order that
//! means something, JSON.

use crate::state::State;
use crate::tree::{NodeId, Presence};
use journal_format::value::{Digest, Kind, RelPath, Seq, Side};

/// A node as both sides have it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeView {
    /// What it is.
    pub kind: Kind,
    /// Local and remote; nothing where it is absent.
    pub sides: [Option<Held>; 2],
    /// Sides of which nothing can be said now; what they held last is told.
    pub unknown: Vec<Side>,
    /// Whether both sides are the baseline.
    pub in_sync: bool,
    /// The event that raised a conflict over it.
    pub conflict: Option<Seq>,
}

/// What one side holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Held {
    /// Where.
    pub path: RelPath,
    /// Bytes of content.
    pub size: u64,
    /// The content's hash, when known.
    pub digest: Option<Digest>,
}

/// Returns what a side was last seen to hold in a directory; nothing where it is none.
#[must_use]
pub fn held_in(state: &State, side: Side, directory: &RelPath) -> Vec<RelPath> {
    let tree = &state.tree;
    let Some(directory) = tree.lookup(side, directory) else {
        return Vec::new();
    };
    let held = tree.children(side, directory);
    let held = held.filter(|id| tree.facet(*id, side).is_present());
    held.filter_map(|id| tree.path(side, id)).collect()
}

/// Returns up to `limit` nodes from place `from` on (0 first), and where to go on.
#[must_use]
pub fn page(state: &State, from: usize, limit: usize) -> (Vec<NodeView>, Option<usize>) {
    let places = state.tree.places_max();
    let mut nodes = Vec::new();
    let mut place = from.max(NodeId::ROOT.index() + 1);
    while place < places && nodes.len() < limit {
        let id = u32::try_from(place)
            .ok()
            .and_then(|id| view(state, NodeId(id)));
        nodes.extend(id);
        place += 1;
    }
    (nodes, (place < places).then_some(place))
}

fn view(state: &State, id: NodeId) -> Option<NodeView> {
    let tree = &state.tree;
    let node = tree.get(id)?;
    let held = |side| {
        let facts = tree.facet(id, side).facts;
        Some(Held {
            path: tree.path(side, id)?,
            size: facts.size,
            digest: facts.digest,
        })
    };
    let is_unknown = |side: &Side| matches!(tree.facet(id, *side).presence, Presence::Unknown(_));
    Some(NodeView {
        kind: node.kind,
        sides: Side::BOTH.map(held),
        unknown: Side::BOTH.into_iter().filter(is_unknown).collect(),
        in_sync: tree.is_in_sync(id),
        conflict: state.conflicts.get(&id).map(|conflict| conflict.seq),
    })
}
