//! Time, which passes only when the world says so.
//!
//! In: steps and jumps. Out: the clocks of both sides, deadlines that come due.
//! Fault model: the local clock may jump by up to three days, both ways; the
//! remote one is off by a constant. Invariant: true time never goes back.
//! Deliberately absent: the system's clock. A crash drops the sleepers.

use super::Inner;
use futures::future::LocalBoxFuture;
use journal_format::value::{Side, Timestamp};
use pydio_sync::ports::Clock;
use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

/// The world's time.
#[derive(Debug, Default)]
pub struct Time {
    true_ns: i64,
    jump_ns: i64,
    skew_ns: [i64; 2],
    sleepers: BTreeMap<u64, (Timestamp, Waker)>,
    made: u64,
}

impl Time {
    /// Starts at a fixed date.
    #[must_use]
    pub fn new(skew_ns: [i64; 2]) -> Self {
        Self {
            true_ns: 1_700_000_000_000_000_000,
            skew_ns,
            ..Self::default()
        }
    }

    /// Returns a side's clock in nanoseconds since 1970.
    #[must_use]
    pub const fn now_ns(&self, side: Side) -> i64 {
        match side {
            Side::Local => self.true_ns + self.jump_ns + self.skew_ns[0],
            Side::Remote => self.true_ns + self.skew_ns[1],
        }
    }

    /// Returns the clock that the program sees.
    #[must_use]
    pub const fn now(&self) -> Timestamp {
        Timestamp(self.now_ns(Side::Local) / 1_000_000)
    }

    /// Lets time pass.
    pub fn pass(&mut self, ns: i64) {
        self.true_ns += ns.max(0);
        self.wake_due();
    }

    /// Sets the local clock forward or back.
    pub fn jump(&mut self, ns: i64) {
        self.jump_ns = (self.jump_ns + ns).clamp(-JUMP_MAX_NS, JUMP_MAX_NS);
        self.wake_due();
    }

    /// Lets time pass until the next sleeper wakes; tells whether there is one.
    pub fn pass_to_next(&mut self) -> bool {
        let now = self.now();
        let next = self.sleepers.values().map(|(deadline, _)| *deadline).min();
        let Some(next) = next else {
            return false;
        };
        self.pass(
            next.0
                .saturating_sub(now.0)
                .max(0)
                .saturating_mul(1_000_000)
                + 1_000_000,
        );
        true
    }

    fn wake_due(&mut self) {
        let now = self.now();
        let due = |(deadline, _): &&(Timestamp, Waker)| *deadline <= now;
        for (_, waker) in self.sleepers.values().filter(due) {
            waker.wake_by_ref();
        }
    }
}

/// The [`Clock`] of a world.
pub struct WorldClock(pub(super) Rc<Inner>);

impl Clock for WorldClock {
    fn now(&self) -> Timestamp {
        self.0.state.borrow().time.now()
    }

    fn sleep_until(&self, deadline: Timestamp) -> LocalBoxFuture<'_, ()> {
        Box::pin(Sleep {
            inner: Rc::clone(&self.0),
            deadline,
            id: None,
        })
    }

    fn random(&self) -> u64 {
        self.0.state.borrow_mut().rng.bits()
    }
}

struct Sleep {
    inner: Rc<Inner>,
    deadline: Timestamp,
    id: Option<u64>,
}

impl Future for Sleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let inner = Rc::clone(&self.inner);
        let time = &mut inner.state.borrow_mut().time;
        if time.now() >= self.deadline {
            return Poll::Ready(());
        }
        let id = self.id.unwrap_or_else(|| {
            time.made += 1;
            time.made
        });
        self.id = Some(id);
        time.sleepers
            .insert(id, (self.deadline, context.waker().clone()));
        Poll::Pending
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        if let Some(id) = self.id {
            self.inner.state.borrow_mut().time.sleepers.remove(&id);
        }
    }
}

/// Far less than the trash keeps things.
const JUMP_MAX_NS: i64 = 3 * 86_400 * 1_000_000_000;
