//! Picks from a journal what is to be undone.
//!
//! In: records, in order, each once. Out: [`Undo`]. Invariants: an undo that took several
//! events is one; an operation that only carried an undo to the remote is part of that
//! undo, so that the last thing done is the undo itself; what was undone already within
//! what is meant stays as it is. Memory: what is open, what is meant, and the paths of
//! earlier undos; the trees, where changes made here are undone. Deliberately absent: what
//! a step is (`undo`).

use super::{Inverse, Left, Step, Undo, changes};
use journal_format::event::{
    Action, Change, Event, Operation, OperationEvent, Outcome, Record, SessionEvent,
};
use journal_format::value::{RelPath, Seq, Side, Timestamp};
use std::collections::{BTreeMap, BTreeSet};
use sync_core::engine::Engine;
use sync_core::look;

/// What is to be undone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Which {
    /// The operation or the undo with this number, or that this event ended.
    Event(Seq),
    /// The last thing done.
    Last,
    /// All that was done since.
    Since(Timestamp),
}

/// Takes records and keeps what is meant.
pub struct Collector {
    which: Which,
    /// What the local folder held, to undo what followed from changes there.
    engine: Option<Engine>,
    open: BTreeMap<Seq, Operation>,
    /// Local paths that an undo changed and that were not synced since.
    waiting: BTreeMap<RelPath, (Item, Change)>,
    /// An undo that the next event may go on with.
    undone: Option<Deed>,
    meant: Vec<Deed>,
}

/// Which event, and when.
#[derive(Debug, Clone, Copy)]
struct Item {
    seq: Seq,
    time: Timestamp,
}

/// Something that was done.
struct Deed {
    /// The operation, or the first event of an undo.
    item: Item,
    last: Seq,
    path: RelPath,
    result: Result<Vec<Change>, String>,
    is_undo: bool,
    /// The undo that it carried to the remote.
    carried: Option<Item>,
}

impl Collector {
    /// Begins. What was done on the remote because somebody did it here is left to that
    /// person.
    #[must_use]
    pub const fn new(which: Which) -> Self {
        Self {
            which,
            engine: None,
            open: BTreeMap::new(),
            waiting: BTreeMap::new(),
            undone: None,
            meant: Vec::new(),
        }
    }

    /// Begins to undo what followed from changes made here as well, by taking those back.
    /// The engine is the state before the first record.
    #[must_use]
    pub fn of_both_sides(which: Which, engine: Engine) -> Self {
        Self {
            engine: Some(engine),
            ..Self::new(which)
        }
    }

    /// Takes the next record.
    pub fn take(&mut self, record: &Record) {
        if let Some(engine) = &mut self.engine {
            engine.replay(record);
        }
        let item = Item {
            seq: record.seq,
            time: record.time,
        };
        match &record.event {
            Event::Session(SessionEvent::Undone { changes, .. }) => self.undone(item, changes),
            Event::Operation(OperationEvent::Started { operation }) => {
                self.end_undone();
                self.open.insert(record.seq, operation.clone());
            }
            Event::Operation(OperationEvent::Failed { operation, .. }) => {
                self.end_undone();
                self.open.remove(operation);
            }
            Event::Operation(OperationEvent::Succeeded { operation, outcome }) => {
                self.end_undone();
                if let Some(begun) = self.open.remove(operation) {
                    self.done(*operation, item, &begun, outcome);
                }
            }
            _ => self.end_undone(),
        }
    }

    /// Returns what is to be done, newest first.
    #[must_use]
    pub fn finish(mut self) -> Undo {
        self.end_undone();
        let meant: BTreeSet<Seq> = self.meant.iter().map(|deed| deed.item.seq).collect();
        let (mut left, mut net) = (Vec::new(), Net::default());
        for deed in self.meant {
            let Item { seq, time } = deed.item;
            let mut leave = |path: RelPath, reason: String| {
                left.push(Left {
                    undoes: seq,
                    time,
                    path,
                    reason,
                });
            };
            match (deed.carried, deed.result) {
                (Some(undone), _) => leave(
                    deed.path,
                    format!("it carried an undo; undo that one, event {}", undone.seq),
                ),
                (None, Err(reason)) => leave(deed.path, reason),
                (None, Ok(changes)) => {
                    for change in changes {
                        let is_known = |it: &Seq| deed.is_undo && *it < seq && meant.contains(it);
                        let known = change.undoes.filter(is_known);
                        match Inverse::of(&change) {
                            Some(inverse) => net.take(deed.item, known, &change, inverse),
                            None => leave(change.path, SENSELESS.to_owned()),
                        }
                    }
                }
            }
        }
        left.reverse();
        let steps = net.steps.into_iter().rev().flatten().collect();
        Undo { steps, left }
    }

