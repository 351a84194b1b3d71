//! A version of a file or link of a folder, being read.
//!
//! In: a path and the version expected there. Out: its content, whole or an
//! error. Invariant: the last piece is given only after the open file and the
//! path were compared with what was opened. RACE: between the look at a path
//! and its opening a pipe may take its place; it is opened without blocking,
//! seen to be no file and closed.

use super::beneath::{Place, open_beneath};
use super::fault::{fault, unsupported};
use super::folder::{Base, Folder};
use super::look::{is_expected, look, look_open, seen};
use crate::adapters::digest::{Hasher, digest_of};
use crate::ports::{Chunk, PortError, PortResult, Seen, Source, Task};
use journal_format::event::FailureClass;
use journal_format::value::{Digest, DigestKind, Entry, Fingerprint, Kind, RelPath};
use rustix::fd::AsFd;
use rustix::fs::{Mode, OFlags, readlinkat};
use rustix::io::{ReadWriteFlags, preadv2};
use std::fs::File;
use std::io::IoSliceMut;
use std::os::unix::fs::FileExt;
use std::sync::Arc;

/// Content that was opened.
enum Opened {
    /// A file, its entry and its permission bits.
    File(Arc<File>, Entry, u32),
    /// A link's target text and its entry.
    Link(Vec<u8>, Entry),
}

struct FolderSource {
    folder: Arc<Folder>,
    path: RelPath,
    entry: Entry,
    content: Content,
    read_bytes: u64,
    ended: bool,
}

enum Content {
    File(Arc<File>, u32),
    Link(Vec<u8>),
}

impl Folder {
    /// Looks at a path: nothing when it is absent.
    pub(crate) fn stat(&self, path: &RelPath) -> PortResult<Option<Entry>> {
        let base = self.base()?;
        if path.is_root() {
            let stat = look_open(base.as_fd()).map_err(|error| fault(error, "the root"))?;
            return entry_of(seen(&stat, base.disk()), path).map(Some);
        }
        check_path(path)?;
        match entry_at(&base, path) {
            Err(error) if error.class == FailureClass::Precondition => Ok(None),
            result => result,
        }
    }

    /// Looks at a path and compares.
    ///
    /// # Errors
    /// `Precondition` when it is absent or something else.
    pub(crate) fn expect(&self, path: &RelPath, expect: &Fingerprint) -> PortResult<Entry> {
        check_path(path)?;
        let base = self.base()?;
        let found = match entry_at(&base, path) {
            // What cannot be synced is not what was expected.
            Err(error) if error.class == FailureClass::Unsupported => {
                return Err(PortError::precondition(error.message));
            }
            found => found?,
        };
        let found = found.ok_or_else(|| PortError::precondition(format!("{path} is absent")))?;
        compare(path, expect, &found.fingerprint)?;
        Ok(found)
    }

    /// Looks at a path that is to be replaced or removed, and compares.
    ///
    /// # Errors
    /// As [`Folder::expect`]; `Retry` while it may change without a sign.
    pub(crate) fn expect_grown(&self, path: &RelPath, expect: &Fingerprint) -> PortResult<Entry> {
        let found = self.expect(path, expect)?;
        self.check_grown(path, &found)?;
        Ok(found)
    }

    fn check_grown(&self, path: &RelPath, found: &Entry) -> PortResult<()> {
        let base = self.opened_before().map_or_else(|| self.base(), Ok)?;
        match base.disk().young_for_ms(found) {
            None => Ok(()),
            Some(left_ms) => Err(PortError {
                retry_after_ms: Some(left_ms),
                ..PortError::new(
                    FailureClass::Retry,
                    format!("{path} was written just now, and the disk's times are coarse"),
                )
            }),
        }
    }

    /// Opens what is expected at a path.
    fn open(&self, path: &RelPath, expect: &Fingerprint) -> PortResult<Opened> {
        let found = self.expect(path, expect)?;
        let base = self.base()?;
        match found.kind() {
            Kind::Directory => Err(unsupported(format!("{path} is a directory"))),
            Kind::Symlink => {
                let place = Place::of(base.as_fd(), path).map_err(|error| fault(error, path))?;
                let text = readlinkat(&place, place.name, Vec::new());
                let text = text.map_err(|error| fault(error, path))?.into_bytes();
                self.expect(path, expect)?;
                Ok(Opened::Link(text, found))
            }
            Kind::File => {
                let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY;
                let file = open_beneath(base.as_fd(), path.as_str(), flags, Mode::empty());
                let file = Arc::new(File::from(file.map_err(|error| fault(error, path))?));
                let stat = look_open(&file).map_err(|error| fault(error, path))?;
                let opened = entry_of(seen(&stat, base.disk()), path)?;
                compare(path, expect, &opened.fingerprint)?;
                if self.writers.has_open(&base, &file) {
                    return Err(PortError::new(
                        FailureClass::Retry,
                        format!("{path}: another program is writing it"),
                    ));
                }
                Ok(Opened::File(
                    file,
                    opened,
                    u32::from(stat.stx_mode) & MODE_BITS,
                ))
            }
        }
    }

