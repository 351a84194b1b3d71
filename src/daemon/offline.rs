//! A job that does not run: how it stood, and decisions for its next run.
//!
//! In: its journal. Out: a report, or a decision as events. Invariant: the sides are
//! neither read nor written. Deliberately absent: a journal that has lost events,
//! which a run of the job has to tell first, and effects in the folder (`by_hand`).
//! CRASH: the decision is there, or it is not.

use super::{RunError, load};
use crate::ports::{Clock, History, Store};
use journal_format::event::Record;
use journal_format::value::{Seq, Timestamp};
use sync_core::engine::{Engine, Planned, Remark, Standing};
use sync_core::input::Input;

/// How a job stood when it ran last.
#[derive(Debug, Clone)]
pub struct LastKnown {
    /// How things stand.
    pub standing: Standing,
    /// What could not be synced.
    pub problems: Vec<Remark>,
    /// Conflicts that wait for a person, and divergences.
    pub held: Vec<Remark>,
    /// What the halt in `standing` holds back.
    pub held_back: Vec<Planned>,
    /// The last event.
    pub seq: Seq,
    /// When it was appended.
    pub time: Timestamp,
    /// The ids of the roots, local and remote, if they were seen.
    pub markers: [Option<String>; 2],
}

/// Reads a journal and tells how its job stood.
///
/// # Errors
/// The journal cannot be read.
pub async fn last_known(history: &dyn History, clock: &dyn Clock) -> Result<LastKnown, RunError> {
    let mut engine = load::load(history).await?.engine;
    let state = engine.state();
    let (halt, seq, time) = (state.halt, state.seq, state.time);
    let markers = state.markers.clone();
    // Its own idea of a halt is about a plan that was never journaled.
    engine.refresh_standing(clock.now());
    let held_back = match halt {
        Some(_) => engine.judge_without_brakes(clock.now()),
        None => Vec::new(),
    };
    Ok(LastKnown {
        standing: Standing {
            halt,
            ..engine.standing()
        },
        problems: engine.problems(),
        held: engine.held(),
        held_back,
        seq,
        time,
        markers,
    })
}

/// Appends what an input leads to, as a session of its own. Returns the records, durable
/// now and without the session's end; none when the input means nothing to this job.
///
/// # Errors
/// The journal cannot be read or written.
pub async fn decide(
    store: &dyn Store,
    clock: &dyn Clock,
    release: &str,
    input: Input,
) -> Result<Vec<Record>, RunError> {
    let mut engine: Engine = load::load(store).await?.engine;
    engine.begin_session(release, clock.random());
    let before = engine.state().seq;
    engine.handle(input, clock.now());
    if engine.state().seq == before {
        return Ok(Vec::new());
    }
    let told = engine.take_records();
    engine.handle(Input::Stopping, clock.now());
    let mut records = told.clone();
    records.extend(engine.take_records());
    store.append(records).await.map_err(RunError::Append)?;
    Ok(told)
}
