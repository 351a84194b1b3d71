//! How a path stands, in one sentence, and what can be done about it.
//!
//! In: the engine folded from the records about the path. Out: its fate. The plan is
//! the engine's own, so what is said to come next is what would come. Invariant: what
//! holds a path back is named before what would happen next. Deliberately absent: what
//! only a running job knows (whether a server answers). A new fate is an arm of
//! [`standing`].

use super::tell::{place_of, quote};
use super::words::{halt_words, rule, unknown_words};
use super::{Context, Fate, Runs, advice};
use crate::journal::text::time;
use journal_format::event::{
    Action, Case, Event, Keep, ObservationEvent, Operation, OperationEvent, Record, UnknownReason,
};
use journal_format::value::{Kind, RelPath, Seq, Side, Timestamp};
use sync_core::engine::{Deed, Engine, Planned};
use sync_core::limits::SETTLE_MS;
use sync_core::look::{self, Look};
use sync_core::tree::{NodeId, Presence};

/// What ended a path, as far as it was told.
#[derive(Debug, Default)]
pub(super) struct Ending {
    told: u64,
    /// When it was last seen to be gone, local and remote.
    gone: [Option<Timestamp>; 2],
    /// The side on which an operation removed it, and when.
    removed: Option<(Side, Timestamp)>,
    /// Whether that was a folder: what lay in it went before, each for itself.
    was_folder: bool,
}

pub(super) struct Standing {
    pub(super) fate: Fate,
    pub(super) answer: String,
    pub(super) place: Option<RelPath>,
    pub(super) advice: Vec<String>,
}

impl Ending {
    pub(super) fn take(&mut self, record: &Record, operation: Option<&Operation>) {
        self.told += 1;
        match &record.event {
            Event::Observation(ObservationEvent::Gone { side, .. }) => {
                self.gone[at(*side)] = Some(record.time);
            }
            Event::Observation(ObservationEvent::Observed { side, .. }) => {
                self.gone[at(*side)] = None;
                self.removed = None;
            }
            Event::Operation(OperationEvent::Succeeded { .. }) => {
                if let Some(Action::Remove { side, expect, .. }) = operation.map(|it| &it.action) {
                    self.removed = Some((*side, record.time));
                    self.was_folder = expect.kind == Kind::Directory;
                }
            }
            _ => {}
        }
    }

    /// When a folder was seen to be gone that was then removed here, with what lay in it.
    fn folder_gone(&self) -> Option<Timestamp> {
        let is_here = self.was_folder && matches!(self.removed, Some((Side::Local, _)));
        self.gone[at(Side::Remote)].filter(|_| is_here)
    }

    fn words(&self, path: &RelPath) -> String {
        let path = quote(path);
        match (self.removed, self.gone) {
            (Some((side, _)), gone) if gone[at(side.other())].is_some() => {
                let other = side.other();
                let seen = gone[at(other)].map_or_else(String::new, time);
                let deed = match side {
                    Side::Local if self.was_folder => "removed here",
                    Side::Local => "put into the trash here",
                    Side::Remote => "deleted there",
                };
                format!(
                    "{path} was deleted on the {other} side (seen {seen}), and so it was {deed} \
                     on the {side} side"
                )
                .replace(" here on the local side", " on the local side")
                .replace(" there on the remote side", " on the remote side")
            }
            (Some((side, at)), _) => {
                format!("{path} was removed on the {side} side at {}", time(at))
            }
            (None, [Some(_), Some(_)]) => format!("{path} was deleted on both sides"),
            (None, [Some(at), None]) => {
                format!("{path} was deleted on the local side (seen {})", time(at))
            }
            (None, [None, Some(at)]) => {
                format!("{path} was deleted on the remote side (seen {})", time(at))
            }
            (None, [None, None]) => format!("{path} is not there any more"),
        }
    }
}

/// Tells how a path stands.
pub(super) fn standing(
    path: &RelPath,
    engine: &Engine,
    id: Option<NodeId>,
    ending: &Ending,
    context: &Context,
) -> Standing {
    let state = engine.state();
    let found = id.and_then(|id| Some((id, look::look(state, id)?)));
    let Some((id, look)) = found else {
        return nowhere(path, ending, context);
    };
    let place = place_of(&look);
    let name = place.as_ref().unwrap_or(path);
    let (fate, mut answer, advice) = hidden(engine, id, &look, name)
        .or_else(|| settled(path, &look, name, state.paused, context))
        .or_else(|| held(engine, &look, name, context))
        .unwrap_or_else(|| coming(engine, &look, name, context));
    if name != path && fate != Fate::Synced {
        answer.push_str(&format!(" (it was {} before)", quote(path)));
    }
    Standing {
        fate,
        answer,
        place,
        advice,
    }
}

