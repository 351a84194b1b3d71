//! Goals together: directories that must live on, cycles, contested names.
//!
//! In: the goals of all dirty nodes, each found alone. Out: goals that form a tree.
//! Invariants: a present goal's directory is present; no two goals share a place;
//! following places upwards ends at the root. Watched by ring 1. Deliberately
//! absent: the order of operations (`order`).

use super::goal::{Content, Goal, Place, Wish};
use super::merge::{self, is_moved, is_twin};
use super::names::{Distinction, conflict_name};
use crate::spelling::canonical;
use crate::state::State;
use crate::tree::{Facet, NodeId, index};
use journal_format::event::Case;
use journal_format::value::{Direction, Kind, Side, Solve};
use std::collections::{BTreeMap, BTreeSet};

pub(super) type Goals = BTreeMap<NodeId, Goal>;

/// Finds the goals of all dirty nodes, also of those with open operations: where
/// these will be counts for the others.
pub(super) fn goals(state: &State) -> Goals {
    let dirty = state.tree.dirty();
    let mut goals: Goals = dirty.map(|id| (id, merge::merge(state, id))).collect();
    undo_cycles(state, &mut goals);
    keep_directories(state, &mut goals);
    separate_names(state, &mut goals);
    goals
}

/// Returns the nodes with goals, those first that became known first. What one gets can
/// depend on who was asked before, and places in memory are given anew after a restart.
fn by_age(state: &State, goals: &Goals) -> Vec<NodeId> {
    let mut ids: Vec<NodeId> = goals.keys().copied().collect();
    ids.sort_by_key(|id| state.tree.node(*id).uid);
    ids
}

/// Undoes local moves that, together with remote ones, would make a directory its
/// own ancestor. The remote places alone form a tree, so this ends.
fn undo_cycles(state: &State, goals: &mut Goals) {
    let is_moved_directory = |id: &NodeId| {
        goals[id].place().is_some()
            && state.tree.node(*id).kind == Kind::Directory
            && Side::BOTH
                .into_iter()
                .any(|side| is_moved(state, *id, side))
    };
    let mut moved = by_age(state, goals);
    moved.retain(is_moved_directory);
    for id in moved {
        while let Some(cycle) = cycle_through(state, goals, id) {
            let undone = cycle.iter().copied().filter(|id| {
                is_moved(state, *id, Side::Local)
                    && state.tree.facet(*id, Side::Remote).is_present()
                    && goals.get(id).and_then(Goal::place).is_some_and(|place| {
                        !place.is_at(state, state.tree.facet(*id, Side::Remote).location)
                    })
            });
            let undone: Vec<NodeId> = undone.collect();
            if undone.is_empty() {
                goals.insert(id, Goal::frozen(Case::M3));
                break;
            }
            for id in undone {
                let back = state.tree.facet(id, Side::Remote).location;
                let name = state.tree.name(back.name).to_owned();
                let place = Place {
                    parent: back.parent,
                    name,
                };
                let wish = Wish::Present {
                    place,
                    content: Content::Settled,
                };
                goals.insert(
                    id,
                    Goal {
                        case: Case::M3,
                        wish,
                    },
                );
            }
        }
    }
}

/// Returns the directories of a cycle that a node is on.
fn cycle_through(state: &State, goals: &Goals, start: NodeId) -> Option<Vec<NodeId>> {
    let mut chain = vec![start];
    let mut seen = BTreeSet::from([start]);
    let mut next = parent_of(state, goals, start);
    while next != NodeId::ROOT && next != NodeId::NONE {
        if next == start {
            return Some(chain);
        }
        if !seen.insert(next) {
            return None;
        }
        chain.push(next);
        next = parent_of(state, goals, next);
    }
    None
}

fn parent_of(state: &State, goals: &Goals, id: NodeId) -> NodeId {
    if let Some(place) = goals.get(&id).and_then(Goal::place) {
        return place.parent;
    }
    let facets = state.tree.node(id).facets;
    let present = facets.iter().rev().find(|facet| !facet.is_absent());
    present.map_or(NodeId::NONE, |facet| facet.location.parent)
}

