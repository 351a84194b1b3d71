//! The engine's facade: inputs go in, records and operations come out.
//!
//! In: `Input`s with the time. Out: records to append (`take_records`), operations to
//! run once their start is durable (`next_operation`), scans to make (`next_scan`),
//! a time to come back (`deadline`). Invariant: nothing leaves here that a crash
//! could make untrue: whoever starts an operation must first have made the records
//! durable. Deliberately absent: IO. A crash drops the engine; `Engine::restore` and
//! a replay of the journal bring it back.

mod intake;
mod judge;
mod report;
mod scans;

use crate::decide::{Busy, Ledger, PutOff, Round, Session, interrupted};
use crate::fold::fold;
use crate::plan::{self, Moment, Plan, Waiting};
use crate::schedule::{self, Schedule};
use crate::state::State;
use crate::tree::{NodeId, index};
use journal_format::event::{
    Case, ConflictEvent, Event, Operation, OperationEvent, Record, SessionEvent,
};
use journal_format::value::{DigestKind, Policy, Seq, Side, Timestamp};
use std::collections::BTreeSet;

pub use crate::input::RootVerdict;
pub use judge::{Deed, Held, Judged, Planned};
pub use report::{Remark, Standing};
use scans::Wanted;
pub use scans::WantedScan;

