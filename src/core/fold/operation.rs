//! Operation events: what we did, and what both sides hold since.
//!
//! While an operation is open its node is masked. When it ends, the outcome says
//! what was seen on the sides it touched; what was observed meanwhile on the side
//! that was only read stays, and differs from the new baseline, so it is planned.

use super::observation::{gone, make_new_below, observed, relocate, survives_by_move, unite};
use crate::plan::is_temporary;
use crate::spelling::canonical;
use crate::state::{Detour, Doubt, Failure, Open, Removals, State};
use crate::tree::{Baseline, Facet, NodeId, Presence, index};
use journal_format::event::{Action, Displaced, OperationEvent, Outcome, Record};
use journal_format::value::{Entry, Kind, RelPath, Seq, Side};
use std::collections::BTreeSet;

pub(super) fn fold(state: &mut State, record: &Record, event: &OperationEvent) {
    match event {
        OperationEvent::Started { operation } => {
            let node = node_of(state, &operation.action);
            if let Some(node) = node {
                set_out(state, node, &operation.action);
            }
            let node = node.map(|id| (id, state.tree.node(id).uid));
            state.open.insert(
                record.seq,
                Open {
                    operation: operation.clone(),
                    node,
                },
            );
        }
        OperationEvent::Succeeded { operation, outcome } => {
            let Some(open) = state.open.remove(operation) else {
                return;
            };
            succeeded(state, &open, outcome);
        }
        OperationEvent::Failed {
            operation,
            class,
            detail,
            retry_at,
        } => {
            let Some((node, action)) = close(state, *operation) else {
                return;
            };
            let before = state.failures.get(&node);
            let known = before.and_then(|failure| failure.doubt.clone());
            let failure = Failure {
                class: *class,
                detail: detail.clone(),
                count: before.map_or(1, |failure| failure.count.saturating_add(1)),
                seq: record.seq,
                at: state.time,
                retry_at: *retry_at,
                doubt: doubt(&action).or(known),
            };
            state.failures.insert(node, failure);
        }
        OperationEvent::Adopted { local, remote, .. } => adopted(state, local, remote),
    }
}

fn adopted(state: &mut State, local: &RelPath, remote: &RelPath) {
    let tree = &mut state.tree;
    let here = tree.lookup_mut(Side::Local, local.as_str());
    let there = tree.lookup_mut(Side::Remote, remote.as_str());
    let node = if here == there {
        here
    } else {
        unite_directories(state, here, there);
        let tree = &state.tree;
        let node = tree.lookup(Side::Local, local);
        node.filter(|id| tree.path(Side::Remote, *id).as_ref() == Some(remote))
    };
    let tree = &mut state.tree;
    let node = node.filter(|id| {
        let [local, remote] = Side::BOTH.map(|side| tree.facet(*id, side).is_present());
        local && remote
    });
    if let Some(node) = node {
        tree.agree(node);
        state.failures.remove(&node);
        state.approved.remove(&node);
    }
}

/// Two directories that are adopted as one are one from now on, and so is what they
/// hold, as when it is created on both sides. The one that is on one side only takes the
/// other one's place on the other side.
fn unite_directories(state: &mut State, local: Option<NodeId>, remote: Option<NodeId>) {
    let tree = &mut state.tree;
    let (Some(one), Some(other)) = (local, remote) else {
        return;
    };
    let is_directory = |id: NodeId, side: Side| {
        tree.node(id).kind == Kind::Directory && tree.facet(id, side).is_present()
    };
    if one == other || !is_directory(one, Side::Local) || !is_directory(other, Side::Remote) {
        return;
    }
    let (kept, side, given) = if tree.facet(one, Side::Remote).is_absent() {
        (one, Side::Remote, other)
    } else if tree.facet(other, Side::Local).is_absent() {
        (other, Side::Local, one)
    } else {
        return;
    };
    tree.unite(kept, given, side);
    let mut children: Vec<NodeId> = tree.children(side.other(), kept).collect();
    children.sort_by_key(|id| tree.node(*id).uid);
    for child in children {
        unite(state, side.other(), child);
    }
}

