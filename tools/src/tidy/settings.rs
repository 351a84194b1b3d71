//! Settings and frozen files.
//!
//! In: the lint settings, the list of released wire files, all files. Out: findings
//! where copies differ, a released file was edited, or a machine's own path shows.
//! Invariant: a file that is listed as frozen never changes again; its bytes are
//! what old journals are read with.

use super::Finding;
use super::tree::Tree;

const LINTS: &str = ".clippy.toml";
const CORE_LINTS: &str = "src/core/.clippy.toml";
const WIRE: &str = "journal-format/src/wire/";
const FROZEN: &str = "journal-format/src/wire/FROZEN";

/// Released wire files have the bytes they were released with.
pub(super) fn frozen_files_are_unchanged(tree: &Tree) -> Vec<Finding> {
    if !tree.has(WIRE) {
        return Vec::new();
    }
    let Some(list) = tree.get(FROZEN) else {
        let instead = "write it: `<BLAKE3 in hex> <file>` a line, empty before the first release";
        return vec![Finding::new(FROZEN, 1, "frozen", instead)];
    };
    let mut findings = Vec::new();
    for (index, line) in list.text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let mut parts = line.split_whitespace();
        let (digest, name) = (
            parts.next().unwrap_or_default(),
            parts.next().unwrap_or_default(),
        );
        let found = tree.get(&format!("{WIRE}{name}"));
        let instead = match found {
            Some(file) if file.digest.eq_ignore_ascii_case(digest) => continue,
            Some(file) => format!(
                "{name} was released and has changed (now {}): restore it and add the next version \
                 beside it",
                file.digest
            ),
            None => format!("{name} was released and is gone: restore it"),
        };
        findings.push(Finding::new(FROZEN, index + 1, "frozen", instead));
    }
    findings
}

/// The nearest lint settings win and nothing is merged, so the core repeats all.
pub(super) fn settings_agree(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for path in [LINTS, CORE_LINTS] {
        if tree.get(path).is_none() {
            findings.push(Finding::new(path, 1, "settings", "write it"));
        }
    }
    let (Some(lints), Some(core)) = (tree.get(LINTS), tree.get(CORE_LINTS)) else {
        return findings;
    };
    let has = |wanted: &str| core.text.lines().any(|line| line.trim() == wanted);
    for (index, line) in lints.text.lines().enumerate() {
        let line = line.trim();
        if !line.is_empty() && !line.starts_with('#') && !has(line) {
            findings.push(Finding::new(
                LINTS,
                index + 1,
                "settings",
                format!(
                    "repeat this line in {CORE_LINTS}: the nearest file wins, nothing is merged"
                ),
            ));
        }
    }
    findings
}

/// What is written here is true on every machine.
pub(super) fn no_machine_paths(tree: &Tree) -> Vec<Finding> {
    // Put together here, or this file would find itself.
    let places = [concat!("/wo", "rk/"), concat!("/ro", "ot/")];
    let mut findings = Vec::new();
    for file in tree.files() {
        for (index, line) in file.text.lines().enumerate() {
            if places.iter().any(|place| starts_in(line, place)) {
                findings.push(Finding::new(
                    &file.path,
                    index + 1,
                    "machine path",
                    "write it relative to the repository, or take it from the environment",
                ));
            }
        }
    }
    findings
}

/// Whether an absolute path that begins with `place` stands in the line.
fn starts_in(line: &str, place: &str) -> bool {
    let inside = |c: char| c.is_alphanumeric() || "._-~/}>)*".contains(c);
    line.match_indices(place)
        .any(|(at, _)| !line[..at].ends_with(inside))
}
