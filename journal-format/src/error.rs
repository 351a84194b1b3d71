//! What can be wrong with bytes or events.
//!
//! In: nothing. Out: error types that answer their caller's question: where, in
//! which event, what was expected, and whether a newer release wrote it.
//! Invariant: each one prints as one line without paths, content or credentials.
//! Deliberately absent: recovery, which is the store's. A new rule of a value
//! gets a variant in [`ValueError`].

use crate::codec::CodecError;
use crate::tag::Tag;
use crate::value::{PathError, Seq, VersionError};
use std::fmt;

/// Why bytes are no record. Offsets count from its first byte.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DecodeError {
    /// The input ends inside a record: a torn tail, or a cut copy.
    Truncated {
        /// Its tag, if the header is whole; not yet covered by the checksum.
        tag: Option<u16>,
        /// How many bytes the record has, as far as can be told.
        expected: usize,
        /// How many there are.
        found: usize,
    },
    /// The input does not begin with the magic.
    Magic {
        /// What it begins with.
        found: [u8; 4],
    },
    /// The envelope has a layout of another release.
    EnvelopeVersion {
        /// Its version.
        found: u8,
    },
    /// The announced payload is longer than any event.
    PayloadLength {
        /// Tag as it is in the header; not yet covered by the checksum.
        tag: u16,
        /// Announced bytes.
        found: u32,
    },
    /// The bytes are not those that were written.
    Checksum {
        /// Tag as it is in the header, which may be what is damaged.
        tag: u16,
        /// Where the checksum stands.
        offset: usize,
        /// The sum of the bytes that are there.
        expected: u32,
        /// The sum that is written behind them.
        found: u32,
    },
    /// The record claims the position before the first event.
    SeqZero {
        /// Its tag.
        tag: u16,
    },
    /// An event that this release does not know. Never skip it.
    UnknownTag {
        /// Where the event stands.
        seq: Seq,
        /// Its tag.
        tag: u16,
        /// Its version.
        version: u8,
    },
    /// A version of an event that this release does not know. Never skip it.
    UnknownVersion {
        /// Where the event stands.
        seq: Seq,
        /// Its tag.
        tag: Tag,
        /// Its version.
        found: u8,
    },
    /// The payload is no event, although its checksum is right.
    Payload {
        /// Where the event stands.
        seq: Seq,
        /// Its tag.
        tag: Tag,
        /// Its version.
        version: u8,
        /// What is wrong.
        reason: PayloadError,
    },
    /// Bytes follow where the input should have ended.
    Trailing {
        /// Where they begin.
        offset: usize,
        /// How many there are.
        count: usize,
    },
}

/// Why a payload is no event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PayloadError {
    /// The bytes do not have the fields of the event.
    Codec(CodecError),
    /// A field breaks a rule of its type.
    Value(ValueError),
}

/// Which rule a field breaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ValueError {
    /// A path leaves its root or is too long.
    Path(PathError),
    /// A remote version is none.
    Version(VersionError),
    /// A text has more than [`crate::value::TEXT_BYTES_MAX`] bytes.
    TextTooLong,
    /// A group of moves without a move.
    NoMoves,
    /// More than [`crate::value::FACTS_MAX`] facts.
    TooManyFacts,
    /// More than [`crate::value::CHANGES_MAX`] changes.
    TooManyChanges,
}

/// Why an event cannot be written. Nothing was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EncodeError {
    /// Positions start at 1.
    SeqZero,
    /// A field breaks a rule that readers check.
    Value(ValueError),
    /// The payload would have more than [`crate::PAYLOAD_BYTES_MAX`] bytes.
    PayloadTooLong,
    /// The codec refused the value; no event of ours is like that.
    Codec(CodecError),
}

