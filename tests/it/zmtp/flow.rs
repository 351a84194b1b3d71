//! Who gets what when somebody is slow, and how commands are answered.

use super::lab::{self, GUARD, Lab, message, rest_of, run, until};
use pydio_sync::adapters::zmtp::{ClientError, Sockets, Subscription};
use pydio_sync::ports::{CommandSource, Message, Publisher};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// Takes messages until the last one and checks that none is missing.
async fn take_all(subscription: &mut Subscription, last: u64) {
    for seq in 1..=last {
        assert_eq!(subscription.next().await.expect("kept").seq, seq);
    }
}

#[test]
fn a_stopped_subscriber_is_evicted_and_the_others_miss_nothing() {
    run(lab::options(), async |lab: &Lab| {
        let mut reading = lab.subscription("all").await;
        let mut stopped = lab.raw_open(0, "SUB").await;
        stopped
            .write_all(b"\x00\x04\x01all")
            .await
            .expect("it reads");
        until(|| lab.publisher.standing().subscribers == 2).await;
        const LAST: u64 = 20_000;
        let publishing = async {
            let mut waiting_bytes_max = 0;
            for seq in 1..=LAST {
                lab.publisher.publish(message("all", seq, 1000)).await;
                waiting_bytes_max = waiting_bytes_max.max(lab.publisher.standing().waiting_bytes);
            }
            waiting_bytes_max
        };
        let (waiting_bytes_max, ()) = tokio::join!(publishing, take_all(&mut reading, LAST));
        assert!(waiting_bytes_max <= 2 * (256 << 10), "{waiting_bytes_max}");
        assert_eq!(lab.publisher.standing().evicted, 1);
        rest_of(&mut stopped).await;
        lab.serves_newcomers().await;
    });
}

#[test]
fn the_publisher_goes_at_the_pace_of_a_slow_reader() {
    let mut options = lab::options();
    // Whoever reads at all is not evicted here, however slow the machine.
    options.publishing.stall = GUARD;
    run(options, async |lab: &Lab| {
        let mut slow = lab.raw_open(0, "SUB").await;
        slow.write_all(b"\x00\x02\x01a").await.expect("it reads");
        until(|| lab.publisher.is_wanted("a")).await;
        const LAST: u64 = 10_000;
        let publishing = async {
            for seq in 1..=LAST {
                lab.publisher.publish(message("a", seq, 991)).await;
            }
        };
        let reading = async {
            // Topic and number in short frames, the body in a long one.
            let mut frames = vec![0; 3 + 10 + 9 + 991];
            for seq in 1..=LAST {
                slow.read_exact(&mut frames).await.expect("kept");
                assert_eq!(frames[5..13], seq.to_be_bytes());
                tokio::task::yield_now().await;
            }
        };
        tokio::join!(publishing, reading);
        assert_eq!(lab.publisher.standing().evicted, 0);
    });
}

#[test]
fn a_publish_that_is_dropped_leaves_no_gap() {
    let mut options = lab::options();
    options.publishing.stall = GUARD;
    run(options, async |lab: &Lab| {
        let mut stopped = lab.raw_open(0, "SUB").await;
        stopped.write_all(b"\x00\x02\x01a").await.expect("it reads");
        until(|| lab.publisher.is_wanted("a")).await;
        let mut seq = 0;
        loop {
            seq += 1;
            let mut publishing = lab.publisher.publish(message("a", seq, 10_000));
            // Ready at once, until the queue is full and the system's buffers too.
            let waits = futures::poll!(&mut publishing).is_pending();
            tokio::task::yield_now().await;
            if waits && futures::poll!(&mut publishing).is_pending() {
                break;
            }
        }
        // Dropped while it waited: the subscriber ends, with whole messages up to here.
        assert_eq!(lab.publisher.standing().evicted, 1);
        assert!(!lab.publisher.has_subscribers());
        rest_of(&mut stopped).await;
    });
}

