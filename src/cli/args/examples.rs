//! What `--help` tells beyond `-h`: examples for every command.
//!
//! In: the commands as they are declared. Out: the same with their examples. Invariants:
//! `-h` stays short; every command has an example (watched by a test). Deliberately
//! absent: what flags mean (`args`). A command without an example of its own in its
//! declaration gets a row of [`EXAMPLES`].

use clap::Command;
use clap::builder::Resettable;

/// Puts the examples where `--help` alone shows them.
pub(super) fn shown(command: Command) -> Command {
    command.mut_subcommands(|command| below(command, ""))
}

fn below(command: Command, above: &str) -> Command {
    let path = format!("{above}{}", command.get_name());
    let row = EXAMPLES.iter().find(|(name, _)| *name == path);
    let row = row.map(|(_, lines)| format!("Examples:\n  {}", lines.join("\n  ")));
    let short = command.get_after_help().map(ToString::to_string);
    let whole: Vec<String> = short.iter().cloned().chain(row).collect();
    let whole = whole.join("\n\n");
    let short = short.unwrap_or_default();
    let end = if short.starts_with("Example") {
        0
    } else {
        short.find("\n\nExample").unwrap_or(short.len())
    };
    let mut command = command.after_help(Resettable::Reset);
    if end > 0 {
        command = command.after_help(short[..end].to_owned());
    }
    if !whole.is_empty() {
        command = command.after_long_help(whole);
    }
    if FOR_ALL.contains(&path.as_str()) {
        let help = "The job's id or label; all jobs of the daemon if it is left out";
        command = command.mut_arg("job", |job| job.help(help));
    }
    command.mut_subcommands(|command| below(command, &format!("{path} ")))
}

/// Commands that mean all jobs when none is named.
const FOR_ALL: [&str; 5] = ["start", "pause", "stop", "reload", "sync-now"];

/// Examples of the commands whose declaration has none.
const EXAMPLES: [(&str, &[&str]); 19] = [
    ("start", &["pydio-sync start", "pydio-sync start documents"]),
    ("pause", &["pydio-sync pause", "pydio-sync pause documents"]),
    ("stop", &["pydio-sync stop documents"]),
    ("reload", &["pydio-sync reload"]),
    (
        "sync-now",
        &["pydio-sync sync-now", "pydio-sync sync-now documents"],
    ),
    (
        "approve",
        &[
            "pydio-sync -f jobs.json --dry-run",
            "pydio-sync approve documents",
        ],
    ),
    (
        "conflicts",
        &["pydio-sync conflicts", "pydio-sync conflicts --json"],
    ),
    (
        "trash",
        &[
            "pydio-sync trash list documents",
            "pydio-sync trash restore documents 00000000000004d2",
        ],
    ),
    (
        "trash list",
        &[
            "pydio-sync trash list",
            "pydio-sync trash list documents --json",
        ],
    ),
    (
        "jobs",
        &[
            "pydio-sync jobs add -s /mnt/disk/documents -d ~/Documents",
            "pydio-sync jobs list",
        ],
    ),
    (
        "jobs list",
        &["pydio-sync jobs list", "pydio-sync jobs list -f jobs.json"],
    ),
    ("jobs remove", &["pydio-sync jobs remove documents"]),
    (
        "logout",
        &[
            "pydio-sync logout",
            "pydio-sync logout -s https://host/pydio -u ada",
        ],
    ),
    (
        "doctor",
        &["pydio-sync doctor", "pydio-sync doctor -f jobs.json --json"],
    ),
    (
        "journal",
        &[
            "pydio-sync journal stat documents",
            "pydio-sync journal verify documents",
        ],
    ),
    (
        "service",
        &[
            "pydio-sync service install -f ~/jobs.json",
            "pydio-sync service status",
        ],
    ),
    ("service uninstall", &["pydio-sync service uninstall"]),
    (
        "service status",
        &[
            "pydio-sync service status",
            "pydio-sync service status --json",
        ],
    ),
    ("help", &["pydio-sync help status"]),
];

#[cfg(test)]
mod tests {
    use super::*;

    fn check(command: &Command, path: &str) {
        for below in command.get_subcommands() {
            let path = format!("{path}{} ", below.get_name());
            let text = |text: Option<&clap::builder::StyledStr>| {
                text.map(ToString::to_string).unwrap_or_default()
            };
            let short = text(below.get_after_help());
            let long = text(below.get_after_long_help());
            assert!(!short.contains("Example"), "-h of {path}: {short}");
            let example = format!("\n  pydio-sync {}", path.trim_end());
            assert!(long.contains(&example), "--help of {path}: {long}");
            check(below, &path);
        }
    }

    #[test]
    fn every_command_has_an_example_of_itself_and_the_short_help_none() {
        check(&crate::cli::args::Args::whole(), "");
    }

    #[test]
    fn every_row_is_of_a_command() {
        for (path, _) in EXAMPLES {
            let whole = crate::cli::args::Args::whole();
            let found = path.split(' ').try_fold(&whole, |command, name| {
                command.get_subcommands().find(|it| it.get_name() == name)
            });
            assert!(found.is_some() || path == "help", "{path}");
        }
    }
}
