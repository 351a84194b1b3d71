//! What a reader must refuse.
//!
//! In: one good record. Out: copies of it, each with one thing wrong, named after
//! that. Invariant: each breaks one rule of `FORMAT.md`, and its name says which; the error
//! is pinned beside it. A new rule is a line in the list it belongs to.

use crate::codec;
use crate::event::{Event, Record, SessionEvent};
use crate::tag::Tag;
use crate::value::{Seq, TEXT_BYTES_MAX, Timestamp, VERSION_BYTES_MAX};
use crate::wire::v1;
use crate::{ENVELOPE_VERSION, HEADER_BYTES, MAGIC, PAYLOAD_BYTES_MAX, encode_record};
use serde::Serialize;

pub(super) fn all() -> Vec<(&'static str, Vec<u8>)> {
    envelopes()
        .into_iter()
        .chain(payloads())
        .chain(values())
        .collect()
}

/// The envelope is torn, foreign or altered.
fn envelopes() -> Vec<(&'static str, Vec<u8>)> {
    let good = encode_record(&Record {
        seq: Seq(7),
        time: Timestamp(1_700_000_000_000),
        event: Event::Session(SessionEvent::SessionStarted {
            release: "0.1.0".into(),
            fold_version: 1,
            seed: 42,
        }),
    })
    .expect("a record without damage");
    let cut = |length: usize| good.iter().copied().take(length).collect::<Vec<_>>();
    let altered = |offset: usize, bytes: &[u8]| {
        let mut altered = good.clone();
        altered.splice(
            offset..offset.saturating_add(bytes.len()),
            bytes.iter().copied(),
        );
        altered
    };
    let too_long = u32::try_from(PAYLOAD_BYTES_MAX)
        .expect("1 MiB")
        .saturating_add(1);
    let mut followed = good.clone();
    followed.push(0);
    vec![
        ("empty", Vec::new()),
        ("magic-torn", cut(3)),
        ("header-torn", cut(HEADER_BYTES - 1)),
        ("payload-torn", cut(HEADER_BYTES + 3)),
        ("checksum-torn", cut(good.len().saturating_sub(1))),
        ("magic", altered(0, b"PK\x03\x04")),
        ("envelope-newer", altered(4, &[ENVELOPE_VERSION + 1])),
        ("envelope-zero", altered(4, &[0])),
        (
            "payload-announced-too-long",
            altered(24, &too_long.to_le_bytes()),
        ),
        ("payload-altered", altered(HEADER_BYTES + 1, b"9")),
        ("time-altered", altered(16, &[1])),
        ("tag-altered", altered(6, &[5])),
        (
            "checksum-altered",
            altered(good.len().saturating_sub(1), &[0]),
        ),
        ("trailing", followed),
        ("seq-zero", seal(Tag::SessionStopped.number(), 1, 0, &[])),
        ("tag-zero", seal(0, 1, 7, &[])),
        ("tag-unknown", seal(9999, 1, 7, &[1, 2, 3])),
        ("version-newer", seal(Tag::Gone.number(), 2, 7, &[1, 2, 3])),
        ("version-zero", seal(Tag::Gone.number(), 0, 7, &[0, 0, 0])),
    ]
}

/// The checksum is right, the payload does not have the fields of the event.
fn payloads() -> Vec<(&'static str, Vec<u8>)> {
    let raw = |tag: Tag, payload: &[u8]| seal(tag.number(), 1, 7, payload);
    let widest = [253, 0, 0, 0, 0, 0, 0, 0, 16];
    let announced = |lead: &[u8]| [lead, &widest].concat();
    vec![
        ("fields-missing", raw(Tag::HistoryLost, &[5])),
        ("fields-left-over", raw(Tag::SessionStopped, &[0])),
        (
            "integer-too-wide",
            raw(Tag::DigestStamped, &announced(&[0; 16])),
        ),
        ("integer-reserved", raw(Tag::HaltCleared, &[255])),
        ("text-not-utf8", raw(Tag::HaltApproved, &[1, 2, 0xc3, 0x28])),
        (
            "text-announced-too-long",
            raw(Tag::HaltApproved, &announced(&[1])),
        ),
        (
            "text-announced-longer",
            raw(Tag::HaltApproved, &[1, 9, b'a']),
        ),
        (
            "moves-announced-too-many",
            raw(Tag::Moved, &announced(&[0])),
        ),
        ("flag", raw(Tag::OperationFailed, &[1, 0, 0, 2])),
        ("option", raw(Tag::OperationSucceeded, &[1, 7, 0, 0, 0, 0])),
        ("side-unknown", raw(Tag::Gone, &[2, 1, b'a', 0])),
        ("case-unknown", raw(Tag::Adopted, &[1, b'a', 1, b'a', 22])),
    ]
}

/// The fields are there, and one of them breaks a rule of its type.
fn values() -> Vec<(&'static str, Vec<u8>)> {
    let gone = |path: &str| {
        let wire = v1::Gone {
            side: v1::Side::Local,
            path,
            epoch: 1,
        };
        seal_wire(Tag::Gone, &wire)
    };
    let observed = |version: &str| {
        let fingerprint = v1::Fingerprint {
            kind: v1::Kind::File,
            size: 1,
            mtime_ns: 1,
            identity: None,
            version: Some(version),
        };
        let wire = v1::Observed {
            side: v1::Side::Remote,
            path: "a",
            entry: v1::Entry {
                fingerprint,
                digest: None,
            },
        };
        seal_wire(Tag::Observed, &wire)
    };
    let approved = v1::HaltApproved {
        halt: 1,
        by: &"x".repeat(TEXT_BYTES_MAX + 1),
    };
    let moved = v1::Moved {
        side: v1::Side::Local,
        moves: Vec::new(),
    };
    vec![
        ("path-parent", gone("a/../../b")),
        ("path-dot", gone("a/./b")),
        ("path-absolute", gone("/etc/passwd")),
        ("path-slash-at-end", gone("a/")),
        ("path-nul", gone("a\0b")),
        ("path-name-too-long", gone(&"n".repeat(256))),
        ("path-too-long", gone(&vec!["n"; 2049].join("/"))),
        ("remote-version-empty", observed("")),
        ("remote-version-control", observed("a\u{85}b")),
        (
            "remote-version-too-long",
            observed(&"v".repeat(VERSION_BYTES_MAX + 1)),
        ),
        ("text-too-long", seal_wire(Tag::HaltApproved, &approved)),
        ("moves-none", seal_wire(Tag::Moved, &moved)),
    ]
}

fn seal_wire<W: Serialize>(tag: Tag, wire: &W) -> Vec<u8> {
    let payload = codec::encode(wire).expect("a wire struct");
    seal(tag.number(), 1, 7, &payload)
}

/// Makes an envelope with a right checksum around anything.
fn seal(tag: u16, version: u8, seq: u64, payload: &[u8]) -> Vec<u8> {
    let mut bytes = MAGIC.to_vec();
    bytes.extend([ENVELOPE_VERSION, version]);
    bytes.extend(tag.to_le_bytes());
    bytes.extend(seq.to_le_bytes());
    bytes.extend(1_700_000_000_000_i64.to_le_bytes());
    bytes.extend(u32::try_from(payload.len()).expect("small").to_le_bytes());
    bytes.extend(payload);
    let sum = crc32fast::hash(&bytes);
    bytes.extend(sum.to_le_bytes());
    bytes
}
