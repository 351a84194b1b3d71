//! What happened to one path, in plain sentences.
//!
//! In: events as JSON, from a journal at rest or from a daemon. Out: those about a path,
//! and a sentence for each. Invariant: every sentence is an event, in order; nothing is
//! guessed. Deliberately absent: why the plan chose so beyond the rule's letter. A new
//! event is an arm of [`sentence`]; one without is shown by its name.

use super::text::{plain, size, time};
use crate::daemon::commands::explain;
use journal_format::event::{Case, Record};
use journal_format::value::{RelPath, Seq, Timestamp};
use serde_json::Value;
use std::collections::BTreeSet;

/// Picks the events that are about a path, folders above it included.
pub(super) struct Story<'a> {
    path: &'a RelPath,
    /// Events about it, of which some begin something.
    ours: BTreeSet<Seq>,
}

impl<'a> Story<'a> {
    pub(super) fn new(path: &'a RelPath) -> Self {
        Self {
            path,
            ours: BTreeSet::new(),
        }
    }

    /// Takes the next record. Tells whether it is about the path; the end of an
    /// operation or conflict is about what its beginning was about.
    pub(super) fn is_about(&mut self, record: &Record) -> bool {
        if let Some(beginning) = explain::beginning(&record.event) {
            return self.ours.contains(&beginning);
        }
        let is_about = explain::names(&record.event, self.path);
        if is_about {
            self.ours.insert(record.seq);
        }
        is_about
    }
}

/// An event as a sentence, with its number and its time.
pub(super) fn line(event: &Value) -> String {
    let seq = event["seq"].as_u64().unwrap_or_default();
    let at = time(Timestamp(event["time"].as_i64().unwrap_or_default()));
    format!("{seq}  {at}  {}", sentence(event))
}

fn sentence(event: &Value) -> String {
    let text = |key: &str| plain(event[key].as_str().unwrap_or("?"));
    let number = |key: &str| event[key].as_u64().unwrap_or_default();
    match event["type"].as_str().unwrap_or_default() {
        "observed" => format!(
            "{} side: {} is there, {}",
            text("side"),
            text("path"),
            entry(&event["entry"])
        ),
        "moved" => format!("{} side: {}", text("side"), moves(&event["moves"])),
        "gone" => format!("{} side: {} is gone", text("side"), text("path")),
        "unknown" => format!(
            "{} side: nothing can be said of {}: {}",
            text("side"),
            text("path"),
            text("reason").replace('_', " ")
        ),
        "hashed" => format!(
            "{} side: the content of {} is {}",
            text("side"),
            text("path"),
            text("digest")
        ),
        "operation_started" => format!(
            "rule {} ({}): {}",
            text("case"),
            rule(event["case"].as_str().unwrap_or_default()),
            action(&event["action"])
        ),
        "operation_succeeded" => format!(
            "operation {} succeeded{}",
            number("operation"),
            outcome(event)
        ),
        "operation_failed" => {
            let retry = event["retry_at"].as_i64().map(Timestamp);
            let next = retry.map_or_else(
                || "until something changes".to_owned(),
                |at| format!("until {}", time(at)),
            );
            format!(
                "operation {} failed ({}): {}; nothing more is tried {next}",
                number("operation"),
                text("class").replace('_', " "),
                text("detail")
            )
        }
        "adopted" => format!(
            "rule {} ({}): both sides agree, nothing is sent",
            text("case"),
            rule(event["case"].as_str().unwrap_or_default())
        ),
        "conflict_raised" => format!(
            "conflict, rule {} ({})",
            text("case"),
            rule(event["case"].as_str().unwrap_or_default())
        ),
        "conflict_resolved" => format!(
            "conflict {} decided by {}: keep {}",
            number("conflict"),
            text("by"),
            text("keep")
        ),
        "conflict_settled" => format!("conflict {} is over", number("conflict")),
        other => plain(other),
    }
}