/// A move of ours to a temporary name is a detour until another move ends it.
fn set_out(state: &mut State, node: NodeId, action: &Action) {
    let Action::Move { side, from, to, .. } = action else {
        return;
    };
    if !is_temporary(to) {
        return;
    }
    let known = state.detour(node, *side);
    let detour = Detour {
        side: *side,
        from: known.map_or_else(|| from.clone(), |known| known.from.clone()),
        to: to.clone(),
    };
    state.detours.insert(node, detour);
}

fn close(state: &mut State, operation: Seq) -> Option<(NodeId, Action)> {
    let open = state.open.remove(&operation)?;
    let (id, uid) = open.node?;
    state
        .is_node(id, uid)
        .then_some((id, open.operation.action))
}

fn doubt(action: &Action) -> Option<Doubt> {
    match action {
        Action::Transfer {
            from,
            displaced: Displaced::ConflictCopy(copy),
            ..
        } => Some(Doubt::Aside(from.other(), copy.clone())),
        Action::Move { side, to, .. } => Some(Doubt::Moved(*side, to.clone())),
        Action::Transfer { .. }
        | Action::MakeDirectory { .. }
        | Action::Remove { .. }
        | Action::Hash { .. } => None,
    }
}

/// Finds the node that an operation is about.
fn node_of(state: &State, action: &Action) -> Option<NodeId> {
    let tree = &state.tree;
    match action {
        Action::Transfer { from, source, .. } => tree.lookup(*from, source),
        Action::Move { side, from, .. } => tree.lookup(*side, from),
        Action::Remove { side, path, .. } | Action::Hash { side, path, .. } => {
            tree.lookup(*side, path)
        }
        Action::MakeDirectory { side, path } => {
            let (directory, name) = path.split()?;
            let parent = tree.lookup(*side, &RelPath::new(directory).ok()?)?;
            // Spelled as it is over there: another case may be another directory.
            let rivals = tree.occupants(side.other(), parent, name).filter(|id| {
                let facet = tree.facet(*id, side.other());
                let own = canonical(tree.name(facet.location.name), false);
                let is_alike = own == canonical(name, false);
                tree.node(*id).kind == Kind::Directory && facet.is_present() && is_alike
            });
            tree.first_of(rivals)
        }
    }
}

fn succeeded(state: &mut State, open: &Open, outcome: &Outcome) {
    let node = open
        .node
        .filter(|(id, uid)| state.is_node(*id, *uid))
        .map(|(id, _)| id);
    if let Some(node) = node {
        state.failures.remove(&node);
    }
    match &open.operation.action {
        Action::Transfer {
            from,
            expect,
            target,
            ..
        } => {
            if let Some(node) = node {
                transferred(state, node, *from, expect, target, outcome);
            }
            for kept in &outcome.kept {
                observed(state, from.other(), &kept.path, &kept.entry);
            }
        }
        Action::MakeDirectory { side, path } => {
            if let (Some(node), Some(entry)) = (node, &outcome.target) {
                let survives = survives_by_move(state, node, *side);
                stand(state, node, *side, path, entry);
                if survives {
                    make_new_below(state, node, *side);
                }
                agree_if_both(state, node);
                state.approved.remove(&node);
            }
        }
        Action::Move { side, to, .. } => {
            if let Some(node) = node {
                renamed(state, node, *side, to, outcome.target.as_ref());
                if !is_temporary(to) {
                    state.detours.remove(&node);
                }
            }
        }
        Action::Remove { side, .. } => {
            let approved = node.is_some_and(|node| state.approved.remove(&node));
            if !approved {
                remember_removal(state, *side);
            }
            if let Some(node) = node {
                state.tree.set_baseline(node, None);
                gone(&mut state.tree, *side, node);
            }
        }
        Action::Hash { side, .. } => {
            if let (Some(node), Some(entry)) = (node, &outcome.target) {
                read(state, node, *side, entry);
            }
        }
    }
}

