//! Replaces a small file at once.
//!
//! In: a path, bytes, permission bits. Out: the old file or the new one, whole and
//! durable. Invariant: the bytes are never readable by more people than the file is.
//! CRASH: at most a temporary file beside it, which the next replacement removes.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// Replaces a file, or creates it, with these permission bits.
///
/// A symbolic link is followed: the file it leads to is replaced.
///
/// # Errors
/// The old file is still there.
pub fn replace(path: &Path, bytes: &[u8], mode: u32) -> io::Result<()> {
    let path = match std::fs::canonicalize(path) {
        Ok(real) => real,
        Err(error) if error.kind() == io::ErrorKind::NotFound => path.to_owned(),
        Err(error) => return Err(error),
    };
    let name = path
        .file_name()
        .ok_or_else(|| io::Error::from(io::ErrorKind::InvalidFilename))?;
    let mut hidden = std::ffi::OsString::from(".");
    hidden.push(name);
    hidden.push(".new");
    let temporary = path.with_file_name(hidden);
    match std::fs::remove_file(&temporary) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        Ok(()) | Err(_) => {}
    }
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&temporary)?;
    file.write_all(bytes)?;
    let bits = std::os::unix::fs::PermissionsExt::from_mode(mode & 0o777);
    file.set_permissions(bits)?;
    file.sync_all()?;
    std::fs::rename(&temporary, &path)?;
    path.parent()
        .filter(|parent| !parent.as_os_str().is_empty())
        .map_or(Ok(()), |parent| File::open(parent)?.sync_all())
}
