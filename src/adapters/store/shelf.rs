//! All records of a journal, wherever they are kept: in archives, then in the store.
//!
//! In: an open engine, the list of archives. Out: records of any range, in order.
//! Invariants: archives and store join without a gap, and begin with the first record or
//! with a checkpoint; records do not leave the store before their archive is listed here,
//! nor while somebody reads by an older list. Watched by `tests/it/conformance_store`.
//! Deliberately absent: when records are archived (`retire`). Crash: leaves records in both
//! places, which read as one.

use super::archive::{self, Archive, Frames};
use super::engine::Engine;
use super::read::Unread;
use super::witness::{Chain, JournalId};
use super::{Layout, OpenError};
use crate::ports::Checkpoint;
use journal_format::value::Seq;
use std::path::PathBuf;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};

/// What is archived.
#[derive(Debug, Clone)]
pub(super) struct Shelf {
    pub(super) directory: PathBuf,
    pub(super) id: JournalId,
    /// Oldest first, without a gap up to the store's first record.
    pub(super) archives: Vec<Archive>,
    /// The first record that is still there.
    pub(super) first: Seq,
}

impl Shelf {
    /// Lists a job's archives and finds out whether they reach the store's first record.
    pub(super) fn load(layout: &Layout, id: JournalId, kept: Seq) -> Result<Self, OpenError> {
        let listed = archive::list(&layout.archive)
            .map_err(|error| OpenError::io(&error, &layout.archive))?;
        let damaged = |why: String| OpenError::damaged(why, &layout.archive);
        let mut shelf = Self {
            directory: layout.archive.clone(),
            id,
            archives: Vec::new(),
            first: kept,
        };
        let mut wanted = None;
        for archive in listed.into_iter().rev() {
            let joins = match wanted {
                None => archive.last.next() >= kept,
                Some(first) => archive.last.next() == first,
            };
            if !joins {
                break;
            }
            let header = archive.header().map_err(&damaged)?;
            if header.journal != id || header.first != archive.first {
                let name = archive.path.display();
                return Err(damaged(format!("{name} is an archive of another journal")));
            }
            wanted = Some(archive.first);
            shelf.archives.insert(0, archive);
        }
        if wanted.is_some_and(|first| first > kept) {
            // The store holds all that is there, and more.
            shelf.archives.clear();
        }
        shelf.first = wanted.unwrap_or(kept).min(kept);
        if shelf.first > Seq(1) && !shelf.base_path().is_file() {
            let last = Seq(shelf.first.0 - 1);
            return Err(damaged(format!(
                "events 1 to {last} are gone, and so is the state behind them"
            )));
        }
        Ok(shelf)
    }

    /// Returns the last archived record; 0 for none.
    pub(super) fn last(&self) -> Seq {
        self.archives
            .last()
            .map_or(Seq::ZERO, |archive| archive.last)
    }

    /// Returns where the state before the first record is kept.
    fn base_path(&self) -> PathBuf {
        archive::checkpoint_path(&self.directory, Seq(self.first.0.saturating_sub(1)))
    }

    /// Returns the state before the first record; nothing where history is whole.
    pub(super) fn base(&self) -> Option<Checkpoint> {
        let seq = Seq(self.first.0.checked_sub(1)?);
        (seq > Seq::ZERO).then(|| archive::state_at(&self.directory, seq, &self.id))?
    }

    /// Returns the newest kept state that is not beyond `head`.
    pub(super) fn newest_state(&self, head: Seq) -> Option<Checkpoint> {
        let listed = archive::checkpoints(&self.directory).unwrap_or_default();
        let mut usable = listed.into_iter().rev().filter(|(seq, _)| *seq <= head);
        usable.find_map(|(seq, _)| archive::state_at(&self.directory, seq, &self.id))
    }

    /// Returns the running hash before the first record.
    pub(super) fn before(&self) -> Result<Chain, String> {
        match self.archives.first() {
            _ if self.first == Seq(1) => Ok([0; 32]),
            Some(archive) => archive.before(),
            None => Err("no archive tells what came before the first record".to_owned()),
        }
    }
}

/// A journal's records.
#[derive(Clone)]
pub(super) struct Records {
    pub(super) engine: Engine,
    shelf: Arc<RwLock<Arc<Shelf>>>,
}

impl Records {
    pub(super) fn new(engine: Engine, shelf: Shelf) -> Self {
        Self {
            engine,
            shelf: Arc::new(RwLock::new(Arc::new(shelf))),
        }
    }

    /// Returns the archives of this moment.
    pub(super) fn shelf(&self) -> Arc<Shelf> {
        Arc::clone(&self.held())
    }

    fn held(&self) -> RwLockReadGuard<'_, Arc<Shelf>> {
        self.shelf.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Replaces the list, once nobody reads by the old one.
    pub(super) fn publish(&self, shelf: Shelf) {
        *self.shelf.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(shelf);
    }

    /// Calls `visit` with each record from `from` to `to` in order, until it says stop
    /// with an error.
    pub(super) fn each<E: From<Unread>>(
        &self,
        from: Seq,
        to: Seq,
        mut visit: impl FnMut(Seq, &[u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        // Held to the end: nothing that is listed leaves its place meanwhile.
        let shelf = self.held();
        if from > to {
            return Ok(());
        }
        if from < shelf.first {
            let why = format!("not kept any more, the first one is {}", shelf.first);
            return Err(Unread::record(from, why).into());
        }
        let mut next = from;
        for archive in shelf.archives.iter().filter(|archive| archive.last >= from) {
            if next > to {
                break;
            }
            let mut frames = Frames::open(archive, next)?;
            while next <= archive.last.min(to) {
                visit(next, frames.read()?)?;
                next = next.next();
            }
        }
        self.engine.each(next, to, visit)
    }
}
