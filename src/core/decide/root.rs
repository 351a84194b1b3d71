//! Is this the root we know?
//!
//! In: what was found at a root's path. Out: a verdict, and events when a root is
//! first identified, gone, replaced or back. Invariant: a scan proves something only
//! between two verdicts `Known`. Deliberately absent: deletions (`plan/safety.rs`).

use super::Ledger;
use crate::input::{RootFinding, RootVerdict};
use crate::tree::index;
use journal_format::event::{Event, HaltReason, SessionEvent};
use journal_format::value::Side;

/// Judges what was found where a root should be.
pub(crate) fn found_root(ledger: &mut Ledger, side: Side, finding: &RootFinding) -> RootVerdict {
    let known = ledger.state.markers[index(side)].clone();
    match (known, finding) {
        (None, RootFinding::Missing) => RootVerdict::NeverSeen,
        (None, RootFinding::Present(None)) => RootVerdict::Unmarked,
        (None, RootFinding::Present(Some(marker))) => {
            let marker = marker.clone();
            ledger.emit(Event::Session(SessionEvent::RootIdentified {
                side,
                marker,
            }));
            clear(ledger, side);
            RootVerdict::Known
        }
        (Some(_), RootFinding::Missing) => halt(ledger, side, HaltReason::RootMissing),
        (Some(known), RootFinding::Present(marker)) if marker.as_ref() == Some(&known) => {
            clear(ledger, side);
            RootVerdict::Known
        }
        (Some(_), RootFinding::Present(_)) => halt(ledger, side, HaltReason::RootReplaced),
    }
}

fn halt(ledger: &mut Ledger, side: Side, reason: HaltReason) -> RootVerdict {
    let stands = ledger
        .state
        .halt
        .is_some_and(|halt| halt.side == side && halt.reason == reason);
    if !stands {
        let count = ledger.state.tree.counts().present[index(side.other())];
        let raised = SessionEvent::HaltRaised {
            reason,
            side,
            count,
            plan: [0; 16],
        };
        ledger.emit(Event::Session(raised));
    }
    RootVerdict::Halted
}

fn clear(ledger: &mut Ledger, side: Side) {
    let about_root = |reason| matches!(reason, HaltReason::RootMissing | HaltReason::RootReplaced);
    if let Some(halt) = ledger.state.halt
        && halt.side == side
        && about_root(halt.reason)
    {
        ledger.emit(Event::Session(SessionEvent::HaltCleared { halt: halt.seq }));
    }
}
