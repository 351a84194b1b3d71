//! Reading a journal without writing to it, whether its job runs or not.
//!
//! In: a job's directory. Out: its records from any number on, those of its archives
//! first. Invariants: nothing is appended, recovered or begun in the job's directory; a
//! job that runs is not disturbed, and one that does not can start (a copy is read, which
//! shares the tables); memory does not grow with the journal. Watched by
//! `tests/it/journal/source`. Deliberately absent: reading on behind damage. CRASH:
//! leaves a copy, which the next one removes.

use super::archive::Archive;
use super::copy::Copied;
use super::engine::{Engine, Values};
use super::lock::LockFile;
use super::open::{Evidence, look_into};
use super::read::{self, Unread};
use super::shelf::{Records, Shelf};
use super::witness::{Chain, JournalId};
use super::{Health, Layout, OpenError, checkpoint};
use crate::journal::{PortableReader, ReadError, Stored};
use crate::ports::{Checkpoint, History, PortError, Task};
use futures::future::ready;
use journal_format::event::Record;
use journal_format::value::Seq;
use std::fs::File;
use std::path::Path;
use std::sync::Arc;

/// Acknowledged events that are missing at a journal's end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Missing {
    /// The head that was acknowledged.
    pub expected: Seq,
    /// The head that is there.
    pub found: Seq,
    /// Whether a person knows: the journal was salvaged or imported, or a lost one was
    /// given up for it.
    pub is_known: bool,
}

/// A journal that is read.
pub struct Reading {
    records: Records,
    id: JournalId,
    health: Health,
    loss_untold: bool,
    is_witnessed: bool,
    /// The store's first record.
    kept: Seq,
    head: Seq,
    shelf: Arc<Shelf>,
    /// The evidence's head, and the running hash there.
    witnessed: (Seq, Chain),
    checkpoint: Option<Checkpoint>,
    is_at_rest: bool,
    // Removed after the engine was closed.
    _copied: Copied,
}

impl Reading {
    /// Opens a job's journal to be read.
    ///
    /// Blocking; costs links to the store's tables and a copy of its other files. Nobody
    /// is kept from the job meanwhile, nor while the journal is read.
    ///
    /// # Errors
    /// See [`OpenError`]; `Locked` only when the store changes faster than it can be
    /// copied.
    pub fn open(dir: &Path) -> Result<Self, OpenError> {
        let layout = Layout::new(dir);
        if let Err(error) = layout.root.metadata() {
            return Err(OpenError::io(&error, &layout.root));
        }
        let copied = Copied::make(&layout)?;
        let mut evidence = Evidence::gather(&copied.layout)?;
        // A process that has appended nothing yet leaves the evidence as it was.
        let is_at_rest = evidence.clean && LockFile::look(&layout.lock).is_ok();
        evidence.is_copy = true;
        let recovered =
            look_into(&copied.layout, &evidence).map_err(|error| copied.meant(&layout, error))?;
        let ends = recovered
            .records
            .engine
            .ends()
            .map_err(|why| OpenError::damaged(why, &layout.journal))?;
        Ok(Self {
            id: recovered.witness.id,
            health: recovered.health,
            loss_untold: recovered.loss_untold,
            is_witnessed: evidence.is_witnessed(),
            kept: ends.map_or(Seq(1), |(first, _)| first),
            head: recovered.head,
            shelf: recovered.records.shelf(),
            records: recovered.records,
            witnessed: (recovered.witness.head, recovered.witness.chain),
            checkpoint: checkpoint::load(&layout.checkpoint, Some(&recovered.witness.id)),
            is_at_rest,
            _copied: copied,
        })
    }

