//! A step in its final form: paths as they are now, and what must be there.
//!
//! In: a step whose turn has come. Out: the operation to journal, or nothing when
//! the state has left the step behind. Deliberately absent: the choice of steps.

use super::goal::{Displacing, Place};
use super::steps::{Act, Step};
use super::structure::{free_conflict_name, has_conflict_copy};
use crate::spelling::canonical;
use crate::state::State;
use crate::tree::NodeId;
use journal_format::event::{Action, Displaced, Expected, Operation};
use journal_format::value::{Fingerprint, Side};

/// Builds the operation of a step.
pub(crate) fn operation(state: &State, step: &Step) -> Option<Operation> {
    if !state.is_node(step.node, step.uid) {
        return None;
    }
    let action = match &step.act {
        Act::Adopt => return None,
        Act::Hash { on } => Action::Hash {
            side: *on,
            path: state.tree.path(*on, step.node)?,
            expect: expected(state, step.node, *on)?,
        },
        Act::MakeDirectory { on, at } => Action::MakeDirectory {
            side: *on,
            path: path_of(state, *on, at)?,
        },
        Act::Move { on, to } => {
            let from = state.tree.path(*on, step.node)?;
            let to = path_of(state, *on, to)?;
            if to.is_within(&from) {
                return None;
            }
            Action::Move {
                side: *on,
                from,
                to,
                expect: expected(state, step.node, *on)?,
            }
        }
        Act::Remove { on, rescue } => Action::Remove {
            side: *on,
            path: state.tree.path(*on, step.node)?,
            expect: expected(state, step.node, *on)?,
            rescue: *rescue,
        },
        Act::Transfer {
            from,
            at,
            displacing,
        } => transfer(state, step, *from, at, *displacing)?,
    };
    Some(Operation {
        case: step.case,
        action,
    })
}

fn transfer(
    state: &State,
    step: &Step,
    from: Side,
    at: &Place,
    displacing: Displacing,
) -> Option<Action> {
    let to = from.other();
    let node = state.tree.node(step.node);
    let source = state.tree.facet(step.node, from);
    let target = state.tree.facet(step.node, to);
    if !source.is_present() {
        return None;
    }
    let replaces = if target.is_present() {
        Expected::Version(expected(state, step.node, to)?)
    } else {
        Expected::Absent
    };
    let displaced = match displacing {
        Displacing::Discard => Displaced::Discard,
        Displacing::Rescue => Displaced::Rescue,
        // It keeps its copy; this one is the same.
        Displacing::Copy if has_conflict_copy(state, step.node, at, to) => Displaced::Rescue,
        Displacing::Copy => {
            let own = canonical(&at.name, true);
            let name = free_conflict_name(state, step.node, at, |place| {
                canonical(&place.name, true) != own
            });
            Displaced::ConflictCopy(state.tree.path_at(to, at.parent, &name)?)
        }
    };
    let target = if target.is_present() {
        state.tree.path(to, step.node)?
    } else {
        path_of(state, to, at)?
    };
    Some(Action::Transfer {
        from,
        source: state.tree.path(from, step.node)?,
        expect: state.tree.entry(node.kind, &source.facts),
        target,
        replaces,
        displaced,
    })
}

fn path_of(state: &State, side: Side, place: &Place) -> Option<journal_format::value::RelPath> {
    if !state.tree.get(place.parent)?.facets[crate::tree::index(side)].is_present() {
        return None;
    }
    state.tree.path_at(side, place.parent, &place.name)
}

fn expected(state: &State, id: NodeId, side: Side) -> Option<Fingerprint> {
    let facet = state.tree.facet(id, side);
    facet.is_present().then(|| {
        state
            .tree
            .fingerprint(state.tree.node(id).kind, &facet.facts)
    })
}
