//! What a hostile or broken peer may do, and that others are served meanwhile.

use super::lab::{self, Lab, greeting, hello, message, rest_of, run};
use pydio_sync::ports::Publisher;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// A frame header with a length of eight bytes.
fn announced(flags: u8, bytes: u64) -> Vec<u8> {
    [&[flags][..], &bytes.to_be_bytes()].concat()
}

/// Sends bytes to both sockets after what goes `before` them, each by a connection of its
/// own; waits until all are closed, and shows that those who were there before and those
/// who come later are served.
fn check_closed(before: impl Fn(&str) -> Vec<u8>, table: &[(&str, &[u8])]) {
    run(lab::options(), async |lab: &Lab| {
        let mut asking = lab.request().await;
        let mut listening = lab.subscription("old").await;
        let mut attackers = Vec::new();
        for (what, bytes) in table {
            for (offset, peer) in [(0, "SUB"), (1, "DEALER")] {
                let mut attacker = lab.raw(offset).await;
                attacker.write_all(&before(peer)).await.expect("it reads");
                // It may be closed before all is written.
                let _closed = attacker.write_all(bytes).await;
                attackers.push((what, offset, attacker));
            }
        }
        lab.serves_newcomers().await;
        for (what, offset, mut attacker) in attackers {
            let closing = tokio::time::timeout(lab::GUARD / 2, rest_of(&mut attacker));
            assert!(closing.await.is_ok(), "{what} on {offset} is not closed");
        }
        assert_eq!(asking.ask(b"me?", lab::GUARD).await.expect("kept"), b"me?");
        lab.publisher.publish(message("old", 1, 3)).await;
        assert_eq!(listening.next().await.expect("kept").seq, 1);
        lab.serves_newcomers().await;
    });
}

