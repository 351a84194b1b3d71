//! The ROUTER socket: commands of many peers, each answered where it came from (ZeroMQ RFC
//! 28).
//!
//! In: messages of REQ and DEALER peers: up to the first empty part an envelope that goes
//! back unread, then one part, the command; a DEALER may leave the envelope out. Out:
//! [`Command`]s, and their replies. Invariants: an answer goes to the connection that
//! asked, whatever identity its peer claims; each command is answered once, be it with an
//! error, also one that is too large to be kept; what waits is bounded per connection and
//! in all; a peer that does not read its answers is disconnected and keeps nobody waiting.
//! Watched by `tests/it/zmtp/attacks.rs`. Deliberately absent: what commands mean.

use super::decoder::Violation;
use super::limits::Limits;
use super::link::{Closed, Link};
use super::listener::{Arrival, Serving};
use super::session::Event;
use super::slots::{Seat, Slots, Use};
use super::wire::{self, SocketType};
use crate::ports::{Answer, Command, CommandSource};
use futures::StreamExt;
use futures::future::LocalBoxFuture;
use futures::stream::FuturesUnordered;
use std::sync::Arc;
use tokio::sync::mpsc;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// No more answers are encoded, and no more commands read, for a peer for whom this
/// much waits to be sent.
const UNSENT_BYTES_MAX: usize = 64 << 10;

/// The body of an answer that the socket gives itself: JSON-RPC 2.0, without the id
/// of a request that it never looks into.
macro_rules! error_body {
    ($code:literal, $message:literal) => {
        concat!(
            r#"{"jsonrpc":"2.0","id":null,"error":{"code":"#,
            $code,
            r#","message":""#,
            $message,
            r#""}}"#
        )
    };
}

const NOT_ANSWERED: &str = error_body!(-32603, "the command was not answered");
const NOT_ONE_PART: &str = error_body!(-32600, "a command is one part");
const TOO_LARGE: &str = error_body!(-32700, "a command has at most 1 MiB");
const BUSY: &str = error_body!(-32000, "too many commands are waiting, try again");

/// The parts of a request that go back before its answer.
type Envelope = Vec<Vec<u8>>;
/// The body of an answer that the socket gives itself.
type Refusal = &'static str;
/// A command, with its share of the bytes that may wait.
type Queued = (Command, OwnedSemaphorePermit);

/// The socket that takes commands.
#[derive(Debug)]
pub struct CommandSocket {
    commands: mpsc::Receiver<Queued>,
    serving: Serving,
}

/// What the connections share.
#[derive(Debug)]
struct Desk {
    commands: mpsc::Sender<Queued>,
    bytes: Arc<Semaphore>,
    limits: Limits,
}

impl CommandSocket {
    pub(super) fn new(listener: tokio::net::TcpListener, limits: Limits) -> Self {
        let seats_max = limits.connections_max;
        let (sender, commands) = mpsc::channel(seats_max * limits.in_flight_max);
        let desk = Arc::new(Desk {
            commands: sender,
            bytes: Arc::new(Semaphore::new(limits.command_bytes_max)),
            limits,
        });
        let serving = Serving::start(listener, seats_max, move |arrival| {
            let desk = Arc::clone(&desk);
            async move { attend(arrival, &desk).await }
        });
        Self { commands, serving }
    }

    /// Returns the connections, to wait for their answers.
    pub(super) fn slots(&self) -> &Arc<Slots> {
        self.serving.slots()
    }
}

impl CommandSource for CommandSocket {
    fn next(&mut self) -> LocalBoxFuture<'_, Option<Command>> {
        Box::pin(async { self.commands.recv().await.map(|(command, _share)| command) })
    }
}

/// Looks after one connection until it ends.
async fn attend(arrival: Arrival, desk: &Desk) {
    let Arrival { stream, peer, seat } = arrival;
    let mut link = Link::new(stream, SocketType::Router, &desk.limits);
    let ended = tokio::select! {
        ended = converse(&mut link, &peer, &seat, desk) => ended,
        () = seat.unseated() => Err(Closed::GaveWay),
    };
    if let Err(closed) = ended {
        tracing::debug!(%peer, "command peer: {closed}");
    }
    link.part();
}

async fn converse(link: &mut Link, peer: &str, seat: &Seat, desk: &Desk) -> Result<(), Closed> {
    link.shake_hands(desk.limits.handshake).await?;
    let mut answers = FuturesUnordered::new();
    loop {
        while answers.len() < desk.limits.in_flight_max && link.unsent_bytes() < UNSENT_BYTES_MAX {
            match link.event()? {
                Some(Event::Message(parts)) => match desk.place(peer, parts) {
                    Ok((envelope, answer)) => answers.push(async { (envelope, answer.await) }),
                    Err((envelope, refusal)) => put_reply(link, &envelope, refusal.as_bytes()),
                },
                Some(Event::PassedOver { envelope, why }) => {
                    put_reply(link, &envelope, refusal_of(why).as_bytes());
                }
                Some(_) => {}
                None => break,
            }
        }
        let is_idle = answers.is_empty() && link.unsent_bytes() == 0 && !link.is_inside();
        seat.set(if is_idle { Use::Idle } else { Use::Busy });
        let has_room = link.unsent_bytes() < UNSENT_BYTES_MAX;
        let reading = has_room && answers.len() < desk.limits.in_flight_max;
        tokio::select! {
            moved = link.transfer(reading, true) => moved?,
            Some((envelope, body)) = answers.next(), if has_room => match body {
                Some(body) => put_reply(link, &envelope, &body),
                None => put_reply(link, &envelope, NOT_ANSWERED.as_bytes()),
            },
        }
    }
}

impl Desk {
    /// Hands a command on. Gives the envelope and the answer to come, or a refusal.
    fn place(
        &self,
        peer: &str,
        mut parts: Vec<Vec<u8>>,
    ) -> Result<(Envelope, Answer), (Envelope, Refusal)> {
        // A sole empty part is a DEALER's empty command, not an envelope.
        let delimiter = parts
            .iter()
            .position(Vec::is_empty)
            .filter(|place| place + 1 < parts.len());
        let body = parts.split_off(delimiter.map_or(0, |place| place + 1));
        let envelope = parts;
        let Ok([body]) = <[Vec<u8>; 1]>::try_from(body) else {
            return Err((envelope, NOT_ONE_PART));
        };
        let bytes = u32::try_from(body.len()).unwrap_or(u32::MAX);
        let Ok(share) = Arc::clone(&self.bytes).try_acquire_many_owned(bytes) else {
            return Err((envelope, BUSY));
        };
        let (command, answer) = Command::new(peer, body);
        match self.commands.try_send((command, share)) {
            Ok(()) => Ok((envelope, answer)),
            Err(mpsc::error::TrySendError::Full(_)) => Err((envelope, BUSY)),
            Err(mpsc::error::TrySendError::Closed(_)) => Err((envelope, NOT_ANSWERED)),
        }
    }
}

/// The answer to a message that was thrown away.
fn refusal_of(why: Violation) -> Refusal {
    if why == Violation::TooManyParts {
        NOT_ONE_PART
    } else {
        TOO_LARGE
    }
}

fn put_reply(link: &mut Link, envelope: &[Vec<u8>], body: &[u8]) {
    let parts: Vec<&[u8]> = envelope.iter().map(Vec::as_slice).chain([body]).collect();
    link.fill(|out| wire::put_message(out, &parts));
}
