//! What commands print with `--json` has the names that `PROTOCOL.md` gives, and no others.

use crate::program::{Done, Lab, done, write_long_ago};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// What an object of one type has: always, and sometimes.
type Names = BTreeMap<String, [BTreeSet<String>; 2]>;

/// Reads the table in section 5.
fn documented() -> Names {
    let page = include_str!("../../src/daemon/PROTOCOL.md");
    let (_, section) = page.split_once("## 5. ").expect("the section");
    let quoted = |cell: &str| -> Vec<(String, bool)> {
        let parts: Vec<&str> = cell.split('`').collect();
        let inner = parts.iter().enumerate().filter(|(at, _)| at % 2 == 1);
        let marked = |at: usize| parts.get(at + 1).is_some_and(|it| it.starts_with('?'));
        inner
            .map(|(at, name)| ((*name).to_owned(), marked(at)))
            .collect()
    };
    let mut names = Names::new();
    let mut last = [BTreeSet::new(), BTreeSet::new()];
    for row in section
        .lines()
        .filter(|line| line.starts_with("| `"))
        .skip(1)
    {
        let cells: Vec<&str> = row.split('|').map(str::trim).collect();
        let mut fields = match cells[3].starts_with("the same and") {
            true => last,
            false => [BTreeSet::new(), BTreeSet::new()],
        };
        for (name, is_optional) in quoted(cells[3]) {
            fields[usize::from(is_optional)].insert(name);
        }
        for (kind, _) in quoted(cells[1]) {
            names.insert(kind, fields.clone());
        }
        last = fields;
    }
    let told = [
        "path", "state", "answer", "place", "advice", "trash", "events", "left_out", "begins",
    ];
    let explanation = names.get_mut("explanation").expect("a row");
    explanation[0] = told.into_iter().chain(["job"]).map(str::to_owned).collect();
    explanation[1].clear();
    names
}

/// Does everything once, and returns what was printed.
fn printed() -> Vec<Done> {
    let lab = Lab::new();
    let mut seen = Vec::new();
    for number in 0..25 {
        write_long_ago(&lab.local.join(format!("f{number:02}")), number.to_string());
    }
    write_long_ago(&lab.local.join("a"), "a");
    seen.push(done(lab.command().args(["--dry-run", "--json"])));
    seen.push(lab.once(&["--conflict", "manual"]));
    write_long_ago(&lab.local.join("a"), "mine");
    write_long_ago(&lab.remote.join("a"), "theirs and longer");
    std::fs::rename(lab.remote.join("f00"), lab.remote.join("z")).expect("renamed");
    std::fs::remove_file(lab.remote.join("f24")).expect("removed");
    let waits = lab.once(&["--conflict", "manual"]);
    assert_eq!(waits.code, 3, "{waits:?}");
    seen.push(waits);
    let mut ask = |words: &str, code: i32| {
        let words: Vec<&str> = words.split(' ').collect();
        let asked = done(lab.bare().args(&words).arg("--json"));
        assert_eq!(asked.code, code, "{words:?}: {asked:?}");
        seen.push(asked.clone());
        asked
    };
    ask("conflicts", 0);
    ask("resolve a --keep local", 0);
    let listed = ask("trash list", 0);
    let entry: Value = serde_json::from_str(listed.out.trim()).expect("JSON");
    let entry = entry["entry"].as_str().expect("a name").to_owned();
    ask(&format!("trash restore {entry}"), 0);
    ask("undo --since 2001-01-01 --dry-run", 4);
    ask("undo --last --yes", 0);
    ask("jobs list", 0);
    ask("explain f01", 0);
    let whole = lab.dir.path().join("whole.pydiojournal");
    let whole = whole.to_str().expect("text").to_owned();
    let stat = ask("journal stat", 0);
    let stat: Value = serde_json::from_str(stat.out.trim()).expect("JSON");
    let job = stat["job"].as_str().expect("an id").to_owned();
    ask(&format!("journal export {job} {whole}"), 0);
    ask(&format!("journal import {whole} --job again"), 0);
    ask(&format!("journal verify {whole}"), 0);
    ask(&format!("journal tree {whole}"), 0);
    ask(&format!("journal replay {whole} --step"), 0);
    let replayed = ask(&format!("journal replay {whole}"), 0);
    let plans = lab.dir.path().join("old.plans");
    let other = replayed.out.replacen("\"hash\":\"", "\"hash\":\"x", 1);
    std::fs::write(&plans, other).expect("written");
    ask(&format!("journal compare {} {whole}", plans.display()), 4);
    ask(&format!("journal what-if {whole} --max-delete 0"), 0);
    ask(&format!("journal minimize {whole} --keep rule:U1"), 0);
    for number in 1..25 {
        std::fs::remove_file(lab.remote.join(format!("f{number:02}"))).ok();
    }
    seen.push(done(lab.command().args(["--dry-run", "--json"])));
    let halted = lab.once(&[]);
    assert_eq!(halted.code, 5, "{halted:?}");
    seen.push(halted);
    let mut ask = |words: &[&str]| seen.push(done(lab.bare().args(words).arg("--json")));
    ask(&["status", &job]);
    ask(&["journal", "replay", &job]);
    ask(&["approve", &job]);
    ask(&["approve", &job]);
    seen
}

