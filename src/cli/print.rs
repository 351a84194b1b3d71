//! What people and programs read. Data goes to stdout, words to stderr.
//!
//! In: reports. Out: lines. Invariants: the summary of a run is its last line on
//! stdout; a name never commands the terminal; lists for people are bounded.

use super::args::Args;
use super::exit::{Exit, Failure};
use super::pair::Pair;
use super::text::{count, duration, plain, plain_lines, quoted, size};
use crate::daemon::{Doubt, Report, Tally};
use journal_format::event::{Case, HaltReason};
use journal_format::value::Seq;
use serde_json::{Value, json};
use std::io::{self, BufWriter, ErrorKind, StdoutLock, Write};
use std::time::Duration;
use sync_core::engine::{Remark, Standing};
use sync_core::state::Halt;

/// Prints why the program gives up. What a server, a disk or a file said may be in it.
pub(super) fn failure(failure: &Failure) {
    words(&format!("pydio-sync: {}", plain_lines(&failure.message)));
    if let Some(hint) = &failure.hint {
        words(&format!("  {}", plain_lines(hint)));
    }
}

/// Prints what a person should know and nothing depends on.
pub(super) fn warning(args: &Args, text: &str) {
    if !args.common.quiet {
        words(&format!("pydio-sync: {}", plain_lines(text)));
    }
}

/// Prints the result of a run: problems first, the summary last.
pub(super) fn report(
    args: &Args,
    pair: &Pair,
    alone: bool,
    report: &Report,
    exit: Exit,
    elapsed_ms: u64,
) {
    let prefix = prefix(pair, alone);
    problems(args, &pair.job, &prefix, &report.problems);
    held(args, &pair.job, &prefix, &report.held);
    if let Some(halt) = &report.standing.halt {
        halted(args, &prefix, pair, halt);
    }
    if args.run.once {
        summary(args, pair, &prefix, report, exit.state(), elapsed_ms);
    }
}

fn problems(args: &Args, job: &str, prefix: &str, remarks: &[Remark]) {
    if args.common.json {
        for remark in remarks {
            let path = remark.path.as_str();
            data(&json!({"type": "problem", "job": job, "path": path, "detail": remark.detail}));
        }
        return;
    }
    bounded(remarks, |remark| {
        let path = plain(remark.path.as_str());
        format!("{prefix}not synced: {path}: {}", plain(&remark.detail))
    });
}

/// Prints conflicts that wait for a person, and divergences.
fn held(args: &Args, job: &str, prefix: &str, remarks: &[Remark]) {
    if args.common.json {
        for remark in remarks {
            data(&held_json(job, remark));
        }
        return;
    }
    bounded(remarks, |remark| {
        let path = plain(remark.path.as_str());
        let what = held_words(remark.case);
        format!("{prefix}{what} ({}): {path}", remark.case.letter())
    });
    if remarks.iter().any(|remark| remark.case != Case::V1) {
        words(&format!(
            "{prefix}what can be decided of each: pydio-sync explain {} PATH{}",
            quoted(job),
            state_dir_flag(args)
        ));
    }
}

/// A held node as one object.
pub(super) fn held_json(job: &str, remark: &Remark) -> Value {
    let kind = if remark.case == Case::V1 {
        "divergence"
    } else {
        "conflict"
    };
    json!({
        "type": kind, "job": job, "path": remark.path.as_str(), "case": remark.case.letter(),
    })
}

/// What a held node is, in words.
pub(super) const fn held_words(case: Case) -> &'static str {
    match case {
        Case::V1 => "differs on purpose",
        _ => "conflict",
    }
}

/// Prints the first lines of a list on stderr and how many there are more.
fn bounded(remarks: &[Remark], show: impl Fn(&Remark) -> String) {
    for remark in remarks.iter().take(LINES_MAX) {
        words(&show(remark));
    }
    let rest = remarks.len().saturating_sub(LINES_MAX);
    if rest > 0 {
        words(&format!("and {rest} more; `--json` lists all"));
    }
}

