//! Runs jobs together in one runtime until each has ended, and prints how.
//!
//! In: jobs that were checked. Out: synced folders, lines, an exit code. Invariant: a
//! job in trouble does not stop the others, and the worst one gives the exit code.
//! Deliberately absent: what syncing means. CRASH: what each adapter says.

use super::args::Args;
use super::config::JobConfig;
use super::exit::{Exit, Failure, worst};
use super::look::Look;
use super::open::{Opened, Wanted, named, open};
use super::pair::Pair;
use super::print::BrokenOff;
use super::progress::Bars;
use super::voice::Voice;
use super::{ending, print, server, signals};
use crate::adapters::clock::SystemClock;
use crate::daemon::{self, Mode, Ports, RunError};
use crate::ports::{Clock, History};
use tracing::Instrument;

/// Opens all jobs, then runs them side by side.
///
/// # Errors
/// A mistake in one of the places; nothing was started.
pub(super) async fn run_all(args: &Args, jobs: Vec<Wanted>) -> Result<Exit, Failure> {
    let alone = jobs.len() == 1;
    let mut exits = Vec::new();
    let mut opened = Vec::new();
    let mut checked = Vec::new();
    for job in jobs {
        match server::check_new(&job).await {
            Ok(()) => checked.push(job),
            Err(failure) => exits.push(not_opened(args, &job.pair, &job.config, failure, alone)?),
        }
    }
    for job in checked {
        let (pair, config) = (job.pair.clone(), job.config.clone());
        match begin(args, job) {
            Ok(job) => opened.push(job),
            Err(failure) => exits.push(not_opened(args, &pair, &config, failure, alone)?),
        }
    }
    let bars = Bars::new(args);
    let runs = opened.into_iter().map(|job| {
        let bars = &bars;
        async move {
            let look = match job {
                Begun::Run(opened) => return run_one(args, *opened, bars, alone).await,
                Begun::Look(look) => look,
            };
            let label = look.label().to_owned();
            look.show(args, alone).await.unwrap_or_else(|failure| {
                let failure = if alone { failure } else { failure.of(&label) };
                print::failure(&failure);
                failure.exit
            })
        }
    });
    exits.extend(futures::future::join_all(runs).await);
    Ok(worst(exits))
}

/// Tells why a job could not be opened; the others go on.
///
/// # Errors
/// A mistake: nothing is started, and nothing was made for another job.
fn not_opened(
    args: &Args,
    pair: &Pair,
    config: &JobConfig,
    failure: Failure,
    alone: bool,
) -> Result<Exit, Failure> {
    let exit = failure.exit;
    let failure = match &config.place {
        Some(_) if exit == Exit::Usage => failure.written_at(config.place.as_deref()),
        _ if alone => failure,
        _ => failure.of(&pair.label),
    };
    if exit == Exit::Usage {
        return Err(failure);
    }
    print::failure(&failure);
    print::broken_off(args, pair, alone, &BrokenOff::default());
    Ok(exit)
}

/// A job that was opened.
enum Begun {
    Run(Box<Opened>),
    Look(Box<Look>),
}

fn begin(args: &Args, job: Wanted) -> Result<Begun, Failure> {
    Ok(if args.run.dry_run {
        Begun::Look(Box::new(Look::open(job)?))
    } else {
        Begun::Run(Box::new(open(job)?))
    })
}

async fn run_one(args: &Args, opened: Opened, bars: &Bars, alone: bool) -> Exit {
    let began = SystemClock.now();
    let pair = opened.wanted.pair.clone();
    let voice = Voice::new(args, &pair, bars.add(), !args.run.once);
    let ran = with_ports(args, &opened, &voice, alone).await;
    voice.bar.finish();
    let seq = opened.journal.head();
    let closed = opened.journal.close().map_err(RunError::Append);
    let ran = ran.and_then(|exit| closed.map(|()| exit).map_err(Failure::from));
    ran.unwrap_or_else(|failure| {
        ending::gave_up(&pair, &failure);
        let exit = failure.exit;
        print::failure(&if alone {
            failure
        } else {
            failure.of(&pair.label)
        });
        let elapsed = SystemClock.now().0.saturating_sub(began.0);
        let broken_off = BrokenOff {
            tally: voice.tally(),
            seq,
            elapsed_ms: elapsed.unsigned_abs(),
        };
        if exit != Exit::Usage {
            print::broken_off(args, &pair, alone, &broken_off);
        }
        exit
    })
}

async fn with_ports(
    args: &Args,
    opened: &Opened,
    voice: &Voice<'_>,
    alone: bool,
) -> Result<Exit, Failure> {
    let clock = SystemClock;
    let began = clock.now();
    let is_once = args.run.once;
    let ports = Ports {
        local: &opened.local,
        remote: opened.remote.as_ref(),
        store: &opened.journal,
        clock: &clock,
        observer: voice,
    };
    let pair = &opened.wanted.pair;
    let job = opened.job();
    let (orders, was_stopped) = signals::orders().map_err(|error| {
        Failure::new(
            Exit::Internal,
            format!("signals cannot be awaited: {error}"),
        )
    })?;
    let mode = if is_once {
        Mode::Once
    } else {
        Mode::Continuous
    };
    let report = daemon::run(ports, &job, mode, orders)
        .instrument(tracing::error_span!("job", job = pair.job))
        .await
        .map_err(|error| named(error, pair))?;
    voice.bar.finish();
    ending::reported(pair, &report);
    let elapsed = clock.now().0.saturating_sub(began.0);
    let exit = match Exit::of(&report.standing) {
        // Whoever was stopped on the way has not seen everything.
        Exit::InSync | Exit::ConflictsWait if was_stopped.get() => {
            ending::failed(pair, Exit::ItemsFailed, STOPPED);
            Exit::Stopped
        }
        exit => exit,
    };
    print::report(args, pair, alone, &report, exit, elapsed.unsigned_abs());
    Ok(if is_once { exit } else { Exit::InSync })
}

const STOPPED: &str = "it was stopped before all was done and looked at";