/// Keeps directories that were to go but hold something that stays.
fn keep_directories(state: &State, goals: &mut Goals) {
    let ids = by_age(state, goals);
    for id in &ids {
        let mut next = goals[id].place().map(|place| place.parent);
        while let Some(directory) = next {
            next = revive(state, goals, directory);
        }
    }
    for id in ids {
        if !matches!(goals[&id].wish, Wish::Frozen { .. }) {
            continue;
        }
        let reason = goals[&id].case;
        for side in Side::BOTH {
            if state.tree.facet(id, side).is_absent() {
                continue;
            }
            let above: Vec<NodeId> = state.tree.ancestors(side, id).collect();
            for directory in above {
                match goals.get_mut(&directory) {
                    Some(goal) if matches!(goal.wish, Wish::Absent { .. }) => {
                        *goal = Goal::frozen(reason);
                    }
                    _ => {}
                }
            }
        }
    }
}

/// Lets a directory live on because of something in it. Returns its own directory
/// if that has to be looked at too.
fn revive(state: &State, goals: &mut Goals, directory: NodeId) -> Option<NodeId> {
    let goal = goals.get(&directory)?;
    if !matches!(goal.wish, Wish::Absent { .. }) {
        return None;
    }
    let facets = state.tree.node(directory).facets;
    let keeper = index(merge::keeper(&state.policy()));
    let order = [facets[keeper], facets[1 - keeper]];
    let location = order.into_iter().find(Facet::is_present)?.location;
    let place = Place {
        parent: location.parent,
        name: state.tree.name(location.name).to_owned(),
    };
    let parent = place.parent;
    let wish = Wish::Present {
        place,
        content: Content::Settled,
    };
    goals.insert(
        directory,
        Goal {
            case: Case::R1,
            wish,
        },
    );
    Some(parent)
}

/// Gives each of several nodes that claim one name a name of its own.
fn separate_names(state: &State, goals: &mut Goals) {
    let ids = by_age(state, goals);
    let mut given: BTreeSet<(NodeId, String)> = BTreeSet::new();
    make_way(state, goals, &ids, &mut given);
    for id in ids {
        let Some(place) = goals[&id].place().cloned() else {
            continue;
        };
        let rivals: Vec<NodeId> = state
            .tree
            .at_place(place.parent, &place.name)
            .filter(|rival| *rival != id && claims(state, goals, *rival, &place))
            .collect();
        if rivals
            .iter()
            .all(|rival| precedes(state, id, *rival, &place))
        {
            continue;
        }
        let blocked = rivals.iter().any(|rival| is_frozen(goals, *rival));
        let contested: Vec<NodeId> = rivals.iter().copied().chain([id]).collect();
        let policy = merge::policy_among(state, &contested);
        let manual = policy.solve == Solve::Manual && policy.direction == Direction::Bi;
        let goal = if blocked {
            Goal::frozen(Case::P1)
        } else if manual {
            Goal::frozen(Case::C3)
        } else {
            renamed(state, id, &goals[&id], &place, &mut given)
        };
        goals.insert(id, goal);
    }
}

/// Renames what a one-way target holds by itself where the source has something else
/// of that name: what stays as it is would keep the source's out.
fn make_way(
    state: &State,
    goals: &mut Goals,
    ids: &[NodeId],
    given: &mut BTreeSet<(NodeId, String)>,
) {
    let source = merge::keeper(&state.policy());
    for id in ids {
        let facet = state.tree.facet(*id, source.other());
        let is_kept = goals[id].case == Case::V1 && is_frozen(goals, *id);
        if !is_kept || !facet.is_present() || !state.tree.facet(*id, source).is_absent() {
            continue;
        }
        let place = Place {
            parent: facet.location.parent,
            name: state.tree.name(facet.location.name).to_owned(),
        };
        let mut beside = state.tree.at_place(place.parent, &place.name);
        let is_wanted = beside.any(|rival| {
            rival != *id && !is_frozen(goals, rival) && claims(state, goals, rival, &place)
        });
        if is_wanted {
            let wish = Wish::Present {
                place: place.clone(),
                content: Content::Settled,
            };
            let stays = Goal {
                case: Case::V1,
                wish,
            };
            goals.insert(*id, renamed(state, *id, &stays, &place, given));
        }
    }
}

/// Tells whether a node is to stand at a place.
fn claims(state: &State, goals: &Goals, id: NodeId, place: &Place) -> bool {
    let fold_case = state.tree.fold_case();
    let same = |parent: NodeId, name: &str| {
        parent == place.parent && canonical(name, fold_case) == canonical(&place.name, fold_case)
    };
    match goals.get(&id).map(|goal| &goal.wish) {
        Some(Wish::Absent { .. }) => false,
        Some(Wish::Present { place, .. }) => same(place.parent, &place.name),
        Some(Wish::Frozen { .. }) | None => {
            !is_twin(state, id)
                && state.tree.node(id).facets.iter().any(|facet| {
                    !facet.is_absent()
                        && same(facet.location.parent, state.tree.name(facet.location.name))
                })
        }
    }
}

