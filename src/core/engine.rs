//! The engine's facade: inputs go in, records and operations come out.
//!
//! In: `Input`s with the time. Out: records to append (`take_records`), operations to
//! run once their start is durable (`next_operation`), scans to make (`next_scan`),
//! a time to come back (`deadline`). Invariant: nothing leaves here that a crash
//! could make untrue: whoever starts an operation must first have made the records
//! durable. Deliberately absent: IO. A crash drops the engine; `Engine::restore` and
//! a replay of the journal bring it back.

use crate::decide::{Busy, Ledger, Round, Session, failed, found_root};
use crate::fold::fold;
use crate::input::{Found, Input};
use crate::plan::{self, Plan, Waiting};
use crate::schedule::{self, Schedule};
use crate::state::{Halt, State};
use crate::tree::index;
use journal_format::event::{
    Action, Case, ConflictEvent, Event, Operation, OperationEvent, Record, SessionEvent,
};
use journal_format::value::{DigestKind, Policy, RelPath, Seq, Side, Timestamp};
use std::collections::{BTreeMap, BTreeSet};

pub use crate::input::RootVerdict;

/// One job's engine.
#[derive(Debug, Default)]
pub struct Engine {
    ledger: Ledger,
    schedule: Schedule,
    busy: Busy,
    rounds: [Option<Round>; 2],
    /// Sides that were scanned whole since the start.
    scanned: [bool; 2],
    wanted: [Wanted; 2],
    epoch: u64,
    waiting: Waiting,
    stale: bool,
    planned_at_left: usize,
    draining: bool,
}

/// What should be scanned.
#[derive(Debug, Default)]
struct Wanted {
    everything: bool,
    /// Paths, and whether all below is meant as well.
    paths: BTreeMap<RelPath, bool>,
}

/// A scan to make.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WantedScan {
    /// Paths, and whether all below is meant; the root with all below for a scan
    /// of the whole side.
    pub targets: Vec<(RelPath, bool)>,
    /// Whether the whole side is meant.
    pub whole: bool,
}

/// Who a new journal is for.
#[derive(Debug, Clone)]
pub struct Identity {
    /// The job's id.
    pub job: String,
    /// The label for conflict names.
    pub label: String,
    /// The hash function for content.
    pub digest: DigestKind,
    /// Whether a side cannot hold names that differ in case only.
    pub fold_case: bool,
    /// What the user chose.
    pub policy: Policy,
}

/// How things stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Standing {
    /// Nodes that differ and will be worked on.
    pub pending: u64,
    /// Conflicts that wait for a person.
    pub conflicts: u64,
    /// Nodes that cannot be synced for now.
    pub problems: u64,
    /// Nodes in which a one-way target differs on purpose.
    pub divergences: u64,
    /// The halt in force.
    pub halt: Option<Halt>,
}

/// Something that a person should know of one node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remark {
    /// Where.
    pub path: RelPath,
    /// The rule that holds it.
    pub case: Case,
    /// What is the matter.
    pub detail: String,
}

impl Engine {
    /// Makes the engine of a journal without a checkpoint; replay follows.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Makes the engine from a folded state; replay of the rest follows.
    #[must_use]
    pub fn restore(state: State) -> Self {
        Self {
            ledger: Ledger {
                state,
                ..Ledger::default()
            },
            ..Self::default()
        }
    }

    /// Folds a record of the journal, at the start.
    pub fn replay(&mut self, record: &Record) {
        fold(&mut self.ledger.state, record);
    }

    /// Ends the replay: who writes from here on, for whom. Operations that the
    /// journal left open are in doubt; the caller has put away what they left.
    pub fn begin(&mut self, release: &str, seed: u64, identity: &Identity, now: Timestamp) {
        self.ledger.now = now;
        self.ledger.session = Some(Session {
            release: release.to_owned(),
            seed,
        });
        self.ledger.state.tree.take_touched();
        self.configure(identity);
        let open: Vec<Seq> = self.ledger.state.open.keys().copied().collect();
        for operation in open {
            let class = journal_format::event::FailureClass::InDoubt;
            failed(
                &mut self.ledger,
                operation,
                class,
                "the process stopped meanwhile",
                None,
            );
        }
        self.wanted
            .iter_mut()
            .for_each(|wanted| wanted.everything = true);
        self.stale = true;
    }

