//! Any journal, whatever holds it: a job that runs, one that does not, a file, a text.
//!
//! In: a job's name or a file's path. Out: who it is, and its records in order.
//! Invariants: nothing is appended and nobody is disturbed; records come one by one,
//! archives first, in memory that does not grow; they end with the head or an error.
//! Watched by `tests/it/journal/source`. Deliberately absent: what records mean. A crash
//! leaves at most a copy of a running job's store, which the next reader removes.

use super::ahead::Ahead;
use super::input::{Input, opened};
use super::words::{SALVAGED, fault, missing_words};
use crate::adapters::store::{Missing, Reading};
use crate::cli::exit::{Exit, Failure, upgrade};
use crate::cli::known::{self, Known};
use crate::cli::print;
use crate::journal::explain::{Pass, gather};
use crate::journal::text::{hex, plain};
use crate::journal::{PortableReader, ReadError, Stored};
use journal_format::event::{Event, Record, SessionEvent};
use journal_format::portable::{Fault, PortableError, TRAILER_BYTES, peek_trailer};
use journal_format::value::{RelPath, Seq};
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use sync_core::checkpoint;
use sync_core::engine::Engine;
use sync_core::state::State;

/// An open journal.
pub(in crate::cli) struct Source {
    facts: Facts,
    id: [u8; 16],
    holder: Holder,
}

/// Who a journal is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::cli) struct Facts {
    /// The journal's id, in hex.
    pub(in crate::cli) journal: String,
    /// The job's id.
    pub(in crate::cli) job: String,
    /// The job's label.
    pub(in crate::cli) label: String,
    /// The first record that is there.
    pub(in crate::cli) first: Seq,
    /// The last one; the one before the first for an empty journal.
    pub(in crate::cli) head: Seq,
    /// Whether names were replaced.
    pub(in crate::cli) redacted: bool,
    /// What holds it.
    pub(in crate::cli) origin: Origin,
    /// Where it is.
    pub(in crate::cli) place: PathBuf,
}

/// What holds a journal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::cli) enum Origin {
    /// The store of a job that no process has.
    Store,
    /// The store of a job that a process has, or that the last one did not close.
    Copy,
    /// A portable file.
    File,
}

enum Holder {
    /// With the local folder, where it is known.
    Store(Box<Reading>, Option<PathBuf>),
    File(PathBuf),
}

/// Records with their bytes, in order.
pub(in crate::cli) type Entries = dyn Iterator<Item = Result<Stored, ReadError>> + Send;

/// Opens a journal: of the job with this id or label, or the file at this path. Without
/// a name it is that of the only job.
///
/// # Errors
/// Nothing fits (exit code 2), or it is damaged (exit code 7).
pub(in crate::cli) fn open(name: Option<&str>, state_dir: &Path) -> Result<Source, Failure> {
    match named(name, state_dir)? {
        Meant::Job(known) => {
            let source = of_job(&known)?;
            source.tell_missing();
            Ok(source)
        }
        Meant::File(path) => of_file(&path),
    }
}

/// What a name stands for.
pub(in crate::cli) enum Meant {
    Job(Known),
    File(PathBuf),
}

/// Finds what a name stands for; a job's whole name goes before a file's.
///
/// # Errors
/// Nothing fits, or several jobs do.
pub(in crate::cli) fn named(name: Option<&str>, state_dir: &Path) -> Result<Meant, Failure> {
    let mut known = known::all(state_dir)?;
    if let Some(name) = name {
        let is_job = known.iter().any(|job| job.id == name || job.label == name);
        let path = Path::new(name);
        if !is_job && (path.exists() || name.contains('/') || name.ends_with(SUFFIX)) {
            return Ok(Meant::File(path.to_owned()));
        }
    }
    let names: Vec<_> = known.iter().map(|job| (&*job.id, &*job.label)).collect();
    let place = known::pick(state_dir, &names, name)?;
    Ok(Meant::Job(known.swap_remove(place)))
}

