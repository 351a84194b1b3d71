//! Documents that must not drift from the tree.
//!
//! In: README.md, ARCHITECTURE.md, FORMAT.md, CHANGELOG.md and the tree. Out: findings where
//! they name what is not there or miss what is. Invariant: only what can be decided
//! by looking is checked; whether a sentence is true is for review.

use super::Finding;
use super::source::words;
use super::tree::{File, Tree};
use std::collections::BTreeSet;

const MAP: &str = "ARCHITECTURE.md";
const MAP_LINES_MAX: usize = 300;
const SPECIFICATION: &str = "journal-format/FORMAT.md";
const REGISTRY: &str = "journal-format/src/tag.rs";
const CHANGES: &str = "CHANGELOG.md";
const FRONT: &str = "README.md";
const FLAGS: &str = "src/cli/args.rs";
const MORE_FLAGS: &str = "src/cli/args/";
/// Endings by which a lone name in backticks is taken for a file.
const ENDINGS: [&str; 8] = [
    ".rs", ".md", ".toml", ".py", ".json", ".bin", ".sh", ".lock",
];

/// The map names files, folders and types that exist.
pub(super) fn architecture_is_true(tree: &Tree) -> Vec<Finding> {
    let Some(map) = tree.get(MAP) else {
        return vec![Finding::new(
            MAP,
            1,
            "architecture",
            "write it: bird's eye, entry points, code map, invariants",
        )];
    };
    let mut findings = Vec::new();
    let lines = map.text.lines().count();
    if lines >= MAP_LINES_MAX {
        findings.push(Finding::new(
            MAP,
            MAP_LINES_MAX,
            "architecture",
            format!(
                "{lines} lines, under {MAP_LINES_MAX} wanted: details belong to module headers"
            ),
        ));
    }
    let known: BTreeSet<&str> = tree
        .rust()
        .flat_map(|(_, code)| words(code.text()))
        .map(|(_, word)| word)
        .collect();
    for (line, span) in spans(map) {
        for path in alternatives(span)
            .iter()
            .filter(|path| is_place(tree, path))
        {
            let path = path.trim_start_matches("./");
            if !tree.has(path) && !tree.has_tail(path) {
                let instead = format!("`{path}` does not exist: name what does");
                findings.push(Finding::new(MAP, line, "architecture", instead));
            }
        }
        for name in types(span).filter(|name| !known.contains(name)) {
            let instead = format!("no code names `{name}`: name what is there");
            findings.push(Finding::new(MAP, line, "architecture", instead));
        }
    }
    findings
}

/// What stands between single backticks, outside of fenced blocks.
fn spans(file: &File) -> Vec<(usize, &str)> {
    let mut spans = Vec::new();
    let mut fenced = false;
    for (index, line) in file.text.lines().enumerate() {
        if line.trim_start().starts_with("```") {
            fenced = !fenced;
        } else if !fenced {
            let inside = line.split('`').skip(1).step_by(2);
            spans.extend(inside.map(|span| (index + 1, span)));
        }
    }
    spans
}

/// `src/{a,b}` as `src/a` and `src/b`.
fn alternatives(span: &str) -> Vec<String> {
    let parts = span.split_once('{').and_then(|(head, rest)| {
        let (middle, tail) = rest.split_once('}')?;
        Some((head, middle, tail))
    });
    let Some((head, middle, tail)) = parts else {
        return vec![span.to_owned()];
    };
    let one = |part: &str| format!("{head}{}{tail}", part.trim());
    middle.split(',').map(one).collect()
}

fn is_place(tree: &Tree, span: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-".contains(c);
    if span.is_empty() || !span.chars().all(plain) {
        return false;
    }
    // Paths at run time: absolute ones, and what lies in a synced folder.
    if span.starts_with(['/', '~']) || span.starts_with(".pydio-sync") {
        return false;
    }
    let ending = ENDINGS
        .iter()
        .any(|ending| span.len() > ending.len() && span.ends_with(ending));
    let first = span.split('/').next().unwrap_or_default();
    ending || span.ends_with('/') || (span.contains('/') && tree.has(first))
}

/// The type names in a span such as `Engine` or `ports::Remote`.
fn types(span: &str) -> impl Iterator<Item = &str> {
    let path = span.split("::");
    let is_name = |part: &&str| part.chars().all(|c| c.is_ascii_alphanumeric());
    let is_type = |part: &&str| {
        part.starts_with(|c: char| c.is_ascii_uppercase())
            && part.contains(|c: char| c.is_ascii_lowercase())
    };
    path.filter(is_name).filter(is_type)
}

