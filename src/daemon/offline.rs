//! A job that does not run: how it stood, and decisions for its next run.
//!
//! In: its journal. Out: a report, or a decision as events. Invariant: the sides are
//! neither read nor written. Deliberately absent: a journal that has lost events,
//! which a run of the job has to tell first, and effects in the folder, which come
//! before [`Deeds`]. CRASH: the decision is there, or it is not.

use super::{RunError, load};
use crate::ports::{Clock, History, Store};
use journal_format::event::{Change, Record};
use journal_format::value::{Seq, Timestamp};
use sync_core::engine::{Engine, Remark, Standing};
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
pub async fn last_known(
    history: &dyn History,
    clock: &dyn Clock,
) -> Result<LastKnown, RunError> {
    let mut engine = load::load(history).await?.engine;
    let state = engine.state();
    let (halt, seq, time) = (state.halt, state.seq, state.time);
    let markers = state.markers.clone();
    // Its own idea of a halt is about a plan that was never journaled.
    engine.refresh_standing(clock.now());
    Ok(LastKnown {
        standing: Standing {
            halt,
            ..engine.standing()
        },
        problems: engine.problems(),
        held: engine.held(),
        seq,
        time,
        markers,
    })
}

/// Appends what an input leads to. Returns the records, durable now; none when the
/// input means nothing to this job.
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
    let records = engine.take_records();
    let copy = records.clone();
    store.append(records).await.map_err(RunError::Append)?;
    Ok(copy)
}

/// What a person does in the local folder, on its way into the journal.
pub struct Deeds<'a> {
    store: &'a dyn Store,
    clock: &'a dyn Clock,
    engine: Engine,
    /// Whether the record of who writes comes before the next event.
    is_first: bool,
}

impl<'a> Deeds<'a> {
    /// Begins a session. Nothing is written yet.
    ///
    /// # Errors
    /// The journal cannot be read.
    pub async fn begin(
        store: &'a dyn Store,
        clock: &'a dyn Clock,
        release: &str,
    ) -> Result<Self, RunError> {
        let mut engine = load::load(store).await?.engine;
        engine.begin_session(release, clock.random());
        Ok(Self {
            store,
            clock,
            engine,
            is_first: true,
        })
    }

    /// Returns the number that the next event will have.
    #[must_use]
    pub fn next(&self) -> Seq {
        let next = self.engine.state().seq.next();
        if self.is_first { next.next() } else { next }
    }

    /// Appends what was done, as one event, durable on return. The effects are durable
    /// before. Returns the event's number.
    ///
    /// # Errors
    /// The journal cannot be written.
    pub async fn append(&mut self, changes: Vec<Change>, by: &str) -> Result<Seq, RunError> {
        let by = by.to_owned();
        let now = self.clock.now();
        self.engine.handle(Input::Undone { changes, by }, now);
        self.is_first = false;
        let records = self.engine.take_records();
        self.store.append(records).await.map_err(RunError::Append)?;
        Ok(self.engine.state().seq)
    }
}
