//! The fewest events of a journal that still show something.
//!
//! In: records, a condition. Out: fewer records, a valid journal of their own: numbered
//! from 1 without a gap, no end without its beginning. First the journal is cut where
//! the condition first shows; then, if that is enough, all but what is about the path is
//! left out; then events are left out by delta debugging (Zeller and Hildebrandt's
//! ddmin) until each one is needed. Invariant: what comes out shows the condition in its
//! last state. Deliberately absent: files (`cli`), text (`fixture`).

mod condition;
#[cfg(test)]
mod tests;

pub use condition::{Condition, Kind, letter};

use super::explain::gather_from;
use super::replay::{Replay, Stamp};
use journal_format::event::{ConflictEvent, Event, OperationEvent, Record, SessionEvent};
use journal_format::value::{RelPath, Seq};
use std::collections::BTreeMap;

/// What was left of a journal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Minimized {
    /// A journal of its own.
    pub records: Vec<Record>,
    /// How many smaller journals were tried.
    pub tried: usize,
    /// Whether events were left out one by one, or the journal was only cut.
    pub is_minimal: bool,
}

/// Looks for the place where a condition first shows. Feed it a journal from the start.
#[derive(Debug)]
pub struct Search<'a> {
    condition: &'a Condition,
    replay: Replay,
    records: Vec<Record>,
    /// The path that the condition showed at, once it did.
    found: Option<Option<RelPath>>,
}

impl<'a> Search<'a> {
    /// Begins to look.
    #[must_use]
    pub fn new(condition: &'a Condition) -> Self {
        Self {
            condition,
            replay: Replay::new(),
            records: Vec::new(),
            found: None,
        }
    }

    /// Takes the next record. Tells whether more are needed.
    pub fn take(&mut self, record: Record) -> bool {
        if *self.condition == Condition::DigestMismatch {
            let differs = self.replay.stamp(&record) == Some(Stamp::Differs);
            self.found = differs.then_some(None);
        } else if self.replay.decides_before(&record) {
            self.found = self.condition.holds(&self.replay, record.time);
            if self.found.is_some() {
                return false;
            }
        }
        self.replay.fold(&record);
        self.records.push(record);
        self.found.is_none()
    }

    /// Leaves out what is not needed; nothing if the condition never showed.
    #[must_use]
    pub fn minimize(mut self) -> Option<Minimized> {
        if self.found.is_none() {
            let now = self.records.last()?.time;
            self.found = self.condition.holds(&self.replay, now);
        }
        if *self.condition == Condition::DigestMismatch {
            return digest_mismatch(self.records, self.found.is_some());
        }
        let path = self.found?;
        let mut trials = Trials {
            condition: self.condition,
            tried: 0,
        };
        let mut records = self.records;
        if let Some(path) = path {
            let about = gather_from(&records, &path);
            if let Some(about) = about.filter(|about| trials.shows(about)) {
                records = about;
            }
        }
        let kept = ddmin(records, |candidate| trials.shows(candidate));
        Some(Minimized {
            records: renumbered(&kept),
            tried: trials.tried,
            is_minimal: trials.tried < TRIALS_MAX,
        })
    }
}

/// A stamp that differs says that another fold stamped it; only where this fold itself
/// is at odds with its checkpoints can events be left out.
fn digest_mismatch(records: Vec<Record>, is_stamped: bool) -> Option<Minimized> {
    let condition = Condition::DigestMismatch;
    let mut trials = Trials {
        condition: &condition,
        tried: 0,
    };
    if trials.shows(&records) {
        let kept = ddmin(records, |candidate| trials.shows(candidate));
        return Some(Minimized {
            records: renumbered(&kept),
            tried: trials.tried,
            is_minimal: trials.tried < TRIALS_MAX,
        });
    }
    is_stamped.then_some(Minimized {
        records,
        tried: trials.tried,
        is_minimal: false,
    })
}

struct Trials<'a> {
    condition: &'a Condition,
    tried: usize,
}

impl Trials<'_> {
    fn shows(&mut self, records: &[Record]) -> bool {
        self.tried += 1;
        self.tried <= TRIALS_MAX && self.condition.shows_in(&renumbered(records))
    }
}

/// Leaves out records as long as the rest shows the condition. What says whose journal
/// this is stays.
fn ddmin(mut records: Vec<Record>, mut shows: impl FnMut(&[Record]) -> bool) -> Vec<Record> {
    let configured = |record: &Record| {
        let event = &record.event;
        matches!(event, Event::Session(SessionEvent::RootConfigured { .. }))
    };
    let fixed = records.iter().position(configured).map_or(0, |at| at + 1);
    let mut parts = 2;
    while records.len() > fixed {
        let free = records.len() - fixed;
        let size = free.div_ceil(parts);
        let mut start = fixed;
        let mut is_smaller = false;
        while start < records.len() {
            let end = (start + size).min(records.len());
            let without: Vec<Record> = [&records[..start], &records[end..]].concat();
            if shows(&without) {
                records = without;
                is_smaller = true;
            } else {
                start = end;
            }
        }
        if size == 1 && !is_smaller {
            break;
        }
        parts = if size == 1 {
            parts
        } else {
            (parts * 2).min(free)
        };
        parts = parts.clamp(2, records.len().max(2));
    }
    records
}

/// Makes a valid journal of some records of one: numbers without a gap, what refers to a
/// record by its number follows it, what refers to none is left out. Stamps are left
/// out: they are about another past.
#[must_use]
pub fn renumbered(records: &[Record]) -> Vec<Record> {
    let mut numbers: BTreeMap<Seq, Seq> = BTreeMap::new();
    let mut kept: Vec<Record> = Vec::new();
    for record in records {
        let mut record = record.clone();
        let refers_to = match &mut record.event {
            Event::Operation(
                OperationEvent::Succeeded { operation, .. }
                | OperationEvent::Failed { operation, .. },
            ) => Some(operation),
            Event::Conflict(
                ConflictEvent::Resolved { conflict, .. } | ConflictEvent::Settled { conflict },
            ) => Some(conflict),
            Event::Session(
                SessionEvent::HaltApproved { halt, .. } | SessionEvent::HaltCleared { halt },
            ) => Some(halt),
            Event::Session(SessionEvent::DigestStamped { .. }) => continue,
            _ => None,
        };
        if let Some(number) = refers_to {
            let Some(now) = numbers.get(number) else {
                continue;
            };
            *number = *now;
        }
        let next = kept.last().map_or(Seq(1), |last| last.seq.next());
        numbers.insert(record.seq, next);
        record.seq = next;
        kept.push(record);
    }
    kept
}

/// Smaller journals that are tried at most.
const TRIALS_MAX: usize = 20_000;