fn is_frozen(goals: &Goals, id: NodeId) -> bool {
    goals
        .get(&id)
        .is_some_and(|goal| matches!(goal.wish, Wish::Frozen { .. }))
}

/// Tells whether `id` keeps a place that `rival` claims as well.
fn precedes(state: &State, id: NodeId, rival: NodeId, place: &Place) -> bool {
    let keeper = merge::keeper(&merge::policy_among(state, &[id, rival]));
    let wanted = canonical(&place.name, state.tree.fold_case());
    let rank = |id: NodeId| {
        let node = state.tree.node(id);
        let stands = |side: Side| {
            let facet = &node.facets[index(side)];
            facet.is_present()
                && facet.location.parent == place.parent
                && state.tree.canonical_of(facet.location.name) == wanted
        };
        let in_sync = state.tree.is_in_sync(id);
        (!in_sync, !stands(keeper), !stands(keeper.other()), node.uid)
    };
    rank(id) < rank(rival)
}

/// Gives the loser of a contested name its conflict name.
fn renamed(
    state: &State,
    id: NodeId,
    goal: &Goal,
    place: &Place,
    given: &mut BTreeSet<(NodeId, String)>,
) -> Goal {
    let node = state.tree.node(id);
    let known = node.facets.iter().find_map(|facet| facet.facts.digest);
    if node.kind != Kind::Directory && known.is_none() {
        let on = Side::BOTH
            .into_iter()
            .find(|side| state.tree.facet(id, *side).is_present());
        return Goal {
            case: Case::Q1,
            wish: Wish::Frozen { hash: on },
        };
    }
    let name = free_conflict_name(state, id, place, |place| {
        given.insert((place.parent, canonical(&place.name, true).into_owned()))
    });
    let mut renamed = Goal {
        case: Case::C3,
        wish: goal.wish.clone(),
    };
    if let Wish::Present { place, .. } = &mut renamed.wish {
        place.name = name;
    }
    renamed
}

/// Finds a conflict name that nobody has and that `take` accepts.
pub(super) fn free_conflict_name(
    state: &State,
    id: NodeId,
    place: &Place,
    mut take: impl FnMut(&Place) -> bool,
) -> String {
    conflict_names(state, id, place)
        .find(|name| {
            state
                .tree
                .at_place(place.parent, name)
                .all(|standing| standing == id)
                && take(&Place {
                    parent: place.parent,
                    name: name.clone(),
                })
        })
        .expect("there are more names than nodes")
}

/// Tells whether a file of that content stands under one of its conflict names already,
/// on both sides.
pub(super) fn has_conflict_copy(state: &State, id: NodeId, place: &Place, side: Side) -> bool {
    let tree = &state.tree;
    let facts = tree.facet(id, side).facts;
    let is_copy = |standing: NodeId| {
        let copy = tree.facet(standing, side).facts;
        standing != id
            && tree.node(standing).kind == tree.node(id).kind
            && tree.is_in_sync(standing)
            && (copy.size, copy.digest) == (facts.size, facts.digest)
    };
    let is_taken = |name: &String| tree.at_place(place.parent, name).any(|it| it != id);
    facts.digest.is_some()
        && conflict_names(state, id, place)
            .take_while(is_taken)
            .any(|name| tree.occupants(side, place.parent, &name).any(is_copy))
}

/// Returns the conflict names of a node at a place, the plain one first.
fn conflict_names(state: &State, id: NodeId, place: &Place) -> impl Iterator<Item = String> {
    let node = state.tree.node(id);
    let keeper = merge::keeper(&merge::policy_among(state, &[id]));
    let order = [keeper.other(), keeper];
    let digest = order
        .into_iter()
        .find_map(|side| node.facets[index(side)].facts.digest);
    let uid = node.uid.to_be_bytes();
    let content = digest.as_ref().map_or([uid[6], uid[7]], |digest| {
        let bytes = digest.bytes();
        [bytes[0], bytes[1]]
    });
    let distinction = Distinction {
        label: state.root.as_ref().map_or("", |root| root.label.as_str()),
        time: state.time,
        content: u16::from_be_bytes(content),
    };
    (0..).map(move |attempt| conflict_name(&place.name, &distinction, attempt))
}
