//! The journal's place, and who hears of it.
//!
//! In: batches of records. Out: the same, as far as they are durable. Fault model:
//! an append fails with nothing or with everything written; a power loss during an
//! append keeps all of the batch or none; a checkpoint is lost, damaged or an older one;
//! acknowledged records at the end are lost.
//! Invariant: sequence numbers are contiguous, and nobody hears of a record that is
//! not durable; both are judged here, at the moment it happens. Deliberately
//! absent: bytes and files. Crash: an append that has not returned may be whole or
//! absent; the store is whole.

use super::prng::Ratio;
use super::tasks::Turn;
use super::{Inner, State};
use journal_format::event::{Event, FailureClass, HaltReason, Record, SessionEvent};
use journal_format::value::{Seq, Side};
use pydio_sync::ports::{
    Checkpoint, History, Observer, Phase, PortError, PortResult, Progress, Status, Store, Task,
};
use std::rc::Rc;
use sync_core::engine::Standing;

/// What the store holds.
#[derive(Debug, Default)]
pub struct Journal {
    /// Every record, the last `unsynced` of them not durable yet.
    pub records: Vec<Record>,
    unsynced: usize,
    /// The head that was acknowledged before records were lost.
    lost: Option<Seq>,
    broken: bool,
    /// Every checkpoint that was kept, the newest last.
    pub checkpoints: Vec<Checkpoint>,
    /// What the present process was told; nothing before its first batch.
    heard: Option<Seq>,
    /// Records that earlier and present processes were told, in order.
    pub published: u64,
    /// Where processes told that all is in sync and that nothing is left over, as far as
    /// the records up to there are kept.
    pub settled: Vec<Seq>,
}

/// The [`Store`] of a world.
pub struct WorldStore(pub(super) Rc<Inner>);

/// The [`Observer`] of a world.
pub struct WorldObserver(pub(super) Rc<Inner>);

impl History for WorldStore {
    fn head(&self) -> Seq {
        self.0.state.borrow().journal.head()
    }

    fn read(&self, from: Seq, limit: usize) -> Task<'_, Vec<Record>> {
        let inner = Rc::clone(&self.0);
        Box::pin(self.0.tasks.spawn("read journal", || false, async move {
            Turn::default().await;
            let state = inner.state.borrow();
            let records = state.journal.records.iter();
            Ok(records
                .filter(|record| record.seq >= from)
                .take(limit)
                .cloned()
                .collect())
        }))
    }

    fn checkpoint(&self) -> Task<'_, Option<Checkpoint>> {
        let inner = Rc::clone(&self.0);
        Box::pin(self.0.tasks.spawn("checkpoint", || false, async move {
            Turn::default().await;
            let mut state = inner.state.borrow_mut();
            let mut found = state.journal.checkpoints.last().cloned();
            if found.is_some() && state.draws(inner.options.checkpoint_lost, "checkpoint_lost") {
                found = state.damage(found);
            }
            Ok(found)
        }))
    }
}

impl Store for WorldStore {
    fn append(&self, records: Vec<Record>) -> Task<'_, ()> {
        let inner = Rc::clone(&self.0);
        Box::pin(self.0.tasks.spawn("append", || false, async move {
            Turn::default().await;
            if inner.state.borrow().journal.broken {
                return Err(PortError::new(
                    FailureClass::Fatal,
                    "the store failed before",
                ));
            }
            if inner.fails(inner.options.faults.store, "store") {
                let mut state = inner.state.borrow_mut();
                state.journal.broken = true;
                if state.rng.chance(Ratio::one_in(2)) {
                    state.write_records(records);
                    state.journal.unsynced = 0;
                }
                return Err(PortError::new(FailureClass::NoSpace, "the store is full"));
            }
            inner.state.borrow_mut().write_records(records);
            Turn::default().await;
            inner.state.borrow_mut().journal.unsynced = 0;
            Turn::default().await;
            Ok(())
        }))
    }

    fn save_checkpoint(&self, checkpoint: Checkpoint) -> Task<'_, ()> {
        let inner = Rc::clone(&self.0);
        Box::pin(self.0.tasks.spawn("save checkpoint", || false, async move {
            Turn::default().await;
            inner
                .state
                .borrow_mut()
                .journal
                .checkpoints
                .push(checkpoint);
            PortResult::Ok(())
        }))
    }
}

