//! The golden vectors on disk.
#![expect(clippy::disallowed_methods, reason = "reads the vectors")]

use crate::vectors::{Expected, all};
use crate::{Tag, decode_record, encode_record, json};
use std::collections::BTreeSet;
use std::path::PathBuf;

pub(super) fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("vectors")
}

pub(super) fn read(name: &str) -> Vec<u8> {
    std::fs::read(folder().join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// The names of all vectors on disk, of every version, without extension.
pub(super) fn names() -> BTreeSet<String> {
    let files = std::fs::read_dir(folder()).unwrap();
    let names = files.map(|file| file.unwrap().file_name().into_string().unwrap());
    names
        .filter_map(|name| name.strip_suffix(".bin").map(str::to_owned))
        .collect()
}

#[test]
fn the_files_are_what_the_code_writes() {
    for vector in all() {
        let name = &vector.name;
        assert!(
            read(&format!("{name}.bin")) == vector.bytes,
            "{name} changed"
        );
        match vector.expected {
            Expected::Json(value) => {
                let twin = read(&format!("{name}.json"));
                let twin: serde_json::Value = serde_json::from_slice(&twin).unwrap();
                assert_eq!(twin, value, "{name}");
            }
            Expected::Error(message) => {
                let twin = String::from_utf8(read(&format!("{name}.error"))).unwrap();
                assert_eq!(twin.trim_end(), message, "{name}");
            }
        }
    }
}

#[test]
fn whole_vectors_decode_to_their_twins_and_damaged_ones_to_their_errors() {
    for name in names() {
        let bytes = read(&format!("{name}.bin"));
        match decode_record(&bytes) {
            Ok(record) => {
                let twin = read(&format!("{name}.json"));
                let twin: serde_json::Value = serde_json::from_slice(&twin).unwrap();
                assert_eq!(json::to_json(&record), twin, "{name}");
                let tag = Tag::of(&record.event);
                if name.starts_with(&format!("{}-v{}-", tag.name(), tag.version())) {
                    assert!(encode_record(&record).unwrap() == bytes, "{name}");
                }
            }
            Err(error) => {
                let twin = String::from_utf8(read(&format!("{name}.error"))).unwrap();
                assert_eq!(error.to_string(), twin.trim_end(), "{name}");
                assert!(name.starts_with("damaged-"), "{name}");
            }
        }
    }
}

#[test]
fn every_version_of_every_event_has_its_vectors() {
    let found = names();
    for tag in Tag::ALL {
        for version in 1..=tag.version() {
            for size in ["minimal", "maximal"] {
                let name = format!("{}-v{version}-{size}", tag.name());
                assert!(found.contains(&name), "{name} is missing");
            }
        }
    }
}

#[test]
fn no_file_is_left_over() {
    let written: BTreeSet<String> = all().into_iter().map(|vector| vector.name).collect();
    for name in names().difference(&written) {
        let old = Tag::ALL.iter().any(|tag| {
            (1..tag.version()).any(|old| name.starts_with(&format!("{}-v{old}-", tag.name())))
        });
        assert!(old, "{name} belongs to no version of any event");
    }
}

#[test]
fn the_registry_in_the_specification_is_the_one_in_the_code() {
    let specification =
        String::from_utf8(std::fs::read(folder().with_file_name("FORMAT.md")).expect("FORMAT.md"))
            .unwrap();
    let rows: Vec<&str> = specification
        .lines()
        .skip_while(|line| *line != "## Tag registry")
        .filter(|line| line.starts_with("| ") && !line.starts_with("| tag"))
        .take(Tag::ALL.len())
        .collect();
    for (tag, row) in Tag::ALL.iter().zip(&rows) {
        let begins = format!(
            "| {} | `{}` | {} |",
            tag.number(),
            tag.name(),
            tag.version()
        );
        assert!(row.starts_with(&begins), "{row} instead of {begins}");
    }
    assert_eq!(rows.len(), Tag::ALL.len());
}
