//! Texts of names and versions, each kept once per node, and their canonical form.
//!
//! In: names as a side spells them. Out: small ids, texts, hashes of the form under
//! which two spellings are one name. Invariant: an id stays valid until `compact`,
//! which the tree runs over all ids at once. Deliberately absent: deduplication
//! across nodes (most names are unique). A crash leaves nothing behind.

use std::borrow::Cow;
use unicode_normalization::{UnicodeNormalization, is_nfc};
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

/// Returns the form in which spellings of one name are equal: NFC, and lower
/// case where a side cannot hold names that differ in case only.
pub(crate) fn canonical(name: &str, fold_case: bool) -> Cow<'_, str> {
    if name.is_ascii() {
        if fold_case && name.bytes().any(|byte| byte.is_ascii_uppercase()) {
            return Cow::Owned(name.to_ascii_lowercase());
        }
        return Cow::Borrowed(name);
    }
    let composed: Cow<'_, str> = if is_nfc(name) {
        Cow::Borrowed(name)
    } else {
        Cow::Owned(name.nfc().collect())
    };
    if fold_case {
        Cow::Owned(composed.to_lowercase().nfc().collect())
    } else {
        composed
    }
}

/// A name in the forms that decide whether two spellings are one name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spelling {
    /// Composed, as names are compared.
    pub composed: String,
    /// Decomposed, as some file systems give it.
    pub decomposed: String,
    /// Composed and in lower case, as names are compared where case does not count.
    pub folded: String,
}

impl Spelling {
    /// Spells a name.
    #[must_use]
    pub fn of(name: &str) -> Self {
        Self {
            composed: canonical(name, false).into_owned(),
            decomposed: name.nfd().collect(),
            folded: canonical(name, true).into_owned(),
        }
    }
}

/// Hashes a canonical name for the child index.
pub(crate) fn key(canonical_name: &str) -> u32 {
    #[expect(clippy::cast_possible_truncation, reason = "half of a hash is a hash")]
    let hash = xxh3_64(canonical_name.as_bytes()) as u32;
    hash
}