/// The specification has every number of the registry.
pub(super) fn format_names_every_tag(tree: &Tree) -> Vec<Finding> {
    let Some((registry, code)) = tree.rust().find(|(file, _)| file.path == REGISTRY) else {
        return Vec::new();
    };
    let Some(specification) = tree.get(SPECIFICATION) else {
        let instead = "write it: it is the only specification of the format";
        return vec![Finding::new(SPECIFICATION, 1, "format", instead)];
    };
    let named: BTreeSet<u64> = numbers(&specification.text)
        .map(|(_, number)| number)
        .collect();
    let mut findings = Vec::new();
    for (index, line) in code.text().lines().enumerate() {
        let at = code
            .text()
            .lines()
            .take(index)
            .map(|line| line.len() + 1)
            .sum();
        if code.in_tests(at) || !is_entry(line) {
            continue;
        }
        for (_, number) in numbers(line).filter(|(_, number)| !named.contains(number)) {
            findings.push(Finding::new(
                &registry.path,
                index + 1,
                "format",
                format!(
                    "{SPECIFICATION} does not name {number}: add its row, and a line to {CHANGES}"
                ),
            ));
        }
    }
    findings
}

/// A line that ties a number to a name: an assignment, a match arm, a table row.
fn is_entry(line: &str) -> bool {
    let line = line.trim();
    let named = words(line)
        .any(|(_, word)| word.len() > 1 && word.starts_with(|c: char| c.is_ascii_uppercase()));
    let ties = line.contains('=') || line.starts_with('(') || line.contains("!(");
    named && ties && !line.starts_with("#[")
}

/// Whole numbers, decimal or hexadecimal, that are no part of a name.
fn numbers(text: &str) -> impl Iterator<Item = (usize, u64)> {
    let inside = |c: char| c.is_alphanumeric() || c == '_';
    text.split(move |c| !inside(c))
        .filter(|piece| piece.starts_with(|c: char| c.is_ascii_digit()))
        .enumerate()
        .filter_map(|(index, piece)| Some((index, number(piece)?)))
}

fn number(piece: &str) -> Option<u64> {
    let plain = piece.replace('_', "");
    let plain = ["u8", "u16", "u32", "u64"]
        .iter()
        .find_map(|suffix| plain.strip_suffix(suffix))
        .unwrap_or(&plain);
    match plain.strip_prefix("0x") {
        Some(hex) => u64::from_str_radix(hex, 16).ok(),
        None => plain.parse().ok(),
    }
}

/// The change log puts safety and format where nobody misses them.
pub(super) fn changelog_has_its_sections(tree: &Tree) -> Vec<Finding> {
    let Some(changes) = tree.get(CHANGES) else {
        let instead = "write it, with the sections Safety and Format in front";
        return vec![Finding::new(CHANGES, 1, "changelog", instead)];
    };
    ["Safety", "Format"]
        .into_iter()
        .filter(|name| !changes.text.lines().any(|line| is_section(line, name)))
        .map(|name| {
            let instead = format!("add the section `### {name}`; \"none\" is an answer");
            Finding::new(CHANGES, 1, "changelog", instead)
        })
        .collect()
}

/// The tables of the front page name flags that the program has.
pub(super) fn readme_names_real_flags(tree: &Tree) -> Vec<Finding> {
    let Some(front) = tree.get(FRONT) else {
        return Vec::new();
    };
    let known: BTreeSet<&str> = tree
        .rust()
        .filter(|(file, _)| file.path == FLAGS || file.path.starts_with(MORE_FLAGS))
        .flat_map(|(_, code)| words(code.text()))
        .map(|(_, word)| word)
        .collect();
    let rows = spans(front)
        .into_iter()
        .filter(|(line, _)| is_row(front, *line));
    rows.flat_map(|(line, span)| long_flags(span).map(move |flag| (line, flag)))
        .filter(|(_, flag)| !known.contains(flag.replace('-', "_").as_str()))
        .map(|(line, flag)| {
            let instead = format!("{FLAGS} has no `--{flag}`: name what is there");
            Finding::new(FRONT, line, "readme", instead)
        })
        .collect()
}

fn is_row(file: &File, line: usize) -> bool {
    let text = file.text.lines().nth(line - 1).unwrap_or_default();
    text.starts_with('|')
}

/// The names of flags with two dashes.
fn long_flags(span: &str) -> impl Iterator<Item = &str> {
    let inside = |c: char| c.is_ascii_lowercase() || c == '-';
    span.split(move |c| !inside(c))
        .filter_map(|word| word.strip_prefix("--"))
        .filter(|name| !name.is_empty())
}

fn is_section(line: &str, name: &str) -> bool {
    line.starts_with('#') && line.trim_start_matches('#').trim() == name
}
