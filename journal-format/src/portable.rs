//! A journal as one file: header, perhaps the state before the first record in pieces,
//! the records as they are stored, trailer.
//!
//! In: a header, pieces and envelopes, or bytes of a file that may be cut, altered or foreign.
//! Out: bytes, or records one by one. Invariants: records keep their bytes; what comes
//! out is contiguous from the header's first number; a file without its whole end is
//! told. Watched by the `.pydiojournal` vectors. Deliberately absent: IO (the caller
//! brings bytes in any pieces), anything a record means. A crash leaves a file without
//! trailer, which reads as cut. A new layout is a new version, beside this one.

mod fault;

pub use fault::{Fault, OutOfOrder, PortableError};

use crate::error::{DecodeError, EncodeError, ValueError};
use crate::event::Record;
use crate::value::{Seq, TEXT_BYTES_MAX};
use crate::{MAGIC, codec, decode_prefix};
use serde::{Deserialize, Serialize};

/// The first eight bytes of a portable file.
pub const FILE_MAGIC: [u8; 8] = *b"PSYNCJNL";
/// The first four bytes of what follows the last record.
pub const TRAILER_MAGIC: [u8; 4] = *b"PSJT";
/// The first four bytes of each piece of the state before the first record.
pub const STATE_MAGIC: [u8; 4] = *b"PSJB";
/// The most bytes of a state in one piece.
pub const STATE_PIECE_BYTES_MAX: usize = 1 << 18;
/// The most bytes of a state.
pub const STATE_BYTES_MAX: u64 = 1 << 30;
/// The version of this layout.
pub const FILE_VERSION: u16 = 1;
/// The most bytes of a header's fields.
pub const HEADER_FIELDS_BYTES_MAX: usize = 16_384;
/// Bytes of the trailer.
pub const TRAILER_BYTES: usize = 24;

/// What a portable file says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Header {
    /// The journal's identity.
    pub journal: [u8; 16],
    /// The job's id.
    pub job: String,
    /// The job's label.
    pub label: String,
    /// The release that wrote the file.
    pub release: String,
    /// Whether names and whatever else tells of a person were replaced.
    pub redacted: bool,
    /// The sequence number of the first record, also if there is none.
    pub first: Seq,
    /// The journal's running hash before the first record, where it is known:
    /// `h(n) = blake3(h(n-1) ‖ record n)`, `h(0)` is 32 zeros.
    pub before: Option<[u8; 32]>,
}

/// How a portable file ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Trailer {
    /// How many records there are.
    pub count: u64,
    /// The last one's sequence number; the one before the first if there is none.
    pub last: Seq,
}

/// The next part of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Part {
    /// Its header.
    Header(Header),
    /// A piece of the state that the events before the first record fold to.
    State(Vec<u8>),
    /// A record, as long as the bytes it was read from.
    Record(Record),
    /// Its end: nothing may follow.
    Trailer(Trailer),
}

/// Writes a file's frame: the caller writes what it gives, and the records between.
#[derive(Debug, Clone)]
pub struct Encoder {
    sum: crc32fast::Hasher,
    next: Seq,
    count: u64,
}

impl Encoder {
    /// Begins a file; returns its first bytes.
    ///
    /// # Errors
    /// A text of the header is too long, or the first number is 0.
    pub fn begin(header: &Header) -> Result<(Self, Vec<u8>), EncodeError> {
        if header.first == Seq::ZERO {
            return Err(EncodeError::SeqZero);
        }
        check(header)?;
        let mut fields = Vec::new();
        codec::append(header, &mut fields, HEADER_FIELDS_BYTES_MAX)?;
        let length = u32::try_from(fields.len()).map_err(|_| EncodeError::PayloadTooLong)?;
        let mut bytes = FILE_MAGIC.to_vec();
        bytes.extend_from_slice(&FILE_VERSION.to_le_bytes());
        bytes.extend_from_slice(&length.to_le_bytes());
        bytes.extend_from_slice(&fields);
        let own = crc32fast::hash(&bytes);
        bytes.extend_from_slice(&own.to_le_bytes());
        let mut sum = crc32fast::Hasher::new();
        sum.update(&bytes);
        let encoder = Self {
            sum,
            next: header.first,
            count: 0,
        };
        Ok((encoder, bytes))
    }

    /// Frames a piece of the state before the first record; returns the bytes to write.
    /// Pieces come before the records, and none has more than
    /// [`STATE_PIECE_BYTES_MAX`] bytes.
    ///
    /// # Errors
    /// A record was written, or none can be before the first one.
    pub fn state(&mut self, piece: &[u8]) -> Result<Vec<u8>, OutOfOrder> {
        if self.count > 0 || self.next <= Seq(1) {
            return Err(OutOfOrder {
                expected: self.next,
                found: Seq::ZERO,
            });
        }
        let length = u32::try_from(piece.len()).unwrap_or(u32::MAX);
        let mut bytes = STATE_MAGIC.to_vec();
        bytes.extend_from_slice(&length.to_le_bytes());
        bytes.extend_from_slice(piece);
        let own = crc32fast::hash(&bytes);
        bytes.extend_from_slice(&own.to_le_bytes());
        self.sum.update(&bytes);
        Ok(bytes)
    }

