//! What would be done, and what a halt holds back.
//!
//! In: a plan. Out: a line or an object a step, on stdout; what it means on stderr.
//! Invariants: what is held back is never told as what would be done; a plan is printed
//! whole. Deliberately absent: how a plan is made (`daemon::preview`).

use super::args::Args;
use super::pair::Pair;
use super::print::{data, halt_json, halt_words, line, release_words, words};
use super::text::{count, plain};
use crate::daemon::Preview;
use journal_format::event::{Action, Case, Displaced, HaltReason};
use journal_format::value::Side;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use sync_core::engine::{Deed, Planned};
use sync_core::state::Halt;

/// Prints a plan with its reasons.
pub(super) fn preview(args: &Args, pair: &Pair, alone: bool, found: &Preview) {
    let prefix = if alone {
        String::new()
    } else {
        format!("{}: ", plain(&pair.label))
    };
    // What has to wait for another step follows from that one.
    let begins = |step: &&Planned| step.operation.is_some();
    let planned: Vec<&Planned> = found.planned.iter().filter(begins).collect();
    if args.common.json {
        let steps = planned.iter();
        let steps = steps.map(|step| step_json("planned", &pair.job, step));
        steps.for_each(|step| data(&step));
        if let Some(halt) = &found.standing.halt {
            let steps = found.held_back.iter();
            let steps = steps.map(|step| held_back_json(&pair.job, step, halt.reason));
            steps.for_each(|step| data(&step));
            let mut value = halt_json(halt);
            value["type"] = "halted".into();
            value["job"] = pair.job.as_str().into();
            data(&value);
        }
    } else {
        for step in &planned {
            line(&format!("{prefix}{}", step_words(step)));
        }
        for step in &found.held_back {
            line(&format!("{prefix}held back: {}", step_words(step)));
        }
        if planned.is_empty() && found.standing.halt.is_none() {
            line(&format!("{prefix}nothing to do"));
        }
        let steps = planned.into_iter().chain(&found.held_back);
        let cases: BTreeSet<Case> = steps.map(|step| step.case).collect();
        for case in cases {
            words(&format!("{}: {}", case.letter(), sync_core::reason(case)));
        }
    }
    if let Some(halt) = &found.standing.halt {
        held_words(found, halt, pair, &prefix);
    }
}

/// Says why steps are held back, and what releases them.
fn held_words(found: &Preview, halt: &Halt, pair: &Pair, prefix: &str) {
    let steps = count(found.held_back.len() as u64, "step", "steps");
    let why = halt_words(halt);
    if found.is_halt_known {
        words(&format!(
            "{prefix}halted for safety: {why}; {steps} held back"
        ));
        let release = release_words(halt, &pair.job, &pair.state_dir);
        words(&format!("{prefix}  {release}"));
    } else {
        words(&format!(
            "{prefix}would halt for safety: {why}; {steps} would be held back until they are \
             approved"
        ));
    }
}

/// A step that is held back, as one object.
pub(super) fn held_back_json(job: &str, step: &Planned, halt: HaltReason) -> Value {
    let mut value = step_json("held_back", job, step);
    value["halt"] = json!(halt);
    value
}

fn step_json(kind: &str, job: &str, step: &Planned) -> Value {
    let (what, from, path) = described(step);
    json!({
        "type": kind, "job": job, "case": step.case.letter(), "operation": what,
        "from": from, "path": path, "reason": sync_core::reason(step.case),
    })
}

/// A step in one line, its rule first.
pub(super) fn step_words(step: &Planned) -> String {
    let (what, from, path) = described(step);
    let case = step.case.letter();
    match from {
        Some(from) => format!("{case} {what} {} -> {}", plain(from), plain(path)),
        None => format!("{case} {what} {}", plain(path)),
    }
}

/// What is done, and to which path; of a move also where from.
fn described(step: &Planned) -> (&'static str, Option<&str>, &str) {
    let action = step.operation.as_ref().map(|operation| &operation.action);
    let what = match (step.deed, step.side) {
        (Deed::Adopt, _) => "record as alike",
        (Deed::Hash, _) => "compare the content of",
        (Deed::MakeDirectory, Side::Local) => "create local folder",
        (Deed::MakeDirectory, Side::Remote) => "create remote folder",
        (Deed::Move, Side::Local) => "move on the local side",
        (Deed::Move, Side::Remote) => "move on the remote side",
        (Deed::Transfer, Side::Remote) => "upload",
        (Deed::Transfer, Side::Local) => match action {
            Some(Action::Transfer {
                displaced: Displaced::ConflictCopy(_),
                ..
            }) => "download beside a conflict copy",
            _ => "download",
        },
        (Deed::Remove, Side::Local) => "delete on the local side",
        (Deed::Remove, Side::Remote) => "delete on the remote side",
    };
    let (from, path) = match action {
        Some(Action::Move { from, to, .. }) => (Some(from.as_str()), to.as_str()),
        Some(Action::Transfer { target, .. }) => (None, target.as_str()),
        Some(
            Action::MakeDirectory { path, .. }
            | Action::Remove { path, .. }
            | Action::Hash { path, .. },
        ) => (None, path.as_str()),
        None => (None, step.path.as_str()),
    };
    (what, from, path)
}
