//! Paths and names as the server takes them.
//!
//! In: names of either side. Out: their form on the wire, or why a server would
//! alter or lose them. Invariant: what is sent is signed as the server spells it,
//! and no name is created that could not be reached again. Deliberately absent:
//! case, in which servers differ. A name that a server spoils is a row in the tests.

use journal_format::value::NAME_BYTES_MAX;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use sync_core::spelling::{composed, decomposed};
use unicode_normalization::UnicodeNormalization;

/// What stays literal in a signed path: `A-Z a-z 0-9 - _ .`
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.');

/// Encodes one name or one value.
pub(super) fn encode(text: &str) -> String {
    utf8_percent_encode(text, ESCAPED).to_string()
}

/// Encodes a path, keeping its slashes; without slashes at its ends.
pub(super) fn encode_path(path: &str) -> String {
    let names = path.split('/').filter(|name| !name.is_empty());
    names.map(encode).collect::<Vec<_>>().join("/")
}

/// Spells the path part of a base address as the server does when it checks a
/// signature: with a slash in front, or empty.
pub(super) fn canonical_base(path: &str) -> String {
    let names = path.split('/').filter(|name| !name.is_empty());
    names
        .map(|name| {
            let bytes: Vec<u8> = percent_decode_str(name).collect();
            format!("/{}", percent_encoding::percent_encode(&bytes, ESCAPED))
        })
        .collect()
}

/// Returns the other form of a name, composed or decomposed, if it has two.
pub(super) fn other_spelling(name: &str) -> Option<String> {
    let (composed, decomposed) = (composed(name), decomposed(name));
    let other = if name == composed {
        decomposed
    } else {
        composed
    };
    (other != name).then(|| other.into_owned())
}

/// Tells whether a name is spelled in neither of its two forms. Once the server had
/// composed it nobody could tell that it is the same name.
pub(super) fn is_mixed(name: &str) -> bool {
    name != composed(name) && name != decomposed(name)
}

/// Says why a name is not sent to the server, or cannot be reached on it.
pub(super) fn obstacle(name: &str) -> Option<&'static str> {
    if name.starts_with('.') {
        return Some("the server refuses names that begin with a dot");
    }
    if name.starts_with(' ') {
        return Some("the server cuts off spaces at the beginning of names");
    }
    if name.len() > NAME_BYTES_MAX {
        return Some("the server cuts off names after 255 bytes");
    }
    if name.contains(['"', '/', '|', '?', '\\', '<', '>']) {
        return Some("the server alters names with one of \" / | ? \\ < >");
    }
    if name.chars().any(char::is_control) {
        return Some("the server alters names with control characters");
    }
    if has_entity(name) {
        return Some("the server takes part of the name for an HTML entity");
    }
    let lower = name.to_ascii_lowercase();
    if SCRIPTS.iter().any(|script| lower.contains(script)) {
        return Some("the server takes the name for a script and replaces it");
    }
    None
}

/// Tells whether a name is never synced: hidden, or part of an upload.
pub(super) fn is_hidden(name: &str) -> bool {
    name.starts_with('.') || is_part(name)
}

/// Tells whether a name is that of an unfinished upload.
pub(super) fn is_part(name: &str) -> bool {
    name.ends_with(PART)
}

/// Tells whether a path from the workspace's root is the bin or lies below it,
/// by the server's own rule: a folder whose name only begins like it counts too.
pub(super) fn is_binned(path: &str) -> bool {
    path.starts_with(BIN)
}

fn has_entity(name: &str) -> bool {
    name.match_indices('&').any(|(at, _)| {
        let rest = &name[at + 1..];
        let Some(end) = rest.find(';') else {
            return false;
        };
        let inner = &rest[..end];
        !inner.is_empty() && inner.chars().all(|c| c.is_ascii_alphanumeric() || c == '#')
    })
}

/// Folds a path as a MySQL index does when it compares: without case and accents.
pub(super) fn folded(path: &str) -> String {
    if path.is_ascii() {
        return path.to_ascii_lowercase();
    }
    path.nfd()
        .filter(|c| !unicode_normalization::char::is_combining_mark(*c))
        .flat_map(char::to_lowercase)
        .collect()
}

/// How names of unfinished uploads end.
pub(super) const PART: &str = ".dlpart";
/// The recycle bin, from the workspace's root.
pub(super) const BIN: &str = "/recycle_bin";

const SCRIPTS: [&str; 8] = [
    "javascript:",
    "vbscript:",
    "onclick=",
    "onload=",
    "onerror=",
    "onmouseover=",
    "onfocus=",
    "expression(",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_the_server_would_alter_are_refused_beforehand() {
        let refused = [
            ".hidden",
            "q?u",
            "a|b",
            "a\"b",
            "a\\b",
            "a<b",
            "a>b",
            " x",
            "a\tb",
            "a\nb",
            "&#x41;.txt",
            "a&amp;b",
            "javascript:x",
            "OnClick=x",
            &"x".repeat(256),
        ];
        for name in refused {
            assert!(obstacle(name).is_some(), "{name}");
        }
        let fine = [
            "a b~c+d.txt",
            "100%",
            "a#b",
            "a;b",
            "a,b",
            "it's",
            "[x]{y}",
            "$a=b@c:d*e",
            "a& b;c",
            "\u{a0}",
            "日本",
            "Привет",
            "é",
            "😀",
            "trail ",
            "trail.",
            "a & b",
            "&;",
        ];
        for name in fine {
            assert_eq!(obstacle(name), None, "{name}");
        }
    }

    #[test]
    fn wire_form_is_the_form_that_is_signed() {
        assert_eq!(
            encode_path("/a b~c+d.txt/é'(1)!*"),
            "a%20b%7Ec%2Bd.txt/%C3%A9%27%281%29%21%2A"
        );
        assert_eq!(canonical_base("/~me/caf%c3%a9/"), "/%7Eme/caf%C3%A9");
        assert_eq!(canonical_base("/"), "");
    }

    #[test]
    fn the_bin_is_told_by_prefix_and_twins_by_folding() {
        assert!(
            is_binned("/recycle_bin_2/x")
                && is_binned("/recycle_bin")
                && !is_binned("/a/recycle_bin")
        );
        assert_eq!(folded("/Abç.TXT"), folded("/abc.txt"));
        assert_eq!(composed("e\u{301}"), "é");
    }

    #[test]
    fn a_name_has_two_spellings_at_most_or_is_a_mixture() {
        assert_eq!(other_spelling("é").as_deref(), Some("e\u{301}"));
        assert_eq!(other_spelling("e\u{301}").as_deref(), Some("é"));
        assert_eq!(other_spelling("plain"), None);
        assert_eq!(other_spelling("日本"), None);
        for (name, expected) in [("é", false), ("e\u{301}", false), ("ée\u{301}", true)] {
            assert_eq!(is_mixed(name), expected, "{name}");
        }
    }
}
