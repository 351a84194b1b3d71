//! The root's state and its marker file `.pydio-sync/root`.
//!
//! In: a folder. Out: what stands at its path, and the id in its marker.
//! Invariant: a marker that cannot be read or parsed is never reported as no
//! marker. CRASH: a half-written marker has a temporary name, which the next
//! claim replaces.

use super::beneath::{CONTROL, LISTED, Place, STAGING, TRASH, open_beneath};
use super::fault::{fault, unsupported};
use super::folder::{Base, Folder};
use crate::ports::{PortError, PortResult, RootState};
use journal_format::event::FailureClass;
use rustix::fd::AsFd;
use rustix::fs::{AtFlags, Mode, OFlags, RawDir, fsync, mkdirat, renameat, stat, unlinkat};
use rustix::io::Errno;
use std::fs::File;
use std::io::{Read, Write};

impl Folder {
    /// Looks at the root; from now on the directory that stands there is used.
    pub(crate) fn root_state(&self) -> PortResult<RootState> {
        match stat(&self.path) {
            Ok(stat) if rustix::fs::FileType::from_raw_mode(stat.st_mode).is_dir() => {}
            Ok(_) => return Ok(RootState::NotADirectory),
            Err(Errno::NOENT | Errno::NOTDIR) => return Ok(RootState::Missing),
            Err(error) => return Ok(RootState::Unreadable(error.to_string())),
        }
        let base = match self.renew() {
            Ok(base) => base,
            Err(_) if matches!(stat(&self.path), Err(Errno::NOENT | Errno::NOTDIR)) => {
                return Ok(RootState::Missing);
            }
            Err(error) => return unreadable(error),
        };
        if let Err(error) = list_a_little(&base) {
            return unreadable(fault(error, "the folder"));
        }
        match read_marker(&base) {
            Ok(marker) => {
                if marker.is_some() {
                    base.learn_grain();
                }
                Ok(RootState::Present { marker })
            }
            Err(error) => unreadable(error),
        }
    }

    /// Creates the control directories and writes the marker, durably.
    pub(crate) fn claim(&self, marker: &str) -> PortResult<()> {
        if !is_marker(marker) {
            return Err(unsupported(
                "a root's marker is 1 to 256 visible ASCII characters",
            ));
        }
        let base = self.renew()?;
        for path in [CONTROL, STAGING, TRASH] {
            let (parent, name) = path.rsplit_once('/').unwrap_or(("", path));
            let place = Place::within(base.as_fd(), parent, name);
            let made = place.and_then(|place| match mkdirat(&place, name, Mode::RWXU) {
                Ok(()) | Err(Errno::EXIST) => Ok(()),
                Err(error) => Err(error),
            });
            made.map_err(|error| fault(error, path))?;
        }
        write_marker(&base, marker).map_err(|error| fault(error, MARKER))?;
        base.learn_grain();
        Ok(())
    }
}

fn write_marker(base: &Base, marker: &str) -> std::io::Result<()> {
    let control = open_beneath(base.as_fd(), CONTROL, LISTED, Mode::empty())?;
    match unlinkat(&control, TEMPORARY, AtFlags::empty()) {
        Ok(()) | Err(Errno::NOENT) => {}
        Err(error) => return Err(error.into()),
    }
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL;
    let file = open_beneath(control.as_fd(), TEMPORARY, flags, Mode::RUSR | Mode::WUSR)?;
    let mut file = File::from(file);
    file.write_all(marker.as_bytes())?;
    file.sync_all()?;
    renameat(&control, TEMPORARY, &control, "root")?;
    fsync(&control)?;
    for path in [STAGING, TRASH] {
        fsync(open_beneath(base.as_fd(), path, LISTED, Mode::empty())?)?;
    }
    fsync(base.as_fd())?;
    Ok(())
}

fn read_marker(base: &Base) -> PortResult<Option<String>> {
    let flags = OFlags::RDONLY | OFlags::NONBLOCK;
    let file = match open_beneath(base.as_fd(), MARKER, flags, Mode::empty()) {
        Ok(file) => File::from(file),
        Err(Errno::NOENT) => return Ok(None),
        Err(error) => return Err(fault(error, MARKER)),
    };
    let mut text = String::new();
    file.take(MARKER_BYTES_MAX as u64 + 1)
        .read_to_string(&mut text)
        .map_err(|error| fault(error, MARKER))?;
    if is_marker(&text) {
        Ok(Some(text))
    } else {
        Err(unsupported(format!("{MARKER} is damaged")))
    }
}

fn is_marker(text: &str) -> bool {
    (1..=MARKER_BYTES_MAX).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic())
}

/// What passes, such as a want of file descriptors, says nothing of the root.
fn unreadable(error: PortError) -> PortResult<RootState> {
    if error.class == FailureClass::Retry {
        return Err(error);
    }
    Ok(RootState::Unreadable(error.message))
}

fn list_a_little(base: &Base) -> rustix::io::Result<()> {
    // A descriptor of its own: the root's one keeps no reading position.
    let directory = open_beneath(base.as_fd(), "", LISTED, Mode::empty())?;
    let mut buffer = Vec::with_capacity(1024);
    RawDir::new(directory, buffer.spare_capacity_mut())
        .next()
        .map_or(Ok(()), |entry| entry.map(drop))
}

const MARKER: &str = ".pydio-sync/root";
const TEMPORARY: &str = "root.new";
const MARKER_BYTES_MAX: usize = 256;
