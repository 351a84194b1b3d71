//! Opens what lies below a directory, and nothing else.
//!
//! In: an open directory and a relative path. Out: a descriptor of what lies
//! there. Invariant: no symbolic link, no `..` and no mount point is ever
//! crossed, whatever happens to the tree meanwhile; watched by the symlink swap
//! cases of `tests/it`. Deliberately absent: paths of more than one resolution,
//! caches of descriptors. Leaves nothing behind. A kernel without `openat2` gets
//! the same rules, step by step.

use journal_format::value::RelPath;
use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
use rustix::fs::{Mode, OFlags, ResolveFlags, openat, openat2};
use rustix::io::{Errno, Result};
use std::sync::atomic::{AtomicBool, Ordering};

/// The directory of everything that is ours.
pub(crate) const CONTROL: &str = ".pydio-sync";
/// Where new content waits for its place.
pub(crate) const STAGING: &str = ".pydio-sync/staging";
/// Where losers and deletions lie.
pub(crate) const TRASH: &str = ".pydio-sync/trash";

/// Flags for a directory that is only a place to stand on.
pub(crate) const PLACE: OFlags = OFlags::PATH.union(OFlags::DIRECTORY);
/// Flags for a directory that is listed or flushed.
pub(crate) const LISTED: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY);

const RETRIES: usize = 16;

static STEP_BY_STEP: AtomicBool = AtomicBool::new(false);

/// A directory below the root with a name in it.
pub(crate) struct Place<'a> {
    directory: Option<OwnedFd>,
    root: BorrowedFd<'a>,
    /// The name in the directory.
    pub(crate) name: &'a str,
}

impl<'a> Place<'a> {
    /// Opens the directory that holds a path.
    ///
    /// # Errors
    /// `INVAL` for the root itself; otherwise as the directory cannot be opened.
    pub(crate) fn of(root: BorrowedFd<'a>, path: &'a RelPath) -> Result<Self> {
        let (parent, name) = path.split().ok_or(Errno::INVAL)?;
        Self::within(root, parent, name)
    }

    /// Opens a directory for work on one of its names.
    pub(crate) fn within(root: BorrowedFd<'a>, parent: &str, name: &'a str) -> Result<Self> {
        let directory = if parent.is_empty() {
            None
        } else {
            Some(open_beneath(root, parent, PLACE, Mode::empty())?)
        };
        Ok(Self {
            directory,
            root,
            name,
        })
    }

    /// Another name in the same directory.
    pub(crate) fn sibling<'b>(&'b self, name: &'b str) -> Place<'b> {
        Place {
            directory: None,
            root: self.as_fd(),
            name,
        }
    }
}

impl AsFd for Place<'_> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.directory.as_ref().map_or(self.root, AsFd::as_fd)
    }
}

/// Opens a relative path below a directory; an empty path is the directory.
///
/// # Errors
/// `LOOP` or `NOTDIR` when a link stands in the way, `XDEV` for a mount point.
pub(crate) fn open_beneath(
    root: BorrowedFd<'_>,
    path: &str,
    flags: OFlags,
    mode: Mode,
) -> Result<OwnedFd> {
    let path = if path.is_empty() { "." } else { path };
    let flags = flags | OFlags::CLOEXEC;
    if !STEP_BY_STEP.load(Ordering::Relaxed) {
        match open_at_once(root, path, flags, mode) {
            // Old kernels, and sandboxes that know no such call.
            Err(Errno::NOSYS | Errno::PERM) => {
                match open_at_once(root, ".", PLACE, Mode::empty()) {
                    Err(Errno::NOSYS | Errno::PERM) => STEP_BY_STEP.store(true, Ordering::Relaxed),
                    _ => return Err(Errno::PERM),
                }
            }
            result => return result,
        }
    }
    open_step_by_step(root, path, flags, mode)
}

fn open_at_once(root: BorrowedFd<'_>, path: &str, flags: OFlags, mode: Mode) -> Result<OwnedFd> {
    let resolve = ResolveFlags::BENEATH
        | ResolveFlags::NO_MAGICLINKS
        | ResolveFlags::NO_SYMLINKS
        | ResolveFlags::NO_XDEV;
    let mut result = Err(Errno::AGAIN);
    for _ in 0..RETRIES {
        result = openat2(root, path, flags, mode, resolve);
        // The kernel asks for another try when a rename came in between.
        if !matches!(result, Err(Errno::AGAIN | Errno::INTR)) {
            break;
        }
    }
    result
}

fn open_step_by_step(
    root: BorrowedFd<'_>,
    path: &str,
    flags: OFlags,
    mode: Mode,
) -> Result<OwnedFd> {
    let device = rustix::fs::fstat(root)?.st_dev;
    let mut directory: Option<OwnedFd> = None;
    let mut names = path.split('/').peekable();
    while let Some(name) = names.next() {
        let at = directory.as_ref().map_or(root, AsFd::as_fd);
        let last = names.peek().is_none();
        let step = if last { flags } else { PLACE | OFlags::CLOEXEC };
        let opened = openat(at, name, step | OFlags::NOFOLLOW, mode)?;
        if rustix::fs::fstat(&opened)?.st_dev != device {
            return Err(Errno::XDEV);
        }
        if last {
            return Ok(opened);
        }
        directory = Some(opened);
    }
    Err(Errno::NOENT)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    type Open = fn(BorrowedFd<'_>, &str, OFlags, Mode) -> Result<OwnedFd>;

    #[test]
    fn both_ways_of_opening_refuse_every_way_out() {
        let base = tempfile::tempdir().expect("temporary directory");
        let root = base.path().join("root");
        fs::create_dir_all(root.join("d/e")).expect("directories");
        fs::write(root.join("d/e/f"), "inside").expect("file");
        fs::write(base.path().join("secret"), "outside").expect("file");
        std::os::unix::fs::symlink(base.path(), root.join("d/out")).expect("link");
        std::os::unix::fs::symlink("../secret", root.join("link")).expect("link");
        let root = fs::File::open(&root).expect("root");
        for open in [open_at_once as Open, open_step_by_step as Open] {
            let read = |path| open(root.as_fd(), path, OFlags::RDONLY, Mode::empty());
            read("d/e/f").expect("inside");
            for path in ["d/out/secret", "link", "d/out"] {
                assert!(read(path).is_err(), "{path} led out");
            }
        }
    }
}
