//! Measures the publishing socket: messages a second, and memory with stopped readers.
//!
//! In: how many subscribers of which kind. Out: a line of figures. A `--python` peer is
//! timed by itself, from its first message to its last. Invariant: every reading
//! subscriber gets every message, or the run fails.

use crate::memory::Process;
use pydio_sync::adapters::zmtp::{Options, Sockets, Subscription};
use pydio_sync::ports::{Message, Publisher};
use std::fmt::Write as _;
use std::io::Read as _;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::process::{Child, Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

/// What to measure.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Messages to publish.
    #[arg(long, default_value_t = 1_000_000)]
    messages: u64,
    /// Bytes of a body.
    #[arg(long, default_value_t = 300)]
    bytes: usize,
    /// Subscribers that read, in a process of their own.
    #[arg(long, default_value_t = 1)]
    readers: usize,
    /// Subscribers that never read.
    #[arg(long, default_value_t = 0)]
    stopped: usize,
    /// One more subscriber: this Python, with pyzmq.
    #[arg(long)]
    python: Option<PathBuf>,
    /// Plays the subscribers of another run: their port.
    #[arg(long, hide = true)]
    serve: Option<u16>,
}

const TOPIC: &str = "journal.1";
const PATIENCE: Duration = Duration::from_secs(30);

const READER: &str = "
import sys, time, zmq
port, count = int(sys.argv[1]), int(sys.argv[2])
socket = zmq.Context().socket(zmq.SUB)
socket.setsockopt(zmq.RCVHWM, 0)
socket.connect(f'tcp://127.0.0.1:{port}')
socket.subscribe(b'')
socket.recv_multipart()
began = time.monotonic()
for seq in range(2, count + 1):
    topic, number, body = socket.recv_multipart()
    assert int.from_bytes(number, 'big') == seq
print(f'pyzmq: {(count - 1) / (time.monotonic() - began):.0f} messages/s, no gap')
";

/// Publishes and prints.
#[expect(clippy::print_stdout, reason = "a command")]
pub(crate) fn run(args: &Args) -> ExitCode {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    let told = match args.serve {
        Some(port) => runtime.block_on(subscribe(args, port)),
        None => runtime.block_on(publish(args)),
    };
    match told {
        Ok(words) => {
            println!("{words}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            println!("failed: {error}");
            ExitCode::FAILURE
        }
    }
}

type Told = Result<String, Box<dyn std::error::Error>>;

/// The daemon's part.
#[expect(clippy::disallowed_methods, reason = "tools measure")]
async fn publish(args: &Args) -> Told {
    let sockets = Sockets::bind(Options::default())?;
    let publisher = &sockets.publisher;
    let mut peers = vec![peers(args, sockets.port)?];
    peers.extend(
        args.python
            .as_ref()
            .map(|python| reader(args, python, sockets.port))
            .transpose()?,
    );
    let all = args.readers + args.stopped + usize::from(args.python.is_some());
    while publisher.standing().subscribers < all {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let before = Process::Own.resident_kib().unwrap_or_default();
    let body = vec![b'x'; args.bytes];
    let (began, mut waiting_bytes_max) = (Instant::now(), 0);
    for seq in 1..=args.messages {
        let (topic, body) = (TOPIC.to_owned(), body.clone());
        publisher.publish(Message { topic, seq, body }).await;
        if seq % 1024 == 0 {
            waiting_bytes_max = waiting_bytes_max.max(publisher.standing().waiting_bytes);
        }
    }
    let handed = began.elapsed();
    let standing = publisher.standing();
    let peak = Process::Own.peak_kib().unwrap_or_default();
    sockets.finish(PATIENCE).await;
    let mut words = format!(
        "{} messages of {} bytes to {} readers and {} stopped: {:.0}/s, evicted {}, \
         waiting at most {} KiB, memory {before} KiB before, {peak} KiB at most",
        args.messages,
        args.bytes,
        all - args.stopped,
        args.stopped,
        args.messages as f64 / handed.as_secs_f64(),
        standing.evicted,
        waiting_bytes_max >> 10,
    );
    for mut peer in peers {
        let mut told = String::new();
        peer.stdout
            .take()
            .ok_or("piped")?
            .read_to_string(&mut told)?;
        write!(words, "\n{}", told.trim())?;
        if !peer.wait()?.success() {
            return Err(words.into());
        }
    }
    Ok(words)
}

fn peers(args: &Args, port: u16) -> std::io::Result<Child> {
    let mut command = Command::new(std::env::current_exe()?);
    command.arg("stream").stdout(Stdio::piped());
    for (flag, value) in [
        ("--serve", u64::from(port)),
        ("--readers", args.readers as u64),
        ("--stopped", args.stopped as u64),
        ("--messages", args.messages),
    ] {
        command.args([flag, &value.to_string()]);
    }
    command.spawn()
}

fn reader(args: &Args, python: &PathBuf, port: u16) -> std::io::Result<Child> {
    Command::new(python)
        .args(["-c", READER, &port.to_string(), &args.messages.to_string()])
        .stdout(Stdio::piped())
        .spawn()
}

/// The subscribers' part.
async fn subscribe(args: &Args, port: u16) -> Told {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let mut stopped = Vec::new();
    for _ in 0..args.stopped {
        stopped.push(Subscription::connect(address, &[""], PATIENCE).await?);
    }
    let mut readers = Vec::new();
    for _ in 0..args.readers {
        readers.push(Subscription::connect(address, &[""], PATIENCE).await?);
    }
    let last = args.messages;
    let reading = readers.into_iter().map(|mut reader| async move {
        for seq in 1..=last {
            let received = reader.next().await.map_err(|error| error.to_string())?;
            if received.seq != seq {
                return Err(format!("{} instead of {seq}", received.seq));
            }
        }
        Ok(())
    });
    let mut tasks = tokio::task::JoinSet::new();
    for one in reading {
        tasks.spawn(one);
    }
    while let Some(ended) = tasks.join_next().await {
        ended??;
    }
    Ok(format!("{} readers: no gap", args.readers))
}
