//! Hashes content with the function that a pair of sides agreed on.
//!
//! In: bytes in any pieces. Out: a `Digest` of the asked kind. Invariant: the pieces'
//! sizes change nothing. Deliberately absent: which function a pair uses, which the
//! remote's capabilities say. A new function is a variant here and of `DigestKind`.

use journal_format::value::{Digest, DigestKind};
use md5::Digest as _;

/// A hash in the making.
pub(crate) enum Hasher {
    Blake3(Box<blake3::Hasher>),
    Md5(md5::Md5),
    Sha1(sha1::Sha1),
}

impl Hasher {
    pub(crate) fn new(kind: DigestKind) -> Self {
        match kind {
            DigestKind::Blake3 => Self::Blake3(Box::default()),
            DigestKind::Md5 => Self::Md5(md5::Md5::new()),
            DigestKind::Sha1 => Self::Sha1(sha1::Sha1::new()),
        }
    }

    pub(crate) fn update(&mut self, bytes: &[u8]) {
        match self {
            Self::Blake3(hasher) => {
                hasher.update(bytes);
            }
            Self::Md5(hasher) => hasher.update(bytes),
            Self::Sha1(hasher) => hasher.update(bytes),
        }
    }

    pub(crate) fn finish(self) -> Digest {
        match self {
            Self::Blake3(hasher) => Digest::Blake3(*hasher.finalize().as_bytes()),
            Self::Md5(hasher) => Digest::Md5(hasher.finalize().into()),
            Self::Sha1(hasher) => Digest::Sha1(hasher.finalize().into()),
        }
    }
}

/// Hashes bytes that are all there.
pub(crate) fn digest_of(kind: DigestKind, bytes: &[u8]) -> Digest {
    let mut hasher = Hasher::new(kind);
    hasher.update(bytes);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 1321 A.5, RFC 3174 7.3 and the BLAKE3 paper's empty input.
    #[test]
    fn published_test_vectors_hold() {
        for (kind, bytes, expect) in [
            (
                DigestKind::Md5,
                "abc",
                "md5:900150983cd24fb0d6963f7d28e17f72",
            ),
            (
                DigestKind::Sha1,
                "abc",
                "sha1:a9993e364706816aba3e25717850c26c9cd0d89d",
            ),
            (
                DigestKind::Blake3,
                "",
                "blake3:af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262",
            ),
        ] {
            assert_eq!(digest_of(kind, bytes.as_bytes()).to_string(), expect);
        }
    }

    #[test]
    fn pieces_make_the_same_digest_as_the_whole() {
        for kind in [DigestKind::Md5, DigestKind::Sha1, DigestKind::Blake3] {
            let mut hasher = Hasher::new(kind);
            [&b"ab"[..], b"", b"c"]
                .iter()
                .for_each(|piece| hasher.update(piece));
            assert_eq!(hasher.finish(), digest_of(kind, b"abc"));
        }
    }
}
