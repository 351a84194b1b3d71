//! How things stand, for people and for the driver.
//!
//! In: the engine. Out: counts, lists. Invariant: nothing here changes the engine.
//! Deliberately absent: plans (`judge`), words about states (`cli`).

use super::Engine;
use crate::plan;
use crate::state::{Conflict, Halt};
use crate::tree::{NodeId, Presence};
use journal_format::event::{Action, Case, UnknownReason};
use journal_format::value::{RelPath, Side};
use std::collections::BTreeSet;

/// How things stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Standing {
    /// Nodes that differ and will be worked on.
    pub pending: u64,
    /// Those of them that nothing holds: no conflict, no divergence, no failure, and
    /// no name that will not become free.
    pub workable: u64,
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
        // Also what was decided, should the decision not have settled it.
        let waits = |case: Case, conflict: &Conflict| {
            conflict.resolution.is_none() || matches!(case, Case::C1 | Case::C2 | Case::C3)
        };
        let unresolved = self.waiting.stuck.iter().filter(|(id, case)| {
            let mut conflict = state.conflicts.get(id).into_iter();
            conflict.any(|conflict| waits(*case, conflict))
        });
        Standing {
            pending: count(state.tree.dirty().len()),
            workable: self.workable(),
            conflicts: count(unresolved.count()),
            problems: count(problems),
            divergences: stuck(&[Case::V1]),
            halt: state.halt,
        }
    }

    /// What has no step and waits for none waits for what is held. What changed since the
    /// plan is held by nothing, as far as is known.
    fn workable(&self) -> u64 {
        let is_planned = !self.stale && !self.draining && self.ledger.state.halt.is_none();
        let is_at_work = self.waiting.is_at_work || self.outstanding() > 0;
        if is_planned && !is_at_work {
            return 0;
        }
        let tree = &self.ledger.state.tree;
        let stuck = self.stuck.union(&self.blocked).copied();
        let failed = self.ledger.state.failures.keys().copied();
        let held: BTreeSet<NodeId> = stuck.chain(failed).collect();
        let held = held.into_iter().filter(|id| tree.is_dirty(*id)).count();
        u64::try_from(tree.dirty().len().saturating_sub(held)).unwrap_or(u64::MAX)
    }

    /// Returns the bytes of content that planned and open transfers have to carry.
    #[must_use]
    pub fn outstanding_bytes(&self) -> u64 {
        let state = &self.ledger.state;
        let planned = self.schedule.steps().map(|step| match step.act {
            plan::Act::Transfer { from, .. } if state.is_node(step.node, step.uid) => {
                state.tree.facet(step.node, from).facts.size
            }
            _ => 0,
        });
        let open = state
            .open
            .values()
            .map(|open| match &open.operation.action {
                Action::Transfer { expect, .. } => expect.fingerprint.size,
                _ => 0,
            });
        planned.chain(open).fold(0, u64::saturating_add)
    }

    /// Tells whether both sides were scanned whole since the start.
    #[must_use]
    pub fn has_seen_both(&self) -> bool {
        self.scanned.iter().all(|scanned| *scanned)
    }

    /// A failure is over when both sides came to agree without the operation, or when
    /// a filter leaves the node out.
    fn problem_nodes(&self) -> BTreeSet<NodeId> {
        let state = &self.ledger.state;
        let failed = state.failures.keys().copied();
        let is_left_out = |id| {
            let left_out = Presence::Unknown(UnknownReason::Excluded);
            let mut sides = Side::BOTH.into_iter();
            sides.any(|side| state.tree.facet(id, side).presence == left_out)
        };
        let failed = failed.filter(|id| !state.tree.is_in_sync(*id) && !is_left_out(*id));
        state.tree.unknown().chain(failed).collect()
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
}

#[cfg(test)]
mod tests {
    use super::*;
    use journal_format::event::{
        Event, FailureClass, ObservationEvent, Operation, OperationEvent, Record,
    };
    use journal_format::value::{Entry, Fingerprint, Identity, Kind, Seq, Timestamp};

    fn directory(object: u64) -> Entry {
        Entry {
            fingerprint: Fingerprint {
                kind: Kind::Directory,
                size: 0,
                mtime_ns: 0,
                identity: Some(Identity {
                    device: 1,
                    object,
                    born_ns: 1,
                }),
                version: None,
            },
            digest: None,
        }
    }

    #[test]
    fn a_failure_is_no_problem_once_both_sides_agree() {
        let path = RelPath::new("d").expect("a path");
        let observed = |side, object| {
            Event::Observation(ObservationEvent::Observed {
                side,
                path: path.clone(),
                entry: directory(object),
            })
        };
        let adopted = OperationEvent::Adopted {
            local: path.clone(),
            remote: path.clone(),
            case: Case::A1,
        };
        let gone = ObservationEvent::Gone {
            side: Side::Local,
            path: path.clone(),
            epoch: 1,
        };
        let started = OperationEvent::Started {
            operation: Operation {
                case: Case::R1,
                action: Action::MakeDirectory {
                    side: Side::Local,
                    path: path.clone(),
                },
            },
        };
        let failed = OperationEvent::Failed {
            operation: Seq(5),
            class: FailureClass::InDoubt,
            detail: "the process stopped meanwhile".to_owned(),
            retry_at: Some(Timestamp(7)),
        };
        let events = [
            observed(Side::Local, 2),
            observed(Side::Remote, 3),
            Event::Operation(adopted),
            Event::Observation(gone),
            Event::Operation(started),
            Event::Operation(failed),
            observed(Side::Local, 4),
        ];
        let mut engine = Engine::new();
        for (seq, event) in (1..).zip(events) {
            let time = Timestamp(seq);
            let seq = Seq(u64::try_from(seq).expect("small"));
            engine.replay(&Record { seq, time, event });
            let is_told = !engine.problems().is_empty();
            assert_eq!(is_told, seq == Seq(6), "after {seq}");
        }
    }
}