#[test]
fn a_message_without_a_number_never_waits() {
    run(lab::options(), async |lab: &Lab| {
        let mut stopped = lab.raw_open(0, "SUB").await;
        stopped.write_all(b"\x00\x02\x01l").await.expect("it reads");
        until(|| lab.publisher.is_wanted("live")).await;
        while lab.publisher.standing().missed < 10 {
            let mut publishing = lab.publisher.publish(message("live", 0, 10_000));
            assert!(futures::poll!(&mut publishing).is_ready());
            lab.publisher.publish_text("live words");
            tokio::task::yield_now().await;
        }
        assert!(lab.publisher.standing().waiting_bytes <= 256 << 10);
        assert_eq!(lab.publisher.standing().evicted, 0);
    });
}

#[test]
fn subscribers_get_what_they_asked_for_and_nothing_else() {
    run(lab::options(), async |lab: &Lab| {
        assert!(!lab.publisher.has_subscribers());
        let mut status = lab.subscription("status.").await;
        let mut all = lab.subscription("").await;
        assert!(lab.publisher.has_subscribers());
        until(|| lab.publisher.is_wanted("anything")).await;
        lab.publisher.publish(message("task.a", 1, 1)).await;
        lab.publisher.publish(message("status.a", 2, 1)).await;
        lab.publisher.publish_text("status START");
        lab.publisher.publish_text("status.x");
        assert_eq!(status.next().await.expect("kept").seq, 2);
        assert_eq!(status.next().await.expect("kept").topic, "status.x");
        for topic in ["task.a", "status.a", "status START", "status.x"] {
            assert_eq!(all.next().await.expect("kept").topic, topic);
        }
        drop((status, all));
        until(|| !lab.publisher.has_subscribers()).await;
    });
}

#[test]
fn a_single_message_may_be_larger_than_the_queue() {
    run(lab::options(), async |lab: &Lab| {
        let mut reading = lab.subscription("big").await;
        let publishing = async {
            for seq in 1..=5 {
                lab.publisher.publish(message("big", seq, 3 << 20)).await;
            }
        };
        tokio::join!(publishing, take_all(&mut reading, 5));
    });
}

#[test]
fn a_reply_goes_back_behind_the_envelope_of_its_request() {
    let table: [(&[u8], &[u8]); 6] = [
        // As a REQ, as a DEALER without envelope, and through two proxies.
        (b"\x01\x00\x00\x02hi", b"\x01\x00\x00\x02hi"),
        (b"\x00\x02hi", b"\x00\x02hi"),
        (
            b"\x01\x01a\x01\x01b\x01\x00\x00\x02hi",
            b"\x01\x01a\x01\x01b\x01\x00\x00\x02hi",
        ),
        // An empty command, with and without an envelope.
        (b"\x01\x00\x00\x00", b"\x01\x00\x00\x00"),
        (b"\x00\x00", b"\x00\x00"),
        // A long form of a short length.
        (b"\x02\0\0\0\0\0\0\0\x02hi", b"\x00\x02hi"),
    ];
    run(lab::options(), async |lab: &Lab| {
        let mut peer = lab.raw_open(1, "DEALER").await;
        for (request, expected) in table {
            peer.write_all(request).await.expect("kept");
            let mut reply = vec![0; expected.len()];
            peer.read_exact(&mut reply).await.expect("kept");
            assert_eq!(reply, expected);
        }
    });
}

