//! The server's time, which a test moves.
//!
//! In: nothing, or the machine's clock. Out: microseconds since 1970. Invariant: a
//! stopped clock moves only when told. Deliberately absent: waiting.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, UNIX_EPOCH};

/// A clock; clones are the same one.
#[derive(Clone, Debug)]
pub struct Clock(Option<Arc<AtomicU64>>);

impl Clock {
    /// The machine's.
    #[must_use]
    pub const fn machine() -> Self {
        Self(None)
    }

    /// One that stands still, in the middle of a second of November 2026.
    #[must_use]
    pub fn stopped() -> Self {
        Self(Some(Arc::new(AtomicU64::new(BEGIN_US))))
    }

    /// Moves a stopped clock; the machine's moves by itself.
    pub fn advance(&self, time: Duration) {
        if let Some(now) = &self.0 {
            let more = u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
            now.fetch_add(more, Ordering::SeqCst);
        }
    }

    /// Microseconds since 1970.
    pub(super) fn now(&self) -> u64 {
        self.0.as_ref().map_or_else(
            || {
                let since = UNIX_EPOCH.elapsed().unwrap_or_default();
                u64::try_from(since.as_micros()).unwrap_or(u64::MAX)
            },
            |now| now.load(Ordering::SeqCst),
        )
    }
}

const BEGIN_US: u64 = 1_795_388_400_500_000;
