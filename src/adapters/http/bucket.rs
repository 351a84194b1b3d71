//! A limit on bytes per second.
//!
//! In: pieces that are about to be sent or were received. Out: a pause. Invariant:
//! over time no more than the limit passes, with at most one second's worth at once.
//! Deliberately absent: fairness between transfers. Leaves nothing behind.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// A bucket of bytes that fills with time; shared by all transfers of a direction.
pub(crate) struct Bucket {
    per_second: Option<u64>,
    /// When everything that was let through so far is paid for.
    paid: Mutex<Option<Instant>>,
}

impl Bucket {
    /// Makes a bucket; without a rate it never waits.
    pub(crate) const fn new(per_second: Option<u64>) -> Self {
        Self {
            per_second,
            paid: Mutex::new(None),
        }
    }

    /// Waits until `bytes` may pass; for none, not at all.
    pub(crate) async fn take(&self, bytes: usize) {
        if bytes > 0
            && let Some(until) = self.book(bytes, Instant::now())
        {
            tokio::time::sleep_until(until).await;
        }
    }

    /// Lets `bytes` pass at once; who comes next waits for them.
    pub(crate) fn owe(&self, bytes: usize) {
        let _until = self.book(bytes, Instant::now());
    }

    /// Books bytes and says until when to wait.
    fn book(&self, bytes: usize, now: Instant) -> Option<Instant> {
        let rate = self.per_second?.max(1);
        let bytes = u64::try_from(bytes).unwrap_or(u64::MAX);
        let cost = Duration::from_micros(bytes.saturating_mul(1_000_000) / rate);
        // An idle second may be caught up with, no more.
        let earliest = now.checked_sub(BURST).unwrap_or(now);
        let mut booked = self.paid.lock().unwrap_or_else(PoisonError::into_inner);
        let start = booked.map_or(earliest, |paid| paid.max(earliest));
        let paid = start.checked_add(cost).unwrap_or(start);
        *booked = Some(paid);
        (paid > now).then_some(paid)
    }
}

const BURST: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use super::*;
    use futures::FutureExt;

    #[test]
    fn what_passes_is_bounded_by_the_rate_and_one_burst() {
        let bucket = Bucket::new(Some(1000));
        let now = Instant::now();
        assert_eq!(bucket.book(1000, now), None);
        assert_eq!(
            bucket.book(500, now),
            Some(now + Duration::from_millis(500))
        );
        assert_eq!(
            bucket.book(500, now),
            Some(now + Duration::from_millis(1000))
        );
        let later = now + Duration::from_secs(60);
        assert_eq!(bucket.book(1000, later), None);
        assert!(bucket.book(1, later).is_some());
        assert_eq!(Bucket::new(None).book(usize::MAX, now), None);
    }

    #[test]
    fn nothing_passes_at_once_and_what_is_owed_is_paid_by_who_comes_next() {
        let bucket = Bucket::new(Some(1000));
        bucket.owe(60_000);
        assert_eq!(bucket.take(0).now_or_never(), Some(()));
        let until = bucket.book(1, Instant::now()).expect("a wait");
        assert!(until > Instant::now() + Duration::from_secs(50));
    }
}