    fn configure(&mut self, identity: &Identity) {
        match &self.ledger.state.root {
            None => {
                self.ledger
                    .emit(Event::Session(SessionEvent::RootConfigured {
                        job: identity.job.clone(),
                        label: identity.label.clone(),
                        rules_version: crate::limits::RULES_VERSION,
                        digest: identity.digest,
                        fold_case: identity.fold_case,
                        policy: identity.policy,
                    }));
            }
            Some(root) if root.policy != identity.policy => {
                let policy = identity.policy;
                self.ledger
                    .emit(Event::Session(SessionEvent::PolicyChanged { policy }));
            }
            Some(_) => {}
        }
    }

    /// Returns the folded state.
    #[must_use]
    pub fn state(&self) -> &State {
        &self.ledger.state
    }

    /// Judges what was found where a root should be.
    pub fn root_found(
        &mut self,
        side: Side,
        finding: &crate::input::RootFinding,
        now: Timestamp,
    ) -> RootVerdict {
        self.ledger.now = now;
        let verdict = found_root(&mut self.ledger, side, finding);
        if verdict == RootVerdict::Halted {
            self.schedule.clear();
        }
        self.stale = true;
        verdict
    }

    /// Takes an input.
    pub fn handle(&mut self, input: Input, now: Timestamp) {
        self.ledger.now = now;
        match input {
            Input::Root { side, finding } => {
                self.root_found(side, &finding, now);
            }
            Input::ScanStarted { side, whole } => {
                self.epoch += 1;
                self.rounds[index(side)] = Some(Round::new(&self.ledger, side, self.epoch, whole));
            }
            Input::Scanned { side, found } => self.scanned(side, found),
            Input::ScanFinished { side, complete } => self.scan_finished(side, complete),
            Input::Hint {
                side,
                path,
                subtree,
            } => self.hint(side, path, subtree),
            Input::Succeeded { operation, outcome } => {
                let event = OperationEvent::Succeeded { operation, outcome };
                self.ended(operation, true, |ledger| {
                    ledger.emit(Event::Operation(event));
                });
            }
            Input::Failed {
                operation,
                class,
                detail,
                retry_after_ms,
            } => {
                self.look_again_after(operation);
                self.ended(operation, false, |ledger| {
                    failed(ledger, operation, class, &detail, retry_after_ms);
                });
            }
            Input::Tick => self.stale = true,
            Input::Approve { by } => self.approve(by),
            Input::Resolve { path, keep, by } => self.resolve(&path, keep, by),
            Input::Configure { policy } => {
                if self.ledger.state.policy() != policy {
                    self.ledger
                        .emit(Event::Session(SessionEvent::PolicyChanged { policy }));
                    self.schedule.clear();
                    self.stale = true;
                }
            }
            Input::HistoryLost { expected } => {
                let found = self.ledger.state.seq;
                let lost = SessionEvent::HistoryLost { expected, found };
                self.ledger.emit(Event::Session(lost));
            }
            Input::Stopping => self.stopping(),
        }
        self.absorb_changes();
    }

    fn scanned(&mut self, side: Side, found: Found) {
        if let Some(round) = &mut self.rounds[index(side)] {
            round.accept(&mut self.ledger, &self.busy, found);
        }
    }

    fn scan_finished(&mut self, side: Side, complete: bool) {
        let Some(round) = self.rounds[index(side)].take() else {
            return;
        };
        let whole = round.is_whole();
        let again = round.finish(&mut self.ledger, &self.busy, complete);
        let wanted = &mut self.wanted[index(side)];
        wanted
            .paths
            .extend(again.into_iter().map(|path| (path, true)));
        if !complete {
            wanted.everything = true;
        } else if whole {
            self.scanned[index(side)] = true;
        }
        self.prune_busy();
        self.stale = true;
    }

    fn hint(&mut self, side: Side, path: Option<RelPath>, subtree: bool) {
        let wanted = &mut self.wanted[index(side)];
        match path {
            Some(path) if wanted.paths.len() < HINTS_MAX => {
                *wanted.paths.entry(path).or_default() |= subtree;
            }
            _ => {
                wanted.everything = true;
                wanted.paths.clear();
            }
        }
    }

    fn ended(&mut self, id: Seq, success: bool, append: impl FnOnce(&mut Ledger)) {
        let Some(open) = self.ledger.state.open.get(&id) else {
            return;
        };
        let operation = open.operation.clone();
        append(&mut self.ledger);
        self.busy.ended(&operation, self.ledger.state.seq);
        if success {
            self.follow(&operation);
        }
        self.prune_busy();
        self.schedule.ended(id, success);
        self.stale = true;
    }

