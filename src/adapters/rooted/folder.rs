//! A folder on a disk, opened once and looked at again before each use.
//!
//! In: the root's path. Out: an open root for one operation, and threads to do
//! blocking work on. Invariant: once a root was seen, another directory at its
//! path is not used before [`Folder::renew`] was asked for it, so that an
//! unmounted disk never gets files written into its mount point. Deliberately
//! absent: what is done below the root (the sibling modules). Leaves nothing
//! behind.

use super::fault::{fatal, fault};
use super::filter::Filter;
use super::flush::Pending;
use super::grain::{Disk, Grain, measure};
use super::lane::Lane;
use super::look::{device_of, look_open};
use super::writers::Writers;
use crate::ports::{PortError, PortResult};
use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
use rustix::fs::{Mode, OFlags, fstatfs, open, stat};
use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use tokio::sync::oneshot;

/// What both kinds of folder can be told.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// What is left out.
    pub filter: Filter,
}

/// A folder with a control directory in it.
pub(crate) struct Folder {
    /// Where the root is, absolute.
    pub(crate) path: PathBuf,
    /// What is left out.
    pub(crate) filter: Filter,
    /// Who has files open for writing.
    pub(crate) writers: Writers,
    /// What is not durable yet.
    pub(crate) pending: Mutex<Pending>,
    /// Staged slots of this process; true when a flush failed since.
    pub(crate) staged: Mutex<HashMap<String, bool>>,
    /// Parts that are being written to.
    pub(crate) parts: Mutex<HashSet<String>>,
    base: Mutex<Option<Arc<Base>>>,
    /// Where short work is done.
    pub(crate) short_work: Arc<Lane>,
    long_work: Arc<Lane>,
}

/// An open root.
pub(crate) struct Base {
    fd: OwnedFd,
    /// The root's device.
    pub(crate) device: u64,
    inode: u64,
    /// The root's path as the kernel spells it.
    pub(crate) canonical: PathBuf,
    quick_stats: bool,
    /// How times are kept, once that was tried.
    grain: OnceLock<Option<Grain>>,
}

impl AsFd for Base {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

impl Base {
    /// Returns what looks need to know of the disk.
    pub(crate) fn disk(&self) -> Disk {
        Disk {
            device: self.device,
            grain: self.grain.get().copied().flatten(),
        }
    }

    /// Tries how the disk keeps times, once; the root was claimed.
    pub(crate) fn learn_grain(&self) {
        if self.grain.get().is_none()
            && let Ok(grain) = measure(self)
        {
            self.grain.get_or_init(|| grain);
        }
    }
}

impl Folder {
    /// Makes a folder; the root need not be there yet.
    ///
    /// # Errors
    /// The path is relative and the working directory is gone.
    pub(crate) fn new(path: &Path, options: Options) -> PortResult<Arc<Self>> {
        let path = std::path::absolute(path).map_err(|error| fault(error, path.display()))?;
        Ok(Arc::new(Self {
            path,
            filter: options.filter,
            writers: Writers::default(),
            pending: Mutex::default(),
            staged: Mutex::default(),
            parts: Mutex::default(),
            base: Mutex::default(),
            short_work: Lane::new(SHORT_WORK_MAX),
            long_work: Lane::new(LONG_WORK_MAX),
        }))
    }

    /// Returns the open root.
    ///
    /// # Errors
    /// `Precondition` when it is missing or another directory stands there.
    pub(crate) fn base(&self) -> PortResult<Arc<Base>> {
        let cached = self.opened_before();
        match cached {
            None => self.renew(),
            Some(base) if self.stands_for(&base)? => Ok(base),
            Some(_) => Err(PortError::precondition(format!(
                "{}: another directory stands where the root was",
                self.path.display()
            ))),
        }
    }

