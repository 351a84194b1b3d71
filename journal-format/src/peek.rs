//! What a record says of itself before it is decoded.
//!
//! In: bytes that may be damaged. Out: its tag, its number, its length, its payload as bytes.
//! Invariant: a hint and no more: the checksum is not looked at, so whoever keeps a
//! record decodes it. Deliberately absent: fields, apart from the one that says which
//! event another one ends. A tag that ends something is an arm of [`Peek::ends`].

use crate::envelope::{HEADER_BYTES, Header};
use crate::error::DecodeError;
use crate::tag::Tag;
use crate::value::Seq;

/// The outside of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Peek<'a> {
    /// Which event it holds.
    pub tag: Tag,
    /// The event's version.
    pub version: u8,
    /// Where it stands.
    pub seq: Seq,
    /// The event's bytes and the checksum.
    pub payload: &'a [u8],
}

/// Looks at the outside of a record; nothing when only decoding can tell.
#[must_use]
pub fn peek(bytes: &[u8]) -> Option<Peek<'_>> {
    let header = Header::parse(bytes).ok()?;
    Some(Peek {
        tag: Tag::from_number(header.tag)?,
        version: header.version,
        seq: header.seq,
        payload: bytes.get(HEADER_BYTES..)?,
    })
}

/// Where a record stands, and how long it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Extent {
    /// Where it stands.
    pub seq: Seq,
    /// How many bytes it has from its first to its last.
    pub bytes: usize,
}

/// Looks at the first [`HEADER_BYTES`] of a record, to find the next one.
///
/// # Errors
/// They do not begin a record of a length and a layout that this release knows.
pub fn peek_extent(bytes: &[u8]) -> Result<Extent, DecodeError> {
    let header = Header::parse(bytes)?;
    Ok(Extent {
        seq: header.seq,
        bytes: header.record_bytes(),
    })
}

impl Peek<'_> {
    /// Returns the beginning of the operation or conflict that this event ends; nothing
    /// when it ends none, or when only decoding can tell.
    #[must_use]
    pub fn ends(&self) -> Option<Seq> {
        let first_is_it = matches!(
            self.tag,
            Tag::OperationSucceeded
                | Tag::OperationFailed
                | Tag::ConflictResolved
                | Tag::ConflictSettled
        );
        if !first_is_it || self.version != self.tag.version() {
            return None;
        }
        let (first, rest) = self.payload.split_first()?;
        let number = match first {
            251 => u64::from(u16::from_le_bytes(*rest.first_chunk()?)),
            252 => u64::from(u32::from_le_bytes(*rest.first_chunk()?)),
            253 => u64::from_le_bytes(*rest.first_chunk()?),
            small => u64::from(*small),
        };
        Some(Seq(number))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::encode_record;
    use crate::event::{ConflictEvent, Event, Record};
    use crate::value::Timestamp;

    #[test]
    fn an_end_names_its_beginning_before_it_is_decoded() {
        for number in [1, 250, 251, 65_535, 65_536, u64::from(u32::MAX), u64::MAX] {
            let record = Record {
                seq: Seq(7),
                time: Timestamp(1),
                event: Event::Conflict(ConflictEvent::Settled {
                    conflict: Seq(number),
                }),
            };
            let bytes = encode_record(&record).unwrap();
            let seen = peek(&bytes).unwrap();
            assert_eq!((seen.tag, seen.seq), (Tag::ConflictSettled, Seq(7)));
            assert_eq!(seen.ends(), Some(Seq(number)));
            let extent = peek_extent(&bytes[..HEADER_BYTES]).unwrap();
            assert_eq!((extent.seq, extent.bytes), (Seq(7), bytes.len()));
            for end in 0..bytes.len() {
                let cut = peek(&bytes[..end]);
                assert!(cut.is_none_or(|cut| cut.seq == Seq(7)));
            }
        }
    }
}
