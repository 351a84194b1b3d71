//! `journal compare`: where two releases plan otherwise over one journal.
//!
//! In: the output of an older release's `journal replay --json`, and another one or a
//! journal. Out: the decision points that differ. Invariant: outputs of two journals are
//! never compared. Deliberately absent: which release is right.

use super::replay::stream;
use super::source;
use crate::cli::args::Args;
use crate::cli::args::views::Compare;
use crate::cli::exit::{Exit, Failure};
use crate::cli::offline::shown;
use crate::cli::print;
use crate::cli::text::{count, plain};
use crate::journal::compare::{Differs, Stream, compare};
use journal_format::value::Seq;
use serde_json::{Value, json};
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;

/// Compares plans.
///
/// # Errors
/// An output or a journal cannot be read, or they are of two journals.
pub(super) fn run(args: &Args, state_dir: &Path, flags: &Compare) -> Result<Exit, Failure> {
    let old = output(&flags.old)?;
    let new = match flags.new.as_deref() {
        Some(name) if is_output(Path::new(name)) => output(Path::new(name))?,
        name => planned(name, state_dir)?,
    };
    if old.journal != new.journal {
        return Err(Failure::usage(
            format!(
                "these are two journals: {} and {}",
                plain(&old.journal),
                plain(&new.journal)
            ),
            "replay the same journal with both releases",
        ));
    }
    let differs = compare(&old, &new);
    for point in &differs {
        show(args, point);
    }
    let is_same_state = old.digest == new.digest;
    if args.common.json {
        print::data(&json!({
            "type": "compared", "journal": new.journal, "old_release": old.release,
            "new_release": new.release,
            "points": new.plans.len(), "differ": differs.len(), "same_digest": is_same_state,
        }));
    } else {
        let points = count(new.plans.len() as u64, "decision point", "decision points");
        let state = if is_same_state { "the same" } else { "another" };
        print::words(&format!(
            "{} of {points} differ; both folds end in {state} state",
            differs.len()
        ));
    }
    let is_same = differs.is_empty() && is_same_state;
    Ok(if is_same {
        Exit::InSync
    } else {
        Exit::ItemsFailed
    })
}

/// What this release plans.
fn planned(name: Option<&str>, state_dir: &Path) -> Result<Stream, Failure> {
    let source = source::open(name, state_dir)?;
    let mut found = Stream::default();
    let mut wrong = None;
    stream(&source, Seq(u64::MAX), |line| {
        wrong = found.take(&line.json()).err();
        wrong.is_none()
    })?;
    match wrong {
        None => Ok(found),
        Some(why) => Err(Failure::new(Exit::Internal, why)),
    }
}

fn output(path: &Path) -> Result<Stream, Failure> {
    let refused = |why: String| {
        let hint = "give what an older release's `journal replay --json` printed";
        Failure::usage(format!("{}: {why}", shown(path)), hint)
    };
    let file = File::open(path).map_err(|error| refused(error.to_string()))?;
    let mut stream = Stream::default();
    let mut reader = BufReader::new(file);
    let mut number = 0;
    loop {
        let mut line = String::new();
        number += 1;
        let read = reader.by_ref().take(LINE_BYTES_MAX).read_line(&mut line);
        match read {
            Ok(0) => break,
            Ok(_) => stream
                .take(&line)
                .map_err(|why| refused(format!("line {number}: {why}")))?,
            Err(error) => return Err(refused(error.to_string())),
        }
    }
    if !stream.is_there() {
        return Err(refused("it does not begin as such an output".to_owned()));
    }
    if !stream.is_whole() {
        return Err(refused(
            "it breaks off: its last line is missing".to_owned(),
        ));
    }
    Ok(stream)
}

/// Tells whether a file begins as an output does; journals do not, as text neither.
fn is_output(path: &Path) -> bool {
    let Ok(file) = File::open(path) else {
        return false;
    };
    let mut first = String::new();
    let read = BufReader::new(file.take(FIRST_BYTES_MAX)).read_line(&mut first);
    let begins = |value: Value| value["type"] == "replay";
    read.is_ok() && serde_json::from_str(&first).is_ok_and(begins)
}

fn show(args: &Args, point: &Differs) {
    if args.common.json {
        let mut value = json!(point);
        value["type"] = "differs".into();
        print::data(&value);
        return;
    }
    let words = |plan: &Option<String>| plan.as_deref().map_or_else(|| "no plan".to_owned(), plain);
    print::line(&format!("after event {}:", point.seq));
    print::line(&format!("  old: {}", words(&point.old)));
    print::line(&format!("  new: {}", words(&point.new)));
    for (mark, steps) in [('-', &point.only_old), ('+', &point.only_new)] {
        for step in steps {
            print::line(&format!("  {mark} {}", plain(step)));
        }
    }
}

/// The newest plan lists all that is held back.
const LINE_BYTES_MAX: u64 = 1 << 28;
/// The first line of an output is short.
const FIRST_BYTES_MAX: u64 = 1 << 16;