#[test]
fn json_has_the_names_that_are_documented() {
    let documented = documented();
    let mut found: BTreeMap<String, Vec<BTreeSet<String>>> = BTreeMap::new();
    let mut renames = 0;
    for done in printed() {
        for line in done.out.lines() {
            let value: Value = serde_json::from_str(line).expect("JSON");
            let fields = value.as_object().expect("an object");
            let names = fields.keys().filter(|name| *name != "type").cloned();
            let kind = value["type"].as_str().expect("a type").to_owned();
            if value["step"] == "rename" {
                renames += 1;
                assert!(value["to"].is_string(), "{value}");
            }
            found.entry(kind).or_default().push(names.collect());
        }
    }
    for (kind, objects) in &found {
        let [always, sometimes] = documented.get(kind).expect(kind);
        for names in objects {
            let missing: Vec<&String> = always.difference(names).collect();
            let more = names
                .difference(always)
                .filter(|name| !sometimes.contains(*name));
            let more: Vec<&String> = more.collect();
            assert!(
                missing.is_empty() && more.is_empty(),
                "{kind}: {missing:?}, {more:?}"
            );
        }
    }
    assert!(renames > 0, "a rename was to be undone");
    let not_shown: BTreeSet<&str> = documented
        .keys()
        .map(String::as_str)
        .filter(|kind| !found.contains_key(*kind))
        .collect();
    // Those that take a daemon, a server, a desktop or a damage.
    let elsewhere = [
        "an event's name",
        "check",
        "damage",
        "divergence",
        "fact",
        "login",
        "logout",
        "ordered",
        "problem",
        "reloaded",
        "salvaged",
        "service",
        "stamp",
        "workspace",
    ];
    let elsewhere: BTreeSet<&str> = elsewhere.into_iter().collect();
    let unpinned: Vec<&&str> = not_shown.difference(&elsewhere).collect();
    assert!(unpinned.is_empty(), "{unpinned:?}");
}

/// Every type that the command line's source names.
fn named(folder: &Path, found: &mut BTreeSet<String>) {
    for entry in std::fs::read_dir(folder).expect("the source") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            named(&path, found);
            continue;
        }
        let text = std::fs::read_to_string(&path).expect("text");
        // Tests may speak of parts of events.
        let text = text.split("#[cfg(test)]").next().unwrap_or_default();
        for before in ["\"type\": \"", "[\"type\"] = \""] {
            let behind = text.split(before).skip(1);
            found.extend(behind.filter_map(|rest| Some(rest.split_once('"')?.0.to_owned())));
        }
    }
}

#[test]
fn no_type_is_printed_that_is_not_documented() {
    let mut found = BTreeSet::new();
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/cli");
    named(&source, &mut found);
    assert!(found.len() > 30, "{found:?}");
    let documented = documented();
    let missing: Vec<&String> = found
        .iter()
        .filter(|kind| !documented.contains_key(*kind))
        .collect();
    assert!(missing.is_empty(), "{missing:?}");
}
