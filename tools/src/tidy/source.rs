//! Rust text without its comments and strings, and the names in it.
//!
//! In: a source file. Out: code of the same length and lines in which comments and
//! the insides of literals are blanks, and the paths (`a::b::c`) it mentions.
//! Invariant: byte offsets and lines are those of the source. Deliberately absent:
//! a parser; macros that build names escape, which review has to see.

mod names;
mod strip;

pub(super) use names::{Mention, mentions, words};

use std::ops::Range;

/// Code without comments and strings.
pub(super) struct Code {
    text: String,
    tests: Vec<Range<usize>>,
}

impl Code {
    /// The blanked text, as long as the source.
    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// The line of a byte offset, from 1.
    pub(super) fn line(&self, at: usize) -> usize {
        let before = self.text.as_bytes().get(..at).unwrap_or_default();
        1 + before.iter().filter(|byte| **byte == b'\n').count()
    }

    /// Whether a byte offset lies in an item under `#[cfg(test)]`.
    pub(super) fn in_tests(&self, at: usize) -> bool {
        self.tests.iter().any(|range| range.contains(&at))
    }
}

/// Blanks comments and literals, and finds the test items.
pub(super) fn strip(source: &str) -> Code {
    let text = strip::blank(source);
    let tests = test_items(&text);
    Code { text, tests }
}

/// The offset just after the bracket that closes the one at `open`.
pub(super) fn closing(text: &str, open: usize) -> Option<usize> {
    let mut depth = 0_usize;
    for (at, byte) in text.bytes().enumerate().skip(open) {
        match byte {
            b'(' | b'[' | b'{' => depth += 1,
            b')' | b']' | b'}' => {
                depth = depth.checked_sub(1)?;
                if depth == 0 {
                    return Some(at + 1);
                }
            }
            _ => {}
        }
    }
    None
}

/// From each `#[cfg(test)]` to the end of the item it stands on.
fn test_items(text: &str) -> Vec<Range<usize>> {
    let mut items = Vec::new();
    for (start, mark) in text.match_indices("#[cfg(test)]") {
        let rest = start + mark.len();
        let Some(end) = text[rest..].find(['{', ';']).map(|at| rest + at) else {
            continue;
        };
        let end = if text[end..].starts_with('{') {
            closing(text, end).unwrap_or(text.len())
        } else {
            end
        };
        items.push(start..end);
    }
    items
}
