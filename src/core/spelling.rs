//! When two spellings are one name.
//!
//! In: names as a side spells them. Out: the forms in which they are compared. Invariant:
//! whoever asks whether two names are one asks here, so that an adapter and the tree never
//! differ. Watched by `tree::tests`, and by ring 1, which judges by a way of its own.
//! Deliberately absent: which side tells case apart (a setting of the tree), what a server
//! does to names (the adapters).

use std::borrow::Cow;
use unicode_normalization::{UnicodeNormalization, is_nfc};

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
            composed: composed(name).into_owned(),
            decomposed: decomposed(name).into_owned(),
            folded: canonical(name, true).into_owned(),
        }
    }
}

/// Tells whether two names are one but for their spelling.
#[must_use]
pub fn is_one_name(one: &str, other: &str) -> bool {
    one == other || composed(one) == composed(other)
}

/// Returns the composed form of a name or path (NFC); borrowed when it is that already.
#[must_use]
pub fn composed(name: &str) -> Cow<'_, str> {
    if is_nfc(name) {
        Cow::Borrowed(name)
    } else {
        Cow::Owned(name.nfc().collect())
    }
}

/// Returns the decomposed form of a name (NFD).
#[must_use]
pub fn decomposed(name: &str) -> Cow<'_, str> {
    if name.is_ascii() {
        Cow::Borrowed(name)
    } else {
        Cow::Owned(name.nfd().collect())
    }
}

/// Returns the form in which spellings of one name are equal: composed, and in lower case
/// where a side cannot hold names that differ in case only.
pub(crate) fn canonical(name: &str, fold_case: bool) -> Cow<'_, str> {
    if name.is_ascii() {
        if fold_case && name.bytes().any(|byte| byte.is_ascii_uppercase()) {
            return Cow::Owned(name.to_ascii_lowercase());
        }
        return Cow::Borrowed(name);
    }
    let composed = composed(name);
    if fold_case {
        Cow::Owned(composed.to_lowercase().nfc().collect())
    } else {
        composed
    }
}
