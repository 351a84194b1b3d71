//! Which step waits for which.
//!
//! In: steps. Out: the same, each with the steps that must succeed before it. A
//! step whose condition nobody works on is left out; it comes back in a later
//! round. Rings of moves are broken by taking one node through a temporary name at
//! the root, where it is in nobody's way. Invariant: the result has no cycles;
//! watched by ring 1. Deliberately absent: goals, limits on what runs at once.

use super::goal::Place;
use super::names::temporary_name;
use super::steps::{Act, Step};
use crate::state::State;
use crate::tree::{NodeId, Presence};
use journal_format::event::{Case, UnknownReason};
use journal_format::value::{Kind, Side};
use std::collections::{BTreeMap, BTreeSet};

/// Steps in the order in which they may start, as far as `after` allows.
#[derive(Debug, Default)]
pub(crate) struct Ordered {
    pub(crate) steps: Vec<Step>,
    /// For each step the places of those that must succeed before it.
    pub(crate) after: Vec<Vec<u32>>,
}

/// Orders steps.
pub(super) fn order(state: &State, mut steps: Vec<Step>) -> Ordered {
    steps.sort_by_key(|step| sort_key(state, step));
    if steps.iter().all(|step| step.act.writes().is_none()) {
        // What changes no side waits for nothing.
        let after = vec![Vec::new(); steps.len()];
        return Ordered { steps, after };
    }
    loop {
        let (kept, after) = with_conditions(state, steps);
        let stuck = in_rings(&after);
        if stuck.is_empty() {
            return Ordered { steps: kept, after };
        }
        let rings = only_rings(&after, &stuck);
        steps = break_ring(state, kept, &stuck, &rings);
    }
}

/// Moves and directories from the top down, then content, then removals from the
/// bottom up: nothing is removed before what may replace it has arrived.
fn sort_key(state: &State, step: &Step) -> (u8, usize, u64) {
    let class = match step.act {
        Act::Adopt => 0,
        Act::Move { .. } | Act::MakeDirectory { .. } => 1,
        Act::Hash { .. } | Act::Transfer { .. } => 2,
        Act::Remove { .. } => 3,
    };
    let depth = match &step.act {
        Act::MakeDirectory { on, at } | Act::Move { on, to: at } => {
            state.tree.ancestors(*on, at.parent).count()
        }
        Act::Remove { on, .. } => usize::MAX - state.tree.ancestors(*on, step.node).count(),
        _ => 0,
    };
    (class, depth, step.uid)
}

/// Finds the conditions of each step; drops steps whose conditions nobody fulfils,
/// and then those that waited for them.
fn with_conditions(state: &State, mut steps: Vec<Step>) -> (Vec<Step>, Vec<Vec<u32>>) {
    loop {
        let acting: BTreeMap<NodeId, u32> = (0..).zip(&steps).map(|(n, s)| (s.node, n)).collect();
        let conditions: Vec<Option<Vec<u32>>> = steps
            .iter()
            .map(|step| conditions(state, &steps, &acting, step))
            .collect();
        if conditions.iter().all(Option::is_some) {
            return (steps, conditions.into_iter().flatten().collect());
        }
        let mut keep = conditions.iter().map(Option::is_some);
        steps.retain(|_| keep.next().unwrap_or(false));
    }
}

/// Returns the steps that must succeed before `step`, or nothing when it cannot
/// run in this round.
fn conditions(
    state: &State,
    steps: &[Step],
    acting: &BTreeMap<NodeId, u32>,
    step: &Step,
) -> Option<Vec<u32>> {
    let mut after = Vec::new();
    let Some(side) = step.act.writes() else {
        return Some(after);
    };
    let step_of = |id: NodeId| acting.get(&id).map(|n| (*n, &steps[*n as usize].act));
    if let Some(place) = step.act.fills() {
        if !state.tree.facet(place.parent, side).is_present() {
            match step_of(place.parent) {
                Some((n, Act::MakeDirectory { on, .. })) if *on == side => after.push(n),
                _ => return None,
            }
        }
        let standing = state.tree.occupants(side, place.parent, &place.name);
        let (beside, there): (Vec<NodeId>, Vec<NodeId>) = standing
            .filter(|id| *id != step.node)
            .partition(|id| is_other_twin(state, side, *id, place));
        let is_here = state.tree.facet(step.node, side).is_present();
        if !is_here && !beside.is_empty() && !there.is_empty() || is_lone(state, side, &beside) {
            // Once nobody bears the name, it is the second spelling's: that is looked at.
            return None;
        }
        for standing in there {
            after.push(leaving(step_of(standing), side)?);
        }
    }
    match &step.act {
        Act::Move { to, .. } if state.tree.node(step.node).kind == Kind::Directory => {
            if let Some(n) = way_out(state, step.node, side, to, &step_of)? {
                after.push(n);
            }
        }
        Act::Remove { .. } if state.tree.node(step.node).kind == Kind::Directory => {
            for child in state.tree.children(side, step.node) {
                after.push(leaving(step_of(child), side)?);
            }
        }
        _ => {}
    }
    Some(after)
}

