//! Each rule on a tree of strings; `tests/tidy.rs` runs all of them on the workspace.

use super::source::{mentions, strip};
use super::tree::Tree;
use super::{Finding, Rule, documents, imports, settings, shape, suite};

/// `path:line` of each finding of one rule on a tree of one or more files.
fn places(rule: Rule, files: &[(&str, &str)]) -> Vec<String> {
    let place = |finding: &Finding| format!("{}:{}", finding.path, finding.line);
    rule(&Tree::of(files)).iter().map(place).collect()
}

/// One finding where `bad` stands at `path`, none where `good` does.
fn tells(rule: Rule, path: &str, bad: &str, good: &str) {
    assert_eq!(places(rule, &[(path, bad)]).len(), 1, "not found: {bad}");
    assert_eq!(places(rule, &[(path, good)]), [""; 0], "found: {good}");
}

const MANIFEST: (&str, &str) = (
    "Cargo.toml",
    "[dependencies]\nfutures.workspace = true\ntokio = \"1\"\nserde_json = \"1\"\nfjall = \"3\"\n",
);

#[test]
fn comments_and_literals_are_not_code() {
    let source = concat!(
        "a // b \"c\n/* d /* e */ f */ g \"h \\\" i\" j 'k' l '\\'' m\n",
        "r#\"n \" o\"# p br\"q\" r <'s> t\u{00e9} '\u{00e9}' u b'\\n' v r#type",
    );
    let code = strip(source);
    let words: Vec<_> = super::source::words(code.text())
        .map(|(_, word)| word)
        .collect();
    let expect = [
        "a",
        "g",
        "j",
        "l",
        "m",
        "p",
        "r",
        "s",
        "t\u{00e9}",
        "u",
        "b",
        "v",
        "r",
        "type",
    ];
    assert_eq!(words, expect);
    assert_eq!(code.text().len(), source.len());
    assert_eq!(code.text().lines().count(), source.lines().count());
}

#[test]
fn use_trees_are_multiplied_out() {
    let found: Vec<_> = mentions("use std::{fs::{self, File as F}, io}; x::y::<u8>(); z.w::<u8>()")
        .iter()
        .map(|mention| mention.segments.join("::"))
        .collect();
    assert_eq!(found, ["std::fs::self", "std::fs::File", "std::io", "x::y"]);
}

/// A file, its text, and where something is found in it.
const IMPORTS: &[(&str, &str, &str)] = &[
    ("src/executor/upload.rs", "use crate::ports::Remote;", ""),
    ("src/executor/upload.rs", "use super::other;", ""),
    (
        "src/executor/upload.rs",
        "use crate::adapters::store;",
        "src/executor/upload.rs:1",
    ),
    (
        "src/executor/mod.rs",
        "use super::daemon::Driver;",
        "src/executor/mod.rs:1",
    ),
    (
        "src/executor/mod.rs",
        "fn f() { tokio::spawn(1); }",
        "src/executor/mod.rs:1",
    ),
    (
        "src/executor/mod.rs",
        "mod tokio; fn f() { tokio::spawn(1); }",
        "",
    ),
    (
        "src/executor/mod.rs",
        "#[cfg(test)] mod tests { use super::*; use serde_json::Value; }",
        "",
    ),
    ("src/adapters/store/log.rs", "use fjall::Database;", ""),
    (
        "src/adapters/store/log.rs",
        "use crate::adapters::rooted::Root;",
        "src/adapters/store/log.rs:1",
    ),
    (
        "src/adapters/local_fs/scan.rs",
        "use crate::adapters::rooted::Root;",
        "",
    ),
    (
        "src/adapters/local_fs/scan.rs",
        "use super::super::remote::folder;",
        "src/adapters/local_fs/scan.rs:1",
    ),
    ("src/adapters/ftp/mod.rs", "", "src/adapters/ftp/mod.rs:1"),
    ("src/elsewhere.rs", "", "src/elsewhere.rs:1"),
    (
        "src/core/plan/mod.rs",
        "use serde_json::Value;",
        "src/core/plan/mod.rs:1",
    ),
    (
        "src/core/plan/mod.rs",
        "use crate::tree::Tree; use journal_format::value::Seq;",
        "",
    ),
    (
        "src/main.rs",
        "use pydio_sync::adapters::store; use tokio::main;",
        "",
    ),
    (
        "proptests/src/world.rs",
        "use pydio_sync::ports::Clock;",
        "",
    ),
    (
        "proptests/src/world.rs",
        "use pydio_sync::adapters::store;",
        "proptests/src/world.rs:1",
    ),
];

#[test]
fn rooms_may_use_what_their_row_lists() {
    for (path, text, expect) in IMPORTS {
        let found = places(imports::rooms_keep_to_their_row, &[MANIFEST, (path, text)]);
        assert_eq!(found.join(" "), *expect, "{path}: {text}");
    }
}

