//! A daemon under fire: strangers talk nonsense to both of its ports while it syncs.
//!
//! In: a seed, how long, the program. Out: what was sent and how the daemon did; exit
//! code 1 if it stopped syncing or answering, grew beyond its bound, or if nonsense
//! became an event. Invariant: one seed sends the same bytes, though not at the same
//! moments. Deliberately absent: anything of the program's own code but its binary. A
//! crash leaves a temporary folder and at most a daemon in it.

mod attack;
mod peer;

use crate::memory::Process;
use attack::{Attack, Chance};
use clap::Args as Group;
use peer::Asker;
use std::error::Error;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Child, Command, ExitCode, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// What to do.
#[derive(Debug, Group)]
pub(crate) struct Args {
    /// What is sent follows from it.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// How long to go on.
    #[arg(long, default_value_t = 60)]
    seconds: u64,
    /// How many strangers talk at once.
    #[arg(long, default_value_t = 8)]
    strangers: u64,
    /// The program.
    #[arg(long, default_value = "target/release/pydio-sync")]
    program: PathBuf,
}

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// Runs the daemon under fire.
#[expect(clippy::print_stdout, clippy::print_stderr, reason = "a command")]
pub(crate) fn run(args: &Args) -> ExitCode {
    match fire(args) {
        Ok(report) => {
            println!("{report}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("seed {}: {error}", args.seed);
            ExitCode::FAILURE
        }
    }
}

/// A daemon on folders of its own; killed when dropped.
struct Daemon {
    child: Child,
    place: PathBuf,
    publish: SocketAddr,
    commands: SocketAddr,
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // It may have ended by itself, and a folder that stays harms nobody.
        self.child.kill().ok();
        self.child.wait().ok();
        std::fs::remove_dir_all(&self.place).ok();
    }
}

impl Daemon {
    fn start(args: &Args) -> Result<Self> {
        let place = std::env::temp_dir().join(format!("pydio-sync-fuzz-{}", std::process::id()));
        for side in ["local", "remote", "state"] {
            std::fs::create_dir_all(place.join(side))?;
        }
        let mut command = Command::new(&args.program);
        command.arg("-s").arg(place.join("remote"));
        command.arg("-d").arg(place.join("local"));
        command.arg("--state-dir").arg(place.join("state"));
        command.args(["--zmq-port", "auto", "-q"]);
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).spawn()?;
        let nowhere = SocketAddr::from(([127, 0, 0, 1], 0));
        let mut daemon = Self {
            child,
            place,
            publish: nowhere,
            commands: nowhere,
        };
        let note = daemon.place.join("state/ports.json");
        wait("the daemon writes where it listens", || {
            let text = std::fs::read_to_string(&note).ok()?;
            serde_json::from_str::<serde_json::Value>(&text).ok()
        })
        .and_then(|note| {
            let address = |key: &str| -> Result<SocketAddr> {
                let text = note[key].as_str().unwrap_or_default();
                Ok(text.trim_start_matches("tcp://").parse()?)
            };
            daemon.publish = address("publish")?;
            daemon.commands = address("commands")?;
            Ok(daemon)
        })
    }

    /// Resident memory in KiB.
    fn memory(&self) -> Result<u64> {
        let resident = Process::Child(self.child.id()).resident_kib();
        Ok(resident.ok_or("the daemon has ended")?)
    }

    /// Makes a file on one side and waits for it on the other one.
    fn sync(&self, number: u64) -> Result<Duration> {
        let sides = ["local", "remote"];
        let from = sides[usize::from(number % 2 == 1)];
        let to = sides[usize::from(number.is_multiple_of(2))];
        let name = format!("file{number}");
        std::fs::write(self.place.join(from).join(&name), &name)?;
        let began = now();
        let arrived = self.place.join(to).join(&name);
        wait("a file crosses", || arrived.exists().then_some(()))?;
        Ok(began.elapsed())
    }
}

/// What strangers did so far.
#[derive(Default)]
struct Sent {
    connections: AtomicU64,
    bytes: AtomicU64,
}

