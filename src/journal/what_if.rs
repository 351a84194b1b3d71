//! The same observations under other rules: what would be planned otherwise.
//!
//! In: a journal; other choices of a user, a further filter. Out: a difference of plans,
//! grouped and counted. Two things are compared. *Now*: the plan of the journal's last
//! state as it is, against the plan of the same state under the other choices, where
//! what the filter leaves out was seen to be left out. *History*: at each decision point
//! (`journal::replay`) the plan as it is, against the other one of the same state; since
//! the journal went on as it did, each point stands by itself: "had the choice been made
//! then". A filter is compared now only. Invariant: no IO; the journal's own filter is
//! not in it, so a filter can only leave out more. Deliberately absent: reading patterns.

use super::replay::{Brake, Replay, kind_words};
use journal_format::event::{Event, ObservationEvent, Record, UnknownReason};
use journal_format::value::{Kind, Policy, RelPath, Side, Timestamp};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use sync_core::engine::{Deed, Engine, Judged};
use sync_core::look::{Column, rows};
use sync_core::state::Halt;

/// What is left out: a path and what it is.
pub type LeavesOut<'a> = &'a dyn Fn(&RelPath, Kind) -> bool;

/// Compares the plans of a journal with those of other choices.
pub struct WhatIf<'a> {
    replay: Replay,
    choose: &'a dyn Fn(Policy) -> Policy,
    points: u64,
    history: Groups,
    /// Nodes that would have been removed on the way and were not, and the reverse.
    removals: [BTreeSet<u64>; 2],
    would_halt: Vec<Braked>,
    would_not_halt: Vec<Braked>,
    last: Timestamp,
}

/// What would be otherwise.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// Files that would no longer be synced.
    pub no_longer_synced: u64,
    /// Entries that would be deleted now and are not planned to be.
    pub deleted: u64,
    /// Entries that are planned to be deleted now and would not be.
    pub spared: u64,
    /// Why the plan is held back as it is, if it is.
    pub brake: Option<Brake>,
    /// Why it would be held back.
    pub other_brake: Option<Brake>,
    /// What would be done otherwise now.
    pub now: Vec<Change>,
    /// What would have been done otherwise on the way, had the choice been made then.
    pub history: Vec<Change>,
    /// Entries that would have been deleted on the way and were not planned to be.
    pub history_deleted: u64,
    /// Entries that were planned to be deleted on the way and would not have been.
    pub history_spared: u64,
    /// Where on the way the job would have been halted and was not.
    pub would_halt: Vec<Braked>,
    /// Where on the way the job was halted and would not have been.
    pub would_not_halt: Vec<Braked>,
    /// How many decision points were compared.
    pub points: u64,
}

/// A plan on the way that one of the choices holds back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Braked {
    /// The last event that the plan knows.
    pub seq: u64,
    /// When the next thing happened, in ms since 1970.
    pub time: i64,
    /// Why.
    #[serde(flatten)]
    pub brake: Brake,
}

/// A group of nodes with which the same would be done instead of the same.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Change {
    /// What is done.
    pub before: String,
    /// What would be done.
    pub after: String,
    /// With how many nodes.
    pub count: u64,
    /// Some of them.
    pub examples: Vec<String>,
}

#[derive(Debug, Default)]
struct Groups(BTreeMap<(String, String), (BTreeSet<u64>, Vec<String>)>);

impl<'a> WhatIf<'a> {
    /// Begins with the choices that `choose` makes of the journal's own.
    #[must_use]
    pub fn new(choose: &'a dyn Fn(Policy) -> Policy) -> Self {
        Self {
            replay: Replay::new(),
            choose,
            points: 0,
            history: Groups::default(),
            removals: [BTreeSet::new(), BTreeSet::new()],
            would_halt: Vec::new(),
            would_not_halt: Vec::new(),
            last: Timestamp(0),
        }
    }

    /// As [`Self::new`], for records that follow the state of an engine.
    #[must_use]
    pub fn behind(engine: Engine, choose: &'a dyn Fn(Policy) -> Policy) -> Self {
        Self {
            replay: Replay::behind(engine),
            ..Self::new(choose)
        }
    }

    /// Takes the next record.
    pub fn take(&mut self, record: &Record) {
        let chosen = self.replay.engine().state().policy();
        let other = (self.choose)(chosen);
        if self.replay.decides_before(record) && other != chosen {
            self.points += 1;
            let before = self.replay.judge(record.time);
            let after = self.replay.engine_mut().judge_as(other, record.time);
            self.history.compare(&before, &after);
            self.note_removals(&before, &after);
            self.note_brakes(record.time, &before, &after);
        }
        self.replay.fold(record);
        self.last = record.time;
    }

    fn note_removals(&mut self, before: &Judged, after: &Judged) {
        let (planned, would) = (removals(before), removals(after));
        let [deleted, spared] = &mut self.removals;
        deleted.extend(would.difference(&planned));
        spared.extend(planned.difference(&would));
    }

