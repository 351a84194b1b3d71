//! `journal cat`: a journal's events as lines.
//!
//! In: a journal, what to pick. Out: a line an event, as `events` prints them.
//! Invariant: in order, each once; what was readable before damage is printed.

use super::source::{self, Source};
use crate::cli::args::Args;
use crate::cli::args::journal::Cat;
use crate::cli::desk::event_text;
use crate::cli::exit::{Exit, Failure};
use crate::cli::print;
use crate::journal::explain::About;
use journal_format::Tag;
use journal_format::event::Record;
use journal_format::json::to_json;
use journal_format::value::Seq;
use std::io::Write;
use std::path::Path;

/// Prints events.
///
/// # Errors
/// No such journal, or it is damaged.
pub(super) fn run(args: &Args, state_dir: &Path, flags: &Cat) -> Result<Exit, Failure> {
    let source = source::open(flags.named.journal.as_deref(), state_dir)?;
    let mut out = print::much();
    let printed = picked(&source, flags, args.common.json, &mut out);
    out.flush().ok();
    printed
}

fn picked(
    source: &Source,
    flags: &Cat,
    as_json: bool,
    out: &mut impl Write,
) -> Result<Exit, Failure> {
    let facts = source.facts();
    tracing::debug!(journal = facts.journal, first = %facts.first, head = %facts.head, "reading");
    let from = Seq(flags.range.from);
    let to = flags.range.to.map_or(Seq(u64::MAX), Seq);
    if from > Seq(1) {
        source.reaches(from)?;
    }
    if to < from {
        let message = format!("--from {from} --to {to}: the end is before the beginning");
        return Err(Failure::usage(
            message,
            "give the smaller number to `--from`",
        ));
    }
    let mut story = flags.path.as_ref().map(About::new);
    // The end of an operation is about what its beginning was about.
    let first = if story.is_some() { Seq(1) } else { from };
    let mut is_picked = |record: &Record| {
        let is_about = story.as_mut().is_none_or(|story| story.takes(record));
        is_about
            && record.seq >= from
            && (flags.r#type.is_empty() || flags.r#type.contains(&Tag::of(&record.event)))
    };
    for read in source.records(first)? {
        let record = match read {
            Ok(record) => record,
            Err(error) => {
                out.flush().ok();
                return Err(source.fault(error));
            }
        };
        if record.seq > to {
            break;
        }
        if is_picked(&record)
            && writeln!(out, "{}", event_text(as_json, &to_json(&record))).is_err()
        {
            break;
        }
    }
    Ok(source.exit())
}
