//! A journal folded again, with what would be planned on the way.
//!
//! In: records in order. Out: at each decision point the plan, at the end the digest. A
//! *decision point* is the state right before a record that only a plan leads to (an
//! operation's start, an adoption, a conflict, a brake) and that follows one which no
//! plan leads to; while much is dirty, a quarter of it has to change in between, as the
//! engine itself does it. The plan there is this release's: so two releases over one
//! journal can be compared. Invariant: cost follows the journal: digests, which cost what
//! the trees hold, are bounded by [`DIGEST_NODES_MAX`]. Deliberately absent: printing.

use super::text::hex;
use blake3::Hasher;
use journal_format::event::{Case, ConflictEvent, Event, OperationEvent, Record, SessionEvent};
use journal_format::value::{RelPath, Seq, Side, Timestamp};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use sync_core::checkpoint;
use sync_core::engine::{Engine, Judged, Planned};
use sync_core::limits::FOLD_VERSION;

/// Folds a journal and plans at its decision points.
#[derive(Debug, Default)]
pub struct Replay {
    engine: Engine,
    changes: usize,
    /// Whether something happened since the last plan that no plan leads to.
    is_fresh: bool,
    hashed: u64,
}

/// A plan at a decision point, for people, programs and comparisons.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlanLine {
    /// The last event that the plan knows.
    pub seq: u64,
    /// How many nodes have a next step.
    pub count: u64,
    /// The same by rule, deed and side.
    pub by: BTreeMap<String, u64>,
    /// Which nodes are held, by rule.
    pub held: BTreeMap<String, u64>,
    /// Why all of it is held back, if it is.
    pub brake: Option<String>,
    /// A hash over all steps in a fixed order.
    pub hash: String,
    /// The first steps, in a fixed order.
    pub steps: Vec<String>,
    /// The state's digest, where it was not too much to compute.
    pub digest: Option<String>,
}

/// What a stamp in the journal says of this fold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stamp {
    /// The digest is the same.
    Agrees,
    /// The same version of the fold gave another digest.
    Differs,
    /// Another version of the fold stamped it, or it was too much to compute.
    Unchecked,
}

impl Replay {
    /// Begins with an empty state.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Begins with the state of an engine.
    #[must_use]
    pub fn behind(engine: Engine) -> Self {
        Self {
            engine,
            ..Self::default()
        }
    }

    /// Returns the engine as it is now.
    #[must_use]
    pub const fn engine(&self) -> &Engine {
        &self.engine
    }

    /// Returns the engine, to plan under another policy.
    pub const fn engine_mut(&mut self) -> &mut Engine {
        &mut self.engine
    }

    /// Returns the last event that was folded.
    #[must_use]
    pub fn seq(&self) -> Seq {
        self.engine.state().seq
    }

    /// Tells whether the state right before the next record is a decision point.
    pub fn decides_before(&mut self, next: &Record) -> bool {
        if !self.is_fresh || !follows_from_a_plan(&next.event) {
            return false;
        }
        let dirty = self.engine.state().tree.dirty().len();
        let is_one = dirty <= FEW_NODES || self.changes >= dirty / 4;
        if is_one {
            self.changes = 0;
            self.is_fresh = false;
        }
        is_one
    }

    /// Folds the next record.
    pub fn fold(&mut self, record: &Record) {
        self.engine.replay(record);
        self.changes += 1;
        self.is_fresh |= !follows_from_a_plan(&record.event);
    }

    /// Returns the digest, unless the trees of all digests so far are too much.
    pub fn digest(&mut self) -> Option<[u8; 16]> {
        let counts = self.engine.state().tree.counts();
        self.hashed += counts.present.iter().sum::<u64>().max(1);
        (self.hashed <= DIGEST_NODES_MAX).then(|| checkpoint::digest(self.engine.state()))
    }

    /// Checks a stamp against the state; before the stamp itself is folded.
    pub fn stamp(&mut self, record: &Record) -> Option<Stamp> {
        let Event::Session(SessionEvent::DigestStamped {
            digest,
            fold_version,
        }) = &record.event
        else {
            return None;
        };
        if *fold_version != FOLD_VERSION {
            return Some(Stamp::Unchecked);
        }
        Some(self.digest().map_or(Stamp::Unchecked, |found| {
            if found == *digest {
                Stamp::Agrees
            } else {
                Stamp::Differs
            }
        }))
    }

    /// Plans at this point.
    #[must_use]
    pub fn judge(&self, now: Timestamp) -> Judged {
        self.engine.judge(now)
    }

    /// Plans at this point, as a line.
    pub fn line(&mut self, now: Timestamp) -> PlanLine {
        let judged = self.judge(now);
        let digest = self.digest().map(|digest| hex(&digest));
        PlanLine::of(self.seq(), &judged, digest)
    }
}