#[test]
fn the_core_stays_pure() {
    let bad = [
        "use std::fs;",
        "use std::{fmt, net};",
        "fn f() { std::thread::yield_now() }",
        "use std::time::Instant;",
        "async fn f() {}",
        "type Map = std::collections::HashMap<u8, u8>;",
        "use std::collections::HashSet;",
        "fn f(x: f32) {}",
        "fn f(x: f64) {}",
        "fn f() -> bool { x > 0.5 }",
        "use rand::Rng;",
        "use serde_json::Value;",
        "struct PydioId;",
        "fn is_webdav() {}",
        "enum Remote { Nextcloud }",
        "fn folder() {}",
        "#[cfg(test)] mod tests { use std::fs; }",
    ];
    for text in bad {
        let found = places(
            imports::rooms_name_nothing_forbidden,
            &[("src/core/x.rs", text)],
        );
        assert_eq!(found, ["src/core/x.rs:1"], "{text}");
    }
    let good = "use std::time::Duration; fn f(x: u64, p: P) { p.0.1; 1..2 } // HashMap, std::fs";
    let found = places(
        imports::rooms_name_nothing_forbidden,
        &[("src/core/x.rs", good)],
    );
    assert_eq!(found, [""; 0]);
}

#[test]
fn the_clock_belongs_to_adapters() {
    let text = "fn f() { std::time::Instant::now(); }";
    let rule = imports::rooms_name_nothing_forbidden;
    for path in [
        "src/core/a.rs",
        "src/executor/a.rs",
        "src/daemon/a.rs",
        "proptests/src/a.rs",
    ] {
        assert!(!places(rule, &[(path, text)]).is_empty(), "{path}");
    }
    assert_eq!(places(rule, &[("src/adapters/clock.rs", text)]), [""; 0]);
}

#[test]
fn long_files_are_split() {
    let (long, fits) = ("\n".repeat(501), "\n".repeat(500));
    tells(shape::files_are_short, "src/a.rs", &long, &fits);
    for path in ["src/a/tests.rs", "tests/it/a.rs", "src/core/plan/table.rs"] {
        assert_eq!(places(shape::files_are_short, &[(path, &long)]), [""; 0]);
    }
}

#[test]
fn headers_say_something() {
    let rule = shape::modules_open_with_a_header;
    let header = "//! Says what the room is for.\n";
    tells(rule, "src/main.rs", "fn main() {}", header);
    tells(rule, "src/a.rs", "//! x\n", header);
    let body = "\n".repeat(40);
    let (one, three) = (
        format!("{header}{body}"),
        format!("{}{body}", header.repeat(3)),
    );
    tells(rule, "src/a.rs", &one, &three);
    assert_eq!(places(rule, &[("src/a/tests.rs", "fn f() {}")]), [""; 0]);
}

#[test]
fn nothing_is_left_for_later() {
    let rule = shape::words_are_final;
    let note = concat!("// FIX", "ME: later");
    tells(rule, "src/a.rs", note, "// a suffix of it is fine");
    tells(rule, "src/a.rs", concat!("// XX", "X"), "// XXXX");
    tells(
        rule,
        "src/a.rs",
        "fn f() { todo!() }",
        "fn todo() {} // todo!()",
    );
}

#[test]
fn sleeping_needs_an_adapter_and_a_reason() {
    let rule = shape::sleeping_is_for_adapters;
    let sleep = "fn f() { std::thread::sleep(x) }";
    let reasoned = format!("// the device has no event\n{sleep}");
    tells(rule, "src/adapters/a.rs", sleep, &reasoned);
    assert_eq!(
        places(rule, &[("tests/it/a.rs", &reasoned)]),
        ["tests/it/a.rs:2"]
    );
}

#[test]
fn results_of_matches_are_used() {
    let rule = suite::matches_is_asserted;
    tells(
        rule,
        "src/a.rs",
        "fn f() { x(); matches!(a, B { .. }); }",
        "fn f() { assert!(matches!(a, B)); }",
    );
    tells(
        rule,
        "src/a.rs",
        "fn f() { matches!(a, B); }",
        "fn f() -> bool { matches!(a, B) }",
    );
    tells(
        rule,
        "src/a.rs",
        "fn f() { if x {} matches!(a, B); }",
        "fn f() { let b = matches!(a, B); }",
    );
}

#[test]
fn no_test_is_switched_off() {
    tells(
        suite::tests_run,
        "src/a.rs",
        "#[ignore] fn f() {}",
        "#[ignored] fn f() {}",
    );
    tells(
        suite::tests_run,
        "src/a.rs",
        "#[ignore = \"slow\"] fn f() {}",
        "// #[ignore]",
    );
}

