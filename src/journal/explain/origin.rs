//! Which object a story is about, and whose version that was before.
//!
//! In: gathered records, folded once. Out: the object that stood at the path last; in
//! front of a conflict copy, or of what was kept of an edit in the last moment, the object
//! whose version it is, and so on back. Invariant: an object has one origin, the first
//! that is seen. Deliberately absent: the story (`tell`).

use super::about::copied;
use journal_format::event::{Event, ObservationEvent, OperationEvent, Record};
use journal_format::value::{RelPath, Seq};
use std::collections::{BTreeMap, VecDeque};
use sync_core::engine::Engine;
use sync_core::look;
use sync_core::state::State;
use sync_core::tree::NodeId;

/// From an event on the story is about an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Turn {
    pub(super) at: Seq,
    pub(super) object: u64,
}

/// Finds the object that stood at the path last, behind those whose version it was.
pub(super) fn line_to(path: &RelPath, records: &[Record], mut engine: Engine) -> VecDeque<Turn> {
    let mut last = None;
    let mut origins = Origins::default();
    // Before the first record there may be something as well.
    for record in std::iter::once(None).chain(records.iter().map(Some)) {
        if let Some(record) = record {
            engine.replay(record);
            origins.take(record, engine.state());
        }
        let state = engine.state();
        let here = look::at(state, path);
        let is_there = |id: &&NodeId| {
            look::look(state, **id).is_some_and(|look| {
                let mut sides = look.sides.iter();
                sides.any(|side| side.path.as_ref() == Some(path))
            })
        };
        let best = here.iter().find(is_there).or_else(|| here.first());
        if let Some(number) = best.and_then(|id| look::number(state, *id)) {
            last = Some(number);
        }
    }
    let mut line = VecDeque::new();
    let mut next = last;
    while let Some(object) = next {
        let origin = origins.known.remove(&object);
        let at = origin.map_or(Seq::ZERO, |origin| origin.at);
        line.push_front(Turn { at, object });
        next = origin.map(|origin| origin.object);
    }
    line
}

#[derive(Default)]
struct Origins {
    /// Objects at work, by operation, with the paths that these would keep a version at.
    begun: BTreeMap<Seq, (u64, Option<RelPath>)>,
    /// Where a copy came to be, and of which object.
    known: BTreeMap<u64, Turn>,
}

impl Origins {
    fn take(&mut self, record: &Record, state: &State) {
        match &record.event {
            Event::Operation(OperationEvent::Started { operation }) => {
                let nodes = look::at(state, operation.action.path());
                let at_work = nodes.into_iter().filter_map(|id| look::look(state, id));
                let mut at_work = at_work.filter(|look| look.open == Some(record.seq));
                if let Some(look) = at_work.next() {
                    let copy = copied(&record.event).map(|(copy, _)| copy.clone());
                    self.begun.insert(record.seq, (look.node, copy));
                }
            }
            Event::Operation(OperationEvent::Succeeded { operation, outcome }) => {
                let begun = self.begun.get(operation).map(|(object, _)| *object);
                for kept in &outcome.kept {
                    self.comes(state, &kept.path, begun, record.seq);
                }
            }
            // After a crash a copy is found where it was to be.
            Event::Observation(ObservationEvent::Observed { path, .. }) => {
                let mut begun = self.begun.values();
                let of = begun.find(|(_, copy)| copy.as_ref() == Some(path));
                let of = of.map(|(object, _)| *object);
                self.comes(state, path, of, record.seq);
            }
            _ => {}
        }
    }

    fn comes(&mut self, state: &State, path: &RelPath, of: Option<u64>, at: Seq) {
        let Some(of) = of else { return };
        for id in look::at(state, path) {
            if let Some(object) = look::number(state, id).filter(|object| *object != of) {
                self.known.entry(object).or_insert(Turn { at, object: of });
            }
        }
    }
}
