//! Runs jobs together in one runtime until each has ended, and prints how.
//!
//! In: jobs that were checked. Out: synced folders, lines, an exit code. Invariant: a
//! job in trouble does not stop the others, and the worst one gives the exit code.
//! Deliberately absent: what syncing means. CRASH: what each adapter says.

use super::args::Args;
use super::exit::{Exit, Failure, worst};
use super::open::{Opened, Wanted, named, open};
use super::progress::Bars;
use super::voice::Voice;
use super::{print, server, signals};
use crate::adapters::clock::SystemClock;
use crate::daemon::{self, Mode, Ports, RunError};
use crate::ports::Clock;
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
            Err(failure) if alone => return Err(failure),
            // A mistake: nothing is started, and nothing was made for another job.
            Err(failure) if failure.exit == Exit::Usage => {
                return Err(failure.of(&job.pair.label));
            }
            Err(failure) => {
                exits.push(failure.exit);
                print::failure(&failure.of(&job.pair.label));
            }
        }
    }
    for job in checked {
        let label = job.pair.label.clone();
        match open(job, !args.run.dry_run) {
            Ok(job) => opened.push(job),
            // A mistake: nothing is started.
            Err(failure) if alone => return Err(failure),
            Err(failure) if failure.exit == Exit::Usage => return Err(failure.of(&label)),
            Err(failure) => {
                exits.push(failure.exit);
                print::failure(&failure.of(&label));
            }
        }
    }
    let bars = Bars::new(args);
    let runs = opened.into_iter().map(|job| {
        let bars = &bars;
        async move {
            let label = job.wanted.pair.label.clone();
            run_one(args, job, bars, alone)
                .await
                .unwrap_or_else(|failure| {
                    let failure = if alone { failure } else { failure.of(&label) };
                    print::failure(&failure);
                    failure.exit
                })
        }
    });
    exits.extend(futures::future::join_all(runs).await);
    Ok(worst(exits))
}

async fn run_one(args: &Args, opened: Opened, bars: &Bars, alone: bool) -> Result<Exit, Failure> {
    let exit = with_ports(args, &opened, bars, alone).await;
    opened.journal.close().map_err(RunError::Append)?;
    exit
}

async fn with_ports(
    args: &Args,
    opened: &Opened,
    bars: &Bars,
    alone: bool,
) -> Result<Exit, Failure> {
    let clock = SystemClock;
    let began = clock.now();
    let is_once = args.run.once;
    let voice = Voice {
        args,
        pair: &opened.wanted.pair,
        bar: bars.add(),
        is_continuous: !is_once && !args.run.dry_run,
    };
    let ports = Ports {
        local: &opened.local,
        remote: opened.remote.as_ref(),
        store: &opened.journal,
        clock: &clock,
        observer: &voice,
    };
    let pair = &opened.wanted.pair;
    let job = opened.job();
    if args.run.dry_run {
        let (operations, standing) = daemon::preview(ports, &job)
            .await
            .map_err(|error| named(error, pair))?;
        print::preview(args, pair, alone, &operations, &standing);
        return Ok(match standing.halt {
            Some(_) => Exit::Halted,
            None => Exit::InSync,
        });
    }
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
    let elapsed = clock.now().0.saturating_sub(began.0);
    let exit = match Exit::of(&report.standing) {
        // Whoever was stopped on the way has not seen everything.
        Exit::InSync | Exit::ConflictsWait if was_stopped.get() => Exit::Stopped,
        exit => exit,
    };
    print::report(args, pair, alone, &report, exit, elapsed.unsigned_abs());
    Ok(if is_once { exit } else { Exit::InSync })
}
