//! One connection's side of the conversation: handshake, heartbeats, subscriptions;
//! no IO.
//!
//! In: a peer's bytes. Out: [`Event`]s, and bytes to send back. Invariants: nothing
//! but the handshake happens before it is over; what is sent back is never longer
//! than what came, apart from one `READY` or `ERROR`; a peer's identity is dropped
//! unread. Deliberately absent: mechanisms other than NULL, older versions, JOIN and
//! LEAVE. Specifications: ZeroMQ RFC 23 and 37, RFC 29 for subscriptions.

use super::decoder::{Decoder, Piece, Violation};
use super::limits::Caps;
use super::wire::{self, SocketType};

/// Something that a peer did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// The handshake is over.
    Ready,
    /// It wants messages whose topic begins so.
    Subscribe(Vec<u8>),
    /// It no longer does.
    Cancel(Vec<u8>),
    /// A message.
    Message(Vec<Vec<u8>>),
    /// A message beyond the bounds was thrown away.
    PassedOver {
        /// Its parts up to the first empty one, if they were kept.
        envelope: Vec<Vec<u8>>,
        /// The bound.
        why: Violation,
    },
}

/// One connection, seen from our side.
#[derive(Debug)]
pub struct Session {
    socket: SocketType,
    decoder: Decoder,
    stage: Stage,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Greeting,
    Ready,
    Open,
    Over(Violation),
}

impl Session {
    /// Makes the session of a new connection and appends the greeting to what is
    /// to be sent.
    #[must_use]
    pub fn new(socket: SocketType, caps: Caps, out: &mut Vec<u8>) -> Self {
        out.extend_from_slice(&wire::greeting());
        Self {
            socket,
            decoder: Decoder::new(caps),
            stage: Stage::Greeting,
        }
    }

    /// Takes bytes off the input until something happened; nothing when the input
    /// is used up before. Appends what is to be sent back.
    ///
    /// # Errors
    /// What the peer did wrong, from then on always: send what was appended and
    /// close.
    pub fn next(
        &mut self,
        input: &mut &[u8],
        out: &mut Vec<u8>,
    ) -> Result<Option<Event>, Violation> {
        loop {
            if let Stage::Over(violation) = self.stage {
                return Err(violation);
            }
            let found = match self.decoder.next(input) {
                Ok(None) => return Ok(None),
                Ok(Some(piece)) => self.judge(piece, out),
                Err(violation) => Err(violation),
            };
            match found {
                Ok(None) => {}
                Ok(event) => return Ok(event),
                Err(violation) => {
                    // Before the end of the handshake there is a command for it;
                    // a peer that refused us, or speaks no ZMTP, has no use for it.
                    if self.stage == Stage::Ready && violation != Violation::Refused {
                        wire::put_error(out, &violation.to_string());
                    }
                    self.stage = Stage::Over(violation);
                }
            }
        }
    }

    /// Returns whether a frame or message has begun and is not whole.
    #[must_use]
    pub fn is_inside(&self) -> bool {
        self.decoder.is_inside()
    }

    /// Returns how often something that had begun became whole.
    #[must_use]
    pub fn ends_seen(&self) -> u64 {
        self.decoder.ends_seen()
    }

    /// Returns the bytes of memory that it holds besides itself.
    #[must_use]
    pub fn held_bytes(&self) -> usize {
        self.decoder.held_bytes()
    }

    fn judge(&mut self, piece: Piece, out: &mut Vec<u8>) -> Result<Option<Event>, Violation> {
        match piece {
            Piece::Greeting(greeting) => {
                self.stage = Stage::Ready;
                let name = greeting.mechanism.split(|byte| *byte == 0).next();
                if name != Some(b"NULL") {
                    return Err(Violation::Mechanism);
                }
                wire::put_ready(out, self.socket);
                Ok(None)
            }
            Piece::Command { name, body } if self.stage == Stage::Open => {
                self.command(&name, body, out)
            }
            Piece::Command { name, body } => match name.as_slice() {
                b"READY" => {
                    self.check_ready(&body)?;
                    self.stage = Stage::Open;
                    Ok(Some(Event::Ready))
                }
                b"ERROR" => Err(Violation::Refused),
                _ => Err(Violation::NotReady),
            },
            Piece::Message(parts) => Ok(self.message(parts)),
            Piece::PassedOver { envelope, why } => Ok(Some(Event::PassedOver { envelope, why })),
        }
    }

    /// After the handshake. Commands that nobody knows are passed over, so that
    /// later versions of the protocol can be talked to.
    fn command(
        &mut self,
        name: &[u8],
        body: Vec<u8>,
        out: &mut Vec<u8>,
    ) -> Result<Option<Event>, Violation> {
        match name {
            // Two bytes of how long the peer would wait for us, then up to 16
            // that it wants to see again.
            b"PING" => match body.get(2..) {
                Some(context) if context.len() <= 16 => {
                    wire::put_command(out, "PONG", context);
                    Ok(None)
                }
                _ => Err(Violation::MalformedCommand),
            },
            b"ERROR" => Err(Violation::Refused),
            b"SUBSCRIBE" if self.publishes() => Ok(Some(Event::Subscribe(body))),
            b"CANCEL" if self.publishes() => Ok(Some(Event::Cancel(body))),
            _ => Ok(None),
        }
    }

    /// RFC 29 in its form for ZMTP 3.0: subscriptions are messages; any other
    /// message to a publisher is dropped.
    fn message(&self, mut parts: Vec<Vec<u8>>) -> Option<Event> {
        if !self.publishes() {
            return Some(Event::Message(parts));
        }
        let mut topic = parts.pop().filter(|_| parts.is_empty())?;
        match topic.first() {
            Some(1) => {
                topic.remove(0);
                Some(Event::Subscribe(topic))
            }
            Some(0) => {
                topic.remove(0);
                Some(Event::Cancel(topic))
            }
            _ => None,
        }
    }

    fn publishes(&self) -> bool {
        self.socket == SocketType::Pub
    }

    fn check_ready(&self, mut body: &[u8]) -> Result<(), Violation> {
        let mut peer = None;
        while !body.is_empty() {
            let (name, value) = take_property(&mut body).ok_or(Violation::MalformedCommand)?;
            if name.eq_ignore_ascii_case(b"Socket-Type") {
                peer = SocketType::from_name(value);
            }
        }
        match peer {
            Some(peer) if self.socket.may_talk_to(peer) => Ok(()),
            _ => Err(Violation::SocketType),
        }
    }
}

/// Takes one name (a length of one byte) and value (a length of four).
fn take_property<'a>(body: &mut &'a [u8]) -> Option<(&'a [u8], &'a [u8])> {
    let (&name_bytes, rest) = body.split_first()?;
    let (name, rest) = rest.split_at_checked(usize::from(name_bytes))?;
    let (value_bytes, rest) = rest.split_first_chunk::<4>()?;
    let value_bytes = usize::try_from(u32::from_be_bytes(*value_bytes)).ok()?;
    let (value, rest) = rest.split_at_checked(value_bytes)?;
    *body = rest;
    (!name.is_empty()).then_some((name, value))
}
