//! One TCP connection with its session: bytes in and out, under time limits.
//!
//! In: a stream, what is to be sent. Out: events. Invariants: each wait can be
//! dropped without loss; what was read but not parsed, and what waits to be sent
//! because the peer caused it, are bounded by one chunk each; a peer that begins
//! something ends it in time. Deliberately absent: what events mean.

use super::decoder::Violation;
use super::limits::Limits;
use super::session::{Event, Session};
use super::wire::SocketType;
use std::io::ErrorKind;
use std::time::Duration;
use tokio::io::Interest;
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep_until, timeout};

/// Bytes that are read at a time, unless the owner wants more.
const CHUNK_BYTES: usize = 4 << 10;
/// A buffer larger than this is given back once it is empty.
const KEPT_BYTES: usize = 128 << 10;

/// Why a connection ended.
#[derive(Debug, thiserror::Error)]
pub(super) enum Closed {
    #[error("the peer has gone")]
    Gone,
    #[error("{0}")]
    Violation(#[from] Violation),
    #[error("connection: {0}")]
    Io(std::io::Error),
    #[error("the handshake took too long")]
    Handshake,
    #[error("a message took too long to arrive")]
    SlowMessage,
    #[error("the peer does not read")]
    Stalled,
    #[error("gave way to a newer connection")]
    GaveWay,
}

/// One connection.
#[derive(Debug)]
pub(super) struct Link {
    stream: TcpStream,
    session: Session,
    chunk_bytes: usize,
    /// What was read; from `parsed` on it is still to be looked at.
    input: Vec<u8>,
    parsed: usize,
    /// Whole messages and commands to be sent; from `sent` on they still are.
    out: Vec<u8>,
    sent: usize,
    message_limit: Duration,
    /// When what has begun to arrive must be whole.
    whole_by: Option<Instant>,
    ends_seen: u64,
    stall_limit: Duration,
    /// When the peer must have taken something of `out`; watched on request.
    taken_by: Option<Instant>,
}

impl Link {
    pub(super) fn new(stream: TcpStream, socket: SocketType, limits: &Limits) -> Self {
        let mut out = Vec::new();
        let session = Session::new(socket, limits.caps, &mut out);
        Self {
            stream,
            session,
            chunk_bytes: CHUNK_BYTES,
            input: Vec::new(),
            parsed: 0,
            out,
            sent: 0,
            message_limit: limits.message,
            whole_by: None,
            ends_seen: 0,
            stall_limit: limits.stall,
            taken_by: None,
        }
    }

    /// Reads this many bytes at a time.
    pub(super) fn set_chunk(&mut self, bytes: usize) {
        self.chunk_bytes = bytes;
    }

    /// Greets and waits for the peer's `READY`.
    pub(super) async fn shake_hands(&mut self, within: Duration) -> Result<(), Closed> {
        let shaking = async {
            loop {
                match self.event()? {
                    // Our own READY may still be here, and the peer waits for it.
                    Some(Event::Ready) => return self.send_all().await,
                    // The session gives nothing else before.
                    Some(_) => {}
                    None => self.transfer(true, false).await?,
                }
            }
        };
        timeout(within, shaking)
            .await
            .unwrap_or(Err(Closed::Handshake))
    }

    /// Sends all that waits to be sent.
    pub(super) async fn send_all(&mut self) -> Result<(), Closed> {
        while self.unsent_bytes() > 0 {
            self.transfer(false, false).await?;
        }
        Ok(())
    }

    /// Takes the next event out of what was read already.
    pub(super) fn event(&mut self) -> Result<Option<Event>, Closed> {
        let mut rest = self.input.get(self.parsed..).unwrap_or_default();
        let event = self.session.next(&mut rest, &mut self.out)?;
        self.parsed = self.input.len() - rest.len();
        if self.parsed == self.input.len() {
            self.input.clear();
            self.parsed = 0;
            self.set_deadline();
        }
        Ok(event)
    }

    /// Returns the bytes that wait to be sent.
    pub(super) fn unsent_bytes(&self) -> usize {
        self.out.len() - self.sent
    }

    /// Returns whether a message has begun to arrive.
    pub(super) fn is_inside(&self) -> bool {
        self.parsed < self.input.len() || self.session.is_inside()
    }

    /// Lets more be appended to what is to be sent.
    pub(super) fn fill<T>(&mut self, append: impl FnOnce(&mut Vec<u8>) -> T) -> T {
        if self.sent == self.out.len() {
            self.out.clear();
            self.sent = 0;
            self.out.shrink_to(KEPT_BYTES);
        }
        append(&mut self.out)
    }

    /// Waits until bytes can move and moves them: out always, in if the owner
    /// wants any and nothing read waits to be parsed. With `watch`, a peer that
    /// takes nothing is an error in the end. Nothing is lost when it is dropped.
    pub(super) async fn transfer(&mut self, reading: bool, watch: bool) -> Result<(), Closed> {
        let writing = self.unsent_bytes() > 0;
        if !writing {
            self.taken_by = None;
        } else if watch && self.taken_by.is_none() {
            self.taken_by = Some(Instant::now() + self.stall_limit);
        }
        let interest = match (reading, writing) {
            (true, true) => Interest::READABLE | Interest::WRITABLE,
            (true, false) => Interest::READABLE,
            (false, true) => Interest::WRITABLE,
            (false, false) => return std::future::pending().await,
        };
        let taken_by = self.taken_by.filter(|_| watch);
        let ready = tokio::select! {
            ready = self.stream.ready(interest) => ready.map_err(Closed::Io)?,
            () = until(taken_by) => return Err(Closed::Stalled),
            () = until(self.whole_by) => return Err(Closed::SlowMessage),
        };
        if writing && ready.is_writable() {
            self.write()?;
        }
        if reading && ready.is_readable() {
            self.read()?;
        }
        tokio::task::coop::consume_budget().await;
        Ok(())
    }

    /// Sends what can be sent at once: the last words to a peer.
    pub(super) fn part(mut self) {
        // It closes whether or not they arrive.
        let _too_late = self.write();
    }

    /// A message has its time from when it was first seen incomplete, however
    /// many commands its sender puts between its parts.
    fn set_deadline(&mut self) {
        if !self.session.is_inside() {
            self.whole_by = None;
        } else if self.whole_by.is_none() || self.ends_seen != self.session.ends_seen() {
            self.whole_by = Some(Instant::now() + self.message_limit);
        }
        self.ends_seen = self.session.ends_seen();
    }

    fn write(&mut self) -> Result<(), Closed> {
        match self.stream.try_write(&self.out[self.sent..]) {
            Ok(bytes) => {
                self.sent += bytes;
                self.taken_by = None;
                Ok(())
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(()),
            Err(error) => Err(Closed::Io(error)),
        }
    }

    fn read(&mut self) -> Result<(), Closed> {
        if self.parsed < self.input.len() {
            return Ok(());
        }
        self.input.reserve_exact(self.chunk_bytes);
        match self.stream.try_read_buf(&mut self.input) {
            Ok(0) => Err(Closed::Gone),
            Ok(_) => Ok(()),
            Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(()),
            Err(error) => Err(Closed::Io(error)),
        }
    }
}

async fn until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}
