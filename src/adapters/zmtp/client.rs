//! The other end: how a command of ours talks to a daemon that runs.
//!
//! In: an address, requests, topics. Out: replies, messages. Invariants: every wait has
//! a limit or can be dropped; a reply belongs to its request, because a request that
//! timed out ends the connection; what a daemon sends is bounded as well.
//! Deliberately absent: reconnecting, which whoever follows a stream decides.

use super::limits::{Caps, Limits};
use super::link::{Closed, Link};
use super::session::Event;
use super::wire::{self, SocketType};
use std::net::SocketAddr;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::time::timeout;

/// Bytes that a subscription reads at a time.
const CHUNK_BYTES: usize = 64 << 10;

/// Why a daemon could not be talked to.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// Nobody listens there.
    #[error("cannot connect to {address}: {source}")]
    Unreachable {
        /// Where.
        address: SocketAddr,
        /// Why.
        source: std::io::Error,
    },
    /// It took longer than was allowed.
    #[error("no answer within {} s", .0.as_secs_f32())]
    TimedOut(Duration),
    /// The connection ended.
    #[error("the connection ended: {0}")]
    Closed(String),
    /// What listens there sent something that no daemon sends.
    #[error("not a daemon: {0}")]
    Nonsense(String),
}

impl From<Closed> for ClientError {
    fn from(closed: Closed) -> Self {
        match closed {
            Closed::Violation(violation) => Self::Nonsense(violation.to_string()),
            other => Self::Closed(other.to_string()),
        }
    }
}

/// Asks a daemon, one request after the other (a REQ socket).
#[derive(Debug)]
pub struct Request {
    /// Absent once a request went unanswered.
    link: Option<Link>,
}

impl Request {
    /// Connects to a daemon's command port.
    ///
    /// # Errors
    /// Nobody is there, or it is no daemon.
    pub async fn connect(address: SocketAddr, within: Duration) -> Result<Self, ClientError> {
        let link = connect(address, SocketType::Req, within).await?;
        Ok(Self { link: Some(link) })
    }

    /// Sends a request and waits for its reply.
    ///
    /// # Errors
    /// No reply came in time, or the connection ended; connect anew. Whether the
    /// request was heard is then unknown.
    pub async fn ask(&mut self, body: &[u8], within: Duration) -> Result<Vec<u8>, ClientError> {
        let gone = || ClientError::Closed("an earlier request went unanswered".into());
        // Put back only when all went well: a late reply must not meet another question.
        let mut link = self.link.take().ok_or_else(gone)?;
        link.fill(|out| wire::put_message(out, &[b"", body]));
        let reply = timeout(within, next_message(&mut link))
            .await
            .map_err(|_| ClientError::TimedOut(within))??;
        self.link = Some(link);
        match <[Vec<u8>; 2]>::try_from(reply) {
            Ok([delimiter, body]) if delimiter.is_empty() => Ok(body),
            _ => Err(ClientError::Nonsense("a reply that is not one part".into())),
        }
    }
}

/// One message of a subscription.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Received {
    /// The topic; for a message of one part, its text.
    pub topic: String,
    /// The sequence number; 0 if it is not in the journal.
    pub seq: u64,
    /// The content.
    pub body: Vec<u8>,
}

/// Hears what a daemon publishes (a SUB socket).
#[derive(Debug)]
pub struct Subscription {
    link: Link,
}

impl Subscription {
    /// Connects to a daemon's publishing port and subscribes to what begins with
    /// any of the prefixes. They are on their way when this returns: the first message
    /// that comes shows that the daemon has heard of them.
    ///
    /// # Errors
    /// Nobody is there, or it is no daemon.
    pub async fn connect(
        address: SocketAddr,
        prefixes: &[&str],
        within: Duration,
    ) -> Result<Self, ClientError> {
        let mut link = connect(address, SocketType::Sub, within).await?;
        link.set_chunk(CHUNK_BYTES);
        for prefix in prefixes {
            // As a message, which peers of 3.0 and 3.1 understand alike.
            let subscription = [&[1], prefix.as_bytes()].concat();
            link.fill(|out| wire::put_message(out, &[&subscription]));
        }
        timeout(within, link.send_all())
            .await
            .map_err(|_| ClientError::TimedOut(within))??;
        Ok(Self { link })
    }

    /// Waits for the next message. Dropping the call loses none.
    ///
    /// # Errors
    /// The connection ended; messages may be missing after connecting anew.
    pub async fn next(&mut self) -> Result<Received, ClientError> {
        let parts = next_message(&mut self.link).await?;
        received(parts).ok_or_else(|| ClientError::Nonsense("a message of another kind".into()))
    }
}

fn received(parts: Vec<Vec<u8>>) -> Option<Received> {
    let mut parts = parts.into_iter();
    let topic = String::from_utf8(parts.next()?).ok()?;
    let (seq, body) = match (parts.next(), parts.next()) {
        (None, _) => (0, Vec::new()),
        (Some(seq), Some(body)) => (u64::from_be_bytes(seq.try_into().ok()?), body),
        (Some(_), None) => return None,
    };
    let received = Received { topic, seq, body };
    parts.next().is_none().then_some(received)
}

async fn connect(
    address: SocketAddr,
    socket: SocketType,
    within: Duration,
) -> Result<Link, ClientError> {
    let connecting = async {
        let stream = TcpStream::connect(address)
            .await
            .map_err(|source| ClientError::Unreachable { address, source })?;
        // Only a matter of speed.
        let _slower = stream.set_nodelay(true);
        let limits = Limits {
            caps: Caps::CLIENT,
            // Whoever waits for a reply has a limit of their own.
            message: Duration::from_secs(60),
            ..Limits::commands()
        };
        let mut link = Link::new(stream, socket, &limits);
        link.shake_hands(within).await?;
        Ok(link)
    };
    timeout(within, connecting)
        .await
        .unwrap_or(Err(ClientError::TimedOut(within)))
}

/// Sends what waits to be sent and takes the next message. Can be dropped.
async fn next_message(link: &mut Link) -> Result<Vec<Vec<u8>>, Closed> {
    loop {
        match link.event()? {
            Some(Event::Message(parts)) => return Ok(parts),
            Some(_) => {}
            None => link.transfer(true, false).await?,
        }
    }
}
