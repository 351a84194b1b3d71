//! Journals of real runs, with what is planned over them pinned.
//!
//! `tests/journals` holds whole journals (`.pydiojournal`), beside each the plans of
//! this release (`.plans`), and small ones as text (`.jsonl`) that must still show what
//! they were kept for. A change of rules shows here as a difference to review; then
//! `BLESS=1 cargo test --test it corpus` writes the plans anew. A journal comes here by
//! `pydio-sync journal export` or `journal minimize --fixture`, from the stories with
//! `BLESS_JOURNALS=1`, or from the simulator with `tools sim --seed N --journal FILE` (the
//! name tells the seed). Each rule has to occur.

use crate::program::Lab;
use journal_format::event::Case;
use pydio_sync::journal::fixture;
use pydio_sync::journal::minimize::Condition;
use serde_json::Value;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

fn corpus(ending: &str) -> Vec<PathBuf> {
    let place = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/journals");
    let entries = std::fs::read_dir(place).expect("the corpus");
    let paths = entries.map(|entry| entry.expect("an entry").path());
    let mut paths: Vec<PathBuf> = paths
        .filter(|path| path.extension().is_some_and(|found| found == ending))
        .collect();
    paths.sort();
    paths
}

#[test]
fn plans_over_the_kept_journals_are_the_pinned_ones() {
    let lab = Lab::new();
    let journals = corpus("pydiojournal");
    assert!(journals.len() >= 10, "{journals:?}");
    for journal in journals {
        let plans = journal.with_extension("plans");
        let name = journal.to_str().expect("UTF-8");
        if std::env::var_os("BLESS").is_some() {
            let replayed = lab.offline(&["journal", "replay", name, "--json"]);
            assert_eq!(replayed.code, 0, "{replayed:?}");
            std::fs::write(&plans, replayed.out).expect("written");
        }
        let compared = lab.offline(&["journal", "compare", plans.to_str().expect("UTF-8"), name]);
        assert_eq!(compared.code, 0, "{name}: {compared:?}");
    }
}

/// A change of a rule that no journal here plans by would not show.
#[test]
fn each_rule_occurs_in_the_pinned_plans() {
    let mut seen = BTreeSet::new();
    for path in corpus("plans") {
        let text = std::fs::read_to_string(&path).expect("plans");
        for line in text.lines() {
            let line: Value = serde_json::from_str(line).expect("JSON");
            for rules in ["by", "held"] {
                let rules = line[rules].as_object().into_iter().flatten();
                let letters = rules.filter_map(|(rule, _)| rule.get(..2));
                seen.extend(letters.map(str::to_owned));
            }
            if !line["brake"].is_null() {
                seen.insert(Case::H1.letter().to_owned());
            }
        }
    }
    let all = ALL.map(Case::letter);
    let missing: Vec<&str> = all.into_iter().filter(|it| !seen.contains(*it)).collect();
    // Nothing happened, so nothing is planned.
    assert_eq!(missing, [Case::N0.letter()]);
}

const ALL: [Case; 22] = [
    Case::N0,
    Case::U1,
    Case::U2,
    Case::D1,
    Case::D2,
    Case::A1,
    Case::A2,
    Case::E1,
    Case::E2,
    Case::C1,
    Case::C2,
    Case::C3,
    Case::M1,
    Case::M2,
    Case::M3,
    Case::M4,
    Case::R1,
    Case::Q1,
    Case::V1,
    Case::V2,
    Case::P1,
    Case::H1,
];

#[test]
fn the_kept_fixtures_still_show_what_they_were_kept_for() {
    let lab = Lab::new();
    let fixtures = corpus("jsonl");
    assert!(fixtures.len() >= 10, "{fixtures:?}");
    for path in fixtures {
        let text = std::fs::read_to_string(&path).expect("a fixture");
        let (head, records) = fixture::read(&text).expect("a fixture");
        let condition = Condition::parse(&head.expect("a head").keep).expect("a condition");
        assert!(condition.shows_in(&records), "{}", path.display());
        // The tools that read journals read it as it is.
        let name = path.to_str().expect("UTF-8");
        let printed = lab.offline(&["journal", "cat", name, "--json"]);
        let events = text.lines().skip(1).map(serde_json::from_str::<Value>);
        let events: Vec<Value> = events.map(|event| event.expect("JSON")).collect();
        let lines = printed.out.lines().map(serde_json::from_str::<Value>);
        let lines: Vec<Value> = lines.map(|line| line.expect("JSON")).collect();
        assert_eq!(lines, events, "{name}");
    }
}

#[test]
fn every_reading_tool_takes_a_fixture() {
    let lab = Lab::new();
    let place = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/journals");
    let fixture = place.join("created-on-both-sides.jsonl");
    let name = fixture.to_str().expect("UTF-8");
    let small = lab.dir.path().join("small.jsonl");
    let whole = lab.dir.path().join("whole.pydiojournal");
    let [small, whole] = [&small, &whole].map(|path| path.to_str().expect("UTF-8"));
    for words in [
        &["stat", name][..],
        &["cat", name],
        &["verify", name],
        &["tree", name],
        &["replay", name],
        &["replay", name, "--step"],
        &["explain", name, "draft.txt"],
        &["what-if", name, "--conflict", "local"],
        &["minimize", name, "--keep", "rule:C1", "--fixture", small],
        &["export", name, whole],
        &["verify", whole],
        &["import", name, "--job", "again"],
    ] {
        let done = lab.offline(&[&["journal"], words].concat());
        assert_eq!(done.code, 0, "{words:?}: {done:?}");
    }
    // What is needed already stays, and what was exported is the same journal.
    let events = |name: &str| lab.offline(&["journal", "cat", name, "--json"]).out;
    assert_eq!(events(small), events(name));
    assert_eq!(events(whole), events(name));
    // A typo is told by its line.
    let typo = std::fs::read_to_string(name).expect("a fixture");
    std::fs::write(small, typo.replace("\"seq\":3", "\"seq\":33")).expect("written");
    let refused = lab.offline(&["journal", "replay", small]);
    assert!(
        refused.code == 2 && refused.err.contains("line 4"),
        "{refused:?}"
    );
}
