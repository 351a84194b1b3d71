//! What can be wrong with a portable file.
//!
//! In: nothing. Out: errors that say where and what was expected. Invariant: each prints
//! as one line without names or content. Deliberately absent: what to do about it.

use super::{
    FILE_MAGIC, FILE_VERSION, HEADER_FIELDS_BYTES_MAX, STATE_BYTES_MAX, STATE_PIECE_BYTES_MAX,
    Trailer,
};
use crate::error::{DecodeError, PayloadError};
use crate::value::Seq;
use std::fmt;

/// Why bytes are no portable file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PortableError {
    /// Where, counted from the file's first byte.
    pub offset: u64,
    /// What.
    pub fault: Fault,
}

/// What is wrong with a portable file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// The file does not begin with the magic.
    Magic,
    /// The layout is of another release.
    Version {
        /// Its version.
        found: u16,
    },
    /// The announced header is longer than any.
    HeaderLength {
        /// Announced bytes.
        found: u32,
    },
    /// The header's fields are none.
    Header(PayloadError),
    /// The state before the first record is longer than any, or a piece of it is.
    StateLength {
        /// Announced bytes, with those of the pieces before.
        found: u64,
    },
    /// The file ends before its trailer does.
    Ended {
        /// The number that comes next.
        next: Seq,
    },
    /// A record is damaged, or not known.
    Record {
        /// The number that it should have.
        expected: Seq,
        /// What is wrong; offsets count from the record's first byte.
        error: DecodeError,
    },
    /// A record has another number than the one that comes next.
    Sequence {
        /// The number that comes next.
        expected: Seq,
        /// Its number.
        found: Seq,
    },
    /// The trailer tells of another number of records, or of another last one.
    Count {
        /// What was read.
        expected: Trailer,
        /// What it tells.
        found: Trailer,
    },
    /// Bytes are not those that were written.
    Checksum {
        /// The sum of the bytes that are there.
        expected: u32,
        /// The sum that is written behind them.
        found: u32,
    },
    /// Bytes follow the trailer.
    Trailing,
}

/// A record that cannot come next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OutOfOrder {
    /// The number that comes next.
    pub expected: Seq,
    /// The record's number.
    pub found: Seq,
}

impl PortableError {
    /// Tells whether a newer release wrote the file, so that an upgrade helps.
    #[must_use]
    pub const fn is_from_newer_release(&self) -> bool {
        match &self.fault {
            Fault::Version { found } => *found > FILE_VERSION,
            Fault::Record { error, .. } => error.is_from_newer_release(),
            Fault::Magic
            | Fault::HeaderLength { .. }
            | Fault::Header(_)
            | Fault::StateLength { .. }
            | Fault::Ended { .. }
            | Fault::Sequence { .. }
            | Fault::Count { .. }
            | Fault::Checksum { .. }
            | Fault::Trailing => false,
        }
    }

    /// Tells whether the bytes are something else altogether.
    #[must_use]
    pub const fn is_foreign(&self) -> bool {
        matches!(self.fault, Fault::Magic)
    }
}

impl fmt::Display for PortableError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "offset {}: ", self.offset)?;
        match &self.fault {
            Fault::Magic => write!(
                f,
                "no portable journal begins here, expected `{}`",
                FILE_MAGIC.escape_ascii()
            ),
            Fault::Version { found } => write!(
                f,
                "a portable journal of version {found}, expected {FILE_VERSION}"
            ),
            Fault::HeaderLength { found } => write!(
                f,
                "a header of {found} bytes, expected at most {HEADER_FIELDS_BYTES_MAX}"
            ),
            Fault::StateLength { found } => write!(
                f,
                "a state of {found} bytes, expected at most {STATE_BYTES_MAX} in pieces of at \
                 most {STATE_PIECE_BYTES_MAX}"
            ),
            Fault::Header(reason) => write!(f, "the header is none: {reason}"),
            Fault::Ended { next } => write!(
                f,
                "the file ends in what begins here, expected record {next} or the trailer"
            ),
            Fault::Record { expected, error } => {
                write!(f, "expected record {expected}, and at its {error}")
            }
            Fault::Sequence { expected, found } => {
                write!(f, "record {found}, expected {expected}")
            }
            Fault::Count { expected, found } => write!(
                f,
                "the trailer tells of {} records up to {}, expected {} up to {}",
                found.count, found.last, expected.count, expected.last
            ),
            Fault::Checksum { expected, found } => write!(
                f,
                "what begins here has the checksum {found:08x}, expected {expected:08x}"
            ),
            Fault::Trailing => f.write_str("bytes follow the trailer, expected the end"),
        }
    }
}

impl fmt::Display for OutOfOrder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "record {}, expected {}", self.found, self.expected)
    }
}

impl std::error::Error for PortableError {}
impl std::error::Error for OutOfOrder {}
