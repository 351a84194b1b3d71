//! Which files other programs have open for writing.
//!
//! In: `/proc`. Out: yes or no for a file. LIMIT: programs of other users (for
//! whoever is not root), in other mount namespaces, on other machines, and
//! memory maps whose file was closed are not seen; the comparison after reading
//! is what finds their changes. A look costs a walk of `/proc`, so its result
//! is used again for a second and is asked for young files only.

use super::folder::{Base, locked};
use super::look::{device_of, look_open};
use rustix::fs::{AtFlags, CWD, OFlags, statx};
use std::collections::HashSet;
use std::fs;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime};

type Open = Arc<HashSet<(u64, u64)>>;

/// A cache of the last look.
#[derive(Default)]
pub(crate) struct Writers(Mutex<Option<(Instant, Open)>>);

impl Writers {
    /// Tells whether a file of the root that was changed lately is open for
    /// writing in another process.
    #[expect(clippy::disallowed_methods, reason = "file times are wall clock times")]
    pub(crate) fn has_open(&self, base: &Base, file: impl rustix::fd::AsFd) -> bool {
        let Ok(stat) = look_open(file) else {
            return false;
        };
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        let now = now.map_or(0, |since| {
            i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
        });
        if now.saturating_sub(stat.stx_mtime.tv_sec) > YOUNG_S {
            return false;
        }
        self.open_files(&base.canonical)
            .contains(&(device_of(&stat), stat.stx_ino))
    }

    #[expect(clippy::disallowed_methods, reason = "ages a cache, decides nothing")]
    fn open_files(&self, root: &Path) -> Open {
        let mut cached = locked(&self.0);
        match &*cached {
            Some((when, open)) if when.elapsed() < FRESH => Arc::clone(open),
            _ => {
                let open = Arc::new(look_around(root));
                *cached = Some((Instant::now(), Arc::clone(&open)));
                open
            }
        }
    }
}

fn look_around(root: &Path) -> HashSet<(u64, u64)> {
    let own = std::process::id().to_string();
    let mut found = HashSet::new();
    for process in fs::read_dir("/proc").into_iter().flatten().flatten() {
        let name = process.file_name();
        let is_process = name
            .to_str()
            .is_some_and(|name| name != own && name.bytes().all(|byte| byte.is_ascii_digit()));
        if !is_process {
            continue;
        }
        let directory = process.path();
        for open in fs::read_dir(directory.join("fd"))
            .into_iter()
            .flatten()
            .flatten()
        {
            let link = open.path();
            // The text is compared first: a stat of a file elsewhere can hang.
            if !fs::read_link(&link).is_ok_and(|target| target.starts_with(root)) {
                continue;
            }
            if !writes(&directory.join("fdinfo").join(open.file_name())) {
                continue;
            }
            if let Ok(stat) = statx(CWD, &link, AtFlags::empty(), super::look::MASK) {
                found.insert((device_of(&stat), stat.stx_ino));
            }
        }
    }
    found
}

fn writes(fdinfo: &Path) -> bool {
    let text = fs::read_to_string(fdinfo).unwrap_or_default();
    let flags = text.lines().find_map(|line| line.strip_prefix("flags:"));
    let flags = flags.and_then(|flags| u32::from_str_radix(flags.trim(), 8).ok());
    flags.is_some_and(|flags| {
        OFlags::from_bits_retain(flags).intersects(OFlags::WRONLY | OFlags::RDWR)
    })
}

const FRESH: Duration = Duration::from_secs(1);
const YOUNG_S: i64 = 600;
