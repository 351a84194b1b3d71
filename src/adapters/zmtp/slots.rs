//! Who is connected to a socket, and who gives way when it is full.
//!
//! In: newcomers, and what connections say of themselves. Out: a [`Seat`], or a
//! refusal. Invariants: never more seats than the limit; a connection that is in use
//! is never sent away for a newcomer. First to go is the oldest unfinished handshake,
//! so that peers who connect and say nothing keep nobody out; then the connection that
//! has been idle for longest and would lose nothing.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};
use tokio::sync::Notify;

/// What a connection is doing, the first to go first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Use {
    /// It was told to go.
    Leaving,
    /// The handshake is not over.
    Greeting,
    /// It would lose nothing if it were closed.
    Idle,
    /// It is in use.
    Busy,
}

/// All connections of one socket.
#[derive(Debug)]
pub(super) struct Slots {
    seats_max: usize,
    inner: Mutex<Inner>,
    /// Told when a seat is free again.
    freed: Notify,
}

#[derive(Debug, Default)]
struct Inner {
    clock: u64,
    seats: BTreeMap<u64, Occupant>,
}

#[derive(Debug)]
struct Occupant {
    usage: Use,
    /// When it last changed its use, by the count of such changes.
    since: u64,
    leave: Arc<Notify>,
}

/// A connection's seat; dropping it frees it.
#[derive(Debug)]
pub(super) struct Seat {
    slots: Arc<Slots>,
    id: u64,
    leave: Arc<Notify>,
}

impl Slots {
    pub(super) fn new(seats_max: usize) -> Self {
        Self {
            seats_max,
            inner: Mutex::default(),
            freed: Notify::new(),
        }
    }

    /// Seats a newcomer, if need be once somebody who gives way has left; nothing
    /// when everybody is in use.
    pub(super) async fn admit(self: &Arc<Self>) -> Option<Seat> {
        loop {
            let freed = self.freed.notified();
            {
                let mut inner = self.lock();
                if inner.seats.len() < self.seats_max {
                    return Some(self.seat(&mut inner));
                }
                let seats = inner.seats.values_mut();
                // Somebody on the way out comes first: one seat for one newcomer.
                let first = seats.min_by_key(|occupant| (occupant.usage, occupant.since))?;
                match first.usage {
                    Use::Leaving => {}
                    Use::Greeting | Use::Idle => {
                        first.usage = Use::Leaving;
                        first.leave.notify_one();
                    }
                    Use::Busy => return None,
                }
            }
            freed.await;
        }
    }

    /// Waits until no connection is in use.
    pub(super) async fn rested(&self) {
        loop {
            let freed = self.freed.notified();
            let busy = self.lock().seats.values().any(|one| one.usage == Use::Busy);
            if !busy {
                return;
            }
            freed.await;
        }
    }

    fn seat(self: &Arc<Self>, inner: &mut Inner) -> Seat {
        let id = inner.clock;
        inner.clock += 1;
        let leave = Arc::new(Notify::new());
        inner.seats.insert(
            id,
            Occupant {
                usage: Use::Greeting,
                since: id,
                leave: Arc::clone(&leave),
            },
        );
        Seat {
            slots: Arc::clone(self),
            id,
            leave,
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner
            .lock()
            .expect("nothing panics while it holds the seats")
    }
}

impl Seat {
    /// Tells what the connection is doing now.
    pub(super) fn set(&self, usage: Use) {
        let mut inner = self.slots.lock();
        inner.clock += 1;
        let since = inner.clock;
        if let Some(occupant) = inner.seats.get_mut(&self.id)
            && occupant.usage != Use::Leaving
            && occupant.usage != usage
        {
            occupant.usage = usage;
            occupant.since = since;
            if usage == Use::Idle {
                self.slots.freed.notify_waiters();
            }
        }
    }

    /// Waits until the connection has to give way.
    pub(super) async fn unseated(&self) {
        self.leave.notified().await;
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.slots.lock().seats.remove(&self.id);
        self.slots.freed.notify_waiters();
    }
}
