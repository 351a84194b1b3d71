//! `journal verify`: whether a journal is whole and agrees with itself.
//!
//! In: a journal. Out: each damage with what was expected, or that there is none.
//! Invariant: nothing is changed. Deliberately absent: what is wrong with a journal
//! (`journal::verify`), mending (`salvage`).

use super::input::opened;
use super::source::{self, Meant, Source};
use super::words;
use crate::adapters::store::{OpenError, Reading, rescue};
use crate::cli::args::Args;
use crate::cli::args::journal::Named;
use crate::cli::exit::{Exit, Failure, upgrade};
use crate::cli::known::Known;
use crate::cli::offline::shown;
use crate::cli::print;
use crate::cli::text::count;
use crate::journal::PortableReader;
use crate::journal::verify::{Evidence, Findings, NEWER};
use journal_format::value::Seq;
use serde_json::json;
use std::path::Path;

/// Checks a journal.
///
/// # Errors
/// No such journal, or it cannot be opened at all.
pub(super) fn run(args: &Args, state_dir: &Path, named: &Named) -> Result<Exit, Failure> {
    let meant = source::named(named.journal.as_deref(), state_dir)?;
    Ok(match &meant {
        Meant::File(path) => tell(args, &file(path)?, words::FILE_DAMAGED),
        Meant::Job(known) => tell(args, &of_job(known)?, MENDABLE),
    })
}

/// Checks everything of a job's journal, also of one that cannot be opened.
///
/// # Errors
/// It cannot be read at all.
pub(super) fn of_job(known: &Known) -> Result<Findings, Failure> {
    match Reading::open(&known.place) {
        Ok(reading) => examine(&source::of_reading(known, reading)),
        Err(error) if error.is_damage() => {
            let mut findings = Findings::default();
            findings.unopened(match &error {
                OpenError::Damaged { detail, place } => format!("{}: {detail}", shown(place)),
                other => other.to_string(),
            });
            findings.survey(rescue(&known.place)?);
            Ok(findings)
        }
        Err(error) => Err(error.into()),
    }
}

fn examine(source: &Source) -> Result<Findings, Failure> {
    let mut findings = Findings::default();
    let Some(reading) = source.reading() else {
        return Ok(findings);
    };
    let mut surveyed = Findings::default();
    if let Some(missing) = reading.missing().filter(|missing| !missing.is_known) {
        surveyed.shortened(missing.expected, missing.found);
    } else {
        findings.remarks.extend(remarks(reading));
        let base = reading.base();
        let evidence = Evidence {
            first: reading.first(),
            before: reading.before(),
            base: base.as_ref().map(|base| (base.seq, &base.bytes[..])),
            cached: reading
                .checkpoint()
                .map(|cached| (cached.seq, &cached.bytes[..])),
            witnessed: reading.witnessed(),
        };
        if findings.compare(&evidence, source.entries_ahead(Seq(1))?) {
            return Ok(findings);
        }
    }
    surveyed.survey(rescue(&source.facts().place)?);
    // What cannot be read may be in the archives, which are not surveyed.
    let is_told = !surveyed.damages.is_empty();
    Ok(if is_told { surveyed } else { findings })
}

/// What is no damage and bears on what a person may conclude.
fn remarks(reading: &Reading) -> Vec<String> {
    let mut remarks = Vec::new();
    if reading.missing().is_some() {
        remarks.push(words::SALVAGED.to_owned());
    }
    if !reading.is_witnessed() {
        let why = "the file `witness` beside the store is missing: whether events are missing at \
            the end cannot be told; the next run writes it anew";
        remarks.push(why.to_owned());
    }
    remarks
}

fn file(path: &Path) -> Result<Findings, Failure> {
    let file = opened(path)?;
    let reader = PortableReader::open(file).map_err(|error| words::fault(path, error))?;
    let mut findings = Findings::default();
    findings.file(reader);
    Ok(findings)
}

/// `step` is what to do about damage.
fn tell(args: &Args, findings: &Findings, step: &str) -> Exit {
    let is_whole = findings.damages.is_empty();
    if args.common.json {
        for damage in &findings.damages {
            print::data(&json!({"type": "damage", "detail": damage}));
        }
        print::data(&json!({
            "type": "verified", "events": findings.checked, "whole": is_whole,
            "damages": findings.damages.len(), "remarks": findings.remarks,
            "newer": findings.newer,
        }));
    } else {
        for damage in findings.damages.iter().take(LINES_MAX) {
            print::line(&format!("damaged: {damage}"));
        }
        if findings.damages.len() > LINES_MAX {
            let more = findings.damages.len() - LINES_MAX;
            print::line(&format!("and {more} more; --json lists all"));
        }
        for remark in &findings.remarks {
            print::words(remark);
        }
        let whole = match findings.checked {
            1 => "1 event is whole".to_owned(),
            some => format!("{some} events are whole"),
        };
        match &findings.newer {
            _ if is_whole => {
                let events = count(findings.checked, "event", "events");
                print::line(&format!("whole: {events} checked"));
            }
            Some(release) => {
                let writer = Some(&**release).filter(|release| *release != NEWER);
                print::words(&format!("{whole}; of the rest: {}", upgrade(writer)));
            }
            // What does not agree with itself is not mended by leaving out events.
            None if step == MENDABLE && !findings.is_mendable => print::words(&whole),
            None => print::words(&format!("{whole}; {step}")),
        }
    }
    if is_whole {
        Exit::InSync
    } else {
        Exit::JournalDamaged
    }
}

const MENDABLE: &str = "`pydio-sync journal salvage` keeps what can be kept";
const LINES_MAX: usize = 50;
