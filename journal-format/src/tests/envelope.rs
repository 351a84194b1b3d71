//! Rules of the envelope and the codec that no vector shows.

use crate::codec::{self, CodecError};
use crate::event::{Event, ObservationEvent, PathMove, Record, SessionEvent};
use crate::value::{Entry, Fingerprint, Kind, RelPath, Seq, Side, TEXT_BYTES_MAX, Timestamp};
use crate::{
    DecodeError, EncodeError, PAYLOAD_BYTES_MAX, ValueError, decode_record, encode_record,
    encode_record_into,
};

fn record(event: Event) -> Record {
    Record {
        seq: Seq(1),
        time: Timestamp(0),
        event,
    }
}

fn moved(count: usize, name_bytes: usize) -> Record {
    let path = RelPath::new("n".repeat(name_bytes)).unwrap();
    let one = PathMove {
        from: path.clone(),
        to: path,
        entry: Entry {
            fingerprint: Fingerprint {
                kind: Kind::File,
                size: 0,
                mtime_ns: 0,
                identity: None,
                version: None,
            },
            digest: None,
        },
    };
    record(Event::Observation(ObservationEvent::Moved {
        side: Side::Local,
        moves: vec![one; count],
    }))
}

fn marker(text: String) -> Record {
    record(Event::Session(SessionEvent::RootIdentified {
        side: Side::Local,
        marker: text,
    }))
}

#[test]
fn what_a_reader_would_refuse_is_not_written() {
    let mut at_zero = marker(String::new());
    at_zero.seq = Seq::ZERO;
    let cases = [
        (at_zero, EncodeError::SeqZero),
        (
            marker("x".repeat(TEXT_BYTES_MAX + 1)),
            EncodeError::Value(ValueError::TextTooLong),
        ),
        (moved(0, 1), EncodeError::Value(ValueError::NoMoves)),
        (moved(5_000, 200), EncodeError::PayloadTooLong),
    ];
    for (record, expected) in cases {
        let mut out = vec![1, 2, 3];
        assert_eq!(encode_record_into(&record, &mut out), Err(expected));
        assert_eq!(out, [1, 2, 3], "the buffer is as before");
    }
}

/// Many small integers are the payload whose decoding bincode's limit counts
/// highest above its bytes.
#[test]
fn the_longest_payload_that_is_written_can_be_read() {
    let fits = |count| encode_record(&moved(count, 1)).is_ok();
    let (mut low, mut high) = (1, PAYLOAD_BYTES_MAX);
    while low + 1 < high {
        let middle = low.midpoint(high);
        if fits(middle) {
            low = middle
        } else {
            high = middle
        }
    }
    let record = moved(low, 1);
    let bytes = encode_record(&record).unwrap();
    assert!(
        bytes.len() + 20 > PAYLOAD_BYTES_MAX,
        "{} bytes",
        bytes.len()
    );
    assert!(decode_record(&bytes) == Ok(record));
}

#[test]
fn a_newer_release_is_told_from_damage() {
    let good = encode_record(&marker("m".into())).unwrap();
    let seal = |offset: usize, byte: u8| {
        let mut bytes = good.clone();
        bytes[offset] = byte;
        let covered = bytes.len() - 4;
        let sum = crc32fast::hash(&bytes[..covered]);
        bytes[covered..].copy_from_slice(&sum.to_le_bytes());
        decode_record(&bytes).unwrap_err()
    };
    // Offset, byte, newer: envelope version, event version, tag, sequence number.
    for (offset, byte, newer) in [
        (4, 2, true),
        (4, 0, false),
        (5, 2, true),
        (5, 0, false),
        (7, 99, true),
        (8, 0, false),
    ] {
        let error = seal(offset, byte);
        assert_eq!(error.is_from_newer_release(), newer, "{error}");
    }
    assert!(
        !DecodeError::Trailing {
            offset: 1,
            count: 1
        }
        .is_from_newer_release()
    );
}

#[test]
fn the_codec_takes_all_of_its_input_or_nothing() {
    let value = vec![(1_u64, "text".to_owned(), Some(true)); 10_000];
    let mut bytes = codec::encode(&value).unwrap();
    assert_eq!(codec::decode(&bytes), Ok(value.clone()));
    bytes.push(0);
    let again: Result<Vec<(u64, String, Option<bool>)>, _> = codec::decode(&bytes);
    assert_eq!(again, Err(CodecError::Trailing { count: 1 }));
    bytes.truncate(bytes.len() - 2);
    let again: Result<Vec<(u64, String, Option<bool>)>, _> = codec::decode(&bytes);
    assert_eq!(again, Err(CodecError::Ended));
}

/// A limit that counted what bincode claims against the input's own length would
/// refuse these: one byte each on disk, sixteen when claimed.
#[test]
fn the_codec_reads_what_it_wrote_at_every_step_of_its_limit() {
    for length in [0, 1, 70_000, 1_100_000] {
        let value = vec![1_u128; length];
        let bytes = codec::encode(&value).unwrap();
        assert!(codec::decode::<Vec<u128>>(&bytes) == Ok(value), "{length}");
    }
}

#[test]
fn an_announced_length_does_not_allocate() {
    let mut bytes = vec![253];
    bytes.extend((1_u64 << 60).to_le_bytes());
    assert_eq!(codec::decode::<String>(&bytes), Err(CodecError::TooLong));
    assert_eq!(codec::decode::<Vec<u64>>(&bytes), Err(CodecError::Ended));
    assert_eq!(codec::decode::<Vec<String>>(&bytes), Err(CodecError::Ended));
}
