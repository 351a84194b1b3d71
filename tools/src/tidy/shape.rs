//! Sizes, headers and words of single files.
//!
//! In: the tree. Out: findings about length, headers, leftover words, sleeping.
//! Invariant: a file is judged by itself, whatever its neighbours hold.
//! Deliberately absent: the length of functions, which clippy counts.

use super::Finding;
use super::source::words;
use super::tree::{File, Tree};

/// Lines a file may have.
const LINES_MAX: usize = 500;
/// Lines a header has at least.
const HEADER_LINES_MIN: usize = 3;
/// Files of at most this many lines need one header line only.
const TINY_LINES: usize = 40;
/// Bytes a header says at least; less is a placeholder.
const HEADER_BYTES_MIN: usize = 20;
/// How far above a sleep its reason may begin.
const REASON_LINES: usize = 8;

/// Files hold one idea.
pub(super) fn files_are_short(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (file, _) in tree.rust() {
        let lines = file.text.lines().count();
        if lines > LINES_MAX && !may_be_long(file) {
            findings.push(Finding::new(
                &file.path,
                LINES_MAX + 1,
                "long file",
                format!("{lines} lines, {LINES_MAX} at most: move one idea to a file of its own"),
            ));
        }
    }
    findings
}

fn may_be_long(file: &File) -> bool {
    file.is_test() || file.name() == "table.rs" || file.path.contains("/vectors/")
}

/// Modules say what they are for before they say how.
pub(super) fn modules_open_with_a_header(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (file, _) in tree.rust().filter(|(file, _)| !file.is_test()) {
        let header: Vec<&str> = file
            .text
            .lines()
            .map_while(|line| line.strip_prefix("//!"))
            .filter(|line| !line.trim().is_empty())
            .collect();
        let tiny = file.text.lines().count() <= TINY_LINES;
        let wanted = if tiny { 1 } else { HEADER_LINES_MIN };
        let bytes: usize = header.iter().map(|line| line.trim().len()).sum();
        if header.len() < wanted || bytes < HEADER_BYTES_MIN {
            findings.push(Finding::new(
                &file.path,
                1,
                "header",
                format!(
                    "open with `//!`, {wanted} or more lines: what for, in, out, invariant and \
                     its checker, what is absent, what a crash leaves, where the next one goes"
                ),
            ));
        }
    }
    findings
}

/// Nothing is left for later in the text.
pub(super) fn words_are_final(tree: &Tree) -> Vec<Finding> {
    // Put together here, or this file would find itself.
    let notes = [concat!("FIX", "ME"), concat!("XX", "X")];
    let macros = ["todo", "unimplemented"];
    let mut findings = Vec::new();
    for (file, code) in tree.rust() {
        for (index, line) in file.text.lines().enumerate() {
            for (_, word) in words(line).filter(|(_, word)| notes.contains(word)) {
                findings.push(Finding::new(
                    &file.path,
                    index + 1,
                    "leftover",
                    format!("`{word}`: do it, or write an issue and remove the note"),
                ));
            }
        }
        for (at, word) in words(code.text()) {
            let called = code.text()[at + word.len()..].starts_with('!');
            if called && macros.contains(&word) {
                findings.push(Finding::new(
                    &file.path,
                    code.line(at),
                    "leftover",
                    format!("`{word}!`: write it, or leave the item out"),
                ));
            }
        }
    }
    findings
}

/// Waiting for an event is not sleeping.
pub(super) fn sleeping_is_for_adapters(tree: &Tree) -> Vec<Finding> {
    let sleep = concat!("thread::", "sleep");
    let mut findings = Vec::new();
    for (file, code) in tree.rust() {
        for (at, _) in code.text().match_indices(sleep) {
            let line = code.line(at);
            let instead = if !file.path.starts_with("src/adapters/") {
                "wait for the event itself, or take the time from `ports::Clock`"
            } else if commented(file, line) {
                continue;
            } else {
                "say in a comment why nothing can be waited for here"
            };
            findings.push(Finding::new(&file.path, line, "sleep", instead));
        }
    }
    findings
}

/// Whether the line or one shortly above it holds a comment.
fn commented(file: &File, line: usize) -> bool {
    let lines = file.text.lines().take(line);
    lines
        .skip(line.saturating_sub(REASON_LINES))
        .any(|line| line.contains("//"))
}