#[test]
fn every_test_file_is_a_module() {
    let files = [
        ("tests/it/main.rs", "mod crash; // mod lost;"),
        ("tests/it/crash.rs", "mod inner;"),
        ("tests/it/crash/inner.rs", ""),
        ("tests/it/crash/gone.rs", ""),
        ("tests/it/lost.rs", ""),
    ];
    let found = places(suite::files_are_listed, &files);
    assert_eq!(found, ["tests/it/crash/gone.rs:1", "tests/it/lost.rs:1"]);
}

#[test]
fn the_map_names_what_exists() {
    let rule = documents::architecture_is_true;
    let map = concat!(
        "`src/core/` `plan/table.rs` `src/{core,lost}` `Engine` `ports::Lost`\n",
        "`.pydio-sync/trash/` `text/plain` `gone.md` `a b`\n```\n`src/not/looked/at.rs`\n```\n",
    );
    let code = ("src/core/plan/table.rs", "struct Engine;");
    let found = places(rule, &[("ARCHITECTURE.md", map), code]);
    assert_eq!(
        found,
        [
            "ARCHITECTURE.md:1",
            "ARCHITECTURE.md:1",
            "ARCHITECTURE.md:2"
        ]
    );
    assert_eq!(places(rule, &[code]), ["ARCHITECTURE.md:1"]);
    let long = "\n".repeat(300);
    assert_eq!(
        places(rule, &[("ARCHITECTURE.md", &long)]),
        ["ARCHITECTURE.md:300"]
    );
}

#[test]
fn every_tag_is_specified() {
    let rule = documents::format_names_every_tag;
    let tags = "pub enum Tag {\n    Paused = 7,\n    Resumed = 0x0010,\n    Halted = 9,\n}\n#[repr(u16)]\nfn f() { x = 99 }\nfn from() { 12 => Tag::Late }\n#[cfg(test)]\nmod tests { fn f() { assert_eq!(Tag::X, 77) } }\n";
    let tree = [
        ("journal-format/src/tag.rs", tags),
        (
            "journal-format/FORMAT.md",
            "| 7 | paused |\n| 16 | resumed |\n",
        ),
    ];
    let found = places(rule, &tree);
    assert_eq!(
        found,
        ["journal-format/src/tag.rs:4", "journal-format/src/tag.rs:8"]
    );
    assert_eq!(places(rule, &tree[..1]), ["journal-format/FORMAT.md:1"]);
}

#[test]
fn the_changelog_has_safety_and_format() {
    let rule = documents::changelog_has_its_sections;
    tells(
        rule,
        "CHANGELOG.md",
        "## 1\n### Format\n",
        "## 1\n### Safety\n### Format\n",
    );
}

#[test]
fn the_readme_names_flags_that_exist() {
    let flags = (
        "src/cli/args.rs",
        "struct Args { once: bool, state_dir: Dir } // no lost",
    );
    let readme = "`--elsewhere`\n| `-d`, `--state-dir DIR` | `--once` |\n| `--lost` |\n";
    let found = places(
        documents::readme_names_real_flags,
        &[("README.md", readme), flags],
    );
    assert_eq!(found, ["README.md:3"]);
}

#[test]
fn released_wire_files_never_change() {
    let rule = settings::frozen_files_are_unchanged;
    let digest = blake3::hash(b"v1").to_hex();
    let list = format!("# released\n{digest}  paused_v1.rs\n{digest}  gone_v1.rs\n");
    let wire = "journal-format/src/wire/paused_v1.rs";
    let list = ("journal-format/src/wire/FROZEN", list.as_str());
    let frozen = "journal-format/src/wire/FROZEN";
    let (two, three) = (format!("{frozen}:2"), format!("{frozen}:3"));
    assert_eq!(
        places(rule, &[(wire, "v1"), list]),
        std::slice::from_ref(&three)
    );
    assert_eq!(places(rule, &[(wire, "v2"), list]), [two, three]);
    assert_eq!(places(rule, &[(wire, "v1")]), [format!("{frozen}:1")]);
}

#[test]
fn the_core_repeats_the_lint_settings() {
    let rule = settings::settings_agree;
    let root = (".clippy.toml", "# why\na = 1\nb = [\n    2,\n]\n");
    let same = ("src/core/.clippy.toml", "a = 1\nb = [\n    2,\n    3,\n]\n");
    let less = ("src/core/.clippy.toml", "a = 1\nb = [\n    3,\n]\n");
    assert_eq!(places(rule, &[root, same]), [""; 0]);
    assert_eq!(places(rule, &[root, less]), [".clippy.toml:4"]);
    assert_eq!(places(rule, &[root]), ["src/core/.clippy.toml:1"]);
}

#[test]
fn no_file_names_a_machine() {
    let rule = settings::no_machine_paths;
    let bad = concat!("see /wo", "rk/x or \"/ro", "ot/y\"");
    let good = concat!("see a/wo", "rk/x, http://h/ro", "ot/y and ./wo", "rk/");
    tells(rule, "README.md", bad, good);
}