fn transferred(
    state: &mut State,
    node: NodeId,
    from: Side,
    expect: &Entry,
    target: &RelPath,
    outcome: &Outcome,
) {
    let (Some(source), Some(written)) = (&outcome.source, &outcome.target) else {
        return;
    };
    let unchanged = {
        let facts = state.tree.facet(node, from).facts;
        let kind = state.tree.node(node).kind;
        state.tree.is_version(kind, &facts, &expect.fingerprint)
    };
    if unchanged {
        read(state, node, from, source);
    }
    if !stand(state, node, from.other(), target, written) {
        return;
    }
    let location = state.tree.facet(node, from.other()).location;
    let mut facts = [state.tree.facts(source); 2];
    facts[index(from.other())] = state.tree.facts(written);
    state
        .tree
        .set_baseline(node, Some(Baseline { location, facts }));
    state.approved.remove(&node);
}

/// Keeps what a verified read told about the version that is there.
fn read(state: &mut State, node: NodeId, side: Side, entry: &Entry) {
    let facts = state.tree.facts(entry);
    let facet = *state.tree.facet(node, side);
    let kind = state.tree.node(node).kind;
    if facet.is_present()
        && state
            .tree
            .is_version(kind, &facet.facts, &entry.fingerprint)
    {
        state.tree.set_facet(node, side, Facet { facts, ..facet });
    }
}

/// Puts a node at a path of a side. Tells whether its directory was there.
fn stand(state: &mut State, node: NodeId, side: Side, path: &RelPath, entry: &Entry) -> bool {
    let tree = &mut state.tree;
    let Some((directory, name)) = path.split() else {
        return false;
    };
    let Some(parent) = tree.directory_mut(side, directory) else {
        return false;
    };
    let standing = tree.child(side, parent, name);
    if let Some(standing) = standing.filter(|id| *id != node) {
        gone(tree, side, standing);
    }
    if tree.get(node).is_none() {
        return false;
    }
    let facts = tree.facts(entry);
    tree.put(node, side, (parent, name), Presence::Present, facts);
    true
}

fn agree_if_both(state: &mut State, node: NodeId) {
    let tree = &mut state.tree;
    if Side::BOTH
        .into_iter()
        .all(|side| tree.facet(node, side).is_present())
    {
        tree.agree(node);
    }
}

/// A rename of ours: the baseline's place follows once both sides are there, and its
/// facts if what arrived is the version that left. Somebody may have written to it
/// between the look and the rename; that is an edit.
fn renamed(state: &mut State, node: NodeId, side: Side, to: &RelPath, entry: Option<&Entry>) {
    let before = state.tree.facet(node, side).facts;
    relocate(state, side, node, to, entry, &BTreeSet::new());
    let tree = &mut state.tree;
    let Some(baseline) = tree.baseline(node) else {
        return;
    };
    let [local, remote] = tree.node(node).facets;
    let mut facts = baseline.facts;
    let (kind, after) = (tree.node(node).kind, tree.facet(node, side).facts);
    let is_baseline = tree.same_version(kind, &before, &facts[index(side)]);
    if is_baseline && tree.same_version(kind, &before, &after) {
        facts[index(side)] = after;
    }
    let together = local.is_present()
        && remote.is_present()
        && tree.same_place(local.location, remote.location);
    let location = if together {
        local.location
    } else {
        baseline.location
    };
    tree.set_baseline(node, Some(Baseline { location, facts }));
}

/// Deletions that a person approved do not count against later ones.
fn remember_removal(state: &mut State, side: Side) {
    let since = state.time.plus_millis(-crate::limits::BRAKE_WINDOW_MS);
    while state
        .removals
        .front()
        .is_some_and(|removed| removed.time < since)
    {
        state.removals.pop_front();
    }
    match state.removals.back_mut() {
        Some(last) if last.side == side && last.time == state.time => last.count += 1,
        _ => state.removals.push_back(Removals {
            time: state.time,
            side,
            count: 1,
        }),
    }
}
