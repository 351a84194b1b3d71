//! Tests that would check nothing.
//!
//! In: the tree. Out: findings about results nobody looks at, tests that are
//! switched off and test files that no one compiles. Invariant: watches the tests
//! themselves, so that a green run means what it says.

use super::Finding;
use super::source::{closing, words};
use super::tree::Tree;

/// The folder of the one integration test binary.
const SUITE: &str = "tests/it/";

/// `matches!` is part of an expression that somebody looks at.
pub(super) fn matches_is_asserted(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (file, code) in tree.rust() {
        let text = code.text();
        for (at, mark) in text.match_indices("matches!(") {
            let before = text[..at].trim_end();
            let starts = before.is_empty() || before.ends_with([';', '{', '}']);
            let end = closing(text, at + mark.len() - 1).unwrap_or(text.len());
            if starts && text[end..].trim_start().starts_with(';') {
                findings.push(Finding::new(
                    &file.path,
                    code.line(at),
                    "unused matches",
                    "put it inside `assert!`: alone it checks nothing",
                ));
            }
        }
    }
    findings
}

/// No test is switched off.
pub(super) fn tests_run(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (file, code) in tree.rust() {
        for mark in ["#[ignore]", "#[ignore =", "#[ignore="] {
            for (at, _) in code.text().match_indices(mark) {
                findings.push(Finding::new(
                    &file.path,
                    code.line(at),
                    "ignored test",
                    "make it run everywhere, or remove it",
                ));
            }
        }
    }
    findings
}

/// Each file of the integration suite is a module of it.
pub(super) fn files_are_listed(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (file, _) in tree.rust() {
        let Some(inner) = file.path.strip_prefix(SUITE) else {
            continue;
        };
        if inner == "main.rs" {
            continue;
        }
        let stem = inner.trim_end_matches(".rs").trim_end_matches("/mod");
        let (folder, name) = stem.rsplit_once('/').unwrap_or(("", stem));
        let parents = if folder.is_empty() {
            vec![format!("{SUITE}main.rs")]
        } else {
            vec![
                format!("{SUITE}{folder}/mod.rs"),
                format!("{SUITE}{folder}.rs"),
            ]
        };
        if !parents.iter().any(|parent| declares(tree, parent, name)) {
            findings.push(Finding::new(
                &file.path,
                1,
                "forgotten test",
                format!("write `mod {name};` in {}", parents.join(" or ")),
            ));
        }
    }
    findings
}

fn declares(tree: &Tree, parent: &str, name: &str) -> bool {
    let Some((_, code)) = tree.rust().find(|(file, _)| file.path == parent) else {
        return false;
    };
    let listed: Vec<_> = words(code.text()).map(|(_, word)| word).collect();
    listed.windows(2).any(|pair| pair == ["mod", name])
}
