//! The golden vectors: what the bytes of each event are, once and for all.
//!
//! In: nothing. Out: named bytes with their JSON twin or their expected error.
//! Invariant: a vector of a released version never changes; watched by the tests
//! that compare the files, and by the conformance reader in `tools/clients/`.
//! Deliberately absent: vectors of old versions, which exist as files only,
//! since nothing writes such bytes any more. Writing is repeatable: a crash
//! leaves files that the next run replaces. A new event gets its samples in
//! `samples`, a new way to be damaged goes into `damaged`.

mod damaged;
mod portable;
mod samples;

pub use portable::{Portable, portable, read as read_portable};

use crate::tag::Tag;
use crate::{encode_record, json};
use serde_json::Value;
use std::path::Path;

/// Bytes, and what a reader must make of them.
#[derive(Debug, Clone, PartialEq)]
pub struct Vector {
    /// The file name without its extension.
    pub name: String,
    /// One record, or something that looks like one.
    pub bytes: Vec<u8>,
    /// What decoding gives.
    pub expected: Expected,
}

/// What decoding a vector gives.
#[derive(Debug, Clone, PartialEq)]
pub enum Expected {
    /// The record, as [`json::to_json`] shows it.
    Json(Value),
    /// The message of the error.
    Error(String),
}

/// Returns every vector that this release writes.
#[must_use]
pub fn all() -> Vec<Vector> {
    let whole = samples::all().into_iter().map(|(name, record)| {
        let tag = Tag::of(&record.event);
        Vector {
            name: format!("{}-v{}-{name}", tag.name(), tag.version()),
            bytes: encode_record(&record).expect("the samples keep the rules of their types"),
            expected: Expected::Json(json::to_json(&record)),
        }
    });
    let damaged = damaged::all().into_iter().map(|(name, bytes)| {
        let error = crate::decode_record(&bytes).expect_err("a damaged vector is no record");
        Vector {
            name: format!("damaged-{name}"),
            bytes,
            expected: Expected::Error(error.to_string()),
        }
    });
    whole.chain(damaged).collect()
}

/// Writes every vector into a folder: `NAME.bin` with `NAME.json` or `NAME.error`.
///
/// Files of older versions stay as they are.
///
/// # Errors
/// A file cannot be written; those before it were.
#[expect(clippy::disallowed_methods, reason = "a development tool writes files")]
pub fn bless(folder: &Path) -> std::io::Result<()> {
    for vector in all() {
        let (extension, text) = match &vector.expected {
            Expected::Json(value) => ("json", format!("{value:#}\n")),
            Expected::Error(message) => ("error", format!("{message}\n")),
        };
        std::fs::write(folder.join(format!("{}.bin", vector.name)), &vector.bytes)?;
        std::fs::write(folder.join(format!("{}.{extension}", vector.name)), text)?;
    }
    for file in portable() {
        let (extension, text) = match &file.expected {
            Ok(lines) => ("jsonl", lines.clone()),
            Err(message) => ("error", format!("{message}\n")),
        };
        std::fs::write(
            folder.join(format!("{}.pydiojournal", file.name)),
            &file.bytes,
        )?;
        std::fs::write(folder.join(format!("{}.{extension}", file.name)), text)?;
    }
    Ok(())
}