pub(in crate::cli) fn of_job(known: &Known) -> Result<Source, Failure> {
    Ok(of_reading(known, Reading::open(&known.place)?))
}

/// As [`of_job`], of a journal that is open.
pub(in crate::cli) fn of_reading(known: &Known, reading: Reading) -> Source {
    let facts = Facts {
        journal: hex(&reading.id()),
        job: known.id.clone(),
        label: known.label.clone(),
        first: reading.first(),
        head: reading.head(),
        redacted: false,
        origin: if reading.is_at_rest() {
            Origin::Store
        } else {
            Origin::Copy
        },
        place: known.place.clone(),
    };
    Source {
        facts,
        id: reading.id(),
        holder: Holder::Store(Box::new(reading), known.folder().map(Path::to_owned)),
    }
}

pub(in crate::cli) fn of_file(path: &Path) -> Result<Source, Failure> {
    let fault = |error| fault(path, error);
    let mut file = opened(path)?;
    let reader = PortableReader::open(&mut file).map_err(fault)?;
    let header = reader.header().clone();
    let end = end_of(&mut file, header.first).map_err(fault)?;
    let facts = Facts {
        journal: hex(&header.journal),
        job: header.job,
        label: header.label,
        first: header.first,
        head: end,
        redacted: header.redacted,
        origin: Origin::File,
        place: path.to_owned(),
    };
    Ok(Source {
        facts,
        id: header.journal,
        holder: Holder::File(path.to_owned()),
    })
}

/// Reads the state before a portable file's first record, if it has one.
fn state_of(path: &Path) -> Result<Option<Vec<u8>>, Failure> {
    let reader = PortableReader::open(opened(path)?);
    let state = reader.and_then(|mut reader| reader.state());
    state.map_err(|error| fault(path, error))
}

/// Looks at the trailer of a file that is not read yet.
fn end_of(file: &mut Input, first: Seq) -> Result<Seq, ReadError> {
    let length = file.seek(SeekFrom::End(0))?;
    let mut bytes = [0; TRAILER_BYTES];
    let start = length.checked_sub(TRAILER_BYTES as u64);
    let trailer = match start {
        Some(start) => {
            file.seek(SeekFrom::Start(start))?;
            file.read_exact(&mut bytes)?;
            peek_trailer(&bytes)
        }
        None => None,
    };
    let trailer = trailer.filter(|end| end.last.next() >= first);
    match trailer {
        Some(end) => Ok(end.last),
        None => Err(ending(file, length, first)?),
    }
}

/// Reads a file that has no trailer up to where it ends.
fn ending(file: &mut Input, length: u64, first: Seq) -> Result<ReadError, ReadError> {
    file.rewind()?;
    let told = PortableReader::open(file)?.find_map(Result::err);
    Ok(told.unwrap_or(ReadError::Portable(PortableError {
        offset: length,
        fault: Fault::Ended { next: first },
    })))
}

impl Source {
    /// Returns who the journal is.
    pub(in crate::cli) const fn facts(&self) -> &Facts {
        &self.facts
    }

    /// Returns the store that is read, if it is one.
    pub(in crate::cli) fn reading(&self) -> Option<&Reading> {
        match &self.holder {
            Holder::Store(reading, _) => Some(reading),
            Holder::File(_) => None,
        }
    }

    /// Returns what is missing at the journal's end.
    pub(in crate::cli) fn missing(&self) -> Option<Missing> {
        self.reading().and_then(Reading::missing)
    }

    /// Says what is missing, for whoever goes on with the rest.
    pub(in crate::cli) fn tell_missing(&self) {
        let told = match self.missing() {
            None => return,
            Some(missing) if missing.is_known => SALVAGED.to_owned(),
            Some(missing) => missing_words(&missing),
        };
        print::words(&format!("pydio-sync: {}: {told}", plain(&self.facts.job)));
    }

