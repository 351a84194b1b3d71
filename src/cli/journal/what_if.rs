//! `journal what-if`: the same observations under other rules.
//!
//! In: a journal, other choices. Out: what would be planned otherwise, counted. Invariant:
//! nothing is read but the journal, and nothing is written. Deliberately absent: what is
//! compared with what (`journal::what_if` says it).

use super::source;
use crate::adapters::rooted::{Filter, FilterRules};
use crate::cli::args::Args;
use crate::cli::args::views::{OneWay, WhatIf as Flags};
use crate::cli::exit::{Exit, Failure};
use crate::cli::print;
use crate::cli::text::{count, plain, time};
use crate::journal::minimize::letter;
use crate::journal::what_if::{Braked, Change, Difference, WhatIf};
use journal_format::event::Case;
use journal_format::value::{Brakes, Direction, Kind, Mode, Policy, RelPath, Seq, Timestamp};
use serde_json::json;
use std::collections::BTreeSet;
use std::path::Path;

/// Compares plans.
///
/// # Errors
/// No such journal, or a choice that is none.
pub(super) fn run(args: &Args, state_dir: &Path, flags: &Flags) -> Result<Exit, Failure> {
    let brakes = flags.max_delete.as_deref().map(brakes).transpose()?;
    let choose = |policy: Policy| chosen(policy, flags, brakes);
    let filter = filter(flags)?;
    if !is_a_choice(flags) {
        return Err(Failure::usage("no other choice is given", CHOICES));
    }
    let source = source::open(flags.named.journal.as_deref(), state_dir)?;
    let mut what_if = WhatIf::behind(source.engine(Seq(u64::MAX))?, &choose);
    for read in source.records(Seq(1))? {
        what_if.take(&read.map_err(|error| source.fault(error))?);
    }
    if flags.mode.is_some() && choose(what_if.chosen()).direction == Direction::Bi {
        return Err(Failure::usage(
            "--mode: the job syncs both ways, where neither side is the other's mirror",
            "add a direction: `--direction up` or `--direction down`",
        ));
    }
    let leaves_out = filter.as_ref().map(|filter| {
        |path: &RelPath, kind: Kind| {
            let (directory, name) = path.split().unwrap_or_default();
            filter.excludes(directory, name, kind == Kind::Directory)
        }
    });
    let difference = match &leaves_out {
        Some(leaves_out) => what_if.finish(Some(leaves_out)),
        None => what_if.finish(None),
    };
    if args.common.json {
        let mut value = json!(difference);
        value["type"] = "what_if".into();
        print::data(&value);
    } else {
        show(&difference, filter.is_some());
    }
    Ok(source.exit())
}

const fn is_a_choice(flags: &Flags) -> bool {
    let is_policy = flags.conflict.is_some() || flags.direction.is_some() || flags.mode.is_some();
    let is_filter = !flags.include.is_empty() || !flags.exclude.is_empty();
    is_policy || is_filter || flags.max_delete.is_some()
}

fn chosen(mut policy: Policy, flags: &Flags, brakes: Option<Brakes>) -> Policy {
    if let Some(solve) = flags.conflict {
        policy.solve = solve.into();
    }
    if let Some(direction) = flags.direction {
        policy.direction = direction.into();
    }
    if let Some(mode) = flags.mode {
        policy.mode = match mode {
            OneWay::Safe => Mode::Safe,
            OneWay::Mirror => Mode::Mirror,
        };
    }
    policy.brakes = brakes.unwrap_or(policy.brakes);
    policy
}

/// The filter beside the one that the journal was written with.
fn filter(flags: &Flags) -> Result<Option<Filter>, Failure> {
    if flags.include.is_empty() && flags.exclude.is_empty() {
        return Ok(None);
    }
    let rules = FilterRules {
        defaults: false,
        hidden: false,
        includes: flags.include.clone(),
        excludes: flags.exclude.clone(),
    };
    let filter = Filter::new(&rules);
    let filter = filter.map_err(|error| Failure::usage(error.to_string(), "quote the pattern"))?;
    Ok(Some(filter))
}

