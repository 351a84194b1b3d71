//! Session events: who the pair is, halts and their release.
//!
//! In: state, event. Out: root, policy, halt and what a person approved. Invariant:
//! an approval releases the plan that was held back and no other; its digest is
//! compared. Deliberately absent: raising a halt (`plan/safety.rs`, `decide/root.rs`).

use crate::plan;
use crate::state::{Feed, Halt, Probed, Rollback, Root, State};
use crate::tree::index;
use journal_format::event::{HaltReason, Order, SessionEvent};
use journal_format::value::{Seq, Timestamp};

#[expect(clippy::too_many_lines, reason = "one flat arm an event")]
pub(super) fn fold(state: &mut State, seq: Seq, time: Timestamp, event: &SessionEvent) {
    match event {
        SessionEvent::RootConfigured {
            job,
            label,
            rules_version,
            digest,
            fold_case,
            policy,
        } => {
            state.tree.set_fold_case(*fold_case);
            state.root = Some(Root {
                job: job.clone(),
                label: label.clone(),
                digest: *digest,
                policy: *policy,
                rules_version: *rules_version,
            });
        }
        SessionEvent::PolicyChanged { policy } => {
            if let Some(root) = &mut state.root {
                root.policy = *policy;
            }
        }
        SessionEvent::RootIdentified { side, marker } => {
            state.markers[index(*side)] = Some(marker.clone());
        }
        SessionEvent::SessionStarted { seed, .. } => {
            state.seed = *seed;
            state.session = seq;
        }
        SessionEvent::SessionStopped => end_rollback(state),
        // What was undone is seen by the next scan, as if done by hand.
        SessionEvent::DigestStamped { .. } | SessionEvent::Undone { .. } => {}
        // What was approved before was about another past.
        SessionEvent::HistoryLost { .. } => {
            state.history_lost = true;
            state.approved.clear();
        }
        SessionEvent::HaltRaised {
            reason,
            side,
            count,
            plan,
        } => {
            state.halt = Some(Halt {
                seq,
                reason: *reason,
                side: *side,
                count: *count,
                plan: *plan,
            });
        }
        SessionEvent::FeedRead { cursor, whole } => {
            let before = state.feed.take().map_or(Timestamp(0), |feed| feed.whole_at);
            state.feed = Some(Feed {
                cursor: cursor.clone(),
                whole_at: if *whole { time } else { before },
            });
            state.rollback = state.rollback.map(|_| Rollback::Seen);
            end_rollback(state);
        }
        SessionEvent::RemoteRolledBack { .. } => {
            state.rollback = Some(Rollback::Told);
            state.approved.clear();
        }
        SessionEvent::RemoteProbed { facts } => {
            state.probed = Some(Probed {
                facts: facts.clone(),
                at: time,
            });
        }
        SessionEvent::HaltApproved { halt, .. } => approve(state, *halt),
        SessionEvent::HaltCleared { halt } => {
            if state.halt.is_some_and(|standing| standing.seq == *halt) {
                state.halt = None;
            }
        }
        SessionEvent::Ordered { order, .. } => match order {
            Order::Pause => state.paused = true,
            Order::Start => state.paused = false,
            Order::Stop => {}
        },
    }
}

/// Ends a rollback of the remote that takes nothing from the local side: such a server is
/// one like any other, and what is deleted on it later is meant.
pub(super) fn end_rollback(state: &mut State) {
    if state.rollback == Some(Rollback::Seen) && !plan::takes_from_local(state) {
        state.rollback = None;
    }
}

/// Releases exactly the plan that was held back: the nodes it endangers now, if
/// it is still that plan.
fn approve(state: &mut State, halt: Seq) {
    let Some(standing) = state.halt.take_if(|standing| standing.seq == halt) else {
        return;
    };
    match standing.reason {
        HaltReason::RootMissing => {}
        HaltReason::RootReplaced => state.markers[index(standing.side)] = None,
        HaltReason::RootEmptied
        | HaltReason::TooManyDeletions
        | HaltReason::EverythingChanged
        | HaltReason::RolledBack
        | HaltReason::HistoryLost => {
            let endangered = plan::endangered(state);
            if endangered.plan_digest(state) == standing.plan {
                state.approved.extend(endangered.nodes());
                state.history_lost = false;
                state.rollback = None;
            }
        }
    }
}
