//! The reader in another language agrees: `tools/clients/journal_reader.py`.
#![expect(clippy::disallowed_methods, reason = "runs the other reader")]

use super::strategies::record;
use super::vectors::{folder, names, read};
use crate::event::Record;
use crate::{encode_record_into, json};
use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::TestRunner;
use serde_json::Value;
use std::io::Write;
use std::process::{Command, Output, Stdio};

fn run(names: &[String], input: Vec<u8>) -> Output {
    let reader = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../tools/clients/journal_reader.py"
    );
    let mut child = Command::new("python3")
        .args(["-B", reader])
        .args(
            names
                .iter()
                .map(|name| folder().join(format!("{name}.bin"))),
        )
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("python3 must be installed: it proves that FORMAT.md is a specification");
    // The reader takes all of its input before its first output, so one thread is enough.
    child.stdin.take().unwrap().write_all(&input).unwrap();
    child.wait_with_output().unwrap()
}

fn lines(output: &Output) -> Vec<Value> {
    let text = std::str::from_utf8(&output.stdout).unwrap();
    text.split_terminator('\n')
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

#[test]
fn the_other_reader_gives_the_twins() {
    let whole: Vec<String> = names()
        .into_iter()
        .filter(|name| !name.starts_with("damaged-"))
        .collect();
    let output = run(&whole, Vec::new());
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let found = lines(&output);
    assert_eq!(found.len(), whole.len());
    for (name, found) in whole.iter().zip(found) {
        let twin: Value = serde_json::from_slice(&read(&format!("{name}.json"))).unwrap();
        assert_eq!(found, twin, "{name}");
    }
}

#[test]
fn the_other_reader_refuses_what_is_damaged() {
    let damaged = names()
        .into_iter()
        .filter(|name| name.starts_with("damaged-"));
    for name in damaged {
        let output = run(std::slice::from_ref(&name), Vec::new());
        let message = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(1), "{name}: {message}");
        assert!(message.contains("offset"), "{name}: {message}");
    }
}

#[test]
fn the_other_reader_agrees_about_random_records() {
    let mut runner = TestRunner::deterministic();
    let strategy = record();
    let records: Vec<Record> = (0..1_000)
        .map(|_| strategy.new_tree(&mut runner).unwrap().current())
        .collect();
    let mut bytes = Vec::new();
    for record in &records {
        encode_record_into(record, &mut bytes).unwrap();
    }
    let output = run(&[], bytes);
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let expected: Vec<Value> = records.iter().map(json::to_json).collect();
    assert!(lines(&output) == expected, "the readers differ");
}