/// Says why a job halted and what releases it.
pub(super) fn halted(args: &Args, prefix: &str, pair: &Pair, halt: &Halt) {
    if args.common.json {
        data(&halted_json(pair, halt));
    }
    words(&format!("{prefix}{}", halted_words(pair, halt)));
    words(&format!(
        "  {}",
        release_words(halt, &pair.job, &pair.state_dir)
    ));
}

/// That a job is halted, why and where.
pub(super) fn halted_words(pair: &Pair, halt: &Halt) -> String {
    let obstacle = match halt.reason {
        HaltReason::RootMissing => pair.obstacle(halt.side),
        _ => None,
    };
    let what = obstacle.map_or_else(
        || halt_words(halt),
        |obstacle| format!("the {} folder {obstacle}", halt.side),
    );
    format!(
        "halted for safety: {what} (`{}`); nothing was deleted",
        plain(&pair.place(halt.side))
    )
}

fn halted_json(pair: &Pair, halt: &Halt) -> Value {
    let mut value = halt_json(halt);
    value["type"] = "halted".into();
    value["job"] = pair.job.as_str().into();
    value
}

/// A halt as one object.
pub(super) fn halt_json(halt: &Halt) -> Value {
    let reason = serde_json::to_value(halt.reason).unwrap_or(Value::Null);
    json!({"reason": reason, "side": halt.side.to_string(), "count": halt.count})
}

/// The reason for a halt, in words.
pub(super) fn halt_words(halt: &Halt) -> String {
    crate::journal::explain::halt_words(halt)
}

/// What to do about a halt, with the exact command.
pub(super) fn release_words(halt: &Halt, job: &str, state_dir: &std::path::Path) -> String {
    if halt.reason == HaltReason::RootMissing {
        return "put the folder back; the job then goes on by itself".to_owned();
    }
    let state_dir = quoted(&state_dir.to_string_lossy());
    format!(
        "if this is meant, release it with: pydio-sync approve {} --state-dir {state_dir}",
        quoted(job)
    )
}

/// What is known of a run that failed.
#[derive(Debug, Default)]
pub(super) struct BrokenOff {
    pub(super) tally: Tally,
    pub(super) seq: Seq,
    pub(super) elapsed_ms: u64,
}

/// Prints the summary of a run that failed: what it did until then.
pub(super) fn broken_off(args: &Args, pair: &Pair, alone: bool, run: &BrokenOff) {
    if !args.run.once || args.run.dry_run {
        return;
    }
    let report = Report {
        standing: Standing::default(),
        tally: run.tally.clone(),
        problems: Vec::new(),
        held: Vec::new(),
        seq: run.seq,
        doubt: Some(Doubt::NotLooked),
    };
    let prefix = prefix(pair, alone);
    summary(args, pair, &prefix, &report, "error", run.elapsed_ms);
}

/// Names the job among several.
fn prefix(pair: &Pair, alone: bool) -> String {
    if alone {
        String::new()
    } else {
        format!("{}: ", plain(&pair.label))
    }
}

fn summary(args: &Args, pair: &Pair, prefix: &str, report: &Report, state: &str, elapsed_ms: u64) {
    let tally = &report.tally;
    let conflicts = tally.conflicts.max(report.standing.conflicts);
    if args.common.json {
        data(&json!({
            "type": "summary", "job": pair.job, "state": state,
            "uploaded": tally.uploaded, "downloaded": tally.downloaded,
            "created_dirs": tally.created_dirs, "moved": tally.moved,
            "deleted_local": tally.deleted_local, "deleted_remote": tally.deleted_remote,
            "conflicts": conflicts, "problems": report.standing.problems,
            "bytes_up": tally.bytes_up, "bytes_down": tally.bytes_down,
            "seq": report.seq.0, "elapsed_ms": elapsed_ms,
        }));
    } else if !args.common.quiet {
        let elapsed = duration(Duration::from_millis(elapsed_ms));
        let mut parts = summary_parts(tally, conflicts, report.standing.problems);
        if parts.is_empty() {
            parts = if report.standing.halt.is_some() || report.doubt.is_some() {
                "nothing was done"
            } else {
                "nothing to do"
            }
            .to_owned();
        }
        line(&format!("{prefix}{state}: {parts} ({elapsed})"));
    }
}

