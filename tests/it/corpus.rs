//! Journals of real runs, with what is planned over them pinned.
//!
//! `tests/journals` holds whole journals (`.pydiojournal`), beside each the plans of
//! this release (`.plans`), and small ones as text (`.jsonl`) that must still show what
//! they were kept for. A change of rules shows here as a difference to review; then
//! `BLESS=1 cargo test --test it corpus` writes the plans anew. A journal comes here by
//! `pydio-sync journal export` or `journal minimize --fixture`, or from the stories with
//! `BLESS_JOURNALS=1`.

use crate::program::Lab;
use pydio_sync::journal::fixture;
use pydio_sync::journal::minimize::Condition;
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

#[test]
fn the_kept_fixtures_still_show_what_they_were_kept_for() {
    let fixtures = corpus("jsonl");
    assert!(fixtures.len() >= 10, "{fixtures:?}");
    for path in fixtures {
        let text = std::fs::read_to_string(&path).expect("a fixture");
        let (head, records) = fixture::read(&text).expect("a fixture");
        let condition = Condition::parse(&head.keep).expect("a condition");
        assert!(condition.shows_in(&records), "{}", path.display());
    }
}
