//! From the records about a path to its story.
//!
//! In: gathered records, in order, and the state before the journal's first one, if that
//! is not empty. Out: the explanation. They are folded twice: once to
//! find which object stood at the path last, once to tell what happened to it under
//! whatever name; a conflict copy was another one's version before. Invariant: an event
//! is told if it names the path or changes the object. Deliberately absent: sentences
//! (`words`), how things stand (`now`), who was whose version (`origin`).

use super::about::{beginning, concerns, names, names_itself, side_of_event};
use super::now::{self, Ending};
use super::origin::{Turn, line_to};
use super::trash::Trash;
use super::words::{Before, sentence, shown, side_of};
use super::{Context, Explanation, Told};
use journal_format::Tag;
use journal_format::event::{
    Action, Case, ConflictEvent, Event, ObservationEvent, Operation, OperationEvent, PathMove,
    Record, SessionEvent,
};
use journal_format::json::to_json;
use journal_format::value::{RelPath, Seq, Side};
use std::collections::{BTreeMap, VecDeque};
use sync_core::engine::Engine;
use sync_core::look::{self, Look};
use sync_core::state::State;
use sync_core::tree::{NodeId, Presence};

/// Tells what happened to a path.
#[must_use]
pub fn tell(
    path: &RelPath,
    records: &[Record],
    base: Option<&State>,
    context: &Context,
) -> Explanation {
    let begin = || base.map_or_else(Engine::new, |state| Engine::restore(state.clone()));
    let mut turns = line_to(path, records, begin());
    let chosen = turns.pop_front().map(|turn| turn.object);
    let mut teller = Teller {
        engine: begin(),
        path,
        object: chosen,
        turns,
        id: None,
        look: None,
        begun: BTreeMap::new(),
        ending: Ending::default(),
        halt: None,
        told: Vec::new(),
        trash: Trash::default(),
    };
    teller.find(true);
    records.iter().for_each(|record| teller.take(record));
    let Teller {
        engine,
        id,
        ending,
        mut told,
        trash,
        ..
    } = teller;
    let left_out = told.len().saturating_sub(EVENTS_MAX);
    let standing = if base.is_none() && context.begins > Seq(1) {
        now::untold(path, &ending, context)
    } else {
        now::standing(path, &engine, id, &ending, context)
    };
    Explanation {
        path: path.as_str().to_owned(),
        state: standing.fate,
        answer: standing.answer,
        place: standing.place.map(|place| place.as_str().to_owned()),
        advice: standing.advice,
        trash: trash.finish(context),
        events: told.split_off(left_out),
        left_out: u64::try_from(left_out).unwrap_or(u64::MAX),
        begins: context.begins.0,
    }
}

struct Teller<'a> {
    engine: Engine,
    path: &'a RelPath,
    /// The number of the object that the story is about.
    object: Option<u64>,
    /// Where the story goes on with another object, which keeps the version.
    turns: VecDeque<Turn>,
    id: Option<NodeId>,
    look: Option<Look>,
    /// What began and was told.
    begun: BTreeMap<Seq, Option<Operation>>,
    ending: Ending,
    /// The halt in force, while nothing of the object was held back by it.
    halt: Option<Told>,
    told: Vec<Told>,
    trash: Trash,
}

