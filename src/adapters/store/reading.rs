//! Reading a journal without writing to it, whether its job runs or not.
//!
//! In: a job's directory. Out: its records from any number on, those of its archives
//! first. Invariants: nothing is appended, recovered or begun in the job's directory; a
//! job that runs is not disturbed (a copy is read instead, and so it is where the last
//! process did not close the journal); memory does not grow with the journal. Watched by
//! `tests/it/journal_source`. Deliberately absent: reading on behind damage. CRASH:
//! leaves a copy, which the next one removes.

use super::archive::{self, Archive};
use super::copy::Copied;
use super::engine::{self, Engine, Values};
use super::lock::LockFile;
use super::open::{Evidence, look_into};
use super::survey::Survey;
use super::witness::{Chain, JournalId, chained};
use super::{Health, Layout, OpenError, checkpoint};
use crate::journal::{PortableReader, ReadError, Stored};
use crate::ports::Checkpoint;
use journal_format::decode_record;
use journal_format::value::Seq;
use std::fs::File;
use std::path::Path;

/// A journal that is read.
pub struct Reading {
    engine: Engine,
    id: JournalId,
    health: Health,
    /// The store's first record.
    kept: Seq,
    head: Seq,
    archives: Vec<Archive>,
    /// The evidence's head, and the running hash there.
    witnessed: (Seq, Chain),
    checkpoint: Option<Checkpoint>,
    // Released in this order, after the engine.
    _lock: Option<LockFile>,
    copied: Option<Copied>,
}

impl Reading {
    /// Opens a job's journal to be read.
    ///
    /// Blocking; a job that runs, or whose last process did not close its journal, costs
    /// a copy of the store.
    ///
    /// # Errors
    /// See [`OpenError`]; `Locked` only when the store changes faster than it can be
    /// copied.
    pub fn open(dir: &Path) -> Result<Self, OpenError> {
        let layout = Layout::new(dir);
        if let Err(error) = layout.root.metadata() {
            return Err(OpenError::io(&error, &layout.root));
        }
        match LockFile::acquire(&layout.lock) {
            Ok(lock) => {
                let evidence = Evidence::gather(&layout)?;
                if evidence.clean && !engine::needs_replay(&layout.journal) {
                    return Self::of(&layout, &layout, &evidence, Some(lock), None);
                }
                // Nobody writes while this process has the lock.
                Self::copied(&layout, Some(lock))
            }
            Err(OpenError::Locked { .. }) => Self::copied(&layout, None),
            Err(error) => Err(error),
        }
    }

    fn copied(layout: &Layout, lock: Option<LockFile>) -> Result<Self, OpenError> {
        let copied = Copied::make(layout)?;
        let mut evidence = Evidence::gather(&copied.layout)?;
        evidence.is_copy = true;
        let there = copied.layout.clone();
        Self::of(layout, &there, &evidence, lock, Some(copied))
    }

    fn of(
        original: &Layout,
        layout: &Layout,
        evidence: &Evidence,
        lock: Option<LockFile>,
        copied: Option<Copied>,
    ) -> Result<Self, OpenError> {
        let recovered = look_into(layout, evidence)?;
        let ends = recovered
            .engine
            .ends()
            .map_err(|why| OpenError::damaged(why, &original.journal))?;
        // After the store: what moved to an archive meanwhile is in both.
        let archives = archive::list(&original.archive)
            .map_err(|error| OpenError::io(&error, &original.archive))?;
        Ok(Self {
            id: recovered.witness.id,
            health: recovered.health,
            kept: ends.map_or(Seq(1), |(first, _)| first),
            head: recovered.head,
            engine: recovered.engine,
            archives,
            witnessed: (recovered.witness.head, recovered.witness.chain),
            checkpoint: checkpoint::load(&layout.checkpoint, Some(&recovered.witness.id)),
            _lock: lock,
            copied,
        })
    }

    /// Returns the journal's identity.
    #[must_use]
    pub const fn id(&self) -> JournalId {
        self.id
    }

    /// Returns what opening found out about the last process.
    #[must_use]
    pub const fn health(&self) -> &Health {
        &self.health
    }

    /// Returns the last record's number; 0 for an empty journal.
    #[must_use]
    pub const fn head(&self) -> Seq {
        self.head
    }

    /// Returns the number of the first record that is still there.
    #[must_use]
    pub fn first(&self) -> Seq {
        // From the store back, as far as the archives reach without a gap.
        self.archives
            .iter()
            .rev()
            .fold(self.kept, |first, archive| {
                if archive.first < first && archive.last.next() >= first {
                    archive.first
                } else {
                    first
                }
            })
    }

