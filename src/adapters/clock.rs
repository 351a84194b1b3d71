//! The machine's clock and its source of random numbers.
//!
//! In: nothing. Out: `ports::Clock` over tokio's timers. Invariant: none about the
//! time, which may jump; timers run by the monotonic clock. A crash leaves nothing.

use crate::ports::Clock;
use futures::future::LocalBoxFuture;
use journal_format::value::Timestamp;
use std::hash::{BuildHasher, RandomState};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// The system's clock; needs a tokio runtime.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is the clock")]
    fn now(&self) -> Timestamp {
        let millis = match SystemTime::now().duration_since(UNIX_EPOCH) {
            Ok(since) => i64::try_from(since.as_millis()).unwrap_or(i64::MAX),
            Err(before) => {
                i64::try_from(before.duration().as_millis()).map_or(i64::MIN, |millis| -millis)
            }
        };
        Timestamp(millis)
    }

    fn sleep_until(&self, deadline: Timestamp) -> LocalBoxFuture<'_, ()> {
        let wait = deadline
            .0
            .saturating_sub(self.now().0)
            .clamp(0, LONGEST_SLEEP_MS);
        let wait = Duration::from_millis(u64::try_from(wait).unwrap_or(0));
        Box::pin(tokio::time::sleep(wait))
    }

    fn random(&self) -> u64 {
        RandomState::new().hash_one(self.now().0)
    }
}

/// After this the caller looks at the time again: wall clocks jump.
const LONGEST_SLEEP_MS: i64 = 60_000;