/// Tells whether second spellings are all that is left of a name.
fn is_lone(state: &State, side: Side, twins: &[NodeId]) -> bool {
    twins.iter().any(|id| state.tree.is_lone_twin(side, *id))
}

/// Tells whether a node is a second spelling that stands beside a place, not on it.
fn is_other_twin(state: &State, side: Side, id: NodeId, place: &Place) -> bool {
    let facet = state.tree.facet(id, side);
    !state.tree.fold_case()
        && facet.presence == Presence::Unknown(UnknownReason::NameTwin)
        && state.tree.name(facet.location.name) != place.name
}

/// The step that takes somebody away from where it stands on `side`.
fn leaving(step: Option<(u32, &Act)>, side: Side) -> Option<u32> {
    match step {
        Some((n, Act::Move { on, .. } | Act::Remove { on, .. })) if *on == side => Some(n),
        _ => None,
    }
}

/// A directory cannot move into itself: whatever holds its new place must have
/// left it before. Nothing (inside) when it is not in the way; nothing (outside)
/// when nobody moves it out.
#[expect(
    clippy::option_option,
    reason = "no condition, a condition, or none to be had"
)]
fn way_out<'a>(
    state: &State,
    node: NodeId,
    side: Side,
    to: &Place,
    step_of: &impl Fn(NodeId) -> Option<(u32, &'a Act)>,
) -> Option<Option<u32>> {
    let mut between = vec![to.parent];
    between.extend(state.tree.ancestors(side, to.parent));
    let Some(inside) = between.iter().position(|id| *id == node) else {
        return Some(None);
    };
    let movers = between[..inside].iter().rev();
    movers
        .filter_map(|id| match step_of(*id) {
            Some((n, Act::Move { on, .. })) if *on == side => Some(n),
            _ => None,
        })
        .next()
        .map(Some)
}

/// Returns the steps that wait for one another in rings, and those behind them.
fn in_rings(after: &[Vec<u32>]) -> BTreeSet<usize> {
    let mut waits: Vec<usize> = after.iter().map(Vec::len).collect();
    let mut dependents: Vec<Vec<usize>> = vec![Vec::new(); after.len()];
    for (place, conditions) in after.iter().enumerate() {
        for condition in conditions {
            dependents[*condition as usize].push(place);
        }
    }
    let mut free: Vec<usize> = (0..after.len())
        .filter(|place| waits[*place] == 0)
        .collect();
    let mut stuck: BTreeSet<usize> = (0..after.len()).collect();
    while let Some(place) = free.pop() {
        stuck.remove(&place);
        for dependent in &dependents[place] {
            waits[*dependent] -= 1;
            if waits[*dependent] == 0 {
                free.push(*dependent);
            }
        }
    }
    stuck
}

/// Leaves out of `stuck` the steps that nobody waits for, and then those before
/// them: what remains waits for itself.
fn only_rings(after: &[Vec<u32>], stuck: &BTreeSet<usize>) -> BTreeSet<usize> {
    let mut waiters = vec![0_usize; after.len()];
    for place in stuck {
        for condition in &after[*place] {
            waiters[*condition as usize] += 1;
        }
    }
    let mut rings = stuck.clone();
    let mut idle: Vec<usize> = stuck
        .iter()
        .copied()
        .filter(|place| waiters[*place] == 0)
        .collect();
    while let Some(place) = idle.pop() {
        rings.remove(&place);
        for condition in &after[place] {
            let condition = *condition as usize;
            waiters[condition] -= 1;
            if waiters[condition] == 0 && rings.contains(&condition) {
                idle.push(condition);
            }
        }
    }
    rings
}

/// Takes one move of a ring through a temporary name and leaves the others of the
/// ring to the next round.
fn break_ring(
    state: &State,
    steps: Vec<Step>,
    stuck: &BTreeSet<usize>,
    rings: &BTreeSet<usize>,
) -> Vec<Step> {
    let can_step_aside = |step: &Step| match &step.act {
        Act::Move { on, .. } => state.detour(step.node, *on).is_none(),
        _ => false,
    };
    let chosen = rings
        .iter()
        .copied()
        .filter(|place| can_step_aside(&steps[*place]))
        .min_by_key(|place| steps[*place].uid);
    let mut kept = Vec::with_capacity(steps.len());
    for (place, mut step) in steps.into_iter().enumerate() {
        if Some(place) == chosen
            && let Act::Move { to, .. } = &mut step.act
        {
            *to = Place {
                parent: NodeId::ROOT,
                name: free_temporary_name(state, step.node, step.uid),
            };
            step.case = Case::M4;
            kept.push(step);
        } else if !stuck.contains(&place) {
            kept.push(step);
        }
    }
    kept
}

/// What an earlier move left at a temporary name may still stand there.
fn free_temporary_name(state: &State, node: NodeId, uid: u64) -> String {
    (0..)
        .map(|attempt| temporary_name(uid, attempt))
        .find(|name| {
            let mut standing = state.tree.at_place(NodeId::ROOT, name);
            standing.all(|id| id == node)
        })
        .expect("there are more names than nodes")
}
