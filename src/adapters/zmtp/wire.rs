//! The bytes of ZMTP that this program sends, and the names in them.
//!
//! In: parts, commands. Out: bytes, as in ZeroMQ RFC 37 (ZMTP 3.1), which a peer of
//! RFC 23 (3.0) reads as well. Invariant: lengths take the short form where they fit.
//! Deliberately absent: reading (`decoder`), state (`session`).

/// What every greeting begins with: the first and the last byte of the signature.
pub(super) const SIGNATURE: (u8, u8) = (0xFF, 0x7F);
/// Bytes of a greeting.
pub(super) const GREETING_BYTES: usize = 64;
/// Where the version stands in a greeting, and where the mechanism's 20 bytes begin.
pub(super) const VERSION_AT: usize = 10;
/// See [`VERSION_AT`].
pub(super) const MECHANISM_AT: usize = 12;
/// Bytes of the mechanism's name, padded with zeros.
pub(super) const MECHANISM_BYTES: usize = 20;

/// Flag: another part of the same message follows.
pub(super) const MORE: u8 = 1;
/// Flag: the length has eight bytes instead of one.
pub(super) const LONG: u8 = 2;
/// Flag: a command, not a part of a message.
pub(super) const COMMAND: u8 = 4;

/// A kind of socket, as peers name it in their `READY`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SocketType {
    /// Publishes.
    Pub,
    /// Subscribes.
    Sub,
    /// Publishes and hears of subscriptions.
    XPub,
    /// Subscribes by messages of its own.
    XSub,
    /// Asks, one request after the other.
    Req,
    /// Answers, one request after the other.
    Rep,
    /// Asks, many at a time.
    Dealer,
    /// Answers, many at a time.
    Router,
}

impl SocketType {
    const ALL: [Self; 8] = [
        Self::Pub,
        Self::Sub,
        Self::XPub,
        Self::XSub,
        Self::Req,
        Self::Rep,
        Self::Dealer,
        Self::Router,
    ];

    /// Returns the name on the wire.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Pub => "PUB",
            Self::Sub => "SUB",
            Self::XPub => "XPUB",
            Self::XSub => "XSUB",
            Self::Req => "REQ",
            Self::Rep => "REP",
            Self::Dealer => "DEALER",
            Self::Router => "ROUTER",
        }
    }

    /// Reads a name.
    pub(super) fn from_name(name: &[u8]) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|kind| kind.name().as_bytes() == name)
    }

    /// Returns whether the two may talk: RFC 28 for requests, RFC 29 for
    /// publishing.
    pub(super) fn may_talk_to(self, peer: Self) -> bool {
        match self {
            Self::Pub | Self::XPub => matches!(peer, Self::Sub | Self::XSub),
            Self::Sub | Self::XSub => matches!(peer, Self::Pub | Self::XPub),
            Self::Req => matches!(peer, Self::Rep | Self::Router),
            Self::Rep => matches!(peer, Self::Req | Self::Dealer),
            Self::Dealer => matches!(peer, Self::Rep | Self::Dealer | Self::Router),
            Self::Router => matches!(peer, Self::Req | Self::Dealer | Self::Router),
        }
    }
}

/// Returns the greeting: version 3.1, mechanism NULL, no server role.
pub(super) fn greeting() -> [u8; GREETING_BYTES] {
    let mut bytes = [0; GREETING_BYTES];
    bytes[0] = SIGNATURE.0;
    bytes[VERSION_AT - 1] = SIGNATURE.1;
    bytes[VERSION_AT] = 3;
    bytes[VERSION_AT + 1] = 1;
    bytes[MECHANISM_AT..MECHANISM_AT + 4].copy_from_slice(b"NULL");
    bytes
}

/// Appends a message of these parts.
pub(super) fn put_message(out: &mut Vec<u8>, parts: &[&[u8]]) {
    let last = parts.len().saturating_sub(1);
    for (place, part) in parts.iter().enumerate() {
        put_header(out, if place < last { MORE } else { 0 }, part.len());
        out.extend_from_slice(part);
    }
}

/// Returns how many bytes [`put_message`] may append at most.
pub(super) fn message_bytes(parts: &[&[u8]]) -> usize {
    parts.iter().map(|part| part.len() + 9).sum()
}

/// Appends a command.
pub(super) fn put_command(out: &mut Vec<u8>, name: &str, body: &[u8]) {
    let name_bytes = u8::try_from(name.len()).expect("commands' names are short constants");
    put_header(out, COMMAND, 1 + name.len() + body.len());
    out.push(name_bytes);
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(body);
}

/// Appends the `READY` of a socket. A REQ or DEALER gives no identity of its own.
pub(super) fn put_ready(out: &mut Vec<u8>, socket: SocketType) {
    let mut body = Vec::with_capacity(32);
    let name = socket.name().as_bytes();
    body.push(11);
    body.extend_from_slice(b"Socket-Type");
    body.extend_from_slice(&[0, 0, 0, u8::try_from(name.len()).expect("a short constant")]);
    body.extend_from_slice(name);
    put_command(out, "READY", &body);
}

/// Appends an `ERROR` with a reason, which is cut to what the format can hold.
pub(super) fn put_error(out: &mut Vec<u8>, reason: &str) {
    let mut end = reason.len().min(255);
    while !reason.is_char_boundary(end) {
        end -= 1;
    }
    let mut body = vec![u8::try_from(end).expect("cut to 255")];
    body.extend_from_slice(&reason.as_bytes()[..end]);
    put_command(out, "ERROR", &body);
}

fn put_header(out: &mut Vec<u8>, flags: u8, bytes: usize) {
    if let Ok(short) = u8::try_from(bytes) {
        out.extend_from_slice(&[flags, short]);
    } else {
        out.push(flags | LONG);
        out.extend_from_slice(&(bytes as u64).to_be_bytes());
    }
}
