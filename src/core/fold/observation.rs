//! Observation events: one facet of one side changes.
//!
//! Pairing happens here: what appears at a place that the other side or the
//! baseline knows, and that this side lacks, is that node. So creations on both
//! sides meet, a deleted file that comes back is itself again, and a child found
//! under a moved directory is the child of that directory, not of a path.

use crate::plan::is_moved;
use crate::state::State;
use crate::tree::{Facet, Facts, Location, NodeId, Presence, Tree, index};
use journal_format::event::{FailureClass, ObservationEvent, PathMove, UnknownReason};
use journal_format::value::{Entry, Kind, RelPath, Side};
use std::collections::BTreeSet;

pub(super) fn fold(state: &mut State, event: &ObservationEvent) {
    match event {
        ObservationEvent::Observed { side, path, entry } => {
            if let Some(node) = observed(state, *side, path, entry) {
                reconsider(state, node);
            }
        }
        ObservationEvent::Moved { side, moves } => moved(state, *side, moves),
        ObservationEvent::Gone { side, path, .. } => {
            if let Some(node) = state.tree.lookup_mut(*side, path.as_str()) {
                reconsider(state, node);
                left(state, *side, node);
            }
        }
        ObservationEvent::Unknown { side, path, reason } => unknown(state, *side, path, *reason),
        ObservationEvent::Hashed {
            side,
            path,
            fingerprint,
            digest,
        } => {
            let tree = &mut state.tree;
            let Some(node) = tree.lookup_mut(*side, path.as_str()) else {
                return;
            };
            let facet = *tree.facet(node, *side);
            if tree.is_version(tree.node(node).kind, &facet.facts, fingerprint) {
                let facts = Facts {
                    digest: Some(*digest),
                    ..facet.facts
                };
                tree.set_facet(node, *side, Facet { facts, ..facet });
            }
        }
    }
}

/// A node is nowhere on a side any more, with all below.
fn left(state: &mut State, side: Side, node: NodeId) {
    let mut below = state.tree.subtree(side, node);
    below.sort_by_key(|id| state.tree.node(*id).uid);
    gone(&mut state.tree, side, node);
    below
        .into_iter()
        .for_each(|id| unite(state, side.other(), id));
}

/// A side cannot speak of a path. A pipe or a link that cannot be carried, where the
/// other side does not have the node any more, is not that node: the node has left.
fn unknown(state: &mut State, side: Side, path: &RelPath, reason: UnknownReason) {
    let presence = Presence::Unknown(reason);
    let tree = &mut state.tree;
    if let Some(node) = tree.lookup_mut(side, path.as_str()) {
        if node == NodeId::ROOT {
            return;
        }
        let facet = *tree.facet(node, side);
        let name = tree.name(facet.location.name);
        let is_another = presence.is_another_kind()
            && has_left(tree, side.other(), node, facet.location.parent, name);
        if !is_another {
            tree.set_facet(node, side, Facet { presence, ..facet });
            return;
        }
        left(state, side, node);
    }
    place(state, side, path, None, presence, Facts::NONE);
}

/// A failed node changed: it is tried again at once, unless it keeps failing.
fn reconsider(state: &mut State, node: NodeId) {
    if let Some(failure) = state.failures.get_mut(&node)
        && failure.count < crate::limits::TRIES_MAX
    {
        failure.retry_at = Some(state.time);
    }
}

/// Puts an entry at a path of a side. Returns its node, or nothing when its
/// directory is not known there.
pub(super) fn observed(
    state: &mut State,
    side: Side,
    path: &RelPath,
    entry: &Entry,
) -> Option<NodeId> {
    let tree = &mut state.tree;
    let mut facts = tree.facts(entry);
    let Some(node) = tree.lookup_mut(side, path.as_str()) else {
        return place(
            state,
            side,
            path,
            Some(entry.kind()),
            Presence::Present,
            facts,
        );
    };
    if node == NodeId::ROOT {
        return None;
    }
    if tree.node(node).kind != entry.kind() {
        gone(tree, side, node);
        return place(
            state,
            side,
            path,
            Some(entry.kind()),
            Presence::Present,
            facts,
        );
    }
    let facet = *tree.facet(node, side);
    if facts.digest.is_none() && tree.same_version(entry.kind(), &facts, &facet.facts) {
        facts.digest = facet.facts.digest;
    }
    tree.set_facet(
        node,
        side,
        Facet {
            presence: Presence::Present,
            facts,
            ..facet
        },
    );
    Some(node)
}

/// Gives a facet to the node that belongs at a free path of a side.
fn place(
    state: &mut State,
    side: Side,
    path: &RelPath,
    kind: Option<Kind>,
    presence: Presence,
    facts: Facts,
) -> Option<NodeId> {
    let (directory, name) = path.split()?;
    let parent = state.tree.directory_mut(side, directory)?;
    let known = partner(state, side, parent, name, kind, &facts);
    let tree = &mut state.tree;
    let known = known.filter(|id| {
        presence == Presence::Present || !has_left(tree, side.other(), *id, parent, name)
    });
    let node = known.unwrap_or_else(|| tree.create(kind.unwrap_or(Kind::File)));
    let survives = presence == Presence::Present && survives_by_move(state, node, side);
    let tree = &mut state.tree;
    tree.put(node, side, (parent, name), presence, facts);
    if survives {
        make_new_below(state, node, side);
    }
    Some(node)
}