    fn undone(&mut self, item: Item, changes: &[Change]) {
        if self
            .undone
            .as_ref()
            .is_some_and(|deed| deed.last.next() != item.seq)
        {
            self.end_undone();
        }
        let deed = self.undone.get_or_insert_with(|| Deed {
            item,
            last: item.seq,
            path: RelPath::root(),
            result: Ok(Vec::new()),
            is_undo: true,
            carried: None,
        });
        deed.last = item.seq;
        let begun = deed.item;
        if let Ok(known) = &mut deed.result {
            known.extend_from_slice(changes);
        }
        for change in changes {
            self.waiting
                .insert(change.path.clone(), (begun, change.clone()));
        }
    }

    fn end_undone(&mut self) {
        if let Some(deed) = self.undone.take() {
            self.keep(deed);
        }
    }

    fn done(&mut self, id: Seq, end: Item, operation: &Operation, outcome: &Outcome) {
        let here = |path: &RelPath| {
            let engine = self.engine.as_ref()?;
            look::entry(engine.state(), Side::Local, path)
        };
        let result = changes(id, operation, outcome, here);
        if result.as_ref().is_ok_and(Vec::is_empty) {
            return;
        }
        let carried = self.carries(&operation.action);
        self.keep(Deed {
            item: Item {
                seq: id,
                time: end.time,
            },
            last: end.seq,
            path: operation.action.path().clone(),
            result,
            is_undo: false,
            carried,
        });
    }

    /// The undo that an operation carries to the remote, if it does.
    fn carries(&mut self, action: &Action) -> Option<Item> {
        let path = match action {
            _ if action.side() != Side::Remote => return None,
            Action::Transfer { source, .. } => source,
            Action::Move { to, .. } => to,
            Action::MakeDirectory { path, .. } | Action::Remove { path, .. } => path,
            Action::Hash { .. } => return None,
        };
        let (item, change) = self.waiting.get(path)?;
        let is_it = match (action, &change.now) {
            (Action::Transfer { expect, .. }, Some(now)) => expect.fingerprint == now.fingerprint,
            (Action::Move { from, .. }, _) => change.from.as_ref() == Some(from),
            (Action::MakeDirectory { .. }, now) => now.is_some(),
            (Action::Remove { .. }, now) => now.is_none(),
            _ => false,
        };
        let item = *item;
        self.waiting.remove(path);
        is_it.then_some(item)
    }

    fn keep(&mut self, deed: Deed) {
        match self.which {
            Which::Event(seq) => {
                let is_meant = if deed.is_undo {
                    (deed.item.seq..=deed.last).contains(&seq)
                } else {
                    deed.item.seq == seq || deed.last == seq
                };
                if is_meant {
                    self.meant = vec![deed];
                }
            }
            Which::Last if deed.carried.is_none() => self.meant = vec![deed],
            Which::Last => {}
            Which::Since(time) => {
                let is_part = deed.carried.is_some_and(|undone| undone.time >= time);
                if deed.item.time >= time && !is_part {
                    self.meant.push(deed);
                }
            }
        }
    }
}

/// What remains when what was undone already is left alone.
#[derive(Default)]
struct Net {
    steps: Vec<Option<Step>>,
    at: BTreeMap<(Seq, RelPath), usize>,
}

impl Net {
    /// Takes a change, which may take back an earlier one that is meant as well: then
    /// neither remains.
    fn take(&mut self, item: Item, undoes: Option<Seq>, change: &Change, inverse: Inverse) {
        // A rename and the way back have the same two names.
        let from = change.from.as_ref().unwrap_or(&change.path);
        let name = from.min(&change.path).clone();
        if let Some(undoes) = undoes {
            if let Some(place) = self.at.remove(&(undoes, name.clone())) {
                self.steps[place] = None;
                return;
            }
            // A folder that was made only for what came back into it.
            if matches!(inverse, Inverse::RemoveFolder { .. }) {
                return;
            }
        }
        self.at.insert((item.seq, name), self.steps.len());
        self.steps.push(Some(Step {
            undoes: item.seq,
            time: item.time,
            inverse,
        }));
    }
}

const SENSELESS: &str = "the journal does not say what was done";