    /// What a command amounts to that told what is there.
    pub(in crate::cli) fn exit(&self) -> Exit {
        match self.missing() {
            Some(missing) if !missing.is_known => Exit::JournalDamaged,
            _ => Exit::InSync,
        }
    }

    /// Returns the job's local folder, where it is known.
    pub(in crate::cli) fn local(&self) -> Option<&Path> {
        match &self.holder {
            Holder::Store(_, local) => local.as_deref(),
            Holder::File(_) => None,
        }
    }

    /// Returns the journal's id.
    pub(in crate::cli) const fn journal_id(&self) -> [u8; 16] {
        self.id
    }

    /// Returns the engine with which to fold [`Self::records`] up to an event: an empty
    /// one, or the state behind what is not kept any more.
    ///
    /// # Errors
    /// That state cannot be used, or is younger than the event.
    pub(in crate::cli) fn engine(&self, until: Seq) -> Result<Engine, Failure> {
        let first = self.facts.first;
        let Some(state) = self.base()? else {
            self.needs_its_start()?;
            return Ok(Engine::new());
        };
        if until.next() < first {
            let message = format!("events before {first} are not kept any more");
            return Err(Failure::usage(message, "name a later event"));
        }
        Ok(Engine::restore(state))
    }

    /// Returns the state behind what is not kept any more, if it is known.
    ///
    /// # Errors
    /// It cannot be used.
    pub(in crate::cli) fn base(&self) -> Result<Option<State>, Failure> {
        let decoded = match &self.holder {
            Holder::Store(reading, _) => reading.base().map(|base| checkpoint::decode(&base.bytes)),
            Holder::File(path) => {
                let bytes = state_of(path)?;
                bytes.map(|bytes| checkpoint::decode_foreign(&bytes))
            }
        };
        let first = self.facts.first;
        let Some(decoded) = decoded else {
            return Ok(None);
        };
        let state = decoded.ok().filter(|state| state.seq.next() == first);
        let refused = || {
            let message = format!("the state before event {first} cannot be used");
            Failure::new(Exit::JournalDamaged, message)
                .hint("look at it with the release that wrote it")
        };
        state.map(Some).ok_or_else(refused)
    }

    /// Refuses what cannot be told of a journal without its first events.
    ///
    /// # Errors
    /// They are not there.
    pub(in crate::cli) fn needs_its_start(&self) -> Result<(), Failure> {
        let first = self.facts.first;
        if first <= Seq(1) {
            return Ok(());
        }
        let message = format!("this journal begins at event {first}: what was before is not in it");
        Err(Failure::usage(
            message,
            match self.facts.origin {
                Origin::File => {
                    "it was written without the state before it: export it anew, by a release that \
                     adds it, or without `--from`; `journal cat` prints what is here"
                }
                Origin::Store | Origin::Copy => {
                    "`pydio-sync journal cat` prints what is still kept"
                }
            },
        ))
    }

    /// Refuses the number of an event that the journal does not have yet.
    ///
    /// # Errors
    /// It is behind the end.
    pub(in crate::cli) fn reaches(&self, seq: Seq) -> Result<(), Failure> {
        let head = self.facts.head;
        if seq <= head {
            return Ok(());
        }
        let message = format!("there is no event {seq}: this journal ends at event {head}");
        Err(Failure::usage(message, "name an earlier event"))
    }

    /// Returns all records from a number on, beginning with the first one there is. What
    /// it returns must be dropped before the source is.
    ///
    /// # Errors
    /// A file cannot be opened again.
    pub(in crate::cli) fn records(&self, from: Seq) -> Result<Ahead<Record>, Failure> {
        ahead(self.entries(from)?.map(|read| Ok(read?.record)))
    }

    /// As [`Self::records`], with the bytes, for those who do much with each.
    ///
    /// # Errors
    /// A file cannot be opened again.
    pub(in crate::cli) fn entries_ahead(&self, from: Seq) -> Result<Ahead<Stored>, Failure> {
        ahead(self.entries(from)?)
    }

