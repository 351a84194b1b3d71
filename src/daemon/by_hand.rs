//! What a person does in the local folder of a job that rests, told to its journal.
//!
//! In: steps that take something back, or changes that were made. Out: effects, and one
//! event for as many of them as it can hold. Invariant: effects are durable before their
//! event, and an event before anybody hears of it. Watched by ring 2
//! (`proptests/tests/undo.rs`), which does what ships. Deliberately absent: which steps
//! (`journal::undo`), how one is done (`executor::Hand`). CRASH: changes without their
//! event, which the next run observes. A new kind of step is an arm of [`take_back`].

use super::{RunError, load};
use crate::executor::{Done, Hand};
use crate::journal::undo::{Inverse, Left, Step};
use crate::ports::{Clock, LocalFs, PortError, Store};
use journal_format::event::Change;
use journal_format::value::{CHANGES_MAX, Seq, Side};
use sync_core::engine::Engine;
use sync_core::input::Input;

/// What became of steps.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Performed {
    /// How many were done.
    pub done: u64,
    /// Those that were not.
    pub left: Vec<Left>,
    /// The first event that tells of them.
    pub first: Option<Seq>,
}

/// Does steps, in their order. What is told by a durable event is handed to `told`.
///
/// # Errors
/// The trash cannot be listed, the folder cannot be made durable, or the journal cannot be
/// written. Steps that `told` has not heard of may have been done.
pub async fn perform(
    local: &dyn LocalFs,
    deeds: &mut Deeds<'_>,
    steps: &[Step],
    by: &str,
    mut told: impl FnMut(&[&Step]),
) -> Result<Performed, RunError> {
    let mut hand = Hand::new(local).await.map_err(side)?;
    let mut performed = Performed::default();
    let mut waiting = Vec::new();
    for (index, step) in steps.iter().enumerate() {
        match take_back(&mut hand, deeds.next(), step).await {
            Ok(()) => {
                performed.done += 1;
                waiting.push(step);
            }
            Err(reason) => performed.left.push(Left {
                undoes: step.undoes,
                time: step.time,
                path: step.inverse.path().clone(),
                reason,
            }),
        }
        if hand.noted() >= CHANGES_MAX / 2 || index + 1 == steps.len() {
            let first = deeds.tell(local, hand.take_changes(), by).await?;
            performed.first = performed.first.or(first);
            told(&waiting);
            waiting.clear();
        }
    }
    Ok(performed)
}

/// Does one step; `id` is the number that the coming event will have.
async fn take_back(hand: &mut Hand<'_>, id: Seq, step: &Step) -> Done {
    let undoes = Some(step.undoes);
    match &step.inverse {
        Inverse::Restore { path, entry, over } => match over {
            None => {
                let restored = hand.restore(entry.as_str(), path, undoes).await;
                restored.map_err(|why| why.to_string())
            }
            Some(over) => {
                hand.exchange(id, (entry.as_str(), path), over, undoes)
                    .await
            }
        },
        Inverse::PutAway { path, expect } => hand.put_away(id, path, expect, undoes).await,
        Inverse::RemoveFolder { path, expect } => hand.remove_folder(path, expect, undoes).await,
        Inverse::MakeFolder { path } => hand.make_folder(path, undoes).await,
        Inverse::Rename { from, to, expect } => hand.rename(from, to, expect, undoes).await,
    }
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

    /// Makes what was changed durable and tells the journal of it. Returns the first
    /// event's number; nothing where nothing was changed.
    ///
    /// # Errors
    /// The folder cannot be made durable, or the journal cannot be written.
    pub async fn tell(
        &mut self,
        local: &dyn LocalFs,
        changes: Vec<Change>,
        by: &str,
    ) -> Result<Option<Seq>, RunError> {
        if changes.is_empty() {
            return Ok(None);
        }
        local.sync().await.map_err(side)?;
        let mut first = None;
        for part in changes.chunks(CHANGES_MAX) {
            let event = self.append(part.to_vec(), by).await?;
            first = first.or(Some(event));
        }
        Ok(first)
    }

    /// Ends the session, if anything was told.
    ///
    /// # Errors
    /// The journal cannot be written.
    pub async fn end(mut self) -> Result<(), RunError> {
        if self.is_first {
            return Ok(());
        }
        self.engine.handle(Input::Stopping, self.clock.now());
        let records = self.engine.take_records();
        self.store.append(records).await.map_err(RunError::Append)
    }

    /// Returns the number that the next event will have.
    fn next(&self) -> Seq {
        let next = self.engine.state().seq.next();
        if self.is_first { next.next() } else { next }
    }

    /// Appends one event, durable on return. Returns its number.
    async fn append(&mut self, changes: Vec<Change>, by: &str) -> Result<Seq, RunError> {
        let by = by.to_owned();
        let now = self.clock.now();
        self.engine.handle(Input::Undone { changes, by }, now);
        self.is_first = false;
        let records = self.engine.take_records();
        self.store.append(records).await.map_err(RunError::Append)?;
        Ok(self.engine.state().seq)
    }
}

fn side(error: PortError) -> RunError {
    let side = Side::Local;
    RunError::Side { side, error }
}
