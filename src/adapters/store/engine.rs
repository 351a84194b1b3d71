//! The room that knows fjall.
//!
//! In: a directory, encoded records. Out: an ordered map from sequence number to
//! bytes. Invariants: a commit is on the disk when it returns; opening never
//! deletes what is damaged (fjall removes keyspaces it thinks unfinished, so what
//! it needs is looked for first) and never panics (it does on odd bytes).
//! Deliberately absent: the meaning of bytes. A crash leaves a torn batch at the
//! journal's end, which the next open cuts. LIMIT: fjall's settings are stored
//! when the keyspace is made; changing them here affects new journals only.

use super::read::Unread;
use super::{OpenError, files};
use fjall::config::{BlockSizePolicy, CompressionPolicy, FilterPolicy};
use fjall::{CompressionType, Database, Keyspace, KeyspaceCreateOptions, PersistMode, Slice};
use journal_format::value::Seq;
use std::os::unix::fs::MetadataExt;
use std::panic::AssertUnwindSafe;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// What is in a journal directory, seen without changing it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Look {
    /// Nothing.
    Empty,
    /// Everything that fjall needs to open what is there.
    Whole,
    /// Some of it, and what is missing.
    Partial(&'static str),
}

/// An open fjall database with the one keyspace that we use.
#[derive(Clone)]
pub(super) struct Engine {
    database: Database,
    records: Keyspace,
    directory: PathBuf,
}

/// Looks at a journal directory.
pub(super) fn look(directory: &Path) -> Result<Look, OpenError> {
    let io = |error: std::io::Error| OpenError::io(&error, directory);
    let mut entries = match std::fs::read_dir(directory) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Look::Empty),
        Err(error) => return Err(io(error)),
    };
    if entries.next().transpose().map_err(io)?.is_none() {
        return Ok(Look::Empty);
    }
    let keyspaces = directory.join("keyspaces");
    Ok(if !directory.join("version").is_file() {
        Look::Partial("the file `version` is missing")
    } else if !keyspaces.join("0").join("current").is_file() {
        Look::Partial("the file `keyspaces/0/current` is missing")
    } else if !keyspaces.join("1").join("current").is_file() {
        Look::Partial("the file `keyspaces/1/current` is missing")
    } else if journal_files(directory).map_err(io)?.is_empty() {
        Look::Partial("there is no `.jnl` file")
    } else {
        Look::Whole
    })
}

/// Lists fjall's own journal files.
pub(super) fn journal_files(directory: &Path) -> std::io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(directory)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "jnl") {
            found.push(path);
        }
    }
    Ok(found)
}

/// As [`journal_files`], in the order in which they were written.
pub(super) fn journal_files_in_order(directory: &Path) -> std::io::Result<Vec<PathBuf>> {
    let mut files = journal_files(directory)?;
    let number = |path: &PathBuf| path.file_stem()?.to_str()?.parse::<u64>().ok();
    files.sort_by_key(number);
    Ok(files)
}

/// Whether fjall's journal files hold anything.
pub(super) fn needs_replay(directory: &Path) -> bool {
    // What cannot be listed is copied, and the copy tells the error.
    journal_files(directory).map_or(true, |files| data_bytes(&files) > 0)
}

/// Leaves a working directory that somebody removed: fjall asks for its path and panics
/// without one. Nothing relative can be found from there any more.
#[expect(
    clippy::disallowed_methods,
    reason = "there is no place to move away from"
)]
fn stand_somewhere() {
    if std::env::current_dir().is_err() {
        std::env::set_current_dir("/").ok();
    }
}

impl Engine {
    /// Opens the database, or makes one where there is none.
    pub(super) fn open(directory: &Path) -> Result<Self, OpenError> {
        stand_somewhere();
        // Bytes that no checksum covers make fjall panic in places.
        let opened = std::panic::catch_unwind(AssertUnwindSafe(|| {
            let database = Database::builder(directory)
                .cache_size(CACHE_BYTES)
                .max_journaling_size(JOURNAL_BYTES_MAX)
                .worker_threads(2)
                .open()?;
            let records = database.keyspace("records", keyspace_options)?;
            Ok((database, records))
        }));
        match opened {
            Ok(Ok((database, records))) => Ok(Self {
                database,
                records,
                directory: directory.to_owned(),
            }),
            Ok(Err(error)) => Err(open_error(&error, directory)),
            Err(_) => Err(OpenError::damaged(
                "the store stopped at bytes it could not make sense of",
                directory,
            )),
        }
    }