    /// Returns the records that are about a path.
    ///
    /// # Errors
    /// The journal is damaged, or there are more of them than can be held.
    pub(in crate::cli) fn gathered(&self, path: &RelPath) -> Result<Vec<Record>, Failure> {
        let gathered = gather(path, |pass| self.pass(pass))?;
        gathered.ok_or_else(|| {
            let path = plain(path.as_str());
            let message = format!("`{path}` has more events than can be explained");
            let hint = "`pydio-sync journal cat JOB --path PATH` prints them all";
            Failure::new(Exit::Internal, message).hint(hint)
        })
    }

    /// Returns one event of a job's journal, if there is such a one.
    ///
    /// # Errors
    /// It is damaged.
    pub(in crate::cli) fn record(&self, seq: Seq) -> Result<Option<Record>, Failure> {
        match self.reading() {
            Some(reading) if seq <= self.facts.head => {
                reading.record(seq).map_err(|error| self.fault(error))
            }
            _ => Ok(None),
        }
    }

    fn pass(&self, pass: Pass) -> Result<Vec<Record>, Failure> {
        let mut found = Vec::new();
        match (pass, self.reading()) {
            (Pass::All(mut sieve), Some(reading)) => {
                let sifted = reading.sift(|bytes| sieve.wants(bytes));
                found = sifted.map_err(|error| self.fault(error))?;
            }
            (Pass::All(mut sieve), None) => {
                for read in self.entries(Seq(1))? {
                    let stored = read.map_err(|error| self.fault(error))?;
                    if sieve.wants(&stored.bytes) {
                        found.push(stored.record);
                    }
                }
            }
            (Pass::These(seqs), Some(reading)) => {
                for seq in seqs {
                    found.extend(reading.record(seq).map_err(|error| self.fault(error))?);
                }
            }
            (Pass::These(seqs), None) => {
                for read in self.entries(Seq(1))? {
                    let stored = read.map_err(|error| self.fault(error))?;
                    if seqs.contains(&stored.record.seq) {
                        found.push(stored.record);
                    }
                }
            }
        }
        Ok(found)
    }

    /// As [`Self::entries_ahead`], in this thread: for those who only count or copy.
    ///
    /// # Errors
    /// A file cannot be opened again.
    pub(in crate::cli) fn entries(&self, from: Seq) -> Result<Box<Entries>, Failure> {
        match &self.holder {
            Holder::Store(reading, _) => Ok(Box::new(reading.entries(from))),
            Holder::File(path) => {
                let reader = PortableReader::open(opened(path)?);
                let reader = reader.map_err(|error| fault(path, error))?;
                Ok(Box::new(reader.skip_while(move |read| {
                    read.as_ref().is_ok_and(|stored| stored.record.seq < from)
                })))
            }
        }
    }

    /// Says what went wrong while reading, with the place and the exit code.
    pub(in crate::cli) fn fault(&self, error: ReadError) -> Failure {
        let is_newer = error.is_from_newer_release();
        let failure = fault(&self.facts.place, error);
        if is_newer {
            failure.hint(upgrade(self.writer().as_deref()))
        } else {
            failure
        }
    }

    /// Which release wrote what this one cannot read: the last one that noted itself before.
    fn writer(&self) -> Option<String> {
        let mut writer = None;
        for stored in self.entries(Seq(1)).ok()?.map_while(Result::ok) {
            if let Event::Session(SessionEvent::SessionStarted { release, .. }) =
                stored.record.event
            {
                writer = Some(release);
            }
        }
        writer
    }
}

fn ahead<T: Send + 'static>(
    records: impl Iterator<Item = Result<T, ReadError>> + Send + 'static,
) -> Result<Ahead<T>, Failure> {
    Ahead::of(records).map_err(|error| Failure::new(Exit::Internal, error.to_string()))
}

/// How portable files end.
pub(in crate::cli) const SUFFIX: &str = ".pydiojournal";
