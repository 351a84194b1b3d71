//! Two directories of one name, each on another side, that are one directory.
//!
//! In: the state, goals. Out: pairs to be made one, by an adoption. Directories have no
//! content of their own, so nothing can be lost, and nobody has to give the name up.
//! Invariant: no path changes on either side. Deliberately absent: files, which the rows
//! of the table compare. What lies in both is paired by the fold.

use super::goal::{Place, Wish};
use super::merge;
use super::structure::Goals;
use crate::spelling::canonical;
use crate::state::State;
use crate::tree::{Location, NodeId};
use journal_format::event::Case;
use journal_format::value::{Kind, Side};
use std::collections::BTreeSet;

/// Directories to be made one, the local one first.
pub(crate) type Namesakes = Vec<(NodeId, NodeId)>;

/// Finds pairs, each directory once.
pub(super) fn namesakes(state: &State, goals: &Goals) -> Namesakes {
    let mut taken = BTreeSet::new();
    let mut pairs = Namesakes::new();
    let masked = state.masked();
    let is_free = |id: NodeId| !masked.contains(&id) && !merge::is_hidden(state, id);
    for side in Side::BOTH {
        let alone = |id: &NodeId| stands_alone(state, *id, side) && is_free(*id);
        let mut alone: Vec<NodeId> = state.tree.dirty().filter(alone).collect();
        // The first known first: places in memory are given anew after a restart.
        alone.sort_by_key(|id| state.tree.node(*id).uid);
        for id in alone {
            let Some(rival) = rival(state, goals, id, side).filter(|rival| is_free(*rival)) else {
                continue;
            };
            if !taken.contains(&id) && taken.insert(rival) {
                taken.insert(id);
                pairs.push(match side {
                    Side::Local => (id, rival),
                    Side::Remote => (rival, id),
                });
            }
        }
    }
    pairs
}

/// Finds the directory of the same name over there: one that is there only, or one that
/// should come here while this one stays for something in it.
fn rival(state: &State, goals: &Goals, id: NodeId, side: Side) -> Option<NodeId> {
    let tree = &state.tree;
    let here = tree.facet(id, side).location;
    let name = tree.name(here.name);
    let goal = goals.get(&id);
    // What waits for a hash only may go after all.
    let stays = goal.is_some_and(|goal| {
        matches!(goal.wish, Wish::Frozen { .. }) && !matches!(goal.case, Case::Q1)
    });
    let comes = |rival: NodeId| {
        let goal = merge::merge(state, rival);
        goal.place()
            .is_some_and(|place| is_name_of(state, place, here))
    };
    let other = side.other();
    let rivals = tree.occupants(other, here.parent, name).filter(|rival| {
        let facet = tree.facet(*rival, other);
        let is_directory = tree.node(*rival).kind == Kind::Directory && facet.is_present();
        *rival != id
            && is_directory
            && (stands_alone(state, *rival, other) || stays && comes(*rival))
    });
    tree.first_of(rivals)
}

/// Tells whether a place would bear the name of another, in whatever spelling.
fn is_name_of(state: &State, place: &Place, here: Location) -> bool {
    let tree = &state.tree;
    let wanted = canonical(&place.name, tree.fold_case());
    place.parent == here.parent && tree.canonical_of(here.name) == wanted
}

/// Tells whether a directory is on one side only.
fn stands_alone(state: &State, id: NodeId, side: Side) -> bool {
    let tree = &state.tree;
    tree.node(id).kind == Kind::Directory
        && tree.facet(id, side).is_present()
        && tree.facet(id, side.other()).is_absent()
}
