//! Disks whose times of modification are coarse.
//!
//! In: a root, times of modification. Out: times that tell whether the file may still
//! change without a sign: within the step of its own time an edit of equal size leaves
//! the same time. Such a time is shown a nanosecond later than it is, which no coarse
//! disk can keep; once the step is over the file shows its own time, differs, and is
//! hashed. Invariant: what is `young` is not copied, replaced or removed. Deliberately absent:
//! disks with fine times, where nothing changes. LIMIT: times more than a minute ahead
//! are not young. CRASH: a file named `grain` in `.pydio-sync`, which is used again.

use super::beneath::{CONTROL, Place, open_beneath};
use super::folder::Base;
use super::look::{look_open, mtime_ns};
use super::probe::mtime_step;
use journal_format::value::{Entry, Kind};
use rustix::fd::AsFd;
use rustix::fs::{AtFlags, Mode, OFlags, unlinkat};
use rustix::io::{Errno, Result};
use std::time::{SystemTime, UNIX_EPOCH};

/// What a look needs to know of a disk.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Disk {
    /// The root's device; 0 when it does not matter.
    pub(crate) device: u64,
    /// How times are kept; nothing where they are fine or nobody asks.
    pub(crate) grain: Option<Grain>,
}

/// How a coarse disk keeps times.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Grain {
    /// The step of times, in nanoseconds.
    pub(crate) step_ns: i64,
    /// How far the disk's clock is ahead of ours, in nanoseconds.
    pub(crate) ahead_ns: i64,
}

impl Grain {
    /// Returns for how long a file of this time may change without a sign, in
    /// nanoseconds; nothing when it cannot any more.
    pub(crate) fn young_for_ns(self, mtime_ns: i64, now_ns: i64) -> Option<i64> {
        let left = mtime_ns
            .saturating_add(self.step_ns)
            .saturating_sub(now_ns.saturating_add(self.ahead_ns));
        (left > 0 && left <= self.step_ns + AHEAD_MAX_NS).then_some(left)
    }
}

impl Disk {
    /// Shows a time of modification.
    pub(crate) fn shown(self, mtime_ns: i64) -> i64 {
        let young = self
            .grain
            .and_then(|grain| grain.young_for_ns(mtime_ns, now_ns()));
        young.map_or(mtime_ns, |_| mtime_ns + MARK_NS)
    }

    /// Shows an entry whose time was read as it is.
    pub(crate) fn shown_entry(self, mut entry: Entry) -> Entry {
        if entry.kind() != Kind::Directory {
            entry.fingerprint.mtime_ns = self.shown(entry.fingerprint.mtime_ns);
        }
        entry
    }

    /// Returns for how many milliseconds what was just looked at is young.
    pub(crate) fn young_for_ms(self, found: &Entry) -> Option<u64> {
        let grain = self.grain.filter(|_| found.kind() != Kind::Directory)?;
        let mtime_ns = found.fingerprint.mtime_ns;
        let own_ns = mtime_ns - mtime_ns.rem_euclid(grain.step_ns);
        let left = grain.young_for_ns(own_ns, now_ns())?;
        u64::try_from(left / 1_000_000 + 1).ok()
    }
}

/// Finds out how a claimed root's disk keeps times, by trying.
pub(crate) fn measure(base: &Base) -> Result<Option<Grain>> {
    let place = Place::within(base.as_fd(), CONTROL, "")?;
    let remove = || match unlinkat(place.as_fd(), FILE, AtFlags::empty()) {
        Ok(()) | Err(Errno::NOENT) => Ok(()),
        Err(error) => Err(error),
    };
    remove()?;
    let flags = OFlags::RDWR | OFlags::CREATE | OFlags::EXCL;
    let file = open_beneath(place.as_fd(), FILE, flags, Mode::RUSR | Mode::WUSR)?;
    let made_ns = mtime_ns(&look_open(&file)?);
    let ahead_ns = made_ns - now_ns();
    let step_ns = mtime_step(&file)?;
    remove()?;
    // What rounding explains is no other clock.
    let is_other = ahead_ns.saturating_abs() > step_ns;
    Ok((step_ns >= COARSE_NS).then_some(Grain {
        step_ns,
        ahead_ns: if is_other { ahead_ns } else { 0 },
    }))
}

#[expect(
    clippy::disallowed_methods,
    reason = "how old a time is, on the clock that made it"
)]
fn now_ns() -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    now.map_or(0, |now| i64::try_from(now.as_nanos()).unwrap_or(i64::MAX))
}

/// Below this a file settles for longer before it is read.
const COARSE_NS: i64 = 100_000_000;
/// Clocks of two machines are rarely further apart.
const AHEAD_MAX_NS: i64 = 60_000_000_000;
const MARK_NS: i64 = 1;
const FILE: &str = "grain";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_young_within_the_step_of_its_time_on_the_disks_own_clock() {
        let second = 1_000_000_000;
        let grain = |ahead_ns| Grain {
            step_ns: 2 * second,
            ahead_ns,
        };
        let rows = [
            ("just written", 100, 101, 0, true),
            ("the step is over", 100, 102, 0, false),
            ("a little ahead of us", 105, 101, 0, true),
            ("far ahead of us", 1_000, 101, 0, false),
            ("the disk's clock is ahead", 1_100, 101, 1_000, true),
            (
                "the disk's clock is ahead, and the step over",
                1_100,
                103,
                1_000,
                false,
            ),
        ];
        for (name, mtime_s, now_s, ahead_s, young) in rows {
            let left = grain(ahead_s * second).young_for_ns(mtime_s * second, now_s * second);
            assert_eq!(left.is_some(), young, "{name}");
        }
    }
}
