//! Reading records back, believing nothing.
//!
//! In: an open journal, a range. Out: records, or the running hash over them.
//! Invariant: each value decodes, says the number it is stored under, and none is
//! missing up to the head; otherwise the answer is an error with the place.
//! Deliberately absent: caching. A crash leaves nothing behind.

use super::OpenError;
use super::shelf::Records;
use super::witness::Chain;
use crate::journal::{ReadError, chained};
use crate::ports::PortError;
use journal_format::event::{FailureClass, Record};
use journal_format::value::Seq;
use journal_format::{DecodeError, decode_record};
use std::path::Path;

/// Why records could not be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Unread {
    /// The record, where it is about one.
    seq: Option<Seq>,
    /// What was found.
    pub(super) detail: String,
    /// Whether a newer release wrote it.
    pub(super) is_newer: bool,
}

impl std::fmt::Display for Unread {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if let Some(seq) = self.seq {
            write!(f, "record {seq}: ")?;
        }
        f.write_str(&self.detail)
    }
}

impl From<String> for Unread {
    fn from(detail: String) -> Self {
        Self {
            seq: None,
            detail,
            is_newer: false,
        }
    }
}

impl From<Unread> for String {
    fn from(unread: Unread) -> Self {
        unread.to_string()
    }
}

impl From<Unread> for PortError {
    fn from(unread: Unread) -> Self {
        let class = if unread.is_newer {
            FailureClass::Unsupported
        } else {
            FailureClass::Fatal
        };
        Self::new(class, format!("journal: {unread}"))
    }
}

impl Unread {
    /// Something is wrong with one record.
    pub(super) fn record(seq: Seq, detail: impl std::fmt::Display) -> Self {
        Self {
            seq: Some(seq),
            ..Self::from(detail.to_string())
        }
    }

    /// The bytes of one record are none.
    pub(super) fn bytes(seq: Seq, error: &DecodeError) -> Self {
        Self {
            is_newer: error.is_from_newer_release(),
            ..Self::record(seq, error)
        }
    }

    /// Why a journal cannot be opened for it.
    pub(super) fn at(self, place: &Path) -> OpenError {
        if self.is_newer {
            OpenError::Foreign {
                detail: self.to_string(),
                place: place.to_owned(),
                is_newer: true,
            }
        } else {
            OpenError::damaged(self, place)
        }
    }

    /// Why a journal cannot be read on; `next` is the record that was to come.
    pub(super) fn behind(self, next: Seq) -> ReadError {
        ReadError::Store {
            seq: self.seq.unwrap_or(next),
            detail: self.detail,
            is_newer: self.is_newer,
        }
    }
}

/// Reads up to `limit` records from `from` on, none beyond `head`. What is not kept any
/// more is an error.
pub(super) fn page(
    from_all: &Records,
    head: Seq,
    from: Seq,
    limit: usize,
) -> Result<Vec<Record>, Unread> {
    let from = from.max(Seq(1));
    let Some(beyond) = u64::try_from(limit).unwrap_or(u64::MAX).checked_sub(1) else {
        return Ok(Vec::new());
    };
    let to = head.min(Seq(from.0.saturating_add(beyond)));
    let mut records = Vec::with_capacity(limit.min(RESERVED_RECORDS_MAX));
    from_all.each(from, to, |seq, bytes| {
        records.push(decode(seq, bytes)?);
        Ok::<(), Unread>(())
    })?;
    Ok(records)
}

/// Decodes the records that are wanted, up to `head`.
pub(super) fn sift(
    from_all: &Records,
    head: Seq,
    mut wanted: impl FnMut(&[u8]) -> bool,
) -> Result<Vec<Record>, Unread> {
    let mut records = Vec::new();
    from_all.each(from_all.shelf().first, head, |seq, bytes| {
        if wanted(bytes) {
            records.push(decode(seq, bytes)?);
        }
        Ok::<(), Unread>(())
    })?;
    Ok(records)
}

/// Checks all records of a range and returns the last one's hash and the running
/// hash, which start from what they were before the range.
pub(super) fn walk(
    from_all: &Records,
    from: Seq,
    to: Seq,
    before: (Chain, Chain),
) -> Result<(Chain, Chain), Unread> {
    let (mut last, mut chain) = before;
    from_all.each(from, to, |seq, bytes| {
        decode(seq, bytes)?;
        last = *blake3::hash(bytes).as_bytes();
        chain = chained(&chain, bytes);
        Ok::<(), Unread>(())
    })?;
    Ok((last, chain))
}