    /// Takes note of a record, whose envelope the caller writes as it is.
    ///
    /// # Errors
    /// It is not the next one.
    pub fn record(&mut self, seq: Seq, envelope: &[u8]) -> Result<(), OutOfOrder> {
        if seq != self.next {
            return Err(OutOfOrder {
                expected: self.next,
                found: seq,
            });
        }
        self.sum.update(envelope);
        self.next = seq.next();
        self.count = self.count.saturating_add(1);
        Ok(())
    }

    /// Ends the file; returns its last bytes.
    #[must_use]
    pub fn finish(mut self) -> Vec<u8> {
        let mut bytes = TRAILER_MAGIC.to_vec();
        bytes.extend_from_slice(&self.count.to_le_bytes());
        bytes.extend_from_slice(&self.next.0.saturating_sub(1).to_le_bytes());
        self.sum.update(&bytes);
        bytes.extend_from_slice(&self.sum.finalize().to_le_bytes());
        bytes
    }
}

/// Reads a file part by part.
#[derive(Debug, Clone)]
pub struct Decoder {
    sum: crc32fast::Hasher,
    offset: u64,
    place: Place,
    next: Seq,
    count: u64,
    /// Bytes of the state that were read.
    state: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Begin,
    /// Behind the header: a state can come, or a record.
    State,
    Records,
    End,
}

impl Default for Decoder {
    fn default() -> Self {
        Self::new()
    }
}

impl Decoder {
    /// Makes a decoder for the first byte of a file.
    #[must_use]
    pub fn new() -> Self {
        Self {
            sum: crc32fast::Hasher::new(),
            offset: 0,
            place: Place::Begin,
            next: Seq(1),
            count: 0,
            state: 0,
        }
    }

    /// Returns how many bytes were read.
    #[must_use]
    pub const fn offset(&self) -> u64 {
        self.offset
    }

    /// Reads the next part from the front of `input`; returns it and its length.
    /// Nothing means that more bytes are needed, never more than
    /// [`crate::RECORD_BYTES_MAX`] at once; or, behind the trailer, that this is all.
    /// `is_last` says that no bytes follow `input`.
    ///
    /// # Errors
    /// The bytes are no such file. Reading must end there.
    pub fn step(
        &mut self,
        input: &[u8],
        is_last: bool,
    ) -> Result<Option<(Part, usize)>, PortableError> {
        let read = match self.place {
            Place::Begin => self.header(input, is_last),
            Place::State if input.get(..4) == Some(&STATE_MAGIC) => self.state(input, is_last),
            Place::State | Place::Records if input.get(..4) == Some(&TRAILER_MAGIC) => {
                self.trailer(input, is_last)
            }
            Place::State | Place::Records => self.record(input, is_last),
            Place::End if input.is_empty() => Ok(None),
            Place::End => Err(Fault::Trailing),
        };
        let read = read.map_err(|fault| PortableError {
            offset: self.offset,
            fault,
        })?;
        if let Some((_, used)) = &read {
            self.sum.update(input.get(..*used).unwrap_or_default());
            let used = u64::try_from(*used).unwrap_or(u64::MAX);
            self.offset = self.offset.saturating_add(used);
        }
        Ok(read)
    }

    /// More bytes are needed, or there are none.
    fn short(&self, is_last: bool) -> Result<Option<(Part, usize)>, Fault> {
        if is_last {
            Err(Fault::Ended { next: self.next })
        } else {
            Ok(None)
        }
    }

    fn header(&mut self, input: &[u8], is_last: bool) -> Result<Option<(Part, usize)>, Fault> {
        let known = input.len().min(FILE_MAGIC.len());
        if input.get(..known) != FILE_MAGIC.get(..known) || is_last && input.is_empty() {
            return Err(Fault::Magic);
        }
        let mut rest = input.get(FILE_MAGIC.len()..).unwrap_or_default();
        let Some(version) = take(&mut rest).map(u16::from_le_bytes) else {
            return self.short(is_last);
        };
        if version != FILE_VERSION {
            return Err(Fault::Version { found: version });
        }
        let Some(length) = take(&mut rest).map(u32::from_le_bytes) else {
            return self.short(is_last);
        };
        let announced = usize::try_from(length).unwrap_or(usize::MAX);
        if announced > HEADER_FIELDS_BYTES_MAX {
            return Err(Fault::HeaderLength { found: length });
        }
        let Some((fields, mut rest)) = rest.split_at_checked(announced) else {
            return self.short(is_last);
        };
        let covered = FRAME_BYTES.saturating_add(announced);
        let Some(found) = take(&mut rest).map(u32::from_le_bytes) else {
            return self.short(is_last);
        };
        let expected = crc32fast::hash(input.get(..covered).unwrap_or_default());
        if found != expected {
            return Err(Fault::Checksum { expected, found });
        }
        let header: Header =
            codec::read_payload(fields).map_err(|error| Fault::Header(error.into()))?;
        check(&header).map_err(|error| Fault::Header(error.into()))?;
        if header.first == Seq::ZERO {
            return Err(Fault::Sequence {
                expected: Seq(1),
                found: Seq::ZERO,
            });
        }
        self.place = if header.first > Seq(1) {
            Place::State
        } else {
            Place::Records
        };
        self.next = header.first;
        Ok(Some((Part::Header(header), covered.saturating_add(4))))
    }

