//! What was asked of the server, so that tests can count requests.
//!
//! In: one entry a request, before its answer leaves. Out: entries and counts.
//! Invariant: a client that has an answer finds its request here. Deliberately absent:
//! bodies and credentials.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// One request.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Entry {
    /// `GET`, `PROPFIND`, ...
    pub method: String,
    /// `/a/b` below the files' root, or `room:rest` for what is elsewhere, such as
    /// `uploads:/id/00001`, `bulk:`, `login:/v2`.
    pub path: String,
    /// `Depth`, if there was one.
    pub depth: String,
    /// The status of the answer; 0 if there was none.
    pub status: u16,
    /// The bytes of its body that came.
    pub bytes_in: u64,
    /// The bytes of the answer's body.
    pub bytes_out: u64,
    /// Whether a fault was injected.
    pub faulty: bool,
    /// Whether the account's password had to be hashed for it.
    pub hashed: bool,
}

/// The requests so far; a handle, cheap to clone.
#[derive(Clone, Default)]
pub struct Log(Arc<Mutex<Inner>>);

#[derive(Default)]
struct Inner {
    counts: BTreeMap<String, usize>,
    hashed: usize,
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

    /// How many requests with this method there were.
    #[must_use]
    pub fn count(&self, method: &str) -> usize {
        self.lock().counts.get(method).copied().unwrap_or(0)
    }

    /// How many requests there were with each method.
    #[must_use]
    pub fn counts(&self) -> BTreeMap<String, usize> {
        self.lock().counts.clone()
    }

    /// How often the account's password had to be hashed.
    #[must_use]
    pub fn hashed(&self) -> usize {
        self.lock().hashed
    }

    /// Forgets them.
    pub fn clear(&self) {
        *self.lock() = Inner::default();
    }

    pub(super) fn add(&self, entry: Entry) {
        let mut inner = self.lock();
        *inner.counts.entry(entry.method.clone()).or_insert(0) += 1;
        inner.hashed += usize::from(entry.hashed);
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