/// As [`walk`] over everything that is kept.
pub(super) fn walk_all(from_all: &Records, to: Seq) -> Result<(Chain, Chain), Unread> {
    let shelf = from_all.shelf();
    walk(from_all, shelf.first, to, ([0; 32], shelf.before()?))
}

/// Returns the hash of one record's bytes.
pub(super) fn hash_of(from_all: &Records, seq: Seq) -> Result<Chain, Unread> {
    let mut hash = [0; 32];
    let read: Result<(), Unread> = from_all.each(seq, seq, |_, bytes| {
        hash = *blake3::hash(bytes).as_bytes();
        Ok(())
    });
    read.map(|()| hash)
}

/// Decodes the record that stands at a number.
pub(super) fn decode(seq: Seq, bytes: &[u8]) -> Result<Record, Unread> {
    let record = decode_record(bytes).map_err(|error| Unread::bytes(seq, &error))?;
    if record.seq == seq {
        Ok(record)
    } else {
        let why = format!("says that it is {}", record.seq);
        Err(Unread::record(seq, why))
    }
}

const RESERVED_RECORDS_MAX: usize = 4096;

#[cfg(test)]
mod tests {
    use super::super::engine::Engine;
    use super::super::{Journal, Layout, Options, Reading};
    use super::*;
    use crate::ports::Store;
    use futures::executor::block_on;
    use journal_format::encode_record;
    use journal_format::event::{Event, SessionEvent};
    use journal_format::value::Timestamp;

    fn record(seq: u64) -> Record {
        Record {
            seq: Seq(seq),
            time: Timestamp(7),
            event: Event::Session(SessionEvent::SessionStopped),
        }
    }

    /// What a release of tomorrow writes.
    fn newer(seq: u64) -> Vec<u8> {
        let mut bytes = encode_record(&record(seq)).expect("encodes");
        bytes[4] += 1;
        bytes
    }

    #[test]
    fn what_a_newer_release_wrote_is_told_as_such_and_nothing_else_is() {
        let damaged = |seq| {
            let mut bytes = encode_record(&record(seq)).expect("encodes");
            bytes[9] ^= 1;
            bytes
        };
        for (bytes, expected) in [(newer(3), true), (damaged(3), false)] {
            let dir = tempfile::tempdir().expect("temporary folder");
            let opened = Journal::open(dir.path(), Options::default()).expect("a journal");
            let done = block_on(opened.journal.append(vec![record(1), record(2)]));
            done.expect("appended");
            opened.journal.close().expect("closed");
            let engine = Engine::open(&Layout::new(dir.path()).journal).expect("opens");
            engine.commit(&[(Seq(3), bytes.into())]).expect("written");
            drop(engine);
            // It is behind the evidence, so opening reads it.
            for error in [
                Journal::open(dir.path(), Options::default()).err(),
                Reading::open(dir.path()).err(),
            ] {
                let error = error.expect("it cannot be read");
                let is_newer = match &error {
                    OpenError::Foreign { is_newer, .. } => *is_newer,
                    OpenError::Damaged { .. } => false,
                    other => panic!("{other}"),
                };
                assert_eq!(is_newer, expected, "{error}");
            }
        }
    }

    #[test]
    fn reading_on_tells_it_as_well() {
        let dir = tempfile::tempdir().expect("temporary folder");
        let opened = Journal::open(dir.path(), Options::default()).expect("a journal");
        let done = block_on(opened.journal.append((1..=3).map(record).collect()));
        done.expect("appended");
        let reading = Reading::open(dir.path()).expect("beside the writer");
        drop(opened);
        reading
            .engine()
            .commit(&[(Seq(2), newer(2).into())])
            .expect("written into the copy");
        let read: Result<Vec<_>, _> = reading.entries(Seq(1)).collect();
        let sifted = reading.sift(|_| true);
        for error in [read.err(), sifted.err()] {
            let error = error.expect("event 2 cannot be read");
            assert!(error.is_from_newer_release(), "{error}");
            assert!(
                matches!(error, ReadError::Store { seq: Seq(2), .. }),
                "{error}"
            );
        }
    }
}
