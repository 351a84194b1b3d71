//! Today's events to and from the newest wire version of each.
//!
//! In: events, or wire structs whose fields nobody checked. Out: the other one.
//! Invariant: both directions hold the same rules, so that nothing is written
//! that cannot be read; watched by the round-trip properties. Deliberately
//! absent: old versions (`upcast`) and bytes (`codec`). A new event gets a
//! conversion in its family's file; the compiler asks for it in [`append`].

mod conflict;
mod observation;
mod operation;
mod session;
mod value;

use crate::PAYLOAD_BYTES_MAX;
use crate::codec;
use crate::error::{EncodeError, ValueError};
use crate::event::Event;
use crate::value::{RelPath, TEXT_BYTES_MAX};
use serde::Serialize;

/// Appends the payload of an event, in its newest version.
pub(crate) fn append(event: &Event, out: &mut Vec<u8>) -> Result<(), EncodeError> {
    match event {
        Event::Session(event) => session::append(event, out),
        Event::Observation(event) => observation::append(event, out),
        Event::Operation(event) => operation::append(event, out),
        Event::Conflict(event) => conflict::append(event, out),
    }
}

fn put<W: Serialize>(wire: &W, out: &mut Vec<u8>) -> Result<(), EncodeError> {
    Ok(codec::append(wire, out, PAYLOAD_BYTES_MAX)?)
}

fn path(text: &str) -> Result<RelPath, ValueError> {
    Ok(RelPath::new(text)?)
}

/// Checks a text on its way out and on its way in.
fn text(text: &str) -> Result<&str, ValueError> {
    if text.len() > TEXT_BYTES_MAX {
        Err(ValueError::TextTooLong)
    } else {
        Ok(text)
    }
}
