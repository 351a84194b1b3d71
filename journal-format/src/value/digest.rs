//! Content hashes, with the function that made them.
//!
//! In: the bytes of a hash. Out: a value to compare and to print. Invariant: digests
//! of different functions are never equal. Deliberately absent: hashing, which
//! belongs to whoever reads the content.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::fmt::Write as _;

/// Which hash function a pair uses for content.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DigestKind {
    /// BLAKE3 with 256 bits of output, the default.
    Blake3,
    /// MD5, for servers that offer nothing else. Detects accidents, not attacks.
    Md5,
    /// SHA-1, for servers that offer nothing else.
    Sha1,
}

/// The hash of a file's content, or of a symbolic link's target text.
///
/// Digests of different kinds are never equal.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Digest {
    /// A BLAKE3 hash.
    Blake3([u8; 32]),
    /// An MD5 hash.
    Md5([u8; 16]),
    /// A SHA-1 hash.
    Sha1([u8; 20]),
}

impl Digest {
    /// Returns the hash function that made this digest.
    #[must_use]
    pub const fn kind(&self) -> DigestKind {
        match self {
            Self::Blake3(_) => DigestKind::Blake3,
            Self::Md5(_) => DigestKind::Md5,
            Self::Sha1(_) => DigestKind::Sha1,
        }
    }

    /// Returns the bytes of the hash.
    #[must_use]
    pub const fn bytes(&self) -> &[u8] {
        match self {
            Self::Blake3(bytes) => bytes,
            Self::Md5(bytes) => bytes,
            Self::Sha1(bytes) => bytes,
        }
    }
}

impl Digest {
    /// Reads the hexadecimal digits of a hash of one kind, in either case; nothing else is
    /// one.
    #[must_use]
    pub fn from_digits(kind: DigestKind, digits: &str) -> Option<Self> {
        match kind {
            DigestKind::Blake3 => bytes_of(digits).map(Self::Blake3),
            DigestKind::Md5 => bytes_of(digits).map(Self::Md5),
            DigestKind::Sha1 => bytes_of(digits).map(Self::Sha1),
        }
    }
}

/// Reads as many bytes as are wanted out of hexadecimal digits, and no more.
#[must_use]
pub fn bytes_of<const N: usize>(digits: &str) -> Option<[u8; N]> {
    let mut bytes = [0; N];
    let (pairs, rest) = digits.as_bytes().as_chunks::<2>();
    if pairs.len() != N || !rest.is_empty() {
        return None;
    }
    for (byte, pair) in bytes.iter_mut().zip(pairs) {
        for digit in pair {
            let nibble = u8::try_from(char::from(*digit).to_digit(16)?).ok()?;
            *byte = (*byte << 4) | nibble;
        }
    }
    Some(bytes)
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match self.kind() {
            DigestKind::Blake3 => "blake3",
            DigestKind::Md5 => "md5",
            DigestKind::Sha1 => "sha1",
        };
        f.write_str(name)?;
        f.write_char(':')?;
        // Every message of the stream shows digests: formatting each byte is slow.
        self.bytes().iter().try_for_each(|byte| {
            f.write_char(digit(byte >> 4))?;
            f.write_char(digit(byte & 0xf))
        })
    }
}

fn digit(nibble: u8) -> char {
    char::from_digit(u32::from(nibble), 16).unwrap_or('0')
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_are_read_whole_or_not_at_all() {
        assert_eq!(bytes_of("00fF7a"), Some([0x00, 0xff, 0x7a]));
        for odd in [
            "00ff7", "00ff7a0", "00ff7a00", "+0ff7a", "00ff7g", "00ffé", "",
        ] {
            assert_eq!(bytes_of::<3>(odd), None, "{odd}");
        }
    }
}