#[test]
fn a_command_without_an_answer_is_answered_with_an_error() {
    run(lab::options(), async |lab: &Lab| {
        let mut asking = lab.request().await;
        let reply = asking.ask(b"drop", GUARD).await.expect("an answer");
        let words = String::from_utf8(reply).expect("text");
        assert!(words.contains("was not answered"), "{words}");

        let mut peer = lab.raw_open(1, "DEALER").await;
        peer.write_all(b"\x01\x01a\x00\x01b").await.expect("kept");
        let mut reply = [0; 60];
        peer.read_exact(&mut reply).await.expect("kept");
        let words = String::from_utf8_lossy(&reply).into_owned();
        assert!(words.contains(r#""code":-32600"#), "{words}");
    });
}

#[test]
fn two_peers_of_one_identity_each_get_their_own_replies() {
    run(lab::options(), async |lab: &Lab| {
        let mut hello = lab::hello("DEALER");
        hello[65] += 14;
        hello.extend_from_slice(b"\x08Identity\0\0\0\x01z");
        let mut first = lab.raw_after(1, &hello).await;
        let mut second = lab.raw_after(1, &hello).await;
        first.write_all(b"\x00\x05first").await.expect("kept");
        second.write_all(b"\x00\x06second").await.expect("kept");
        let mut reply = [0; 7];
        first.read_exact(&mut reply).await.expect("kept");
        assert_eq!(&reply[2..], b"first");
        let mut reply = [0; 8];
        second.read_exact(&mut reply).await.expect("kept");
        assert_eq!(&reply[2..], b"second");
    });
}

#[test]
fn commands_that_wait_are_bounded_for_each_peer() {
    run(lab::options(), async |lab: &Lab| {
        let mut peer = lab.raw_open(1, "DEALER").await;
        for _ in 0..8 {
            peer.write_all(b"\x00\x04hold").await.expect("kept");
        }
        peer.write_all(b"\x00\x05ninth").await.expect("kept");
        // Others are answered; the ninth is not even read.
        lab.serves_newcomers().await;
        let mut reply = [0; 1];
        assert!(futures::poll!(std::pin::pin!(peer.read(&mut reply))).is_pending());
    });
}

#[test]
fn commands_that_nobody_reads_are_bounded_in_all() {
    let mut options = lab::options();
    options.commands.command_bytes_max = 1000;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    runtime.expect("a runtime").block_on(async {
        let mut sockets = Sockets::bind(options).expect("two free ports");
        let lab = Lab {
            port: sockets.port,
            publisher: sockets.publisher,
        };
        let mut first = lab.raw_open(1, "DEALER").await;
        first
            .write_all(&[&[0, 200][..], &[b'x'; 200]].concat())
            .await
            .expect("kept");
        let mut asking = lab.request().await;
        let reply = asking.ask(&[b'y'; 900], GUARD).await.expect("an answer");
        assert!(String::from_utf8_lossy(&reply).contains("try again"));
        let command = sockets.commands.next().await.expect("the first");
        assert_eq!(command.body.len(), 200);
        let (reply, ()) = tokio::join!(asking.ask(&[b'y'; 900], GUARD), async {
            let command = sockets.commands.next().await.expect("the second");
            assert!(!command.reply.is_abandoned());
            command.reply.send(b"fine".to_vec());
        });
        assert_eq!(reply.expect("an answer"), b"fine");
        drop(first);
        until(|| command.reply.is_abandoned()).await;
    });
}

#[test]
fn a_request_without_a_reply_ends_its_connection() {
    run(lab::options(), async |lab: &Lab| {
        let mut asking = lab.request().await;
        let soon = std::time::Duration::from_millis(1);
        let error = asking.ask(b"hold", soon).await.expect_err("held");
        assert!(matches!(error, ClientError::TimedOut(_)), "{error}");
        let error = asking.ask(b"me?", GUARD).await.expect_err("no other reply");
        assert!(matches!(error, ClientError::Closed(_)), "{error}");
    });
}

#[test]
fn what_was_published_leaves_before_the_sockets_close() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    runtime.expect("a runtime").block_on(async {
        let sockets = Sockets::bind(lab::options()).expect("two free ports");
        let address = (std::net::Ipv4Addr::LOCALHOST, sockets.port).into();
        let connecting = Subscription::connect(address, &["last"], GUARD);
        let mut reading = connecting.await.expect("a daemon");
        until(|| sockets.publisher.is_wanted("last")).await;
        for seq in 1..=100 {
            let body = vec![b'x'; 1000];
            let topic = "last.words".into();
            sockets
                .publisher
                .publish(Message { topic, seq, body })
                .await;
        }
        tokio::join!(sockets.finish(GUARD), take_all(&mut reading, 100));
        assert!(reading.next().await.is_err(), "closed");
    });
}
