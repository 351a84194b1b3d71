//! What would be done now, a line a node: for tools that read journals.
//!
//! In: a replayed engine, perhaps another policy. Out: every step of the plan, what is
//! held and why, the brake. Invariant: nothing is started and nothing is kept: the
//! engine is as before. Deliberately absent: operations that follow only from what runs
//! before them.

use super::Engine;
use crate::plan::{self, Act, Ordered};
use crate::state::{Halt, State};
use journal_format::event::{Case, Operation};
use journal_format::value::{Policy, RelPath, Seq, Side, Timestamp};
use serde::Serialize;

/// A plan as a whole.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Judged {
    /// The next step of each node that has one, in the order of the plan.
    pub planned: Vec<Planned>,
    /// Nodes that nothing is done about until something changes.
    pub held: Vec<Held>,
    /// Nodes in a conflict that the plan settles or holds.
    pub conflicts: Vec<Held>,
    /// The brake that holds all of it back, if one does; `seq` is 0.
    pub brake: Option<Halt>,
    /// When what waits after a failure is tried again.
    pub next_try: Option<Timestamp>,
}

/// The next step of one node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Planned {
    /// The node, by a number that stays with it through renames.
    pub node: u64,
    /// The rule.
    pub case: Case,
    /// What is done.
    pub deed: Deed,
    /// The side that changes, or is read.
    pub side: Side,
    /// The best name of the node.
    pub path: RelPath,
    /// What would be started, as things are now: with its other names and its
    /// preconditions. Nothing for what starts nothing, or has to wait for another step.
    pub operation: Option<Operation>,
}

/// What a step does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Deed {
    /// Moves the baseline only.
    Adopt,
    /// Reads content.
    Hash,
    /// Creates a directory.
    MakeDirectory,
    /// Renames.
    Move,
    /// Copies content to the side.
    Transfer,
    /// Removes.
    Remove,
}

/// A node with the rule that speaks of it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Held {
    /// The node, by a number that stays with it through renames.
    pub node: u64,
    /// The rule.
    pub case: Case,
    /// The best name of the node.
    pub path: RelPath,
}

impl Deed {
    /// Returns the word for it.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Adopt => "adopt",
            Self::Hash => "hash",
            Self::MakeDirectory => "make_directory",
            Self::Move => "move",
            Self::Transfer => "transfer",
            Self::Remove => "remove",
        }
    }
}

impl Engine {
    /// Plans without starting anything.
    #[must_use]
    pub fn judge(&self, now: Timestamp) -> Judged {
        let state = &self.ledger.state;
        let plan = plan::plan(state, self.moment(now));
        let held = |(id, case): &(_, Case)| {
            Some(Held {
                node: state.tree.get(*id)?.uid,
                case: *case,
                path: state.tree.shown_path(*id),
            })
        };
        Judged {
            planned: planned(state, &plan.ordered),
            held: plan.waiting.stuck.iter().filter_map(held).collect(),
            conflicts: plan.conflicts.iter().filter_map(held).collect(),
            brake: plan.brake.map(|brake| Halt {
                seq: Seq::ZERO,
                reason: brake.reason,
                side: brake.side,
                count: brake.count,
                plan: brake.plan,
            }),
            next_try: plan.waiting.deadline,
        }
    }

    /// Plans as if no brake were there: while one holds the plan back, this is what it
    /// holds back.
    #[must_use]
    pub fn judge_without_brakes(&self, now: Timestamp) -> Vec<Planned> {
        let state = &self.ledger.state;
        planned(
            state,
            &plan::without_brakes(state, self.moment(now)).ordered,
        )
    }

    /// Plans as if the user had chosen otherwise.
    #[must_use]
    pub fn judge_as(&mut self, policy: Policy, now: Timestamp) -> Judged {
        let chosen = self.ledger.state.policy();
        self.choose(policy);
        let judged = self.judge(now);
        self.choose(chosen);
        judged
    }

    fn choose(&mut self, policy: Policy) {
        if let Some(root) = &mut self.ledger.state.root {
            root.policy = policy;
        }
    }
}

fn planned(state: &State, ordered: &Ordered) -> Vec<Planned> {
    let planned = ordered.steps.iter().map(|step| {
        let (deed, side) = deed(&step.act);
        Planned {
            node: step.uid,
            case: step.case,
            deed,
            side,
            path: state.tree.shown_path(step.node),
            operation: plan::operation(state, step),
        }
    });
    planned.collect()
}

const fn deed(act: &Act) -> (Deed, Side) {
    match act {
        Act::Adopt => (Deed::Adopt, Side::Local),
        Act::Hash { on } => (Deed::Hash, *on),
        Act::MakeDirectory { on, .. } => (Deed::MakeDirectory, *on),
        Act::Move { on, .. } => (Deed::Move, *on),
        Act::Transfer { from, .. } => (Deed::Transfer, from.other()),
        Act::Remove { on, .. } => (Deed::Remove, *on),
    }
}
