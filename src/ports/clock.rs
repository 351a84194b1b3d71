//! Time and chance, so that tests can own both.

use futures::future::LocalBoxFuture;
use journal_format::value::Timestamp;

/// The only source of time and of random numbers.
pub trait Clock {
    /// Returns the wall-clock time. It may jump, both ways.
    fn now(&self) -> Timestamp;

    /// Completes at or after `deadline`; at once when that has passed.
    fn sleep_until(&self, deadline: Timestamp) -> LocalBoxFuture<'_, ()>;

    /// Returns a random number for seeding a session.
    fn random(&self) -> u64;
}