fn entry(entry: &Value) -> String {
    let version = &entry["fingerprint"];
    match version["kind"].as_str() {
        Some("directory") => "a folder".to_owned(),
        Some("symlink") => "a symbolic link".to_owned(),
        _ => format!(
            "a file of {}",
            size(version["size"].as_u64().unwrap_or_default())
        ),
    }
}

fn moves(moves: &Value) -> String {
    let word = |step: &Value, key: &str| plain(step[key].as_str().unwrap_or("?"));
    let steps = moves.as_array().into_iter().flatten();
    let steps = steps.map(|step| format!("{} became {}", word(step, "from"), word(step, "to")));
    steps.collect::<Vec<_>>().join(", ")
}

fn action(action: &Value) -> String {
    let text = |key: &str| plain(action[key].as_str().unwrap_or("?"));
    match action["type"].as_str().unwrap_or_default() {
        "transfer" => {
            let way = if action["from"] == "local" {
                "upload"
            } else {
                "download"
            };
            let place = if action["source"] == action["target"] {
                text("target")
            } else {
                format!("{} to {}", text("source"), text("target"))
            };
            let displaced = &action["displaced"];
            let loser = match displaced["conflict_copy"].as_str() {
                Some(copy) => format!("; what stands there becomes {}", plain(copy)),
                None if displaced == "rescue" => "; what stands there goes to the trash".to_owned(),
                None => String::new(),
            };
            format!("{way} {place}{loser}")
        }
        "make_directory" => format!("create the {} folder {}", text("side"), text("path")),
        "move" => format!(
            "rename {} to {} on the {} side",
            text("from"),
            text("to"),
            text("side")
        ),
        "remove" => format!("delete {} on the {} side", text("path"), text("side")),
        "hash" => format!("read {} on the {} side", text("path"), text("side")),
        other => plain(other),
    }
}

fn outcome(event: &Value) -> String {
    let mut text = String::new();
    if let Some(bytes) = event["bytes"].as_u64().filter(|bytes| *bytes > 0) {
        text.push_str(&format!(", {} sent", size(bytes)));
    }
    if let Some(place) = event["trashed"].as_str() {
        text.push_str(&format!(
            ", the old version is in the trash as {}",
            plain(place)
        ));
    }
    for kept in event["kept"].as_array().into_iter().flatten() {
        let path = plain(kept["path"].as_str().unwrap_or("?"));
        text.push_str(&format!(", a version that had to make way is at {path}"));
    }
    text
}

/// What a rule says, by its letter.
fn rule(letter: &str) -> &'static str {
    // A case is written as its letter.
    match serde_json::from_value::<Case>(letter.into()).ok() {
        None => "a rule of another release",
        Some(Case::N0) => "nothing to do",
        Some(Case::U1) => "changed or new locally, unchanged remotely",
        Some(Case::U2) => "gone locally, unchanged remotely",
        Some(Case::D1) => "changed or new remotely, unchanged locally",
        Some(Case::D2) => "gone remotely, unchanged locally",
        Some(Case::A1) => "changed alike on both sides",
        Some(Case::A2) => "gone on both sides",
        Some(Case::E1) => "edited locally, gone remotely: the edit wins",
        Some(Case::E2) => "edited remotely, gone locally: the edit wins",
        Some(Case::C1) => "changed differently on both sides",
        Some(Case::C2) => "moved to different places on both sides",
        Some(Case::C3) => "two objects claim one name",
        Some(Case::M1) => "moved locally only",
        Some(Case::M2) => "moved remotely only",
        Some(Case::M3) => "moves of both sides would form a ring: the local one is undone",
        Some(Case::M4) => "a step through a temporary name",
        Some(Case::R1) => "a folder lives on because something in it does",
        Some(Case::Q1) => "whether the content changed is not known before it is read",
        Some(Case::V1) => "one way: the target left the source",
        Some(Case::V2) => "one way: the target is put back to what the source holds",
        Some(Case::P1) => "unknown on a side",
        Some(Case::H1) => "halted",
    }
}
