//! The bus: what is told to whoever listens, and what others ask for.
//!
//! In: messages to publish. Out: commands, each with a place for its one reply.
//! Invariant: on one connection no message with a sequence number is left out between
//! two that arrive: a subscriber that cannot keep up is disconnected, never skipped;
//! watched by the adapter's tests. Deliberately absent: JSON, topics' names, trust in
//! what a peer says it is. CRASH: nothing is kept; what was not sent is in the journal.

use futures::channel::oneshot;
use futures::future::LocalBoxFuture;
use std::pin::Pin;
use std::task::{Context, Poll};

/// Tells subscribers. Messages leave in the order of the calls.
pub trait Publisher {
    /// Returns whether somebody is connected and subscribed to anything at all.
    /// Whoever publishes a journal may skip to its head while this is false.
    fn has_subscribers(&self) -> bool;

    /// Returns whether some subscriber's prefix matches the topic, so that a
    /// message that nobody wants need not be made. It may change at any time; a
    /// message that nobody wants costs nothing more when it is published.
    fn is_wanted(&self, topic: &str) -> bool;

    /// Hands a message to every subscriber that wants it.
    ///
    /// With a `seq`, it waits for subscribers that are behind but still read, and
    /// disconnects those that do not; the wait is bounded. With `seq` 0 it never
    /// waits: who is behind misses the message. A dropped call disconnects the
    /// subscribers that it was waiting for, so that none of them has a gap.
    fn publish(&self, message: Message) -> LocalBoxFuture<'_, ()>;

    /// Sends a message of one single part, which is its own topic, as the old
    /// client did (`status START`). It never waits: who is behind misses it.
    fn publish_text(&self, text: &str);
}

/// One message to subscribers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// What subscribers' prefixes are compared with.
    pub topic: String,
    /// The journal's sequence number; 0 for what is not in the journal.
    pub seq: u64,
    /// The content.
    pub body: Vec<u8>,
}

/// Where commands come from.
pub trait CommandSource {
    /// Waits for the next command; nothing when no more can come. Dropping the
    /// call loses no command.
    fn next(&mut self) -> LocalBoxFuture<'_, Option<Command>>;
}

/// Something that a peer asks for. Size is bounded; nothing else about the body is
/// known.
#[derive(Debug)]
pub struct Command {
    /// Where the peer is connected from, for logs; it proves nothing.
    pub peer: String,
    /// What was sent.
    pub body: Vec<u8>,
    /// Takes the one reply.
    pub reply: Reply,
}

impl Command {
    /// Makes a command and the place where its reply will arrive.
    #[must_use]
    pub fn new(peer: impl Into<String>, body: Vec<u8>) -> (Self, Answer) {
        let (sender, receiver) = oneshot::channel();
        let command = Self {
            peer: peer.into(),
            body,
            reply: Reply(sender),
        };
        (command, Answer(receiver))
    }
}

/// The right to answer one command, once. If it is dropped instead, the peer is
/// told that there will be no answer.
#[derive(Debug)]
pub struct Reply(oneshot::Sender<Vec<u8>>);

impl Reply {
    /// Answers. Never waits; a peer that is gone or does not read loses it.
    pub fn send(self, body: Vec<u8>) {
        // A peer that is gone needs no answer.
        let _gone = self.0.send(body);
    }

    /// Returns whether the peer has gone, so that nobody waits for the answer.
    #[must_use]
    pub fn is_abandoned(&self) -> bool {
        self.0.is_canceled()
    }
}

/// A command's reply on its way: a future that gives the body, or nothing when the
/// command was dropped without an answer.
#[derive(Debug)]
pub struct Answer(oneshot::Receiver<Vec<u8>>);

impl Future for Answer {
    type Output = Option<Vec<u8>>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.0).poll(context).map(Result::ok)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::FutureExt;

    #[test]
    fn a_command_is_answered_once_or_its_peer_is_told() {
        let (command, answer) = Command::new("peer", b"STATUS".to_vec());
        command.reply.send(b"fine".to_vec());
        assert_eq!(answer.now_or_never(), Some(Some(b"fine".to_vec())));

        let (command, answer) = Command::new("peer", Vec::new());
        assert!(!command.reply.is_abandoned());
        drop(command);
        assert_eq!(answer.now_or_never(), Some(None));

        let (command, answer) = Command::new("peer", Vec::new());
        drop(answer);
        assert!(command.reply.is_abandoned());
    }
}
