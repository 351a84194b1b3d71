//! What would be done, without doing or writing anything.
//!
//! In: both sides, the journal, the job. Out: the steps of the plan, those that are held
//! back, and how things stand. Invariant: no port method that changes anything is called,
//! and no record is appended, so a job that another process has may be looked at.
//! Deliberately absent: steps that follow only from what these bring about.

use super::{Job, RunError, load, scan};
use crate::ports::{Clock, History, LocalFs, Remote, RootState};
use futures::StreamExt;
use journal_format::value::Side;
use sync_core::engine::{Engine, Identity, Planned, RootVerdict, Standing, WantedScan};
use sync_core::input::Input;

/// What is looked at.
#[derive(Clone, Copy)]
pub struct Sight<'a> {
    /// The local side.
    pub local: &'a dyn LocalFs,
    /// The remote side.
    pub remote: &'a dyn Remote,
    /// The job's journal, as far as it is known.
    pub history: &'a dyn History,
    /// Time and chance.
    pub clock: &'a dyn Clock,
}

/// What a run would begin with.
#[derive(Debug, Clone)]
pub struct Preview {
    /// What would be done.
    pub planned: Vec<Planned>,
    /// What would be done if the halt in `standing` were not there.
    pub held_back: Vec<Planned>,
    /// How things stand.
    pub standing: Standing,
    /// Whether the journal has that halt already, so that it can be approved.
    pub is_halt_known: bool,
}

/// Scans both sides and plans.
///
/// # Errors
/// A side that was never seen is not there, a side cannot be scanned, or the journal
/// cannot be read.
pub async fn preview(sight: Sight<'_>, job: &Job) -> Result<Preview, RunError> {
    let mut engine = load::load(sight.history).await?.engine;
    let capabilities = sight.remote.capabilities();
    let identity = Identity {
        job: job.id.clone(),
        label: job.label.clone(),
        digest: capabilities.digest,
        fold_case: capabilities.fold_case || job.fold_case,
        policy: job.policy,
    };
    let head = engine.state().seq;
    engine.begin(&job.release, 0, &identity, sight.clock.now());
    if let Some(expected) = job.lost_history {
        engine.handle(Input::HistoryLost { expected }, sight.clock.now());
    }
    for side in Side::BOTH {
        scan_side(sight, &mut engine, side).await?;
    }
    let now = sight.clock.now();
    let then = now.plus_millis(sync_core::limits::SETTLE_MS);
    engine.refresh_standing(now);
    let standing = engine.standing();
    let (planned, held_back) = match standing.halt {
        Some(_) => (Vec::new(), engine.judge_without_brakes(then)),
        None => (engine.judge(then).planned, Vec::new()),
    };
    Ok(Preview {
        planned,
        held_back,
        standing,
        is_halt_known: standing.halt.is_some_and(|halt| halt.seq <= head),
    })
}

async fn scan_side(sight: Sight<'_>, engine: &mut Engine, side: Side) -> Result<(), RunError> {
    let failed = |error| RunError::Side { side, error };
    let clock = sight.clock;
    let state = scan::root(side, sight.local, sight.remote)
        .await
        .map_err(failed)?;
    let known = engine.state().markers[usize::from(side == Side::Remote)].is_some();
    match &state {
        RootState::Present { marker } if known || marker.is_some() => {
            let verdict = engine.root_found(side, &scan::finding(&state), clock.now());
            if verdict == RootVerdict::Halted {
                // What another folder holds says nothing of ours.
                return Ok(());
            }
        }
        RootState::Present { .. } => {}
        _ if known => {
            engine.root_found(side, &scan::finding(&state), clock.now());
            return Ok(());
        }
        _ => return Err(RunError::RootNeverSeen { side }),
    }
    // What a move overtook is looked at again.
    for _ in 0..LOOKS_MAX {
        let Some(wanted) = engine.next_scan(side) else {
            break;
        };
        look(sight, engine, side, &wanted).await?;
    }
    Ok(())
}

async fn look(
    sight: Sight<'_>,
    engine: &mut Engine,
    side: Side,
    wanted: &WantedScan,
) -> Result<(), RunError> {
    let failed = |error| RunError::Side { side, error };
    let (clock, whole) = (sight.clock, wanted.whole);
    engine.handle(Input::ScanStarted { side, whole }, clock.now());
    let mut stream = scan::start(side, sight.local, sight.remote, wanted);
    while let Some(batch) = stream.next().await {
        for item in batch.map_err(failed)? {
            let input = Input::Scanned {
                side,
                found: scan::found(item),
            };
            engine.handle(input, clock.now());
        }
        engine.take_records();
    }
    engine.handle(
        Input::ScanFinished {
            side,
            complete: true,
        },
        clock.now(),
    );
    Ok(())
}

/// How often a side is looked at, at most.
const LOOKS_MAX: usize = 3;