    /// Opens what is expected at a path, to copy it.
    ///
    /// # Errors
    /// `Precondition` when it is absent or something else; `Retry` while another program
    /// writes it, or it may change without a sign: a copy could then be of two versions.
    pub(crate) async fn open_source(
        self: &Arc<Self>,
        path: &RelPath,
        expect: &Fingerprint,
    ) -> PortResult<Box<dyn Source>> {
        let (at, expect) = (path.clone(), expect.clone());
        let work = move |folder: &Arc<Self>| {
            let opened = folder.open(&at, &expect)?;
            if let Opened::File(_, entry, _) = &opened {
                folder.check_grown(&at, entry)?;
            }
            Ok(opened)
        };
        let opened = self.run(work).await?;
        Ok(self.source(path.clone(), opened))
    }

    /// Reads what is expected at a path to learn its digest.
    pub(crate) async fn hash_at(
        self: &Arc<Self>,
        path: &RelPath,
        expect: &Fingerprint,
        kind: DigestKind,
    ) -> PortResult<Entry> {
        let (path, expect) = (path.clone(), expect.clone());
        let small = expect.size <= CHUNK_BYTES;
        let work = move |folder: &Arc<Self>| folder.hash(&path, &expect, kind);
        if small {
            self.run(work).await
        } else {
            self.run_long(work).await
        }
    }

    fn source(self: &Arc<Self>, path: RelPath, opened: Opened) -> Box<dyn Source> {
        let (content, entry) = match opened {
            Opened::File(file, entry, mode) => (Content::File(file, mode), entry),
            Opened::Link(text, entry) => (Content::Link(text), entry),
        };
        Box::new(FolderSource {
            folder: Arc::clone(self),
            path,
            entry,
            content,
            read_bytes: 0,
            ended: false,
        })
    }

    /// Reads a file or link to learn its digest.
    fn hash(&self, path: &RelPath, expect: &Fingerprint, kind: DigestKind) -> PortResult<Entry> {
        let (file, mut entry, digest) = match self.open(path, expect)? {
            Opened::Link(text, entry) => (None, entry, digest_of(kind, &text)),
            Opened::File(file, entry, _) => {
                let digest = hash_file(&file, entry.fingerprint.size, kind)
                    .map_err(|error| fault(error, path))?
                    .ok_or_else(|| changed(path))?;
                (Some(file), entry, digest)
            }
        };
        self.compare_again(path, file.as_deref(), &entry.fingerprint)?;
        entry.digest = Some(digest);
        Ok(entry)
    }

    fn compare_again(
        &self,
        path: &RelPath,
        file: Option<&File>,
        expect: &Fingerprint,
    ) -> PortResult<()> {
        if let Some(file) = file {
            let base = self.base()?;
            let stat = look_open(file).map_err(|error| fault(error, path))?;
            compare(
                path,
                expect,
                &entry_of(seen(&stat, base.disk()), path)?.fingerprint,
            )?;
        }
        self.expect(path, expect).map(drop)
    }
}

impl FolderSource {
    /// Reads a small file whole if its content lies in memory, which costs less than
    /// to wake a thread for it; nothing if it must be waited for.
    fn read_cached(&mut self) -> PortResult<Option<Chunk>> {
        let Content::File(file, _) = &self.content else {
            return Ok(None);
        };
        let expect = &self.entry.fingerprint;
        let is_small = (1..=CACHED_BYTES).contains(&expect.size) && self.read_bytes == 0;
        if !is_small || !self.folder.has_quick_stats() {
            return Ok(None);
        }
        let mut chunk = vec![0; usize::try_from(expect.size).unwrap_or(0)];
        let mut whole = [IoSliceMut::new(&mut chunk)];
        match preadv2(file, &mut whole, 0, ReadWriteFlags::NOWAIT) {
            Ok(read) if read as u64 == expect.size => {}
            // Not in memory, not whole, or a disk that cannot tell.
            _ => return Ok(None),
        }
        self.folder.compare_again(&self.path, Some(file), expect)?;
        self.read_bytes = expect.size;
        self.ended = true;
        Ok(Some(chunk.into()))
    }
}

impl Source for FolderSource {
    fn entry(&self) -> &Entry {
        &self.entry
    }

    fn mode(&self) -> Option<u32> {
        match &self.content {
            Content::File(_, mode) => Some(*mode),
            Content::Link(_) => None,
        }
    }

