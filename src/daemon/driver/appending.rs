//! When records go to the journal, and what starts after that.
//!
//! In: records that were decided, appends that ended. Out: appends, running operations.
//! Invariant: one append at a time, in order; an operation runs only after its start is
//! durable. While hundreds of operations run and end one by one, their records wait for
//! each other a moment: each append is a sync of the disk, and a server on the same disk
//! would wait for it, too. Nobody waits for these records: enough else is running.
//! CRASH: what ended and is not appended yet is in doubt, and looked at.

use super::{Driver, Happening};
use crate::daemon::RunError;
use crate::executor::{Meter, execute};
use crate::ports::PortResult;
use journal_format::event::{Action, Record};

/// Whether records wait for more of them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Patience {
    #[default]
    Fresh,
    Waiting,
    /// What waits goes now.
    Over,
}

impl Driver<'_> {
    pub(super) fn append(&mut self) {
        let records = self.engine.take_records();
        self.follow_seen_ignores(&records);
        self.unwritten.extend(records);
        if self.is_appending || self.unwritten.is_empty() || self.waits_for_more() {
            return;
        }
        let rest = self
            .unwritten
            .split_off(self.unwritten.len().min(BATCH_RECORDS_MAX));
        let batch = std::mem::replace(&mut self.unwritten, rest);
        self.is_appending = true;
        if self.patience == Patience::Over {
            self.patience = Patience::Fresh;
        }
        let store = self.ports.store;
        self.push(async move { Happening::Appended(store.append(batch.clone()).await, batch) });
    }

    /// Tells whether too little came to be worth a sync while much else is running.
    fn waits_for_more(&mut self) -> bool {
        if self.unwritten.len() >= self.running / self.running_per_record.max(1) || self.is_stopping
        {
            return false;
        }
        if self.patience == Patience::Fresh {
            self.patience = Patience::Waiting;
            let until = self.now().plus_millis(GATHER_MS);
            let clock = self.ports.clock;
            self.push(async move {
                clock.sleep_until(until).await;
                Happening::Gathered
            });
        }
        self.patience == Patience::Waiting
    }

    /// Ends the wait for more records.
    pub(super) const fn gathered(&mut self) {
        self.patience = Patience::Over;
    }
    pub(super) fn start_durable(&mut self) {
        while self
            .unstarted
            .front()
            .is_some_and(|(id, _)| *id <= self.durable)
        {
            let Some((id, operation)) = self.unstarted.pop_front() else {
                return;
            };
            let sides = self.sides;
            self.running += 1;
            let meter = Meter::default();
            if matches!(operation.action, Action::Transfer { .. }) {
                self.ports.observer.transfers(id, &operation, &meter);
            }
            self.push(
                async move { Happening::Ended(id, execute(sides, id, &operation, &meter).await) },
            );
        }
    }

    pub(super) fn appended(
        &mut self,
        result: PortResult<()>,
        records: &[Record],
    ) -> Result<(), RunError> {
        result.map_err(RunError::Append)?;
        self.is_appending = false;
        if let Some(last) = records.last() {
            self.durable = last.seq;
        }
        self.tail += u64::try_from(records.len()).unwrap_or(u64::MAX);
        for record in records {
            tracing::debug!(seq = record.seq.0, event = ?record.event);
        }
        self.tally.count(records);
        self.note_change(records);
        self.ports.observer.appended(records);
        Ok(())
    }
}

/// Records in one append; more wait for the next.
const BATCH_RECORDS_MAX: usize = 16_384;
/// So long records wait for more, in ms.
const GATHER_MS: i64 = 10;
/// For each so many running operations there has to be a record, or what there is waits
/// [`GATHER_MS`] for more.
pub const RUNNING_PER_RECORD: usize = 8;
