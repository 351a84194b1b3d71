//! Who is subscribed to what, and what waits for each of them.
//!
//! In: subscriptions, messages in wire form, room as connections make it. Out: bytes
//! for each connection. Invariants: a queue never holds more than its bound (or one
//! single message); a message that must not be lost is queued, or its subscriber is
//! disconnected; watched by `tests/it/zmtp/attacks.rs`. Deliberately absent: sockets.

use super::decoder::Violation;
use super::filter::Filter;
use super::limits::Limits;
use bytes::Bytes;
use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard};
use tokio::sync::Notify;

/// What a queued message costs beside its bytes.
const MESSAGE_BYTES: usize = 64;
/// Bytes that a connection takes at a time.
const BATCH_BYTES: usize = 64 << 10;

/// All subscribers of one socket.
#[derive(Debug)]
pub(super) struct Audience {
    limits: Limits,
    inner: Mutex<Inner>,
    /// Told when a queue that was in the way has drained, or has gone.
    room: Notify,
}

#[derive(Debug, Default)]
struct Inner {
    next: u64,
    subscribers: BTreeMap<u64, Subscriber>,
    evicted: u64,
    missed: u64,
}

#[derive(Debug, Default)]
struct Subscriber {
    filter: Filter,
    queue: VecDeque<Bytes>,
    /// What the queue costs, and the batch that is being sent.
    queue_bytes: usize,
    batch_bytes: usize,
    /// Whether a publisher waits for it.
    awaited: bool,
    wake: Arc<Notify>,
}

/// A subscriber's place in the audience; dropping it gives the place up.
#[derive(Debug)]
pub(super) struct Place {
    audience: Arc<Audience>,
    id: u64,
    wake: Arc<Notify>,
}

/// How the subscribers of a socket are doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Standing {
    /// Connections that have subscribed to something.
    pub subscribers: usize,
    /// Bytes that wait for all of them.
    pub waiting_bytes: usize,
    /// Subscribers that were disconnected because they did not read.
    pub evicted: u64,
    /// Messages without a number that a subscriber missed because it was behind.
    pub missed: u64,
}

impl Subscriber {
    fn waiting_bytes(&self) -> usize {
        self.queue_bytes + self.batch_bytes
    }

    fn push(&mut self, message: Bytes) {
        self.queue_bytes += message.len() + MESSAGE_BYTES;
        self.queue.push_back(message);
        // While a batch is being sent, its end looks at the queue.
        if self.queue.len() == 1 && self.batch_bytes == 0 {
            self.wake.notify_one();
        }
    }
}

impl Audience {
    pub(super) fn new(limits: Limits) -> Self {
        Self {
            limits,
            inner: Mutex::default(),
            room: Notify::new(),
        }
    }

    pub(super) fn has_subscribers(&self) -> bool {
        let inner = self.lock();
        inner.subscribers.values().any(|one| !one.filter.is_empty())
    }

    pub(super) fn is_wanted(&self, topic: &[u8]) -> bool {
        let inner = self.lock();
        inner
            .subscribers
            .values()
            .any(|one| one.filter.matches(topic))
    }

    pub(super) fn standing(&self) -> Standing {
        let inner = self.lock();
        let subscribed = inner
            .subscribers
            .values()
            .filter(|one| !one.filter.is_empty());
        Standing {
            subscribers: subscribed.count(),
            waiting_bytes: inner
                .subscribers
                .values()
                .map(Subscriber::waiting_bytes)
                .sum(),
            evicted: inner.evicted,
            missed: inner.missed,
        }
    }

    /// Queues a message for those who want it and have room; the others miss it.
    pub(super) fn offer(&self, topic: &[u8], encode: impl FnOnce() -> Vec<u8>) {
        let mut inner = self.lock();
        let mut encoder = Some(encode);
        let mut message = None;
        let mut missed = 0;
        for one in inner.subscribers.values_mut() {
            if !one.filter.matches(topic) {
                continue;
            }
            if let Some(encode) = encoder.take() {
                message = Some(Bytes::from(encode()));
            }
            match &message {
                Some(message) if !one.awaited && self.fits(one, message.len()) => {
                    one.push(message.clone());
                }
                _ => missed += 1,
            }
        }
        inner.missed += missed;
    }

    /// Queues a message for those who want it and have room. Returns it with those
    /// who have none, or nothing when all is done.
    pub(super) fn queue(
        self: &Arc<Self>,
        topic: &[u8],
        encode: impl FnOnce() -> Vec<u8>,
    ) -> Option<Waiting> {
        let mut inner = self.lock();
        let mut encoder = Some(encode);
        let mut message = Bytes::new();
        let mut behind = Vec::new();
        for (id, one) in &mut inner.subscribers {
            if !one.filter.matches(topic) {
                continue;
            }
            if let Some(encode) = encoder.take() {
                message = Bytes::from(encode());
            }
            if self.fits(one, message.len()) {
                one.push(message.clone());
            } else {
                one.awaited = true;
                behind.push(*id);
            }
        }
        (!behind.is_empty()).then(|| Waiting {
            audience: Arc::clone(self),
            message,
            behind,
        })
    }

