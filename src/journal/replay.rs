//! A journal folded again, with what would be planned on the way.
//!
//! In: records in order. Out: at each decision point the plan, at the end the digest. A
//! *decision point* is the state right before a record that only a plan leads to (an
//! operation's start, an adoption, a conflict, a brake) and that follows one which no
//! plan leads to; while much is dirty, a quarter of it has to change in between, as the
//! engine itself does it. The plan there is this release's: so two releases over one
//! journal can be compared. Invariant: cost follows the journal's length, whatever the
//! trees hold and however much stays dirty: plans and digests have a [`Purse`] each.
//! Deliberately absent: printing.

use super::text::{hex, plain};
use blake3::Hasher;
use journal_format::codec;
use journal_format::event::{
    Action, Case, ConflictEvent, Displaced, Event, HaltReason, Operation, OperationEvent, Record,
    SessionEvent,
};
use journal_format::value::{Kind, RelPath, Seq, Side, Timestamp};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use sync_core::checkpoint;
use sync_core::engine::{Engine, Judged, Planned};
use sync_core::limits::FOLD_VERSION;
use sync_core::look::{self, Column, Row};
use sync_core::state::Halt;

/// Folds a journal and plans at its decision points.
#[derive(Debug)]
pub struct Replay {
    engine: Engine,
    changes: usize,
    /// Whether something happened since the last plan that no plan leads to.
    is_fresh: bool,
    plans: Purse,
    steps: Purse,
    digests: Purse,
    stamps: Purse,
}

/// What may be spent on nodes that are looked at: a sum to begin with, and some more with
/// each event.
#[derive(Debug)]
struct Purse {
    nodes: u64,
    an_event: u64,
}

impl Purse {
    const fn spend(&mut self, nodes: u64) -> bool {
        let left = self.nodes.checked_sub(nodes);
        if let Some(left) = left {
            self.nodes = left;
        }
        left.is_some()
    }

    const fn earn(&mut self) {
        self.nodes = self.nodes.saturating_add(self.an_event);
    }
}

impl Default for Replay {
    fn default() -> Self {
        let purse = |nodes, an_event| Purse { nodes, an_event };
        Self {
            engine: Engine::new(),
            changes: 0,
            is_fresh: false,
            plans: purse(PLAN_NODES, 4),
            steps: purse(PLAN_NODES, 4),
            digests: purse(DIGEST_NODES, 1),
            stamps: purse(STAMP_NODES, 2),
        }
    }
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
    /// Why all of it is held back, if it is; then nothing is counted above.
    pub brake: Option<Brake>,
    /// What the brake holds back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub held_back: Option<HeldBack>,
    /// A hash over all steps in a fixed order.
    pub hash: String,
    /// The first steps, in a fixed order.
    pub steps: Vec<String>,
    /// The state's digest, where it was not too much to compute.
    pub digest: Option<String>,
}

/// Why a plan is held back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Brake {
    /// The reason.
    pub reason: HaltReason,
    /// The side that would lose something.
    pub side: Side,
    /// How many entries are at stake.
    pub count: u64,
}

