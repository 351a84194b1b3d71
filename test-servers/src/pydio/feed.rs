//! `changes`: the feed of a workspace.
//!
//! In: a number, and how the rows are wanted. Out: rows in the order of their node ids,
//! and the number to go on from. Invariant: what the bin and a filter make of a row is
//! decided before rows are merged, as on a real server. Deliberately absent: truth; see
//! `index`. The quirks here are those of the numbers.

use std::fmt::Write as _;

use super::answer::{Answer, json};
use super::index::{Change, Row};
use super::names;
use super::place::Place;
use super::quirks::{Quirk, Quirks};
use super::server::Ctx;

const NULL: &str = "NULL";

/// A row on its way out.
struct Line {
    seq: u64,
    id: u64,
    kind: &'static str,
    source: String,
    target: String,
    row: Option<Row>,
    /// What is shown as the node's path; nothing is `false`.
    path: Option<String>,
}

/// Answers `changes`; `race` leaves out the newest row.
pub(super) fn changes(ctx: &Ctx<'_>, race: bool) -> Answer {
    let params = &ctx.call.params;
    let since: u64 = ctx.call.segment().parse().unwrap_or(0);
    let stream = params.has("stream");
    let flatten = params.get("flatten").is_some_and(|value| value != "false");
    let (mut read, last) = ctx.server.index.read(&ctx.place.repo, since);
    if since > last {
        let text = if stream {
            "LAST_SEQ:1"
        } else {
            "{\"changes\":[],\"last_seq\":1}"
        };
        return Answer::new(JSON, text);
    }
    if race {
        read.pop();
    }
    let filter = params
        .get("filter")
        .filter(|filter| !filter.is_empty() && *filter != "/");
    read.sort_by_key(|(change, _)| (change.id, change.seq));
    let mut lines: Vec<Line> = read
        .into_iter()
        .filter_map(|(change, row)| line(ctx, change, row, filter))
        .collect();
    if flatten {
        lines = merged(lines);
    }
    let highest = lines.iter().map(|line| line.seq).max();
    let last = match highest {
        Some(seq) if flatten || !ctx.quirks().has(Quirk::GlobalSequence) => seq,
        None if !flatten && !ctx.quirks().has(Quirk::GlobalSequence) => since.max(1),
        _ => last.max(1),
    };
    Answer::new(
        JSON,
        text(ctx.quirks(), &ctx.place.repo, &lines, last, stream),
    )
}

/// A row as the bin and the filter show it; nothing if it is not shown.
fn line(ctx: &Ctx<'_>, change: Change, row: Option<Row>, filter: Option<&str>) -> Option<Line> {
    let mut line = Line {
        seq: change.seq,
        id: change.id,
        kind: change.kind,
        source: change.source,
        target: change.target,
        path: row.as_ref().map(|row| row.path.clone()),
        row,
    };
    if line.kind == "path" && ctx.place.recycle {
        // Into the bin is a deletion, out of it a creation.
        if names::in_bin(ctx.quirks(), &ctx.place.bin, &line.target) {
            line.becomes_delete();
        } else if names::in_bin(ctx.quirks(), &ctx.place.bin, &line.source) {
            line.becomes_create();
        }
    }
    if !ctx.place.masked.is_empty() {
        line = line.masked(&ctx.place)?;
    }
    let Some(filter) = filter else {
        return Some(line);
    };
    let inside = |path: &str| {
        path.strip_prefix(filter)
            .is_some_and(|rest| rest.starts_with('/'))
    };
    let (from, to) = (inside(&line.source), inside(&line.target));
    if !from && !to {
        return None;
    }
    line.path = line
        .path
        .map(|path| path.get(filter.len()..).unwrap_or("").to_owned());
    if from && !to && line.target != NULL {
        line.becomes_delete();
        line.path = None;
    } else if to && !from && line.source != NULL {
        line.becomes_create();
    }
    for side in [&mut line.source, &mut line.target] {
        if side != NULL {
            *side = side[filter.len()..].to_owned();
        }
    }
    Some(line)
}

impl Line {
    /// The row for a user who does not see all of it; nothing if none of it.
    fn masked(mut self, place: &Place) -> Option<Self> {
        let sees = |path: &str| path != NULL && !place.hides(path);
        match (sees(&self.source), sees(&self.target)) {
            (false, false) => return None,
            (true, false) if self.target != NULL => self.becomes_delete(),
            (false, true) if self.source != NULL => self.becomes_create(),
            _ => {}
        }
        if self.path.as_ref().is_some_and(|path| place.hides(path)) {
            self.path = Some(String::new());
        }
        Some(self)
    }

    fn becomes_delete(&mut self) {
        self.kind = "delete";
        NULL.clone_into(&mut self.target);
    }

    fn becomes_create(&mut self) {
        self.kind = "create";
        NULL.clone_into(&mut self.source);
    }
}

/// One row a node id: the first source, the last target, the strongest kind.
fn merged(lines: Vec<Line>) -> Vec<Line> {
    let mut merged: Vec<Line> = Vec::new();
    for line in lines {
        match merged.last_mut() {
            Some(last) if last.id == line.id => {
                let revived = last.kind == "delete" && line.kind == "create";
                if revived || strength(line.kind) > strength(last.kind) {
                    last.kind = line.kind;
                }
                last.target = line.target;
                last.seq = line.seq;
                last.path = line.path;
            }
            _ => merged.push(line),
        }
    }
    merged.retain(|line| line.source != line.target || line.kind == "content");
    merged
}

fn strength(kind: &str) -> u8 {
    match kind {
        "path" => 0,
        "content" => 1,
        "create" => 2,
        _ => 3,
    }
}

fn text(quirks: Quirks, repo: &str, lines: &[Line], last: u64, stream: bool) -> String {
    let texts = quirks.has(Quirk::TextNumbers);
    let number = |value: String| if texts { format!("\"{value}\"") } else { value };
    let mut out = if stream {
        String::new()
    } else {
        "{\"changes\":[".to_owned()
    };
    for (at, line) in lines.iter().enumerate() {
        if at > 0 {
            out.push(if stream { '\n' } else { ',' });
        }
        let node = match &line.row {
            Some(row) => format!(
                "{{\"bytesize\":{},\"md5\":{},\"mtime\":{},\"node_path\":{},\"repository_identifier\":{}}}",
                number(row.facts.size.to_string()),
                json(&row.facts.md5),
                number(row.facts.mtime.to_string()),
                line.path
                    .as_deref()
                    .map_or_else(|| "false".to_owned(), json),
                json(&row.repo),
            ),
            None => format!("{GONE}{}}}", json(repo)),
        };
        // A String takes everything that is written to it.
        let _ = write!(
            out,
            "{{\"seq\":{},\"node_id\":{},\"type\":\"{}\",\"source\":{},\"target\":{},\"node\":{node}}}",
            number(line.seq.to_string()),
            number(line.id.to_string()),
            line.kind,
            json(&line.source),
            json(&line.target),
        );
    }
    // A String takes everything that is written to it.
    let _ = match stream {
        true => write!(out, "\nLAST_SEQ:{last}"),
        false => write!(out, "], \"last_seq\":{last}}}"),
    };
    out
}

const GONE: &str = "{\"bytesize\":null,\"md5\":null,\"mtime\":null,\"node_path\":null,\
                    \"repository_identifier\":";
const JSON: &str = "application/json; charset=UTF-8";