    /// Waits until nothing waits for anybody.
    pub(super) async fn drained(&self) {
        loop {
            let room = self.room.notified();
            if self.standing().waiting_bytes == 0 {
                return;
            }
            room.await;
        }
    }

    /// Adds a connection.
    pub(super) fn join(self: &Arc<Self>) -> Place {
        let mut inner = self.lock();
        let id = inner.next;
        inner.next += 1;
        let wake = Arc::new(Notify::new());
        inner.subscribers.insert(
            id,
            Subscriber {
                wake: Arc::clone(&wake),
                ..Subscriber::default()
            },
        );
        Place {
            audience: Arc::clone(self),
            id,
            wake,
        }
    }

    fn fits(&self, one: &Subscriber, bytes: usize) -> bool {
        one.waiting_bytes() == 0 || one.waiting_bytes() + bytes <= self.limits.queue_bytes_max
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner
            .lock()
            .expect("nothing panics while it holds the audience")
    }
}

/// A message on its way to subscribers whose queues are full. Dropping it
/// disconnects them.
#[derive(Debug)]
pub(super) struct Waiting {
    audience: Arc<Audience>,
    message: Bytes,
    behind: Vec<u64>,
}

impl Waiting {
    /// Waits until each of them has drained half of its queue and has the message,
    /// or has gone. Whoever is told to stop waiting drops this.
    pub(super) async fn delivered(&mut self) {
        loop {
            let audience = Arc::clone(&self.audience);
            let room = audience.room.notified();
            if self.retry() {
                return;
            }
            room.await;
        }
    }

    /// Returns whether nobody is behind any longer.
    fn retry(&mut self) -> bool {
        let audience = Arc::clone(&self.audience);
        let mut inner = audience.lock();
        let half = audience.limits.queue_bytes_max / 2;
        self.behind.retain(|id| {
            let Some(one) = inner.subscribers.get_mut(id) else {
                return false;
            };
            let may_have_it = one.waiting_bytes() <= half && audience.fits(one, self.message.len());
            if may_have_it {
                one.awaited = false;
                one.push(self.message.clone());
            }
            !may_have_it
        });
        self.behind.is_empty()
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        if self.behind.is_empty() {
            return;
        }
        let mut inner = self.audience.lock();
        for id in &self.behind {
            if let Some(gone) = inner.subscribers.remove(id) {
                inner.evicted += 1;
                gone.wake.notify_one();
            }
        }
    }
}

impl Place {
    /// Waits until there may be something to take, or until the place is lost.
    pub(super) async fn woken(&self) {
        self.wake.notified().await;
    }

    /// Tells that the last batch has been sent, and appends the next one. Returns
    /// nothing when the subscriber was disconnected.
    pub(super) fn refill(&self, out: &mut Vec<u8>) -> Option<()> {
        let mut inner = self.audience.lock();
        let one = inner.subscribers.get_mut(&self.id)?;
        let sent_some = one.batch_bytes > 0;
        one.batch_bytes = 0;
        while one.batch_bytes < BATCH_BYTES {
            let Some(message) = one.queue.pop_front() else {
                break;
            };
            one.queue_bytes -= message.len() + MESSAGE_BYTES;
            one.batch_bytes += message.len();
            out.extend_from_slice(&message);
        }
        if one.queue.is_empty() {
            // What a burst needed is not kept for ever.
            one.queue.shrink_to(64);
        }
        if sent_some && one.waiting_bytes() <= self.audience.limits.queue_bytes_max / 2 {
            self.audience.room.notify_waiters();
        }
        Some(())
    }

    /// Returns whether the subscriber was disconnected.
    pub(super) fn is_lost(&self) -> bool {
        !self.audience.lock().subscribers.contains_key(&self.id)
    }

    /// Adds a subscription. Returns whether there is any now.
    ///
    /// # Errors
    /// There are too many.
    pub(super) fn subscribe(&self, prefix: Vec<u8>) -> Result<(), Violation> {
        let mut inner = self.audience.lock();
        match inner.subscribers.get_mut(&self.id) {
            Some(one) => one.filter.subscribe(prefix, &self.audience.limits),
            None => Ok(()),
        }
    }

    /// Takes a subscription back. Returns whether none is left.
    pub(super) fn cancel(&self, prefix: &[u8]) -> bool {
        let mut inner = self.audience.lock();
        inner.subscribers.get_mut(&self.id).is_some_and(|one| {
            one.filter.cancel(prefix);
            one.filter.is_empty()
        })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.audience.lock().subscribers.remove(&self.id);
        self.audience.room.notify_waiters();
    }
}