    fn read(&mut self) -> Task<'_, Option<Chunk>> {
        Box::pin(async move {
            if self.ended {
                return Ok(None);
            }
            if let Some(chunk) = self.read_cached()? {
                return Ok(Some(chunk));
            }
            let (offset, path) = (self.read_bytes, self.path.clone());
            let expect = self.entry.fingerprint.clone();
            let content = match &self.content {
                Content::File(file, _) => Ok(Arc::clone(file)),
                Content::Link(text) => Err(text.clone()),
            };
            let work = move |folder: &Arc<Folder>| {
                let (chunk, file) = match content {
                    Ok(file) => {
                        let chunk = read_chunk(&file, offset, expect.size)
                            .map_err(|error| fault(error, &path))?
                            .ok_or_else(|| changed(&path))?;
                        (chunk, Some(file))
                    }
                    Err(text) => (text.into(), None),
                };
                let last = file.is_none() || offset + chunk.len() as u64 == expect.size;
                if last {
                    folder.compare_again(&path, file.as_deref(), &expect)?;
                }
                Ok((chunk, last))
            };
            let (chunk, last) = self.folder.run(work).await?;
            self.read_bytes += chunk.len() as u64;
            self.ended = last;
            Ok(Some(chunk).filter(|chunk| !chunk.is_empty()))
        })
    }

    fn file(&self) -> Option<Arc<File>> {
        match &self.content {
            Content::File(file, _) => Some(Arc::clone(file)),
            Content::Link(_) => None,
        }
    }

    fn verify(&mut self) -> Task<'_, ()> {
        Box::pin(async move {
            let (path, expect) = (self.path.clone(), self.entry.fingerprint.clone());
            let file = self.file();
            let work =
                move |folder: &Arc<Folder>| folder.compare_again(&path, file.as_deref(), &expect);
            self.folder.run_stats(work).await
        })
    }
}

/// Refuses paths that are ours, and the root.
pub(crate) fn check_path(path: &RelPath) -> PortResult<()> {
    match path.names().next() {
        None => Err(unsupported("the root itself cannot be changed or read")),
        Some(first) if is_control(first) => {
            Err(unsupported(format!("{path} belongs to pydio-sync")))
        }
        Some(_) => Ok(()),
    }
}

/// Tells whether a name of the root is ours, on any disk.
pub(crate) fn is_control(name: &str) -> bool {
    name.eq_ignore_ascii_case(super::beneath::CONTROL)
}

/// Compares what is at a path with what was expected.
pub(crate) fn compare(path: &RelPath, expect: &Fingerprint, found: &Fingerprint) -> PortResult<()> {
    if is_expected(expect, found) {
        Ok(())
    } else {
        Err(changed(path))
    }
}

/// Looks at a path below an open root.
pub(crate) fn entry_at(base: &Base, path: &RelPath) -> PortResult<Option<Entry>> {
    let found =
        Place::of(base.as_fd(), path).and_then(|place| look(&place, place.name, base.disk()));
    match found.map_err(|error| fault(error, path))? {
        None => Ok(None),
        Some(seen) => entry_of(seen, path).map(Some),
    }
}

/// Takes what can be synced.
pub(crate) fn entry_of(seen: Seen, path: &RelPath) -> PortResult<Entry> {
    match seen {
        Seen::Entry(entry) => Ok(entry),
        Seen::Unknown(reason) => Err(unsupported(format!("{path}: {reason:?}"))),
    }
}

fn changed(path: &RelPath) -> PortError {
    PortError::precondition(format!("{path} is not what was expected"))
}

/// Nothing when the file is shorter than expected.
fn read_chunk(file: &File, offset: u64, size: u64) -> std::io::Result<Option<Chunk>> {
    let length = size.saturating_sub(offset).min(CHUNK_BYTES);
    let mut chunk = vec![0; usize::try_from(length).unwrap_or(0)];
    match file.read_exact_at(&mut chunk, offset) {
        Ok(()) => Ok(Some(chunk.into())),
        Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => Ok(None),
        Err(error) => Err(error),
    }
}

fn hash_file(file: &File, size: u64, kind: DigestKind) -> std::io::Result<Option<Digest>> {
    let mut hasher = Hasher::new(kind);
    let mut buffer = vec![0; usize::try_from(size.min(CHUNK_BYTES)).unwrap_or(0)];
    let mut offset = 0;
    while offset < size {
        let length = usize::try_from(size - offset)
            .unwrap_or(usize::MAX)
            .min(buffer.len());
        match file.read_exact_at(&mut buffer[..length], offset) {
            Ok(()) => {}
            Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => return Ok(None),
            Err(error) => return Err(error),
        }
        hasher.update(&buffer[..length]);
        offset += length as u64;
    }
    Ok(Some(hasher.finish()))
}

const CHUNK_BYTES: u64 = 1024 * 1024;
/// Up to this size content is read where it is wanted, if it lies in memory.
const CACHED_BYTES: u64 = 64 * 1024;
const MODE_BITS: u32 = 0o777;
