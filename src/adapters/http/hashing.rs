//! The hash of a content that is on its way, made beside it.
//!
//! In: pieces. Out: a digest. Invariant: that of all pieces in their order. A large
//! content is hashed by a thread of its own, so that sending does not wait for it; few
//! pieces wait for that thread. Deliberately absent: what is hashed (`content`). Leaves
//! nothing behind: whoever gives up drops it, and the thread ends.

use crate::adapters::digest::Hasher;
use bytes::Bytes;
use journal_format::value::{Digest, DigestKind};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;

/// A hash in the making.
pub(super) enum Hashing {
    Here(Hasher),
    Beside(SyncSender<Bytes>, JoinHandle<Digest>),
}

impl Hashing {
    /// Begins; `size` bytes are to come.
    pub(super) fn new(kind: DigestKind, size: u64) -> Self {
        if size < BESIDE_BYTES {
            return Self::Here(Hasher::new(kind));
        }
        let (pieces, taken) = sync_channel(WAITING_MAX);
        let work = move || hash(kind, &taken);
        let thread = std::thread::Builder::new().name("hash".to_owned());
        match thread.spawn(work) {
            Ok(thread) => Self::Beside(pieces, thread),
            Err(_) => Self::Here(Hasher::new(kind)),
        }
    }

    /// Takes the next piece.
    pub(super) fn update(&mut self, piece: &Bytes) {
        match self {
            Self::Here(hasher) => hasher.update(piece),
            // It ends only with its work: what became of it, `finish` says.
            Self::Beside(pieces, _) => drop(pieces.send(Bytes::clone(piece))),
        }
    }

    /// Returns the hash of all pieces.
    pub(super) fn finish(self) -> Digest {
        match self {
            Self::Here(hasher) => hasher.finish(),
            Self::Beside(pieces, thread) => {
                drop(pieces);
                let digest = thread.join();
                digest.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
            }
        }
    }
}

fn hash(kind: DigestKind, pieces: &Receiver<Bytes>) -> Digest {
    let mut hasher = Hasher::new(kind);
    pieces.iter().for_each(|piece| hasher.update(&piece));
    hasher.finish()
}

/// Below this a thread costs more than it saves.
const BESIDE_BYTES: u64 = 8 * 1024 * 1024;
/// Pieces that wait for the thread.
const WAITING_MAX: usize = 32;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::adapters::digest::digest_of;

    #[test]
    fn beside_or_not_it_is_the_hash_of_all_pieces() {
        let bytes: Vec<u8> = (0..300_000_u32).flat_map(u32::to_le_bytes).collect();
        for kind in [DigestKind::Blake3, DigestKind::Md5, DigestKind::Sha1] {
            for size in [0, BESIDE_BYTES] {
                let mut hashing = Hashing::new(kind, size);
                for piece in bytes.chunks(10_007) {
                    hashing.update(&Bytes::copy_from_slice(piece));
                }
                assert_eq!(hashing.finish(), digest_of(kind, &bytes));
            }
        }
    }
}
