//! Peers of other makes: libzmq by pyzmq, and the crate `zeromq`.

use super::lab::{self, GUARD, Lab, message, run, until};
use pydio_sync::adapters::zmtp::{Options, Port, Request, Subscription};
use pydio_sync::ports::Publisher;
use std::io::{BufRead, BufReader, Write};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use tokio::sync::mpsc;
use zeromq::{DealerSocket, ReqSocket, RouterSocket, Socket, SocketRecv, SocketSend, SubSocket};

/// A running `peer.py`, ended when dropped.
struct Peer {
    child: Child,
    lines: mpsc::UnboundedReceiver<String>,
}

impl Peer {
    fn start(mode: &str, port: u16, args: &[&str]) -> Self {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let venv = Some(root.join("target/python/bin/python3")).filter(|path| path.exists());
        let chosen = std::env::var_os("PYDIO_SYNC_PYTHON").map(PathBuf::from);
        let python = chosen.or(venv).unwrap_or_else(|| "python3".into());
        let mut child = Command::new(&python)
            .arg(root.join("tests/it/zmtp/peer.py"))
            .arg(mode)
            .arg(port.to_string())
            .args(args)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| {
                panic!(
                    "{}: {error}; README.md says how to set it up",
                    python.display()
                )
            });
        let stdout = child.stdout.take().expect("piped");
        let (sender, lines) = mpsc::unbounded_channel();
        std::thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                // The test may have seen enough.
                let _enough = sender.send(line);
            }
        });
        Self { child, lines }
    }

    fn tell(&mut self, line: &str) {
        let stdin = self.child.stdin.as_mut().expect("piped");
        writeln!(stdin, "{line}").expect("it reads");
    }

    async fn line(&mut self) -> String {
        self.lines
            .recv()
            .await
            .expect("the peer's error is above; README.md says how to install pyzmq")
    }

    async fn port(&mut self) -> SocketAddr {
        let port = self.line().await.parse().expect("a port");
        (Ipv4Addr::LOCALHOST, port).into()
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ended = self.child.kill();
        let _reaped = self.child.wait();
    }
}

#[test]
fn libzmq_subscribes_by_prefix() {
    run(lab::options(), async |lab: &Lab| {
        let mut peer = Peer::start("subscribe", lab.port, &["4", "status.", "sync"]);
        until(|| lab.publisher.is_wanted("status.1") && lab.publisher.is_wanted("sync x")).await;
        lab.publisher.publish(message("task.1", 1, 10)).await;
        lab.publisher.publish(message("status.1", 2, 300)).await;
        lab.publisher.publish_text("status START");
        lab.publisher.publish_text("sync of everything");
        lab.publisher
            .publish(message("status.1", 1 << 40, 100_000))
            .await;
        lab.publisher.publish(message("status.1", 0, 0)).await;
        assert_eq!(peer.line().await, "status.1 2 300");
        assert_eq!(peer.line().await, "sync of everything");
        assert_eq!(
            peer.line().await,
            format!("status.1 {} 100000", 1_u64 << 40)
        );
        assert_eq!(peer.line().await, "status.1 0 0");
    });
}

#[test]
fn libzmq_changes_its_subscriptions() {
    run(lab::options(), async |lab: &Lab| {
        let mut peer = Peer::start("change", lab.port, &[]);
        for line in ["add a", "add ab", "remove a"] {
            peer.tell(line);
        }
        until(|| lab.publisher.is_wanted("ab") && !lab.publisher.is_wanted("a")).await;
        peer.tell("add end");
        until(|| lab.publisher.is_wanted("end")).await;
        for (seq, topic) in [(1, "a"), (2, "ab"), (3, "ac"), (4, "abc"), (5, "end")] {
            lab.publisher.publish(message(topic, seq, 1)).await;
        }
        assert_eq!(peer.line().await, "ab 2 1");
        assert_eq!(peer.line().await, "abc 4 1");
        until(|| !lab.publisher.has_subscribers()).await;
    });
}

#[test]
fn libzmq_gets_every_message_of_a_burst() {
    run(lab::options(), async |lab: &Lab| {
        const LAST: u64 = 50_000;
        let mut peer = Peer::start("subscribe", lab.port, &[&LAST.to_string(), "a"]);
        until(|| lab.publisher.is_wanted("a")).await;
        let publishing = async {
            for seq in 1..=LAST {
                lab.publisher.publish(message("a", seq, 300)).await;
            }
        };
        let hearing = async {
            for seq in 1..=LAST {
                assert_eq!(peer.line().await, format!("a {seq} 300"));
            }
        };
        tokio::join!(publishing, hearing);
        assert_eq!(lab.publisher.standing().evicted, 0);
    });
}

#[test]
fn libzmq_asks_as_req_and_as_dealer() {
    run(lab::options(), async |lab: &Lab| {
        let bodies = ["STATUS", "", "{\"method\":\"ä\"}", "PAUSE 1"];
        let mut asking = Peer::start("request", lab.port + 1, &bodies);
        for body in bodies {
            assert_eq!(asking.line().await, body);
        }
        for delimiter in ["with", "without"] {
            // More than may be in flight for one peer.
            let mut bodies: Vec<String> = (10..40).map(|number| number.to_string()).collect();
            let mut args = vec![delimiter];
            args.extend(bodies.iter().map(String::as_str));
            let mut dealing = Peer::start("deal", lab.port + 1, &args);
            let mut replies = Vec::new();
            for _ in 10..40 {
                replies.push(dealing.line().await);
            }
            replies.sort();
            bodies.sort();
            assert_eq!(replies, bodies);
        }
    });
}

