//! What happened lately, for the reader of a failure.
//!
//! In: lines. Out: the last of them. Invariant: bounded. Deliberately absent:
//! levels and filters. Crash: the trace belongs to the world and goes on.

use super::State;
use super::disk::{Body, Disk};
use super::local::own;
use journal_format::event::{Action, Event, ObservationEvent, OperationEvent};
use journal_format::value::{RelPath, Side};
use std::collections::VecDeque;
use std::fmt::Write;

/// The last lines.
#[derive(Debug)]
pub struct Trace {
    lines: VecDeque<String>,
    lines_max: usize,
}

impl Default for Trace {
    fn default() -> Self {
        Self {
            lines: VecDeque::new(),
            lines_max: LINES_MAX,
        }
    }
}

impl Trace {
    /// Keeps more lines, or fewer.
    pub const fn keep(&mut self, lines_max: usize) {
        self.lines_max = lines_max;
    }

    /// Adds a line.
    pub fn note(&mut self, step: u64, line: String) {
        self.add(format!("{step:>6} {line}"));
    }

    /// Adds a step of a call.
    pub fn step(&mut self, call: u64, label: &str) {
        self.add(format!("       . #{call} {label}"));
    }

    fn add(&mut self, line: String) {
        if self.lines.len() >= self.lines_max {
            self.lines.pop_front();
        }
        self.lines.push_back(line);
    }
}

impl State {
    /// Writes down the last steps, both trees and the last events.
    #[must_use]
    pub fn story(&self) -> String {
        let mut text = String::from("last steps:\n");
        for line in &self.trace.lines {
            writeln!(text, "{line}").ok();
        }
        for side in Side::BOTH {
            writeln!(text, "{side} ({:?}):", self.disk(side).mount).ok();
            tree(&mut text, self.disk(side));
        }
        let records = &self.journal.records;
        let from = records.len().saturating_sub(EVENTS_MAX);
        writeln!(text, "last events of {}:", records.len()).ok();
        for record in &records[from..] {
            writeln!(text, "  {} {}", record.seq, brief(&record.event)).ok();
        }
        text
    }
}

/// Writes an event on one line, without what a reader rarely needs.
#[must_use]
pub fn brief(event: &Event) -> String {
    match event {
        Event::Operation(OperationEvent::Started { operation }) => {
            let (case, action) = (operation.case.letter(), &operation.action);
            let what = match action {
                Action::Transfer {
                    source,
                    target,
                    replaces,
                    displaced,
                    ..
                } => format!("transfer {source} to {target}, {replaces:?}, {displaced:?}"),
                Action::MakeDirectory { path, .. } => format!("make directory {path}"),
                Action::Move { from, to, .. } => format!("move {from} to {to}"),
                Action::Remove { path, rescue, .. } => format!("remove {path}, rescue {rescue}"),
                Action::Hash { path, .. } => format!("hash {path}"),
            };
            format!("started {case} on {}: {what}", action.side())
        }
        Event::Observation(ObservationEvent::Observed { side, path, entry }) => {
            let print = &entry.fingerprint;
            let ino = print.identity.map(|identity| identity.object);
            let (kind, size, mtime_ns) = (print.kind, print.size, print.mtime_ns);
            format!("observed {side} {path}: {kind:?} {size} bytes, ino {ino:?}, {mtime_ns}")
        }
        Event::Session(_) | Event::Observation(_) | Event::Operation(_) | Event::Conflict(_) => {
            format!("{event:?}")
        }
    }
}

fn tree(text: &mut String, disk: &Disk) {
    let trashed = own("trash");
    let shown = |path: &RelPath| *path == trashed || !path.is_within(&trashed);
    for (path, id) in disk.live.walk() {
        if !shown(&path) {
            continue;
        }
        let Some(node) = disk.live.nodes.get(&id) else {
            continue;
        };
        let what = match &node.body {
            Body::File(data) => format!("{:?}", String::from_utf8_lossy(data)),
            Body::Directory(names) => format!("/ of {}", names.len()),
            Body::Link(target) => format!("-> {target}"),
            Body::Pipe => "a pipe".to_owned(),
        };
        writeln!(
            text,
            "  {path:?} ino={} mtime={} {what}",
            node.ino, node.mtime_ns
        )
        .ok();
    }
}

const LINES_MAX: usize = 400;
const EVENTS_MAX: usize = 60;
