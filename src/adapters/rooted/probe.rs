//! What the disk under a root can do, found out by trying.
//!
//! In: a root whose control directory exists. Out: plain facts. CRASH: files
//! named `probe-*` in `.pydio-sync` stay, and the next probe removes them.

use super::beneath::{CONTROL, Place, open_beneath};
use super::folder::{Base, Folder};
use super::look::{look_open, mtime_ns};
use crate::ports::PortResult;
use rustix::fd::AsFd;
use rustix::fs::{
    AtFlags, Mode, OFlags, RenameFlags, Timespec, Timestamps, futimens, renameat_with, statx,
    symlinkat, unlinkat,
};
use rustix::io::{Errno, Result};

/// What a disk can do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Probes {
    /// Names that differ in case only are one name.
    pub fold_case: bool,
    /// Names that differ in Unicode normalisation only are one name.
    pub fold_normalization: bool,
    /// The step of modification times, in nanoseconds.
    pub mtime_step_ns: i64,
    /// A rename can be told to replace nothing.
    pub rename_noreplace: bool,
    /// Two names can be exchanged at once.
    pub rename_exchange: bool,
    /// Symbolic links can be made.
    pub symlinks: bool,
}

impl Default for Probes {
    /// What the usual Linux disks can do.
    fn default() -> Self {
        Self {
            fold_case: false,
            fold_normalization: false,
            mtime_step_ns: 1,
            rename_noreplace: true,
            rename_exchange: true,
            symlinks: true,
        }
    }
}

impl Folder {
    /// Tries what the disk can do: nothing before the root was claimed.
    pub(crate) fn probe(&self) -> PortResult<Option<Probes>> {
        let base = self.base()?;
        Ok(try_all(&base).ok())
    }
}

fn try_all(base: &Base) -> Result<Probes> {
    let place = Place::within(base.as_fd(), CONTROL, "")?;
    let place = place.as_fd();
    let clear = || {
        for name in [UPPER, LOWER, COMPOSED, DECOMPOSED, LINK] {
            match unlinkat(place, name, AtFlags::empty()) {
                Ok(()) | Err(Errno::NOENT) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    };
    let make = |name: &str| {
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::EXCL;
        open_beneath(place, name, flags, Mode::RUSR | Mode::WUSR)
    };
    let there =
        |name: &str| statx(place, name, AtFlags::SYMLINK_NOFOLLOW, super::look::MASK).is_ok();
    clear()?;
    let file = make(LOWER)?;
    make(COMPOSED)?;
    let fold_case = there(UPPER);
    let fold_normalization = there(DECOMPOSED);
    let mtime_step_ns = mtime_step(&file)?;
    let rename = |flags| renameat_with(place, LOWER, place, COMPOSED, flags);
    let rename_noreplace = rename(RenameFlags::NOREPLACE) == Err(Errno::EXIST);
    let rename_exchange = rename(RenameFlags::EXCHANGE).is_ok();
    let symlinks = symlinkat(LOWER, place, LINK).is_ok();
    clear()?;
    Ok(Probes {
        fold_case,
        fold_normalization,
        mtime_step_ns,
        rename_noreplace,
        rename_exchange,
        symlinks,
    })
}

pub(super) fn mtime_step(file: impl AsFd) -> Result<i64> {
    let time = Timespec {
        tv_sec: 1_600_000_001,
        tv_nsec: 123_456_789,
    };
    futimens(
        &file,
        &Timestamps {
            last_access: time,
            last_modification: time,
        },
    )?;
    let kept = mtime_ns(&look_open(&file)?);
    let steps = [1, 100, 1_000, 1_000_000, 10_000_000, 1_000_000_000];
    let fits = |step: &i64| kept == 1_600_000_001_123_456_789 / step * step;
    Ok(steps.into_iter().find(fits).unwrap_or(2_000_000_000))
}

const LOWER: &str = "probe-a";
const UPPER: &str = "PROBE-A";
const COMPOSED: &str = "probe-\u{e9}";
const DECOMPOSED: &str = "probe-e\u{301}";
const LINK: &str = "probe-link";
