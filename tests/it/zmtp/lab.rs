//! A daemon's sockets in one thread, with an echo behind the commands, and raw peers.

use pydio_sync::adapters::zmtp::{
    Limits, Options, PubSocket, Received, Request, Sockets, Subscription,
};
use pydio_sync::ports::{CommandSource, Message, Publisher};
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// No test passes by waiting this long; it ends those that hang.
pub(super) const GUARD: Duration = Duration::from_secs(30);

/// The sockets under test.
pub(super) struct Lab {
    pub(super) port: u16,
    pub(super) publisher: PubSocket,
}

/// Small limits, so that a test reaches them soon; the times are long enough for a
/// busy machine.
pub(super) fn options() -> Options {
    let publishing = Limits {
        connections_max: 16,
        handshake: Duration::from_secs(2),
        message: Duration::from_secs(2),
        stall: Duration::from_secs(2),
        queue_bytes_max: 256 << 10,
        ..Limits::publishing()
    };
    let commands = Limits {
        caps: Limits::commands().caps,
        ..publishing.clone()
    };
    Options {
        publishing,
        commands,
        ..Options::default()
    }
}

/// Runs a test against sockets whose commands are answered with themselves; `drop` and
/// `hold` are not answered, the one dropped, the other kept.
pub(super) fn run<T>(options: Options, test: impl AsyncFnOnce(&Lab) -> T) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    runtime.block_on(async {
        let Sockets {
            port,
            publisher,
            mut commands,
        } = Sockets::bind(options).expect("two free ports");
        let lab = Lab { port, publisher };
        let echo = async {
            let mut held = Vec::new();
            while let Some(command) = commands.next().await {
                match command.body.as_slice() {
                    b"drop" => drop(command),
                    b"hold" => held.push(command),
                    _ => command.reply.send(command.body),
                }
            }
        };
        tokio::select! {
            () = echo => panic!("the command socket ended"),
            result = tokio::time::timeout(GUARD, test(&lab)) => result.expect("the test ends in time"),
        }
    })
}

pub(super) fn message(topic: &str, seq: u64, bytes: usize) -> Message {
    Message {
        topic: topic.into(),
        seq,
        body: vec![b'x'; bytes],
    }
}

/// Yields until something holds; the guard of [`run`] ends it otherwise.
pub(super) async fn until(mut holds: impl FnMut() -> bool) {
    while !holds() {
        tokio::task::yield_now().await;
    }
}

impl Lab {
    pub(super) fn address(&self, offset: u16) -> SocketAddr {
        SocketAddr::from((Ipv4Addr::LOCALHOST, self.port + offset))
    }

    pub(super) async fn request(&self) -> Request {
        Request::connect(self.address(1), GUARD)
            .await
            .expect("a daemon")
    }

    /// Subscribes and waits until the daemon knows.
    pub(super) async fn subscription(&self, topic: &str) -> Subscription {
        let subscription = Subscription::connect(self.address(0), &[topic], GUARD)
            .await
            .expect("a daemon");
        until(|| self.publisher.is_wanted(topic)).await;
        subscription
    }

    /// A raw connection: port 0 publishes, port 1 takes commands.
    pub(super) async fn raw(&self, offset: u16) -> TcpStream {
        TcpStream::connect(self.address(offset))
            .await
            .expect("it listens")
    }

    /// A raw connection after its handshake as this kind of socket.
    pub(super) async fn raw_open(&self, offset: u16, socket: &str) -> TcpStream {
        self.raw_after(offset, &hello(socket)).await
    }

    /// A raw connection after a handshake of these bytes.
    pub(super) async fn raw_after(&self, offset: u16, hello: &[u8]) -> TcpStream {
        let mut stream = self.raw(offset).await;
        stream.write_all(hello).await.expect("it reads");
        // Their greeting, and a READY of PUB or ROUTER.
        let mut reply = vec![0; if offset == 0 { 64 + 27 } else { 64 + 30 }];
        stream.read_exact(&mut reply).await.expect("a greeting");
        stream
    }

    /// Shows that newcomers to both sockets are served.
    pub(super) async fn serves_newcomers(&self) {
        let reply = self.request().await.ask(b"still there?", GUARD).await;
        assert_eq!(reply.expect("an answer"), b"still there?");
        let mut newcomer = self.subscription("newcomer").await;
        self.publisher.publish(message("newcomer", 7, 5)).await;
        let expected = Received {
            topic: "newcomer".into(),
            seq: 7,
            body: b"xxxxx".to_vec(),
        };
        assert_eq!(newcomer.next().await.expect("a message"), expected);
    }
}

/// Greeting and `READY`, spelled out.
pub(super) fn hello(socket: &str) -> Vec<u8> {
    let mut bytes = greeting("NULL");
    let property = u8::try_from(socket.len()).expect("short");
    bytes.extend_from_slice(&[4, 22 + property]);
    bytes.extend_from_slice(b"\x05READY\x0bSocket-Type\0\0\0");
    bytes.push(property);
    bytes.extend_from_slice(socket.as_bytes());
    bytes
}

/// A greeting of ZMTP 3.0.
pub(super) fn greeting(mechanism: &str) -> Vec<u8> {
    let mut bytes = vec![0; 64];
    bytes[0] = 0xFF;
    bytes[9] = 0x7F;
    bytes[10] = 3;
    bytes[12..12 + mechanism.len()].copy_from_slice(mechanism.as_bytes());
    bytes
}

/// Reads until the other side closes; gives what came.
pub(super) async fn rest_of(stream: &mut TcpStream) -> Vec<u8> {
    let mut bytes = Vec::new();
    // A reset closes as well as an end does.
    let _reset = stream.read_to_end(&mut bytes).await;
    bytes
}
