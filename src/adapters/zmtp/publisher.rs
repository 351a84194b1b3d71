//! The PUB socket: one message to all who subscribed (ZeroMQ RFC 29).
//!
//! In: messages from the daemon. Out: `[topic][sequence: 8 bytes, big-endian][body]`,
//! or a single part for old clients. Invariants: messages leave in order and, if they
//! have a number, without a gap on any connection; nobody waits longer than the stall
//! limit for a subscriber that does not read, which is then disconnected; without a
//! subscriber nothing is encoded. Watched by `tests/it/zmtp/attacks.rs` and
//! `tests/it/zmtp/peers.rs`. Deliberately absent: what is published and when.

use super::audience::{Audience, Place, Standing};
use super::limits::Limits;
use super::link::{Closed, Link};
use super::listener::{Arrival, Serving};
use super::session::Event;
use super::slots::{Seat, Use};
use super::wire::{self, SocketType};
use crate::ports::{Message, Publisher};
use futures::future::LocalBoxFuture;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Mutex;
use tokio::time::timeout;

/// Nothing more is read from a subscriber for whom this much waits to be sent.
const UNSENT_BYTES_MAX: usize = 128 << 10;

/// The socket that publishes.
///
/// Each subscriber has a queue of bounded bytes. While the queue of one who wants a
/// numbered message is full, [`Publisher::publish`] waits until half of it has
/// drained: so the publisher goes at the pace of the slowest one who still reads. Who
/// does not drain half a queue within the stall limit is disconnected, and the others
/// have lost that much time and no message.
#[derive(Debug)]
pub struct PubSocket {
    audience: Arc<Audience>,
    stall: Duration,
    /// Held by the one message that waits for room, so that none overtakes it.
    turn: Mutex<()>,
    _serving: Serving,
}

impl PubSocket {
    pub(super) fn new(listener: tokio::net::TcpListener, limits: Limits) -> Self {
        let audience = Arc::new(Audience::new(limits.clone()));
        let stall = limits.stall;
        let seats_max = limits.connections_max;
        let shared = Arc::new((Arc::clone(&audience), limits));
        let serving = Serving::start(listener, seats_max, move |arrival| {
            let shared = Arc::clone(&shared);
            async move { attend(arrival, &shared.0, &shared.1).await }
        });
        Self {
            audience,
            stall,
            turn: Mutex::new(()),
            _serving: serving,
        }
    }

    /// Returns how the subscribers are doing.
    #[must_use]
    pub fn standing(&self) -> Standing {
        self.audience.standing()
    }

    /// Waits until all that was published has been handed to the system.
    pub(super) async fn drained(&self) {
        self.audience.drained().await;
    }
}

impl Publisher for PubSocket {
    fn has_subscribers(&self) -> bool {
        self.audience.has_subscribers()
    }

    fn is_wanted(&self, topic: &str) -> bool {
        self.audience.is_wanted(topic.as_bytes())
    }

    fn publish(&self, message: Message) -> LocalBoxFuture<'_, ()> {
        let encode = |message: &Message| {
            let seq = message.seq.to_be_bytes();
            encoded(&[message.topic.as_bytes(), &seq, &message.body])
        };
        Box::pin(async move {
            let topic = message.topic.as_bytes();
            if message.seq == 0 {
                self.audience.offer(topic, || encode(&message));
                return;
            }
            let _turn = self.turn.lock().await;
            if let Some(mut waiting) = self.audience.queue(topic, || encode(&message)) {
                // Those who are still behind are disconnected when it is dropped.
                let _in_time = timeout(self.stall, waiting.delivered()).await;
            }
        })
    }

    fn publish_text(&self, text: &str) {
        let topic = text.as_bytes();
        self.audience.offer(topic, || encoded(&[topic]));
    }
}

fn encoded(parts: &[&[u8]]) -> Vec<u8> {
    let mut out = Vec::with_capacity(wire::message_bytes(parts));
    wire::put_message(&mut out, parts);
    out
}

/// Looks after one connection until it ends.
async fn attend(arrival: Arrival, audience: &Arc<Audience>, limits: &Limits) {
    let Arrival { stream, peer, seat } = arrival;
    let mut link = Link::new(stream, SocketType::Pub, limits);
    let ended = tokio::select! {
        ended = feed(&mut link, &seat, audience, limits) => ended,
        () = seat.unseated() => Closed::GaveWay,
    };
    tracing::debug!(%peer, "subscriber: {ended}");
    link.part();
}

async fn feed(link: &mut Link, seat: &Seat, audience: &Arc<Audience>, limits: &Limits) -> Closed {
    if let Err(closed) = link.shake_hands(limits.handshake).await {
        return closed;
    }
    seat.set(Use::Idle);
    let place = audience.join();
    loop {
        match step(link, seat, &place).await {
            Ok(()) => {}
            Err(closed) => return closed,
        }
    }
}

async fn step(link: &mut Link, seat: &Seat, place: &Place) -> Result<(), Closed> {
    while let Some(event) = link.event()? {
        match event {
            Event::Subscribe(prefix) => {
                place.subscribe(prefix)?;
                seat.set(Use::Busy);
            }
            Event::Cancel(prefix) => {
                if place.cancel(&prefix) {
                    seat.set(Use::Idle);
                }
            }
            Event::Ready | Event::Message(_) | Event::PassedOver { .. } => {}
        }
    }
    if link.unsent_bytes() == 0 {
        link.fill(|out| place.refill(out)).ok_or(Closed::Stalled)?;
    }
    let reading = link.unsent_bytes() < UNSENT_BYTES_MAX;
    tokio::select! {
        moved = link.transfer(reading, false) => moved,
        () = place.woken() => {
            if place.is_lost() { Err(Closed::Stalled) } else { Ok(()) }
        }
    }
}
