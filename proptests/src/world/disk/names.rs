//! When two names are one.
//!
//! In: names and the folding of a disk. Out: keys that are equal for names that
//! mean the same. Invariant: a key is its own key. Deliberately absent: Unicode
//! tables; users of the world write only the composed letters listed here.

use journal_format::value::RelPath;

/// Which spellings a disk takes for one name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Folding {
    /// Those that differ in case.
    pub case: bool,
    /// Those that differ in normalisation.
    pub norm: bool,
}

impl Folding {
    /// Both.
    pub const ALL: Self = Self {
        case: true,
        norm: true,
    };
}

/// Composed letters and how they are written in two characters.
pub const COMPOSED: [(&str, &str); 3] = [
    ("\u{e9}", "e\u{301}"),
    ("\u{e4}", "a\u{308}"),
    ("\u{c9}", "E\u{301}"),
];

/// The directory that belongs to the program in each root.
pub const OWN: &str = ".pydio-sync";

/// Returns the key of a name.
#[must_use]
pub fn key(name: &str, folding: Folding) -> String {
    let mut key = name.to_owned();
    if folding.norm {
        key = composed(&key);
    }
    if folding.case {
        key = key.to_lowercase();
    }
    key
}

/// Returns a text with composed letters only.
#[must_use]
pub fn composed(text: &str) -> String {
    COMPOSED
        .iter()
        .fold(text.to_owned(), |text, (one, two)| text.replace(two, one))
}

/// Returns a text with no composed letters.
#[must_use]
pub fn decomposed(text: &str) -> String {
    COMPOSED
        .iter()
        .fold(text.to_owned(), |text, (one, two)| text.replace(one, two))
}

/// Tells whether a path is part of what users see.
#[must_use]
pub fn is_visible(path: &RelPath) -> bool {
    path.names()
        .next()
        .is_none_or(|first| key(first, Folding::ALL) != OWN)
}

/// Tells whether the filters leave a name out.
#[must_use]
pub fn is_excluded(name: &str) -> bool {
    name.len() > 4 && name.as_bytes().ends_with(b".tmp")
}
