//! Which planned steps may run now.
//!
//! In: a plan, then starts and ends of operations. Out: the next step. Invariants:
//! a step starts after all steps it waits for succeeded; a directory moves only
//! while nothing is at work below it; open operations and their bytes are bounded.
//! Deliberately absent: paths and preconditions (`plan::operation`), time. A crash
//! drops the queue; the next plan makes it anew.

use crate::decide::Busy;
use crate::limits;
use crate::plan::{Act, Ordered, Step};
use crate::tree::NodeId;
use journal_format::event::{Action, Operation};
use journal_format::value::{Seq, Side};
use std::collections::{BTreeMap, BTreeSet};

/// The steps of the plan in force that did not end.
#[derive(Debug, Default)]
pub(crate) struct Schedule {
    steps: Vec<Option<Step>>,
    waits: Vec<u32>,
    dependents: Vec<Vec<u32>>,
    ready: BTreeSet<u32>,
    by_node: BTreeMap<NodeId, u32>,
    running: BTreeMap<Seq, Running>,
    running_bytes: u64,
    left: usize,
}

#[derive(Debug, Clone, Copy)]
struct Running {
    /// Its place, if the plan it came from is still in force.
    place: Option<u32>,
    bytes: u64,
}

impl Schedule {
    /// Takes a new plan; steps of the old one that did not start are dropped.
    pub(crate) fn load(&mut self, plan: Ordered) {
        self.clear();
        let count = plan.steps.len();
        self.dependents = vec![Vec::new(); count];
        self.waits = Vec::with_capacity(count);
        for (place, (step, after)) in (0..).zip(plan.steps.into_iter().zip(plan.after)) {
            self.waits
                .push(u32::try_from(after.len()).unwrap_or(u32::MAX));
            if after.is_empty() {
                self.ready.insert(place);
            }
            for condition in after {
                self.dependents[condition as usize].push(place);
            }
            self.by_node.insert(step.node, place);
            self.steps.push(Some(step));
        }
        self.left = count;
    }

    /// Drops all steps that did not start.
    pub(crate) fn clear(&mut self) {
        self.steps.clear();
        self.waits.clear();
        self.dependents.clear();
        self.ready.clear();
        self.by_node.clear();
        self.left = 0;
        self.running
            .values_mut()
            .for_each(|running| running.place = None);
    }

    /// Returns the steps that did not start yet.
    pub(crate) fn steps(&self) -> impl Iterator<Item = &Step> {
        self.steps.iter().flatten()
    }

    /// Returns how many steps did not start yet.
    pub(crate) const fn left(&self) -> usize {
        self.left
    }

    /// Takes the next step that may start, with its place for [`Self::started`].
    pub(crate) fn next(&mut self, mut fits: impl FnMut(&Step) -> bool) -> Option<(u32, Step)> {
        if self.running.len() >= limits::OPEN_OPERATIONS_MAX
            || self.running_bytes >= limits::OPEN_BYTES_MAX
        {
            return None;
        }
        let place = self
            .ready
            .iter()
            .copied()
            .find(|place| self.steps[*place as usize].as_ref().is_none_or(&mut fits))?;
        self.ready.remove(&place);
        let step = self.steps[place as usize].take();
        match step {
            Some(step) => {
                self.left -= 1;
                self.by_node.remove(&step.node);
                Some((place, step))
            }
            None => self.next(fits),
        }
    }

    pub(crate) fn started(&mut self, place: u32, id: Seq, operation: &Operation) {
        let bytes = match &operation.action {
            Action::Transfer { expect, .. } => expect.fingerprint.size,
            _ => 0,
        };
        self.running_bytes += bytes;
        self.running.insert(
            id,
            Running {
                place: Some(place),
                bytes,
            },
        );
    }

    /// Notes the end of an operation; after a success, those that waited for it
    /// may start, after a failure they are dropped.
    pub(crate) fn ended(&mut self, id: Seq, success: bool) {
        let Some(running) = self.running.remove(&id) else {
            return;
        };
        self.running_bytes -= running.bytes;
        if let Some(place) = running.place {
            self.conclude(place, success);
        }
    }

    /// Notes that a step needs no operation, or cannot have one any more.
    pub(crate) fn conclude(&mut self, place: u32, success: bool) {
        for dependent in std::mem::take(&mut self.dependents[place as usize]) {
            if success {
                self.waits[dependent as usize] -= 1;
                if self.waits[dependent as usize] == 0 {
                    self.ready.insert(dependent);
                }
            } else {
                self.drop_step(dependent);
            }
        }
    }

    /// Drops the step of a node that changed since it was planned.
    pub(crate) fn drop_node(&mut self, node: NodeId) {
        if let Some(place) = self.by_node.get(&node).copied() {
            self.drop_step(place);
        }
    }

    fn drop_step(&mut self, place: u32) {
        let mut doomed = vec![place];
        while let Some(place) = doomed.pop() {
            let Some(step) = self.steps[place as usize].take() else {
                continue;
            };
            self.left -= 1;
            self.by_node.remove(&step.node);
            self.ready.remove(&place);
            doomed.append(&mut self.dependents[place as usize]);
        }
    }
}

/// Tells whether nothing that is at work stands in a step's way: nobody below a
/// directory that moves, no moving directory above, and none above what is made that
/// itself is only being made or removed.
pub(crate) fn is_unhindered(operation: &Operation, busy: &Busy) -> bool {
    let free = |side: Side, path| !busy.is_open_at(side, path);
    let free_to_make = |side: Side, path| free(side, path) && !busy.is_open_above(side, path);
    match &operation.action {
        Action::Transfer {
            from,
            source,
            target,
            ..
        } => free(*from, source) && free_to_make(from.other(), target),
        Action::MakeDirectory { side, path } => free_to_make(*side, path),
        Action::Hash { side, path, .. } => free(*side, path),
        Action::Remove { side, path, .. } => free(*side, path) && !busy.is_open_below(*side, path),
        Action::Move { side, from, to, .. } => {
            free(*side, from)
                && free_to_make(*side, to)
                && !busy.is_open_below(*side, from)
                && !busy.is_open_below(*side, to)
        }
    }
}

/// Tells whether a step needs no operation.
pub(crate) const fn is_adoption(step: &Step) -> bool {
    matches!(step.act, Act::Adopt)
}