impl Observer for WorldObserver {
    fn appended(&self, records: &[Record]) {
        let mut state = self.0.state.borrow_mut();
        let durable = state.journal.records.len() - state.journal.unsynced;
        for record in records {
            let journal = &mut state.journal;
            let at = usize::try_from(record.seq.0).unwrap_or(usize::MAX);
            let expected = journal.heard.map_or(record.seq, Seq::next);
            journal.heard = Some(record.seq);
            journal.published += 1;
            let held = at.checked_sub(1).and_then(|at| journal.records.get(at));
            let problem = if record.seq != expected {
                Some(format!(
                    "{} was published where {expected} was due",
                    record.seq
                ))
            } else if at > durable {
                Some(format!(
                    "{} was published before it was durable",
                    record.seq
                ))
            } else if held != Some(record) {
                Some(format!(
                    "{} was published other than it was written",
                    record.seq
                ))
            } else {
                None
            };
            if let Some(problem) = problem {
                state.violation(format!("stream_gapless: {problem}"));
            }
        }
    }

    fn progress(&self, _progress: &Progress) {}

    fn stands(&self, status: &Status) {
        let Standing {
            conflicts,
            problems,
            divergences,
            ref halt,
            ..
        } = status.standing;
        let nothing_left = conflicts + problems + divergences == 0 && halt.is_none();
        if status.phase == Phase::Synced && nothing_left {
            self.0.state.borrow_mut().journal.settled.push(status.seq);
        }
    }
}

impl Journal {
    /// Returns the number of the last record.
    #[must_use]
    pub fn head(&self) -> Seq {
        self.records.last().map_or(Seq::ZERO, |record| record.seq)
    }

    /// Loses some acknowledged records, the last ones.
    pub(super) fn lose(&mut self, count: usize) {
        self.lost = Some(self.head().max(self.lost_head().unwrap_or_default()));
        self.records
            .truncate(self.records.len().saturating_sub(count));
    }

    /// Returns the head that was acknowledged, while records are missing and the journal
    /// does not tell of it.
    #[must_use]
    pub fn lost_head(&self) -> Option<Seq> {
        let lost = self.lost?;
        let is_told = |record: &Record| {
            matches!(
                record.event,
                Event::Session(SessionEvent::HistoryLost { expected, .. }) if expected == lost
            )
        };
        (!self.records.iter().any(is_told)).then_some(lost)
    }

    /// Tells whether the program stopped itself until a person approves.
    #[must_use]
    pub fn is_halted(&self) -> bool {
        let last = self
            .records
            .iter()
            .rev()
            .find_map(|record| match &record.event {
                Event::Session(SessionEvent::HaltRaised { reason, .. }) => Some(Some(*reason)),
                Event::Session(
                    SessionEvent::HaltApproved { .. } | SessionEvent::HaltCleared { .. },
                ) => Some(None),
                _ => None,
            });
        matches!(
            last.flatten(),
            Some(HaltReason::RootEmptied | HaltReason::HistoryLost)
        )
    }

    /// Returns the last record that the present process was told of.
    #[must_use]
    pub const fn heard(&self) -> Option<Seq> {
        self.heard
    }

    /// Opens the store again, after a crash or a stop. `power_lost` takes what
    /// was not durable.
    pub(super) fn reopen(&mut self, power_lost: bool, keep: bool, forget: bool) {
        if power_lost && !keep {
            let durable = self.records.len() - self.unsynced;
            self.records.truncate(durable);
        }
        if power_lost && forget {
            self.checkpoints.pop();
        }
        let head = self.head();
        self.checkpoints.retain(|checkpoint| checkpoint.seq <= head);
        self.settled.retain(|seq| *seq <= head);
        self.unsynced = 0;
        self.broken = false;
        self.heard = None;
    }
}

impl State {
    /// Returns what is left of a checkpoint: an older one, part of it, other bytes, or
    /// nothing.
    fn damage(&mut self, checkpoint: Option<Checkpoint>) -> Option<Checkpoint> {
        let mut damaged = checkpoint?;
        let at = self.rng.below(damaged.bytes.len());
        match self.rng.below(4) {
            0 => return None,
            1 => return self.journal.checkpoints.first().cloned(),
            2 => damaged.bytes.truncate(at),
            _ => {
                if let Some(byte) = damaged.bytes.get_mut(at) {
                    *byte ^= 0x10;
                }
            }
        }
        Some(damaged)
    }

    fn write_records(&mut self, records: Vec<Record>) {
        for record in records {
            if record.seq != self.journal.head().next() {
                let head = self.journal.head();
                self.violation(format!("stream_gapless: {} appended at {head}", record.seq));
            }
            let line = format!(
                "  journal {} {}",
                record.seq,
                super::trace::brief(&record.event)
            );
            self.note(line);
            self.journal.records.push(record);
            self.journal.unsynced += 1;
        }
    }
}

impl Inner {
    /// Makes everything on a side durable.
    pub(super) fn sync(self: &Rc<Self>, side: Side) -> Task<'static, ()> {
        let call = super::faults::CallOf::look(side, "sync", None);
        let inner = Rc::clone(self);
        self.start(&call.clone(), async move {
            inner.before(&call).await?;
            inner.state.borrow_mut().disk_mut(side).sync();
            Turn::default().await;
            Ok(())
        })
    }
}
