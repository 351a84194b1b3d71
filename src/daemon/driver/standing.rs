//! How the job stands, told to whoever looks on.
//!
//! In: the engine, what is in flight. Out: a [`Status`] when it changed. Invariant:
//! the last change is always told: while work goes on at intervals, at rest at once.
//! Deliberately absent: words. CRASH: nothing is kept.

use super::Driver;
use crate::ports::{Phase, Status};
use journal_format::event::{ConflictEvent, Event, OperationEvent, Record};
use journal_format::value::{Seq, Timestamp};

/// What was told last.
#[derive(Debug, Default)]
pub(super) struct Told {
    seq: Seq,
    phase: Option<Phase>,
    /// What of [`Self::changed`] was told.
    shown: Option<Timestamp>,
    next: Timestamp,
    /// Whether somebody waits for the next telling.
    pub(super) is_awaited: bool,
    /// When something was last synced or decided.
    pub(super) changed: Option<Timestamp>,
}

impl Driver<'_> {
    pub(super) fn tell_standing(&mut self) {
        let now = self.now();
        let busy = self.running > 0 || self.sides_state.iter().any(|side| side.is_scanning);
        let is_awaited = std::mem::take(&mut self.told.is_awaited);
        if busy && now < self.told.next && !is_awaited {
            return;
        }
        let seq = self.engine.state().seq;
        let is_new = self.told.phase.is_none()
            || seq != self.told.seq
            || self.told.changed != self.told.shown;
        if !is_new && self.told.phase.as_ref() == Some(&self.phase()) {
            return;
        }
        let phase = self.phase();
        self.told.seq = seq;
        self.told.phase = Some(phase.clone());
        self.told.shown = self.told.changed;
        self.told.next = now.plus_millis(PAUSE_MS);
        self.progress.bytes_total = self.progress.bytes_done + self.engine.outstanding_bytes();
        self.ports.observer.stands(&Status {
            phase,
            standing: self.engine.standing(),
            seq,
            changed: self.told.changed,
        });
    }

    fn phase(&self) -> Phase {
        let phase = self.phase_without_pause();
        if self.is_paused() {
            return Phase::Paused(Box::new(phase));
        }
        phase
    }

    fn phase_without_pause(&self) -> Phase {
        if let Some(phase) = self.reach.phase() {
            return phase;
        }
        if !self.engine.has_seen_both() {
            return Phase::Starting;
        }
        let works = self.running > 0
            || !self.unstarted.is_empty()
            || self.engine.outstanding() > 0
            || self.engine.hopeful_deadline().is_some()
            // Seen, and not planned for yet: a scan goes on.
            || self.engine.standing().workable > 0;
        if works { Phase::Syncing } else { Phase::Synced }
    }

    /// Remembers when something was last synced or decided.
    pub(super) fn note_change(&mut self, records: &[Record]) {
        let last = records.iter().rev().find(|record| match &record.event {
            Event::Operation(event) => match event {
                OperationEvent::Succeeded { .. } | OperationEvent::Adopted { .. } => true,
                OperationEvent::Started { .. } | OperationEvent::Failed { .. } => false,
            },
            Event::Conflict(event) => match event {
                ConflictEvent::Raised { .. } | ConflictEvent::Resolved { .. } => true,
                ConflictEvent::Settled { .. } => false,
            },
            Event::Session(_) | Event::Observation(_) => false,
        });
        if let Some(record) = last {
            self.told.changed = Some(record.time);
        }
    }
}

/// The least time between two tellings while work goes on, in ms.
const PAUSE_MS: i64 = 250;