    /// As [`Self::open`], unless a process has the job.
    ///
    /// A process that takes it later is not disturbed.
    ///
    /// # Errors
    /// See [`OpenError`]; `Locked` also names the process that has the job.
    pub fn open_at_rest(dir: &Path) -> Result<Self, OpenError> {
        LockFile::look(&Layout::new(dir).lock)?;
        Self::open(dir)
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

    /// Returns what is missing at the end, until a run has told the journal.
    #[must_use]
    pub const fn missing(&self) -> Option<Missing> {
        match self.health {
            Health::Shortened { expected, found } => Some(Missing {
                expected,
                found,
                is_known: !self.loss_untold,
            }),
            Health::Clean | Health::Created | Health::UncleanStop { .. } => None,
        }
    }

    /// Tells whether the evidence beside the store is there, without which a loss at the
    /// end may go unnoticed.
    #[must_use]
    pub const fn is_witnessed(&self) -> bool {
        self.is_witnessed
    }

    /// Returns the last record's number; 0 for an empty journal.
    #[must_use]
    pub const fn head(&self) -> Seq {
        self.head
    }

    /// Returns the number of the first record that is still there.
    #[must_use]
    pub fn first(&self) -> Seq {
        self.shelf.first
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
        self.shelf.before().ok()
    }

    /// Returns the state before [`Self::first`], where history does not begin with 1.
    #[must_use]
    pub fn base(&self) -> Option<Checkpoint> {
        self.shelf.base()
    }

    /// Returns the cached state, if there is one that is whole.
    #[must_use]
    pub const fn checkpoint(&self) -> Option<&Checkpoint> {
        self.checkpoint.as_ref()
    }

    /// Returns the files with older records.
    #[must_use]
    pub fn archives(&self) -> &[Archive] {
        &self.shelf.archives
    }

    /// Tells whether the last process closed the journal, and none has it open for
    /// writing.
    #[must_use]
    pub const fn is_at_rest(&self) -> bool {
        self.is_at_rest
    }

    /// Returns all records from a number on, up to the head of the moment of opening,
    /// beginning with the first one that is still there. They may be read in another
    /// thread, which must have ended when this is dropped.
    #[must_use]
    pub fn entries(&self, from: Seq) -> Entries {
        Entries {
            engine: self.records.engine.clone(),
            shelf: Arc::clone(&self.shelf),
            kept: self.kept,
            head: self.head,
            next: from.max(self.first()),
            archive: None,
            values: None,
            is_broken: false,
        }
    }

    /// Returns all records that are wanted by their bytes. The others are not decoded, nor
    /// is it looked at whether they are whole.
    ///
    /// # Errors
    /// A record is missing or cannot be read, or a wanted one is damaged.
    pub fn sift(&self, mut wanted: impl FnMut(&[u8]) -> bool) -> Result<Vec<Record>, ReadError> {
        let mut found = Vec::new();
        let mut at = self.first();
        let read = self.records.each(at, self.head, |seq, bytes| {
            at = seq;
            if wanted(bytes) {
                found.push(read::decode(seq, bytes)?);
            }
            Ok::<(), Unread>(())
        });
        match read {
            Ok(()) => Ok(found),
            Err(unread) => Err(unread.behind(at)),
        }
    }

    /// Returns one record, if it is still there.
    ///
    /// # Errors
    /// It cannot be read, or is damaged.
    pub fn record(&self, seq: Seq) -> Result<Option<Record>, ReadError> {
        if seq < self.first() {
            return Ok(None);
        }
        let first = self.entries(seq).next().transpose()?;
        Ok(first.map(|stored| stored.record))
    }
}

/// Reading is done within the call: the thread that asks waits for the disk.
impl History for Reading {
    fn head(&self) -> Seq {
        self.head
    }

    fn first(&self) -> Seq {
        self.shelf.first
    }

    fn read(&self, from: Seq, limit: usize) -> Task<'_, Vec<Record>> {
        let page = read::page(&self.records, self.head, from, limit);
        Box::pin(ready(page.map_err(PortError::from)))
    }

    fn checkpoint(&self) -> Task<'_, Option<Checkpoint>> {
        let newest = self.checkpoint.clone();
        let newest = newest.filter(|found| found.seq <= self.head);
        let older = || self.shelf.newest_state(self.head);
        Box::pin(ready(Ok(newest.or_else(older))))
    }
}

#[cfg(test)]
impl Reading {
    /// What is read, to be spoilt.
    pub(super) const fn engine(&self) -> &Engine {
        &self.records.engine
    }
}

impl std::fmt::Debug for Reading {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Reading").finish_non_exhaustive()
    }
}

/// Records in order; ends after the head or a first error.
pub struct Entries {
    engine: Engine,
    shelf: Arc<Shelf>,
    kept: Seq,
    head: Seq,
    next: Seq,
    /// The open archive and the last number that its name promises.
    archive: Option<(PortableReader<File>, Seq)>,
    values: Option<Values>,
    is_broken: bool,
}

impl Entries {
    fn read(&mut self) -> Result<Stored, ReadError> {
        if self.next < self.kept {
            return self.read_archived();
        }
        let expected = self.next;
        let damaged = |detail: String| ReadError::Store {
            seq: expected,
            detail,
            is_newer: false,
        };
        let values = self
            .values
            .get_or_insert_with(|| self.engine.iter(expected));
        let (seq, bytes) = match values.next() {
            Some(found) => found.map_err(|why| damaged(format!("cannot be read: {why}")))?,
            None => return Err(damaged("missing at the end".to_owned())),
        };
        if seq != expected {
            return Err(damaged(format!("missing, the next one is {seq}")));
        }
        let record = read::decode(expected, &bytes);
        let record = record.map_err(|unread| unread.behind(expected))?;
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
                let found = self.shelf.archives.iter().find(holds);
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

impl Iterator for Entries {
    type Item = Result<Stored, ReadError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.is_broken || self.next > self.head {
            return None;
        }
        let read = self.read();
        self.is_broken = read.is_err();
        self.next = self.next.next();
        Some(read)
    }
}
