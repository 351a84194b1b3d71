//! A small journal as text: a test case that a person can read and change.
//!
//! In: records and what they show, or text. Out: one line of JSON for the head, then one
//! an event as `journal cat --json` prints it; or the records. Invariant: what was written
//! reads back as the same records. Deliberately absent: old versions of events, since a
//! fixture is changed together with the code. A new event is a row of `read.rs`.

mod read;
#[cfg(test)]
mod tests;

use super::{PortableWriter, WriteError};
use journal_format::encode_record;
use journal_format::event::{Event, Record, SessionEvent};
use journal_format::json::Json;
use journal_format::portable::Header;
use journal_format::value::Seq;
use serde::{Deserialize, Serialize};

/// What a fixture says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Head {
    /// The version of this form.
    pub fixture: u32,
    /// What the records show, as `journal minimize --keep` reads it.
    pub keep: String,
    /// Where it comes from.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub note: String,
}

/// Writes a fixture.
///
/// # Panics
/// Never: the types have text keys only.
#[must_use]
pub fn write(keep: &str, note: &str, records: &[Record]) -> String {
    let head = Head {
        fixture: VERSION,
        keep: keep.to_owned(),
        note: note.to_owned(),
    };
    let mut text = serde_json::to_string(&head).expect("a struct of texts");
    for record in records {
        text.push('\n');
        text.push_str(&serde_json::to_string(&Json(record)).expect("events have text keys only"));
    }
    text.push('\n');
    text
}

/// Reads a fixture, or events as `journal cat --json` prints them, which have no head.
///
/// # Errors
/// The line that is none, and why.
pub fn read(text: &str) -> Result<(Option<Head>, Vec<Record>), String> {
    let lines = (1_u32..).zip(text.lines());
    let mut lines = lines.filter(|(_, line)| !line.trim().is_empty()).peekable();
    let (number, first) = lines.peek().ok_or("there is no event in it")?;
    let head = if first.contains(HEAD) {
        let head = serde_json::from_str::<Head>(first);
        let head = head.map_err(|error| format!("line {number}: {error}"))?;
        if head.fixture != VERSION {
            return Err(format!(
                "fixtures of version {} are not known: make it anew",
                head.fixture
            ));
        }
        lines.next();
        Some(head)
    } else {
        None
    };
    let mut records: Vec<Record> = Vec::new();
    for (number, line) in lines {
        let record = read::record(line).map_err(|error| format!("line {number}: {error}"))?;
        let follows = records
            .last()
            .map_or(record.seq > Seq::ZERO, |last| record.seq == last.seq.next());
        if !follows {
            let seq = record.seq;
            return Err(format!("line {number}: event {seq} is out of order"));
        }
        records.push(record);
    }
    Ok((head, records))
}

/// Makes a portable journal of a fixture, for whoever reads only those. Its id is that of
/// the text.
///
/// # Errors
/// As [`read`], or an event cannot be stored.
pub fn portable(text: &str) -> Result<Vec<u8>, String> {
    let (_, records) = read(text)?;
    let named = records.iter().find_map(|record| match &record.event {
        Event::Session(SessionEvent::RootConfigured { job, label, .. }) => {
            Some((job.clone(), label.clone()))
        }
        _ => None,
    });
    let (job, label) = named.unwrap_or_default();
    let id = *blake3::hash(text.as_bytes()).as_bytes();
    let header = Header {
        journal: *id.first_chunk().expect("a hash has 32 bytes"),
        job,
        label,
        release: env!("CARGO_PKG_VERSION").to_owned(),
        redacted: false,
        first: records.first().map_or(Seq(1), |record| record.seq),
        before: None,
    };
    let text = |error: WriteError| error.to_string();
    let mut writer = PortableWriter::begin(Vec::new(), &header).map_err(text)?;
    for record in &records {
        let seq = record.seq;
        let bytes = encode_record(record).map_err(|error| format!("event {seq}: {error}"))?;
        writer.record(seq, &bytes).map_err(text)?;
    }
    writer.finish().map_err(text)
}

const VERSION: u32 = 2;
/// What the first line of a fixture has and no event.
const HEAD: &str = "\"fixture\"";
