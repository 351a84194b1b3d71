//! Portable files: whole ones with their records, and damaged ones.
//!
//! In: the samples. Out: named bytes. Invariant: each damaged one breaks one rule of
//! `FORMAT.md`. A new rule of the file is a line in [`damaged`].

use super::samples;
use crate::event::Record;
use crate::portable::{Decoder, Encoder, Header, Part, PortableError};
use crate::value::Seq;
use crate::{encode_record, json};

/// A portable file and what reading it gives.
#[derive(Debug, Clone, PartialEq)]
pub struct Portable {
    /// The file name without its extension.
    pub name: String,
    /// The file.
    pub bytes: Vec<u8>,
    /// A line a record, or the message of the error.
    pub expected: Result<String, String>,
}

/// Returns every portable vector that this release writes.
#[must_use]
pub fn portable() -> Vec<Portable> {
    let files = whole().into_iter().chain(damaged()).chain(damaged_states());
    files
        .map(|(name, bytes)| Portable {
            expected: read(&bytes).map_err(|error| error.to_string()),
            name: name.to_owned(),
            bytes,
        })
        .collect()
}

/// Reads a portable file that is in memory; gives its records as lines.
///
/// # Errors
/// It is none.
pub fn read(bytes: &[u8]) -> Result<String, PortableError> {
    let mut decoder = Decoder::new();
    let mut rest = bytes;
    let mut lines = String::new();
    while let Some((part, used)) = decoder.step(rest, true)? {
        if let Part::Record(record) = part {
            lines.push_str(&json::to_json(&record).to_string());
            lines.push('\n');
        }
        rest = rest.get(used..).unwrap_or_default();
    }
    Ok(lines)
}

fn records(first: u64, count: usize) -> Vec<Record> {
    let samples = samples::all().into_iter().map(|(_, record)| record);
    let numbered = (first..).zip(samples.take(count));
    numbered
        .map(|(seq, record)| Record {
            seq: Seq(seq),
            ..record
        })
        .collect()
}

fn file(header: &Header, records: &[Record]) -> Vec<u8> {
    behind(header, &[], records)
}

/// A file with a state before its first record, in pieces.
fn behind(header: &Header, state: &[&[u8]], records: &[Record]) -> Vec<u8> {
    let (mut encoder, mut bytes) = Encoder::begin(header).expect("a header that keeps the rules");
    for piece in state {
        bytes.extend_from_slice(&encoder.state(piece).expect("before the records"));
    }
    for record in records {
        let envelope = encode_record(record).expect("a sample");
        encoder.record(record.seq, &envelope).expect("in order");
        bytes.extend_from_slice(&envelope);
    }
    bytes.extend_from_slice(&encoder.finish());
    bytes
}

fn header(first: u64) -> Header {
    Header {
        journal: *b"0123456789abcdef",
        job: "documents".into(),
        label: "Documents".into(),
        release: "0.1.0".into(),
        redacted: false,
        first: Seq(first),
        before: None,
    }
}

fn whole() -> Vec<(&'static str, Vec<u8>)> {
    let range = Header {
        redacted: true,
        before: Some([7; 32]),
        ..header(1000)
    };
    vec![
        ("portable-empty", file(&header(1), &[])),
        (
            "portable-every-event",
            file(&header(1), &records(1, usize::MAX)),
        ),
        ("portable-range", file(&range, &records(1000, 3))),
        (
            "portable-state",
            behind(&header(1000), STATE, &records(1000, 2)),
        ),
    ]
}

/// Whatever a release's own checkpoints hold: nobody else reads it.
const STATE: &[&[u8]] = &[b"\0\0\0\x04 the first piece", b"the second one"];

/// Files whose state is wrong, or where none can be.
fn damaged_states() -> Vec<(&'static str, Vec<u8>)> {
    let empty = behind(&header(1000), &[], &[]);
    let start = empty.len().saturating_sub(24);
    let good = behind(&header(1000), STATE, &records(1000, 1));
    let altered = |offset: usize, bytes: &[u8]| {
        let mut altered = good.clone();
        let at = start.saturating_add(offset);
        altered.splice(at..at.saturating_add(bytes.len()), bytes.iter().copied());
        altered
    };
    let piece = good.get(start..).unwrap_or_default();
    let piece = piece.get(..12_usize.saturating_add(STATE[0].len()));
    let mut first = file(&header(1), &records(1, 1));
    let begin = file(&header(1), &[]).len().saturating_sub(24);
    first.splice(begin..begin, piece.unwrap_or_default().iter().copied());
    vec![
        ("damaged-portable-state-altered", altered(12, b"!")),
        ("damaged-portable-state-too-long", altered(4, &[0, 0, 8, 0])),
        (
            "damaged-portable-state-torn",
            good.get(..start.saturating_add(20))
                .unwrap_or_default()
                .to_vec(),
        ),
        ("damaged-portable-state-of-nothing", first),
    ]
}

fn damaged() -> Vec<(&'static str, Vec<u8>)> {
    let good = file(&header(1), &records(1, 3));
    let cut = |length: usize| good.iter().copied().take(length).collect::<Vec<_>>();
    let altered = |offset: usize, bytes: &[u8]| {
        let mut altered = good.clone();
        let end = offset.saturating_add(bytes.len());
        altered.splice(offset..end, bytes.iter().copied());
        altered
    };
    let envelopes: Vec<Vec<u8>> = records(1, 3)
        .iter()
        .map(|record| encode_record(record).expect("a sample"))
        .collect();
    let lengths: usize = envelopes.iter().map(Vec::len).sum();
    let behind = good.len().saturating_sub(24);
    let start = behind.saturating_sub(lengths);
    let first = envelopes.first().map_or(0, Vec::len);
    let second = start.saturating_add(first);
    let mut twice = good.clone();
    let again: Vec<u8> = twice.drain(start..second).collect();
    twice.splice(start..start, again.iter().chain(&again).copied());
    let mut followed = good.clone();
    followed.push(0);
    vec![
        ("damaged-portable-nothing", Vec::new()),
        (
            "damaged-portable-foreign",
            b"PK\x03\x04 something else".to_vec(),
        ),
        ("damaged-portable-newer", altered(8, &[2, 0])),
        ("damaged-portable-header-torn", cut(20)),
        (
            "damaged-portable-header-too-long",
            altered(10, &[0, 0, 0, 0x7f]),
        ),
        ("damaged-portable-header-altered", altered(20, b"!")),
        ("damaged-portable-no-trailer", cut(behind)),
        (
            "damaged-portable-trailer-torn",
            cut(good.len().saturating_sub(1)),
        ),
        (
            "damaged-portable-record-torn",
            cut(second.saturating_add(20)),
        ),
        (
            "damaged-portable-record-altered",
            altered(second.saturating_add(28), &[0xff]),
        ),
        ("damaged-portable-record-missing", {
            let mut without = good.clone();
            without.drain(start..second);
            without
        }),
        ("damaged-portable-record-twice", twice),
        (
            "damaged-portable-count",
            altered(behind.saturating_add(4), &[4]),
        ),
        ("damaged-portable-trailing", followed),
    ]
}
