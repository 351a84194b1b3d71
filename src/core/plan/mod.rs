//! From trees to operations.
//!
//! In: the state; the time, for what has to wait. Out: steps with the order they
//! need, or a halt. Invariants: a pure function of the state; nothing is planned
//! under anything unknown; once all steps succeeded and nothing else changed, the
//! next plan is empty; all watched by ring 1. Cost follows the dirty nodes.
//! Deliberately absent: IO, limits on what runs at once (`schedule`). A new rule is
//! a row in `table`.

mod goal;
mod merge;
mod names;
mod namesakes;
mod operation;
mod order;
mod safety;
mod steps;
mod structure;
mod table;

pub(crate) use merge::is_moved;
pub(crate) use names::is_temporary;
pub(crate) use namesakes::Namesakes;
pub(crate) use operation::operation;
pub(crate) use order::Ordered;
pub(crate) use safety::{Brake, Endangered};
pub(crate) use steps::{Act, Step, Waiting};
pub use table::{meaning, reason};

use crate::state::State;
use crate::tree::NodeId;
use goal::{Content, Wish};
use journal_format::event::Case;
use journal_format::value::{Seq, Side, Timestamp};

/// When a plan is made.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Moment {
    pub(crate) now: Timestamp,
    /// What failed before it does not wait: where the session begins that plans, or a
    /// person's word.
    pub(crate) forgiven: Seq,
}

/// What to do next.
#[derive(Debug, Default)]
pub(crate) struct Plan {
    pub(crate) ordered: Ordered,
    pub(crate) waiting: Waiting,
    pub(crate) brake: Option<Brake>,
    /// Directories that are one; all else is void until they are.
    pub(crate) namesakes: Namesakes,
    /// Nodes in a conflict that this plan settles or holds.
    pub(crate) conflicts: Vec<(NodeId, Case)>,
}

/// Plans for all dirty nodes that no open operation masks.
pub(crate) fn plan(state: &State, moment: Moment) -> Plan {
    let goals = structure::goals(state);
    let namesakes = namesakes::namesakes(state, &goals);
    let brake = Endangered::find(state, &goals).brake(state);
    if brake.is_some() {
        return Plan {
            brake,
            namesakes,
            ..Plan::default()
        };
    }
    unbraked(state, &goals, namesakes, moment)
}

/// Plans as if no brake held anything back: what a person would release.
pub(crate) fn without_brakes(state: &State, moment: Moment) -> Plan {
    let goals = structure::goals(state);
    let namesakes = namesakes::namesakes(state, &goals);
    unbraked(state, &goals, namesakes, moment)
}

fn unbraked(state: &State, goals: &structure::Goals, namesakes: Namesakes, moment: Moment) -> Plan {
    let conflicts = goals
        .iter()
        .filter(|(_, goal)| matches!(goal.case, Case::C1 | Case::C2 | Case::C3))
        .map(|(id, goal)| (*id, goal.case))
        .collect();
    let (steps, mut waiting) = steps::steps(state, goals, moment);
    let ordered = order::order(state, steps);
    waiting.is_at_work |= !ordered.steps.is_empty();
    Plan {
        ordered,
        waiting,
        brake: None,
        namesakes,
        conflicts,
    }
}

/// Tells whether anything that the remote did could cost the local side a version, now
/// or once a hash is known.
pub(crate) fn takes_from_local(state: &State) -> bool {
    let is_here = |id: NodeId| state.tree.facet(id, Side::Local).is_present();
    structure::goals(state).into_iter().any(|(id, goal)| {
        is_here(id)
            && match goal.wish {
                Wish::Absent { .. } => true,
                Wish::Present {
                    content: Content::Send { from, .. },
                    ..
                } => from == Side::Remote,
                Wish::Frozen { hash } => hash.is_some(),
                Wish::Present { .. } => false,
            }
    })
}

/// Finds what the plan for this state would take away.
pub(crate) fn endangered(state: &State) -> Endangered {
    Endangered::find(state, &structure::goals(state))
}
