//! Watches one side of a running sync.
//!
//! In: a folder. Out: when a file of a given name appeared in it. Invariant: the
//! watch stands before the file is made, so that no appearance is missed. A wait is
//! bounded: what does not appear is an error, not a hang.

use super::Result;
use super::process::{now, readable};
use rustix::fs::inotify::{self, CreateFlags, Reader, WatchFlags};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;
use std::time::{Duration, Instant};

/// How long a file may take to appear.
const APPEAR_MAX: Duration = Duration::from_secs(60);

/// A folder under observation.
pub(super) struct Watch {
    handle: OwnedFd,
}

impl Watch {
    /// Watches for names that are complete: moved in, or closed after writing.
    pub(super) fn new(folder: &Path) -> Result<Self> {
        let handle = inotify::init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK)?;
        let flags = WatchFlags::MOVED_TO | WatchFlags::CLOSE_WRITE;
        inotify::add_watch(&handle, folder, flags)?;
        Ok(Self { handle })
    }

    /// The moment at which `name` was complete.
    pub(super) fn appearance(&self, name: &str) -> Result<Instant> {
        let end = now() + APPEAR_MAX;
        let mut buffer = [MaybeUninit::uninit(); 4096];
        loop {
            let left = end.saturating_duration_since(now());
            if !readable(self.handle.as_fd(), left)? {
                return Err(format!("{name} did not appear in {} s", APPEAR_MAX.as_secs()).into());
            }
            let moment = now();
            let mut reader = Reader::new(&self.handle, &mut buffer);
            loop {
                let event = match reader.next() {
                    Ok(event) => event,
                    Err(rustix::io::Errno::AGAIN) => break,
                    Err(error) => return Err(error.into()),
                };
                if event
                    .file_name()
                    .is_some_and(|found| found.to_bytes() == name.as_bytes())
                {
                    return Ok(moment);
                }
            }
        }
    }
}
