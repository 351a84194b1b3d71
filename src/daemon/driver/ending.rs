//! How an operation ends.
//!
//! In: results of the executor. Out: inputs for the engine. Invariant: a failure is
//! told only when nothing of a user's lies in the operation's slot any more, so that
//! no plan takes for deleted what is on its way back; watched by ring 2. CRASH: the
//! operation is open in the journal, and the next start empties its slot.

use super::ignores::written_ignores;
use super::{Driver, Happening, place};
use crate::daemon::RunError;
use crate::executor::{Failed, empty_slot, uses_slot};
use crate::ports::{PortError, PortResult};
use journal_format::event::Outcome;
use journal_format::value::{Seq, Side};
use sync_core::input::Input;

impl Driver<'_> {
    pub(super) fn ended(&mut self, id: Seq, result: Result<Outcome, Failed>) {
        self.running -= 1;
        match result {
            Ok(outcome) => {
                self.trust();
                let open = self.engine.state().open.get(&id);
                let ignores = open.map(|open| written_ignores(&open.operation));
                self.conclude(Input::Succeeded {
                    operation: id,
                    outcome,
                });
                self.look_where_they_hold(ignores.unwrap_or_default());
            }
            Err(failed) => self.empty_slot(id, failed),
        }
    }

    /// A failure is told once nothing of a user's lies in the slot any more: until
    /// then the operation is open, and its node is not planned.
    fn empty_slot(&mut self, id: Seq, failed: Failed) {
        let open = self.engine.state().open.get(&id);
        let operation = open.map(|open| open.operation.clone());
        let Some(operation) = operation.filter(uses_slot) else {
            return self.failed(id, failed.error);
        };
        let sides = self.sides;
        self.push(async move {
            let result = empty_slot(sides, id, &operation, failed.came_out).await;
            Happening::Emptied(id, failed, result)
        });
    }

    /// While the root is away its slots are out of reach, and wait for it. A slot
    /// that cannot be emptied with the root in place is left to the next start.
    pub(super) fn emptied(
        &mut self,
        id: Seq,
        failed: Failed,
        result: PortResult<()>,
    ) -> Result<(), RunError> {
        let Err(why) = result else {
            self.slot_tries = 0;
            self.failed(id, failed.error);
            return Ok(());
        };
        self.slot_tries += 1;
        let is_away = self.sides_state[place(Side::Local)].is_halted;
        if !is_away && self.slot_tries > SLOT_TRIES_MAX {
            let side = Side::Local;
            return Err(RunError::Side { side, error: why });
        }
        self.full_slots.push((id, failed));
        self.next_slots = self.now().plus_millis(SLOT_RETRY_MS);
        Ok(())
    }

    /// Tries again to empty the slots that could not be emptied before.
    pub(super) fn empty_slots(&mut self) {
        if self.full_slots.is_empty() || self.now() < self.next_slots {
            return;
        }
        for (id, failed) in std::mem::take(&mut self.full_slots) {
            self.empty_slot(id, failed);
        }
    }

    fn failed(&mut self, id: Seq, error: PortError) {
        let PortError {
            class,
            message,
            retry_after_ms,
            ..
        } = error;
        self.suspect(class);
        self.conclude(Input::Failed {
            operation: id,
            class,
            detail: message,
            retry_after_ms,
        });
    }

    fn conclude(&mut self, input: Input) {
        self.engine.handle(input, self.now());
        self.tally
            .fill(&mut self.progress, self.engine.outstanding());
        self.ports.observer.progress(&self.progress);
    }
}

/// The wait before a slot is emptied again, in ms.
const SLOT_RETRY_MS: i64 = 2_000;
/// Vain tries in a row after which the job stops.
const SLOT_TRIES_MAX: u32 = 200;
