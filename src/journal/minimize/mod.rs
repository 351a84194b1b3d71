//! The fewest events of a journal that still show something.
//!
//! In: records, perhaps the state that they follow, a condition. Out: fewer records, a
//! valid journal of their own: numbered from 1, or from behind that state, without a gap,
//! no end without its beginning. First the journal is cut where
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
use sync_core::engine::Engine;
use sync_core::state::State;

/// What was left of a journal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Minimized {
    /// A journal of its own.
    pub records: Vec<Record>,
    /// How many smaller journals were tried.
    pub tried: usize,
    /// What that amounts to.
    pub shape: Shape,
}

/// What leaving out amounts to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// Each event is needed.
    Minimal,
    /// As many smaller journals were tried as may be: some events may not be needed.
    Spent,
    /// The journal was only cut.
    Cut,
}

/// Looks for the place where a condition first shows. Feed it a journal from the start.
#[derive(Debug)]
pub struct Search<'a> {
    condition: &'a Condition,
    base: Option<State>,
    replay: Replay,
    records: Vec<Record>,
    /// The path that the condition showed at, once it did.
    found: Option<Option<RelPath>>,
}

impl<'a> Search<'a> {
    /// Begins to look.
    #[must_use]
    pub fn new(condition: &'a Condition) -> Self {
        Self::behind(condition, None)
    }

    /// Begins to look in a journal that follows a state.
    #[must_use]
    pub fn behind(condition: &'a Condition, base: Option<State>) -> Self {
        let engine = base.clone().map_or_else(Engine::new, Engine::restore);
        Self {
            condition,
            base,
            replay: Replay::behind(engine),
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
        let base = self.base.as_ref();
        let mut trials = Trials::new(self.condition, base);
        if *self.condition == Condition::DigestMismatch {
            return digest_mismatch(self.records, self.found.is_some(), trials);
        }
        let path = self.found?;
        let mut records = self.records;
        if let Some(path) = path {
            let about = gather_from(&records, &path);
            if let Some(about) = about.filter(|about| trials.shows(about) == Some(true)) {
                records = about;
            }
        }
        let kept = ddmin(records, |candidate| trials.shows(candidate));
        Some(trials.minimized(&kept))
    }
}

/// A stamp that differs says that another fold stamped it; only where this fold itself
/// is at odds with its checkpoints can events be left out.
fn digest_mismatch(
    records: Vec<Record>,
    is_stamped: bool,
    mut trials: Trials<'_>,
) -> Option<Minimized> {
    if trials.shows(&records) == Some(true) {
        let kept = ddmin(records, |candidate| trials.shows(candidate));
        return Some(trials.minimized(&kept));
    }
    is_stamped.then_some(Minimized {
        records,
        tried: trials.tried,
        shape: Shape::Cut,
    })
}

struct Trials<'a> {
    condition: &'a Condition,
    base: Option<&'a State>,
    tried: usize,
    max: usize,
    is_spent: bool,
}

impl<'a> Trials<'a> {
    fn new(condition: &'a Condition, base: Option<&'a State>) -> Self {
        // Each trial begins with a copy of that state.
        let nodes = base.map_or(0, |base| base.tree.counts().present.iter().sum::<u64>());
        let max = usize::try_from(NODES_MAX / nodes.max(1)).unwrap_or(TRIALS_MAX);
        let max = max.clamp(TRIALS_MIN, TRIALS_MAX);
        Self {
            condition,
            base,
            tried: 0,
            max,
            is_spent: false,
        }
    }

    fn first(&self) -> Seq {
        self.base.map_or(Seq(1), |base| base.seq.next())
    }

    /// Tells whether a smaller journal shows the condition; nothing once as many were
    /// tried as may be.
    fn shows(&mut self, records: &[Record]) -> Option<bool> {
        if self.tried >= self.max {
            self.is_spent = true;
            return None;
        }
        self.tried += 1;
        let records = renumbered_from(self.first(), records);
        Some(self.condition.shows_behind(self.base, &records))
    }

    fn minimized(&self, kept: &[Record]) -> Minimized {
        Minimized {
            records: renumbered_from(self.first(), kept),
            tried: self.tried,
            shape: if self.is_spent {
                Shape::Spent
            } else {
                Shape::Minimal
            },
        }
    }
}

/// Leaves out records as long as the rest shows the condition and that is answered. What
/// says whose journal this is stays.
fn ddmin(
    mut records: Vec<Record>,
    mut shows: impl FnMut(&[Record]) -> Option<bool>,
) -> Vec<Record> {
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
            match shows(&without) {
                Some(true) => {
                    records = without;
                    is_smaller = true;
                }
                Some(false) => start = end,
                None => return records,
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
    renumbered_from(Seq(1), records)
}

/// As [`renumbered`], behind a state: what refers to what it knows stays.
fn renumbered_from(first: Seq, records: &[Record]) -> Vec<Record> {
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
        if let Some(number) = refers_to.filter(|number| **number >= first) {
            let Some(now) = numbers.get(number) else {
                continue;
            };
            *number = *now;
        }
        let next = kept.last().map_or(first, |last| last.seq.next());
        numbers.insert(record.seq, next);
        record.seq = next;
        kept.push(record);
    }
    kept
}

/// Smaller journals that are tried at most.
const TRIALS_MAX: usize = 20_000;
/// Nodes that all trials together copy at most, beyond the fewest trials.
const NODES_MAX: u64 = 200_000_000;
const TRIALS_MIN: usize = 100;
