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
