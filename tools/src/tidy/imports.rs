//! Keeps every room to its row of the import table.
//!
//! In: the tree and [`table::ROOMS`]. Out: a finding for each path to a crate or
//! module the row does not list, and for each name it must never contain.
//! Invariant: `crate::`, `super::` and `self::` are resolved first, so a relative
//! path is no way around. Deliberately absent: names that macros put together.
//! The next one: a row in `table.rs`.

use super::Finding;
use super::source::{Code, Mention, mentions, words};
use super::table::{self, Ban, Room};
use super::tree::{File, Tree};
use std::collections::BTreeSet;

/// Paths lead only to what the room's row lists.
pub(super) fn rooms_keep_to_their_row(tree: &Tree) -> Vec<Finding> {
    let crates = dependencies(tree);
    let mut findings = Vec::new();
    for (file, code) in tree.rust() {
        let Some(room) = room_of(&file.path) else {
            findings.extend(homeless(file));
            continue;
        };
        if room.uses == ["*"] {
            continue;
        }
        let modules = declared(code);
        for mention in mentions(code.text()) {
            let tests = file.is_test() || code.in_tests(mention.at);
            let path = absolute(file, &mention, tests && !file.is_test());
            let Some(first) = path.first() else { continue };
            if !crates.contains(first) || modules.contains(&mention.segments[0].as_str()) {
                continue;
            }
            if !permitted(room, &path, tests) {
                findings.push(Finding::new(
                    &file.path,
                    code.line(mention.at),
                    "import",
                    format!(
                        "`{}` may not use `{}`; move the code to the room that may, or change \
                         the row in tools/src/tidy/table.rs and say why",
                        room.place,
                        path.join("::"),
                    ),
                ));
            }
        }
    }
    findings
}

/// Nothing a room must never contain is named in it.
pub(super) fn rooms_name_nothing_forbidden(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (file, code) in tree.rust() {
        let Some(room) = room_of(&file.path) else {
            continue;
        };
        let paths = mentions(code.text());
        for ban in room.never.iter().copied().flatten() {
            for at in places(ban, code, &paths) {
                if !room.tests_too && (file.is_test() || code.in_tests(at)) {
                    continue;
                }
                findings.push(Finding::new(
                    &file.path,
                    code.line(at),
                    "forbidden name",
                    format!("`{}` in `{}`: {}", ban.name, room.place, ban.instead),
                ));
            }
        }
        if lies_in(&file.path, table::PURE) {
            findings.extend(names_a_remote(file, code));
            findings.extend(float_literals(file, code));
        }
    }
    findings
}

/// The row for a file: the longest place it lies in.
fn room_of(path: &str) -> Option<&'static Room> {
    let room = table::ROOMS
        .iter()
        .filter(|room| lies_in(path, room.place))
        .max_by_key(|room| room.place.len())?;
    Some(room)
}

/// Whether `path` is the place itself (plus `.rs`) or beneath it.
fn lies_in(path: &str, place: &str) -> bool {
    path.strip_prefix(place)
        .is_some_and(|rest| rest.starts_with('/') || rest == ".rs")
}

fn homeless(file: &File) -> Option<Finding> {
    let street = table::STREETS
        .iter()
        .any(|street| lies_in(&file.path, street));
    street.then(|| {
        Finding::new(
            &file.path,
            1,
            "no room",
            "give its folder a row in tools/src/tidy/table.rs",
        )
    })
}

fn permitted(room: &Room, path: &[String], tests: bool) -> bool {
    // A room may use all of itself, however deep a file lies in it.
    let own = module(&format!("{}.rs", room.place));
    let starts = |allowed: &[String]| path.starts_with(allowed);
    let split = |name: &str| name.split("::").map(str::to_owned).collect::<Vec<_>>();
    starts(&own)
        || room.uses.iter().any(|name| starts(&split(name)))
        || (tests && table::TEST_CRATES.contains(&path[0].as_str()))
}

fn crate_of(path: &str) -> Option<(&'static str, &'static str)> {
    table::CRATES
        .iter()
        .filter(|(root, _)| lies_in(path, root))
        .max_by_key(|(root, _)| root.len())
        .copied()
}

/// The module a file is, its crate first.
fn module(path: &str) -> Vec<String> {
    let Some((root, name)) = crate_of(path) else {
        return Vec::new();
    };
    let inner = path[root.len()..].trim_matches('/').trim_end_matches(".rs");
    let mut module = vec![name.to_owned()];
    let parts = inner.split('/').filter(|part| !part.is_empty());
    module.extend(parts.map(str::to_owned));
    let is_root = module.len() == 2 && ["lib", "main"].contains(&module[1].as_str());
    if is_root || module.last().is_some_and(|last| last == "mod") {
        module.pop();
    }
    module
}

