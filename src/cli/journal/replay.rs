//! `journal replay`: a journal folded step by step.
//!
//! In: a journal; where to end; a path to look at; keys. Out: the plan at each decision
//! point, or, with a path or `--step`, each event with the trees around the path.
//! Invariants: the output of `--json` is what `journal compare` reads; nothing is
//! written anywhere. Deliberately absent: which points are decision points
//! (`journal::replay`).

use super::source::{self, Source};
use crate::cli::args::Args;
use crate::cli::args::views::Replay as Flags;
use crate::cli::exit::{Exit, Failure};
use crate::cli::print;
use crate::cli::text::time;
use crate::journal::explain::{About, beginning, case_of, event_words};
use crate::journal::replay::{Neighbour, PlanLine, Replay, Stamp, around};
use crate::journal::text::hex;
use journal_format::event::{Case, Event, Operation, OperationEvent, Record};
use journal_format::json::to_json;
use journal_format::value::{RelPath, Seq, Timestamp};
use serde::Serialize;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::io::{IsTerminal, Write};
use std::path::Path;
use sync_core::limits::{FOLD_VERSION, RULES_VERSION};
use sync_core::look::Row;

/// Replays a journal.
///
/// # Errors
/// No such journal, or it is damaged.
pub(super) fn run(args: &Args, state_dir: &Path, flags: &Flags) -> Result<Exit, Failure> {
    let source = source::open(flags.named.journal.as_deref(), state_dir)?;
    flags.until.map_or(Ok(()), |at| source.reaches(Seq(at)))?;
    let until = flags.until.map_or(Seq(u64::MAX), Seq);
    let mut player = Player {
        out: print::much(),
        as_json: args.common.json,
        is_gone: false,
    };
    let differs = if flags.step || flags.path.is_some() {
        let mut steps = Steps {
            path: flags.path.as_ref(),
            // Nobody to be asked: all of it, one step after the other.
            is_interactive: flags.step && std::io::stdin().is_terminal(),
            next_stop: Seq(0),
            begun: BTreeMap::new(),
        };
        steps.play(&source, until, &mut player)?
    } else {
        stream(&source, until, |value| player.show(value))?
    };
    player.out.flush().ok();
    Ok(if differs {
        Exit::JournalDamaged
    } else {
        source.exit()
    })
}

/// Folds a journal up to an event and shows each plan. Tells whether a stamp of the same
/// fold differs.
pub(super) fn stream(
    source: &Source,
    until: Seq,
    mut show: impl FnMut(&Shown) -> bool,
) -> Result<bool, Failure> {
    let facts = source.facts();
    show(&Shown::Begin(json!({
        "type": "replay", "journal": facts.journal, "release": env!("CARGO_PKG_VERSION"),
        "rules_version": RULES_VERSION, "fold_version": FOLD_VERSION,
    })));
    let mut replay = Replay::behind(source.engine(until)?);
    let mut differs = false;
    let mut last = None;
    for read in source.records(Seq(1))? {
        let record = read.map_err(|error| source.fault(error))?;
        if record.seq > until {
            break;
        }
        if replay.decides_before(&record) {
            let line = replay.line(record.time);
            if !show(&Shown::Plan(line, record.time)) {
                return Ok(differs);
            }
        }
        if let Some(stamp) = replay.stamp(&record) {
            differs |= stamp == Stamp::Differs;
            show(&Shown::Stamp(record.seq, stamp));
        }
        replay.fold(&record);
        last = Some(record.time);
    }
    if let Some(at) = last {
        let line = replay.whole_line(at);
        show(&Shown::Plan(line, at));
    }
    let digest = sync_core::checkpoint::digest(replay.engine().state());
    show(&Shown::End(replay.seq(), hex(&digest)));
    Ok(differs)
}

/// What a replay shows.
pub(super) enum Shown {
    Begin(Value),
    Plan(PlanLine, Timestamp),
    Stamp(Seq, Stamp),
    End(Seq, String),
}

