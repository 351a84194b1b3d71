//! The one file that names bincode.
//!
//! In: values with serde's traits, or bytes. Out: bytes, or values. Invariant:
//! what was encoded decodes, every byte of an input is consumed, and no announced
//! length allocates more than a multiple of the input; watched by the tests below.
//! Deliberately absent: events and their checksums (`envelope`). A crash leaves
//! nothing behind. Another codec replaces this file only: `FORMAT.md` says which
//! bytes it has to give.

use bincode::config::{Configuration, Limit, standard};
use bincode::enc::write::Writer;
use bincode::error::{DecodeError as Cause, EncodeError as Refusal};
use bincode::serde::{borrow_decode_from_slice, encode_into_writer};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::fmt;

/// The most bytes that [`encode`] writes and [`decode`] reads: just under 4 GiB.
pub const ENCODED_BYTES_MAX: usize = u32::MAX as usize;

/// Why bytes are no value, or a value gives no bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CodecError {
    /// The bytes end before the value does.
    Ended,
    /// Bytes are left over after the value.
    Trailing {
        /// How many.
        count: usize,
    },
    /// More bytes than the caller's bound.
    TooLong,
    /// An integer that is wider than its field.
    WideInteger,
    /// Text that is not UTF-8.
    Utf8,
    /// A byte that is neither 0 nor 1 where a truth value or an option begins.
    Flag(u32),
    /// Anything else; for an enum, the index and what was expected.
    Invalid(String),
}

/// Encodes a value that is no event, such as a checkpoint.
///
/// The bytes have no checksum and no version: the caller adds both. Maps must
/// have a fixed order.
///
/// # Errors
/// More than [`ENCODED_BYTES_MAX`] bytes, or a type that bincode cannot hold.
pub fn encode<T: Serialize>(value: &T) -> Result<Vec<u8>, CodecError> {
    let mut out = Vec::new();
    append(value, &mut out, ENCODED_BYTES_MAX)?;
    Ok(out)
}

/// Decodes what [`encode`] gave; the whole input must be consumed.
///
/// Allocations follow the input's length, whatever lengths it announces: none
/// is larger than 256 times the input or 1 MiB.
///
/// # Errors
/// The bytes are not exactly one value of this type.
pub fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, CodecError> {
    if bytes.len() > ENCODED_BYTES_MAX {
        return Err(CodecError::TooLong);
    }
    // The limit is part of a type, so only steps can follow the input's length.
    match bytes.len() {
        0..=0xffff => read::<T, 0x0010_0000>(bytes),
        0x1_0000..=0xf_ffff => read::<T, 0x0100_0000>(bytes),
        0x10_0000..=0xff_ffff => read::<T, 0x1000_0000>(bytes),
        0x100_0000..=0xfff_ffff => read::<T, 0x1_0000_0000>(bytes),
        _ => read::<T, 0x10_0000_0000>(bytes),
    }
}

/// Appends a payload of at most `bytes_max` bytes; on an error `out` is as before.
pub(crate) fn append<T: Serialize>(
    value: &T,
    out: &mut Vec<u8>,
    bytes_max: usize,
) -> Result<(), CodecError> {
    let start = out.len();
    let end_max = start.saturating_add(bytes_max);
    let result = encode_into_writer(value, Appender { out, end_max }, standard());
    result.map_err(|refusal| {
        out.truncate(start);
        match refusal {
            Refusal::UnexpectedEnd => CodecError::TooLong,
            other => CodecError::Invalid(other.to_string()),
        }
    })
}

/// Decodes a payload of at most 1 MiB; texts in the result borrow from it.
pub(crate) fn read_payload<'a, T: Deserialize<'a>>(bytes: &'a [u8]) -> Result<T, CodecError> {
    read::<T, { CLAIM_PER_BYTE_MAX * crate::PAYLOAD_BYTES_MAX }>(bytes)
}

fn read<'a, T: Deserialize<'a>, const LIMIT: usize>(bytes: &'a [u8]) -> Result<T, CodecError> {
    let config: Configuration<_, _, Limit<LIMIT>> = standard().with_limit::<LIMIT>();
    let (value, used) = borrow_decode_from_slice(bytes, config).map_err(explain)?;
    match bytes.len().saturating_sub(used) {
        0 => Ok(value),
        count => Err(CodecError::Trailing { count }),
    }
}

fn explain(cause: Cause) -> CodecError {
    match cause {
        Cause::UnexpectedEnd { .. } => CodecError::Ended,
        Cause::LimitExceeded => CodecError::TooLong,
        Cause::InvalidIntegerType { .. } => CodecError::WideInteger,
        Cause::Utf8 { .. } => CodecError::Utf8,
        Cause::InvalidBooleanValue(found) => CodecError::Flag(found.into()),
        Cause::UnexpectedVariant { found, .. } => CodecError::Flag(found),
        Cause::OtherString(text) => CodecError::Invalid(text),
        other => CodecError::Invalid(other.to_string()),
    }
}

struct Appender<'a> {
    out: &'a mut Vec<u8>,
    end_max: usize,
}

impl Writer for Appender<'_> {
    fn write(&mut self, bytes: &[u8]) -> Result<(), Refusal> {
        if bytes.len() > self.end_max.saturating_sub(self.out.len()) {
            return Err(Refusal::UnexpectedEnd);
        }
        self.out.extend_from_slice(bytes);
        Ok(())
    }
}

impl fmt::Display for CodecError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ended => f.write_str("it ends before its last field does"),
            Self::Trailing { count } => write!(f, "bytes left over after the last field: {count}"),
            Self::TooLong => f.write_str("a length beyond the limit"),
            Self::WideInteger => f.write_str("an integer wider than its field"),
            Self::Utf8 => f.write_str("text that is not UTF-8"),
            Self::Flag(found) => write!(f, "{found} where 0 or 1 was expected"),
            Self::Invalid(text) => f.write_str(text),
        }
    }
}

impl std::error::Error for CodecError {}

/// bincode counts an integer with its full width against the limit, even when it
/// took one byte. A limit below this multiple would refuse what was encoded.
const CLAIM_PER_BYTE_MAX: usize = 16;
