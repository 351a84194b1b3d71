//! Takes inputs: what the driver heard from the world.
//!
//! In: an [`Input`] with its time. Out: events in the ledger, scans that are wanted.
//! Invariant: whatever an input leads to is an event, or is forgotten by a crash.
//! Deliberately absent: what a scan found means (`decide`), planning (`plan`). A new
//! input is an arm of `handle`.

use super::scans::Wanted;
use super::{Engine, RootVerdict};
use crate::decide::{Ledger, Round, failed, found_root};
use crate::input::{Found, Input, RootFinding};
use crate::state::Rollback;
use crate::tree::index;
use journal_format::event::{
    Action, ConflictEvent, Event, Keep, Operation, OperationEvent, Order, SessionEvent,
};
use journal_format::value::{RelPath, Seq, Side, Timestamp};

impl Engine {
    /// Judges what was found where a root should be.
    pub fn root_found(&mut self, side: Side, finding: &RootFinding, now: Timestamp) -> RootVerdict {
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
            Input::FeedRead { cursor, whole } => {
                self.ledger
                    .emit(Event::Session(SessionEvent::FeedRead { cursor, whole }));
            }
            Input::Probed { facts } => {
                self.ledger
                    .emit(Event::Session(SessionEvent::RemoteProbed { facts }));
            }
            Input::RolledBack { detail } => {
                if self.ledger.state.rollback != Some(Rollback::Told) {
                    let rolled_back = SessionEvent::RemoteRolledBack { detail };
                    self.ledger.emit(Event::Session(rolled_back));
                }
                self.stale = true;
            }
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
            Input::Undone { changes, by } => {
                let undone = SessionEvent::Undone { changes, by };
                self.ledger.emit(Event::Session(undone));
            }
            Input::Order { order, by } => self.order(order, by),
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
        let put_off = &mut self.put_off[index(side)];
        let wanted = &mut self.wanted[index(side)];
        let ending = (complete, wanted.has_more());
        let again = round.finish(&mut self.ledger, &self.busy, ending, put_off);
        wanted.finished(complete);
        wanted
            .paths
            .extend(again.into_iter().map(|path| (path, true)));
        if !wanted.has_more() {
            put_off.clear();
        }
        if complete && (whole || self.is_nearly_scanned[index(side)]) {
            // What was put off is looked at before the first plan.
            let is_waiting = !put_off.is_empty() && !self.is_nearly_scanned[index(side)];
            self.is_nearly_scanned[index(side)] = is_waiting;
            self.scanned[index(side)] |= !is_waiting;
        } else if complete && side == Side::Remote {
            self.all_hinted();
        }
        self.prune_busy();
        self.stale = true;
    }

    pub(super) fn hint(&mut self, side: Side, path: Option<RelPath>, subtree: bool) {
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
        let is_scanning = self.rounds.iter().any(Option::is_some);
        self.busy
            .ended(&operation, self.ledger.state.seq, is_scanning);
        if success {
            self.follow(&operation);
        }
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

    /// An order that changes nothing is no fact.
    fn order(&mut self, order: Order, by: String) {
        let paused = self.ledger.state.paused;
        let is_news = match order {
            Order::Pause => !paused,
            Order::Start => paused,
            Order::Stop => true,
        };
        if is_news {
            self.ledger
                .emit(Event::Session(SessionEvent::Ordered { order, by }));
            self.stale = true;
        }
    }

    fn resolve(&mut self, path: &RelPath, keep: Keep, by: String) {
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
}

/// Tells whether a place of an operation is still to be looked at.
pub(super) fn is_wanted(wanted: &[Wanted; 2], operation: &Operation) -> bool {
    let mut paths = paths_of(operation).into_iter();
    paths.any(|(side, path)| wanted[index(side)].holds(&path))
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checkpoint;

    #[test]
    fn a_pause_is_told_once_and_outlives_a_restart() {
        let order = |order| Input::Order {
            order,
            by: "a test".to_owned(),
        };
        let mut engine = Engine::new();
        let table = [
            (Order::Start, 0, false),
            (Order::Pause, 1, true),
            (Order::Pause, 0, true),
            (Order::Stop, 1, true),
            (Order::Start, 1, false),
            (Order::Pause, 1, true),
        ];
        for (what, events, paused) in table {
            engine.handle(order(what), Timestamp(1));
            assert_eq!(engine.take_records().len(), events, "{what:?}");
            let bytes = checkpoint::encode(engine.state());
            let restored = checkpoint::decode(&bytes).expect("a checkpoint");
            assert_eq!([engine.state().paused, restored.paused], [paused; 2]);
        }
    }
}
