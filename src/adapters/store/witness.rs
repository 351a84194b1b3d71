//! What the store remembers about itself outside of itself.
//!
//! In: the head and a running hash after each durable batch. Out: the evidence
//! that a later open compares with what it finds. Two files: `witness` (durable,
//! replaced whole, every few seconds) and `mark` (the last acknowledged head,
//! written in place after each batch and not synced, so it survives the death of
//! the process, not that of the machine). Invariant: neither is ever ahead of the
//! durable head. A crash leaves them behind the head, which is what they are for.

use super::files;
use journal_format::value::Seq;
use std::fs::File;
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;

/// The identity of a journal. Another one means another history.
pub type JournalId = [u8; 16];

/// A hash over all records up to a point, see [`crate::journal::chained`].
pub(super) type Chain = [u8; 32];

/// The content of the witness file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Witness {
    pub(super) id: JournalId,
    /// A durable head.
    pub(super) head: Seq,
    /// The hash of the record at the head; zeros at head 0.
    pub(super) last: Chain,
    /// The running hash at the head; zeros at head 0.
    pub(super) chain: Chain,
    /// Whether the process that wrote this closed the store.
    pub(super) clean: bool,
    /// The head of a journal that was given up for this one, until this one's
    /// first record is durable.
    pub(super) lost: Seq,
}

/// What was found where a witness should be.
#[derive(Debug)]
pub(super) enum Found {
    Missing,
    Good(Witness),
    Damaged(&'static str),
    Newer(u16),
}

impl Witness {
    /// Returns the witness of a journal without records.
    pub(super) const fn new(id: JournalId) -> Self {
        Self {
            id,
            head: Seq::ZERO,
            last: [0; 32],
            chain: [0; 32],
            clean: false,
            lost: Seq::ZERO,
        }
    }

    /// Reads and checks the file.
    pub(super) fn load(path: &Path) -> io::Result<Found> {
        let max = u64::try_from(WITNESS_BYTES).unwrap_or(u64::MAX);
        Ok(match files::read_bounded(path, max)? {
            None => Found::Missing,
            Some(bytes) => Self::parse(&bytes),
        })
    }

    /// Replaces the file; durable on return.
    pub(super) fn save(&self, path: &Path) -> io::Result<()> {
        let mut bytes = Vec::with_capacity(WITNESS_BYTES);
        bytes.extend_from_slice(MAGIC);
        bytes.extend_from_slice(&VERSION.to_be_bytes());
        bytes.extend_from_slice(&self.id);
        bytes.extend_from_slice(&self.head.0.to_be_bytes());
        bytes.extend_from_slice(&self.last);
        bytes.extend_from_slice(&self.chain);
        bytes.push(u8::from(self.clean));
        bytes.extend_from_slice(&self.lost.0.to_be_bytes());
        let checksum = blake3::hash(&bytes);
        files::replace(path, &[&bytes, checksum.as_bytes()])
    }

    fn parse(bytes: &[u8]) -> Found {
        let Some(mut rest) = bytes.strip_prefix(MAGIC) else {
            return Found::Damaged("it does not begin as a witness does");
        };
        match take(&mut rest).map(u16::from_be_bytes) {
            Some(VERSION) => {}
            Some(version) if version > VERSION => return Found::Newer(version),
            _ => return Found::Damaged("its version is unknown"),
        }
        let Some((body, checksum)) = bytes.split_last_chunk::<32>() else {
            return Found::Damaged("it is too short");
        };
        if blake3::hash(body) != *checksum {
            return Found::Damaged("its checksum is wrong");
        }
        let parsed = (|| {
            let witness = Self {
                id: take(&mut rest)?,
                head: Seq(u64::from_be_bytes(take(&mut rest)?)),
                last: take(&mut rest)?,
                chain: take(&mut rest)?,
                clean: take::<1>(&mut rest)? == [1],
                lost: Seq(u64::from_be_bytes(take(&mut rest)?)),
            };
            (rest.len() == 32).then_some(witness)
        })();
        parsed.map_or(Found::Damaged("its length is wrong"), Found::Good)
    }
}

/// The file with the last acknowledged head, open for writing.
#[derive(Debug)]
pub(super) struct Mark {
    file: File,
    id: JournalId,
    turn: bool,
}

impl Mark {
    /// Returns the highest head that an intact slot holds, and whose it is.
    pub(super) fn load(path: &Path) -> io::Result<Option<(Seq, JournalId)>> {
        let bytes = files::read_bounded(path, SLOT_BYTES as u64 * 2)?.unwrap_or_default();
        Ok(bytes
            .chunks_exact(SLOT_BYTES)
            .filter_map(|mut slot| {
                let body: [u8; 24] = take(&mut slot)?;
                let sum: [u8; 8] = take(&mut slot)?;
                let mut rest = &body[..];
                let head = Seq(u64::from_be_bytes(take(&mut rest)?));
                let id: JournalId = take(&mut rest)?;
                (sum == slot_sum(&body)).then_some((head, id))
            })
            .max())
    }

