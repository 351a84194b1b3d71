//! A peer's bytes, cut into greeting, commands and messages; no IO.
//!
//! In: bytes in any chunks. Out: [`Piece`]s, or the one [`Violation`] that ends it.
//! Invariants: the same pieces whatever the chunks; memory follows the bytes that
//! came, never an announced length, and stays within [`Caps`]; of a message that is
//! passed over nothing is kept but its envelope; no panic. Watched by
//! the properties in `tests/parsing.rs` and by `tools mutate zmtp`. Deliberately absent:
//! what a command means (`session`). Specifications: ZeroMQ RFC 23 and 37.

use super::limits::Caps;
use super::wire::{
    COMMAND, GREETING_BYTES, LONG, MECHANISM_AT, MECHANISM_BYTES, MORE, SIGNATURE, VERSION_AT,
};

/// Something whole that a peer sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Piece {
    /// Its greeting; always the first piece.
    Greeting(Greeting),
    /// A command; always the second piece, later between messages or their parts.
    Command {
        /// Its name, not empty.
        name: Vec<u8>,
        /// What follows the name.
        body: Vec<u8>,
    },
    /// All parts of a message.
    Message(Vec<Vec<u8>>),
    /// A message beyond the bounds has come to its end, and was thrown away.
    PassedOver {
        /// Its parts up to the first empty one; none if that was not among those kept.
        envelope: Vec<Vec<u8>>,
        /// The bound.
        why: Violation,
    },
}

/// What a greeting says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Greeting {
    /// The second number of the version; the first one is at least 3.
    pub(super) minor: u8,
    /// The mechanism's name, padded with zeros.
    pub(super) mechanism: [u8; MECHANISM_BYTES],
}

/// Why a peer is not listened to any longer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Violation {
    /// The first bytes are no greeting of ZMTP 2 or later.
    #[error("not a greeting of ZMTP")]
    NotZmtp,
    /// The peer speaks an older version, by its number in the greeting.
    #[error("version {0} of ZMTP is too old, 3 is needed")]
    OldVersion(u8),
    /// The peer wants to authenticate or encrypt.
    #[error("only the mechanism NULL is offered")]
    Mechanism,
    /// A flag is set that has no meaning.
    #[error("a reserved flag is set")]
    ReservedFlag,
    /// A part or command is larger than allowed.
    #[error("a frame of {0} bytes is too large")]
    FrameTooLarge(u64),
    /// A message is larger than allowed.
    #[error("a message is too large")]
    MessageTooLarge,
    /// A message has more parts than allowed.
    #[error("a message has too many parts")]
    TooManyParts,
    /// A message came where `READY` should be.
    #[error("a message before the end of the handshake")]
    EarlyMessage,
    /// A command without a whole name, or with a body that its name does not allow.
    #[error("a malformed command")]
    MalformedCommand,
    /// The first command is not `READY`.
    #[error("not a READY command")]
    NotReady,
    /// The peer's kind of socket does not go with ours.
    #[error("this kind of socket cannot talk to the other")]
    SocketType,
    /// The peer refused us by an `ERROR`.
    #[error("the peer refused the connection")]
    Refused,
    /// More or longer subscriptions than allowed.
    #[error("too many subscriptions")]
    TooManySubscriptions,
}

/// Cuts one connection's bytes.
#[derive(Debug)]
pub(super) struct Decoder {
    caps: Caps,
    state: State,
    /// Bytes of the greeting, length or body that is not whole yet.
    partial: Vec<u8>,
    parts: Vec<Vec<u8>>,
    parts_bytes: usize,
    /// Set from where a message is found to be beyond the bounds to its end.
    excess: Option<Excess>,
    commands_seen: bool,
    ends_seen: u64,
}

/// A message that is thrown away as it comes.
#[derive(Debug, Clone, Copy)]
struct Excess {
    why: Violation,
    bytes: u64,
}

#[derive(Debug, Clone, Copy)]
enum State {
    Greeting,
    Flags,
    Length { flags: u8 },
    Body { flags: u8, bytes: usize },
    Excess { flags: u8, missing: u64 },
    Over(Violation),
}

impl Decoder {
    /// Makes a decoder for a new connection.
    #[must_use]
    pub(super) fn new(caps: Caps) -> Self {
        Self {
            caps,
            state: State::Greeting,
            partial: Vec::new(),
            parts: Vec::new(),
            parts_bytes: 0,
            excess: None,
            commands_seen: false,
            ends_seen: 0,
        }
    }

