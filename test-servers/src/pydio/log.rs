//! What was asked of the server, so that tests can count requests.
//!
//! In: one entry a request, when its answer is known. Out: entries and counts.
//! Invariant: an entry is there before its answer leaves, so a client that has an
//! answer finds it here. Deliberately absent: bodies and credentials.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// One request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// `GET`, `POST`, ...
    pub method: String,
    /// What it asked for; empty when it never came so far.
    pub action: String,
    /// The workspace as it was named.
    pub workspace: String,
    /// The node that it is about, the first one if there are several.
    pub path: String,
    /// The status of the answer; 0 if there was none.
    pub status: u16,
    /// The bytes of its body.
    pub bytes_in: u64,
    /// The bytes of the answer's body, as far as they are known beforehand.
    pub bytes_out: u64,
    /// Whether a fault was injected.
    pub faulty: bool,
    /// Who it said it was (`User-Agent`).
    pub agent: String,
    /// Which part it asked for (`Range`).
    pub range: Option<String>,
}

/// The requests so far; a handle, cheap to clone.
#[derive(Clone, Default)]
pub struct Log(Arc<Mutex<Inner>>);

#[derive(Default)]
struct Inner {
    counts: BTreeMap<String, usize>,
    entries: VecDeque<Entry>,
}

impl Log {
    /// The last ones, oldest first: all of them up to a hundred thousand.
    #[must_use]
    pub fn entries(&self) -> Vec<Entry> {
        self.lock().entries.iter().cloned().collect()
    }

    /// How many requests there were.
    #[must_use]
    pub fn total(&self) -> usize {
        self.lock().counts.values().sum()
    }

    /// How many requests of this action there were.
    #[must_use]
    pub fn count(&self, action: &str) -> usize {
        self.lock().counts.get(action).copied().unwrap_or(0)
    }

    /// How many requests of each action there were.
    #[must_use]
    pub fn counts(&self) -> BTreeMap<String, usize> {
        self.lock().counts.clone()
    }

    /// Forgets them.
    pub fn clear(&self) {
        *self.lock() = Inner::default();
    }

    pub(super) fn add(&self, entry: Entry) {
        let mut inner = self.lock();
        *inner.counts.entry(entry.action.clone()).or_insert(0) += 1;
        if inner.entries.len() == ENTRIES_MAX {
            inner.entries.pop_front();
        }
        inner.entries.push_back(entry);
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

const ENTRIES_MAX: usize = 100_000;
