//! What people and programs read. Data goes to stdout, words to stderr.

use super::args::Args;
use super::exit::{Exit, Failure};
use crate::daemon::Report;
use journal_format::event::{Action, Displaced, Operation};
use journal_format::value::Side;
use serde_json::{Value, json};
use std::io::Write;
use std::time::Duration;
use sync_core::engine::Standing;

/// Prints why the program gives up.
pub(super) fn failure(failure: &Failure) {
    words(&format!("pydio-sync: {}", failure.message));
    if let Some(hint) = &failure.hint {
        words(&format!("  {hint}"));
    }
}

/// Prints the result of a run: problems first, the summary last.
pub(super) fn report(args: &Args, job: &str, report: &Report, elapsed: Duration) {
    for remark in &report.problems {
        if args.json {
            let path = remark.path.as_str();
            data(&json!({"type": "problem", "job": job, "path": path, "detail": remark.detail}));
        } else {
            words(&format!("not synced: {}: {}", remark.path, remark.detail));
        }
    }
    for remark in &report.held {
        let (path, case) = (remark.path.as_str(), remark.case.letter());
        if args.json {
            data(&json!({"type": "held", "job": job, "path": path, "case": case}));
        } else {
            words(&format!("waits ({case}): {path}"));
        }
    }
    halt(&report.standing);
    if args.once {
        summary(args, job, report, elapsed);
    }
}

fn halt(standing: &Standing) {
    if let Some(halt) = &standing.halt {
        let reason = serde_json::to_value(halt.reason).unwrap_or(Value::Null);
        let reason = reason.as_str().unwrap_or("safety").replace('_', " ");
        words(&format!(
            "halted for safety: {reason} ({} side, {} entries at stake); nothing was deleted",
            halt.side, halt.count
        ));
    }
}

fn summary(args: &Args, job: &str, report: &Report, elapsed: Duration) {
    let tally = &report.tally;
    let state = Exit::of(report).state();
    let conflicts = tally.conflicts.max(report.standing.conflicts);
    let elapsed_ms = u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX);
    if args.json {
        data(&json!({
            "type": "summary", "job": job, "state": state,
            "uploaded": tally.uploaded, "downloaded": tally.downloaded,
            "created_dirs": tally.created_dirs, "moved": tally.moved,
            "deleted_local": tally.deleted_local, "deleted_remote": tally.deleted_remote,
            "conflicts": conflicts, "problems": report.standing.problems,
            "bytes_up": tally.bytes_up, "bytes_down": tally.bytes_down,
            "seq": report.seq.0, "elapsed_ms": elapsed_ms,
        }));
    } else {
        let deleted = tally.deleted_local + tally.deleted_remote;
        line(&format!(
            "{state}: {} up, {} down, {} folders, {} moved, {deleted} deleted, {conflicts} conflicts, \
             {} problems, {} bytes, {elapsed_ms} ms",
            tally.uploaded,
            tally.downloaded,
            tally.created_dirs,
            tally.moved,
            report.standing.problems,
            tally.bytes_up + tally.bytes_down,
        ));
    }
}

/// Prints a plan with its reasons.
pub(super) fn preview(args: &Args, operations: &[Operation], standing: &Standing) {
    for operation in operations {
        let case = operation.case.letter();
        let (what, from, path) = described(&operation.action);
        if args.json {
            data(&json!({
                "type": "planned", "case": case, "operation": what, "from": from, "path": path,
            }));
        } else if let Some(from) = from {
            line(&format!("{case} {what} {from} -> {path}"));
        } else {
            line(&format!("{case} {what} {path}"));
        }
    }
    halt(standing);
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

fn data(value: &Value) {
    line(&value.to_string());
}

/// A reader that went away is no reason to fail a sync.
fn line(text: &str) {
    drop(writeln!(std::io::stdout().lock(), "{text}"));
}

fn words(text: &str) {
    drop(writeln!(std::io::stderr().lock(), "{text}"));
}
