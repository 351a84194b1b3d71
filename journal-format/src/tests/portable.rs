//! Portable files: the vectors, pieces of any size, any altered byte.
#![expect(clippy::disallowed_methods, reason = "runs the other reader")]

use super::vectors::{folder, read};
use crate::portable::{Decoder, Part};
use crate::vectors::{portable, read_portable};
use std::process::Command;

#[test]
fn portable_vectors_are_what_the_code_writes_and_reads() {
    for file in portable() {
        let name = &file.name;
        assert!(
            read(&format!("{name}.pydiojournal")) == file.bytes,
            "{name}"
        );
        let (extension, text) = match &file.expected {
            Ok(lines) => ("jsonl", lines.clone()),
            Err(message) => ("error", format!("{message}\n")),
        };
        let twin = String::from_utf8(read(&format!("{name}.{extension}"))).unwrap();
        assert_eq!(twin, text, "{name}");
        assert_eq!(
            file.expected.is_err(),
            name.starts_with("damaged-"),
            "{name}"
        );
    }
}

#[test]
fn the_other_reader_agrees_on_portable_files() {
    let reader = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../tools/clients/journal_reader.py"
    );
    for file in portable() {
        let path = folder().join(format!("{}.pydiojournal", file.name));
        let output = Command::new("python3")
            .args(["-B", reader])
            .arg(path)
            .output()
            .expect("python3 must be installed");
        let values = |text: &str| -> Vec<serde_json::Value> {
            let lines = text.split_terminator('\n');
            lines
                .map(|line| serde_json::from_str(line).unwrap())
                .collect()
        };
        let printed = String::from_utf8(output.stdout).unwrap();
        match &file.expected {
            Ok(lines) => {
                assert!(output.status.success(), "{}", file.name);
                assert_eq!(values(&printed), values(lines), "{}", file.name);
            }
            Err(_) => assert_eq!(output.status.code(), Some(1), "{}", file.name),
        }
    }
}

#[test]
fn pieces_of_any_size_give_the_same_parts() {
    for file in portable().into_iter().filter(|file| file.expected.is_ok()) {
        for size in [1, 2, 3, 7, 64, 1000] {
            let mut decoder = Decoder::new();
            let mut parts = 0;
            let (mut start, mut end) = (0, 0);
            loop {
                let is_last = end == file.bytes.len();
                match decoder.step(&file.bytes[start..end], is_last).unwrap() {
                    Some((part, used)) => {
                        parts += usize::from(matches!(part, Part::Record(_)));
                        start += used;
                    }
                    None if is_last => break,
                    None => end = (end + size).min(file.bytes.len()),
                }
            }
            let lines = file.expected.as_ref().unwrap();
            assert_eq!(parts, lines.lines().count(), "{} by {size}", file.name);
        }
    }
}

#[test]
fn no_altered_byte_and_no_cut_goes_unnoticed() {
    let whole = portable()
        .into_iter()
        .find(|file| file.name == "portable-range");
    let bytes = whole.unwrap().bytes;
    for position in 0..bytes.len() {
        assert!(
            read_portable(&bytes[..position]).is_err(),
            "cut at {position}"
        );
        for bit in [1, 0x10, 0x80] {
            let mut altered = bytes.clone();
            altered[position] ^= bit;
            assert!(read_portable(&altered).is_err(), "bit {bit} at {position}");
        }
    }
}