/// Tells of a journal whose beginning is missing: nothing is concluded from the rest.
pub(super) fn untold(path: &RelPath, ending: &Ending, context: &Context) -> Standing {
    let since = if ending.told == 0 {
        "; since then it says nothing of it"
    } else {
        ""
    };
    let answer = format!(
        "how {} stands cannot be told: this journal begins at event {}, and what was before is \
         not in it{since}",
        quote(path),
        context.begins
    );
    Standing {
        fate: Fate::Unknown,
        answer,
        place: None,
        advice: Vec::new(),
    }
}

fn nowhere(path: &RelPath, ending: &Ending, context: &Context) -> Standing {
    let (fate, answer, advice) = if ending.told == 0 {
        never_seen(path, context)
    } else {
        let mut answer = ending.words(path);
        let mut advice = Vec::new();
        if let Some(since) = ending.folder_gone() {
            answer.push_str("; files that were still in it were put into the trash one by one");
            advice.extend(advice::undo_since(context, since));
        }
        (Fate::Gone, answer, advice)
    };
    Standing {
        fate,
        answer,
        place: None,
        advice,
    }
}

/// Of what the journal has nothing. It may be newer than the last look at its folder.
fn never_seen(path: &RelPath, context: &Context) -> Answer {
    let mut advice = Vec::new();
    if context.runs == Runs::No {
        advice.push("the job does not run now: what is new since then is not in it".to_owned());
    }
    let spelling = "check how it is spelled, upper and lower case as well; what a filter has \
                    always left out is not in the journal";
    advice.push(spelling.to_owned());
    let (fate, answer) = if context.begins > Seq(1) {
        let answer = format!(
            "{} is not there, and this journal says nothing of it since event {}, where it begins",
            quote(path),
            context.begins
        );
        (Fate::Unknown, answer)
    } else {
        let answer = format!("the journal says nothing of {}", quote(path));
        (Fate::NeverSeen, answer)
    };
    (fate, answer, advice)
}

type Answer = (Fate, String, Vec<String>);

/// What cannot be seen: the path itself, or a folder above it.
fn hidden(engine: &Engine, id: NodeId, look: &Look, name: &RelPath) -> Option<Answer> {
    let state = engine.state();
    let above = |side| look::unknown_above(state, side, id);
    let (side, place, presence) = Side::BOTH.into_iter().find_map(|side| {
        let own = &look.sides[at(side)];
        match own.presence {
            Presence::Unknown(_) => Some((side, own.path.clone()?, own.presence)),
            Presence::Absent | Presence::Present => {
                above(side).map(|(place, presence)| (side, place, presence))
            }
        }
    })?;
    let Presence::Unknown(reason) = presence else {
        return None;
    };
    let fate = match reason {
        UnknownReason::Excluded => Fate::Ignored,
        _ => Fate::Problem,
    };
    let words = unknown_words(reason);
    let answer = if place == *name {
        format!(
            "{} is not synced: on the {side} side it {words}",
            quote(name)
        )
    } else {
        format!(
            "{} is not synced: on the {side} side its folder {} {words}",
            quote(name),
            quote(&place)
        )
    };
    Some((fate, answer, Vec::new()))
}

fn settled(
    path: &RelPath,
    look: &Look,
    name: &RelPath,
    is_paused: bool,
    context: &Context,
) -> Option<Answer> {
    if !look.in_sync {
        return None;
    }
    let answer = if name == path {
        format!("{} is in sync on both sides", quote(path))
    } else {
        format!(
            "{} is called {} now and is in sync on both sides",
            quote(path),
            quote(name)
        )
    };
    let mut advice = Vec::new();
    if is_paused {
        advice.push("the job is paused: what changes now waits until it goes on".to_owned());
        advice.extend(advice::go_on(context));
    }
    Some((Fate::Synced, answer, advice))
}

