//! `journal verify`: whether a journal is whole and agrees with itself.
//!
//! In: a journal. Out: each damage with what was expected, or that there is none.
//! Invariants: nothing is changed; a damage does not hide the ones behind it in the
//! store. Deliberately absent: mending (`salvage`).

use super::source::{self, Meant, Source};
use crate::adapters::store::{Found, Health, Reading};
use crate::cli::args::Args;
use crate::cli::args::journal::Named;
use crate::cli::exit::{Exit, Failure};
use crate::cli::print;
use crate::cli::text::count;
use crate::journal::{Check, PortableReader};
use journal_format::value::Seq;
use serde_json::json;
use std::path::Path;

/// What was found so far.
#[derive(Default)]
struct Findings {
    damages: Vec<String>,
    /// What a person may want to know and is no damage.
    remarks: Vec<String>,
    checked: u64,
}

/// Checks a journal.
///
/// # Errors
/// No such journal, or it cannot be opened at all.
pub(super) fn run(args: &Args, state_dir: &Path, named: &Named) -> Result<Exit, Failure> {
    let meant = source::named(named.journal.as_deref(), state_dir)?;
    let mut findings = Findings::default();
    match &meant {
        Meant::File(path) => file(path, &mut findings)?,
        Meant::Job(_) => {
            let source = source::open(named.journal.as_deref(), state_dir)?;
            if let Some(reading) = source.reading() {
                store(reading, &mut findings);
                agrees(&source, reading, &mut findings)?;
            }
        }
    }
    Ok(findings.tell(args))
}

impl Findings {
    fn tell(&self, args: &Args) -> Exit {
        let is_whole = self.damages.is_empty();
        if args.common.json {
            for damage in &self.damages {
                print::data(&json!({"type": "damage", "detail": damage}));
            }
            print::data(&json!({
                "type": "verified", "events": self.checked, "whole": is_whole,
                "damages": self.damages.len(), "remarks": self.remarks,
            }));
        } else {
            for damage in self.damages.iter().take(LINES_MAX) {
                print::line(&format!("damaged: {damage}"));
            }
            if self.damages.len() > LINES_MAX {
                let more = self.damages.len() - LINES_MAX;
                print::line(&format!("and {more} more; --json lists all"));
            }
            for remark in &self.remarks {
                print::words(remark);
            }
            let events = count(self.checked, "event", "events");
            if is_whole {
                print::line(&format!("whole: {events} checked"));
            } else {
                print::words(&format!(
                    "{events} are whole; `pydio-sync journal salvage` keeps what can be kept"
                ));
            }
        }
        if is_whole {
            Exit::InSync
        } else {
            Exit::JournalDamaged
        }
    }

    fn damage(&mut self, detail: String) {
        if self.damages.len() < DAMAGES_MAX {
            self.damages.push(detail);
        }
    }
}

/// Checks a portable file to its last byte, and what follows from its events.
fn file(path: &Path, findings: &mut Findings) -> Result<(), Failure> {
    let file = std::fs::File::open(path).map_err(|error| {
        Failure::usage(
            format!("`{}` cannot be read: {error}", path.display()),
            "name a job or a portable journal file",
        )
    })?;
    let reader = PortableReader::open(file).map_err(|error| source::fault(path, error))?;
    let is_whole = reader.header().first == Seq(1) && !reader.header().redacted;
    let (mut check, _) = Check::new(None);
    for read in reader {
        match read {
            Ok(stored) => {
                findings.checked += 1;
                if is_whole && let Err(detail) = check.fold(&stored.record) {
                    findings.damage(detail);
                }
            }
            Err(error) => findings.damage(error.to_string()),
        }
    }
    Ok(())
}

/// Checks the evidence and every record of the store, whatever is damaged before it.
fn store(reading: &Reading, findings: &mut Findings) {
    if let Health::Shortened { expected, found } = reading.health() {
        findings.damage(format!(
            "the last event is {found}, expected {expected}: events are missing at the end"
        ));
    }
    for found in reading.survey() {
        match found {
            Found::Whole(_) => findings.checked += 1,
            Found::Damaged { seq, detail, .. } => findings.damage(format!("event {seq}: {detail}")),
            Found::Missing { from, to } if from == to => {
                findings.damage(format!("event {from} is missing"));
            }
            Found::Missing { from, to } => {
                findings.damage(format!("events {from} to {to} are missing"));
            }
        }
    }
}

/// Checks the archives, the running hash and the digests, in one pass over everything.
fn agrees(source: &Source, reading: &Reading, findings: &mut Findings) -> Result<(), Failure> {
    if !findings.damages.is_empty() {
        return Ok(());
    }
    let cached = reading.checkpoint();
    let cached = cached.map(|cached| (cached.seq, &cached.bytes[..]));
    let (mut check, told) = Check::new(cached);
    if let Err(why) = told {
        findings
            .remarks
            .push(format!("{why}; it is a cache, the next start replays"));
    }
    let from_first = reading.first() == Seq(1);
    if !from_first {
        findings.remarks.push(format!(
            "events before {} are gone, as their archives were dropped: digests are not compared",
            reading.first()
        ));
    }
    let (witnessed, expected) = reading.witnessed();
    let mut chain = reading.before();
    findings.checked = 0;
    for read in source.entries(Seq(1))? {
        let stored = match read {
            Ok(stored) => stored,
            Err(error) => {
                findings.damage(error.to_string());
                return Ok(());
            }
        };
        findings.checked += 1;
        let seq = stored.record.seq;
        chain = chain.map(|chain| Reading::chained(&chain, &stored.bytes));
        if seq == witnessed && chain.is_some_and(|chain| chain != expected) {
            findings.damage(format!(
                "the running hash at event {seq} is {}, expected {} as witnessed",
                source::hex(&chain.unwrap_or_default()),
                source::hex(&expected)
            ));
        }
        if from_first && let Err(detail) = check.fold(&stored.record) {
            findings.damage(detail);
        }
    }
    if check.is_compared() {
        findings
            .remarks
            .push("the checkpoint is what a replay gives".to_owned());
    }
    Ok(())
}

const LINES_MAX: usize = 50;
const DAMAGES_MAX: usize = 100_000;
