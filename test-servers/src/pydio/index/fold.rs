//! How MySQL's `utf8_unicode_ci` compares: without case and without accents.
//!
//! In: a path. Out: a key that is equal for paths that the index takes for one.
//! Invariant: the key of a text begins with the key of its beginning, so prefixes can be
//! searched by key. Deliberately absent: the order of that collation.

use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

/// Folds a path.
pub(super) fn fold(path: &str) -> String {
    path.chars()
        .flat_map(|c| std::iter::once(c).nfd().filter(|c| !is_combining_mark(*c)))
        .flat_map(char::to_lowercase)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::fold;

    #[test]
    fn case_and_accents_do_not_count_and_prefixes_stay_prefixes() {
        for (one, other) in [
            ("/ci/Abc.txt", "/ci/abç.txt"),
            ("É", "e"),
            ("e\u{301}", "E"),
        ] {
            assert_eq!(fold(one), fold(other));
        }
        assert!(fold("/Été/Là").starts_with(&fold("/été/")));
        assert_ne!(fold("a"), fold("b"));
    }
}
