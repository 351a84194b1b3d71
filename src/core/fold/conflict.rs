//! Conflict events: raised, resolved by a person, settled.
//!
//! In: state, event. Out: the conflicts that stand. Invariant: a conflict belongs to a
//! node, so it follows its file when that moves. Deliberately absent: what follows
//! from a resolution (`plan/merge.rs` reads it as policy for that node).

use crate::state::{Conflict, State};
use journal_format::event::ConflictEvent;
use journal_format::value::{Seq, Side};

pub(super) fn fold(state: &mut State, seq: Seq, event: &ConflictEvent) {
    match event {
        ConflictEvent::Raised {
            local,
            remote,
            case,
        } => {
            let node = state
                .tree
                .lookup(Side::Local, local)
                .or_else(|| state.tree.lookup(Side::Remote, remote));
            if let Some(node) = node {
                state.conflicts.insert(
                    node,
                    Conflict {
                        seq,
                        case: *case,
                        resolution: None,
                    },
                );
            }
        }
        ConflictEvent::Resolved { conflict, keep, .. } => {
            for standing in state.conflicts.values_mut() {
                if standing.seq == *conflict {
                    standing.resolution = Some(*keep);
                }
            }
        }
        ConflictEvent::Settled { conflict } => {
            state
                .conflicts
                .retain(|_, standing| standing.seq != *conflict);
        }
    }
}