    /// Takes bytes off the input until a piece is whole; nothing when the input is
    /// used up before.
    ///
    /// # Errors
    /// What the peer did wrong; from then on always the same.
    pub(super) fn next(&mut self, input: &mut &[u8]) -> Result<Option<Piece>, Violation> {
        let found = self.advance(input);
        if let Err(violation) = found {
            self.state = State::Over(violation);
            self.partial = Vec::new();
            self.parts = Vec::new();
        }
        found
    }

    /// Returns whether a frame or message has begun and is not whole.
    #[must_use]
    pub(super) fn is_inside(&self) -> bool {
        !matches!(self.state, State::Flags | State::Over(_)) || self.is_between_parts()
    }

    /// Returns how often something that had begun became whole: it grows with each
    /// message, and with each command outside of one.
    #[must_use]
    pub(super) fn ends_seen(&self) -> u64 {
        self.ends_seen
    }

    /// Returns the bytes of memory that it holds besides itself.
    #[must_use]
    pub(super) fn held_bytes(&self) -> usize {
        let parts: usize = self.parts.iter().map(Vec::capacity).sum();
        let list = self.parts.capacity() * size_of::<Vec<u8>>();
        self.partial.capacity() + parts + list
    }

    fn is_between_parts(&self) -> bool {
        !self.parts.is_empty() || self.excess.is_some()
    }

    fn advance(&mut self, input: &mut &[u8]) -> Result<Option<Piece>, Violation> {
        loop {
            match self.state {
                State::Over(violation) => return Err(violation),
                State::Greeting => {
                    let whole = self.collect(input, GREETING_BYTES);
                    check_greeting(&self.partial)?;
                    if !whole {
                        return Ok(None);
                    }
                    self.state = State::Flags;
                    let bytes = std::mem::take(&mut self.partial);
                    return Ok(Some(Piece::Greeting(greeting_from(&bytes))));
                }
                State::Flags => {
                    let Some((&flags, rest)) = input.split_first() else {
                        return Ok(None);
                    };
                    *input = rest;
                    self.check_flags(flags)?;
                    self.state = State::Length { flags };
                }
                State::Length { flags } => {
                    let wanted = if flags & LONG == 0 { 1 } else { 8 };
                    if !self.collect(input, wanted) {
                        return Ok(None);
                    }
                    let length = self
                        .partial
                        .iter()
                        .fold(0, |sum, byte| sum << 8 | u64::from(*byte));
                    self.partial.clear();
                    self.state = self.body_of(flags, length)?;
                }
                State::Excess { flags, missing } => {
                    let missing = drop_bytes(input, missing);
                    if missing > 0 {
                        self.state = State::Excess { flags, missing };
                        return Ok(None);
                    }
                    self.state = State::Flags;
                    if let Some(piece) = self.passed_over(flags) {
                        return Ok(Some(piece));
                    }
                }
                State::Body { flags, bytes } => {
                    if !self.collect(input, bytes) {
                        return Ok(None);
                    }
                    self.state = State::Flags;
                    let body = std::mem::take(&mut self.partial);
                    if let Some(piece) = self.frame(flags, body)? {
                        return Ok(Some(piece));
                    }
                }
            }
        }
    }

    /// Moves bytes into `partial` until it has `wanted`; room is made for those
    /// that are there, at most doubled, so that an announced length costs nothing.
    fn collect(&mut self, input: &mut &[u8], wanted: usize) -> bool {
        let missing = wanted - self.partial.len();
        let (taken, rest) = input.split_at(missing.min(input.len()));
        if self.partial.capacity() - self.partial.len() < taken.len() {
            let room = taken.len().max(self.partial.len()).min(missing);
            self.partial.reserve_exact(room);
        }
        self.partial.extend_from_slice(taken);
        *input = rest;
        self.partial.len() == wanted
    }

    fn check_flags(&mut self, flags: u8) -> Result<(), Violation> {
        let is_command = flags & COMMAND != 0;
        if flags & !(MORE | LONG | COMMAND) != 0 || (is_command && flags & MORE != 0) {
            return Err(Violation::ReservedFlag);
        }
        if !is_command && !self.commands_seen {
            return Err(Violation::EarlyMessage);
        }
        if !is_command && self.excess.is_none() && self.parts.len() >= self.caps.parts_max {
            self.pass_over(Violation::TooManyParts)?;
        }
        Ok(())
    }

    /// Says what to do with a body of an announced length.
    fn body_of(&mut self, flags: u8, length: u64) -> Result<State, Violation> {
        let is_command = flags & COMMAND != 0;
        if is_command || self.excess.is_none() {
            match self.allowed(flags, length) {
                Ok(bytes) => return Ok(State::Body { flags, bytes }),
                Err(violation) if is_command => return Err(violation),
                Err(violation) => self.pass_over(violation)?,
            }
        }
        self.count_excess(length)?;
        let missing = length;
        Ok(State::Excess { flags, missing })
    }

