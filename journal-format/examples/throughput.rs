//! Prints how many records a second are encoded and decoded.
//!
//! In: nothing. Out: two lines on stdout. Deliberately absent: a verdict, since a
//! slow machine is no defect, and the disk, which `tools bench` measures.
#![expect(
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "a measurement"
)]

use journal_format::event::{Event, ObservationEvent, Record};
use journal_format::value::{
    Digest, Entry, Fingerprint, Identity, Kind, RelPath, Seq, Side, Timestamp,
};
use journal_format::{decode_prefix, encode_record_into};
use std::time::Instant;

const COUNT: u64 = 1_000_000;

fn main() {
    let records: Vec<Record> = (1..=COUNT).map(record).collect();
    let mut bytes = Vec::with_capacity(256 << 20);
    let start = Instant::now();
    for record in &records {
        encode_record_into(record, &mut bytes).expect("a plain observation");
    }
    report("encode", start, bytes.len());
    let start = Instant::now();
    let mut rest = bytes.as_slice();
    let mut count = 0;
    while let Ok((record, used)) = decode_prefix(rest) {
        std::hint::black_box(record);
        rest = rest.split_at(used).1;
        count += 1;
    }
    assert_eq!(count, COUNT);
    report("decode", start, bytes.len());
}

fn record(number: u64) -> Record {
    let path = format!("projects/album-{}/picture-{number:07}.jpg", number % 977);
    Record {
        seq: Seq(number),
        time: Timestamp(1_700_000_000_000),
        event: Event::Observation(ObservationEvent::Observed {
            side: Side::Local,
            path: RelPath::new(path).expect("a plain path"),
            entry: Entry {
                fingerprint: Fingerprint {
                    kind: Kind::File,
                    size: number * 31,
                    mtime_ns: 1_700_000_000_123_456_789,
                    identity: Some(Identity {
                        device: 2049,
                        object: number + 1_000_000,
                        born_ns: 1_700_000_000_023_456_789,
                    }),
                    version: None,
                },
                digest: Some(Digest::Blake3([7; 32])),
            },
        }),
    }
}

fn report(what: &str, start: Instant, bytes: usize) {
    let elapsed = start.elapsed();
    let rate = f64::from(u32::try_from(COUNT).expect("a million")) / elapsed.as_secs_f64();
    println!(
        "{what}: {rate:.0} records/s, {} bytes each",
        bytes / 1_000_000
    );
}