/// A mention with `crate`, `self` and `super` replaced by where they lead.
fn absolute(file: &File, mention: &Mention, inner: bool) -> Vec<String> {
    let here = module(&file.path);
    let mut rest = mention.segments.as_slice();
    let mut base = match rest.first().map(String::as_str) {
        Some("crate") => {
            rest = &rest[1..];
            here.into_iter().take(1).collect()
        }
        Some("self") => {
            rest = &rest[1..];
            here
        }
        Some("super") => here,
        _ => Vec::new(),
    };
    // An inline test module is one level deeper than its file.
    let mut skip = inner;
    while let Some((first, tail)) = rest.split_first() {
        if first != "super" {
            break;
        }
        rest = tail;
        if !std::mem::take(&mut skip) {
            base.pop();
        }
    }
    base.extend(rest.iter().filter(|part| *part != "self").cloned());
    base
}

/// The modules a file declares: they hide crates of the same name.
fn declared(code: &Code) -> Vec<&str> {
    let mut before = "";
    let mut modules = Vec::new();
    for (_, word) in words(code.text()) {
        if before == "mod" {
            modules.push(word);
        }
        before = word;
    }
    modules
}

/// Every crate a manifest of the workspace names, and the workspace's own.
fn dependencies(tree: &Tree) -> BTreeSet<String> {
    let mut crates: BTreeSet<_> = table::CRATES
        .iter()
        .map(|(_, name)| (*name).to_owned())
        .collect();
    for file in tree.files().filter(|file| file.name() == "Cargo.toml") {
        let mut section = "";
        for line in file.text.lines().map(str::trim) {
            if line.starts_with('[') {
                section = line;
            } else if section.contains("dependencies") && !line.starts_with('#') {
                let name = line.split(['=', '.']).next().unwrap_or_default().trim();
                crates.insert(name.replace('-', "_"));
            }
        }
    }
    crates.remove("");
    crates
}

fn places(ban: &Ban, code: &Code, paths: &[Mention]) -> Vec<usize> {
    let run: Vec<&str> = ban.name.split("::").collect();
    if let [word] = run[..] {
        let same = words(code.text()).filter(|(_, found)| *found == word);
        return same.map(|(at, _)| at).collect();
    }
    let holds = |mention: &&Mention| {
        let mut windows = mention.segments.windows(run.len());
        windows.any(|window| window.iter().eq(run.iter()))
    };
    paths
        .iter()
        .filter(holds)
        .map(|mention| mention.at)
        .collect()
}

fn names_a_remote(file: &File, code: &Code) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (at, word) in words(code.text()) {
        for part in parts(word) {
            if table::REMOTE_NAMES.contains(&part.as_str()) {
                findings.push(Finding::new(
                    &file.path,
                    code.line(at),
                    "forbidden name",
                    format!("`{word}` names a remote; read its capabilities instead"),
                ));
            }
        }
    }
    findings
}

/// The lower-case words in an identifier: `PydioId` and `pydio_id` both hold `pydio`.
fn parts(word: &str) -> Vec<String> {
    let mut parts = vec![String::new()];
    let mut lower = false;
    for c in word.chars() {
        if c == '_' || (c.is_uppercase() && lower) {
            parts.push(String::new());
        }
        lower = c.is_lowercase();
        if let Some(last) = parts.last_mut().filter(|_| c != '_') {
            last.extend(c.to_lowercase());
        }
    }
    parts
}

fn float_literals(file: &File, code: &Code) -> Vec<Finding> {
    let text = code.text().as_bytes();
    let digit = |at: usize| text.get(at).is_some_and(u8::is_ascii_digit);
    let mut findings = Vec::new();
    for (at, _) in code.text().match_indices('.') {
        if at == 0 || !digit(at - 1) || !digit(at + 1) {
            continue;
        }
        let number = (0..at).rev().take_while(|before| digit(*before)).count();
        let before = (at - number)
            .checked_sub(1)
            .and_then(|before| text.get(before));
        // `pair.0.1` is a field of a field.
        if before.is_some_and(|byte| byte.is_ascii_alphanumeric() || b"._".contains(byte)) {
            continue;
        }
        findings.push(Finding::new(
            &file.path,
            code.line(at),
            "forbidden name",
            "a float literal: count in integers",
        ));
    }
    findings
}
