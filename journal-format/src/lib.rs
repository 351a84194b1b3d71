//! What is on disk: journal bytes to events and back.
//!
//! In: bytes of a journal, or events. Out: events, or bytes. The layout is
//! specified in `FORMAT.md` and nowhere else. Invariants: decoding consumes every
//! byte, bounds every allocation, and never yields a value that breaks the rules
//! of its type; watched by the golden vectors. Deliberately absent: IO, state,
//! time, decisions. A crash leaves nothing behind.
//!
//! ```
//! use journal_format::event::{Event, Record, SessionEvent};
//! use journal_format::value::{Seq, Timestamp};
//! use journal_format::{decode_record, encode_record};
//!
//! let record = Record {
//!     seq: Seq(1),
//!     time: Timestamp(1_700_000_000_000),
//!     event: Event::Session(SessionEvent::SessionStopped),
//! };
//! let bytes = encode_record(&record)?;
//! assert_eq!(decode_record(&bytes).as_ref(), Ok(&record));
//! # Ok::<(), journal_format::EncodeError>(())
//! ```

#![cfg_attr(
    not(test),
    deny(
        clippy::indexing_slicing,
        clippy::cast_possible_truncation,
        clippy::arithmetic_side_effects
    )
)]
#![cfg_attr(
    test,
    expect(clippy::unwrap_used, reason = "a test may stop at the first surprise")
)]

pub mod codec;
mod convert;
mod envelope;
mod error;
pub mod event;
#[cfg(any(test, feature = "json"))]
pub mod json;
mod peek;
pub mod portable;
mod tag;
#[cfg(test)]
mod tests;
mod upcast;
pub mod value;
#[cfg(any(test, feature = "bless"))]
pub mod vectors;
mod wire;

pub use envelope::{
    ENVELOPE_VERSION, HEADER_BYTES, MAGIC, PAYLOAD_BYTES_MAX, RECORD_BYTES_MAX, decode_prefix,
    decode_record, encode_record, encode_record_into,
};
pub use error::{DecodeError, EncodeError, PayloadError, ValueError};
pub use peek::{Extent, Peek, peek, peek_extent};
pub use tag::Tag;