impl DecodeError {
    /// Tells whether a newer release wrote the record, so that an upgrade helps.
    #[must_use]
    pub const fn is_from_newer_release(&self) -> bool {
        match self {
            Self::EnvelopeVersion { found } => *found > crate::ENVELOPE_VERSION,
            Self::UnknownTag { .. } => true,
            Self::UnknownVersion { tag, found, .. } => *found > tag.version(),
            Self::Truncated { .. }
            | Self::Magic { .. }
            | Self::PayloadLength { .. }
            | Self::Checksum { .. }
            | Self::SeqZero { .. }
            | Self::Payload { .. }
            | Self::Trailing { .. } => false,
        }
    }
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Truncated {
                tag,
                expected,
                found,
            } => explain_end(f, *tag, *expected, *found),
            Self::Magic { found } => write!(
                f,
                "offset 0: found {:02x?}, expected the magic {:02x?}",
                found,
                crate::MAGIC
            ),
            Self::EnvelopeVersion { found } => write!(
                f,
                "offset 4: envelope version {found}, expected {}",
                crate::ENVELOPE_VERSION
            ),
            Self::PayloadLength { tag, found } => write!(
                f,
                "offset 24: tag {tag} announces a payload of {found} bytes, expected at most {}",
                crate::PAYLOAD_BYTES_MAX
            ),
            Self::Checksum {
                tag,
                offset,
                expected,
                found,
            } => write!(
                f,
                "offset {offset}: tag {tag} has the checksum {found:08x}, expected {expected:08x}"
            ),
            Self::SeqZero { tag } => {
                write!(
                    f,
                    "offset 8: tag {tag} has sequence number 0, expected 1 or more"
                )
            }
            Self::UnknownTag { seq, tag, version } => write!(
                f,
                "offset 6: event {seq} has the unknown tag {tag} (version {version}), expected a \
                 tag of this release"
            ),
            Self::UnknownVersion { seq, tag, found } => write!(
                f,
                "offset 5: event {seq} is version {found} of tag {tag}, expected 1 to {}",
                tag.version()
            ),
            Self::Payload {
                seq,
                tag,
                version,
                reason,
            } => write!(
                f,
                "offset {}: event {seq}, payload of tag {tag} version {version}: {reason}",
                crate::HEADER_BYTES
            ),
            Self::Trailing { offset, count } => write!(
                f,
                "offset {offset}: expected the end of the input, bytes that follow: {count}"
            ),
        }
    }
}

fn explain_end(
    f: &mut fmt::Formatter<'_>,
    tag: Option<u16>,
    expected: usize,
    found: usize,
) -> fmt::Result {
    write!(f, "offset {found}: the input ends here, expected ")?;
    match tag {
        Some(tag) => write!(f, "tag {tag} with {expected} bytes"),
        None => write!(f, "a record of at least {expected} bytes"),
    }
}

impl fmt::Display for PayloadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Codec(error) => error.fmt(f),
            Self::Value(error) => error.fmt(f),
        }
    }
}

impl fmt::Display for ValueError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Path(error) => error.fmt(f),
            Self::Version(error) => error.fmt(f),
            Self::TextTooLong => f.write_str("a text of more than 4096 bytes"),
            Self::NoMoves => f.write_str("a group of moves without a move"),
            Self::TooManyFacts => f.write_str("more than 64 facts"),
            Self::TooManyChanges => f.write_str("more than 64 changes"),
        }
    }
}

impl fmt::Display for EncodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::SeqZero => f.write_str("a record with sequence number 0"),
            Self::Value(error) => error.fmt(f),
            Self::PayloadTooLong => f.write_str("an event of more than 1048576 bytes"),
            Self::Codec(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for DecodeError {}
impl std::error::Error for PayloadError {}
impl std::error::Error for ValueError {}
impl std::error::Error for EncodeError {}

impl From<CodecError> for PayloadError {
    fn from(error: CodecError) -> Self {
        Self::Codec(error)
    }
}

impl From<ValueError> for PayloadError {
    fn from(error: ValueError) -> Self {
        Self::Value(error)
    }
}

impl From<PathError> for ValueError {
    fn from(error: PathError) -> Self {
        Self::Path(error)
    }
}

impl From<VersionError> for ValueError {
    fn from(error: VersionError) -> Self {
        Self::Version(error)
    }
}

impl From<ValueError> for EncodeError {
    fn from(error: ValueError) -> Self {
        Self::Value(error)
    }
}

impl From<CodecError> for EncodeError {
    fn from(error: CodecError) -> Self {
        match error {
            CodecError::TooLong => Self::PayloadTooLong,
            other => Self::Codec(other),
        }
    }
}
