//! Which contents people wrote, and which of them must still be somewhere.
//!
//! In: what a person made, and what a side showed before and after a person did
//! something there. Out: the contents that nobody but the program can have lost.
//! Invariant: a content is released only when a person's own action (or a power
//! loss before that person's data was durable) took its last visible copy on that
//! side; so what is missing and not released was destroyed by the program.
//! Deliberately absent: paths. Next: another way to release is a method here.

use journal_format::value::Side;
use std::collections::{BTreeMap, BTreeSet};

/// Contents by their bytes; for a symbolic link, its target.
#[derive(Debug, Clone, Default)]
pub struct Ledger {
    contents: BTreeMap<Vec<u8>, Content>,
    made: u64,
}

/// What is known of a content.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Content {
    /// Who wrote it first.
    pub writer: Side,
    /// How often it was written: of several copies it is not told whose was taken.
    pub written: u32,
    /// Whether it must still be somewhere.
    pub owed: bool,
    /// Per side: a person took it from sight there and did not bring it back.
    pub taken: [bool; 2],
    /// A person took one of several copies from sight, some of them perhaps the
    /// program's own: whether the others were to stay is not told.
    pub thinned: bool,
}

impl Ledger {
    /// Makes a content that was never there, of at least `bytes_min` bytes.
    pub fn invent(&mut self, side: Side, bytes_min: usize) -> Vec<u8> {
        self.made += 1;
        let mut bytes = format!("<{} {side}>", self.made).into_bytes();
        while bytes.len() < bytes_min {
            bytes.push(b'a' + u8::try_from(bytes.len() % 26).unwrap_or(0));
        }
        bytes
    }

    /// Notes what a person wrote: from now on it is owed.
    pub fn wrote(&mut self, side: Side, bytes: &[u8]) {
        let content = self.contents.entry(bytes.to_owned()).or_insert(Content {
            writer: side,
            written: 0,
            owed: false,
            taken: [false; 2],
            thinned: false,
        });
        // An empty file is no content that could be lost. And who brings back what
        // the other side's person replaced or deleted has, by content, an unchanged
        // file there: that wish of the other person is carried out.
        content.written += 1;
        content.taken[side as usize] = false;
        content.owed = !bytes.is_empty() && !content.taken[side.other() as usize];
    }

    /// Notes what the power left of a person's data: known, but not owed.
    pub fn left_by_power(&mut self, side: Side, bytes: &[u8]) {
        self.contents.entry(bytes.to_owned()).or_insert(Content {
            writer: side,
            written: 0,
            owed: false,
            taken: [false; 2],
            thinned: false,
        });
    }

    /// Releases what a person's action on a side, or the power, took from sight.
    pub fn released(
        &mut self,
        on: Option<Side>,
        before: &BTreeSet<Vec<u8>>,
        after: &BTreeSet<Vec<u8>>,
    ) {
        for bytes in before.difference(after) {
            self.release(on, bytes);
        }
    }

    /// Notes which contents a person's action left fewer copies of.
    pub fn thinned(&mut self, before: &BTreeMap<Vec<u8>, usize>, after: &BTreeMap<Vec<u8>, usize>) {
        for (bytes, copies) in before {
            if after.get(bytes).is_some_and(|left| left < copies)
                && let Some(content) = self.contents.get_mut(bytes)
            {
                content.thinned = true;
            }
        }
    }

    /// Releases one content.
    pub fn release(&mut self, on: Option<Side>, bytes: &[u8]) {
        if let Some(content) = self.contents.get_mut(bytes) {
            content.owed = false;
            if let Some(side) = on {
                content.taken[side as usize] = true;
            }
        }
    }

    /// Tells whether a person wrote exactly this.
    #[must_use]
    pub fn knows(&self, bytes: &[u8]) -> bool {
        self.contents.contains_key(bytes)
    }

    /// Returns the owed contents that are not in `present`.
    #[must_use]
    pub fn missing(&self, present: &BTreeSet<&[u8]>) -> Vec<(Vec<u8>, Content)> {
        self.contents
            .iter()
            .filter(|(bytes, content)| content.owed && !present.contains(bytes.as_slice()))
            .map(|(bytes, content)| (bytes.clone(), *content))
            .collect()
    }

    /// Returns what is known of a content.
    #[must_use]
    pub fn get(&self, bytes: &[u8]) -> Option<Content> {
        self.contents.get(bytes).copied()
    }
}