    /// Opens the file without changing its content.
    pub(super) fn open(path: &Path, id: JournalId) -> io::Result<Self> {
        let file = File::options()
            .create(true)
            .truncate(false)
            .write(true)
            .mode(0o600)
            .open(path)?;
        Ok(Self {
            file,
            id,
            turn: false,
        })
    }

    /// Remembers an acknowledged head; not synced.
    pub(super) fn write(&mut self, head: Seq) -> io::Result<()> {
        // Two slots by turns: a torn write spoils one and leaves the one before.
        self.turn = !self.turn;
        let mut slot = [0; SLOT_BYTES];
        slot[..8].copy_from_slice(&head.0.to_be_bytes());
        slot[8..24].copy_from_slice(&self.id);
        let sum = slot_sum(&slot[..24]);
        slot[24..].copy_from_slice(&sum);
        let offset = if self.turn { SLOT_BYTES as u64 } else { 0 };
        self.file.write_all_at(&slot, offset)
    }
}

fn slot_sum(body: &[u8]) -> [u8; 8] {
    let mut short = [0; 8];
    short.copy_from_slice(&blake3::hash(body).as_bytes()[..8]);
    short
}

/// Takes the next `N` bytes.
pub(super) fn take<const N: usize>(rest: &mut &[u8]) -> Option<[u8; N]> {
    let (first, others) = rest.split_first_chunk::<N>()?;
    *rest = others;
    Some(*first)
}

const MAGIC: &[u8; 8] = b"PSYNCWIT";
const VERSION: u16 = 1;
const WITNESS_BYTES: usize = 8 + 2 + 16 + 8 + 32 + 32 + 1 + 8 + 32;
const SLOT_BYTES: usize = 32;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_witness_with_any_changed_byte_is_not_believed() {
        let folder = tempfile::tempdir().expect("temporary folder");
        let path = folder.path().join("witness");
        let witness = Witness {
            head: Seq(7),
            clean: true,
            lost: Seq(9),
            ..Witness::new([3; 16])
        };
        witness.save(&path).expect("save");
        let bytes = std::fs::read(&path).expect("read");
        assert_eq!(bytes.len(), WITNESS_BYTES);
        assert!(matches!(Witness::parse(&bytes), Found::Good(read) if read == witness));
        for position in 0..bytes.len() {
            let mut changed = bytes.clone();
            changed[position] ^= 0x10;
            assert!(!matches!(Witness::parse(&changed), Found::Good(_)));
            assert!(!matches!(
                Witness::parse(&bytes[..position]),
                Found::Good(_)
            ));
        }
    }

    #[test]
    fn a_torn_mark_leaves_the_one_before() {
        let folder = tempfile::tempdir().expect("temporary folder");
        let path = folder.path().join("mark");
        let mut mark = Mark::open(&path, [1; 16]).expect("open");
        mark.write(Seq(5)).expect("write");
        mark.write(Seq(6)).expect("write");
        assert_eq!(Mark::load(&path).expect("load"), Some((Seq(6), [1; 16])));
        mark.file.write_all_at(&[9], 3).expect("spoil");
        assert_eq!(Mark::load(&path).expect("load"), Some((Seq(5), [1; 16])));
    }
}
