//! What one subscriber wants: a set of prefixes (ZeroMQ RFC 29).
//!
//! In: subscriptions and their ends. Out: whether a topic matches. Invariants: number
//! and bytes are bounded; asking costs one binary search, so that many subscriptions
//! slow nobody down. A prefix that is subscribed twice is one subscription, as in
//! libzmq.

use super::decoder::Violation;
use super::limits::Limits;
use std::collections::BTreeSet;

/// The subscriptions of one connection.
#[derive(Debug, Default)]
pub(super) struct Filter {
    all: BTreeSet<Vec<u8>>,
    all_bytes: usize,
    /// Those of `all` that do not begin with another one, in order. At most one of
    /// them is a prefix of a given topic: the last one that is not greater.
    shortest: Vec<Vec<u8>>,
}

impl Filter {
    /// Adds a prefix.
    ///
    /// # Errors
    /// There are too many, or they are too long.
    pub(super) fn subscribe(&mut self, prefix: Vec<u8>, limits: &Limits) -> Result<(), Violation> {
        if self.all.contains(&prefix) {
            return Ok(());
        }
        let all_bytes = self.all_bytes + prefix.len();
        if self.all.len() >= limits.subscriptions_max || all_bytes > limits.subscription_bytes_max {
            return Err(Violation::TooManySubscriptions);
        }
        self.all_bytes = all_bytes;
        self.all.insert(prefix);
        self.rebuild();
        Ok(())
    }

    /// Takes a prefix back.
    pub(super) fn cancel(&mut self, prefix: &[u8]) {
        if self.all.remove(prefix) {
            self.all_bytes -= prefix.len();
            self.rebuild();
        }
    }

    /// Returns whether nothing is subscribed.
    pub(super) fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// Returns whether a topic is wanted.
    pub(super) fn matches(&self, topic: &[u8]) -> bool {
        let after = self
            .shortest
            .partition_point(|prefix| prefix.as_slice() <= topic);
        after
            .checked_sub(1)
            .is_some_and(|place| topic.starts_with(&self.shortest[place]))
    }

    fn rebuild(&mut self) {
        self.shortest.clear();
        for prefix in &self.all {
            let covered = self
                .shortest
                .last()
                .is_some_and(|shorter| prefix.starts_with(shorter));
            if !covered {
                self.shortest.push(prefix.clone());
            }
        }
    }
}