    /// Paths to look at that lie in a directory that we moved are looked at there.
    fn follow(&mut self, operation: &Operation) {
        let Action::Move { side, from, to, .. } = &operation.action else {
            return;
        };
        let paths = &mut self.wanted[index(*side)].paths;
        let inside = paths.iter().filter(|(path, _)| path.is_within(from));
        let moved: Vec<(RelPath, bool)> = inside
            .filter_map(|(path, subtree)| {
                let rest = &path.as_str()[from.as_str().len()..];
                Some((RelPath::new(format!("{to}{rest}")).ok()?, *subtree))
            })
            .collect();
        for (path, subtree) in moved {
            *paths.entry(path).or_default() |= subtree;
        }
    }

    /// What a failed operation met is not what we knew.
    fn look_again_after(&mut self, id: Seq) {
        let Some(open) = self.ledger.state.open.get(&id) else {
            return;
        };
        for (side, path) in paths_of(&open.operation) {
            self.wanted[index(side)].paths.insert(path, true);
        }
    }

    fn prune_busy(&mut self) {
        self.busy
            .prune(self.rounds.iter().flatten().map(Round::since).min());
    }

    fn approve(&mut self, by: String) {
        if let Some(halt) = self.ledger.state.halt {
            let approved = SessionEvent::HaltApproved { halt: halt.seq, by };
            self.ledger.emit(Event::Session(approved));
            self.stale = true;
        }
    }

    fn resolve(&mut self, path: &RelPath, keep: journal_format::event::Keep, by: String) {
        let state = &self.ledger.state;
        let node = Side::BOTH.into_iter().find_map(|side| {
            state
                .tree
                .lookup(side, path)
                .filter(|id| state.conflicts.contains_key(id))
        });
        if let Some(conflict) = node.and_then(|id| state.conflicts.get(&id)) {
            let resolved = ConflictEvent::Resolved {
                conflict: conflict.seq,
                keep,
                by,
            };
            self.ledger.emit(Event::Conflict(resolved));
            self.stale = true;
        }
    }

    fn stopping(&mut self) {
        self.schedule.clear();
        if self.ledger.session.is_none() {
            self.ledger
                .emit(Event::Session(SessionEvent::SessionStopped));
        }
    }

    /// Steps planned for nodes that changed are void; conflicts that are over are
    /// settled.
    fn absorb_changes(&mut self) {
        let mut settled = Vec::new();
        for node in self.ledger.state.tree.take_touched() {
            self.schedule.drop_node(node);
            let state = &self.ledger.state;
            let is_over = state.tree.get(node).is_some() && state.tree.is_in_sync(node);
            if is_over && let Some(conflict) = state.conflicts.get(&node) {
                settled.push(conflict.seq);
            }
            self.stale = true;
        }
        for conflict in settled {
            self.ledger
                .emit(Event::Conflict(ConflictEvent::Settled { conflict }));
        }
    }

    /// Starts nothing more; what is in flight ends.
    pub fn drain(&mut self) {
        self.draining = true;
        self.schedule.clear();
    }

    /// Plans if something changed, and starts what may start. The records of the
    /// starts are in [`Engine::take_records`]; an operation may run once its own
    /// is durable.
    pub fn start_operations(&mut self, now: Timestamp) -> Vec<(Seq, Operation)> {
        self.ledger.now = now;
        let mut started = Vec::new();
        loop {
            self.replan();
            // What was adopted may free the way for more.
            if !self.start_ready(&mut started) {
                return started;
            }
        }
    }

    /// Starts what may start. Tells whether anything was adopted meanwhile.
    fn start_ready(&mut self, started: &mut Vec<(Seq, Operation)>) -> bool {
        let mut adopted = false;
        loop {
            let (state, busy) = (&self.ledger.state, &self.busy);
            let next = self.schedule.next(|step| {
                schedule::is_adoption(step)
                    || plan::operation(state, step)
                        .is_none_or(|operation| schedule::is_unhindered(&operation, busy))
            });
            let Some((place, step)) = next else {
                return adopted;
            };
            if schedule::is_adoption(&step) {
                self.adopt(&step);
                self.schedule.conclude(place, true);
                self.absorb_changes();
                adopted = true;
                continue;
            }
            let Some(operation) = plan::operation(&self.ledger.state, &step) else {
                self.schedule.conclude(place, false);
                continue;
            };
            let event = OperationEvent::Started {
                operation: operation.clone(),
            };
            let id = self.ledger.emit(Event::Operation(event));
            self.busy.started(&operation);
            self.schedule.started(place, id, &operation);
            started.push((id, operation));
        }
    }

