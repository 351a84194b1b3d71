//! How things stand, for people and for the driver.
//!
//! In: the engine. Out: counts, lists, what the next plan would begin with. Invariant:
//! nothing here changes the engine. Deliberately absent: words about states (`cli`).

use super::Engine;
use crate::plan;
use crate::state::Halt;
use crate::tree::NodeId;
use journal_format::event::{Case, Operation};
use journal_format::value::{RelPath, Timestamp};
use std::collections::BTreeSet;

/// How things stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Standing {
    /// Nodes that differ and will be worked on.
    pub pending: u64,
    /// Conflicts that wait for a person.
    pub conflicts: u64,
    /// Nodes that cannot be synced for now.
    pub problems: u64,
    /// Nodes in which a one-way target differs on purpose.
    pub divergences: u64,
    /// The halt in force.
    pub halt: Option<Halt>,
}

/// Something that a person should know of one node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remark {
    /// Where.
    pub path: RelPath,
    /// The rule that holds it.
    pub case: Case,
    /// What is the matter.
    pub detail: String,
}

impl Engine {
    /// Returns how many operations are planned or in flight, and their bytes.
    #[must_use]
    pub fn outstanding(&self) -> u64 {
        let planned = self.schedule.left() + self.ledger.state.open.len();
        u64::try_from(planned).unwrap_or(u64::MAX)
    }

    /// Tells how things stand.
    #[must_use]
    pub fn standing(&self) -> Standing {
        let state = &self.ledger.state;
        let count = |n: usize| u64::try_from(n).unwrap_or(u64::MAX);
        let problems = self.problem_nodes().len();
        let stuck = |cases: &[Case]| {
            count(
                self.waiting
                    .stuck
                    .iter()
                    .filter(|(_, case)| cases.contains(case))
                    .count(),
            )
        };
        let unresolved = state.conflicts.iter().filter(|(node, conflict)| {
            conflict.resolution.is_none() && self.waiting.stuck.iter().any(|(id, _)| id == *node)
        });
        Standing {
            pending: count(state.tree.dirty().len()),
            conflicts: count(unresolved.count()),
            problems: count(problems),
            divergences: stuck(&[Case::V1]),
            halt: state.halt,
        }
    }

    fn problem_nodes(&self) -> BTreeSet<NodeId> {
        let state = &self.ledger.state;
        state
            .tree
            .unknown()
            .chain(state.failures.keys().copied())
            .collect()
    }

    /// Lists what cannot be synced for now, and why.
    #[must_use]
    pub fn problems(&self) -> Vec<Remark> {
        let state = &self.ledger.state;
        let remark = |id| {
            let detail = state.failures.get(&id).map_or_else(
                || crate::projection::unknown_detail(state, id),
                |failure| failure.detail.clone(),
            );
            Remark {
                path: state.tree.shown_path(id),
                case: Case::P1,
                detail,
            }
        };
        self.problem_nodes().into_iter().map(remark).collect()
    }

    /// Lists the conflicts that wait for a person and the divergences of a one-way
    /// target.
    #[must_use]
    pub fn held(&self) -> Vec<Remark> {
        let state = &self.ledger.state;
        let shown = [Case::C1, Case::C2, Case::C3, Case::V1];
        self.waiting
            .stuck
            .iter()
            .filter(|(id, case)| shown.contains(case) && state.tree.get(*id).is_some())
            .map(|(id, case)| Remark {
                path: state.tree.shown_path(*id),
                case: *case,
                detail: String::new(),
            })
            .collect()
    }

    /// Returns the operations that the next plan would begin with, without
    /// starting anything; later ones follow from what these bring about.
    #[must_use]
    pub fn preview(&self, now: Timestamp) -> Vec<Operation> {
        let state = &self.ledger.state;
        let plan = plan::plan(state, now);
        let steps = plan.ordered.steps.iter();
        steps
            .filter_map(|step| plan::operation(state, step))
            .collect()
    }
}