impl Teller<'_> {
    fn take(&mut self, record: &Record) {
        let before = self.look.take();
        let side = side_of_event(&record.event);
        let was_taken = look::is_taken(self.engine.state(), side, self.path);
        self.engine.replay(record);
        self.turn(record.seq);
        self.find(!matches!(record.event, Event::Session(_)));
        let is_taken = was_taken || look::is_taken(self.engine.state(), side, self.path);
        if !self.is_told(record, before.as_ref(), is_taken) {
            self.note_halt(record);
            return;
        }
        let is_waiting = self.look.as_ref().is_some_and(|look| !look.in_sync);
        if let Some(halt) = self.halt.take_if(|_| is_waiting) {
            self.begun.insert(Seq(halt.seq), None);
            self.told.push(halt);
        }
        let beginning = beginning(&record.event);
        let operation = match &record.event {
            Event::Operation(OperationEvent::Started { operation }) => {
                self.begun.insert(record.seq, Some(operation.clone()));
                None
            }
            _ => beginning.and_then(|seq| self.begun.get(&seq)?.clone()),
        };
        self.begun.entry(record.seq).or_default();
        self.ending.take(record, operation.as_ref());
        self.trash.take(record, operation.as_ref(), self.path);
        let at = self.place_before(record, before.as_ref());
        let known = Before {
            path: &at,
            look: before.as_ref(),
            operation: operation.as_ref(),
        };
        let text = sentence(&record.event, &known);
        self.told.push(told(record, self.path, &at, text));
    }

    /// Goes on with the copy once it is there: what ended the original is not its end.
    fn turn(&mut self, seq: Seq) {
        while let Some(turn) = self.turns.pop_front_if(|turn| turn.at <= seq) {
            self.object = Some(turn.object);
            self.id = None;
            self.ending = Ending::default();
            self.trash = Trash::default();
        }
    }

    /// Finds the object again, looking everywhere if it can have come.
    fn find(&mut self, can_be_new: bool) {
        let state = self.engine.state();
        let known = self.id;
        self.id = known
            .filter(|id| look::number(state, *id) == self.object)
            .or_else(|| {
                let wanted = self.object.filter(|_| can_be_new);
                wanted.and_then(|number| look::numbered(state, number))
            });
        self.look = self.id.and_then(|id| look::look(state, id));
    }

    /// Keeps a halt in mind: it is told once it holds something of the object back.
    fn note_halt(&mut self, record: &Record) {
        let Event::Session(event) = &record.event else {
            return;
        };
        match event {
            SessionEvent::HaltRaised { .. } => {
                let known = Before {
                    path: self.path,
                    look: None,
                    operation: None,
                };
                let text = sentence(&record.event, &known);
                self.halt = Some(told(record, self.path, self.path, text));
            }
            SessionEvent::HaltApproved { .. } | SessionEvent::HaltCleared { .. } => {
                self.halt = None;
            }
            _ => {}
        }
    }

    /// Tells whether an event is part of the story. A word about a folder above is only
    /// where something of ours is (`is_taken`: something is or was at the path): what has
    /// left it, or is in the trash, does not share its fate.
    fn is_told(&self, record: &Record, before: Option<&Look>, is_taken: bool) -> bool {
        if let Some(beginning) = beginning(&record.event) {
            return self.begun.contains_key(&beginning) || names(&record.event, self.path);
        }
        if let Event::Session(event) = &record.event {
            // Those that hold a change back are of interest while there is one.
            let is_waiting = self.look.as_ref().is_some_and(|look| !look.in_sync);
            return match event {
                SessionEvent::HaltRaised { .. } | SessionEvent::Ordered { .. } => is_waiting,
                SessionEvent::HaltApproved { halt, .. } | SessionEvent::HaltCleared { halt } => {
                    self.begun.contains_key(halt)
                }
                SessionEvent::HistoryLost { .. } | SessionEvent::RemoteRolledBack { .. } => {
                    self.look.is_some()
                }
                SessionEvent::Undone { .. } => {
                    let place = self.look.as_ref().or(before);
                    let place = place.and_then(|look| side_of(look, Side::Local).path.as_ref());
                    self.is_named(record, is_taken)
                        || place.is_some_and(|place| names(&record.event, place))
                }
                _ => false,
            };
        }
        let look = self.look.as_ref().or(before);
        let is_changed = before != self.look.as_ref() && !is_about_inside(record, look);
        let side = side_of_event(&record.event);
        let place = before.and_then(|look| side_of(look, side).path.as_ref());
        let mut places = before.into_iter().flat_map(|look| &look.sides);
        is_changed
            || self.is_named(record, is_taken)
            || place.is_some_and(|place| names(&record.event, place))
            || places.any(|side| {
                let place = side.path.as_ref();
                place.is_some_and(|place| {
                    names(&record.event, place) && names_itself(&record.event, place)
                })
            })
    }

    /// Tells whether an event is about what stands at the path that was asked for.
    fn is_named(&self, record: &Record, is_taken: bool) -> bool {
        let event = &record.event;
        names(event, self.path) && (is_taken || names_itself(event, self.path))
    }

    /// Where the object was on the side that an event speaks of, right before it.
    fn place_before(&self, record: &Record, before: Option<&Look>) -> RelPath {
        let side = match &record.event {
            Event::Observation(_) => side_of_event(&record.event),
            _ => Side::Local,
        };
        let place = before.and_then(|look| side_of(look, side).path.clone());
        place.unwrap_or_else(|| self.path.clone())
    }
}

