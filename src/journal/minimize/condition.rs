//! What a smaller journal must still show.
//!
//! In: text of a person; records. Out: yes or no for the state that they fold to.
//! Invariant: a condition is about this release's fold and plan, never about a record's
//! mere presence, so that what is left is a cause. A new condition is a variant, an arm
//! of [`Condition::parse`], of `Display` and of [`Condition::holds`].

use crate::journal::replay::Replay;
use journal_format::event::{Case, Record};
use journal_format::value::{RelPath, Side, Timestamp};
use serde::Deserialize;
use serde::de::value::StrDeserializer;
use std::fmt;
use sync_core::checkpoint;
use sync_core::engine::{Deed, Engine, Planned};
use sync_core::state::State;

/// What has to show.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Condition {
    /// Versions at a path exclude one another.
    Conflict(RelPath),
    /// Something is planned, perhaps at a path.
    Operation(Kind, Option<RelPath>),
    /// A rule decides about some node.
    Rule(Case),
    /// A brake holds the plan back.
    Halt,
    /// The fold gives another digest after a checkpoint than without one.
    DigestMismatch,
}

/// A kind of operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Content to the remote side.
    Upload,
    /// Content to the local side.
    Download,
    /// A new folder on either side.
    MakeDirectory,
    /// A rename on either side.
    Move,
    /// A removal on either side.
    Remove,
    /// Content is read.
    Hash,
    /// The baseline moves.
    Adopt,
}

const KINDS: [(&str, Kind); 7] = [
    ("upload", Kind::Upload),
    ("download", Kind::Download),
    ("make_directory", Kind::MakeDirectory),
    ("move", Kind::Move),
    ("remove", Kind::Remove),
    ("hash", Kind::Hash),
    ("adopt", Kind::Adopt),
];

impl Condition {
    /// Reads `conflict:PATH`, `operation:KIND[:PATH]`, `rule:LETTER`, `halt` or
    /// `digest-mismatch`.
    ///
    /// # Errors
    /// What was expected, in words.
    pub fn parse(text: &str) -> Result<Self, String> {
        let (word, rest) = text.split_once(':').unwrap_or((text, ""));
        let path = |text: &str| {
            let path = RelPath::new(text.trim_matches('/'));
            let path = path.ok().filter(|path| !path.is_root());
            path.ok_or_else(|| format!("`{text}` is no path below the folder"))
        };
        match word {
            "conflict" => Ok(Self::Conflict(path(rest)?)),
            "operation" => {
                let (kind, at) = rest.split_once(':').unwrap_or((rest, ""));
                let known = KINDS.iter().find(|(name, _)| *name == kind);
                let Some((_, kind)) = known else {
                    let names: Vec<&str> = KINDS.iter().map(|(name, _)| *name).collect();
                    return Err(format!("operations are {}", names.join(", ")));
                };
                let at = (!at.is_empty()).then(|| path(at)).transpose()?;
                Ok(Self::Operation(*kind, at))
            }
            "rule" => letter(rest)
                .map(Self::Rule)
                .ok_or_else(|| format!("no rule has the letter `{rest}`")),
            "halt" if rest.is_empty() => Ok(Self::Halt),
            "digest-mismatch" | "digest" if rest.is_empty() => Ok(Self::DigestMismatch),
            _ => Err(
                "conditions are conflict:PATH, operation:KIND[:PATH], rule:LETTER, halt and \
                 digest-mismatch"
                    .to_owned(),
            ),
        }
    }

    /// Tells whether the condition shows in the state that all records fold to.
    #[must_use]
    pub fn shows_in(&self, records: &[Record]) -> bool {
        self.shows_behind(None, records)
    }

    /// As [`Self::shows_in`], for records that follow a state.
    #[must_use]
    pub fn shows_behind(&self, base: Option<&State>, records: &[Record]) -> bool {
        if *self == Self::DigestMismatch {
            return forgets_something(base, records);
        }
        let mut replay = Replay::behind(begun(base));
        records.iter().for_each(|record| replay.fold(record));
        let now = records.last().map_or(Timestamp(0), |last| last.time);
        self.holds(&replay, now).is_some()
    }

