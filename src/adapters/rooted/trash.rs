//! The trash: what lies there long enough, or beyond a size, is deleted.
//!
//! In: a point in time and a size, or a name. Out: how many entries went, what lies
//! there, or an entry back at a free path. Invariant: only
//! what lies in the trash is deleted, link by link and directory by directory,
//! never through a link. An entry's age is the time of its last rename, which is
//! when it came here. CRASH: a half-deleted entry stays and goes the next time.

use super::beneath::{LISTED, Place, TRASH};
use super::fault::{fault, unsupported};
use super::folder::{Base, Folder};
use super::look::{MASK, ctime_ns};
use super::part::PARTS_MAX;
use super::rename::rename_new;
use super::slots::{control_place, names_in, parent_of};
use super::source::check_path;
use crate::ports::PortResult;
use journal_format::value::{RelPath, Timestamp};
use rustix::fd::{AsFd, BorrowedFd};
use rustix::fs::{AtFlags, FileType, Mode, OFlags, RawDir, Statx, openat, statx, unlinkat};
use rustix::io::{Errno, Result};
use std::ffi::{CStr, CString};

/// Something that lies in the trash.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trashed {
    /// Its name there: the id of the operation that put it there, and its own name.
    pub name: String,
    /// Bytes of content, of a directory's all together.
    pub bytes: u64,
    /// When it came there.
    pub since: Timestamp,
}

struct Entry {
    since_ns: i64,
    bytes: u64,
    name: String,
}

impl Folder {
    /// Lists the trash, oldest first.
    pub(crate) fn trashed(&self) -> PortResult<Vec<Trashed>> {
        let base = self.base()?;
        let mut entries = entries(&base)?;
        entries.sort_unstable_by(|a, b| (a.since_ns, &a.name).cmp(&(b.since_ns, &b.name)));
        let trashed = entries.into_iter().map(|entry| Trashed {
            name: entry.name,
            bytes: entry.bytes,
            since: Timestamp(entry.since_ns.div_euclid(1_000_000)),
        });
        Ok(trashed.collect())
    }

    /// Renames an entry of the trash to a free path.
    pub(crate) fn restore(&self, name: &str, path: &RelPath) -> PortResult<()> {
        let is_name = RelPath::new(name).is_ok_and(|name| name.names().count() == 1);
        if !is_name {
            return Err(unsupported("a name in the trash is one name"));
        }
        check_path(path)?;
        let base = self.base()?;
        let from = control_place(&base, TRASH, name)?;
        let to = Place::of(base.as_fd(), path).map_err(|error| fault(error, path))?;
        rename_new(&from, &to).map_err(|error| fault(error, path))?;
        self.changed_directory(TRASH);
        self.changed_directory(parent_of(path));
        Ok(())
    }

    /// Deletes what came into the trash before a time, and the oldest beyond a
    /// size. Entries that cannot be deleted stay and are logged.
    pub(crate) fn expire_trash(&self, before: Timestamp, bytes_max: u64) -> PortResult<u64> {
        let base = self.base()?;
        let before_ns = before.0.saturating_mul(1_000_000);
        self.prune_parts(PARTS_MAX, before_ns)?;
        let mut entries = entries(&base)?;
        entries.sort_unstable_by(|a, b| (a.since_ns, &a.name).cmp(&(b.since_ns, &b.name)));
        let mut bytes: u64 = entries.iter().map(|entry| entry.bytes).sum();
        let mut gone = 0;
        for entry in &entries {
            if entry.since_ns >= before_ns && bytes <= bytes_max {
                break;
            }
            let place = control_place(&base, TRASH, &entry.name)?;
            match remove_tree(&place) {
                Ok(()) => {
                    bytes = bytes.saturating_sub(entry.bytes);
                    gone += 1;
                }
                Err(error) => {
                    tracing::warn!(path = entry.name, %error, "not deleted from the trash")
                }
            }
        }
        if gone > 0 {
            self.changed_directory(TRASH);
        }
        Ok(gone)
    }
}

fn entries(base: &Base) -> PortResult<Vec<Entry>> {
    let mut entries = Vec::new();
    for name in names_in(base, TRASH)? {
        let place = control_place(base, TRASH, &name)?;
        let Ok(stat) = stat(place.as_fd(), &name) else {
            continue;
        };
        let mut bytes = 0;
        let text = CString::new(name.as_str()).map_err(|error| fault(error, TRASH))?;
        let measured = walk(place.as_fd(), &text, DEPTH_MAX, &mut |_, _, stat| {
            bytes += stat.stx_size;
            Ok(())
        });
        if let Err(error) = measured {
            tracing::debug!(path = name, %error, "a size in the trash is not known");
        }
        entries.push(Entry {
            since_ns: ctime_ns(&stat),
            bytes,
            name,
        });
    }
    Ok(entries)
}

fn remove_tree(place: &Place<'_>) -> Result<()> {
    let name = CString::new(place.name).map_err(|_| Errno::INVAL)?;
    walk(
        place.as_fd(),
        &name,
        DEPTH_MAX,
        &mut |directory, name, stat| {
            let flags = if is_directory(stat) {
                AtFlags::REMOVEDIR
            } else {
                AtFlags::empty()
            };
            unlinkat(directory, name, flags)
        },
    )
}

/// Visits everything below a name, children first, then the name itself.
fn walk(
    at: BorrowedFd<'_>,
    name: &CStr,
    depth: usize,
    visit: &mut dyn FnMut(BorrowedFd<'_>, &CStr, &Statx) -> Result<()>,
) -> Result<()> {
    let stat = stat(at, name)?;
    if is_directory(&stat) {
        let depth = depth.checked_sub(1).ok_or(Errno::NAMETOOLONG)?;
        // One name at a time without following links: nothing leads out.
        let flags = LISTED | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let directory = openat(at, name, flags, Mode::empty())?;
        for child in children(directory.as_fd())? {
            walk(directory.as_fd(), &child, depth, visit)?;
        }
    }
    visit(at, name, &stat)
}

fn children(directory: BorrowedFd<'_>) -> Result<Vec<CString>> {
    let mut buffer = Vec::with_capacity(8 * 1024);
    let mut raw = RawDir::new(directory, buffer.spare_capacity_mut());
    let mut names = Vec::new();
    while let Some(entry) = raw.next() {
        let entry = entry?;
        if !matches!(entry.file_name().to_bytes(), b"." | b"..") {
            names.push(entry.file_name().to_owned());
        }
    }
    Ok(names)
}

fn stat(at: BorrowedFd<'_>, name: impl rustix::path::Arg) -> Result<Statx> {
    statx(
        at,
        name,
        AtFlags::SYMLINK_NOFOLLOW | AtFlags::NO_AUTOMOUNT,
        MASK,
    )
}

fn is_directory(stat: &Statx) -> bool {
    FileType::from_raw_mode(stat.stx_mode.into()).is_dir()
}

/// Directories within one another; each costs a descriptor and some stack.
const DEPTH_MAX: usize = 400;
