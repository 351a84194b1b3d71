//! Greeting, commands and messages, byte by byte.

use super::{CAPS, PASSING, handshake, hear, hear_within};
use crate::adapters::zmtp::decoder::Violation;
use crate::adapters::zmtp::session::Event;
use crate::adapters::zmtp::wire::{self, SocketType};
use proptest::prelude::*;
use proptest::sample::Index;

/// Our sockets, each with a peer that may talk to it.
const PAIRS: [(SocketType, SocketType); 4] = [
    (SocketType::Pub, SocketType::Sub),
    (SocketType::Router, SocketType::Dealer),
    (SocketType::Req, SocketType::Router),
    (SocketType::Sub, SocketType::Pub),
];

/// One thing that a peer may send after its handshake, sensible or not.
fn piece() -> impl Strategy<Value = Vec<u8>> {
    let bytes = || prop::collection::vec(any::<u8>(), 0..40);
    let message = prop::collection::vec(bytes(), 1..6).prop_map(|parts| {
        let parts: Vec<&[u8]> = parts.iter().map(Vec::as_slice).collect();
        let mut out = Vec::new();
        wire::put_message(&mut out, &parts);
        out
    });
    let name = prop::sample::select(vec!["PING", "PONG", "SUBSCRIBE", "CANCEL", "ERROR", "JOIN"]);
    let command = (name, bytes()).prop_map(|(name, body)| {
        let mut out = Vec::new();
        wire::put_command(&mut out, name, &body);
        out
    });
    let frame = (any::<u8>(), any::<u64>(), bytes()).prop_map(|(flags, length, body)| {
        let mut out = vec![flags & 7];
        out.extend_from_slice(&(length >> (length % 60)).to_be_bytes());
        out.extend_from_slice(&body);
        out
    });
    let large = (250_usize..350).prop_map(|bytes| {
        let mut out = Vec::new();
        wire::put_message(&mut out, &[&vec![1; bytes], b"end"]);
        out
    });
    prop_oneof![4 => message, 4 => command, 1 => frame, 1 => large, 1 => bytes()]
}

/// A connection's bytes: a handshake, then pieces, then perhaps a few bytes changed.
fn stream(peer: SocketType) -> impl Strategy<Value = Vec<u8>> {
    let changes = prop::collection::vec((any::<Index>(), any::<u8>()), 0..3);
    (prop::collection::vec(piece(), 0..12), changes).prop_map(move |(pieces, changes)| {
        let mut bytes = handshake(peer);
        bytes.extend(pieces.concat());
        for (place, byte) in changes {
            let place = place.index(bytes.len());
            bytes[place] = byte;
        }
        bytes
    })
}

fn check_chunking(socket: SocketType, bytes: &[u8], cuts: &[Index]) -> Result<(), TestCaseError> {
    let whole = hear(socket, [bytes]);
    let single = hear(socket, bytes.chunks(1));
    prop_assert_eq!(&whole, &single);
    let mut places: Vec<usize> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect();
    places.extend([0, bytes.len()]);
    places.sort_unstable();
    let chunks = places.windows(2).map(|pair| &bytes[pair[0]..pair[1]]);
    prop_assert_eq!(&whole, &hear(socket, chunks));
    // A greeting, a READY or ERROR, and no more than what came.
    prop_assert!(whole.sent.len() <= 64 + 128 + bytes.len());
    let passing = hear_within(PASSING, socket, [bytes]);
    prop_assert_eq!(&passing, &hear_within(PASSING, socket, bytes.chunks(1)));
    prop_assert!(passing.events.starts_with(&whole.events));
    Ok(())
}

proptest! {
    #[test]
    fn any_bytes_mean_the_same_in_any_chunks(
        bytes in prop::collection::vec(any::<u8>(), 0..300),
        cuts in prop::collection::vec(any::<Index>(), 0..6),
    ) {
        for (socket, _) in PAIRS {
            check_chunking(socket, &bytes, &cuts)?;
        }
    }

    #[test]
    fn any_conversation_means_the_same_in_any_chunks(
        (pair, bytes) in prop::sample::select(PAIRS.to_vec())
            .prop_flat_map(|pair| (Just(pair), stream(pair.1))),
        cuts in prop::collection::vec(any::<Index>(), 0..6),
    ) {
        check_chunking(pair.0, &bytes, &cuts)?;
    }

    #[test]
    fn a_message_that_was_written_is_read_again(
        parts in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..280), 1..=4),
    ) {
        prop_assume!(parts.iter().map(Vec::len).sum::<usize>() <= CAPS.message_bytes_max);
        let slices: Vec<&[u8]> = parts.iter().map(Vec::as_slice).collect();
        let mut bytes = handshake(SocketType::Req);
        let before = bytes.len();
        wire::put_message(&mut bytes, &slices);
        prop_assert!(bytes.len() - before <= wire::message_bytes(&slices));
        let heard = hear(SocketType::Router, [bytes.as_slice()]);
        prop_assert_eq!(heard.violation, None);
        prop_assert_eq!(heard.events, vec![Event::Ready, Event::Message(parts)]);
    }
}

