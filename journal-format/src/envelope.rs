//! The envelope of one record: header, payload, checksum.
//!
//! In: records, or bytes from a disk or a file that may be damaged or foreign.
//! Out: bytes, or records. Invariant: no record that differs from the written one
//! comes out (the checksum covers every byte before it), and an event that this
//! release does not know is an error; watched by the damaged vectors and the
//! mutation properties. Deliberately absent: where records are kept, and whether
//! sequence numbers are contiguous. A crash leaves at most a torn tail, which
//! reads as `Truncated`. A new layout is a new envelope version, beside this one.

use crate::error::{DecodeError, EncodeError};
use crate::event::Record;
use crate::tag::Tag;
use crate::value::{Seq, Timestamp};
use crate::{convert, upcast};

/// The first four bytes of every record.
pub const MAGIC: [u8; 4] = *b"PSJR";
/// The version of this layout.
pub const ENVELOPE_VERSION: u8 = 1;
/// Bytes before the payload.
pub const HEADER_BYTES: usize = 28;
/// The most bytes of a payload.
pub const PAYLOAD_BYTES_MAX: usize = 1 << 20;
/// The most bytes of a record.
pub const RECORD_BYTES_MAX: usize = HEADER_BYTES + PAYLOAD_BYTES_MAX + CHECKSUM_BYTES;

/// Encodes a record.
///
/// # Errors
/// The event breaks a rule that readers check, so it would be unreadable: a text
/// or the whole event is too long, a group of moves is empty, the position is 0.
pub fn encode_record(record: &Record) -> Result<Vec<u8>, EncodeError> {
    let mut out = Vec::with_capacity(TYPICAL_BYTES);
    encode_record_into(record, &mut out)?;
    Ok(out)
}

/// Appends a record to a buffer.
///
/// # Errors
/// Those of [`encode_record`]; the buffer is as it was before.
pub fn encode_record_into(record: &Record, out: &mut Vec<u8>) -> Result<(), EncodeError> {
    if record.seq == Seq::ZERO {
        return Err(EncodeError::SeqZero);
    }
    let start = out.len();
    let result = append(record, out, start);
    if result.is_err() {
        out.truncate(start);
    }
    result
}

/// Decodes exactly one record.
///
/// # Errors
/// The bytes are not one whole, undamaged record that this release knows.
pub fn decode_record(bytes: &[u8]) -> Result<Record, DecodeError> {
    let (record, used) = decode_prefix(bytes)?;
    match bytes.len().saturating_sub(used) {
        0 => Ok(record),
        count => Err(DecodeError::Trailing {
            offset: used,
            count,
        }),
    }
}

/// Decodes the first record of a stream; returns how many bytes it has.
///
/// # Errors
/// The bytes do not begin with one whole, undamaged record that this release
/// knows. `Truncated` says that the stream ends inside the record.
pub fn decode_prefix(bytes: &[u8]) -> Result<(Record, usize), DecodeError> {
    let header = Header::parse(bytes)?;
    let truncated = |expected| DecodeError::Truncated {
        tag: Some(header.tag),
        expected,
        found: bytes.len(),
    };
    let total = header.record_bytes();
    let covered = total.saturating_sub(CHECKSUM_BYTES);
    let (content, rest) = bytes
        .split_at_checked(covered)
        .ok_or_else(|| truncated(total))?;
    let found = u32::from_le_bytes(*rest.first_chunk().ok_or_else(|| truncated(total))?);
    let expected = crc32fast::hash(content);
    if found != expected {
        return Err(DecodeError::Checksum {
            tag: header.tag,
            offset: covered,
            expected,
            found,
        });
    }
    let payload = content.get(HEADER_BYTES..).unwrap_or_default();
    Ok((header.record(payload)?, total))
}

/// The fields before the payload.
pub(crate) struct Header {
    pub(crate) tag: u16,
    pub(crate) version: u8,
    pub(crate) seq: Seq,
    time: Timestamp,
    payload_bytes: usize,
}

