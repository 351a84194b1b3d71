//! What was asked of a server, so that tests can count requests.
//!
//! In: one entry a request, before its answer leaves. Out: entries and counts.
//! Invariant: a client that has an answer finds its request here. Deliberately absent:
//! bodies and credentials, and what an entry holds, which is each server's.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// An entry of a log.
pub trait Logged: Clone {
    /// What it is counted by.
    fn word(&self) -> &str;
}

/// The requests so far; a handle, cheap to clone.
#[derive(Clone)]
pub struct Log<E>(Arc<Mutex<Inner<E>>>);

struct Inner<E> {
    counts: BTreeMap<String, usize>,
    entries: VecDeque<E>,
}

impl<E> Default for Inner<E> {
    fn default() -> Self {
        Self {
            counts: BTreeMap::new(),
            entries: VecDeque::new(),
        }
    }
}

impl<E> Default for Log<E> {
    fn default() -> Self {
        Self(Arc::default())
    }
}

impl<E: Logged> Log<E> {
    /// The last ones, oldest first: all of them up to a hundred thousand.
    #[must_use]
    pub fn entries(&self) -> Vec<E> {
        self.lock().entries.iter().cloned().collect()
    }

    /// How many requests there were.
    #[must_use]
    pub fn total(&self) -> usize {
        self.lock().counts.values().sum()
    }

    /// How many requests with this word (an action or a method) there were.
    #[must_use]
    pub fn count(&self, word: &str) -> usize {
        self.lock().counts.get(word).copied().unwrap_or(0)
    }

    /// How many requests there were with each word.
    #[must_use]
    pub fn counts(&self) -> BTreeMap<String, usize> {
        self.lock().counts.clone()
    }

    /// Forgets them.
    pub fn clear(&self) {
        *self.lock() = Inner::default();
    }

    pub(crate) fn add(&self, entry: E) {
        let mut inner = self.lock();
        *inner.counts.entry(entry.word().to_owned()).or_insert(0) += 1;
        if inner.entries.len() == ENTRIES_MAX {
            inner.entries.pop_front();
        }
        inner.entries.push_back(entry);
    }

    fn lock(&self) -> MutexGuard<'_, Inner<E>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

const ENTRIES_MAX: usize = 100_000;
