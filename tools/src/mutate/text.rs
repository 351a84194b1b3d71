//! Mutated lines of JSON that people hand in: fixtures, and outputs to compare.
//!
//! In: bytes that look like them. Out: how many lines were understood, or which promise
//! broke. Checked: no panic, a fixture that was read is written and read as the same, an
//! output differs from itself nowhere.

use pydio_sync::journal::compare::{Stream, compare};
use pydio_sync::journal::fixture;
use std::path::Path;

/// The fixtures of the tests.
pub(super) fn fixtures() -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/journals");
    let files = std::fs::read_dir(folder).expect("the fixtures are there");
    let mut paths: Vec<_> = files.map(|file| file.expect("a file").path()).collect();
    paths.retain(|path| path.extension().is_some_and(|found| found == "jsonl"));
    paths.sort();
    let read = |path| std::fs::read(path).expect("a fixture");
    paths.into_iter().map(read).collect()
}

/// Reads a fixture, and again what is written of it.
pub(super) fn fixture(input: &[u8]) -> Result<usize, String> {
    let Ok(text) = std::str::from_utf8(input) else {
        return Ok(0);
    };
    let Ok((head, records)) = fixture::read(text) else {
        return Ok(0);
    };
    let (keep, note) = head.map(|head| (head.keep, head.note)).unwrap_or_default();
    let again = fixture::write(&keep, &note, &records);
    match fixture::read(&again) {
        Ok((_, same)) if same == records => Ok(records.len()),
        Ok(_) => Err("read, and other records when written".to_owned()),
        Err(why) => Err(format!("read, and not again when written: {why}")),
    }
}

/// An output of `journal replay --json`.
pub(super) fn outputs() -> Vec<Vec<u8>> {
    vec![OUTPUT.as_bytes().to_vec()]
}

/// Takes an output line by line, and compares what came of it with itself.
pub(super) fn output(input: &[u8]) -> Result<usize, String> {
    let mut stream = Stream::default();
    let mut taken = 0;
    for line in String::from_utf8_lossy(input).lines() {
        if stream.take(line).is_err() {
            break;
        }
        taken += 1;
    }
    if compare(&stream, &stream).is_empty() {
        Ok(taken)
    } else {
        Err("differs from itself".to_owned())
    }
}

const OUTPUT: &str = r#"{"fold_version":3,"journal":"3817fceacea1c647157dd6741212743f","release":"0.1.0","rules_version":1,"type":"replay"}
{"type":"plan","seq":8,"count":1,"by":{"Q1 hash local":1},"held":{},"brake":null,"hash":"7d40eaba0faca831","steps":["Q1 hash local draft.txt"],"digest":"e7b25ef1a4b7fdcc3a28eba928bcaae4"}
{"type":"plan","seq":10,"count":2,"by":{"C1 download":1,"U1 upload":1},"held":{"C1":3},"brake":"too many deletions","hash":"1741a97800e23992","steps":["C1 download draft.txt","U1 upload a"],"digest":"1da8adb73c98ebc101e5a3d918bfeba5"}
{"type":"stamp","seq":11}
{"type":"end","digest":"2b3b48a71c5e4c746bc8ca302609c362"}
"#;