/// Tells whether a directory that is gone on a side was moved on the other one.
pub(super) fn survives_by_move(state: &State, node: NodeId, side: Side) -> bool {
    let (kind, facet) = (state.tree.node(node).kind, state.tree.facet(node, side));
    kind == Kind::Directory && facet.is_absent() && is_moved(state, node, side.other())
}

/// A directory that was moved on one side and gone on the other came to its new place
/// there too. What it took along survives with it, and is new from now on: nothing else
/// would tell it from what is deleted in that place.
pub(super) fn make_new_below(state: &mut State, directory: NodeId, side: Side) {
    let tree = &mut state.tree;
    let [local, remote] = tree.node(directory).facets;
    if !tree.same_place(local.location, remote.location) {
        return;
    }
    let mut directories = vec![directory];
    while let Some(directory) = directories.pop() {
        let is_absent = |id: &NodeId| tree.facet(*id, side).is_absent();
        let children = tree.children(side.other(), directory);
        let below: Vec<NodeId> = children.filter(is_absent).collect();
        for id in below {
            tree.set_baseline(id, None);
            directories.push(id);
        }
    }
}

/// Tells whether a side has a node elsewhere than at a place.
fn has_left(tree: &Tree, side: Side, node: NodeId, parent: NodeId, name: &str) -> bool {
    let facet = tree.facet(node, side);
    let is_here = facet.location.parent == parent && same_name(tree, facet, name);
    !facet.is_absent() && !is_here
}

/// Finds the node that the other side, or else the baseline, knows at a place
/// and that this side lacks.
fn partner(
    state: &State,
    side: Side,
    parent: NodeId,
    name: &str,
    kind: Option<Kind>,
    facts: &Facts,
) -> Option<NodeId> {
    let tree = &state.tree;
    let fits = |id: &NodeId| {
        tree.facet(*id, side).is_absent()
            && kind.is_none_or(|kind| tree.node(*id).kind == kind)
            && !is_another(state, side, *id, facts)
    };
    let here = |id: &NodeId| {
        let facet = tree.facet(*id, side.other());
        !facet.is_absent() && facet.location.parent == parent && same_name(tree, facet, name)
    };
    let mut candidates: Vec<NodeId> = tree.at_place(parent, name).filter(fits).collect();
    candidates.sort_by_key(|id| (!here(id), tree.node(*id).uid));
    candidates.first().copied()
}

/// Tells whether what stands where the other side moved a node to is surely not
/// that node but another object. Then both are kept. While a write of ours to that
/// node is in doubt, it may well be what that wrote.
fn is_another(state: &State, side: Side, id: NodeId, facts: &Facts) -> bool {
    let tree = &state.tree;
    let Some(baseline) = tree.baseline(id) else {
        return false;
    };
    let other = tree.facet(id, side.other());
    let is_moved = !other.is_absent() && !tree.same_place(other.location, baseline.location);
    let is_in_doubt = state
        .failures
        .get(&id)
        .is_some_and(|failure| failure.class == FailureClass::InDoubt);
    let was = baseline.facts[index(side)].identity();
    let now = facts.identity();
    is_moved && !is_in_doubt && now.is_some() && was.is_some() && now != was
}

fn same_name(tree: &Tree, facet: &Facet, name: &str) -> bool {
    tree.canonical_of(facet.location.name) == crate::spelling::canonical(name, tree.fold_case())
}

/// Makes a node and all below it absent on a side. What went while a filter left it out
/// was never to be synced: the sides have agreed on nothing any more, so that what the
/// other one still has is new once the filter lets it be seen again, and not deleted.
pub(super) fn gone(tree: &mut Tree, side: Side, node: NodeId) {
    if node == NodeId::ROOT {
        return;
    }
    for id in tree.subtree(side, node).into_iter().rev() {
        if is_left_out(tree, id) {
            tree.set_baseline(id, None);
        }
        tree.set_facet(id, side, Facet::ABSENT);
    }
}

/// Tells whether a filter leaves out a node, or a directory above it, on either side.
fn is_left_out(tree: &Tree, node: NodeId) -> bool {
    let left_out = Presence::Unknown(UnknownReason::Excluded);
    let mut above = Side::BOTH
        .map(|side| tree.ancestors(side, node))
        .into_iter();
    let is_out =
        |id| Side::BOTH.map(|side| tree.facet(id, side).presence == left_out) != [false; 2];
    is_out(node) || above.any(|mut above| above.any(is_out))
}

