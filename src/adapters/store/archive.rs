//! Older records, as portable files beside the store.
//!
//! In: a job's `archive/`. Out: which records its files hold, and those records. Invariants:
//! a name gives the first and the last number in twenty digits, so that names sort as
//! records do; a file under another name is not ours. A checkpoint named by the last
//! number is the state behind an archive: once older files are dropped, history begins
//! with it. Deliberately absent: when records move here (`retire`). A crash leaves a `.new`
//! file, which nobody reads and the next round removes.

use super::checkpoint;
use super::read::Unread;
use super::witness::{Chain, JournalId};
use crate::journal::PortableReader;
use crate::ports::Checkpoint;
use journal_format::portable::Header;
use journal_format::value::Seq;
use journal_format::{HEADER_BYTES, peek_extent};
use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

/// One file with a range of records.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Archive {
    /// The first record.
    pub first: Seq,
    /// The last one.
    pub last: Seq,
    /// The file.
    pub path: PathBuf,
    /// Its size.
    pub bytes: u64,
}

impl Archive {
    /// Returns what the file says of itself.
    pub(super) fn header(&self) -> Result<Header, String> {
        let file = File::open(&self.path).map_err(|error| error.to_string())?;
        let reader = PortableReader::open(file).map_err(|error| error.to_string())?;
        Ok(reader.header().clone())
    }

    /// Returns the running hash before the first record.
    pub(super) fn before(&self) -> Result<Chain, String> {
        let named = |why: String| format!("{}: {why}", self.path.display());
        let before = self.header().map_err(named)?.before;
        before.ok_or_else(|| named("it does not say what came before".to_owned()))
    }
}

/// Lists the archives of a job, oldest first; none where there is no folder.
pub(super) fn list(directory: &Path) -> io::Result<Vec<Archive>> {
    let mut found = Vec::new();
    for (name, path) in names(directory)? {
        let Some((first, last)) = range(&name) else {
            continue;
        };
        let bytes = path.metadata()?.len();
        found.push(Archive {
            first,
            last,
            path,
            bytes,
        });
    }
    found.sort_by_key(|archive| (archive.first, archive.last));
    Ok(found)
}

/// Lists the checkpoints in a job's archive, with what they take.
pub(super) fn checkpoints(directory: &Path) -> io::Result<Vec<(Seq, u64)>> {
    let mut found = Vec::new();
    for (name, path) in names(directory)? {
        if let Some(seq) = name.strip_suffix(CHECKPOINT).and_then(number) {
            found.push((seq, path.metadata()?.len()));
        }
    }
    found.sort_unstable();
    Ok(found)
}

/// Reads the state behind an event, if it is kept and whole.
pub(super) fn state_at(directory: &Path, seq: Seq, id: &JournalId) -> Option<Checkpoint> {
    let found = checkpoint::load(&checkpoint_path(directory, seq), Some(id))?;
    (found.seq == seq).then_some(found)
}

pub(super) fn path_of(directory: &Path, first: Seq, last: Seq) -> PathBuf {
    directory.join(format!("{:020}-{:020}{SUFFIX}", first.0, last.0))
}

pub(super) fn checkpoint_path(directory: &Path, seq: Seq) -> PathBuf {
    directory.join(format!("{:020}{CHECKPOINT}", seq.0))
}

/// Lists what has a name in a folder; nothing where there is none.
pub(super) fn names(directory: &Path) -> io::Result<Vec<(String, PathBuf)>> {
    let entries = match std::fs::read_dir(directory) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let mut found = Vec::new();
    for entry in entries {
        let entry = entry?;
        if let Ok(name) = entry.file_name().into_string() {
            found.push((name, entry.path()));
        }
    }
    Ok(found)
}

/// Reads the range in a file's name.
fn range(name: &str) -> Option<(Seq, Seq)> {
    let (first, last) = name.strip_suffix(SUFFIX)?.split_once('-')?;
    let (first, last) = (number(first)?, number(last)?);
    (Seq::ZERO < first && first <= last).then_some((first, last))
}

fn number(text: &str) -> Option<Seq> {
    let is_plain = text.len() == DIGITS && text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|_| is_plain).map(Seq)
}

/// The envelopes of an archive as they are, one after another. Whether one is whole is for
/// its decoder to say; whether the file is, for [`PortableReader`].
pub(super) struct Frames {
    file: BufReader<File>,
    next: Seq,
    buffer: Vec<u8>,
}

impl Frames {
    /// Opens an archive at one of its records.
    pub(super) fn open(archive: &Archive, from: Seq) -> Result<Self, Unread> {
        let text = |error: io::Error| format!("{}: {error}", archive.path.display());
        let file = File::open(&archive.path).map_err(text)?;
        let reader = PortableReader::open(&file);
        let begins = reader
            .map_err(|error| text(io::Error::other(error)))?
            .offset();
        let mut file = BufReader::with_capacity(READ_BYTES, file);
        file.seek(SeekFrom::Start(begins)).map_err(text)?;
        let mut frames = Self {
            file,
            next: archive.first,
            buffer: Vec::new(),
        };
        while frames.next < from {
            frames.skip()?;
        }
        Ok(frames)
    }

    fn skip(&mut self) -> Result<(), Unread> {
        let rest = self.head()?;
        let rest = i64::try_from(rest).expect("bounded by the longest record");
        let skipped = self.file.seek_relative(rest);
        skipped.map_err(|error| Unread::record(self.next, error))?;
        self.next = self.next.next();
        Ok(())
    }

    /// Reads the next envelope.
    pub(super) fn read(&mut self) -> Result<&[u8], Unread> {
        let rest = self.head()?;
        self.buffer.resize(HEADER_BYTES + rest, 0);
        let read = self.file.read_exact(&mut self.buffer[HEADER_BYTES..]);
        read.map_err(|error| Unread::record(self.next, error))?;
        self.next = self.next.next();
        Ok(&self.buffer)
    }

    /// Reads an envelope's head and returns how many bytes follow it.
    fn head(&mut self) -> Result<usize, Unread> {
        self.buffer.resize(HEADER_BYTES, 0);
        let read = self.file.read_exact(&mut self.buffer);
        read.map_err(|error| Unread::record(self.next, error))?;
        let extent = peek_extent(&self.buffer).map_err(|error| Unread::bytes(self.next, &error))?;
        if extent.seq != self.next {
            let why = format!("{} stands in its place", extent.seq);
            return Err(Unread::record(self.next, why));
        }
        Ok(extent.bytes - HEADER_BYTES)
    }
}

const SUFFIX: &str = ".pydiojournal";
const CHECKPOINT: &str = ".checkpoint";
const DIGITS: usize = 20;
const READ_BYTES: usize = 1 << 18;