/// Tells whether a record changes an object only in what lies inside it or above it
/// without a word for it: then it is no event of its story.
fn is_about_inside(record: &Record, look: Option<&Look>) -> bool {
    let Some(look) = look else { return false };
    let mut places: Vec<&RelPath> = look
        .sides
        .iter()
        .filter_map(|it| it.path.as_ref())
        .collect();
    places.extend(&look.baseline);
    match &record.event {
        Event::Operation(OperationEvent::Started { operation }) => {
            let action = &operation.action;
            let is_moved = |place: &&RelPath| match action {
                Action::Move { from, to, .. } => place.is_within(from) || place.is_within(to),
                Action::Transfer { source, .. } => *place == action.path() || *place == source,
                _ => *place == action.path(),
            };
            !places.iter().any(is_moved)
        }
        _ => false,
    }
}

/// An event with its sentence and what programs need of it.
fn told(record: &Record, path: &RelPath, at: &RelPath, text: String) -> Told {
    let case = case_of(&record.event);
    let mut record = record.clone();
    // One scan may find thousands of renames, one undo many changes.
    match &mut record.event {
        Event::Observation(ObservationEvent::Moved { moves, .. }) => {
            let is_about =
                |it: &PathMove, path: &RelPath| path.is_within(&it.from) || path.is_within(&it.to);
            moves.retain(|it| is_about(it, path) || is_about(it, at));
        }
        Event::Session(SessionEvent::Undone { changes, .. }) => {
            changes.retain(|it| concerns(it, path) || concerns(it, at));
        }
        _ => {}
    }
    Told {
        seq: record.seq.0,
        time: record.time.0,
        kind: Tag::of(&record.event).name().to_owned(),
        case: case.map(|case| case.letter().to_owned()),
        reason: case.map(|case| sync_core::reason(case).to_owned()),
        text,
        event: to_json(&record),
    }
}

/// The rule that an event names.
#[must_use]
pub const fn case_of(event: &Event) -> Option<Case> {
    match event {
        Event::Operation(OperationEvent::Started { operation }) => Some(operation.case),
        Event::Operation(OperationEvent::Adopted { case, .. })
        | Event::Conflict(ConflictEvent::Raised { case, .. }) => Some(*case),
        _ => None,
    }
}

/// The path of an object that is somewhere, and whether that is where it was asked for.
pub(super) fn place_of(look: &Look) -> Option<RelPath> {
    let present = |side: &&look::SideLook| side.presence == Presence::Present;
    let here = look.sides.iter().find(present).or_else(|| {
        let mut sides = look.sides.iter();
        sides.find(|side| side.path.is_some())
    });
    here.and_then(|side| side.path.clone())
}

/// A path between quotes.
pub(super) fn quote(path: &RelPath) -> String {
    format!("`{}`", shown(path))
}

/// Events that one explanation tells.
const EVENTS_MAX: usize = 500;
