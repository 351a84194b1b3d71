//! The brakes: plans that look like a disaster wait for a person.
//!
//! In: goals. Out: the reason to halt, if there is one. Moves count for nothing;
//! what a person approved does not count again. Invariant: pure, so that a halt can
//! be replayed. Deliberately absent: root checks (`decide::root` raises those).

use super::goal::{Content, Wish};
use super::merge::change;
use super::structure::Goals;
use super::table::Change;
use crate::limits;
use crate::state::State;
use crate::tree::{NodeId, index};
use journal_format::event::HaltReason;
use journal_format::value::{Kind, Side};
use xxhash_rust::xxh3::Xxh3Default;

/// What a plan would take away, by the side that loses it.
#[derive(Debug, Default)]
pub(crate) struct Endangered {
    deletions: [Vec<NodeId>; 2],
    overwrites: [Vec<NodeId>; 2],
}

/// A reason to halt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Brake {
    pub(crate) reason: HaltReason,
    pub(crate) side: Side,
    pub(crate) count: u64,
    pub(crate) plan: [u8; 16],
}

impl Endangered {
    pub(super) fn find(state: &State, goals: &Goals) -> Self {
        let mut found = Self::default();
        for (id, goal) in goals {
            if state.approved.contains(id) {
                continue;
            }
            match &goal.wish {
                Wish::Absent { .. } => {
                    for side in Side::BOTH {
                        if state.tree.facet(*id, side).is_present() {
                            found.deletions[index(side)].push(*id);
                        }
                    }
                }
                Wish::Present {
                    content: Content::Send { from, .. },
                    ..
                } => {
                    let is_edit = state.tree.node(*id).kind == Kind::File
                        && [Change::Edited, Change::Torn].contains(&change(state, *id, *from))
                        && change(state, *id, from.other()) == Change::Same;
                    if is_edit {
                        found.overwrites[index(from.other())].push(*id);
                    }
                }
                Wish::Present { .. } | Wish::Frozen { .. } => {}
            }
        }
        found
    }

    pub(crate) fn nodes(&self) -> impl Iterator<Item = NodeId> + '_ {
        self.deletions
            .iter()
            .chain(&self.overwrites)
            .flatten()
            .copied()
    }

    /// Identifies the plan: which nodes lose what on which side.
    pub(crate) fn plan_digest(&self, state: &State) -> [u8; 16] {
        let mut hasher = Xxh3Default::new();
        for (mark, nodes) in (0_u8..).zip(self.deletions.iter().chain(&self.overwrites)) {
            let mut uids: Vec<u64> = nodes.iter().map(|id| state.tree.node(*id).uid).collect();
            uids.sort_unstable();
            for uid in uids {
                hasher.update(&[mark]);
                hasher.update(&uid.to_be_bytes());
            }
        }
        hasher.digest128().to_be_bytes()
    }

    /// Finds the first brake that this trips.
    pub(super) fn brake(&self, state: &State) -> Option<Brake> {
        Side::BOTH.into_iter().find_map(|side| {
            let (reason, count) = self.reason(state, side)?;
            Some(Brake {
                reason,
                side,
                count,
                plan: self.plan_digest(state),
            })
        })
    }

    fn reason(&self, state: &State, side: Side) -> Option<(HaltReason, u64)> {
        let deletions = count(&self.deletions[index(side)]);
        let overwrites = count(&self.overwrites[index(side)]);
        let counts = state.tree.counts();
        let brakes = state.policy().brakes;
        if deletions > 0 && state.history_lost {
            return Some((HaltReason::HistoryLost, deletions));
        }
        if state.rollback.is_some() && side == Side::Local && deletions + overwrites > 0 {
            return Some((HaltReason::RolledBack, deletions + overwrites));
        }
        let other_is_empty = counts.present[index(side.other())] == 0;
        if deletions >= limits::EMPTIED_ENTRIES_MIN && other_is_empty {
            return Some((HaltReason::RootEmptied, deletions));
        }
        if deletions > 0 {
            let since = state.time.plus_millis(-limits::BRAKE_WINDOW_MS);
            let recent: u64 = state
                .removals
                .iter()
                .filter(|removed| removed.side == side && removed.time >= since)
                .map(|removed| removed.count)
                .sum();
            let all = deletions + recent;
            let known = counts.present[index(side)] + recent;
            let share = all * 100 > known * u64::from(brakes.deletions_percent_max);
            if all > brakes.deletions_max || known >= brakes.entries_min && share {
                return Some((HaltReason::TooManyDeletions, deletions));
            }
        }
        let files = counts.baseline_files;
        if overwrites >= brakes.entries_min && overwrites == files {
            return Some((HaltReason::EverythingChanged, overwrites));
        }
        None
    }
}

fn count(nodes: &[NodeId]) -> u64 {
    u64::try_from(nodes.len()).unwrap_or(u64::MAX)
}
