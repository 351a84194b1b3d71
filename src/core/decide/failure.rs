//! What a failed operation means for the next try.
//!
//! In: a class of failure and how often it happened. Out: `Failed` with the time of
//! the next try. Invariant: waits grow, are bounded, and come from the journaled seed,
//! so that many clients spread and a replay waits alike. Deliberately absent: the
//! retry itself (`plan/steps.rs` reads the time). A new class gets its waits here.

use super::Ledger;
use crate::limits;
use journal_format::event::{Event, FailureClass, OperationEvent};
use journal_format::value::Seq;
use xxhash_rust::xxh3::xxh3_64_with_seed;

/// Appends the failure of an open operation.
pub(crate) fn failed(
    ledger: &mut Ledger,
    operation: Seq,
    class: FailureClass,
    detail: &str,
    retry_after_ms: Option<u64>,
) {
    let state = &ledger.state;
    let Some(open) = state.open.get(&operation) else {
        return;
    };
    let known = open.node.and_then(|(node, _)| state.failures.get(&node));
    let count = known.map_or(0, |failure| failure.count);
    let wait = i64::try_from(retry_after_ms.unwrap_or(0)).unwrap_or(i64::MAX);
    let wait = wait
        .min(limits::BACKOFF_LASTING_MAX_MS)
        .max(backoff_ms(class, count));
    let jitter = jitter_ms(state.seed, operation, wait);
    let retry_at = ledger.now.plus_millis(wait).plus_millis(jitter);
    let failed = OperationEvent::Failed {
        operation,
        class,
        detail: cut(detail),
        retry_at: Some(retry_at),
    };
    ledger.emit(Event::Operation(failed));
}

/// Appends the failure of an operation that a process left open when it stopped. It is
/// tried again at once however often that happened: no server brought it about.
pub(crate) fn interrupted(ledger: &mut Ledger, operation: Seq) {
    let failed = OperationEvent::Failed {
        operation,
        class: FailureClass::InDoubt,
        detail: "the process stopped meanwhile".to_owned(),
        retry_at: Some(ledger.now),
    };
    ledger.emit(Event::Operation(failed));
}

/// How long to wait after `count` earlier failures.
const fn backoff_ms(class: FailureClass, count: u32) -> i64 {
    let (first, longest) = match class {
        // It is looked at once; a server that leaves everything in doubt is not hammered.
        FailureClass::InDoubt if count == 0 => return 0,
        FailureClass::Retry
        | FailureClass::Precondition
        | FailureClass::NoSpace
        | FailureClass::InDoubt => (limits::BACKOFF_FIRST_MS, limits::BACKOFF_MAX_MS),
        FailureClass::Auth
        | FailureClass::Unsupported
        | FailureClass::Denied
        | FailureClass::Fatal => (limits::BACKOFF_LASTING_MS, limits::BACKOFF_LASTING_MAX_MS),
    };
    let doublings = if count > 16 { 16 } else { count };
    let wait = first << doublings;
    if wait > longest { longest } else { wait }
}

/// Up to a tenth of the wait, from the session's journaled seed, so that many
/// clients do not come back at once and a replay waits alike.
fn jitter_ms(seed: u64, operation: Seq, wait_ms: i64) -> i64 {
    let random = xxh3_64_with_seed(&operation.0.to_be_bytes(), seed) >> 1;
    i64::try_from(random).unwrap_or(0) % (wait_ms / 10 + 1)
}

fn cut(detail: &str) -> String {
    let mut end = detail.len().min(limits::DETAIL_BYTES_MAX);
    while !detail.is_char_boundary(end) {
        end -= 1;
    }
    detail[..end].to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_whatever_failed_and_are_bounded() {
        for class in [
            FailureClass::Retry,
            FailureClass::Precondition,
            FailureClass::NoSpace,
            FailureClass::InDoubt,
            FailureClass::Auth,
            FailureClass::Unsupported,
            FailureClass::Denied,
            FailureClass::Fatal,
        ] {
            let waits: Vec<i64> = (0..40).map(|count| backoff_ms(class, count)).collect();
            let is_at_once = class == FailureClass::InDoubt;
            assert_eq!(waits[0] == 0, is_at_once, "{class:?}");
            assert!(
                waits[1] > waits[0] && waits.is_sorted(),
                "{class:?}: {waits:?}"
            );
            assert!(waits[39] <= limits::BACKOFF_LASTING_MAX_MS, "{class:?}");
        }
    }
}