fn fire(args: &Args) -> Result<String> {
    let daemon = Daemon::start(args)?;
    let job = only_job(daemon.commands)?;
    let sent = Arc::new(Sent::default());
    let is_over = Arc::new(AtomicBool::new(false));
    let strangers: Vec<_> = (0..args.strangers)
        .map(|number| {
            let attack = Attack {
                publish: daemon.publish,
                commands: daemon.commands,
                job: job.clone(),
                chance: Chance::new(args.seed.wrapping_mul(1000).wrapping_add(number)),
            };
            let (sent, is_over) = (Arc::clone(&sent), Arc::clone(&is_over));
            std::thread::spawn(move || talk(attack, &sent, &is_over))
        })
        .collect();
    let watched = watch(args, &daemon);
    is_over.store(true, Ordering::Release);
    for stranger in strangers {
        stranger.join().map_err(|_| "a stranger panicked")?;
    }
    let watched = watched?;
    check_journal(args, &daemon, &job)?;
    Ok(format!(
        "seed {}, {} s: {} connections, {} KiB of nonsense; {} files crossed, the slowest in {} \
         ms; {} commands answered, the slowest in {} ms; memory {} KiB at first, {} KiB at most",
        args.seed,
        args.seconds,
        sent.connections.load(Ordering::Relaxed),
        sent.bytes.load(Ordering::Relaxed) / 1024,
        watched.files,
        watched.slowest_file.as_millis(),
        watched.answers,
        watched.slowest_answer.as_millis(),
        watched.memory_before,
        watched.memory_most,
    ))
}

fn talk(mut attack: Attack, sent: &Sent, is_over: &AtomicBool) {
    while !is_over.load(Ordering::Acquire) {
        // A refused or closed connection is what a stranger has to expect.
        if let Ok(bytes) = attack.once() {
            sent.bytes.fetch_add(bytes, Ordering::Relaxed);
        }
        sent.connections.fetch_add(1, Ordering::Relaxed);
    }
}

#[derive(Default)]
struct Watched {
    files: u64,
    slowest_file: Duration,
    answers: u64,
    slowest_answer: Duration,
    memory_before: u64,
    memory_most: u64,
}

/// Uses the daemon as its user does, and looks at its memory.
fn watch(args: &Args, daemon: &Daemon) -> Result<Watched> {
    let memory_before = daemon.memory()?;
    let mut watched = Watched {
        memory_before,
        memory_most: memory_before,
        ..Watched::default()
    };
    let began = now();
    while began.elapsed() < Duration::from_secs(args.seconds) {
        let took = daemon.sync(watched.files)?;
        watched.files += 1;
        watched.slowest_file = watched.slowest_file.max(took);
        let asked = now();
        Asker::connect(daemon.commands)?.ask("version", "{}")?;
        watched.answers += 1;
        watched.slowest_answer = watched.slowest_answer.max(asked.elapsed());
        watched.memory_most = watched.memory_most.max(daemon.memory()?);
        if watched.memory_most > memory_before + MEMORY_MORE_KIB {
            return Err(format!(
                "memory grew from {memory_before} KiB to {} KiB",
                watched.memory_most
            )
            .into());
        }
    }
    Ok(watched)
}

fn only_job(commands: SocketAddr) -> Result<String> {
    let reply = Asker::connect(commands)?.ask("job.list", "{}")?;
    let job = reply["result"]["jobs"][0]["job"].as_str();
    Ok(job.ok_or("the daemon names no job")?.to_owned())
}

/// No event may come from a stranger: nothing in the corpus orders anything.
fn check_journal(args: &Args, daemon: &Daemon, job: &str) -> Result<()> {
    let mut command = Command::new(&args.program);
    command.args(["events", job, "--json", "--state-dir"]);
    let output = command.arg(daemon.place.join("state")).output()?;
    let text = String::from_utf8(output.stdout)?;
    if !output.status.success() || text.is_empty() {
        let why = String::from_utf8_lossy(&output.stderr).into_owned();
        return Err(format!("the journal is not told: {why}").into());
    }
    for line in text.lines() {
        let event: serde_json::Value = serde_json::from_str(line)?;
        let kind = event["type"].as_str().unwrap_or_default();
        if [
            "ordered",
            "halt_raised",
            "halt_approved",
            "conflict_resolved",
        ]
        .contains(&kind)
        {
            return Err(format!("nonsense became an event: {line}").into());
        }
    }
    Ok(())
}

/// Looks again and again, for a minute.
fn wait<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> Result<T> {
    let began = now();
    while began.elapsed() < PATIENCE {
        if let Some(found) = look() {
            return Ok(found);
        }
        std::thread::park_timeout(Duration::from_millis(5));
    }
    Err(format!("waited a minute: {what}").into())
}

#[expect(clippy::disallowed_methods, reason = "a tool that measures")]
fn now() -> Instant {
    Instant::now()
}

const PATIENCE: Duration = Duration::from_secs(60);
/// What strangers may cost: the sockets' own bounds are below it.
const MEMORY_MORE_KIB: u64 = 128 << 10;