    /// Appends a batch; durable on return. After an error nothing can be
    /// appended before the store was closed and opened again.
    pub(super) fn commit(&self, batch: &[(Seq, Slice)]) -> Result<(), fjall::Error> {
        let mut write = self
            .database
            .batch()
            .durability(Some(PersistMode::SyncData));
        for (seq, bytes) in batch {
            write.insert(&self.records, seq.0.to_be_bytes(), bytes.clone());
        }
        write.commit()
    }

    /// Returns the first and the last key, or nothing for an empty journal.
    pub(super) fn ends(&self) -> Result<Option<(Seq, Seq)>, String> {
        guarded(|| {
            let first = self.records.first_key_value().map(fjall::Guard::key);
            let last = self.records.last_key_value().map(fjall::Guard::key);
            match (first.transpose(), last.transpose()) {
                (Ok(Some(first)), Ok(Some(last))) => Ok(Some((parse(&first)?, parse(&last)?))),
                (Ok(_), Ok(_)) => Ok(None),
                (Err(error), _) | (_, Err(error)) => Err(words(&error)),
            }
        })
    }

    /// Calls `visit` with each value from `from` to `to` in order, until it says
    /// stop with an error.
    pub(super) fn each<E: From<Unread>>(
        &self,
        from: Seq,
        to: Seq,
        mut visit: impl FnMut(Seq, &[u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        if from > to {
            return Ok(());
        }
        guarded(|| {
            let mut expected = from;
            for item in self
                .records
                .range(from.0.to_be_bytes()..=to.0.to_be_bytes())
            {
                let wrong = |why: String| Unread::record(expected, why);
                let (key, value) = item
                    .into_inner()
                    .map_err(|error| wrong(format!("cannot be read: {}", words(&error))))?;
                let found = parse(&key).map_err(wrong)?;
                if found != expected {
                    let why = format!("missing, the next one is {found}");
                    return Err(wrong(why).into());
                }
                visit(expected, &value)?;
                if expected == to {
                    return Ok(());
                }
                expected = expected.next();
            }
            let why = format!("missing, the head is {to}");
            Err(Unread::record(expected, why).into())
        })
    }

    /// Returns all keys and values from `from` on, in order, as they are.
    pub(super) fn iter(&self, from: Seq) -> Values {
        Values(Some(self.records.range(from.0.to_be_bytes()..)))
    }

    /// Removes all records up to one and gives their space back. They go in order, so a
    /// death on the way leaves the others without a gap.
    pub(super) fn remove_to(&self, last: Seq) -> Result<(), String> {
        let Some((first, head)) = self.ends()?.filter(|(first, _)| *first <= last) else {
            return Ok(());
        };
        let mut next = first;
        while next <= last.min(head) {
            let end = Seq(next.0 + REMOVED_AT_ONCE).min(last.next());
            guarded(|| {
                // A lost removal costs space only: no sync.
                let mut batch = self.database.batch();
                for seq in next.0..end.0 {
                    batch.remove(&self.records, seq.to_be_bytes());
                }
                batch.commit().map_err(|error| error.to_string())
            })?;
            next = end;
        }
        if self.flush() {
            // Only this drops removed records from tables that hold others.
            guarded(|| {
                let done = self.records.major_compact();
                done.map_err(|error| error.to_string())
            })?;
        }
        Ok(())
    }

    /// Moves what is only in fjall's journal into tables, so that the next open
    /// has nothing to replay. Only saves time: errors leave all as it was.
    pub(super) fn settle(self) {
        let directory = self.directory.clone();
        let files = journal_files(&directory).unwrap_or_default();
        if data_bytes(&files) <= REPLAY_BYTES_MAX || !self.flush() {
            return;
        }
        drop(self);
        // Everything is in synced tables now. fjall itself drops a journal file
        // only when it is full, and reads all of it at each open until then.
        for path in files {
            let emptied = std::fs::File::options()
                .write(true)
                .open(&path)
                .and_then(|file| file.set_len(0).and_then(|()| file.sync_all()));
            if let Err(error) = emptied {
                tracing::debug!(%error, path = %path.display(), "journal file not emptied");
            }
        }
    }

    /// Writes the memtables out; false if that did not work in time.
    #[expect(
        clippy::disallowed_methods,
        reason = "fjall offers no bounded wait for its worker"
    )]
    fn flush(&self) -> bool {
        let flushed = guarded(|| {
            self.records
                .rotate_memtable()
                .map_err(|error| error.to_string())
        });
        if flushed.is_err() {
            return false;
        }
        // fjall's own wait never ends when its worker fails (a full disk), so
        // this one looks by itself and gives up.
        let deadline = Instant::now() + FLUSH_TIME_MAX;
        while self.records.sealed_memtable_count() > 0 {
            if Instant::now() > deadline {
                return false;
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        true
    }
}

/// Keys and values in order; ends after the first error.
pub(super) struct Values(Option<fjall::Iter>);

impl Values {
    /// Ends at once.
    pub(super) const fn none() -> Self {
        Self(None)
    }
}

impl Iterator for Values {
    type Item = Result<(Seq, Slice), String>;

    fn next(&mut self) -> Option<Self::Item> {
        let found = guarded(|| {
            let Some(item) = self.0.as_mut().and_then(Iterator::next) else {
                return Ok(None);
            };
            let (key, value) = item.into_inner().map_err(|error| words(&error))?;
            Ok(Some((parse(&key)?, value)))
        });
        if found.is_err() {
            self.0 = None;
        }
        found.transpose()
    }
}

/// Runs a call into fjall and turns a panic into an error.
fn guarded<T, E: From<Unread>>(call: impl FnOnce() -> Result<T, E>) -> Result<T, E> {
    let why = "the store stopped at bytes it could not make sense of";
    std::panic::catch_unwind(AssertUnwindSafe(call))
        .unwrap_or_else(|_| Err(Unread::from(why.to_owned()).into()))
}

fn parse(key: &[u8]) -> Result<Seq, String> {
    let bytes: [u8; 8] = key
        .try_into()
        .map_err(|_| format!("a key has {} bytes, expected 8", key.len()))?;
    Ok(Seq(u64::from_be_bytes(bytes)))
}

/// Sorts fjall's errors by what the caller may do.
fn open_error(error: &fjall::Error, directory: &Path) -> OpenError {
    use std::io::ErrorKind::{InvalidData, InvalidInput, NotFound, Other, UnexpectedEof};
    let io = match error {
        fjall::Error::Io(io) | fjall::Error::Storage(fjall::LsmError::Io(io)) => Some(io),
        _ => None,
    };
    match (error, io) {
        (fjall::Error::InvalidVersion(version), _) => OpenError::Foreign {
            detail: format!("the store's format is {version:?}, expected V3"),
            place: directory.to_owned(),
            is_newer: false,
        },
        (fjall::Error::Locked, _) => OpenError::Locked {
            holder: "a process that does not keep our lock".to_owned(),
        },
        // A file that should be there or longer is damage, not a refusal.
        (_, Some(io))
            if !matches!(
                io.kind(),
                InvalidData | InvalidInput | NotFound | Other | UnexpectedEof
            ) =>
        {
            OpenError::io(io, directory)
        }
        _ => OpenError::damaged(words(error), directory),
    }
}

/// Says what fjall found, for people who do not know fjall.
fn words(error: &fjall::Error) -> String {
    use fjall::{Error, LsmError};
    match error {
        Error::JournalRecovery(_) => "a batch of a `.jnl` file is damaged: its checksum or its \
            length is not the one written with it"
            .to_owned(),
        Error::Storage(LsmError::ChecksumMismatch { .. }) => {
            "a block of a table is damaged: its checksum is not the one written with it".to_owned()
        }
        Error::Storage(LsmError::Unrecoverable) | Error::Unrecoverable => {
            "files of the store are missing or damaged".to_owned()
        }
        other => other.to_string(),
    }
}

fn keyspace_options() -> KeyspaceCreateOptions {
    KeyspaceCreateOptions::default()
        .max_memtable_size(MEMTABLE_BYTES)
        .data_block_size_policy(BlockSizePolicy::all(16 * 1024))
        .data_block_compression_policy(CompressionPolicy::all(CompressionType::Lz4))
        .filter_policy(FilterPolicy::disabled())
}

/// Returns what files take on the disk, without holes.
fn data_bytes(files: &[PathBuf]) -> u64 {
    files
        .iter()
        .filter_map(|path| path.metadata().ok())
        .map(|seen| seen.blocks().saturating_mul(512).min(seen.len()))
        .sum()
}

/// Copies fjall's journal files into a directory; durable on return.
pub(super) fn copy_journal_files(from: &Path, to: &Path) -> Result<(), OpenError> {
    for path in journal_files(from).map_err(|error| OpenError::io(&error, from))? {
        if let Some(name) = path.file_name() {
            files::copy_sparse(&path, &to.join(name))
                .map_err(|error| OpenError::io(&error, &path))?;
        }
    }
    files::sync_directory(to).map_err(|error| OpenError::io(&error, to))
}

const CACHE_BYTES: u64 = 8 << 20;
const MEMTABLE_BYTES: u64 = 16 << 20;
/// The least that fjall takes.
const JOURNAL_BYTES_MAX: u64 = 64 << 20;
/// Up to here, replaying at the next open costs less than flushing now.
const REPLAY_BYTES_MAX: u64 = 1 << 20;
/// Records whose removal is one batch.
const REMOVED_AT_ONCE: u64 = 8192;
const FLUSH_TIME_MAX: Duration = Duration::from_secs(20);
