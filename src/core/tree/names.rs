//! Texts of names and versions, each kept once per node.
//!
//! In: names as a side spells them. Out: small ids, texts, hashes of names in their
//! canonical form. Invariant: an id stays valid until `compact`, which the tree runs over
//! all ids at once. Deliberately absent: deduplication across nodes (most names are
//! unique), the canonical form (`spelling`). A crash leaves nothing behind.

use xxhash_rust::xxh3::xxh3_64;

/// A text in [`Names`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct NameId(u32);

impl NameId {
    /// No text.
    pub const NONE: Self = Self(u32::MAX);
}

/// All texts, one after the other, each behind its length.
#[derive(Debug, Clone, Default)]
pub(crate) struct Names {
    bytes: Vec<u8>,
    compact_bytes: usize,
}

impl Names {
    pub(crate) fn add(&mut self, text: &str) -> NameId {
        let length = u16::try_from(text.len()).expect("names and versions are bounded");
        let id = u32::try_from(self.bytes.len()).expect("the name arena stays below 4 GiB");
        self.bytes.extend_from_slice(&length.to_le_bytes());
        self.bytes.extend_from_slice(text.as_bytes());
        NameId(id)
    }

    pub(crate) fn get(&self, id: NameId) -> &str {
        if id == NameId::NONE {
            return "";
        }
        let start = id.0 as usize;
        let length = usize::from(u16::from_le_bytes([
            self.bytes[start],
            self.bytes[start + 1],
        ]));
        std::str::from_utf8(&self.bytes[start + 2..start + 2 + length])
            .expect("only whole texts are added")
    }

    pub(crate) fn has_doubled(&self) -> bool {
        self.bytes.len() > COMPACTION_BYTES_MIN + 2 * self.compact_bytes
    }

    pub(crate) fn mark_compact(&mut self) {
        self.compact_bytes = self.bytes.len();
    }
}

/// Below this size garbage is not worth a pass over all nodes.
const COMPACTION_BYTES_MIN: usize = 16 << 20;

/// Hashes a canonical name for the child index.
pub(crate) fn key(canonical_name: &str) -> u32 {
    #[expect(clippy::cast_possible_truncation, reason = "half of a hash is a hash")]
    let hash = xxh3_64(canonical_name.as_bytes()) as u32;
    hash
}
