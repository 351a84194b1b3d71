//! Hints about changes, as late and as wrong as watchers are.
//!
//! In: paths that a disk touched. Out: hints. Fault model: a hint is lost, comes
//! twice, in another order or as `Rescan`; a watcher gives up. Invariant: with
//! faults off, each change is hinted at sooner or later. Deliberately absent:
//! proof; a hint may name a path where nothing changed. Crash: watchers are gone,
//! and what they had not said is not said.

use super::options::FaultOptions;
use super::prng::Ratio;
use super::{Inner, State};
use futures::{StreamExt, stream};
use journal_format::event::FailureClass;
use journal_format::value::{RelPath, Side};
use pydio_sync::ports::{Hint, HintStream, PortError, PortResult};
use std::rc::Rc;
use std::task::{Poll, Waker};

/// One side's watcher.
#[derive(Debug, Default)]
pub struct Watcher {
    /// Which of the watchers that were started; 0 for none.
    started: u64,
    made: u64,
    ended: bool,
    ready: Vec<Hint>,
    waker: Option<Waker>,
}

impl Inner {
    /// Starts to watch a side.
    pub(super) fn watch(self: &Rc<Self>, side: Side) -> PortResult<HintStream<'static>> {
        if side == Side::Remote && !self.options.remote.watch {
            return Err(PortError::new(FailureClass::Unsupported, "no change feed"));
        }
        let inner = Rc::clone(self);
        let mut me = None;
        let hints = stream::poll_fn(move |context| {
            let mut state = inner.state.borrow_mut();
            let me = *me.get_or_insert_with(|| {
                state.disk_mut(side).touched.clear();
                state.watchers[side as usize].start()
            });
            let watcher = &mut state.watchers[side as usize];
            if watcher.started != me || (watcher.ended && watcher.ready.is_empty()) {
                return Poll::Ready(None);
            }
            if watcher.ready.is_empty() {
                watcher.waker = Some(context.waker().clone());
                return Poll::Pending;
            }
            Poll::Ready(Some(std::mem::take(&mut watcher.ready)))
        });
        Ok(hints.boxed_local())
    }
}

impl Watcher {
    fn start(&mut self) -> u64 {
        let made = self.made + 1;
        *self = Self {
            started: made,
            made,
            ..Self::default()
        };
        made
    }

    /// Gives up, as watchers do when their root goes away.
    pub fn give_up(&mut self) {
        self.ended = true;
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }

    /// Forgets the listener, as a crash does.
    pub fn stop(&mut self) {
        *self = Self {
            made: self.made,
            ..Self::default()
        };
    }
}

impl State {
    /// Tells whether a watcher has something to say.
    #[must_use]
    pub fn has_hints(&self) -> bool {
        Side::BOTH.iter().any(|side| {
            let watcher = &self.watchers[*side as usize];
            watcher.started > 0 && !watcher.ended && !self.disk(*side).touched.is_empty()
        })
    }

    /// Lets the watchers say some of what they saw.
    pub fn say_hints(&mut self, rates: &FaultOptions) {
        for side in Side::BOTH {
            let watcher = &self.watchers[side as usize];
            if watcher.started == 0 || watcher.ended {
                self.disk_mut(side).touched.clear();
                continue;
            }
            let known = self.disk(side).touched.len();
            let count = self.rng.below(known + 1).max(known.min(1));
            let touched: Vec<_> = self.disk_mut(side).touched.drain(..count).collect();
            let mut hints: Vec<Hint> = touched.into_iter().filter_map(hint_of).collect();
            if self.faults.on {
                self.spoil(&mut hints, rates);
            }
            let ends = self.faults.on && self.draws(rates.watch_ends, "watch_ends");
            let watcher = &mut self.watchers[side as usize];
            watcher.ready.extend(hints);
            watcher.ended = ends;
            if (ends || !watcher.ready.is_empty())
                && let Some(waker) = watcher.waker.take()
            {
                waker.wake();
            }
        }
    }

    fn spoil(&mut self, hints: &mut Vec<Hint>, rates: &FaultOptions) {
        if !hints.is_empty() && self.draws(rates.hint_rescan, "hint_rescan") {
            *hints = vec![Hint::Rescan];
        }
        if self.draws(rates.hint_lost, "hint_lost") {
            hints.pop();
        }
        if self.draws(rates.hint_shuffled, "hint_shuffled") {
            hints.reverse();
            if self.rng.chance(Ratio::one_in(2)) {
                let again = hints.first().cloned();
                hints.extend(again);
            }
        }
    }
}

pub(super) fn hint_of((path, subtree): (RelPath, bool)) -> Option<Hint> {
    let own = path.names().next() == Some(super::disk::OWN);
    (!own).then_some(Hint::Path { path, subtree })
}