/// The steps that a brake holds back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeldBack {
    /// How many nodes have one.
    pub count: u64,
    /// The same by rule, deed and side.
    pub by: BTreeMap<String, u64>,
    /// The first of them, in a fixed order; of the newest plan all.
    pub steps: Vec<String>,
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
        let is_one = self.changes >= dirty / 4
            || dirty <= FEW_NODES && self.plans.spend(u64::try_from(dirty).unwrap_or(u64::MAX));
        if is_one {
            self.changes = 0;
            self.is_fresh = false;
        }
        is_one
    }

    /// Tells whether a plan beside the decision points costs little here.
    pub fn is_cheap(&mut self) -> bool {
        let dirty = self.engine.state().tree.dirty().len();
        dirty <= FEW_NODES && self.steps.spend(u64::try_from(dirty).unwrap_or(u64::MAX))
    }

    /// Folds the next record.
    pub fn fold(&mut self, record: &Record) {
        self.engine.replay(record);
        self.changes += 1;
        let [plans, steps] = [&mut self.plans, &mut self.steps];
        for purse in [plans, steps, &mut self.digests, &mut self.stamps] {
            purse.earn();
        }
        self.is_fresh |= !follows_from_a_plan(&record.event);
    }

    /// Returns the digest, unless it costs too much beside the journal so far.
    pub fn digest(&mut self) -> Option<[u8; 16]> {
        let nodes = self.nodes();
        let can_be = self.digests.spend(nodes.saturating_mul(DIGEST_COST));
        can_be.then(|| checkpoint::digest(self.engine.state()))
    }

    fn nodes(&self) -> u64 {
        let counts = self.engine.state().tree.counts();
        counts.present.iter().sum::<u64>().max(1)
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
        let nodes = self.nodes();
        if *fold_version != FOLD_VERSION || !self.stamps.spend(nodes) {
            return Some(Stamp::Unchecked);
        }
        let is_same = checkpoint::digest(self.engine.state()) == *digest;
        Some(if is_same {
            Stamp::Agrees
        } else {
            Stamp::Differs
        })
    }

    /// Plans at this point.
    #[must_use]
    pub fn judge(&self, now: Timestamp) -> Judged {
        self.engine.judge(now)
    }

    /// Plans at this point, as a line.
    pub fn line(&mut self, now: Timestamp) -> PlanLine {
        self.line_with(now, STEPS_MAX)
    }

    /// As [`Self::line`], with everything that is held back: for the newest plan, which
    /// somebody may be about to approve.
    pub fn whole_line(&mut self, now: Timestamp) -> PlanLine {
        self.line_with(now, usize::MAX)
    }

    fn line_with(&mut self, now: Timestamp, held_back_max: usize) -> PlanLine {
        let judged = self.judge(now);
        let digest = self.digest().map(|digest| hex(&digest));
        let mut line = PlanLine::of(self.seq(), &judged, digest);
        if judged.brake.is_some() {
            let held = self.engine.judge_without_brakes(now);
            let Listed { by, steps, .. } = listed(&held, held_back_max);
            let count = u64::try_from(held.len()).unwrap_or(u64::MAX);
            line.held_back = Some(HeldBack { count, by, steps });
        }
        line
    }
}

impl Brake {
    /// The brake in a halt.
    #[must_use]
    pub const fn of(halt: &Halt) -> Self {
        Self {
            reason: halt.reason,
            side: halt.side,
            count: halt.count,
        }
    }

    /// Says why, for people.
    #[must_use]
    pub fn words(&self) -> String {
        super::explain::halt_words(&Halt {
            seq: Seq::ZERO,
            reason: self.reason,
            side: self.side,
            count: self.count,
            plan: [0; 16],
        })
    }
}

/// Steps in a fixed order.
struct Listed {
    by: BTreeMap<String, u64>,
    hash: String,
    steps: Vec<String>,
}

fn listed(planned: &[Planned], steps_max: usize) -> Listed {
    let mut planned: Vec<&Planned> = planned.iter().collect();
    planned.sort_by(|a, b| (&a.path, a.node).cmp(&(&b.path, b.node)));
    let mut hasher = Hasher::new();
    let mut by = BTreeMap::new();
    let mut steps = Vec::with_capacity(planned.len().min(steps_max));
    for step in &planned {
        let kind = kind_words(step);
        let words = format!(
            "{kind} {}{}",
            plain(step.path.as_str()),
            details(step.operation.as_ref())
        );
        hasher.update(words.as_bytes());
        hasher.update(b"\n");
        *by.entry(kind).or_default() += 1;
        if steps.len() < steps_max {
            steps.push(words);
        }
    }
    let hash = hasher.finalize().to_hex()[..HASH_DIGITS].to_owned();
    Listed { by, hash, steps }
}

