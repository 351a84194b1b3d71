//! The daemon: all jobs, the two sockets, signals.
//!
//! In: jobs that were checked. Out: synced folders, a stream, answers, an exit code.
//! Invariants: mistakes in places and busy ports are told before anything is started;
//! where the sockets are is written down before the service manager hears that we are
//! ready, and signals are heeded before that. Deliberately absent: what jobs, messages and
//! commands mean (`daemon`). CRASH: a `ports.json` that speaks of a process that is gone.

mod host;
mod note;

use super::args::Args;
use super::exit::{Exit, Failure};
use super::logs::Switch;
use super::open::Wanted;
use super::values::Port;
use super::{pair, print, run, server, signals};
use crate::adapters::clock::SystemClock;
use crate::adapters::store::job_directory;
use crate::adapters::zmtp::{self, BindError, Options, Sockets};
use crate::daemon::commands::{Desk, Program};
use crate::daemon::stream::Stream;
use crate::daemon::supervisor::{Signal, Supervisor};
use futures::future::{Either, join, select};
use futures::stream::LocalBoxStream;
use host::Hall;
use note::Note;
use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;
use std::pin::pin;
use std::time::Duration;

/// Runs jobs until told to stop.
///
/// # Errors
/// Nothing was started.
pub(super) fn serve(args: &Args, logs: &Switch, jobs: Vec<Wanted>) -> Result<Exit, Failure> {
    for job in &jobs {
        let directory = job_directory(&job.pair.state_dir, &job.pair.job);
        if !directory.exists() {
            let new = pair::check_new(&job.pair, true);
            new.map_err(|failure| failure.written_at(job.config.place.as_deref()))?;
            // A server that is away is waited for; a wrong name is told.
            let asked = run::runtime()?.block_on(server::check_new(job));
            asked.or_else(|failure| match failure.exit {
                Exit::Usage => Err(failure),
                _ => Ok(()),
            })?;
        }
    }
    let state_dir = pair::state_dir(args.common.state_dir.as_deref())?;
    pair::make_state_dir(&state_dir)?;
    let runtime = run::runtime()?;
    std::thread::scope(|scope| {
        let hall = Hall::new(scope, args, jobs);
        runtime.block_on(async {
            let sockets = open(args)?;
            // Before the note, by which others find whom to signal.
            let signals = signals::signals().map_err(|error| {
                let message = format!("signals cannot be awaited: {error}");
                Failure::new(Exit::Internal, message)
            })?;
            let note = match &sockets {
                Some(sockets) => note(args, &state_dir, sockets.port)?,
                None => None,
            };
            let exit = all(args, logs, &hall, sockets, signals).await;
            drop(note);
            Ok(exit)
        })
    })
}

/// Writes down where the sockets are. The note of a daemon that has the state folder
/// already stays.
fn note(args: &Args, state_dir: &Path, port: u16) -> Result<Option<Note>, Failure> {
    match Note::write(state_dir, address(args), port)? {
        Ok(note) => Ok(Some(note)),
        Err(other) => {
            let text = format!(
                "the state folder `{}` has a daemon already, {other}: `pydio-sync status` and the \
                 like ask that one",
                state_dir.display()
            );
            print::warning(args, &text);
            Ok(None)
        }
    }
}

async fn all(
    args: &Args,
    logs: &Switch,
    hall: &Hall<'_, '_>,
    sockets: Option<Sockets>,
    signals: LocalBoxStream<'static, Signal>,
) -> Exit {
    let clock = SystemClock;
    let supervisor = Supervisor::new(hall, &clock, hall.specs());
    tell_manager(&[sd_notify::NotifyState::Ready]);
    let exit = match sockets {
        None => supervisor.run(signals).await,
        Some(mut sockets) => {
            let ourselves = Ourselves { logs };
            let exit = {
                let mut stream =
                    Stream::new(&sockets.publisher, &supervisor, args.run.legacy_channels);
                let desk = Desk::new(&supervisor, &ourselves);
                let talk = pin!(join(stream.run(), desk.serve(&mut sockets.commands)));
                let work = pin!(supervisor.run(signals));
                match select(work, talk).await {
                    Either::Left((exit, _)) => exit,
                    // The sockets are gone, which is no reason to stop syncing.
                    Either::Right((_, work)) => work.await,
                }
            };
            sockets.finish(LAST_WORDS).await;
            exit
        }
    };
    tell_manager(&[sd_notify::NotifyState::Stopping]);
    exit.map_or(Exit::InSync, Exit::of_code)
}

/// Opens the sockets that the flags ask for.
fn open(args: &Args) -> Result<Option<Sockets>, Failure> {
    let port = match args.run.zmq_port {
        Port::Off => return Ok(None),
        Port::Auto => zmtp::Port::Auto,
        Port::Number(port) => zmtp::Port::Fixed(port),
    };
    let address = address(args);
    if !address.is_loopback() {
        let text = format!(
            "`--zmq-address {address}`: other machines can listen and give commands; nothing is \
             encrypted and nobody is asked for a password"
        );
        print::warning(args, &text);
    }
    let options = Options {
        address,
        expose: args.run.zmq_address.is_some(),
        port,
        ..Options::default()
    };
    Sockets::bind(options).map(Some).map_err(|error| {
        let hint = match &error {
            BindError::Taken { .. } | BindError::NoPair(_) => {
                "choose another port with `-z PORT`, any free one with `-z auto`, or none with \
                 `-z 0`"
            }
            BindError::Exposed(_) | BindError::NoneFree | BindError::Io { .. } => {
                "check `--zmq-address`, or use no port with `-z 0`"
            }
        };
        Failure::usage(error.to_string(), hint)
    })
}

fn address(args: &Args) -> IpAddr {
    args.run
        .zmq_address
        .unwrap_or(IpAddr::V4(Ipv4Addr::LOCALHOST))
}

/// Without a service manager this does nothing.
fn tell_manager(states: &[sd_notify::NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        tracing::debug!(%error, "the service manager was not told");
    }
}

/// What commands can ask of the program.
struct Ourselves<'a> {
    logs: &'a Switch,
}

impl Program for Ourselves<'_> {
    fn version(&self) -> &str {
        env!("CARGO_PKG_VERSION")
    }

    fn pid(&self) -> u32 {
        std::process::id()
    }

    fn set_log_level(&self, level: &str) -> Result<(), String> {
        if self.logs.set(level) {
            Ok(())
        } else {
            Err(format!("the level cannot be changed to `{level}`"))
        }
    }
}

/// How long what was published may take to leave at the end.
const LAST_WORDS: Duration = Duration::from_secs(1);