impl Header {
    /// Reads the fields before the payload; the checksum is not yet looked at.
    pub(crate) fn parse(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut input = bytes;
        let truncated = DecodeError::Truncated {
            tag: None,
            expected: HEADER_BYTES.saturating_add(CHECKSUM_BYTES),
            found: bytes.len(),
        };
        let magic: [u8; 4] = take(&mut input).ok_or_else(|| truncated.clone())?;
        if magic != MAGIC {
            return Err(DecodeError::Magic { found: magic });
        }
        let [envelope] = take(&mut input).ok_or_else(|| truncated.clone())?;
        if envelope != ENVELOPE_VERSION {
            return Err(DecodeError::EnvelopeVersion { found: envelope });
        }
        let mut fields = || {
            let [version] = take(&mut input)?;
            Some((
                version,
                u16::from_le_bytes(take(&mut input)?),
                u64::from_le_bytes(take(&mut input)?),
                i64::from_le_bytes(take(&mut input)?),
                u32::from_le_bytes(take(&mut input)?),
            ))
        };
        let (version, tag, seq, time, announced) = fields().ok_or(truncated)?;
        let payload_bytes = usize::try_from(announced).unwrap_or(usize::MAX);
        if payload_bytes > PAYLOAD_BYTES_MAX {
            return Err(DecodeError::PayloadLength {
                tag,
                found: announced,
            });
        }
        Ok(Self {
            tag,
            version,
            seq: Seq(seq),
            time: Timestamp(time),
            payload_bytes,
        })
    }

    /// Returns how many bytes the whole record has.
    pub(crate) const fn record_bytes(&self) -> usize {
        HEADER_BYTES
            .saturating_add(self.payload_bytes)
            .saturating_add(CHECKSUM_BYTES)
    }

    /// Reads the payload, whose checksum was right.
    fn record(&self, payload: &[u8]) -> Result<Record, DecodeError> {
        if self.seq == Seq::ZERO {
            return Err(DecodeError::SeqZero { tag: self.tag });
        }
        let tag = Tag::from_number(self.tag).ok_or(DecodeError::UnknownTag {
            seq: self.seq,
            tag: self.tag,
            version: self.version,
        })?;
        let event = upcast::event(tag, self.version, payload)
            .ok_or(DecodeError::UnknownVersion {
                seq: self.seq,
                tag,
                found: self.version,
            })?
            .map_err(|reason| DecodeError::Payload {
                seq: self.seq,
                tag,
                version: self.version,
                reason,
            })?;
        Ok(Record {
            seq: self.seq,
            time: self.time,
            event,
        })
    }
}

fn append(record: &Record, out: &mut Vec<u8>, start: usize) -> Result<(), EncodeError> {
    let tag = Tag::of(&record.event);
    let mut header = [0; HEADER_BYTES];
    out.extend_from_slice(&header);
    let payload_start = out.len();
    convert::append(&record.event, out)?;
    let payload_bytes = u32::try_from(out.len().saturating_sub(payload_start))
        .map_err(|_| EncodeError::PayloadTooLong)?;

    let mut rest = header.as_mut_slice();
    put(&mut rest, MAGIC);
    put(&mut rest, [ENVELOPE_VERSION, tag.version()]);
    put(&mut rest, tag.number().to_le_bytes());
    put(&mut rest, record.seq.0.to_le_bytes());
    put(&mut rest, record.time.0.to_le_bytes());
    put(&mut rest, payload_bytes.to_le_bytes());
    if let Some(room) = out.get_mut(start..payload_start) {
        room.copy_from_slice(&header);
    }
    let sum = crc32fast::hash(out.get(start..).unwrap_or_default());
    out.extend_from_slice(&sum.to_le_bytes());
    Ok(())
}

fn take<const N: usize>(input: &mut &[u8]) -> Option<[u8; N]> {
    let (bytes, rest) = input.split_first_chunk()?;
    *input = rest;
    Some(*bytes)
}

fn put<const N: usize>(out: &mut &mut [u8], bytes: [u8; N]) {
    let (room, rest) = std::mem::take(out)
        .split_first_chunk_mut()
        .expect("the fields fill the header exactly");
    *room = bytes;
    *out = rest;
}

const CHECKSUM_BYTES: usize = 4;
/// What an observation of a file takes, so that one allocation serves most.
const TYPICAL_BYTES: usize = 192;
