//! What people and programs read. Data goes to stdout, words to stderr.
//!
//! In: reports. Out: lines. Invariants: the summary of a run is its last line on
//! stdout; a name never commands the terminal; lists for people are bounded.

use super::args::Args;
use super::exit::{Exit, Failure};
use super::pair::Pair;
use super::text::{count, duration, plain, quoted, size, time};
use crate::daemon::{Report, Tally};
use crate::journal::explain::{Explanation, Fate, Told};
use journal_format::event::{Action, Case, Displaced, HaltReason, Operation};
use journal_format::value::{Side, Timestamp};
use serde_json::{Value, json};
use std::io::Write;
use std::time::Duration;
use sync_core::engine::{Remark, Standing};
use sync_core::state::Halt;

/// Prints why the program gives up.
pub(super) fn failure(failure: &Failure) {
    words(&format!("pydio-sync: {}", failure.message));
    if let Some(hint) = &failure.hint {
        words(&format!("  {hint}"));
    }
}

/// Prints what a person should know and nothing depends on.
pub(super) fn warning(args: &Args, text: &str) {
    if !args.common.quiet {
        words(&format!("pydio-sync: {text}"));
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
    let prefix = if alone {
        String::new()
    } else {
        format!("{}: ", plain(&pair.label))
    };
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
        let mut value = halt_json(halt);
        value["type"] = "halted".into();
        value["job"] = pair.job.as_str().into();
        data(&value);
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
            let is_halted = report.standing.halt.is_some();
            parts = if is_halted {
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

/// Prints a plan with its reasons.
pub(super) fn preview(
    args: &Args,
    pair: &Pair,
    alone: bool,
    operations: &[Operation],
    standing: &Standing,
) {
    let prefix = if alone {
        String::new()
    } else {
        format!("{}: ", plain(&pair.label))
    };
    for operation in operations {
        let case = operation.case.letter();
        let (what, from, path) = described(&operation.action);
        if args.common.json {
            data(&json!({
                "type": "planned", "job": pair.job, "case": case, "operation": what,
                "from": from, "path": path,
            }));
        } else if let Some(from) = from {
            line(&format!(
                "{prefix}{case} {what} {} -> {}",
                plain(from),
                plain(path)
            ));
        } else {
            line(&format!("{prefix}{case} {what} {}", plain(path)));
        }
    }
    if operations.is_empty() && !args.common.json {
        line(&format!("{prefix}nothing to do"));
    }
    if let Some(halt) = &standing.halt {
        words(&format!(
            "{prefix}would halt for safety: {}",
            halt_words(halt)
        ));
    }
}

fn described(action: &Action) -> (&'static str, Option<&str>, &str) {
    match action {
        Action::Transfer {
            from,
            target,
            displaced,
            ..
        } => {
            let what = match (from, displaced) {
                (Side::Local, _) => "upload",
                (Side::Remote, Displaced::ConflictCopy(_)) => "download beside a conflict copy",
                (Side::Remote, _) => "download",
            };
            (what, None, target.as_str())
        }
        Action::MakeDirectory {
            side: Side::Local,
            path,
        } => ("create local folder", None, path.as_str()),
        Action::MakeDirectory {
            side: Side::Remote,
            path,
        } => ("create remote folder", None, path.as_str()),
        Action::Move {
            side: Side::Local,
            from,
            to,
            ..
        } => ("move on the local side", Some(from.as_str()), to.as_str()),
        Action::Move {
            side: Side::Remote,
            from,
            to,
            ..
        } => ("move on the remote side", Some(from.as_str()), to.as_str()),
        Action::Remove {
            side: Side::Local,
            path,
            ..
        } => ("delete on the local side", None, path.as_str()),
        Action::Remove {
            side: Side::Remote,
            path,
            ..
        } => ("delete on the remote side", None, path.as_str()),
        Action::Hash { path, .. } => ("compare the content of", None, path.as_str()),
    }
}

/// Prints what happened to a path: the answer first, then each event.
pub(super) fn explanation(args: &Args, job: &str, mut told: Explanation) {
    let place = state_dir_flag(args);
    // A command ends its line.
    let commands = told.trash.iter_mut().map(|version| &mut version.command);
    let offered = told.advice.iter_mut();
    let offered = offered.filter(|line| line.contains("pydio-sync "));
    commands
        .chain(offered)
        .for_each(|line| line.push_str(&place));
    if args.common.json {
        let mut value = json!(told);
        value["type"] = "explanation".into();
        value["job"] = job.into();
        data(&value);
        return;
    }
    line(&plain(&told.answer));
    for advice in &told.advice {
        line(&format!("  {}", plain(advice)));
    }
    for version in &told.trash {
        let what = match told.state {
            Fate::Gone => "bring it back",
            _ => "bring an older version back",
        };
        let (since, command) = (time(Timestamp(version.time)), plain(&version.command));
        line(&format!("  {what} (in the trash since {since}): {command}"));
    }
    if told.left_out > 0 {
        let older = count(told.left_out, "older event", "older events");
        line(&format!("({older} left out)"));
    }
    if told.begins > 1 {
        line(&format!(
            "(what was before event {} is not in this journal)",
            told.begins
        ));
    }
    let mut events = told.events.as_slice();
    while let Some((first, rest)) = events.split_first() {
        let alike = rest.iter().take_while(|next| goes_on(first, next)).count();
        let at = time(Timestamp(first.time));
        let again = match rest.get(..alike).and_then(<[Told]>::last) {
            Some(last) if alike >= FEW => {
                let until = time(Timestamp(last.time));
                format!(
                    "; and {alike} times more until {until} (event {})",
                    last.seq
                )
            }
            _ => String::new(),
        };
        line(&format!(
            "{:>8}  {at}  {}{again}",
            first.seq,
            plain(&first.text)
        ));
        events = rest
            .get(if again.is_empty() { 0 } else { alike }..)
            .unwrap_or(&[]);
    }
}

/// Tells whether an event only says once more that a side's file was written to.
fn goes_on(first: &Told, next: &Told) -> bool {
    let same = |field: &str| first.event[field] == next.event[field];
    let is_write = |it: &Told| it.kind == OBSERVED && it.event["path"].is_string();
    is_write(first) && is_write(next) && same("side") && same("path")
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

/// Prints a line on stdout. A reader that went away is no reason to fail a sync.
pub(super) fn line(text: &str) {
    drop(writeln!(std::io::stdout().lock(), "{text}"));
}

/// Prints a line on stdout. Returns false when nobody reads any more.
pub(super) fn offer(text: &str) -> bool {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{text}").and_then(|()| out.flush()).is_ok()
}

/// Prints a line on stderr.
pub(super) fn words(text: &str) {
    drop(writeln!(std::io::stderr().lock(), "{text}"));
}

/// Lines of a list for people; the rest is counted.
const LINES_MAX: usize = 50;
/// Repetitions of a line that are still shown one by one.
const FEW: usize = 3;
const OBSERVED: &str = "observed";