/// Checks what a ROUTER makes of a stream: nothing before its last byte, then the
/// violation.
fn check_refusal(what: &str, bytes: &[u8], expected: Violation) {
    let heard = hear(SocketType::Router, [bytes]);
    assert_eq!(heard.violation, Some(expected), "{what}");
    let shorter = hear(SocketType::Router, [&bytes[..bytes.len() - 1]]);
    assert_eq!(shorter.violation, None, "{what}: not before its last byte");
}

fn announced(flags: u8, bytes: u64) -> Vec<u8> {
    [&[flags][..], &bytes.to_be_bytes()].concat()
}

#[test]
fn what_is_no_handshake_is_refused_at_the_byte_that_shows_it() {
    let greeting = wire::greeting();
    let mut curve = greeting;
    curve[12..17].copy_from_slice(b"CURVE");
    let mut zmtp_2 = greeting;
    zmtp_2[10] = 1;
    let bad_end = [&greeting[..9], &[0x7E]].concat();
    check_refusal("HTTP", b"G", Violation::NotZmtp);
    check_refusal("ZMTP 1", &[1], Violation::NotZmtp);
    check_refusal("half a signature", &bad_end, Violation::NotZmtp);
    check_refusal("ZMTP 2", &zmtp_2[..11], Violation::OldVersion(1));
    check_refusal("CURVE", &curve, Violation::Mechanism);
    check_refusal("a SUB", &handshake(SocketType::Sub), Violation::SocketType);

    let huge = 1 << 63;
    let table: [(&[u8], Violation); 7] = [
        (&[0], Violation::EarlyMessage),
        (&announced(6, huge), Violation::FrameTooLarge(huge)),
        (&[4, 129], Violation::FrameTooLarge(129)),
        (b"\x04\x05\x04PING", Violation::NotReady),
        (b"\x04\x09\x05READY\x03ab", Violation::MalformedCommand),
        (b"\x04\x06\x05READY", Violation::SocketType),
        (b"\x04\x09\x05ERROR\x02no", Violation::Refused),
    ];
    for (bytes, expected) in table {
        check_refusal(
            &format!("{bytes:?}"),
            &[&greeting, bytes].concat(),
            expected,
        );
    }
}

#[test]
fn what_breaks_the_protocol_later_is_refused_at_the_byte_that_shows_it() {
    let huge = 1 << 63;
    let large_parts = [announced(3, 300), vec![7; 300], announced(3, 201)].concat();
    let table: [(&[u8], Violation); 11] = [
        (&announced(2, huge), Violation::FrameTooLarge(huge)),
        (&announced(2, u64::MAX), Violation::FrameTooLarge(u64::MAX)),
        (&announced(3, 301), Violation::FrameTooLarge(301)),
        (&announced(6, 65), Violation::FrameTooLarge(65)),
        (&[4, 0], Violation::MalformedCommand),
        (&[8], Violation::ReservedFlag),
        (&[0x80], Violation::ReservedFlag),
        (&[5], Violation::ReservedFlag),
        (b"\x04\x06\x04PING\x01", Violation::MalformedCommand),
        (&[1, 0, 1, 0, 1, 0, 1, 0, 1], Violation::TooManyParts),
        (&large_parts, Violation::MessageTooLarge),
    ];
    let open = handshake(SocketType::Dealer);
    for (bytes, expected) in table {
        check_refusal(&format!("{bytes:?}"), &[&open, bytes].concat(), expected);
    }
}

/// Checks what a ROUTER that answers makes of a message beyond the bounds, with another
/// one behind it.
fn check_passed_over(what: &str, parts: &[&[u8]], kept: &[&[u8]], why: Violation) {
    let mut bytes = handshake(SocketType::Dealer);
    wire::put_message(&mut bytes, parts);
    wire::put_message(&mut bytes, &[b"", b"next"]);
    let envelope = kept.iter().map(|part| part.to_vec()).collect();
    let expected = [
        Event::Ready,
        Event::PassedOver { envelope, why },
        Event::Message(vec![Vec::new(), b"next".to_vec()]),
    ];
    for chunk in [bytes.len(), 7, 1] {
        let heard = hear_within(PASSING, SocketType::Router, bytes.chunks(chunk));
        assert_eq!(heard.events, expected, "{what} by {chunk}");
        assert_eq!(heard.violation, None, "{what}");
    }
}

