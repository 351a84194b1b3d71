//! The next operation of each node, as far as that can be known now.
//!
//! In: goals. Out: at most one step a node; moves come before content, so a node
//! may need several rounds. Paths are not looked up here: operations that run
//! before may still change them (`operation` builds the final form). Deliberately
//! absent: which step waits for which (`order`).

use super::Moment;
use super::goal::{Content, Displacing, Goal, Place, Wish};
use super::merge::is_moved;
use super::structure::Goals;
use crate::limits;
use crate::state::{Failure, State};
use crate::tree::{NodeId, index};
use journal_format::event::Case;
use journal_format::value::{Kind, Side, Timestamp};

/// A planned operation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Step {
    pub(crate) node: NodeId,
    pub(crate) uid: u64,
    pub(crate) case: Case,
    pub(crate) act: Act,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Act {
    Adopt,
    Hash {
        on: Side,
    },
    MakeDirectory {
        on: Side,
        at: Place,
    },
    Move {
        on: Side,
        to: Place,
    },
    Transfer {
        from: Side,
        at: Place,
        displacing: Displacing,
    },
    Remove {
        on: Side,
        rescue: bool,
    },
}

impl Act {
    /// Returns the side whose tree changes, if one does.
    pub(crate) const fn writes(&self) -> Option<Side> {
        match self {
            Self::Adopt | Self::Hash { .. } => None,
            Self::MakeDirectory { on, .. } | Self::Move { on, .. } | Self::Remove { on, .. } => {
                Some(*on)
            }
            Self::Transfer { from, .. } => Some(from.other()),
        }
    }

    /// Returns the place that is filled on the written side.
    pub(crate) const fn fills(&self) -> Option<&Place> {
        match self {
            Self::MakeDirectory { at, .. } | Self::Transfer { at, .. } => Some(at),
            Self::Move { to, .. } => Some(to),
            Self::Adopt | Self::Hash { .. } | Self::Remove { .. } => None,
        }
    }
}

/// What cannot run now, and why.
#[derive(Debug, Default)]
pub(crate) struct Waiting {
    /// When the first of them may run.
    pub(crate) deadline: Option<Timestamp>,
    /// The same, without those that failed several times or for good.
    pub(crate) soon: Option<Timestamp>,
    /// Whether there is something to do, now or once a file was left alone; not for
    /// what failed.
    pub(crate) is_at_work: bool,
    /// Nodes that only a change elsewhere can set going.
    pub(crate) stuck: Vec<(NodeId, Case)>,
}

impl Waiting {
    fn until(&mut self, time: Timestamp, is_hopeful: bool) {
        let earliest = |known: Option<Timestamp>| Some(known.map_or(time, |known| known.min(time)));
        self.deadline = earliest(self.deadline);
        if is_hopeful {
            self.soon = earliest(self.soon);
        }
    }
}

/// Finds the next step of each node that has one and no open operation.
pub(super) fn steps(state: &State, goals: &Goals, moment: Moment) -> (Vec<Step>, Waiting) {
    let mut waiting = Waiting::default();
    let mut steps = Vec::new();
    let masked = state.masked();
    for (id, goal) in goals.iter().filter(|(id, _)| !masked.contains(id)) {
        let Some(act) = next_act(state, *id, goal) else {
            if goal.case != Case::N0 {
                waiting.stuck.push((*id, goal.case));
            }
            continue;
        };
        match may_run_at(state, *id, &act, moment) {
            Some(time) if time <= moment.now => {
                let uid = state.tree.node(*id).uid;
                steps.push(Step {
                    node: *id,
                    uid,
                    case: case_of(state, *id, goal, &act),
                    act,
                });
            }
            Some(time) => {
                waiting.is_at_work |= !state.failures.contains_key(id);
                waiting.until(time, is_hopeful(state, *id, moment));
            }
            None => waiting.stuck.push((*id, goal.case)),
        }
    }
    (steps, waiting)
}

