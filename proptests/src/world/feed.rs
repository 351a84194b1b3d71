//! The remote's account of what changed on it, as a server keeps one.
//!
//! In: paths that the remote disk touched. Out: hints since a cursor. Fault model: a
//! call fails; hints come twice, in another order, or as `Rescan`; the newest changes
//! are told only the next time. A server that lost power begins a new account.
//! Invariant: with faults off every change is told. Deliberately absent: what
//! changed. Crash: the account is the server's and stays.

use super::disk::Mount;
use super::faults::CallOf;
use super::prng::Ratio;
use super::{Inner, State};
use journal_format::event::FailureClass;
use journal_format::value::{RelPath, Side};
use pydio_sync::ports::{Changes, Feed, Hint, PortError, Task};
use std::rc::Rc;

/// The [`Feed`] of a world's remote.
pub(super) struct WorldFeed(pub(super) Rc<Inner>);

/// What the server noted.
#[derive(Debug, Default)]
pub(super) struct Account {
    /// Counts the accounts that were begun.
    generation: u64,
    /// Changes in this account, oldest first.
    changes: Vec<(RelPath, bool)>,
    /// How many of them the last answer told.
    told: usize,
}

impl Feed for WorldFeed {
    fn since<'a>(&'a self, cursor: Option<&'a str>) -> Task<'a, Changes> {
        let call = CallOf::look(Side::Remote, "feed", None);
        let inner = Rc::clone(&self.0);
        let cursor = cursor.map(str::to_owned);
        self.0.start(&call.clone(), async move {
            inner.before(&call).await?;
            let mut state = inner.state.borrow_mut();
            if state.disk(Side::Remote).mount != Mount::There {
                return Err(PortError::new(FailureClass::Retry, "no such workspace"));
            }
            Ok(state.changes_since(cursor.as_deref()))
        })
    }

    /// A server does not tell apart who changed what, so anything counts.
    fn is_behind(&self) -> bool {
        let state = self.0.state.borrow();
        let account = &state.account;
        account.told < account.changes.len() || !state.disk(Side::Remote).told.is_empty()
    }
}

impl Account {
    /// Notes a change.
    pub(super) fn note(&mut self, path: &RelPath, subtree: bool) {
        self.changes.push((path.clone(), subtree));
    }

    /// Begins anew, as a server does that was set back.
    pub(super) fn begin_anew(&mut self) {
        self.generation += 1;
        self.changes.clear();
        self.told = 0;
    }

    fn cursor(&self, told: usize) -> String {
        format!("{}:{told}", self.generation)
    }

    /// Finds a cursor's place; nothing for one of another account.
    fn place(&self, cursor: &str) -> Option<usize> {
        let (generation, told) = cursor.split_once(':')?;
        let told = told.parse().ok().filter(|told| *told <= self.changes.len());
        told.filter(|_| generation == self.generation.to_string())
    }
}

impl State {
    fn changes_since(&mut self, cursor: Option<&str>) -> Changes {
        let disk = self.disk_mut(Side::Remote);
        let new: Vec<_> = disk.told.drain(..).collect();
        for (path, subtree) in new {
            self.account.note(&path, subtree);
        }
        let all = self.account.changes.len();
        self.account.told = all;
        let Some(cursor) = cursor else {
            return Changes {
                hints: Vec::new(),
                cursor: self.account.cursor(all),
                rolled_back: None,
            };
        };
        let place = self.account.place(cursor);
        let is_odd = |state: &mut Self, of| state.faults.on && state.rng.chance(Ratio::one_in(of));
        let Some(place) = place.filter(|_| !is_odd(self, 20)) else {
            return Changes {
                hints: vec![Hint::Rescan],
                cursor: self.account.cursor(all),
                rolled_back: None,
            };
        };
        let mut told = all;
        if is_odd(self, 4) {
            told = place + self.rng.below(all - place + 1);
            self.account.told = told;
        }
        let changes = self.account.changes[place..told].iter().cloned();
        let mut hints: Vec<Hint> = changes.filter_map(super::watch::hint_of).collect();
        if is_odd(self, 4) {
            hints.reverse();
            hints.extend(hints.first().cloned());
        }
        Changes {
            hints,
            cursor: self.account.cursor(told),
            rolled_back: None,
        }
    }
}
