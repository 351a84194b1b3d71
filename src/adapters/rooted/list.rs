//! Lists one directory.
//!
//! In: an open directory. Out: all its names with what stands there, or why that
//! cannot be said. Invariant: a listing is whole only if the directory did not
//! change while it was read; one that kept changing proves nothing absent.
//! Deliberately absent: order, recursion (`scan`), opening of anything but the
//! directory and its ignore file.

use super::beneath::{CONTROL, LISTED, open_beneath};
use super::fault::{fault, is_shortage};
use super::filter::Filter;
use super::folder::Base;
use super::ignores::{IGNORE_FILE, Ignores, is_ignored, read_ignores, unusable};
use super::look::{ctime_ns, identity, look, look_open};
use super::source::is_control;
use crate::ports::{Listed, Listing, PortError, ScanItem, Scope, Seen};
use journal_format::event::UnknownReason;
use journal_format::value::{Identity, Kind, RelPath};
use rustix::fd::{AsFd, OwnedFd};
use rustix::fs::{FileType, Mode, RawDir, SeekFrom, seek};
use rustix::io::{Errno, Result};
use std::ffi::CStr;
use std::sync::atomic::{AtomicBool, Ordering};

/// A directory to be listed.
pub(crate) struct Job {
    /// Where.
    pub(crate) path: RelPath,
    /// Which object its parent's listing showed there.
    pub(crate) expect: Option<Identity>,
    /// The ignore rules above it.
    pub(crate) ignores: Ignores,
}

/// Lists directories, one after the other, with buffers that are used again.
pub(crate) struct Lister<'a> {
    base: &'a Base,
    filter: &'a Filter,
    stop: &'a AtomicBool,
    buffer: Vec<u8>,
    names: Vec<u8>,
    index: Vec<Name>,
    /// Why nothing can be said of the whole tree.
    pub(crate) fault: Option<PortError>,
}

struct Name {
    inode: u64,
    start: usize,
    kind: FileType,
}

impl<'a> Lister<'a> {
    /// Makes a lister for an open root. It gives up early once `stop` is set.
    pub(crate) fn new(base: &'a Base, filter: &'a Filter, stop: &'a AtomicBool) -> Self {
        Self {
            base,
            filter,
            stop,
            buffer: Vec::with_capacity(BUFFER_BYTES),
            names: Vec::new(),
            index: Vec::new(),
            fault: None,
        }
    }

    /// Lists a directory and adds the directories in it to `below`.
    pub(crate) fn list(&mut self, job: &Job, below: &mut Vec<Job>) -> ScanItem {
        let first_below = below.len();
        match self.try_list(job, below) {
            Ok(listing) => ScanItem::Listing(listing),
            Err(reason) => {
                below.truncate(first_below);
                ScanItem::Unlisted {
                    directory: job.path.clone(),
                    reason,
                }
            }
        }
    }

    fn try_list(
        &mut self,
        job: &Job,
        below: &mut Vec<Job>,
    ) -> std::result::Result<Listing, UnknownReason> {
        let path = job.path.as_str();
        let directory = open_beneath(self.base.as_fd(), path, LISTED, Mode::empty());
        let directory = directory.map_err(|error| self.reason(path, error))?;
        let first_below = below.len();
        let mut listed = Vec::new();
        for _ in 0..TRIES {
            let before = look_open(&directory).map_err(reason_of)?;
            if job.expect.is_some_and(|expect| expect != identity(&before)) {
                return Err(UnknownReason::Unreadable);
            }
            below.truncate(first_below);
            listed.clear();
            let read = self.read_names(&directory);
            read.map_err(|error| self.reason(path, error))?;
            let ignores = if self.has_name(IGNORE_FILE) {
                match read_ignores(directory.as_fd(), path, &job.ignores) {
                    Ok(ignores) => ignores,
                    Err(error) => {
                        self.fault = unusable(path, &error);
                        return Err(UnknownReason::Unreadable);
                    }
                }
            } else {
                job.ignores.clone()
            };
            self.look_at_names(&directory, job, &ignores, &mut listed, below)?;
            let after = look_open(&directory).map_err(reason_of)?;
            if ctime_ns(&before) == ctime_ns(&after) {
                return Ok(Listing {
                    directory: job.path.clone(),
                    scope: Scope::Whole,
                    entries: listed,
                });
            }
        }
        // It kept changing: what was seen is there, what was not may be, too.
        listed.sort_unstable_by(|a, b| a.name.cmp(&b.name));
        listed.dedup_by(|a, b| a.name == b.name);
        Ok(Listing {
            directory: job.path.clone(),
            scope: Scope::Names(listed.iter().map(|listed| listed.name.clone()).collect()),
            entries: listed,
        })
    }