    /// Returns the first record that the store itself holds.
    #[must_use]
    pub const fn kept(&self) -> Seq {
        self.kept
    }

    /// Returns the head that the evidence beside the store remembers, and the running
    /// hash there.
    #[must_use]
    pub const fn witnessed(&self) -> (Seq, [u8; 32]) {
        self.witnessed
    }

    /// Returns the running hash before [`Self::first`], where it is known.
    #[must_use]
    pub fn before(&self) -> Option<[u8; 32]> {
        let first = self.first();
        if first == Seq(1) {
            return Some([0; 32]);
        }
        let archive = self
            .archives
            .iter()
            .find(|archive| archive.first == first)?;
        let reader = PortableReader::open(File::open(&archive.path).ok()?).ok()?;
        reader.header().before
    }

    /// Returns the running hash after one more record.
    #[must_use]
    pub fn chained(before: &[u8; 32], record: &[u8]) -> [u8; 32] {
        chained(before, record)
    }

    /// Returns the cached state, if there is one that is whole.
    #[must_use]
    pub const fn checkpoint(&self) -> Option<&Checkpoint> {
        self.checkpoint.as_ref()
    }

    /// Goes through the store itself, whatever is damaged in it.
    #[must_use]
    pub fn survey(&self) -> Survey {
        Survey::new(self.engine.clone(), self.kept, self.head)
    }

    /// Returns the files with older records.
    #[must_use]
    pub fn archives(&self) -> &[Archive] {
        &self.archives
    }

    /// Tells whether a copy is read, because the journal is or was in use.
    #[must_use]
    pub const fn is_copy(&self) -> bool {
        self.copied.is_some()
    }

    /// Returns all records from a number on, up to the head of the moment of opening,
    /// beginning with the first one that is still there.
    #[must_use]
    pub fn entries(&self, from: Seq) -> Entries<'_> {
        Entries {
            reading: self,
            next: from.max(self.first()),
            archive: None,
            values: None,
            is_broken: false,
        }
    }
}

impl std::fmt::Debug for Reading {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Reading").finish_non_exhaustive()
    }
}

/// Records in order; ends after the head or a first error.
pub struct Entries<'a> {
    reading: &'a Reading,
    next: Seq,
    /// The open archive and the last number that its name promises.
    archive: Option<(PortableReader<File>, Seq)>,
    values: Option<Values>,
    is_broken: bool,
}

impl Entries<'_> {
    fn read(&mut self) -> Result<Stored, ReadError> {
        if self.next < self.reading.kept {
            return self.read_archived();
        }
        let expected = self.next;
        let damaged = |detail: String, is_newer| ReadError::Store {
            seq: expected,
            detail,
            is_newer,
        };
        let values = self
            .values
            .get_or_insert_with(|| self.reading.engine.iter(expected));
        let (seq, bytes) = match values.next() {
            Some(found) => found.map_err(|why| damaged(format!("cannot be read: {why}"), false))?,
            None => return Err(damaged("missing at the end".to_owned(), false)),
        };
        if seq != expected {
            return Err(damaged(format!("missing, the next one is {seq}"), false));
        }
        let record = decode_record(&bytes)
            .map_err(|error| damaged(error.to_string(), error.is_from_newer_release()))?;
        if record.seq != expected {
            let detail = format!("says that it is {}", record.seq);
            return Err(damaged(detail, false));
        }
        let bytes = bytes.to_vec();
        Ok(Stored { record, bytes })
    }

    fn read_archived(&mut self) -> Result<Stored, ReadError> {
        let expected = self.next;
        let missing = || ReadError::Store {
            seq: expected,
            detail: "missing from the archives".to_owned(),
            is_newer: false,
        };
        loop {
            if self.archive.is_none() {
                let holds =
                    |archive: &&Archive| archive.first <= expected && expected <= archive.last;
                let found = self.reading.archives.iter().find(holds);
                let found = found.ok_or_else(missing)?;
                let reader = PortableReader::open(File::open(&found.path)?)?;
                self.archive = Some((reader, found.last));
            }
            let (reader, last) = self.archive.as_mut().ok_or_else(missing)?;
            match reader.next().transpose()? {
                Some(stored) if stored.record.seq < expected => {}
                Some(stored) if stored.record.seq == expected => return Ok(stored),
                Some(_) => return Err(missing()),
                None if *last < expected => self.archive = None,
                // It holds less than its name says.
                None => return Err(missing()),
            }
        }
    }
}

impl Iterator for Entries<'_> {
    type Item = Result<Stored, ReadError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.is_broken || self.next > self.reading.head {
            return None;
        }
        let read = self.read();
        self.is_broken = read.is_err();
        self.next = self.next.next();
        Some(read)
    }
}
