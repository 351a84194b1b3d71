//! `journal minimize`: a test case made from a journal.
//!
//! In: a journal, a condition. Out: a portable journal or a text fixture, or both, that
//! still show it. Invariant: files are new ones; nothing is replaced. Deliberately
//! absent: how events are left out (`journal::minimize`).

use super::export::Target;
use super::source::{self, Facts};
use crate::cli::args::Args;
use crate::cli::args::views::Minimize;
use crate::cli::exit::{Exit, Failure};
use crate::cli::offline::shown;
use crate::cli::print;
use crate::journal::minimize::{Condition, Search, Shape};
use crate::journal::{PortableWriter, fixture};
use journal_format::encode_record;
use journal_format::event::Record;
use journal_format::portable::Header;
use journal_format::value::Seq;
use serde_json::json;
use std::fs::File;
use std::io::Write;
use std::path::Path;
use sync_core::checkpoint;
use sync_core::state::State;

/// Makes a journal as small as it can be.
///
/// # Errors
/// No such journal, no such condition, or the condition never shows.
pub(super) fn run(args: &Args, state_dir: &Path, flags: &Minimize) -> Result<Exit, Failure> {
    let condition = Condition::parse(&flags.keep)
        .map_err(|why| Failure::usage(format!("--keep {}: {why}", flags.keep), HINT))?;
    let source = source::open(flags.named.journal.as_deref(), state_dir)?;
    let base = source.base()?;
    if base.is_none() {
        // What is left out must not be what the rest stands on.
        source.needs_its_start()?;
    } else if flags.out.is_none() || flags.fixture.is_some() {
        return Err(Failure::usage(
            format!(
                "this journal begins at event {}, and a fixture cannot hold the state before it",
                source.facts().first
            ),
            "write a journal, which can: `--out FILE`",
        ));
    }
    let mut search = Search::behind(&condition, base.clone());
    for read in source.records(Seq(1))? {
        let record = read.map_err(|error| source.fault(error))?;
        if !search.take(record) {
            break;
        }
    }
    let found = search.minimize().ok_or_else(|| {
        let message = format!("`{condition}` does not show anywhere in this journal");
        Failure::usage(
            message,
            "`pydio-sync journal replay` lists what was planned when",
        )
    })?;
    let records = &found.records;
    if let Some(path) = &flags.out {
        let target = Target::create(path)?;
        portable(&target.file, source.facts(), base.as_ref(), records)
            .map_err(|error| refused(path, &error))?;
        target.finish()?;
    }
    let note = format!("from a journal of {} events", source.facts().head);
    let text = fixture::write(&condition.to_string(), &note, records);
    if let Some(path) = &flags.fixture {
        let target = Target::create(path)?;
        let written = (&target.file).write_all(text.as_bytes());
        written.map_err(|error| refused(path, &error))?;
        target.finish()?;
    }
    if args.common.json {
        print::data(&json!({
            "type": "minimized", "job": source.facts().job, "journal": source.facts().journal,
            "seq": source.facts().head.0, "keep": condition.to_string(),
            "events": records.len(), "tried": found.tried, "minimal": found.shape == Shape::Minimal,
        }));
    } else {
        if flags.out.is_none() && flags.fixture.is_none() {
            print::line(text.trim_end());
        }
        let shape = match found.shape {
            Shape::Minimal => "each one is needed".to_owned(),
            Shape::Spent => format!(
                "after {} smaller journals no more were tried, so some may not be needed",
                found.tried
            ),
            Shape::Cut => "only the end was left out".to_owned(),
        };
        print::words(&format!(
            "{} of {} events show `{condition}`; {shape}",
            records.len(),
            source.facts().head
        ));
    }
    Ok(source.exit())
}

fn portable(
    file: &File,
    facts: &Facts,
    base: Option<&State>,
    records: &[Record],
) -> std::io::Result<()> {
    let text = |error: &dyn std::fmt::Display| std::io::Error::other(error.to_string());
    let header = Header {
        // Another history than the one it comes from.
        journal: *blake3::hash(facts.journal.as_bytes())
            .as_bytes()
            .first_chunk()
            .expect("a hash has 32 bytes"),
        job: facts.job.clone(),
        label: facts.label.clone(),
        release: env!("CARGO_PKG_VERSION").to_owned(),
        redacted: facts.redacted,
        first: base.map_or(Seq(1), |base| base.seq.next()),
        before: None,
    };
    let begun = PortableWriter::begin(file, &header);
    let mut writer = begun.map_err(|error| text(&error))?;
    if let Some(base) = base {
        let state = checkpoint::encode(base);
        writer.state(&state).map_err(|error| text(&error))?;
    }
    for record in records {
        let bytes = encode_record(record).map_err(|error| text(&error))?;
        let done = writer.record(record.seq, &bytes);
        done.map_err(|error| text(&error))?;
    }
    writer.finish().map_err(|error| text(&error))?;
    Ok(())
}

fn refused(path: &Path, error: &std::io::Error) -> Failure {
    Failure::usage(
        format!("`{}` cannot be written: {error}", shown(path)),
        "name a new file",
    )
}

const HINT: &str = "for example `--keep conflict:letters/draft.txt` or `--keep rule:C1`";