#[test]
fn a_message_beyond_the_bounds_is_passed_over_with_its_envelope_kept() {
    let large: &[u8] = &[7; 301];
    let half: &[u8] = &[7; 300];
    let too_large = Violation::FrameTooLarge(301);
    let sum = Violation::MessageTooLarge;
    let many = Violation::TooManyParts;
    check_passed_over("a REQ's", &[b"", large], &[b""], too_large);
    check_passed_over("a DEALER's", &[large], &[], too_large);
    check_passed_over("with names", &[b"a", b"", large], &[b"a", b""], too_large);
    check_passed_over("first of two", &[b"", large, b"b"], &[b""], too_large);
    check_passed_over("in sum", &[b"", half, half], &[b""], sum);
    check_passed_over(
        "many parts",
        &[b"a", b"", b"", b"b", b"c"],
        &[b"a", b""],
        many,
    );
    check_passed_over(
        "many and large",
        &[b"", b"a", b"b", b"c", large],
        &[b""],
        many,
    );
    check_passed_over(
        "a long envelope",
        &[b"a", b"b", b"c", b"d", b"", b"e"],
        &[],
        many,
    );
    check_passed_over("empty at its end", &[large, b""], &[], too_large);
}

#[test]
fn a_message_far_beyond_the_bounds_ends_the_connection_at_its_length() {
    let open = handshake(SocketType::Dealer);
    let sums = [announced(3, 400), vec![7; 400], announced(2, 601)].concat();
    for (frames, why) in [
        (announced(2, 1001), Violation::FrameTooLarge(1001)),
        (announced(2, u64::MAX), Violation::FrameTooLarge(u64::MAX)),
        (sums, Violation::FrameTooLarge(400)),
    ] {
        let bytes = [open.as_slice(), &frames].concat();
        let heard = hear_within(PASSING, SocketType::Router, [bytes.as_slice()]);
        assert_eq!(heard.violation, Some(why));
    }
}

#[test]
fn an_announced_length_takes_no_memory() {
    let mut bytes = handshake(SocketType::Dealer);
    bytes.extend_from_slice(&[2, 0, 0, 0, 0, 0, 0, 1, 44, 9]);
    // The helper checks what is held against what was fed.
    assert_eq!(hear(SocketType::Router, bytes.chunks(1)).violation, None);
}

#[test]
fn a_ping_is_answered_with_its_context_even_inside_a_message() {
    let mut bytes = handshake(SocketType::Dealer);
    let before = hear(SocketType::Router, [bytes.as_slice()]).sent.len();
    bytes.extend_from_slice(b"\x01\x01a\x04\x0A\x04PING\x00\x64xyz\x00\x01b");
    let heard = hear(SocketType::Router, [bytes.as_slice()]);
    assert_eq!(&heard.sent[before..], b"\x04\x08\x04PONGxyz");
    let message = Event::Message(vec![b"a".to_vec(), b"b".to_vec()]);
    assert_eq!(heard.events, [Event::Ready, message]);
}

#[test]
fn subscriptions_come_as_commands_and_as_messages() {
    let mut bytes = handshake(SocketType::XSub);
    bytes.extend_from_slice(b"\x04\x0B\x09SUBSCRIBEa\x00\x02\x01b\x04\x08\x06CANCELa\x00\x02\x00b");
    // What is no subscription is dropped, and so are commands that nobody knows.
    bytes.extend_from_slice(b"\x00\x03abc\x01\x02\x01a\x00\x00\x00\x00\x04\x05\x04JOIN");
    let heard = hear(SocketType::Pub, [bytes.as_slice()]);
    assert_eq!(
        heard.events,
        [
            Event::Ready,
            Event::Subscribe(b"a".to_vec()),
            Event::Subscribe(b"b".to_vec()),
            Event::Cancel(b"a".to_vec()),
            Event::Cancel(b"b".to_vec()),
        ]
    );
    assert_eq!(heard.violation, None);
}

#[test]
fn a_refusal_says_why() {
    let mut plain = wire::greeting();
    plain[12..17].copy_from_slice(b"PLAIN");
    let heard = hear(SocketType::Router, [plain.as_slice()]);
    let reason = Violation::Mechanism.to_string();
    assert!(heard.sent.ends_with(reason.as_bytes()));
    assert_eq!(heard.sent[64..72], *b"\x04\x29\x05ERROR");
}