fn summary_parts(tally: &Tally, conflicts: u64, problems: u64) -> String {
    let mut parts = Vec::new();
    if tally.uploaded > 0 {
        let files = count(tally.uploaded, "file", "files");
        parts.push(format!("{files} up, {}", size(tally.bytes_up)));
    }
    if tally.downloaded > 0 {
        let files = count(tally.downloaded, "file", "files");
        parts.push(format!("{files} down, {}", size(tally.bytes_down)));
    }
    let rest = [
        (tally.created_dirs, "folder created", "folders created"),
        (tally.moved, "moved", "moved"),
        (tally.deleted_local, "deleted here", "deleted here"),
        (tally.deleted_remote, "deleted there", "deleted there"),
        (conflicts, "conflict", "conflicts"),
        (problems, "not synced", "not synced"),
    ];
    let rest = rest.into_iter().filter(|(number, ..)| *number > 0);
    parts.extend(rest.map(|(number, one, many)| count(number, one, many)));
    parts.join("; ")
}

/// The flag that leads a command to the state folder that was named, if one was.
pub(super) fn state_dir_flag(args: &Args) -> String {
    let place = args.common.state_dir.as_ref();
    place.map_or_else(String::new, |place| {
        format!(" --state-dir {}", quoted(&place.to_string_lossy()))
    })
}

/// Prints an object on stdout.
pub(super) fn data(value: &Value) {
    line(&value.to_string());
}

/// Prints a line on stdout. A reader that went away is no reason to fail a sync; a full
/// disk is told at the end.
pub(super) fn line(text: &str) {
    // What became of it is kept.
    writeln!(Out::lock(), "{text}").ok();
}

/// Why not all that was printed got out, if so.
pub(super) fn unprinted() -> Option<&'static str> {
    UNPRINTED.get().map(String::as_str)
}

/// Prints a line on stdout. Returns false when no more can be printed.
pub(super) fn offer(text: &str) -> bool {
    let mut out = Out::lock();
    writeln!(out, "{text}").and_then(|()| out.flush()).is_ok()
}

/// Stdout for much data. An error says that no more can be printed; why is told at the end.
pub(super) fn much() -> BufWriter<Out> {
    BufWriter::with_capacity(OUT_BYTES, Out::lock())
}

/// Stdout, of which every error is kept for the end of the program, other than that its
/// reader went away.
pub(super) struct Out(StdoutLock<'static>);

impl Out {
    fn lock() -> Self {
        Self(io::stdout().lock())
    }
}

impl Write for Out {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        kept(self.0.write(bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        kept(self.0.flush())
    }
}

fn kept<T>(result: io::Result<T>) -> io::Result<T> {
    result.inspect_err(|error| {
        let is_told = [ErrorKind::BrokenPipe, ErrorKind::Interrupted].contains(&error.kind());
        if !is_told {
            UNPRINTED.get_or_init(|| error.to_string());
        }
    })
}

/// Prints lines on stderr.
pub(super) fn words(text: &str) {
    let lines: Vec<String> = text.split('\n').map(plain).collect();
    drop(writeln!(io::stderr().lock(), "{}", lines.join("\n")));
}

static UNPRINTED: std::sync::OnceLock<String> = std::sync::OnceLock::new();
/// Lines of a list for people; the rest is counted.
const LINES_MAX: usize = 50;
const OUT_BYTES: usize = 1 << 16;