    fn note_brakes(&mut self, time: Timestamp, before: &Judged, after: &Judged) {
        let seq = self.replay.seq().0;
        let braked = |halt: &Halt| Braked {
            seq,
            time: time.0,
            brake: Brake::of(halt),
        };
        match (&before.brake, &after.brake) {
            (None, Some(halt)) => self.would_halt.push(braked(halt)),
            (Some(halt), None) => self.would_not_halt.push(braked(halt)),
            (None, None) | (Some(_), Some(_)) => {}
        }
    }

    /// Returns what the user had chosen last.
    #[must_use]
    pub fn chosen(&self) -> Policy {
        self.replay.engine().state().policy()
    }

    /// Compares what would be done now.
    #[must_use]
    pub fn finish(mut self, leaves_out: Option<LeavesOut<'_>>) -> Difference {
        let other = (self.choose)(self.replay.engine().state().policy());
        let before = self.replay.judge(self.last);
        let no_longer_synced = leaves_out.map_or(0, |leaves_out| self.leave_out(leaves_out));
        let after = self.replay.engine_mut().judge_as(other, self.last);
        let mut now = Groups::default();
        now.compare(&before, &after);
        let (planned, would) = (removals(&before), removals(&after));
        let count = |set: usize| u64::try_from(set).unwrap_or(u64::MAX);
        let brake = |judged: &Judged| judged.brake.as_ref().map(Brake::of);
        Difference {
            no_longer_synced,
            deleted: count(would.difference(&planned).count()),
            spared: count(planned.difference(&would).count()),
            brake: brake(&before),
            other_brake: brake(&after),
            now: now.changes(),
            history: self.history.changes(),
            history_deleted: count(self.removals[0].len()),
            history_spared: count(self.removals[1].len()),
            would_halt: self.would_halt,
            would_not_halt: self.would_not_halt,
            points: self.points,
        }
    }

    /// Folds what a scan with the filter would say. Returns how many synced files it
    /// leaves out.
    fn leave_out(&mut self, leaves_out: LeavesOut<'_>) -> u64 {
        let state = self.replay.engine().state();
        let is_left_out = |path: &RelPath, kind| {
            let mut above = path.parent();
            let mut hidden = leaves_out(path, kind);
            while let Some(directory) = above.filter(|it| !hidden && !it.is_root()) {
                hidden = leaves_out(&directory, Kind::Directory);
                above = directory.parent();
            }
            hidden
        };
        let synced = rows(state, Column::Synced).into_iter();
        let lost =
            synced.filter(|row| row.kind != Kind::Directory && is_left_out(&row.path, row.kind));
        let lost = lost.count();
        let mut unseen = Vec::new();
        for side in Side::BOTH {
            for row in rows(state, Column::Side(side)) {
                if !row.unknown && leaves_out(&row.path, row.kind) {
                    unseen.push((side, row.path));
                }
            }
        }
        let mut seq = self.replay.seq();
        for (side, path) in unseen {
            seq = seq.next();
            let reason = UnknownReason::Excluded;
            let event = ObservationEvent::Unknown { side, path, reason };
            self.replay.fold(&Record {
                seq,
                time: self.last,
                event: Event::Observation(event),
            });
        }
        u64::try_from(lost).unwrap_or(u64::MAX)
    }
}

impl Groups {
    fn compare(&mut self, before: &Judged, after: &Judged) {
        let judged = (before, after);
        let (before, after) = (deeds(before), deeds(after));
        let nodes: BTreeSet<u64> = before.keys().chain(after.keys()).copied().collect();
        for node in nodes {
            let (old, new) = (before.get(&node), after.get(&node));
            let words = |deed: Option<&(String, RelPath)>, judged: &Judged| match deed {
                Some((words, _)) => words.clone(),
                None if judged.brake.is_some() => "held back (H1)".to_owned(),
                None => "nothing".to_owned(),
            };
            let (old_words, new_words) = (words(old, judged.0), words(new, judged.1));
            if old_words == new_words {
                continue;
            }
            let group = self.0.entry((old_words, new_words)).or_default();
            let path = new.or(old).map(|(_, path)| path);
            if group.0.insert(node) && group.1.len() < EXAMPLES_MAX {
                group.1.extend(path.map(|path| path.as_str().to_owned()));
            }
        }
    }

    fn changes(self) -> Vec<Change> {
        let groups = self.0.into_iter();
        let changes = groups.map(|((before, after), (nodes, examples))| Change {
            before,
            after,
            count: u64::try_from(nodes.len()).unwrap_or(u64::MAX),
            examples,
        });
        let mut changes: Vec<Change> = changes.collect();
        changes.sort_by(|a, b| (b.count, &a.before, &a.after).cmp(&(a.count, &b.before, &b.after)));
        changes
    }
}

/// What is done with each node.
fn deeds(judged: &Judged) -> BTreeMap<u64, (String, RelPath)> {
    let held = judged.held.iter().map(|held| {
        let words = format!("{} held", held.case.letter());
        (held.node, (words, held.path.clone()))
    });
    let planned = judged.planned.iter();
    let planned = planned.map(|step| (step.node, (kind_words(step), step.path.clone())));
    held.chain(planned).collect()
}

fn removals(judged: &Judged) -> BTreeSet<u64> {
    let planned = judged.planned.iter();
    let removals = planned.filter(|step| step.deed == Deed::Remove);
    removals.map(|step| step.node).collect()
}

const EXAMPLES_MAX: usize = 5;