    /// Tells whether the condition shows now, and at which path if it is about one.
    #[must_use]
    pub fn holds(&self, replay: &Replay, now: Timestamp) -> Option<Option<RelPath>> {
        let judged = replay.judge(now);
        let state = replay.engine().state();
        match self {
            Self::Conflict(path) => judged
                .conflicts
                .iter()
                .find(|it| it.path == *path)
                .map(|it| Some(it.path.clone())),
            Self::Operation(kind, path) => judged
                .planned
                .iter()
                .find(|it| kind.is(it) && path.as_ref().is_none_or(|path| it.path == *path))
                .map(|it| Some(it.path.clone())),
            Self::Rule(Case::H1) | Self::Halt => {
                let by_root = state.halt.is_some_and(|halt| halt.plan == [0; 16]);
                (judged.brake.is_some() || by_root).then_some(None)
            }
            Self::Rule(case) => {
                let planned = judged.planned.iter().map(|it| (it.case, &it.path));
                let held = judged.held.iter().map(|it| (it.case, &it.path));
                let both = judged.conflicts.iter().map(|it| (it.case, &it.path));
                let mut all = planned.chain(held).chain(both);
                all.find(|(found, _)| found == case)
                    .map(|(_, path)| Some(path.clone()))
            }
            Self::DigestMismatch => None,
        }
    }
}

fn begun(base: Option<&State>) -> Engine {
    base.map_or_else(Engine::new, |state| Engine::restore(state.clone()))
}

/// Tells whether a state that went through a checkpoint folds on differently.
fn forgets_something(base: Option<&State>, records: &[Record]) -> bool {
    let fold = |engine: &mut Engine, records: &[Record]| {
        records.iter().for_each(|record| engine.replay(record));
    };
    let mut whole = begun(base);
    fold(&mut whole, records);
    let expected = checkpoint::digest(whole.state());
    let stride = (records.len() / SPLITS_MAX).max(1);
    (1..records.len()).step_by(stride).any(|place| {
        let mut engine = begun(base);
        fold(&mut engine, &records[..place]);
        let restored = checkpoint::decode(&checkpoint::encode(engine.state()));
        restored.map_or(true, |state| {
            let mut engine = Engine::restore(state);
            fold(&mut engine, &records[place..]);
            checkpoint::digest(engine.state()) != expected
        })
    })
}

impl Kind {
    fn is(self, step: &Planned) -> bool {
        match self {
            Self::Upload => step.deed == Deed::Transfer && step.side == Side::Remote,
            Self::Download => step.deed == Deed::Transfer && step.side == Side::Local,
            Self::MakeDirectory => step.deed == Deed::MakeDirectory,
            Self::Move => step.deed == Deed::Move,
            Self::Remove => step.deed == Deed::Remove,
            Self::Hash => step.deed == Deed::Hash,
            Self::Adopt => step.deed == Deed::Adopt,
        }
    }
}

impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Conflict(path) => write!(f, "conflict:{path}"),
            Self::Operation(kind, path) => {
                let name = KINDS.iter().find(|(_, known)| known == kind);
                write!(f, "operation:{}", name.map_or("", |(name, _)| name))?;
                path.as_ref().map_or(Ok(()), |path| write!(f, ":{path}"))
            }
            Self::Rule(case) => write!(f, "rule:{}", case.letter()),
            Self::Halt => f.write_str("halt"),
            Self::DigestMismatch => f.write_str("digest-mismatch"),
        }
    }
}

/// Returns the rule with this letter. It is stored by it, so its reader knows all.
#[must_use]
pub fn letter(text: &str) -> Option<Case> {
    Case::deserialize(StrDeserializer::<serde::de::value::Error>::new(text)).ok()
}

const SPLITS_MAX: usize = 64;