    fn adopt(&mut self, step: &plan::Step) {
        let state = &self.ledger.state;
        if !state.is_node(step.node, step.uid) {
            return;
        }
        let paths = Side::BOTH.map(|side| state.tree.path(side, step.node));
        if let [Some(local), Some(remote)] = paths {
            let adopted = OperationEvent::Adopted {
                local,
                remote,
                case: step.case,
            };
            self.ledger.emit(Event::Operation(adopted));
        }
    }

    /// Plans anew when that is worth it: at once when the queue is short, else
    /// when half of it is done, so that a long queue is not planned over and over.
    fn replan(&mut self) {
        let scanning = self.rounds.iter().any(Option::is_some);
        let is_due = self
            .waiting
            .deadline
            .is_some_and(|deadline| deadline <= self.ledger.now);
        let worth_it =
            self.schedule.left() <= SHORT_QUEUE || self.schedule.left() <= self.planned_at_left / 2;
        if !(self.stale || is_due) || scanning || self.draining || !worth_it {
            return;
        }
        if !self.scanned.iter().all(|scanned| *scanned) {
            return;
        }
        self.stale = false;
        let about_root = self
            .ledger
            .state
            .halt
            .is_some_and(|halt| halt.plan == [0; 16]);
        if about_root {
            self.schedule.clear();
            return;
        }
        let Plan {
            ordered,
            waiting,
            brake,
            conflicts,
        } = plan::plan(&self.ledger.state, self.ledger.now);
        self.waiting = waiting;
        self.schedule.load(ordered);
        self.planned_at_left = self.schedule.left();
        self.brake(brake);
        self.raise(&conflicts);
        self.ledger.state.tree.take_touched();
    }

    fn brake(&mut self, brake: Option<plan::Brake>) {
        let standing = self.ledger.state.halt;
        match (standing, brake) {
            (None, None) => {}
            (Some(halt), None) => {
                let cleared = SessionEvent::HaltCleared { halt: halt.seq };
                self.ledger.emit(Event::Session(cleared));
            }
            (Some(halt), Some(brake)) if halt.plan == brake.plan && halt.reason == brake.reason => {
            }
            (_, Some(brake)) => {
                let plan::Brake {
                    reason,
                    side,
                    count,
                    plan,
                } = brake;
                let raised = SessionEvent::HaltRaised {
                    reason,
                    side,
                    count,
                    plan,
                };
                self.ledger.emit(Event::Session(raised));
            }
        }
    }

    fn raise(&mut self, conflicts: &[(crate::tree::NodeId, Case)]) {
        for (node, case) in conflicts {
            let state = &self.ledger.state;
            if state.conflicts.contains_key(node) || state.tree.get(*node).is_none() {
                continue;
            }
            let shown = state.tree.shown_path(*node);
            let [local, remote] = Side::BOTH.map(|side| {
                state
                    .tree
                    .path(side, *node)
                    .unwrap_or_else(|| shown.clone())
            });
            let raised = ConflictEvent::Raised {
                local,
                remote,
                case: *case,
            };
            self.ledger.emit(Event::Conflict(raised));
        }
    }

    /// Takes the records that were decided since the last call, in order.
    pub fn take_records(&mut self) -> Vec<Record> {
        std::mem::take(&mut self.ledger.outbox)
    }

    /// Returns the scan that a side needs now, if it needs one and none runs. Paths
    /// at which operations are at work wait.
    pub fn next_scan(&mut self, side: Side) -> Option<WantedScan> {
        if self.rounds[index(side)].is_some() {
            return None;
        }
        let wanted = &mut self.wanted[index(side)];
        if wanted.everything {
            *wanted = Wanted::default();
            return Some(WantedScan {
                targets: vec![(RelPath::root(), true)],
                whole: true,
            });
        }
        let busy = &self.busy;
        let paths = std::mem::take(&mut wanted.paths);
        let (later, targets): (BTreeMap<_, _>, BTreeMap<_, _>) = paths
            .into_iter()
            .partition(|(path, _)| busy.is_open_at(side, path));
        wanted.paths = later;
        (!targets.is_empty()).then(|| WantedScan {
            targets: targets.into_iter().collect(),
            whole: false,
        })
    }

    /// Asks for a scan of everything.
    pub fn want_everything(&mut self, side: Side) {
        self.wanted[index(side)].everything = true;
    }