    /// Why a directory is not listed. Where we are short of something the whole scan ends,
    /// to be tried again soon: nobody looks again at a single directory for long.
    fn reason(&mut self, path: &str, error: Errno) -> UnknownReason {
        if is_shortage(&error.into()) {
            self.fault = Some(fault(error, format!("`{path}`")));
        }
        reason_of(error)
    }

    fn read_names(&mut self, directory: &OwnedFd) -> Result<()> {
        self.names.clear();
        self.index.clear();
        seek(directory, SeekFrom::Start(0))?;
        let mut raw = RawDir::new(directory, self.buffer.spare_capacity_mut());
        while let Some(entry) = raw.next() {
            let entry = entry?;
            let name = entry.file_name();
            if !matches!(name.to_bytes(), b"." | b"..") {
                self.index.push(Name {
                    inode: entry.ino(),
                    start: self.names.len(),
                    kind: entry.file_type(),
                });
                self.names.extend_from_slice(name.to_bytes_with_nul());
            }
        }
        // Inodes lie on the disk in this order, and stats read inodes.
        self.index.sort_unstable_by_key(|name| name.inode);
        Ok(())
    }

    fn has_name(&self, wanted: &str) -> bool {
        self.names
            .split(|byte| *byte == 0)
            .any(|name| name == wanted.as_bytes())
    }

    fn look_at_names(
        &self,
        directory: &OwnedFd,
        job: &Job,
        ignores: &Ignores,
        listed: &mut Vec<Listed>,
        below: &mut Vec<Job>,
    ) -> std::result::Result<(), UnknownReason> {
        listed.reserve(self.index.len());
        for (count, name) in self.index.iter().enumerate() {
            if count % 1024 == 1023 && self.stop.load(Ordering::Relaxed) {
                return Err(UnknownReason::Unreadable);
            }
            let Ok(raw) = CStr::from_bytes_until_nul(&self.names[name.start..]) else {
                continue;
            };
            let Ok(text) = raw.to_str() else {
                listed.push(Listed {
                    name: raw.to_string_lossy().into_owned(),
                    seen: Seen::Unknown(UnknownReason::InvalidName),
                });
                continue;
            };
            if job.path.is_root() && text == CONTROL {
                continue;
            }
            let Some(seen) = self.look_at(directory, raw, text, name.kind, job, ignores)? else {
                continue;
            };
            if let Seen::Entry(entry) = &seen
                && entry.kind() == Kind::Directory
                && let Ok(path) = job.path.join(text)
            {
                below.push(Job {
                    path,
                    expect: entry.fingerprint.identity,
                    ignores: ignores.clone(),
                });
            }
            listed.push(Listed {
                name: text.to_owned(),
                seen,
            });
        }
        Ok(())
    }

    fn look_at(
        &self,
        directory: &OwnedFd,
        raw: &CStr,
        text: &str,
        kind: FileType,
        job: &Job,
        ignores: &Ignores,
    ) -> std::result::Result<Option<Seen>, UnknownReason> {
        let path = job.path.as_str();
        if kind != FileType::Unknown && is_left_out(self.filter, ignores, path, text, kind.is_dir())
        {
            return Ok(Some(Seen::Unknown(UnknownReason::Excluded)));
        }
        if job.path.is_root() && is_control(text) {
            return Ok(Some(Seen::Unknown(UnknownReason::InvalidName)));
        }
        if job.path.join(text).is_err() {
            return Ok(Some(Seen::Unknown(UnknownReason::NameTooLong)));
        }
        let seen = match look(directory, raw, self.base.disk()) {
            Ok(seen) => seen,
            Err(Errno::STALE | Errno::IO) => return Err(UnknownReason::Unreadable),
            Err(_) => Some(Seen::Unknown(UnknownReason::Unreadable)),
        };
        Ok(seen.map(|seen| {
            let is_directory =
                matches!(&seen, Seen::Entry(entry) if entry.kind() == Kind::Directory);
            if kind == FileType::Unknown
                && is_left_out(self.filter, ignores, path, text, is_directory)
            {
                Seen::Unknown(UnknownReason::Excluded)
            } else {
                seen
            }
        }))
    }
}

/// Tells whether a name is left out by the job or by an ignore file.
pub(crate) fn is_left_out(
    filter: &Filter,
    ignores: &Ignores,
    directory: &str,
    name: &str,
    is_directory: bool,
) -> bool {
    filter.excludes(directory, name, is_directory)
        || is_ignored(ignores, directory, name, is_directory)
}

/// Why a directory could not be listed.
pub(crate) fn reason_of(error: Errno) -> UnknownReason {
    match error {
        Errno::XDEV => UnknownReason::MountPoint,
        Errno::NAMETOOLONG => UnknownReason::NameTooLong,
        _ => UnknownReason::Unreadable,
    }
}

const BUFFER_BYTES: usize = 64 * 1024;
/// How often a directory that changes meanwhile is read before giving up.
const TRIES: usize = 3;
