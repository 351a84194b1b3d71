//! What waits to be hinted at, and directories that wait to be watched.
//!
//! In: paths from the handler and the armer. Out: hints, each path once.
//! Invariant: bounded; beyond the bound one rescan, and one walk over all
//! directories, stand for everything.

use super::super::folder::locked;
use crate::ports::Hint;
use futures::task::AtomicWaker;
use journal_format::value::RelPath;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Condvar, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

/// The place where events, armer and stream meet.
#[derive(Default)]
pub(super) struct Inbox {
    state: Mutex<State>,
    to_arm: Condvar,
    reader: AtomicWaker,
}

#[derive(Default)]
struct State {
    hints: BTreeMap<RelPath, bool>,
    rescan: bool,
    directories: BTreeSet<RelPath>,
    /// What is hinted at again, and when; the earliest first.
    later: VecDeque<(Instant, RelPath)>,
    all_directories: bool,
    ended: bool,
    closed: bool,
}

/// What the armer does next.
pub(super) enum ToArm {
    /// Everything.
    All,
    /// These, if they are directories, and what lies below them.
    Some(BTreeSet<RelPath>),
}

impl Inbox {
    /// Notes a changed path; a directory that came is also watched.
    pub(super) fn changed(&self, path: RelPath, may_be_directory: bool) {
        let mut state = locked(&self.state);
        if may_be_directory && !state.all_directories {
            state.directories.insert(path.clone());
            if state.directories.len() > WAITING_MAX {
                state.directories.clear();
                state.all_directories = true;
            }
            self.to_arm.notify_one();
        }
        state.hint(path, false);
        drop(state);
        self.reader.wake();
    }

    /// Hints at a path again after a while: until then another change might not show.
    pub(super) fn later(&self, path: RelPath, wait: Duration) {
        let mut state = locked(&self.state);
        state.later.push_back((now() + wait, path));
        if state.later.len() > WAITING_MAX {
            let last = state.later.pop_back().map(|(at, _)| (at, RelPath::root()));
            state.later.clear();
            state.later.extend(last);
        }
        drop(state);
        self.to_arm.notify_one();
    }

    /// Hints at a directory with everything below it.
    pub(super) fn subtree(&self, path: RelPath) {
        locked(&self.state).hint(path, true);
        self.reader.wake();
    }

    /// Events were lost: watches may be missing and anything may have changed.
    pub(super) fn overflow(&self) {
        let mut state = locked(&self.state);
        state.directories.clear();
        state.all_directories = true;
        state.rescan_all();
        drop(state);
        self.to_arm.notify_one();
        self.reader.wake();
    }

    /// Hints at everything, without new watches.
    pub(super) fn rescan(&self) {
        locked(&self.state).rescan_all();
        self.reader.wake();
    }

    /// The watcher cannot go on: one last hint, then the end.
    pub(super) fn end(&self) {
        let mut state = locked(&self.state);
        state.rescan_all();
        state.ended = true;
        drop(state);
        self.to_arm.notify_one();
        self.reader.wake();
    }

    /// Nobody listens any more.
    pub(super) fn close(&self) {
        locked(&self.state).closed = true;
        self.to_arm.notify_one();
    }

    /// Returns what waits, or nothing at the end.
    pub(super) fn poll(&self, context: &mut Context<'_>) -> Poll<Option<Vec<Hint>>> {
        self.reader.register(context.waker());
        let mut state = locked(&self.state);
        if std::mem::take(&mut state.rescan) {
            return Poll::Ready(Some(vec![Hint::Rescan]));
        }
        if !state.hints.is_empty() {
            let hints = std::mem::take(&mut state.hints).into_iter();
            let hints = hints.map(|(path, subtree)| Hint::Path { path, subtree });
            return Poll::Ready(Some(hints.collect()));
        }
        if state.ended {
            return Poll::Ready(None);
        }
        Poll::Pending
    }

    /// Waits for directories to watch: nothing at the end.
    pub(super) fn next_to_arm(&self) -> Option<ToArm> {
        let mut state = locked(&self.state);
        loop {
            if state.closed || state.ended {
                return None;
            }
            if std::mem::take(&mut state.all_directories) {
                state.directories.clear();
                return Some(ToArm::All);
            }
            if !state.directories.is_empty() {
                return Some(ToArm::Some(std::mem::take(&mut state.directories)));
            }
            let wait = state.hint_due(now());
            if !state.hints.is_empty() || state.rescan {
                self.reader.wake();
            }
            state = match wait {
                None => self.to_arm.wait(state),
                Some(wait) => match self.to_arm.wait_timeout(state, wait) {
                    Ok((state, _)) => Ok(state),
                    Err(poisoned) => Ok(poisoned.into_inner().0),
                },
            }
            .unwrap_or_else(PoisonError::into_inner);
        }
    }
}

impl State {
    fn hint(&mut self, path: RelPath, subtree: bool) {
        if self.rescan {
            return;
        }
        *self.hints.entry(path).or_default() |= subtree;
        if self.hints.len() > WAITING_MAX {
            self.rescan_all();
        }
    }

    /// Hints at what is due; returns how long the next one waits.
    fn hint_due(&mut self, now: Instant) -> Option<Duration> {
        while let Some((at, path)) = self.later.pop_front() {
            if at > now {
                self.later.push_front((at, path));
                return Some(at - now);
            }
            if path.is_root() {
                self.rescan_all();
            } else {
                self.hint(path, false);
            }
        }
        None
    }

    fn rescan_all(&mut self) {
        self.hints.clear();
        self.rescan = true;
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "when to look again, decides nothing"
)]
fn now() -> Instant {
    Instant::now()
}

/// Paths that wait at most.
const WAITING_MAX: usize = 4096;
