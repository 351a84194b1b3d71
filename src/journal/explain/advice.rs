//! What a person can do about a path: a line each.
//!
//! In: a job, a path, a time. Out: lines. Invariants: a command ends its line, so that
//! whoever prints it can add where the job is kept; pasted into a shell as it stands it
//! does what the words in front of it say, and nothing else. A choice is a line for each
//! answer. Deliberately absent: when to say what (`now`).

use super::{Context, Runs};
use crate::journal::text::{quoted, time};
use journal_format::event::{Case, HaltReason};
use journal_format::value::{RelPath, Timestamp};
use sync_core::state::Halt;

/// How a conflict can be decided.
pub(super) fn decide(context: &Context, case: Case, path: &RelPath) -> Vec<String> {
    let choices: &[(&str, &str)] = match case {
        Case::C1 => &[
            (
                "both",
                "keep both versions, the remote one under this name, the local one as a \
                 conflict copy",
            ),
            (
                "remote",
                "keep the remote version; the local one goes to the trash",
            ),
            (
                "local",
                "keep the local version; the remote one goes to the local trash",
            ),
        ],
        Case::C2 => &[
            ("remote", "move it to its remote place"),
            ("local", "move it to its local place"),
        ],
        // Two things and one name: both are kept, whatever the choice.
        _ => &[
            (
                "remote",
                "leave the name to the remote one; the local one gets a conflict name",
            ),
            (
                "local",
                "leave the name to the local one; the remote one gets a conflict name",
            ),
        ],
    };
    let name = quoted(path.as_str());
    let line = |(keep, what): &(&str, &str)| {
        let command = format!("resolve {} {name} --keep {keep}", quoted(&context.job));
        offer(context, what, &command)
    };
    choices.iter().filter_map(line).collect()
}

/// What releases a halt.
pub(super) fn release(context: &Context, halt: &Halt) -> Option<String> {
    match halt.reason {
        HaltReason::RootMissing => {
            Some("put the folder back; the job then goes on by itself".to_owned())
        }
        _ => {
            let command = format!("approve {}", quoted(&context.job));
            offer(context, "if this is meant", &command)
        }
    }
}

/// What ends a pause.
pub(super) fn go_on(context: &Context) -> Option<String> {
    let command = format!("start {}", quoted(&context.job));
    offer(context, "let it go on", &command)
}

/// What brings a folder back that was removed, with what lay in it.
pub(super) fn undo_since(context: &Context, since: Timestamp) -> Option<String> {
    let since = time(since);
    let since = since.trim_end_matches(" UTC");
    let job = quoted(&context.job);
    let command = format!("undo {job} --since '{since}'");
    let what = "take back all that sync did in the local folder since then (add `--dry-run` to \
                look first)";
    offer(context, what, &command)
}

fn offer(context: &Context, what: &str, command: &str) -> Option<String> {
    (context.runs != Runs::Elsewhere).then(|| format!("{what}: pydio-sync {command}"))
}
