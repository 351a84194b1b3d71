//! A redacted journal folds and plans as the original, and tells nobody's names.
//!
//! `REDACT_SEEDS=1000 cargo test --release -p proptests --test redact` takes more worlds,
//! `REDACT_FIRST=553 REDACT_SEEDS=1` one of them.

use journal_format::encode_record;
use journal_format::event::{Event, Operation, Record, SessionEvent};
use journal_format::value::Timestamp;
use proptests::program::Program;
use proptests::run::{run, run_with};
use proptests::world::options::Options;
use pydio_sync::journal::Redactor;
use std::collections::BTreeSet;
use sync_core::checkpoint;
use sync_core::engine::Engine;

/// The worlds to take, after those that once failed.
fn seeds(kept: u64) -> Vec<u64> {
    let number = |name| std::env::var(name).ok()?.parse::<u64>().ok();
    let first = number("REDACT_FIRST").unwrap_or(0);
    let count = number("REDACT_SEEDS").unwrap_or(60);
    std::iter::once(kept).chain(first..first + count).collect()
}

/// What would be done after these records, by an engine that was just started.
fn planned(engine: &Engine, records: &[Record]) -> Vec<Operation> {
    let mut engine = Engine::restore(engine.state().clone());
    let now = records.last().map_or(Timestamp(0), |record| record.time);
    engine.begin_session("0", 0);
    let judged = engine.judge(now.plus_millis(1_000_000_000));
    let steps = judged.planned.into_iter();
    steps.filter_map(|step| step.operation).collect()
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
        // A journal that begins behind here: its state says what the redacted events would.
        let state = redactor.state(plain.state()).expect("not that deep");
        assert!(
            checkpoint::encode(&state) == checkpoint::encode(hidden.state()),
            "seed {seed}, the state after event {}",
            record.seq
        );
        compared += wanted.len();
    }
    compared
}

#[test]
fn a_redacted_journal_gives_the_same_plan_under_other_names() {
    let mut compared = 0;
    // 553: two spellings of a name and one more that claims it.
    let seeds = seeds(553);
    for seed in &seeds {
        let seed = *seed;
        let report = if seed % 2 == 0 {
            run(seed, &Program)
        } else {
            run_with(seed, Options::of(seed).with_feed(), &Program)
        };
        compared += plans_alike(seed, &report.records);
    }
    assert!(
        compared > seeds.len() * 5,
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
    // 189: a step of our own move in the trash.
    for seed in seeds(189) {
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
        let is_word = |text: &&String| {
            text.len() > 5 && !untrashed(text).to_ascii_lowercase().starts_with(KEPT)
        };
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

/// A name without the number that it got in the trash.
fn untrashed(text: &str) -> &str {
    let parts = text.split_once('-');
    let is_number = |text: &str| text.len() == 16 && text.bytes().all(|it| it.is_ascii_hexdigit());
    parts.map_or(
        text,
        |(number, name)| if is_number(number) { name } else { text },
    )
}

/// How names begin that are ours, and the same in each journal, whatever their case.
const KEPT: &str = "pydio-sync-moving-";
