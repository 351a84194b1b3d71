//! What the protocol without IO promises, whatever bytes come.

mod parsing;
mod prefixes;

use super::decoder::Violation;
use super::limits::Caps;
use super::session::{Event, Session};
use super::wire::{self, SocketType};

/// What a session made of a stream of bytes.
#[derive(Debug, PartialEq, Eq)]
struct Heard {
    events: Vec<Event>,
    sent: Vec<u8>,
    violation: Option<Violation>,
}

/// Small enough that random lengths reach them.
const CAPS: Caps = Caps {
    part_bytes_max: 300,
    message_bytes_max: 500,
    parts_max: 4,
    ready_bytes_max: 128,
    command_bytes_max: 64,
    passed_over_bytes_max: 0,
};

/// The same for a socket that answers what is beyond them.
const PASSING: Caps = Caps {
    passed_over_bytes_max: 1000,
    ..CAPS
};

/// Feeds chunks to a session until it is over, and checks what it holds after each.
fn hear<'a>(socket: SocketType, chunks: impl IntoIterator<Item = &'a [u8]>) -> Heard {
    hear_within(CAPS, socket, chunks)
}

fn hear_within<'a>(
    caps: Caps,
    socket: SocketType,
    chunks: impl IntoIterator<Item = &'a [u8]>,
) -> Heard {
    let mut sent = Vec::new();
    let mut session = Session::new(socket, caps, &mut sent);
    let mut events = Vec::new();
    let mut fed = 0;
    for chunk in chunks {
        let mut input = chunk;
        fed += chunk.len();
        loop {
            match session.next(&mut input, &mut sent) {
                Ok(Some(event)) => events.push(event),
                Ok(None) => break,
                Err(violation) => {
                    let again = session.next(&mut b"more".as_slice(), &mut Vec::new());
                    assert_eq!(again, Err(violation), "a violation is final");
                    return Heard {
                        events,
                        sent,
                        violation: Some(violation),
                    };
                }
            }
        }
        assert!(input.is_empty(), "everything is taken or refused");
        let bound = CAPS.message_bytes_max + CAPS.part_bytes_max + 32 * CAPS.parts_max;
        assert!(session.held_bytes() <= bound.min(2 * fed + 256));
    }
    Heard {
        events,
        sent,
        violation: None,
    }
}

/// The bytes of a peer up to the end of its handshake.
fn handshake(socket: SocketType) -> Vec<u8> {
    let mut bytes = wire::greeting().to_vec();
    wire::put_ready(&mut bytes, socket);
    bytes
}