impl Shown {
    /// As `journal compare` reads it, in one line.
    pub(super) fn json(&self) -> String {
        match self {
            Self::Begin(value) => value.to_string(),
            Self::Plan(line, _) => {
                let plan = Typed { kind: "plan", line };
                serde_json::to_string(&plan).expect("texts and numbers")
            }
            Self::Stamp(seq, stamp) => {
                json!({"type": "stamp", "seq": seq.0, "stamp": stamp}).to_string()
            }
            Self::End(seq, digest) => {
                json!({"type": "end", "seq": seq.0, "digest": digest}).to_string()
            }
        }
    }

    fn words(&self) -> Option<String> {
        match self {
            Self::Begin(_) | Self::Stamp(_, Stamp::Agrees | Stamp::Unchecked) => None,
            Self::Plan(line, at) => {
                let digest = line.digest.as_ref();
                let digest = digest.map_or_else(String::new, |it| format!("  [{}]", &it[..8]));
                let mut text = format!("{:>8}  {}{digest}  {}", line.seq, time(*at), line.words());
                held_back(line, &mut text);
                Some(text)
            }
            Self::Stamp(seq, Stamp::Differs) => Some(format!(
                "{seq:>8}  the digest that was stamped here is not the one of this fold"
            )),
            Self::End(seq, digest) => Some(format!("{seq:>8}  digest {digest}")),
        }
    }
}

#[derive(Serialize)]
struct Typed<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    #[serde(flatten)]
    line: &'a PlanLine,
}

struct Player<W: Write> {
    out: W,
    as_json: bool,
    /// Whether no more can be printed.
    is_gone: bool,
}

impl<W: Write> Player<W> {
    fn show(&mut self, shown: &Shown) -> bool {
        let text = if self.as_json {
            Some(shown.json())
        } else {
            shown.words()
        };
        text.is_none_or(|text| self.line(&text))
    }

    fn line(&mut self, text: &str) -> bool {
        self.is_gone |= writeln!(self.out, "{text}").is_err();
        !self.is_gone
    }
}

/// Each event by itself.
struct Steps<'a> {
    path: Option<&'a RelPath>,
    is_interactive: bool,
    /// The next event to stop at.
    next_stop: Seq,
    /// Operations that began, to say what ended.
    begun: BTreeMap<Seq, Operation>,
}

