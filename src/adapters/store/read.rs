//! Reading records back, believing nothing.
//!
//! In: an open journal, a range. Out: records, or the running hash over them.
//! Invariant: each value decodes, says the number it is stored under, and none is
//! missing up to the head; otherwise the answer is an error with the place.
//! Deliberately absent: caching. A crash leaves nothing behind.

use super::shelf::Records;
use super::witness::{Chain, chained};
use journal_format::decode_record;
use journal_format::event::Record;
use journal_format::value::Seq;

/// Reads up to `limit` records from `from` on, none beyond `head`. What is not kept any
/// more is an error.
pub(super) fn page(
    from_all: &Records,
    head: Seq,
    from: Seq,
    limit: usize,
) -> Result<Vec<Record>, String> {
    let from = from.max(Seq(1));
    let Some(beyond) = u64::try_from(limit).unwrap_or(u64::MAX).checked_sub(1) else {
        return Ok(Vec::new());
    };
    let to = head.min(Seq(from.0.saturating_add(beyond)));
    let mut records = Vec::with_capacity(limit.min(RESERVED_RECORDS_MAX));
    from_all.each(from, to, |seq, bytes| {
        records.push(decoded(seq, bytes)?);
        Ok(())
    })?;
    Ok(records)
}

/// Decodes the records that are wanted, up to `head`.
pub(super) fn sift(
    from_all: &Records,
    head: Seq,
    mut wanted: impl FnMut(&[u8]) -> bool,
) -> Result<Vec<Record>, String> {
    let mut records = Vec::new();
    from_all.each(from_all.shelf().first, head, |seq, bytes| {
        if wanted(bytes) {
            records.push(decoded(seq, bytes)?);
        }
        Ok(())
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
) -> Result<(Chain, Chain), String> {
    let (mut last, mut chain) = before;
    from_all.each(from, to, |seq, bytes| {
        decoded(seq, bytes)?;
        last = *blake3::hash(bytes).as_bytes();
        chain = chained(&chain, bytes);
        Ok(())
    })?;
    Ok((last, chain))
}

/// As [`walk`] over everything that is kept.
pub(super) fn walk_all(from_all: &Records, to: Seq) -> Result<(Chain, Chain), String> {
    let shelf = from_all.shelf();
    walk(from_all, shelf.first, to, ([0; 32], shelf.before()?))
}

/// Returns the hash of one record's bytes.
pub(super) fn hash_of(from_all: &Records, seq: Seq) -> Result<Chain, String> {
    let mut hash = [0; 32];
    from_all.each(seq, seq, |_, bytes| {
        hash = *blake3::hash(bytes).as_bytes();
        Ok(())
    })?;
    Ok(hash)
}

fn decoded(seq: Seq, bytes: &[u8]) -> Result<Record, String> {
    let record = decode_record(bytes).map_err(|error| format!("record {seq}: {error}"))?;
    if record.seq == seq {
        Ok(record)
    } else {
        Err(format!("record {seq} says that it is {}", record.seq))
    }
}

const RESERVED_RECORDS_MAX: usize = 4096;