#[test]
fn a_greeting_that_is_none_closes_the_connection() {
    let mut zmtp_2 = greeting("NULL");
    zmtp_2[10] = 1;
    check_closed(
        |_| Vec::new(),
        &[
            ("HTTP", b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"),
            ("ZMTP 1", &[1, 0, 0, 0]),
            ("ZMTP 2", &zmtp_2),
            ("TLS", &[0x16, 3, 1, 2, 0, 1, 0, 1, 0xFC, 3, 3]),
            ("zeros", &[0; 4096]),
        ],
    );
}

#[test]
fn a_handshake_that_breaks_the_rules_closes_the_connection() {
    check_closed(
        |_| greeting("NULL"),
        &[
            ("2^63 bytes as a part", &announced(2, 1 << 63)),
            ("2^63 bytes as a command", &announced(6, 1 << 63)),
            ("2^40 bytes as a command", &announced(6, 1 << 40)),
            ("a message", b"\x00\x01a"),
            ("PING", b"\x04\x07\x04PING\0\0"),
            ("the wrong socket", &hello("PUSH")[64..]),
        ],
    );
}

#[test]
fn a_frame_that_breaks_the_rules_closes_the_connection() {
    check_closed(
        hello,
        &[
            ("2^63 bytes", &announced(2, 1 << 63)),
            (
                "one byte more than is passed over",
                &announced(2, (1 << 30) + 1),
            ),
            ("a command of 513 bytes", &announced(6, 513)),
            ("reserved bits", &[0xF8, 1, 0]),
            ("a command that goes on", b"\x05\x07\x04PING\0\0"),
            ("an empty command", &[4, 0]),
            ("endless parts of one byte", &[1, 1, 0].repeat(1 << 20)),
            ("noise", &[0xA5, 0x5A].repeat(1 << 16)),
        ],
    );
}

#[test]
fn a_peer_that_does_not_finish_what_it_began_is_closed() {
    check_closed(
        |_| Vec::new(),
        &[
            ("silence", &[]),
            ("half a greeting", &greeting("NULL")[..32]),
            ("no READY", &greeting("NULL")),
            ("half a READY", &hello("SUB")[..80]),
        ],
    );
    check_closed(
        hello,
        &[
            ("half a part", &[0, 200, 1, 2, 3]),
            ("half a message", &[1, 1, 1]),
            ("a large part without its body", &announced(2, 1 << 30)),
        ],
    );
}

#[test]
fn a_message_is_not_kept_open_by_commands_between_its_parts() {
    run(lab::options(), async |lab: &Lab| {
        let mut attacker = lab.raw_open(1, "DEALER").await;
        attacker.write_all(&[1, 1, 1]).await.expect("it reads");
        let (mut reader, mut writer) = attacker.split();
        let pinging = async {
            while writer.write_all(b"\x04\x07\x04PING\0\0").await.is_ok() {
                tokio::task::yield_now().await;
            }
        };
        let reading = async { while reader.read_u8().await.is_ok() {} };
        tokio::join!(pinging, reading);
        lab.serves_newcomers().await;
    });
}

#[test]
fn a_mechanism_that_is_not_offered_gets_an_error() {
    for mechanism in ["PLAIN", "CURVE", "GSSAPI", "NULLX"] {
        run(lab::options(), async |lab: &Lab| {
            for offset in [0, 1] {
                let mut peer = lab.raw(offset).await;
                peer.write_all(&greeting(mechanism))
                    .await
                    .expect("it reads");
                let reply = rest_of(&mut peer).await;
                let words = b"only the mechanism NULL is offered";
                assert_eq!(reply[64..72], *b"\x04\x29\x05ERROR", "{mechanism}");
                assert!(reply.ends_with(words), "{mechanism}");
            }
            lab.serves_newcomers().await;
        });
    }
}

#[test]
fn silent_connections_by_the_thousand_keep_nobody_out() {
    let mut options = lab::options();
    // Only their number makes room: the time for a handshake does not end here.
    options.publishing.handshake = lab::GUARD;
    options.commands.handshake = lab::GUARD;
    run(options, async |lab: &Lab| {
        let mut asking = lab.request().await;
        let mut listening = lab.subscription("old").await;
        let mut open = std::collections::VecDeque::new();
        for _ in 0..2000 {
            open.push_back(lab.raw(0).await);
            open.push_back(lab.raw(1).await);
            if open.len() > 200 {
                open.pop_front();
            }
        }
        lab.serves_newcomers().await;
        assert_eq!(asking.ask(b"me?", lab::GUARD).await.expect("kept"), b"me?");
        lab.publisher.publish(message("old", 1, 3)).await;
        assert_eq!(listening.next().await.expect("kept").seq, 1);
    });
}

#[test]
fn idle_connections_give_way_and_those_in_use_stay() {
    run(lab::options(), async |lab: &Lab| {
        let mut listening = lab.subscription("old").await;
        let mut holding = lab.raw_open(1, "DEALER").await;
        holding.write_all(b"\x00\x04hold").await.expect("it reads");
        let mut idle = Vec::new();
        for _ in 0..100 {
            idle.push(lab.raw_open(0, "SUB").await);
            idle.push(lab.raw_open(1, "REQ").await);
        }
        lab.serves_newcomers().await;
        // The oldest of the idle ones have gone, those in use have not.
        rest_of(&mut idle[0]).await;
        rest_of(&mut idle[1]).await;
        lab.publisher.publish(message("old", 1, 3)).await;
        assert_eq!(listening.next().await.expect("kept").seq, 1);
        holding.write_all(b"\x00\x02me").await.expect("kept");
        let mut reply = [0; 4];
        holding.read_exact(&mut reply).await.expect("kept");
        assert_eq!(reply, *b"\x00\x02me");
    });
}

#[test]
fn when_all_connections_are_in_use_a_newcomer_is_turned_away() {
    run(lab::options(), async |lab: &Lab| {
        let mut subscribers = Vec::new();
        for _ in 0..16 {
            subscribers.push(lab.subscription("topic").await);
        }
        lab::until(|| lab.publisher.standing().subscribers == 16).await;
        rest_of(&mut lab.raw(0).await).await;
        lab.publisher.publish(message("topic", 1, 3)).await;
        for subscriber in &mut subscribers {
            assert_eq!(subscriber.next().await.expect("kept").seq, 1);
        }
        subscribers.pop();
        lab::until(|| lab.publisher.standing().subscribers == 15).await;
        lab.serves_newcomers().await;
    });
}

#[test]
fn subscriptions_are_bounded() {
    run(lab::options(), async |lab: &Lab| {
        let mut attacker = lab.raw_open(0, "SUB").await;
        for number in 0_u32..300 {
            let prefix = [&[0, 5, 1][..], &number.to_be_bytes()].concat();
            // It is closed at some point.
            let _closed = attacker.write_all(&prefix).await;
        }
        rest_of(&mut attacker).await;
        lab.serves_newcomers().await;
    });
}

#[test]
fn a_command_that_is_too_large_costs_its_sender_neither_answer_nor_connection() {
    run(lab::options(), async |lab: &Lab| {
        let mut peer = lab.raw_open(1, "DEALER").await;
        let large = [announced(2, (1 << 20) + 1), vec![b'x'; (1 << 20) + 1]].concat();
        peer.write_all(&large).await.expect("it reads");
        peer.write_all(b"\x00\x04next").await.expect("kept");
        let refusal = br#"{"jsonrpc":"2.0","id":null,"error":{"code":-32700,"#;
        let mut reply = vec![0; 2 + refusal.len()];
        peer.read_exact(&mut reply).await.expect("an answer");
        assert_eq!(reply[2..], *refusal);
        let mut rest = vec![0; usize::from(reply[1]) - refusal.len() + 6];
        peer.read_exact(&mut rest).await.expect("the next answer");
        assert!(rest.ends_with(b"}}\x00\x04next"));
    });
}

/// Writes again and again until the connection breaks.
async fn flood(stream: &mut TcpStream, bytes: &[u8]) -> usize {
    let mut written = 0;
    while let Ok(()) = stream.write_all(bytes).await {
        written += bytes.len();
    }
    written
}

#[test]
fn a_peer_that_asks_and_does_not_read_is_closed() {
    let large = [announced(2, 100_000), vec![b'x'; 100_000]].concat();
    let small = b"\x00\x02hi".repeat(1000);
    let ping = b"\x04\x07\x04PING\0\0".repeat(1000);
    for (what, bytes) in [("large", &large), ("small", &small), ("pings", &ping)] {
        run(lab::options(), async |lab: &Lab| {
            let mut asking = lab.request().await;
            let mut attacker = lab.raw_open(1, "DEALER").await;
            let asked_meanwhile = async {
                loop {
                    asking.ask(b"me?", lab::GUARD).await.expect(what);
                    tokio::task::yield_now().await;
                }
            };
            let written = tokio::select! {
                written = flood(&mut attacker, bytes) => written,
                () = asked_meanwhile => unreachable!(),
            };
            // What the system buffers, and a few commands: not what it would write.
            assert!(written < 16 << 20, "{what}: {written}");
            lab.serves_newcomers().await;
        });
    }
}