impl Steps<'_> {
    fn play<W: Write>(
        &mut self,
        source: &Source,
        until: Seq,
        player: &mut Player<W>,
    ) -> Result<bool, Failure> {
        let mut replay = Replay::behind(source.engine(until)?);
        let mut about = self.path.map(About::new);
        let mut differs = false;
        let mut records = source.records(Seq(1))?.peekable();
        while let Some(read) = records.next() {
            let record = read.map_err(|error| source.fault(error))?;
            if record.seq > until {
                break;
            }
            // What is planned behind it is planned when the next thing happens, and that
            // may be later: what waits for a while is due by then.
            let then = match records.peek() {
                Some(Ok(next)) => next.time,
                Some(Err(_)) | None => record.time,
            };
            if let Event::Operation(OperationEvent::Started { operation }) = &record.event {
                self.begun.insert(record.seq, operation.clone());
            }
            let is_about = about.as_mut().is_none_or(|about| about.takes(&record));
            let is_shown =
                record.seq >= self.next_stop && (is_about || self.next_stop == record.seq);
            if is_shown && let Some(stamp) = replay.stamp(&record) {
                differs |= stamp == Stamp::Differs;
            }
            replay.fold(&record);
            let decides = match records.peek() {
                Some(Ok(next)) => record.seq == until || replay.decides_before(next),
                Some(Err(_)) | None => true,
            };
            if !is_shown {
                continue;
            }
            // Who asks about one path, or goes step by step, gets each plan.
            let is_asked = self.path.is_some() || self.is_interactive;
            let is_planned = is_asked || decides || replay.is_cheap();
            let plan = is_planned.then(|| replay.line(then));
            if !self.show(&replay, &record, plan.as_ref(), player) || !self.wait(player) {
                return Ok(differs);
            }
        }
        let digest = sync_core::checkpoint::digest(replay.engine().state());
        player.show(&Shown::End(replay.seq(), hex(&digest)));
        Ok(differs)
    }

    fn show<W: Write>(
        &mut self,
        replay: &Replay,
        record: &Record,
        plan: Option<&PlanLine>,
        player: &mut Player<W>,
    ) -> bool {
        let ended = beginning(&record.event).and_then(|begun| self.begun.remove(&begun));
        let text = event_words(&record.event, ended.as_ref());
        let root = RelPath::root();
        let around = around(replay.engine(), self.path.unwrap_or(&root));
        if player.as_json {
            let case = case_of(&record.event).or(ended.map(|operation| operation.case));
            let value = json!({
                "type": "step", "seq": record.seq.0, "time": record.time.0,
                "case": case.map(Case::letter), "event": to_json(record), "text": text,
                "trees": around.iter().map(data).collect::<Vec<_>>(), "plan": plan,
            });
            return player.line(&value.to_string());
        }
        let rows: Vec<[String; 4]> = around.iter().map(Neighbour::cells).collect();
        let mut text = format!("event {}, {}: {text}\n", record.seq, time(record.time));
        text.push_str(&table(&rows));
        let Some(plan) = plan else {
            let dirty = replay.engine().state().tree.dirty().len();
            text.push_str(&format!("  plan: not made at this step; {dirty} differ"));
            return player.line(&text);
        };
        text.push_str(&format!("  plan: {}", plan.words()));
        held_back(plan, &mut text);
        text.push('\n');
        let digest = plan.digest.as_deref().unwrap_or("not computed");
        text.push_str(&format!("  digest: {digest}"));
        player.line(&text)
    }

    /// Asks how to go on. Tells whether to.
    fn wait<W: Write>(&mut self, player: &mut Player<W>) -> bool {
        if !self.is_interactive {
            return true;
        }
        player.out.flush().ok();
        print::words("Enter: the next one, a number: on to that event, q: end");
        let mut answer = String::new();
        match std::io::stdin().read_line(&mut answer) {
            Ok(0) | Err(_) => false,
            Ok(_) => match answer.trim() {
                "q" => false,
                number => {
                    self.next_stop = number.parse().map_or(Seq(0), Seq);
                    true
                }
            },
        }
    }
}

/// A node as the three trees have it.
fn data(neighbour: &Neighbour) -> Value {
    let row = |row: &Option<Row>| match row {
        None => Value::Null,
        Some(row) => json!({
            "path": row.path.as_str(), "kind": row.kind, "size": row.size,
            "digest": row.digest.as_ref().map(ToString::to_string), "unknown": row.unknown,
        }),
    };
    let [local, remote, synced] = neighbour.rows.each_ref().map(row);
    json!({
        "path": neighbour.path.as_str(), "local": local, "remote": remote, "synced": synced,
    })
}

/// The steps that a brake holds back, a line each.
fn held_back(line: &PlanLine, text: &mut String) {
    let Some(held) = &line.held_back else { return };
    for step in &held.steps {
        text.push_str(&format!("\n          held back: {step}"));
    }
    let rest = held.count - (held.steps.len() as u64).min(held.count);
    if rest > 0 {
        text.push_str(&format!(
            "\n          and {rest} more; `--until {}` lists all",
            line.seq
        ));
    }
}

/// The three trees side by side.
fn table(rows: &[[String; 4]]) -> String {
    let head = ["path", "local", "remote", "synced"].map(str::to_owned);
    let all: Vec<&[String; 4]> = std::iter::once(&head).chain(rows).collect();
    let width = |column: usize| all.iter().map(|row| row[column].chars().count()).max();
    let widths = [0, 1, 2, 3].map(|column| width(column).unwrap_or(0));
    let mut text = String::new();
    for row in all {
        let cells = row
            .iter()
            .zip(widths)
            .map(|(cell, width)| format!("{cell:width$}"));
        let line = cells.collect::<Vec<_>>().join("  ");
        text.push_str(&format!("  {}\n", line.trim_end()));
    }
    text
}
