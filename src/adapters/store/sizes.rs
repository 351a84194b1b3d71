//! What a job's directory takes on the disk.
//!
//! In: the directory. Out: bytes by what they are for. Invariant: holes are not counted.
//! Deliberately absent: the trash, which lies in the local folder.

use super::Layout;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// Bytes on the disk.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Sizes {
    /// The records, as the store keeps them.
    pub store: u64,
    /// The cached state.
    pub checkpoint: u64,
    /// Older records, as portable files.
    pub archives: u64,
    /// Copies before a recovery, journals given up.
    pub aside: u64,
}

/// Measures a job's directory; what comes and goes meanwhile may be missed.
///
/// # Errors
/// Something cannot be listed.
pub fn sizes(dir: &Path) -> io::Result<Sizes> {
    let layout = Layout::new(dir);
    Ok(Sizes {
        store: on_disk(&layout.journal)?,
        checkpoint: on_disk(&layout.checkpoint)?,
        archives: on_disk(&layout.archive)?,
        aside: on_disk(&layout.aside)?,
    })
}

/// Returns what a file or a folder takes; 0 for what is not there.
///
/// # Errors
/// Something in it cannot be listed.
pub fn on_disk(path: &Path) -> io::Result<u64> {
    let seen = match path.symlink_metadata() {
        Ok(seen) => seen,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(0),
        Err(error) => return Err(error),
    };
    if !seen.is_dir() {
        return Ok(seen.blocks().saturating_mul(512));
    }
    let entries = match std::fs::read_dir(path) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(0),
        Err(error) => return Err(error),
    };
    let mut sum = 0;
    for entry in entries {
        sum += on_disk(&entry?.path())?;
    }
    Ok(sum)
}
