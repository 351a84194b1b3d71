//! What stands at a name, without opening it.
//!
//! In: an open directory and a name. Out: kind and fingerprint, or why it is not
//! synced. Invariant: links are not followed, nothing is opened or mounted, and the
//! time of the last status change is no part of a fingerprint.

use super::grain::Disk;
use crate::ports::Seen;
use journal_format::event::UnknownReason;
use journal_format::value::{Entry, Fingerprint, Identity, Kind};
use rustix::fd::AsFd;
use rustix::fs::{AtFlags, FileType, Statx, StatxAttributes, StatxFlags, statx};
use rustix::io::{Errno, Result};
use rustix::path::Arg;

/// Looks at a name in a directory: nothing when it is absent. Links are not
/// followed, nothing is mounted.
pub(crate) fn look(directory: impl AsFd, name: impl Arg, disk: Disk) -> Result<Option<Seen>> {
    let flags = AtFlags::SYMLINK_NOFOLLOW | AtFlags::NO_AUTOMOUNT;
    match statx(directory, name, flags, MASK) {
        Ok(stat) => Ok(Some(seen(&stat, disk))),
        Err(Errno::NOENT) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Looks at an open file.
pub(crate) fn look_open(file: impl AsFd) -> Result<Statx> {
    statx(file, c"", AtFlags::EMPTY_PATH, MASK)
}

/// Reads what a stat says.
pub(crate) fn seen(stat: &Statx, disk: Disk) -> Seen {
    let kind = match FileType::from_raw_mode(stat.stx_mode.into()) {
        FileType::RegularFile => Kind::File,
        FileType::Directory => Kind::Directory,
        FileType::Symlink => Kind::Symlink,
        _ => return Seen::Unknown(UnknownReason::UnsupportedKind),
    };
    // The device alone tells a mounted directory; for files, some stacked file
    // systems report the lower one's.
    let mounted = stat.stx_attributes.contains(StatxAttributes::MOUNT_ROOT)
        || (kind == Kind::Directory && device_of(stat) != disk.device);
    if mounted {
        return Seen::Unknown(UnknownReason::MountPoint);
    }
    Seen::Entry(disk.shown_entry(Entry {
        fingerprint: fingerprint(stat, kind),
        digest: None,
    }))
}

/// Reads the fingerprint off a stat.
pub(crate) fn fingerprint(stat: &Statx, kind: Kind) -> Fingerprint {
    let directory = kind == Kind::Directory;
    Fingerprint {
        kind,
        size: if directory { 0 } else { stat.stx_size },
        mtime_ns: if directory { 0 } else { mtime_ns(stat) },
        identity: Some(identity(stat)),
        version: None,
    }
}

/// Reads the identity off a stat.
pub(crate) fn identity(stat: &Statx) -> Identity {
    let born = StatxFlags::from_bits_retain(stat.stx_mask).contains(StatxFlags::BTIME);
    Identity {
        device: device_of(stat),
        object: stat.stx_ino,
        born_ns: if born {
            nanoseconds(stat.stx_btime.tv_sec, stat.stx_btime.tv_nsec)
        } else {
            0
        },
    }
}

/// Reads the modification time in nanoseconds since 1970.
pub(crate) fn mtime_ns(stat: &Statx) -> i64 {
    nanoseconds(stat.stx_mtime.tv_sec, stat.stx_mtime.tv_nsec)
}

/// Reads the time of the last change of any kind, a rename included.
pub(crate) fn ctime_ns(stat: &Statx) -> i64 {
    nanoseconds(stat.stx_ctime.tv_sec, stat.stx_ctime.tv_nsec)
}

/// Reads the device number.
pub(crate) fn device_of(stat: &Statx) -> u64 {
    rustix::fs::makedev(stat.stx_dev_major, stat.stx_dev_minor)
}

/// Tells whether what is there is what was expected. For directories only kind
/// and identity count.
pub(crate) fn is_expected(expect: &Fingerprint, found: &Fingerprint) -> bool {
    let same_object = expect.identity.is_none() || expect.identity == found.identity;
    let same_content = expect.kind == Kind::Directory
        || (expect.size == found.size && expect.mtime_ns == found.mtime_ns);
    expect.kind == found.kind && same_object && same_content
}

fn nanoseconds(seconds: i64, nanoseconds: u32) -> i64 {
    seconds
        .saturating_mul(1_000_000_000)
        .saturating_add(nanoseconds.into())
}

pub(crate) const MASK: StatxFlags = StatxFlags::BASIC_STATS.union(StatxFlags::BTIME);