    /// Returns when to call [`Engine::start_operations`] again at the latest.
    #[must_use]
    pub fn deadline(&self) -> Option<Timestamp> {
        self.waiting.deadline
    }

    /// Returns the same, leaving out what failed several times or for good.
    #[must_use]
    pub fn hopeful_deadline(&self) -> Option<Timestamp> {
        self.waiting.soon
    }

    /// Tells whether nothing runs and nothing could be started or scanned now.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.ledger.state.open.is_empty()
            && self.schedule.left() == 0
            && self.rounds.iter().all(Option::is_none)
            && self
                .wanted
                .iter()
                .all(|wanted| !wanted.everything && wanted.paths.is_empty())
            && self.scanned.iter().all(|scanned| *scanned)
            && !self.stale
    }

    /// Returns how many operations are planned or in flight, and their bytes.
    #[must_use]
    pub fn outstanding(&self) -> u64 {
        let planned = self.schedule.left() + self.ledger.state.open.len();
        u64::try_from(planned).unwrap_or(u64::MAX)
    }

    /// Tells how things stand.
    #[must_use]
    pub fn standing(&self) -> Standing {
        let state = &self.ledger.state;
        let count = |n: usize| u64::try_from(n).unwrap_or(u64::MAX);
        let problems = self.problem_nodes().len();
        let stuck = |cases: &[Case]| {
            count(
                self.waiting
                    .stuck
                    .iter()
                    .filter(|(_, case)| cases.contains(case))
                    .count(),
            )
        };
        let unresolved = state.conflicts.iter().filter(|(node, conflict)| {
            conflict.resolution.is_none() && self.waiting.stuck.iter().any(|(id, _)| id == *node)
        });
        Standing {
            pending: count(state.tree.dirty().len()),
            conflicts: count(unresolved.count()),
            problems: count(problems),
            divergences: stuck(&[Case::V1]),
            halt: state.halt,
        }
    }

    fn problem_nodes(&self) -> BTreeSet<crate::tree::NodeId> {
        let state = &self.ledger.state;
        state
            .tree
            .unknown()
            .chain(state.failures.keys().copied())
            .collect()
    }

    /// Lists what cannot be synced for now, and why.
    #[must_use]
    pub fn problems(&self) -> Vec<Remark> {
        let state = &self.ledger.state;
        let remark = |id| {
            let detail = state.failures.get(&id).map_or_else(
                || crate::projection::unknown_detail(state, id),
                |failure| failure.detail.clone(),
            );
            Remark {
                path: state.tree.shown_path(id),
                case: Case::P1,
                detail,
            }
        };
        self.problem_nodes().into_iter().map(remark).collect()
    }

    /// Lists the conflicts that wait for a person and the divergences of a one-way
    /// target.
    #[must_use]
    pub fn held(&self) -> Vec<Remark> {
        let state = &self.ledger.state;
        let shown = [Case::C1, Case::C2, Case::C3, Case::V1];
        self.waiting
            .stuck
            .iter()
            .filter(|(id, case)| shown.contains(case) && state.tree.get(*id).is_some())
            .map(|(id, case)| Remark {
                path: state.tree.shown_path(*id),
                case: *case,
                detail: String::new(),
            })
            .collect()
    }

    /// Returns the operations that the next plan would begin with, without
    /// starting anything; later ones follow from what these bring about.
    #[must_use]
    pub fn preview(&self, now: Timestamp) -> Vec<Operation> {
        let state = &self.ledger.state;
        let plan = plan::plan(state, now);
        let steps = plan.ordered.steps.iter();
        steps
            .filter_map(|step| plan::operation(state, step))
            .collect()
    }
}

/// The paths that an operation reads or writes.
fn paths_of(operation: &Operation) -> Vec<(Side, RelPath)> {
    match &operation.action {
        Action::Transfer {
            from,
            source,
            target,
            ..
        } => {
            vec![(*from, source.clone()), (from.other(), target.clone())]
        }
        Action::Move { side, from, to, .. } => vec![(*side, from.clone()), (*side, to.clone())],
        Action::MakeDirectory { side, path }
        | Action::Remove { side, path, .. }
        | Action::Hash { side, path, .. } => vec![(*side, path.clone())],
    }
}

/// Beyond this many hinted paths a scan of everything is cheaper.
const HINTS_MAX: usize = 20_000;
/// A queue of up to this many steps is planned anew whenever something changed.
const SHORT_QUEUE: usize = 1_000;