impl PlanLine {
    fn of(seq: Seq, judged: &Judged, digest: Option<String>) -> Self {
        let mut steps: Vec<&Planned> = judged.planned.iter().collect();
        steps.sort_by(|a, b| (&a.path, a.node).cmp(&(&b.path, b.node)));
        let mut hasher = Hasher::new();
        let mut by = BTreeMap::new();
        for step in &steps {
            hasher.update(step_words(step).as_bytes());
            hasher.update(b"\n");
            *by.entry(kind_words(step)).or_default() += 1;
        }
        let mut held = BTreeMap::new();
        for node in &judged.held {
            *held.entry(node.case.letter().to_owned()).or_default() += 1;
        }
        Self {
            seq: seq.0,
            count: u64::try_from(steps.len()).unwrap_or(u64::MAX),
            by,
            held,
            brake: judged.brake.as_ref().map(super::explain::halt_words),
            hash: hasher.finalize().to_hex()[..HASH_DIGITS].to_owned(),
            steps: steps
                .iter()
                .take(STEPS_MAX)
                .map(|step| step_words(step))
                .collect(),
            digest,
        }
    }

    /// Returns the plan in one line, for people.
    #[must_use]
    pub fn words(&self) -> String {
        let counted = |map: &BTreeMap<String, u64>| {
            let each: Vec<String> = map.iter().map(|(what, n)| format!("{n} {what}")).collect();
            each.join(", ")
        };
        let mut text = match (self.count, &self.brake) {
            (_, Some(brake)) => format!("held back: {brake}"),
            (0, None) => "nothing to do".to_owned(),
            (1..=3, None) => self.steps.join("; "),
            (_, None) => counted(&self.by),
        };
        if !self.held.is_empty() {
            text.push_str(&format!("; held: {}", counted(&self.held)));
        }
        text
    }
}

/// A step in one line.
#[must_use]
pub fn step_words(step: &Planned) -> String {
    format!(
        "{} {}",
        kind_words(step),
        super::text::plain(step.path.as_str())
    )
}

/// Rule, deed and side of a step.
#[must_use]
pub fn kind_words(step: &Planned) -> String {
    kind_of(step.case, step.deed.word(), step.side)
}

fn kind_of(case: Case, deed: &str, side: Side) -> String {
    match deed {
        "adopt" => format!("{} adopt", case.letter()),
        "transfer" => {
            let verb = if side == Side::Remote {
                "upload"
            } else {
                "download"
            };
            format!("{} {verb}", case.letter())
        }
        deed => format!("{} {deed} {side}", case.letter()),
    }
}

/// Tells whether only a plan leads to an event.
pub(super) const fn follows_from_a_plan(event: &Event) -> bool {
    match event {
        Event::Operation(event) => matches!(
            event,
            OperationEvent::Started { .. } | OperationEvent::Adopted { .. }
        ),
        Event::Conflict(event) => matches!(event, ConflictEvent::Raised { .. }),
        Event::Session(event) => matches!(
            event,
            SessionEvent::HaltRaised { .. } | SessionEvent::HaltCleared { .. }
        ),
        Event::Observation(_) => false,
    }
}

/// A path's neighbours: itself and what lies right in it, as the three trees have it.
#[must_use]
pub fn around(engine: &Engine, path: &RelPath) -> Vec<[String; 4]> {
    use sync_core::look::{Column, around, row};
    let state = engine.state();
    let columns = [
        Column::Side(Side::Local),
        Column::Side(Side::Remote),
        Column::Synced,
    ];
    let lines = around(state, path, NEIGHBOURS_MAX).into_iter().map(|id| {
        let rows = columns.map(|column| row(&state.tree, id, column));
        let shown = state.tree.shown_path(id);
        let cell = |row: &Option<sync_core::look::Row>| match row {
            None => "-".to_owned(),
            Some(row) => cell_words(row, &shown),
        };
        let [local, remote, synced] = rows.each_ref().map(cell);
        [super::text::plain(shown.as_str()), local, remote, synced]
    });
    lines.collect()
}

fn cell_words(row: &sync_core::look::Row, shown: &RelPath) -> String {
    use journal_format::value::Kind;
    let mut text = match row.kind {
        Kind::File => super::text::size(row.size),
        Kind::Directory => "folder".to_owned(),
        Kind::Symlink => "link".to_owned(),
    };
    if let Some(digest) = &row.digest {
        text.push_str(&format!(" {}", &hex(digest.bytes())[..4]));
    }
    if row.unknown {
        text.push_str(" unknown");
    }
    if row.path != *shown {
        text.push_str(&format!(" at {}", super::text::plain(row.path.as_str())));
    }
    text
}

/// Up to this many dirty nodes are planned for at each decision point.
const FEW_NODES: usize = 64;
/// Nodes that all digests of one replay look at together.
const DIGEST_NODES_MAX: u64 = 4_000_000;
const STEPS_MAX: usize = 20;
const HASH_DIGITS: usize = 16;
const NEIGHBOURS_MAX: usize = 40;