fn next_act(state: &State, id: NodeId, goal: &Goal) -> Option<Act> {
    match &goal.wish {
        Wish::Frozen { hash } => hash.map(|on| Act::Hash { on }),
        Wish::Absent { rescue } => {
            let on = Side::BOTH
                .into_iter()
                .find(|side| state.tree.facet(id, *side).is_present())?;
            Some(Act::Remove {
                on,
                rescue: *rescue,
            })
        }
        Wish::Present { place, content } => next_present_act(state, id, place, *content),
    }
}

fn next_present_act(state: &State, id: NodeId, place: &Place, content: Content) -> Option<Act> {
    let node = state.tree.node(id);
    let is_misplaced = |side: &Side| {
        let facet = &node.facets[index(*side)];
        facet.is_present() && !place.is_at(state, facet.location)
    };
    let misplaced: Vec<Side> = Side::BOTH.into_iter().filter(is_misplaced).collect();
    // The one that was moved goes first: with the other one both would have been.
    let first = misplaced.iter().find(|side| is_moved(state, id, **side));
    if let Some(on) = first.or(misplaced.first()).copied() {
        return Some(Act::Move {
            on,
            to: place.clone(),
        });
    }
    let missing = Side::BOTH
        .into_iter()
        .find(|side| node.facets[index(*side)].is_absent());
    if node.kind == Kind::Directory {
        return match missing {
            Some(on) => Some(Act::MakeDirectory {
                on,
                at: place.clone(),
            }),
            None => Some(Act::Adopt),
        };
    }
    match content {
        Content::Settled | Content::Adopt if missing.is_none() => Some(Act::Adopt),
        Content::Settled | Content::Adopt => None,
        Content::Send { from, displacing } => Some(Act::Transfer {
            from,
            at: place.clone(),
            displacing,
        }),
    }
}

/// The letter of a step: a move is told by its own rule, also where content follows.
fn case_of(state: &State, id: NodeId, goal: &Goal, act: &Act) -> Case {
    let by_content = matches!(
        goal.case,
        Case::U1 | Case::D1 | Case::E1 | Case::E2 | Case::A1 | Case::C1
    );
    if !by_content || !matches!(act, Act::Move { .. }) {
        return goal.case;
    }
    match Side::BOTH.map(|side| is_moved(state, id, side)) {
        [true, true] => Case::C2,
        [true, false] => Case::M1,
        [false, true] => Case::M2,
        [false, false] => goal.case,
    }
}

/// Returns when an act may run; nothing when a change must come first.
fn may_run_at(state: &State, id: NodeId, act: &Act, moment: Moment) -> Option<Timestamp> {
    let after_failure = match state.failures.get(&id) {
        None => Timestamp(i64::MIN),
        Some(failure) if is_outdated(failure, moment) => Timestamp(i64::MIN),
        Some(failure) => failure.retry_at?,
    };
    let reads = match act {
        Act::Transfer { from, .. } => Some(*from),
        Act::Hash { on } => Some(*on),
        _ => None,
    };
    let settled = reads.map_or(Timestamp(i64::MIN), |side| {
        let changed = Timestamp(
            state
                .tree
                .facet(id, side)
                .facts
                .mtime_ns
                .div_euclid(1_000_000),
        );
        let is_young = changed <= moment.now && moment.now < changed.plus_millis(limits::SETTLE_MS);
        if is_young {
            changed.plus_millis(limits::SETTLE_MS)
        } else {
            Timestamp(i64::MIN)
        }
    });
    Some(after_failure.max(settled))
}

/// An earlier session's failure says nothing about this one, and a person may be of
/// another mind than the wait; when the clock went back, its end cannot be told any more.
fn is_outdated(failure: &Failure, moment: Moment) -> bool {
    failure.seq < moment.forgiven || moment.now < failure.at
}

/// A wait for a file to settle is short, whatever failed before.
fn is_hopeful(state: &State, id: NodeId, moment: Moment) -> bool {
    state.failures.get(&id).is_none_or(|failure| {
        failure.is_hopeful()
            || is_outdated(failure, moment)
            || failure.retry_at.is_some_and(|time| time <= moment.now)
    })
}