/// As `max_delete` of a job file reads it.
fn brakes(text: &str) -> Result<Brakes, Failure> {
    let refused = || {
        let message = format!("--max-delete {text} is no limit");
        Failure::usage(message, "give a number of entries, or a share like `30%`")
    };
    let fallback = Brakes::default();
    match text.strip_suffix('%') {
        Some(share) => {
            let share: u8 = share.parse().map_err(|_| refused())?;
            if share > 100 {
                return Err(refused());
            }
            Ok(Brakes {
                deletions_max: u64::MAX,
                deletions_percent_max: share,
                ..fallback
            })
        }
        None => Ok(Brakes {
            deletions_max: text.parse().map_err(|_| refused())?,
            deletions_percent_max: 100,
            ..fallback
        }),
    }
}

fn show(difference: &Difference, has_filter: bool) {
    print::line(&headline(difference, has_filter));
    match (&difference.brake, &difference.other_brake) {
        (None, None) => {}
        (Some(brake), None) => {
            print::line(&format!("the job would not be halted ({})", brake.words()));
        }
        (None, Some(brake)) => print::line(&format!("the job would halt: {}", brake.words())),
        (Some(_), Some(brake)) => {
            print::line(&format!("the job would still be halted: {}", brake.words()));
        }
    }
    braked("the job would have halted", &difference.would_halt);
    braked("the job would not have halted", &difference.would_not_halt);
    group("from here on", &difference.now);
    let points = count(difference.points, "decision point", "decision points");
    group(
        &format!("had it been so from the beginning ({points}, each by itself)"),
        &difference.history,
    );
    reasons(difference);
    if difference.now.is_empty() && difference.history.is_empty() {
        print::line("the plans are the same");
    }
}

/// The answer in a line: about now, and about the past where now nothing differs.
fn headline(difference: &Difference, has_filter: bool) -> String {
    if has_filter {
        let files = count(difference.no_longer_synced, "file", "files");
        return format!(
            "with this filter {files} would no longer be synced, {} would be deleted",
            none_or(difference.deleted)
        );
    }
    let past = || match (difference.history_deleted, difference.history_spared) {
        _ if difference.history.is_empty() => String::new(),
        (0, 0) => "; earlier the same would have been deleted".to_owned(),
        (more, fewer) => format!(
            "; earlier {} more would have been deleted, and {} fewer",
            none_or(more),
            none_or(fewer)
        ),
    };
    match (difference.deleted, difference.spared) {
        _ if difference.now.is_empty() => {
            format!("from here on nothing would be otherwise{}", past())
        }
        (0, 0) => "from here on the same would be deleted".to_owned(),
        (more, fewer) => format!(
            "from here on {} more would be deleted, and {} fewer",
            none_or(more),
            none_or(fewer)
        ),
    }
}

fn braked(what: &str, points: &[Braked]) {
    for point in points.iter().take(POINTS_SHOWN) {
        print::line(&format!(
            "{what} after event {} ({}): {}",
            point.seq,
            time(Timestamp(point.time)),
            point.brake.words()
        ));
    }
    let rest = points.len().saturating_sub(POINTS_SHOWN);
    if rest > 0 {
        print::line(&format!("and {rest} times more; `--json` lists all"));
    }
}

/// Says what the letters stand for.
fn reasons(difference: &Difference) {
    let changes = difference.now.iter().chain(&difference.history);
    let words = changes.flat_map(|it| [&it.before, &it.after]);
    let words = words.flat_map(|deed| deed.split([' ', '(', ')']));
    let cases: BTreeSet<Case> = words.filter_map(letter).collect();
    for case in cases {
        print::line(&format!("{}: {}", case.letter(), sync_core::reason(case)));
    }
}

fn none_or(number: u64) -> String {
    match number {
        0 => "none".to_owned(),
        number => number.to_string(),
    }
}

fn group(when: &str, changes: &[Change]) {
    if !changes.is_empty() {
        print::line(&format!("{when}:"));
    }
    for change in changes {
        let more = if change.count > change.examples.len() as u64 {
            ", …"
        } else {
            ""
        };
        print::line(&format!(
            "  {:>8}  {} instead of {}: {}{more}",
            change.count,
            change.after,
            change.before,
            plain(&change.examples.join(", "))
        ));
    }
}

const CHOICES: &str = "give one: `--conflict both|manual|local|remote`, `--direction bi|up|down`, \
                       `--mode safe|mirror`, `--max-delete LIMIT`, `--exclude GLOB` or \
                       `--include GLOB`";
/// Halts that are shown to people.
const POINTS_SHOWN: usize = 5;