    /// Returns the open root, the one that stands there now.
    ///
    /// # Errors
    /// `Precondition` when it is missing; else as it cannot be opened.
    pub(crate) fn renew(&self) -> PortResult<Arc<Base>> {
        if let Some(base) = self.opened_before()
            && self.stands_for(&base)?
        {
            return Ok(base);
        }
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let fd = open(&self.path, flags, Mode::empty()).map_err(|error| self.fault(error))?;
        let stat = look_open(&fd).map_err(|error| self.fault(error))?;
        let link = format!("/proc/self/fd/{}", rustix::fd::AsRawFd::as_raw_fd(&fd));
        let base = Arc::new(Base {
            device: device_of(&stat),
            inode: stat.stx_ino,
            canonical: std::fs::read_link(link).unwrap_or_else(|_| self.path.clone()),
            quick_stats: fstatfs(&fd).is_ok_and(|fs| ON_DISK.contains(&fs.f_type)),
            grain: OnceLock::new(),
            fd,
        });
        *locked(&self.base) = Some(Arc::clone(&base));
        Ok(base)
    }

    /// Returns the root as it was opened last, wherever that directory is now.
    pub(crate) fn opened_before(&self) -> Option<Arc<Base>> {
        locked(&self.base).clone()
    }

    fn stands_for(&self, base: &Base) -> PortResult<bool> {
        let stat = stat(&self.path).map_err(|error| self.fault(error))?;
        Ok(stat.st_dev == base.device && stat.st_ino == base.inode)
    }

    fn fault(&self, error: rustix::io::Errno) -> PortError {
        fault(error, self.path.display())
    }

    /// Does blocking work on a thread of the pool, few at a time.
    pub(crate) async fn run<T: Send + 'static>(
        self: &Arc<Self>,
        work: impl FnOnce(&Arc<Self>) -> PortResult<T> + Send + 'static,
    ) -> PortResult<T> {
        let folder = Arc::clone(self);
        self.short_work.run(move || work(&folder)).await
    }

    /// As [`Folder::run`], for work that reads or writes much content: it must
    /// not keep the short work waiting.
    pub(crate) async fn run_long<T: Send + 'static>(
        self: &Arc<Self>,
        work: impl FnOnce(&Arc<Self>) -> PortResult<T> + Send + 'static,
    ) -> PortResult<T> {
        let folder = Arc::clone(self);
        self.long_work.run(move || work(&folder)).await
    }

    /// As [`Folder::run`], for work that waits for a peer most of the time. It has a thread
    /// of its own: on a thread that others wait for it could wait for what they hold.
    pub(crate) async fn run_waiting<T: Send + 'static>(
        self: &Arc<Self>,
        work: impl FnOnce(&Arc<Self>) -> PortResult<T> + Send + 'static,
    ) -> PortResult<T> {
        let folder = Arc::clone(self);
        let (sender, receiver) = oneshot::channel();
        let work = move || {
            // Whoever is gone by now wants nothing begun.
            if !sender.is_closed() {
                drop(sender.send(work(&folder)));
            }
        };
        let thread = std::thread::Builder::new().name("write".to_owned());
        thread
            .spawn(work)
            .map_err(|error| fault(error, "no thread"))?;
        receiver
            .await
            .map_err(|_| fatal("work on a folder stopped"))?
    }

    /// Tells whether a stat of a file in use never hangs.
    pub(crate) fn has_quick_stats(&self) -> bool {
        self.opened_before().is_some_and(|base| base.quick_stats)
    }

    /// Does work that is a few stats of files in use: at once on a disk of this
    /// machine, on a thread where a stat can hang.
    pub(crate) async fn run_stats<T: Send + 'static>(
        self: &Arc<Self>,
        work: impl FnOnce(&Arc<Self>) -> PortResult<T> + Send + 'static,
    ) -> PortResult<T> {
        if self.has_quick_stats() {
            work(self)
        } else {
            self.run(work).await
        }
    }
}

/// Locks, also after a panic elsewhere: what is locked here is always whole.
pub(crate) fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

const SHORT_WORK_MAX: usize = 3;
const LONG_WORK_MAX: usize = 3;

/// The magic numbers of ext4, xfs, btrfs, f2fs, tmpfs and overlayfs.
const ON_DISK: [i64; 6] = [
    0xEF53,
    0x5846_5342,
    0x9123_683E,
    0xF2F5_2010,
    0x0102_1994,
    0x794C_7630,
];