#[test]
fn libzmq_is_told_what_is_beyond_the_bounds_and_asks_on() {
    let mut options = lab::options();
    // However busy the machine, 100 MiB come in time.
    options.commands.message = GUARD;
    run(options, async |lab: &Lab| {
        let mut peer = Peer::start("exceed", lab.port + 1, &[]);
        let body = |code, message| {
            let error = format!(r#"{{"code":{code},"message":"{message}"}}"#);
            format!(r#"{{"jsonrpc":"2.0","id":null,"error":{error}}}"#)
        };
        let large = &body(-32700, "a command has at most 1 MiB");
        let many = &body(-32600, "a command is one part");
        for refusal in [large, large, large, many, many] {
            assert_eq!(peer.line().await, *refusal);
            assert_eq!(peer.line().await, "next");
        }
        let named_large = &format!("id  {large}");
        let named_many = &format!("id  {many}");
        for refusal in [large, named_large, named_many, many] {
            assert_eq!(peer.line().await, *refusal);
            assert_eq!(peer.line().await, " next");
        }
    });
}

#[test]
fn libzmq_stays_connected_when_it_sends_heartbeats() {
    run(Options::default(), async |lab: &Lab| {
        let mut subscriber = Peer::start("heartbeat", lab.port, &["sub"]);
        let mut asking = Peer::start("heartbeat", lab.port + 1, &["req"]);
        for peer in [&mut subscriber, &mut asking] {
            assert_eq!(peer.line().await, "connected");
            assert_eq!(peer.line().await, "lost 0");
        }
    });
}

#[test]
fn libzmq_comes_back_after_a_restart() {
    let (port, mut peer) = run(lab::options(), async |lab: &Lab| {
        let mut peer = Peer::start("subscribe", lab.port, &["2", "a"]);
        until(|| lab.publisher.is_wanted("a")).await;
        lab.publisher.publish(message("a", 1, 1)).await;
        assert_eq!(peer.line().await, "a 1 1");
        (lab.port, peer)
    });
    let again = Options {
        port: Port::Fixed(port),
        ..lab::options()
    };
    run(again, async |lab: &Lab| {
        until(|| lab.publisher.is_wanted("a")).await;
        lab.publisher.publish(message("a", 2, 1)).await;
        assert_eq!(peer.line().await, "a 2 1");
    });
}

#[test]
fn our_client_talks_to_libzmq() {
    run(lab::options(), async |_: &Lab| {
        let mut publisher = Peer::start("publish", 0, &["1000"]);
        let address = publisher.port().await;
        let connecting = Subscription::connect(address, &["a"], GUARD);
        let mut subscription = connecting.await.expect("it listens");
        for seq in 1..=1000 {
            let received = subscription.next().await.expect("kept");
            assert_eq!((received.seq, received.body.len() as u64), (seq, seq));
        }
        let mut replier = Peer::start("reply", 0, &[]);
        let address = replier.port().await;
        let mut asking = Request::connect(address, GUARD).await.expect("it listens");
        for body in ["a", "", "bc"] {
            let reply = asking.ask(body.as_bytes(), GUARD).await.expect("an answer");
            assert_eq!(reply, body.repeat(2).as_bytes());
        }
    });
}

#[test]
fn the_zeromq_crate_subscribes_and_asks() {
    run(lab::options(), async |lab: &Lab| {
        let mut subscriber = SubSocket::new();
        let at = |offset| format!("tcp://{}", lab.address(offset));
        subscriber.connect(&at(0)).await.expect("it listens");
        subscriber.subscribe("a").await.expect("kept");
        until(|| lab.publisher.is_wanted("a")).await;
        for seq in 1..=1000 {
            lab.publisher.publish(message("a", seq, 300)).await;
            let received = subscriber.recv().await.expect("kept").into_vec();
            assert_eq!(received[0].as_ref(), b"a");
            assert_eq!(received[1].as_ref(), seq.to_be_bytes());
            assert_eq!(received[2].len(), 300);
        }
        let mut asking = ReqSocket::new();
        asking.connect(&at(1)).await.expect("it listens");
        asking.send("me?".into()).await.expect("kept");
        let reply = asking.recv().await.expect("an answer").into_vec();
        assert_eq!(reply[0].as_ref(), b"me?");
        let mut dealing = DealerSocket::new();
        dealing.connect(&at(1)).await.expect("it listens");
        dealing.send("me?".into()).await.expect("kept");
        let reply = dealing.recv().await.expect("an answer").into_vec();
        assert_eq!(reply[0].as_ref(), b"me?");
    });
}

#[test]
fn our_client_asks_a_router_of_the_zeromq_crate() {
    run(lab::options(), async |_: &Lab| {
        let mut router = RouterSocket::new();
        let endpoint = router.bind("tcp://127.0.0.1:0").await.expect("a free port");
        let address = endpoint.to_string();
        let address = address
            .trim_start_matches("tcp://")
            .parse()
            .expect("an address");
        let mut asking = Request::connect(address, GUARD).await.expect("it listens");
        let (reply, ()) = tokio::join!(asking.ask(b"me?", GUARD), async {
            let request = router.recv().await.expect("a request");
            router.send(request).await.expect("kept");
        });
        assert_eq!(reply.expect("an answer"), b"me?");
    });
}
