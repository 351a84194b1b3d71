//! What is done when nothing else is: the checkpoint of a job that runs on.
//!
//! In: the driver between two happenings. Out: a checkpoint on its way. Invariant: it
//! covers durable records only. Deliberately absent: the one at the end (`finish`), and
//! archives, which are the store's. CRASH: leaves the checkpoint before or this one.

use super::{Driver, Happening, Mode};
use crate::ports::Checkpoint;

impl Driver<'_> {
    /// In a quiet moment of a job that runs on: saves a later start much work, and lets
    /// the store archive what the checkpoint before covers.
    pub(super) fn keep_checkpoint(&mut self) {
        let is_quiet = self.is_quiet() && self.durable == self.engine.state().seq;
        // What waits for the end of a pause may wait for weeks.
        let is_scanning = self.sides_state.iter().any(|side| side.is_scanning);
        let is_at_rest = self.engine.is_idle() || self.is_paused() && !is_scanning;
        if self.mode != Mode::Continuous
            || self.is_stopping
            || !is_quiet
            || !is_at_rest
            || !self.is_checkpoint_due()
        {
            return;
        }
        self.tail = 0;
        let state = self.engine.state();
        let bytes = sync_core::checkpoint::encode(state);
        let seq = state.seq;
        let store = self.ports.store;
        self.push(async move {
            Happening::CheckpointSaved(store.save_checkpoint(Checkpoint { seq, bytes }).await)
        });
    }

    /// Tells whether so much follows the checkpoint that a new one is worth its writing.
    pub(super) fn is_checkpoint_due(&self) -> bool {
        let nodes = self.engine.state().tree.counts().baseline;
        self.tail > self.checkpoint_tail_min.max(nodes / 8)
    }

    /// Tells whether no operation runs and no record is on its way.
    pub(super) fn is_quiet(&self) -> bool {
        self.running == 0
            && self.unstarted.is_empty()
            && self.unwritten.is_empty()
            && !self.is_appending
    }
}