impl PlanLine {
    fn of(seq: Seq, judged: &Judged, digest: Option<String>) -> Self {
        let Listed { by, hash, steps } = listed(&judged.planned, STEPS_MAX);
        let mut held = BTreeMap::new();
        for node in &judged.held {
            *held.entry(node.case.letter().to_owned()).or_default() += 1;
        }
        Self {
            seq: seq.0,
            count: u64::try_from(judged.planned.len()).unwrap_or(u64::MAX),
            by,
            held,
            brake: judged.brake.as_ref().map(Brake::of),
            held_back: None,
            hash,
            steps,
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
            (_, Some(brake)) => {
                let held = self.held_back.as_ref();
                let by = held.map_or_else(String::new, |held| format!(": {}", counted(&held.by)));
                format!("held back: {}{by}", brake.words())
            }
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

/// Rule, deed and side of a step.
#[must_use]
pub fn kind_words(step: &Planned) -> String {
    kind_of(step.case, step.deed.word(), step.side)
}

/// What else an operation says: other names, what becomes of a version that makes way,
/// and a mark that is another one when anything of it is, its preconditions included.
fn details(operation: Option<&Operation>) -> String {
    let Some(Operation { action, .. }) = operation else {
        return String::new();
    };
    let mut text = match action {
        Action::Transfer { source, target, .. } if source != target => {
            format!(" from {}", plain(source.as_str()))
        }
        Action::Move { from, .. } => format!(" from {}", plain(from.as_str())),
        _ => String::new(),
    };
    match action {
        Action::Transfer {
            displaced: Displaced::ConflictCopy(copy),
            ..
        } => text.push_str(&format!(", old version to {}", plain(copy.as_str()))),
        Action::Transfer {
            displaced: Displaced::Rescue,
            ..
        }
        | Action::Remove { rescue: true, .. } => text.push_str(", old version to the trash"),
        _ => {}
    }
    let bytes = codec::encode(action).unwrap_or_default();
    let mark = &blake3::hash(&bytes).to_hex()[..MARK_DIGITS];
    format!("{text} [{mark}]")
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

/// A node as the three trees have it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Neighbour {
    /// Its best name.
    pub path: RelPath,
    /// As the local side, the remote side and the baseline have it.
    pub rows: [Option<Row>; 3],
}

/// A path's neighbours: itself and what lies right in it.
#[must_use]
pub fn around(engine: &Engine, path: &RelPath) -> Vec<Neighbour> {
    let state = engine.state();
    let columns = [
        Column::Side(Side::Local),
        Column::Side(Side::Remote),
        Column::Synced,
    ];
    let found = look::around(state, path, NEIGHBOURS_MAX).into_iter();
    let neighbours = found.map(|id| Neighbour {
        path: state.tree.shown_path(id),
        rows: columns.map(|column| look::row(&state.tree, id, column)),
    });
    neighbours.collect()
}

impl Neighbour {
    /// Path, local, remote and synced, for people.
    #[must_use]
    pub fn cells(&self) -> [String; 4] {
        let cell = |row: &Option<Row>| match row {
            None => "-".to_owned(),
            Some(row) => cell_words(row, &self.path),
        };
        let [local, remote, synced] = self.rows.each_ref().map(cell);
        [plain(self.path.as_str()), local, remote, synced]
    }
}

fn cell_words(row: &Row, shown: &RelPath) -> String {
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
        text.push_str(&format!(" at {}", plain(row.path.as_str())));
    }
    text
}

/// Up to this many dirty nodes are planned for at each decision point.
const FEW_NODES: usize = 64;
/// What the purses hold at the beginning.
const PLAN_NODES: u64 = 1_000_000;
const DIGEST_NODES: u64 = 1_000_000;
/// A digest helps those who compare; it may take a small part of the time.
const DIGEST_COST: u64 = 4;
const STAMP_NODES: u64 = 4_000_000;
const STEPS_MAX: usize = 20;
const HASH_DIGITS: usize = 16;
const MARK_DIGITS: usize = 6;
const NEIGHBOURS_MAX: usize = 40;
