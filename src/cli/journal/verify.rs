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
use crate::cli::text::{count, plain};
use crate::journal::text::hex;
use crate::journal::{Check, PortableReader, ReadError};
use journal_format::event::{Event, SessionEvent};
use journal_format::value::Seq;
use serde_json::json;
use std::path::Path;

/// What was found so far.
#[derive(Default)]
pub(super) struct Findings {
    damages: Vec<String>,
    /// What a person may want to know and is no damage.
    remarks: Vec<String>,
    checked: u64,
    /// Whether a salvage would mend something.
    is_mendable: bool,
    /// The newer release that wrote what this one cannot read.
    newer: Option<String>,
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
        Meant::Job(known) => {
            let source = source::of_job(known)?;
            findings = examine(&source)?;
        }
    }
    Ok(findings.tell(args))
}

/// Checks everything of a job's journal.
///
/// # Errors
/// It cannot be read at all.
pub(super) fn examine(source: &Source) -> Result<Findings, Failure> {
    let mut findings = Findings::default();
    let Some(reading) = source.reading() else {
        return Ok(findings);
    };
    let is_short = matches!(reading.health(), Health::Shortened { .. });
    if is_short || !agrees(source, reading, &mut findings)? {
        let unread = std::mem::take(&mut findings);
        store(reading, &mut findings);
        // What cannot be read may be in the archives, which are not surveyed.
        if findings.damages.is_empty() {
            findings = unread;
        }
    }
    Ok(findings)
}

impl Findings {
    /// Tells whether a salvage would mend something: this is all it goes by.
    pub(super) const fn is_mendable(&self) -> bool {
        self.is_mendable
    }

    /// Tells whether a newer release wrote what this one cannot read.
    pub(super) const fn is_newer(&self) -> bool {
        self.newer.is_some()
    }

    fn tell(&self, args: &Args) -> Exit {
        let is_whole = self.damages.is_empty();
        if args.common.json {
            for damage in &self.damages {
                print::data(&json!({"type": "damage", "detail": damage}));
            }
            print::data(&json!({
                "type": "verified", "events": self.checked, "whole": is_whole,
                "damages": self.damages.len(), "remarks": self.remarks, "newer": self.newer,
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
            match &self.newer {
                _ if is_whole => print::line(&format!("whole: {events} checked")),
                Some(release) => print::words(&format!(
                    "{events} are whole; release {} wrote the rest: upgrade this one",
                    plain(release)
                )),
                None if self.is_mendable => print::words(&format!(
                    "{events} are whole; `pydio-sync journal salvage` keeps what can be kept"
                )),
                None => print::words(&format!("{events} are whole")),
            }
        }
        if is_whole {
            Exit::InSync
        } else {
            Exit::JournalDamaged
        }
    }

    /// What a salvage leaves out, or begins anew from.
    fn mendable(&mut self, detail: String) {
        self.is_mendable = true;
        self.damage(detail);
    }

    /// Where reading ended. `writer` is the release that may have written what follows.
    fn unread(&mut self, error: &ReadError, writer: &str) {
        if error.is_from_newer_release() {
            self.newer.get_or_insert_with(|| writer.to_owned());
        } else {
            self.is_mendable = true;
        }
        self.damage(error.to_string());
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
    let writer = reader.header().release.clone();
    let (mut check, _) = Check::new(None);
    if !is_whole {
        let why = "the file does not begin with event 1, or is redacted: digests are not compared";
        findings.remarks.push(why.to_owned());
    }
    for read in reader {
        match read {
            Ok(stored) => {
                findings.checked += 1;
                if is_whole && let Err(detail) = check.fold(&stored.record) {
                    findings.damage(detail);
                }
            }
            Err(error) => {
                findings.unread(&error, &writer);
                // Only a job's journal is mended.
                findings.is_mendable = false;
            }
        }
    }
    Ok(())
}

/// Checks the evidence and every record of the store, whatever is damaged before it.
fn store(reading: &Reading, findings: &mut Findings) {
    if let Health::Shortened { expected, found } = reading.health() {
        findings.mendable(format!(
            "the last event is {found}, expected {expected}: events are missing at the end"
        ));
    }
    let mut release = None;
    for found in reading.survey() {
        match found {
            Found::Whole(stored) => {
                findings.checked += 1;
                if let Event::Session(SessionEvent::SessionStarted { release: it, .. }) =
                    &stored.record.event
                {
                    release = Some(it.clone());
                }
            }
            Found::Damaged {
                seq,
                detail,
                is_newer: true,
            } => {
                let writer = release.clone().unwrap_or_else(|| "a newer one".to_owned());
                findings.newer.get_or_insert(writer);
                findings.damage(format!("event {seq}: {detail}"));
            }
            Found::Damaged { seq, detail, .. } => {
                findings.mendable(format!("event {seq}: {detail}"));
            }
            Found::Missing { from, to } if from == to => {
                findings.mendable(format!("event {from} is missing"));
            }
            Found::Missing { from, to } => {
                findings.mendable(format!("events {from} to {to} are missing"));
            }
        }
    }
}

/// Checks every record, the running hash and the digests, in one pass over everything.
/// Tells whether all of them could be read.
fn agrees(source: &Source, reading: &Reading, findings: &mut Findings) -> Result<bool, Failure> {
    let cached = reading.checkpoint();
    let cached = cached.map(|cached| (cached.seq, &cached.bytes[..]));
    let base = reading.base();
    let base = base.as_ref().map(|base| (base.seq, &base.bytes[..]));
    let from_first = reading.first() == Seq(1);
    let (mut check, told) = match base {
        Some(base) => Check::behind(base, cached),
        None => Check::new(cached),
    };
    if let Err(why) = told {
        findings
            .remarks
            .push(format!("{why}; it is a cache, the next start replays"));
    }
    if !from_first {
        findings.remarks.push(format!(
            "events before {} are not kept any more: the rest follows the state behind them",
            reading.first()
        ));
        if !check.is_founded() {
            let why = "the state before the first event cannot be used by this release";
            findings.mendable(why.to_owned());
        }
    }
    let (witnessed, expected) = reading.witnessed();
    let mut chain = reading.before();
    for read in source.entries_ahead(Seq(1))? {
        let stored = match read {
            Ok(stored) => stored,
            Err(error) => {
                findings.unread(&error, "a newer one");
                return Ok(false);
            }
        };
        findings.checked += 1;
        let seq = stored.record.seq;
        chain = chain.map(|chain| Reading::chained(&chain, &stored.bytes));
        if seq == witnessed && chain.is_some_and(|chain| chain != expected) {
            findings.mendable(format!(
                "the running hash at event {seq} is {}, expected {} as witnessed",
                hex(&chain.unwrap_or_default()),
                hex(&expected)
            ));
        }
        if check.is_founded()
            && let Err(detail) = check.fold(&stored.record)
        {
            findings.damage(detail);
        }
    }
    if check.is_compared() {
        findings
            .remarks
            .push("the checkpoint is what a replay gives".to_owned());
    }
    Ok(true)
}

const LINES_MAX: usize = 50;
const DAMAGES_MAX: usize = 100_000;
