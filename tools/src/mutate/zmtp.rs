//! Mutated conversations of the sockets' protocol.
//!
//! In: bytes that look like a conversation. Out: how many events came of it at most, or
//! which promise broke. Checked: the same is heard whatever the chunks, no more is sent
//! than came, memory follows the bytes that came.

use super::Chance;
use pydio_sync::adapters::zmtp::{Caps, Event, Session, SocketType, Violation};

/// Bytes of a greeting and a `READY`, behind which the conversation begins.
pub(super) const HANDSHAKE_BYTES: usize = 92;

const CAPS: Caps = Caps {
    part_bytes_max: 300,
    message_bytes_max: 500,
    parts_max: 4,
    ready_bytes_max: 128,
    command_bytes_max: 64,
    passed_over_bytes_max: 2000,
};

#[derive(PartialEq, Eq)]
struct Heard {
    events: Vec<Event>,
    sent: Vec<u8>,
    violation: Option<Violation>,
}

/// Feeds an input to each kind of socket, whole and in chunks. Gives how many events
/// came of it at most, or which promise was broken.
pub(super) fn check(input: &[u8], seed: u64) -> Result<usize, String> {
    let mut depth = 0;
    for socket in [
        SocketType::Pub,
        SocketType::Router,
        SocketType::Sub,
        SocketType::Req,
    ] {
        let whole = hear(socket, input, || usize::MAX)?;
        let mut chance = Chance(seed);
        let chunked = hear(socket, input, || 1 + chance.below(40))?;
        let single = hear(socket, input, || 1)?;
        if whole != chunked || whole != single {
            return Err(format!("{socket:?} hears something else in chunks"));
        }
        if whole.sent.len() > 64 + 128 + input.len() {
            return Err(format!("{socket:?} sends more than it was sent"));
        }
        depth = depth.max(whole.events.len());
    }
    Ok(depth)
}

fn hear(
    socket: SocketType,
    input: &[u8],
    mut chunk: impl FnMut() -> usize,
) -> Result<Heard, String> {
    let mut sent = Vec::new();
    let mut session = Session::new(socket, CAPS, &mut sent);
    let mut events = Vec::new();
    let mut rest = input;
    while !rest.is_empty() {
        let (mut now, later) = rest.split_at(chunk().min(rest.len()));
        rest = later;
        loop {
            match session.next(&mut now, &mut sent) {
                Ok(Some(event)) => events.push(event),
                Ok(None) => break,
                Err(violation) => {
                    let violation = Some(violation);
                    return Ok(Heard {
                        events,
                        sent,
                        violation,
                    });
                }
            }
        }
        let fed = input.len() - rest.len();
        let bound = CAPS.message_bytes_max + CAPS.part_bytes_max + 32 * CAPS.parts_max;
        if session.held_bytes() > bound.min(2 * fed + 256) {
            return Err(format!("{socket:?} holds {} bytes", session.held_bytes()));
        }
    }
    let violation = None;
    Ok(Heard {
        events,
        sent,
        violation,
    })
}

/// One conversation for each kind of peer.
const SAMPLES: usize = 4;

pub(super) fn samples() -> Vec<Vec<u8>> {
    let talk: [(&str, &[u8]); SAMPLES] = [
        (
            "SUB",
            b"\x04\x0b\x09SUBSCRIBEa\x00\x02\x01b\x04\x08\x06CANCELa\x00\x02\x00b",
        ),
        (
            "DEALER",
            b"\x01\x00\x00\x02hi\x00\x02hi\x04\x0a\x04PING\x00\x64abc\x01\x01a\x01\x00\x00\x01b\x01\x00\x01\x00\x01\x00\x01\x00\x01\x01a\x00\x01b",
        ),
        (
            "PUB",
            b"\x01\x05topic\x01\x08\0\0\0\0\0\0\0\x01\x02\0\0\0\0\0\0\0\x05words\x00\x06status",
        ),
        (
            "ROUTER",
            b"\x01\x00\x00\x02hi\x04\x06\x04PONGa\x04\x05\x04JOIN",
        ),
    ];
    talk.map(|(socket, rest)| {
        let mut bytes = vec![0; 64];
        bytes[0] = 0xFF;
        bytes[9] = 0x7F;
        bytes[10] = 3;
        bytes[12..16].copy_from_slice(b"NULL");
        let name = u8::try_from(socket.len()).expect("short");
        bytes.extend_from_slice(&[4, 22 + name]);
        bytes.extend_from_slice(b"\x05READY\x0bSocket-Type\0\0\0");
        bytes.push(name);
        bytes.extend_from_slice(socket.as_bytes());
        bytes.extend_from_slice(rest);
        bytes
    })
    .to_vec()
}