fn moved(state: &mut State, side: Side, moves: &[PathMove]) {
    let found = movers(state, side, moves);
    let leaving: BTreeSet<NodeId> = found.iter().flatten().copied().collect();
    if moves.len() > 1 {
        // All leave before the first arrives: one may go to another's old place, and a
        // third into that directory then.
        leaving
            .iter()
            .for_each(|node| lift(&mut state.tree, side, *node));
    }
    let mut order: Vec<usize> = (0..moves.len()).collect();
    order.sort_by_key(|place| moves[*place].to.names().count());
    let mut changed = Vec::new();
    for place in order {
        let step = &moves[place];
        match found[place].filter(|id| state.tree.get(*id).is_some()) {
            Some(node) => {
                relocate(state, side, node, &step.to, Some(&step.entry), &leaving);
                changed.push(node);
            }
            None => {
                observed(state, side, &step.to, &step.entry);
            }
        }
    }
    for node in changed {
        land(&mut state.tree, side, node);
        reconsider(state, node);
    }
}

/// Finds the node of each move, each node once.
fn movers(state: &mut State, side: Side, moves: &[PathMove]) -> Vec<Option<NodeId>> {
    let mut seen = BTreeSet::from([NodeId::ROOT]);
    let tree = &mut state.tree;
    let mover = |step: &PathMove| {
        let node = tree.lookup_mut(side, step.from.as_str())?;
        (tree.node(node).kind == step.entry.kind() && seen.insert(node)).then_some(node)
    };
    moves.iter().map(mover).collect()
}

/// Takes a node off its place until it arrives.
fn lift(tree: &mut Tree, side: Side, node: NodeId) {
    let facet = *tree.facet(node, side);
    let location = Location::NONE;
    tree.set_facet(node, side, Facet { location, ..facet });
}

/// Whoever found no place has an unknown one.
fn land(tree: &mut Tree, side: Side, node: NodeId) {
    let Some(facet) = tree.get(node).map(|_| *tree.facet(node, side)) else {
        return;
    };
    if !facet.is_absent() && facet.location == Location::NONE {
        let name = format!("unplaced-{}", tree.node(node).uid);
        let presence = Presence::Unknown(UnknownReason::Unreadable);
        tree.put(node, side, (NodeId::ROOT, &name), presence, facet.facts);
    }
}

/// Moves a facet to another path of its side, with what lies below it. Whoever
/// stands there and does not leave in the same group is gone.
pub(super) fn relocate(
    state: &mut State,
    side: Side,
    node: NodeId,
    to: &RelPath,
    entry: Option<&Entry>,
    leaving: &BTreeSet<NodeId>,
) {
    let tree = &mut state.tree;
    let Some((directory, name)) = to.split() else {
        return;
    };
    let Some(parent) = tree.directory_mut(side, directory) else {
        return;
    };
    if parent == node || tree.ancestors(side, parent).any(|id| id == node) {
        return;
    }
    part(tree, side, node);
    let standing = tree.child(side, parent, name);
    let facet = *tree.facet(node, side);
    let mut facts = entry.map_or(facet.facts, |entry| tree.facts(entry));
    if facts.digest.is_none() && tree.same_version(tree.node(node).kind, &facts, &facet.facts) {
        facts.digest = facet.facts.digest;
    }
    tree.put(node, side, (parent, name), Presence::Present, facts);
    // Only now: what moves may come from below whom it replaces.
    if let Some(standing) = standing.filter(|id| *id != node && !leaving.contains(id)) {
        gone(tree, side, standing);
    }
    unite(state, side, node);
}

/// What cannot be synced and stands, on the other side, at the place that a node
/// leaves has nothing to do with it any more: it becomes a node of its own.
fn part(tree: &mut Tree, side: Side, node: NodeId) {
    let other = side.other();
    let facet = *tree.facet(node, other);
    if facet.presence.is_another_kind() {
        gone(tree, other, node);
        let left = tree.create(Kind::File);
        tree.set_facet(left, other, facet);
    }
}

/// Makes one node of two when the moved one is gone on the other side and the
/// other side has a node of its own, never synced, at the new place. This is how
/// a move is recognised on a side without identities.
pub(super) fn unite(state: &mut State, side: Side, node: NodeId) {
    let tree = &state.tree;
    let other = side.other();
    let is_half = tree.get(node).is_some()
        && tree.facet(node, other).is_absent()
        && tree.facet(node, side).is_present();
    if !is_half {
        return;
    }
    let here = tree.facet(node, side).location;
    let name = tree.name(here.name).to_owned();
    let twins = tree.occupants(other, here.parent, &name).filter(|twin| {
        *twin != node
            && tree.facet(*twin, side).is_absent()
            && tree.baseline(*twin).is_none()
            && tree.node(*twin).kind == tree.node(node).kind
            && !is_another(state, other, node, &tree.facet(*twin, other).facts)
            && tree.children(other, *twin).next().is_none()
    });
    let twin = tree.first_of(twins);
    let tree = &mut state.tree;
    if let Some(twin) = twin {
        let facet = *tree.facet(twin, other);
        tree.set_facet(twin, other, Facet::ABSENT);
        tree.set_facet(node, other, facet);
    }
}
