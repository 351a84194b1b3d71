//! Records found by their own envelopes, where the engine finds no way to them.
//!
//! In: the `.jnl` files of a store. Out: each whole record in them, by its number.
//! Invariant: only what has its magic, its length and its checksum counts. Deliberately
//! absent: the engine's framing around records, and those that it wrote compressed
//! (larger than 4 KB), which only the engine reads. CRASH: leaves nothing. LIMIT: the files
//! are held in memory; the engine keeps them to 64 MB each.

use super::engine;
use crate::journal::Stored;
use crate::journal::verify::Found;
use journal_format::value::Seq;
use journal_format::{DecodeError, MAGIC, decode_prefix};
use std::collections::BTreeMap;
use std::path::Path;

/// Records by their numbers.
#[derive(Default)]
pub(super) struct Loose {
    files: Vec<Vec<u8>>,
    /// Which file, and where in it.
    found: BTreeMap<Seq, (usize, usize)>,
}

impl Loose {
    /// Looks through all files of a store.
    pub(super) fn gather(journal: &Path) -> std::io::Result<Self> {
        let mut loose = Self::default();
        if !journal.is_dir() {
            return Ok(loose);
        }
        for path in engine::journal_files_in_order(journal)? {
            loose.add(std::fs::read(path)?);
        }
        Ok(loose)
    }

    /// Looks through one file. Of two records with one number the later one was meant.
    fn add(&mut self, mut bytes: Vec<u8>) {
        // The engine makes its files long beforehand.
        let used = bytes.iter().rposition(|byte| *byte != 0);
        bytes.truncate(used.map_or(0, |last| last + 1 + ZEROS_AT_END));
        let file = self.files.len();
        let mut at = 0;
        while let Some(offset) = find(&bytes[at..]) {
            at += offset;
            let (seq, length) = match decode_prefix(&bytes[at..]) {
                Ok((record, length)) => (Some(record.seq), length),
                Err(error) => (newer(&error), MAGIC.len()),
            };
            if let Some(seq) = seq {
                self.found.insert(seq, (file, at));
            }
            at += length;
        }
        self.files.push(bytes);
    }

    /// Returns the last number that was found; 0 for none.
    pub(super) fn last(&self) -> Seq {
        self.found.keys().next_back().copied().unwrap_or(Seq::ZERO)
    }

    /// Returns the first number in a range that was found.
    pub(super) fn next(&self, from: Seq, to: Seq) -> Option<Seq> {
        self.found.range(from..=to).next().map(|(seq, _)| *seq)
    }

    /// Returns what has a number that was found.
    pub(super) fn take(&self, seq: Seq) -> Found {
        let place = self.found.get(&seq);
        let bytes = place.map_or(&[][..], |(file, at)| &self.files[*file][*at..]);
        match decode_prefix(bytes) {
            Ok((record, length)) => Found::Whole(Box::new(Stored {
                record,
                bytes: bytes[..length].to_vec(),
            })),
            Err(error) => Found::Damaged {
                from: seq,
                to: seq,
                detail: error.to_string(),
                is_newer: error.is_from_newer_release(),
            },
        }
    }
}

fn find(bytes: &[u8]) -> Option<usize> {
    bytes
        .windows(MAGIC.len())
        .position(|window| window == MAGIC)
}

/// The number of a whole record that a newer release wrote.
const fn newer(error: &DecodeError) -> Option<Seq> {
    match error {
        DecodeError::UnknownTag { seq, .. } | DecodeError::UnknownVersion { seq, .. } => Some(*seq),
        _ => None,
    }
}

/// What a checksum may end in.
const ZEROS_AT_END: usize = 4;

#[cfg(test)]
mod tests {
    use super::*;
    use journal_format::encode_record;
    use journal_format::event::{Event, Record, SessionEvent};
    use journal_format::value::Timestamp;

    fn bytes(seq: u64) -> Vec<u8> {
        encode_record(&Record {
            seq: Seq(seq),
            time: Timestamp(0),
            event: Event::Session(SessionEvent::SessionStopped),
        })
        .expect("encoded")
    }

    #[test]
    fn whole_records_are_found_between_damaged_ones() {
        let mut damaged = bytes(8);
        damaged[20] ^= 1;
        let parts = [
            b"PSJR".to_vec(),
            bytes(7),
            vec![0; 9],
            damaged,
            bytes(9),
            vec![0; 99],
        ];
        let mut loose = Loose::default();
        loose.add(parts.concat());
        assert_eq!(loose.last(), Seq(9));
        assert_eq!(loose.next(Seq(1), Seq(6)), None);
        assert_eq!(loose.next(Seq(1), Seq(9)), Some(Seq(7)));
        assert_eq!(loose.next(Seq(8), Seq(9)), Some(Seq(9)));
        assert!(matches!(loose.take(Seq(9)), Found::Whole(stored) if stored.bytes == bytes(9)));
    }
}
