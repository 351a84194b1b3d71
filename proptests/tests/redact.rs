//! A redacted journal folds and plans as the original, and tells nobody's names.
//!
//! `REDACT_SEEDS=1000 cargo test --release -p proptests --test redact` takes more worlds.

use journal_format::encode_record;
use journal_format::event::{Event, Operation, Record, SessionEvent};
use journal_format::value::Timestamp;
use proptests::program::Program;
use proptests::run::{run, run_with_feed};
use pydio_sync::journal::Redactor;
use std::collections::BTreeSet;
use sync_core::engine::Engine;

fn seeds() -> u64 {
    let asked = std::env::var("REDACT_SEEDS").ok();
    asked.and_then(|text| text.parse().ok()).unwrap_or(60)
}

/// What would be done after these records, by an engine that was just started.
fn planned(engine: &Engine, records: &[Record]) -> Vec<Operation> {
    let mut engine = Engine::restore(engine.state().clone());
    let now = records.last().map_or(Timestamp(0), |record| record.time);
    engine.begin_session("0", 0);
    engine.preview(now.plus_millis(1_000_000_000))
}

/// Folds both journals side by side and compares plans on the way.
fn plans_alike(seed: u64, records: &[Record]) -> usize {
    let redactor = Redactor::new([seed.to_le_bytes()[0] ^ 0x5a; 32]);
    let (mut plain, mut hidden) = (Engine::new(), Engine::new());
    let mut compared = 0;
    for (at, record) in records.iter().enumerate() {
        let redacted = redactor.record(record).expect("not that deep");
        plain.replay(record);
        hidden.replay(&redacted);
        if at % 7 != 0 && at + 1 != records.len() {
            continue;
        }
        let wanted: Vec<Operation> = planned(&plain, &records[..=at])
            .iter()
            .map(|operation| redactor.operation(operation).expect("not that deep"))
            .collect();
        let found = planned(&hidden, &records[..=at]);
        assert_eq!(found, wanted, "seed {seed}, after event {}", record.seq);
        let (a, b) = (plain.standing(), hidden.standing());
        assert_eq!(a, b, "seed {seed}, after event {}", record.seq);
        compared += wanted.len();
    }
    compared
}

#[test]
fn a_redacted_journal_gives_the_same_plan_under_other_names() {
    let mut compared = 0;
    for seed in 0..seeds() {
        let report = if seed % 2 == 0 {
            run(seed, &Program)
        } else {
            run_with_feed(seed, &Program)
        };
        compared += plans_alike(seed, &report.records);
    }
    assert!(
        compared > usize::try_from(seeds()).expect("few") * 5,
        "{compared} operations were compared"
    );
}

/// Every text in a record, and the names of which paths are made.
fn words(record: &Record, found: &mut BTreeSet<String>) {
    if let Event::Session(SessionEvent::SessionStarted { .. }) = record.event {
        // The release stays: it is ours.
        return;
    }
    let shown = format!("{:?}", record.event);
    for text in shown.split('"').skip(1).step_by(2) {
        found.extend(text.split('/').map(str::to_owned));
        found.insert(text.to_owned());
    }
}

#[test]
fn no_text_of_a_journal_is_in_its_redacted_bytes() {
    let mut seen = 0;
    for seed in 0..seeds() / 2 {
        let records = run(seed, &Program).records;
        let redactor = Redactor::new([1; 32]);
        let mut texts = BTreeSet::new();
        let mut bytes = Vec::new();
        for record in &records {
            words(record, &mut texts);
            let redacted = redactor.record(record).expect("not that deep");
            bytes.extend(encode_record(&redacted).expect("a record"));
        }
        // Shorter ones are in any bytes.
        let is_word =
            |text: &&String| text.len() > 5 && !KEPT.iter().any(|kept| text.starts_with(kept));
        for text in texts.iter().filter(is_word) {
            let is_there = bytes
                .windows(text.len())
                .any(|window| window == text.as_bytes());
            assert!(!is_there, "seed {seed}: `{text}` is in the redacted bytes");
            seen += 1;
        }
    }
    assert!(seen > 100, "{seen} texts were looked for");
}

/// What is the same in each journal.
const KEPT: [&str; 1] = ["pydio-sync-moving-"];