/// One job's engine.
#[derive(Debug, Default)]
pub struct Engine {
    ledger: Ledger,
    schedule: Schedule,
    busy: Busy,
    rounds: [Option<Round>; 2],
    /// Sides of which all is known since the start.
    scanned: [bool; 2],
    /// Sides that were scanned whole, and of which something was put off.
    is_nearly_scanned: [bool; 2],
    wanted: [Wanted; 2],
    put_off: [PutOff; 2],
    /// Whether the remote's feed stands in for the first scan of the remote.
    following: bool,
    epoch: u64,
    waiting: Waiting,
    /// What the last plan left to a person, and what did not change since.
    stuck: BTreeSet<NodeId>,
    /// What it could do nothing about because of what could not be seen, there or above.
    /// Empty once anything changed: that may be what stood in the way.
    blocked: BTreeSet<NodeId>,
    stale: bool,
    changes_since_plan: usize,
    /// What failed before it does not wait: where this session's events begin, once it
    /// was begun, or what a person said later.
    forgiven: Seq,
    draining: bool,
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
        self.ledger.state.tree.recycle();
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
        self.forgiven = self.ledger.state.seq.next();
        self.configure(identity);
        let open: Vec<Seq> = self.ledger.state.open.keys().copied().collect();
        for operation in open {
            interrupted(&mut self.ledger, operation);
        }
        self.wanted
            .iter_mut()
            .for_each(|wanted| wanted.everything = true);
        self.stale = true;
    }

    /// Ends the replay for decisions alone: no operation is judged, nothing is
    /// planned, the policy stays.
    pub fn begin_session(&mut self, release: &str, seed: u64) {
        self.ledger.session = Some(Session {
            release: release.to_owned(),
            seed,
        });
        self.ledger.state.tree.take_touched();
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

    /// Steps planned for nodes that changed are void; conflicts that are over are
    /// settled.
    fn absorb_changes(&mut self) {
        if self.rounds.iter().all(Option::is_none) {
            self.ledger.state.tree.recycle();
        }
        let mut settled = BTreeSet::new();
        self.changes_since_plan += 1;
        for node in self.ledger.state.tree.take_touched() {
            self.schedule.drop_node(node);
            self.stuck.remove(&node);
            self.blocked.clear();
            let state = &self.ledger.state;
            let is_over = state.tree.get(node).is_some() && state.tree.is_in_sync(node);
            if is_over && let Some(conflict) = state.conflicts.get(&node) {
                settled.insert(conflict.seq);
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
    /// is durable. A plan may want another look: ask [`Engine::next_scan`] afterwards.
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
            let (state, busy, wanted) = (&self.ledger.state, &self.busy, &self.wanted);
            let next = self.schedule.next(|step| {
                schedule::is_adoption(step)
                    || plan::operation(state, step).is_none_or(|operation| {
                        // What failed was to be looked at again before it is tried again.
                        let was_looked_at = !state.failures.contains_key(&step.node)
                            || !intake::is_wanted(wanted, &operation);
                        was_looked_at && schedule::is_unhindered(&operation, busy)
                    })
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

    /// Plans anew when that is worth it: at once while little is dirty or nothing
    /// runs, else when enough has changed, so that a long queue is not planned over
    /// and over.
    fn replan(&mut self) {
        let scanning = self.rounds.iter().any(Option::is_some);
        let is_due = self
            .waiting
            .deadline
            .is_some_and(|deadline| deadline <= self.ledger.now);
        let dirty = self.ledger.state.tree.dirty().len();
        let worth_it = dirty <= FEW_NODES
            || self.ledger.state.open.is_empty() && self.schedule.left() == 0
            || self.changes_since_plan >= dirty / 4;
        if !(self.stale || is_due) || scanning || self.draining || !worth_it {
            return;
        }
        if !self.scanned.iter().all(|scanned| *scanned) {
            return;
        }
        self.changes_since_plan = 0;
        self.stale = false;
        self.look_after_twins();
        if self.is_halted_about_a_root() {
            self.schedule.clear();
            return;
        }
        let moment = self.moment(self.ledger.now);
        let mut plan = plan::plan(&self.ledger.state, moment);
        while self.unite(&plan.namesakes) {
            plan = plan::plan(&self.ledger.state, moment);
        }
        let Plan {
            ordered,
            waiting,
            brake,
            conflicts,
            ..
        } = plan;
        self.wait(waiting);
        self.schedule.load(ordered);
        self.brake(brake);
        self.raise(&conflicts);
        self.ledger.state.tree.take_touched();
    }

    /// A second spelling is told of while the first one stands. Once that has left, its
    /// directory is looked at again, or waits until it can be looked into.
    fn look_after_twins(&mut self) {
        let tree = &self.ledger.state.tree;
        for id in tree.unknown() {
            for side in Side::BOTH
                .into_iter()
                .filter(|side| tree.is_lone_twin(*side, id))
            {
                let parent = tree.facet(id, side).location.parent;
                let is_seen = |id| tree.facet(id, side).is_present();
                let mut above = tree.ancestors(side, id);
                if let Some(path) = tree.path(side, parent).filter(|_| above.all(is_seen)) {
                    self.wanted[index(side)].paths.insert(path, true);
                }
            }
        }
    }

    /// Makes one of two directories that bear one name on different sides. Tells whether
    /// that changed anything.
    fn unite(&mut self, namesakes: &[(NodeId, NodeId)]) -> bool {
        let mut united = false;
        for (one, other) in namesakes {
            let tree = &self.ledger.state.tree;
            if tree.get(*one).is_none() || tree.get(*other).is_none() {
                continue;
            }
            let paths = (
                tree.path(Side::Local, *one),
                tree.path(Side::Remote, *other),
            );
            let (Some(local), Some(remote)) = paths else {
                continue;
            };
            let adopted = OperationEvent::Adopted {
                local: local.clone(),
                remote: remote.clone(),
                case: Case::A1,
            };
            self.ledger.emit(Event::Operation(adopted));
            let tree = &self.ledger.state.tree;
            united |= tree.lookup(Side::Local, &local) == tree.lookup(Side::Remote, &remote);
        }
        united
    }

    fn moment(&self, now: Timestamp) -> Moment {
        let forgiven = self.forgiven.max(self.ledger.state.session);
        Moment { now, forgiven }
    }

    /// Has all that waits after a failure tried once more, at once: a person wants it.
    pub fn try_again(&mut self) {
        self.forgiven = self.ledger.state.seq.next();
        self.stale = true;
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

    fn raise(&mut self, conflicts: &[(NodeId, Case)]) {
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

    /// Appends the state's digest, so that a replay can be checked against it.
    pub fn stamp_digest(&mut self, now: Timestamp) {
        self.ledger.now = now;
        // The digest is that of the state right before its own record.
        self.ledger.start_session();
        let digest = crate::checkpoint::digest(&self.ledger.state);
        let fold_version = crate::limits::FOLD_VERSION;
        let stamped = SessionEvent::DigestStamped {
            digest,
            fold_version,
        };
        self.ledger.emit(Event::Session(stamped));
    }

    /// Finds what waits and why, without planning anything in force.
    pub fn refresh_standing(&mut self, now: Timestamp) {
        let plan = plan::plan(&self.ledger.state, self.moment(now));
        self.wait(plan.waiting);
        if !self.is_halted_about_a_root() {
            self.brake(plan.brake);
        }
    }

    fn wait(&mut self, waiting: Waiting) {
        let of = |is_wanted: fn(Case) -> bool| {
            let fitting = waiting.stuck.iter().filter(|(_, case)| is_wanted(*case));
            fitting.map(|(id, _)| *id).collect()
        };
        self.blocked = of(|case| case == Case::P1);
        self.stuck = of(|case| case != Case::P1);
        self.waiting = waiting;
    }

    /// What no plan raised, no plan clears.
    fn is_halted_about_a_root(&self) -> bool {
        let halt = self.ledger.state.halt;
        halt.is_some_and(|halt| halt.plan == [0; 16])
    }

    /// Takes the records that were decided since the last call, in order.
    pub fn take_records(&mut self) -> Vec<Record> {
        std::mem::take(&mut self.ledger.outbox)
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
}

/// Up to this many dirty nodes are planned anew whenever something changed.
const FEW_NODES: usize = 64;