    /// From here on the message is thrown away, but for what its answer begins with.
    fn pass_over(&mut self, why: Violation) -> Result<(), Violation> {
        if self.caps.passed_over_bytes_max == 0 {
            return Err(why);
        }
        let delimiter = self.parts.iter().position(Vec::is_empty);
        self.parts.truncate(delimiter.map_or(0, |place| place + 1));
        self.excess = Some(Excess { why, bytes: 0 });
        Ok(())
    }

    fn count_excess(&mut self, length: u64) -> Result<(), Violation> {
        let Some(excess) = &mut self.excess else {
            return Ok(());
        };
        excess.bytes = excess.bytes.saturating_add(length);
        if excess.bytes > self.caps.passed_over_bytes_max {
            return Err(excess.why);
        }
        Ok(())
    }

    /// The message that is thrown away, if this was its last part.
    fn passed_over(&mut self, flags: u8) -> Option<Piece> {
        let Excess { why, .. } = self.excess.take_if(|_| flags & MORE == 0)?;
        self.parts_bytes = 0;
        self.ends_seen += 1;
        let envelope = std::mem::take(&mut self.parts);
        Some(Piece::PassedOver { envelope, why })
    }

    /// Returns an announced length that may be waited for.
    fn allowed(&self, flags: u8, length: u64) -> Result<usize, Violation> {
        let is_command = flags & COMMAND != 0;
        let bytes_max = match (is_command, self.commands_seen) {
            (true, false) => self.caps.ready_bytes_max,
            (true, true) => self.caps.command_bytes_max,
            (false, _) => self.caps.part_bytes_max,
        };
        let bytes = usize::try_from(length)
            .ok()
            .filter(|bytes| *bytes <= bytes_max)
            .ok_or(Violation::FrameTooLarge(length))?;
        if !is_command && self.parts_bytes + bytes > self.caps.message_bytes_max {
            return Err(Violation::MessageTooLarge);
        }
        Ok(bytes)
    }

    fn frame(&mut self, flags: u8, body: Vec<u8>) -> Result<Option<Piece>, Violation> {
        if flags & COMMAND != 0 {
            self.commands_seen = true;
            self.ends_seen += u64::from(!self.is_between_parts());
            return command_from(&body).map(Some);
        }
        self.parts_bytes += body.len();
        self.parts.push(body);
        if flags & MORE != 0 {
            return Ok(None);
        }
        self.parts_bytes = 0;
        self.ends_seen += 1;
        Ok(Some(Piece::Message(std::mem::take(&mut self.parts))))
    }
}

/// Takes up to so many bytes off the input; gives how many are still to come.
fn drop_bytes(input: &mut &[u8], missing: u64) -> u64 {
    let there = input.len() as u64;
    let taken = missing.min(there);
    *input = usize::try_from(taken).map_or(&[], |taken| &input[taken..]);
    missing - taken
}

/// Refuses a greeting as soon as its bytes show that it is none of ours.
fn check_greeting(bytes: &[u8]) -> Result<(), Violation> {
    let at =
        |place: usize, wrong: &dyn Fn(u8) -> bool| bytes.get(place).copied().filter(|b| wrong(*b));
    if at(0, &|byte| byte != SIGNATURE.0).is_some()
        || at(VERSION_AT - 1, &|byte| byte != SIGNATURE.1).is_some()
    {
        return Err(Violation::NotZmtp);
    }
    match at(VERSION_AT, &|major| major < 3) {
        Some(major) => Err(Violation::OldVersion(major)),
        None => Ok(()),
    }
}

fn greeting_from(bytes: &[u8]) -> Greeting {
    let mut mechanism = [0; MECHANISM_BYTES];
    mechanism.copy_from_slice(&bytes[MECHANISM_AT..MECHANISM_AT + MECHANISM_BYTES]);
    Greeting {
        minor: bytes[VERSION_AT + 1],
        mechanism,
    }
}

fn command_from(bytes: &[u8]) -> Result<Piece, Violation> {
    let (&name_bytes, rest) = bytes.split_first().ok_or(Violation::MalformedCommand)?;
    let (name, body) = rest
        .split_at_checked(usize::from(name_bytes))
        .filter(|(name, _)| !name.is_empty())
        .ok_or(Violation::MalformedCommand)?;
    Ok(Piece::Command {
        name: name.to_vec(),
        body: body.to_vec(),
    })
}
