//! Every bound of the sockets in one place.
//!
//! In: nothing. Out: [`Limits`] for a socket, [`Caps`] for what one peer may send.
//! Invariant: whatever a peer does costs no more than these say; watched by
//! `tests/it/zmtp/attacks.rs` and by the parser's properties.

use std::time::Duration;

/// What one peer may send.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Caps {
    /// Bytes of one part of a message.
    pub part_bytes_max: usize,
    /// Bytes of all parts of a message.
    pub message_bytes_max: usize,
    /// Parts of a message.
    pub parts_max: usize,
    /// Bytes of the first command, `READY`.
    pub ready_bytes_max: usize,
    /// Bytes of any other command.
    pub command_bytes_max: usize,
    /// Bytes of a message beyond these bounds that are thrown away as they come, so
    /// that it can be answered and the connection stays; a larger one ends it.
    pub passed_over_bytes_max: u64,
}

impl Caps {
    /// For requests to us.
    pub const COMMANDS: Self = Self {
        part_bytes_max: 1 << 20,
        message_bytes_max: (1 << 20) + (4 << 10),
        parts_max: 16,
        ready_bytes_max: 2048,
        command_bytes_max: 512,
        passed_over_bytes_max: 1 << 30,
    };
    /// For subscribers, who send subscriptions.
    pub const SUBSCRIBERS: Self = Self {
        part_bytes_max: 512,
        message_bytes_max: 1024,
        parts_max: 4,
        passed_over_bytes_max: 0,
        ..Self::COMMANDS
    };
    /// For what our own client hears from a daemon.
    pub const CLIENT: Self = Self {
        part_bytes_max: 64 << 20,
        message_bytes_max: 65 << 20,
        passed_over_bytes_max: 0,
        ..Self::COMMANDS
    };
}

/// The bounds of one socket that others connect to.
#[derive(Debug, Clone)]
pub struct Limits {
    /// What one peer may send.
    pub caps: Caps,
    /// Connections at a time. Beyond it an unfinished handshake, or a connection
    /// that would lose nothing, gives way; else the newcomer is turned away.
    pub connections_max: usize,
    /// Time for greeting and `READY` together.
    pub handshake: Duration,
    /// Time for a message, from its first byte to its last.
    pub message: Duration,
    /// Publishing: how long others wait for a subscriber whose queue is full to
    /// drain half of it. Commands: how long a reply may make no progress.
    pub stall: Duration,
    /// Bytes that wait for one subscriber; a single larger message may wait alone.
    pub queue_bytes_max: usize,
    /// Subscriptions of one connection.
    pub subscriptions_max: usize,
    /// Bytes of all subscriptions of one connection.
    pub subscription_bytes_max: usize,
    /// Commands of one connection that wait for their answers.
    pub in_flight_max: usize,
    /// Bytes of all commands that nobody has looked at yet; beyond it a command is
    /// answered with an error at once.
    pub command_bytes_max: usize,
}

impl Limits {
    /// For publishing.
    #[must_use]
    pub fn publishing() -> Self {
        Self {
            caps: Caps::SUBSCRIBERS,
            connections_max: 256,
            ..Self::commands()
        }
    }

    /// For commands.
    #[must_use]
    pub fn commands() -> Self {
        Self {
            caps: Caps::COMMANDS,
            connections_max: 64,
            handshake: Duration::from_secs(5),
            message: Duration::from_secs(10),
            stall: Duration::from_secs(5),
            queue_bytes_max: 1 << 20,
            subscriptions_max: 256,
            subscription_bytes_max: 16 << 10,
            in_flight_max: 8,
            command_bytes_max: 16 << 20,
        }
    }
}
