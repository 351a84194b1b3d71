//! `journal stat`: what a journal holds and what takes space.
//!
//! In: a journal. Out: figures. Invariant: every record was read; a damaged journal gives
//! no figures. Deliberately absent: whether it agrees with itself (`verify`).

use super::source::{self, Origin, Source};
use crate::adapters::rooted::TRASH;
use crate::adapters::store::{self, Sizes};
use crate::cli::args::Args;
use crate::cli::args::journal::Named;
use crate::cli::exit::{Exit, Failure};
use crate::cli::print;
use crate::cli::text::{count, plain, size, time};
use crate::journal::Figures;
use journal_format::value::Seq;
use serde_json::{Value, json};
use std::path::Path;

/// What lies around a journal.
struct Around {
    sizes: Sizes,
    archives: usize,
    /// The store's first record.
    kept: Seq,
    /// Bytes in the trash of the local folder.
    trash: u64,
}

/// Prints figures.
///
/// # Errors
/// No such journal, or it is damaged.
pub(super) fn run(args: &Args, state_dir: &Path, named: &Named) -> Result<Exit, Failure> {
    let source = source::open(named.journal.as_deref(), state_dir)?;
    let mut figures = Figures::default();
    for read in source.entries(Seq(1))? {
        figures.count(&read.map_err(|error| source.fault(error))?);
    }
    let around = around(&source)?;
    if args.common.json {
        print::data(&data(&source, &figures, around.as_ref()));
    } else {
        lines(&source, &figures, around.as_ref())
            .iter()
            .for_each(|line| print::line(line));
    }
    Ok(source.exit())
}

fn around(source: &Source) -> Result<Option<Around>, Failure> {
    let Some(reading) = source.reading() else {
        return Ok(None);
    };
    let place = &source.facts().place;
    let io = |error: std::io::Error| Failure::new(Exit::Internal, error.to_string());
    let trash = source.local().map(|local| local.join(TRASH));
    Ok(Some(Around {
        sizes: store::sizes(place).map_err(io)?,
        archives: reading.archives().len(),
        kept: reading.kept(),
        trash: trash
            .map_or(Ok(0), |trash| store::on_disk(&trash))
            .map_err(io)?,
    }))
}

const fn origin(origin: Origin) -> &'static str {
    match origin {
        Origin::Store => "store",
        Origin::Copy => "copy",
        Origin::File => "file",
    }
}

fn data(source: &Source, figures: &Figures, around: Option<&Around>) -> Value {
    let facts = source.facts();
    let total = figures.total();
    let kinds: serde_json::Map<String, Value> = figures
        .by_bytes()
        .into_iter()
        .map(|(tag, kind)| {
            let kind = json!({"events": kind.count, "bytes": kind.bytes});
            (tag.name().to_owned(), kind)
        })
        .collect();
    let space = around.map(|around| {
        json!({
            "store": around.sizes.store, "checkpoint": around.sizes.checkpoint,
            "archives": around.sizes.archives, "archive_files": around.archives,
            "aside": around.sizes.aside, "trash": around.trash, "store_first": around.kept.0,
        })
    });
    json!({
        "type": "journal", "job": facts.job, "label": facts.label, "journal": facts.journal,
        "origin": origin(facts.origin), "redacted": facts.redacted,
        "salvaged": is_salvaged(source),
        "first": facts.first.0, "head": facts.head.0,
        "first_time": figures.times.map(|(first, _)| first.0),
        "last_time": figures.times.map(|(_, last)| last.0),
        "sessions": figures.sessions, "sessions_unclean": figures.unclean,
        "sessions_cut": figures.cut,
        "release": figures.release, "events": total.count, "bytes": total.bytes,
        "kinds": kinds, "space": space,
    })
}

/// Tells whether nobody ran the job since its journal was salvaged or imported.
fn is_salvaged(source: &Source) -> bool {
    source.missing().is_some_and(|missing| missing.is_known)
}

fn lines(source: &Source, figures: &Figures, around: Option<&Around>) -> Vec<String> {
    let facts = source.facts();
    let redacted = if facts.redacted { ", redacted" } else { "" };
    let from = match facts.origin {
        Origin::Store | Origin::Copy if is_salvaged(source) => {
            ", salvaged or imported, and not run since".to_owned()
        }
        Origin::Store => String::new(),
        Origin::Copy => ", a process has the job, or the last one was killed".to_owned(),
        Origin::File => format!(", file {}", plain(&facts.place.to_string_lossy())),
    };
    let mut lines = vec![
        format!(
            "{} ({}){redacted}{from}",
            plain(&facts.label),
            plain(&facts.job)
        ),
        format!("journal {}", facts.journal),
    ];
    let total = figures.total();
    match figures.times {
        Some((first, last)) => lines.push(format!(
            "events {} to {}, {} to {}",
            facts.first,
            facts.head,
            time(first),
            time(last)
        )),
        None => lines.push("no events".to_owned()),
    }
    let release = figures.release.as_deref().unwrap_or("unknown");
    lines.push(format!(
        "{}{}{}; last release {}",
        count(figures.sessions, "session", "sessions"),
        match figures.unclean {
            0 => String::new(),
            1 => ", 1 of them did not stop by itself".to_owned(),
            some => format!(", {some} of them did not stop by themselves"),
        },
        match figures.cut {
            0 => String::new(),
            1 => ", 1 of them is not known to its end".to_owned(),
            some => format!(", {some} of them are not known to their end"),
        },
        plain(release)
    ));
    for (tag, kind) in figures.by_bytes() {
        let (name, number) = (tag.name(), kind.count);
        lines.push(format!("  {name:<20} {number:>10}  {}", size(kind.bytes)));
    }
    lines.push(format!(
        "{} in all, {}",
        count(total.count, "event", "events"),
        size(total.bytes)
    ));
    if let Some(around) = around {
        lines.extend(space(around));
    }
    lines
}

fn space(around: &Around) -> Vec<String> {
    let Sizes {
        store,
        checkpoint,
        archives,
        aside,
    } = around.sizes;
    vec![
        "on the disk:".to_owned(),
        format!("  store {}, from event {}", size(store), around.kept),
        format!("  checkpoint {}", size(checkpoint)),
        format!(
            "  archives {} in {}",
            size(archives),
            count(around.archives as u64, "file", "files")
        ),
        format!(
            "  set aside {} (stores as a crash or a damage left them)",
            size(aside)
        ),
        format!("  trash in the local folder {}", size(around.trash)),
    ]
}