    fn state(&mut self, input: &[u8], is_last: bool) -> Result<Option<(Part, usize)>, Fault> {
        let mut rest = input.get(STATE_MAGIC.len()..).unwrap_or_default();
        let Some(length) = take(&mut rest).map(u32::from_le_bytes) else {
            return self.short(is_last);
        };
        let announced = usize::try_from(length).unwrap_or(usize::MAX);
        let all = self.state.saturating_add(u64::from(length));
        if announced > STATE_PIECE_BYTES_MAX || all > STATE_BYTES_MAX {
            return Err(Fault::StateLength { found: all });
        }
        let Some((piece, mut rest)) = rest.split_at_checked(announced) else {
            return self.short(is_last);
        };
        let covered = PIECE_FRAME_BYTES.saturating_add(announced);
        let Some(found) = take(&mut rest).map(u32::from_le_bytes) else {
            return self.short(is_last);
        };
        let expected = crc32fast::hash(input.get(..covered).unwrap_or_default());
        if found != expected {
            return Err(Fault::Checksum { expected, found });
        }
        self.state = all;
        Ok(Some((
            Part::State(piece.to_vec()),
            covered.saturating_add(4),
        )))
    }

    fn record(&mut self, input: &[u8], is_last: bool) -> Result<Option<(Part, usize)>, Fault> {
        let expected = self.next;
        // The end of a file that was cut between records looks like no magic at all.
        if input.len() < MAGIC.len()
            && [MAGIC, TRAILER_MAGIC, STATE_MAGIC]
                .iter()
                .any(|magic| magic.starts_with(input))
        {
            return self.short(is_last);
        }
        match decode_prefix(input) {
            Ok((record, _)) if record.seq != expected => Err(Fault::Sequence {
                expected,
                found: record.seq,
            }),
            Ok((record, used)) => {
                self.place = Place::Records;
                self.next = expected.next();
                self.count = self.count.saturating_add(1);
                Ok(Some((Part::Record(record), used)))
            }
            Err(DecodeError::Truncated { .. }) => self.short(is_last),
            Err(error) => Err(Fault::Record { expected, error }),
        }
    }

    fn trailer(&mut self, input: &[u8], is_last: bool) -> Result<Option<(Part, usize)>, Fault> {
        let Some((trailer, body)) = input.get(..TRAILER_BYTES).zip(input.get(..SUMMED_BYTES))
        else {
            return self.short(is_last);
        };
        let mut rest = trailer.get(TRAILER_MAGIC.len()..).unwrap_or_default();
        let fields = (|| {
            let told = end(&mut rest)?;
            Some((told, u32::from_le_bytes(take(&mut rest)?)))
        })();
        let Some((found, sum)) = fields else {
            return self.short(is_last);
        };
        let mut summed = self.sum.clone();
        summed.update(body);
        let expected = summed.finalize();
        if sum != expected {
            return Err(Fault::Checksum {
                expected,
                found: sum,
            });
        }
        let expected = Trailer {
            count: self.count,
            last: Seq(self.next.0.saturating_sub(1)),
        };
        if found != expected {
            return Err(Fault::Count { expected, found });
        }
        self.place = Place::End;
        Ok(Some((Part::Trailer(found), TRAILER_BYTES)))
    }
}

/// Reads what the last bytes of a file tell of its end, unchecked: for a look at it
/// before it is read whole.
#[must_use]
pub fn peek_trailer(bytes: &[u8; TRAILER_BYTES]) -> Option<Trailer> {
    end(&mut bytes.strip_prefix(&TRAILER_MAGIC)?)
}

fn end(rest: &mut &[u8]) -> Option<Trailer> {
    Some(Trailer {
        count: u64::from_le_bytes(take(rest)?),
        last: Seq(u64::from_le_bytes(take(rest)?)),
    })
}

fn check(header: &Header) -> Result<(), ValueError> {
    let texts = [&header.job, &header.label, &header.release];
    if texts.iter().any(|text| text.len() > TEXT_BYTES_MAX) {
        return Err(ValueError::TextTooLong);
    }
    Ok(())
}

fn take<const N: usize>(rest: &mut &[u8]) -> Option<[u8; N]> {
    let (first, others) = rest.split_first_chunk()?;
    *rest = others;
    Some(*first)
}

/// Magic and length, before the bytes of a piece.
const PIECE_FRAME_BYTES: usize = 8;
/// Magic, version and length, before the header's fields.
const FRAME_BYTES: usize = 14;
/// What of the trailer its checksum covers.
const SUMMED_BYTES: usize = TRAILER_BYTES - 4;