/// What holds a change back.
fn held(engine: &Engine, look: &Look, name: &RelPath, context: &Context) -> Option<Answer> {
    let state = engine.state();
    let judged = engine.judge(context.now);
    let case = judged.held.iter().find(|held| held.node == look.node);
    match case.map(|held| held.case) {
        Some(case @ (Case::C1 | Case::C2 | Case::C3)) => {
            let meaning = match case {
                Case::C1 if look.baseline.is_none() => "created differently on both sides",
                case => sync_core::meaning(case),
            };
            let answer = format!("{} waits for your decision: {meaning}", quote(name));
            return Some((Fate::Conflict, answer, advice::decide(context, case, name)));
        }
        Some(case @ Case::V1) => {
            let answer = format!("{} differs on purpose: {}", quote(name), rule(case));
            return Some((Fate::Diverged, answer, Vec::new()));
        }
        _ => {}
    }
    if look.open.is_some() {
        let answer = format!("{} is being worked on", quote(name));
        return Some((Fate::Working, answer, Vec::new()));
    }
    if let Some(halt) = &state.halt {
        let answer = format!(
            "{} is not synced, since the job is halted for safety: {}",
            quote(name),
            halt_words(halt)
        );
        let advice = advice::release(context, halt).into_iter().collect();
        return Some((Fate::Halted, answer, advice));
    }
    if state.paused {
        let answer = format!("{} is not synced yet: the job is paused", quote(name));
        let advice = advice::go_on(context).into_iter().collect();
        return Some((Fate::Paused, answer, advice));
    }
    None
}

/// What comes next, or what it waits for.
fn coming(engine: &Engine, look: &Look, name: &RelPath, context: &Context) -> Answer {
    let judged = engine.judge(context.now);
    let next = judged.planned.iter().find(|step| step.node == look.node);
    let mut advice = Vec::new();
    if context.runs == Runs::No {
        advice.push("the job does not run now; its next run goes on with it".to_owned());
    }
    if let Some(failure) = &look.failure {
        let detail = crate::journal::text::plain(&failure.detail);
        return match failure.retry_at {
            Some(at) => (
                Fate::Pending,
                format!(
                    "{} is not synced yet: {detail}; the next try is at {}",
                    quote(name),
                    time(at)
                ),
                advice,
            ),
            None => (
                Fate::Problem,
                format!("{} cannot be synced: {detail}", quote(name)),
                advice,
            ),
        };
    }
    let why = match (look.decided, next) {
        (Some(keep), next) => decided(keep, next),
        (None, Some(step)) => format!("{} is next, {}", deed(step), rule(step.case)),
        (None, None) => still_written(engine, look, context)
            .unwrap_or_else(|| "it waits for its turn".to_owned()),
    };
    let answer = format!("{} is not synced yet: {why}", quote(name));
    (Fate::Pending, answer, advice)
}

/// What follows from a person's decision. The rule's own reason is not told: it says what
/// is done where nobody decided.
fn decided(keep: Keep, next: Option<&Planned>) -> String {
    let what = match keep {
        Keep::Local => "the local version",
        Keep::Remote => "the remote version",
        Keep::Both => "both versions",
    };
    let then = next.map_or_else(
        || "that is done next".to_owned(),
        |step| format!("{} is next", deed(step)),
    );
    format!("you decided to keep {what}, {then}")
}

/// Says that a file waits until it is left alone, if that is all it waits for.
fn still_written(engine: &Engine, look: &Look, context: &Context) -> Option<String> {
    let judged = engine.judge(context.now.plus_millis(SETTLE_MS));
    let step = judged.planned.iter().find(|step| step.node == look.node)?;
    let newest = look.sides.iter().map(|side| side.mtime_ns).max()?;
    let written = Timestamp(newest.div_euclid(1_000_000));
    Some(format!(
        "it was written to a moment ago ({}), and a file that may still be written to is left \
         alone for {SETTLE_MS} ms; {} is next, {}",
        time(written),
        deed(step),
        rule(step.case)
    ))
}

const fn deed(step: &Planned) -> &'static str {
    match (step.deed, step.side) {
        (Deed::Adopt, _) => "recording that both sides agree",
        (Deed::Hash, _) => "comparing the content",
        (Deed::MakeDirectory, _) => "creating the folder",
        (Deed::Move, _) => "renaming",
        (Deed::Transfer, Side::Remote) => "uploading",
        (Deed::Transfer, Side::Local) => "downloading",
        (Deed::Remove, Side::Local) => "moving it to the trash",
        (Deed::Remove, Side::Remote) => "deleting it on the remote side",
    }
}

const fn at(side: Side) -> usize {
    match side {
        Side::Local => 0,
        Side::Remote => 1,
    }
}
