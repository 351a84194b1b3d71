//! Small durable file work: replace at once, move aside, copy aside.
//!
//! In: paths and bytes of the store's own directory. Out: files that are either
//! the old or the new version, whole. Invariant: nothing here deletes a journal
//! file that was not copied or moved first. Deliberately absent: knowledge of
//! what the files hold. A crash leaves at most one `.new` file, which the next
//! replacement overwrites.

use super::OpenError;
use rustix::fs::SeekFrom;
use std::fs::{DirBuilder, File};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// Makes a directory and its parents, readable by its owner only.
pub(super) fn make_directory(path: &Path) -> Result<(), OpenError> {
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)
        .map_err(|error| OpenError::io(&error, path))
}

/// Makes what was renamed or created in a directory survive a power loss.
pub(super) fn sync_directory(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

/// Replaces a file by the given parts, one after another; durable on return.
pub(super) fn replace(path: &Path, parts: &[&[u8]]) -> io::Result<()> {
    let temporary = path.with_extension("new");
    let mut file = File::options()
        .create(true)
        .truncate(true)
        .write(true)
        .mode(0o600)
        .open(&temporary)?;
    for part in parts {
        file.write_all(part)?;
    }
    file.sync_data()?;
    drop(file);
    std::fs::rename(&temporary, path)?;
    path.parent().map_or(Ok(()), sync_directory)
}

/// Reads a file if it is there and not longer than `max` bytes.
pub(super) fn read_bounded(path: &Path, max: u64) -> io::Result<Option<Vec<u8>>> {
    use std::io::Read;
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let mut bytes = Vec::new();
    file.take(max.saturating_add(1)).read_to_end(&mut bytes)?;
    Ok(Some(bytes))
}

/// Makes the directory `<aside>/<kind>-<n>` with the next free number.
pub(super) fn next_aside(aside: &Path, kind: &str) -> Result<PathBuf, OpenError> {
    make_directory(aside)?;
    let newest = numbered(aside, kind)?.pop().map_or(0, |(number, _)| number);
    let path = aside.join(format!("{kind}-{:06}", newest.saturating_add(1)));
    make_directory(&path)?;
    Ok(path)
}

/// Removes all but the newest `keep` directories of one kind.
pub(super) fn keep_newest(aside: &Path, kind: &str, keep: usize) -> Result<(), OpenError> {
    let all = numbered(aside, kind)?;
    let excess = all.len().saturating_sub(keep);
    for (_, path) in all.into_iter().take(excess) {
        std::fs::remove_dir_all(&path).map_err(|error| OpenError::io(&error, &path))?;
    }
    Ok(())
}

/// Copies the data of a file, not its holes; durable on return.
pub(super) fn copy_sparse(from: &Path, to: &Path) -> io::Result<()> {
    copy_data(from, to)?.sync_all()
}

/// Copies the data of a file, not its holes; not durable yet.
pub(super) fn copy_data(from: &Path, to: &Path) -> io::Result<File> {
    let source = File::open(from)?;
    let target = File::options()
        .create_new(true)
        .write(true)
        .mode(0o600)
        .open(to)?;
    let length = source.metadata()?.len();
    if rustix::fs::ioctl_ficlone(&target, &source).is_ok() {
        return Ok(target);
    }
    target.set_len(length)?;
    let mut buffer = vec![0; COPY_BYTES];
    let mut position = 0;
    while let Some((start, end)) = next_data(&source, position, length)? {
        let mut at = start;
        while at < end {
            let want = usize::try_from(end - at).map_or(COPY_BYTES, |left| left.min(COPY_BYTES));
            let got = source.read_at(&mut buffer[..want], at)?;
            if got == 0 {
                break;
            }
            target.write_all_at(&buffer[..got], at)?;
            at += got as u64;
        }
        position = end;
    }
    Ok(target)
}

/// Returns the next stretch of a file that is no hole.
fn next_data(file: &File, from: u64, length: u64) -> io::Result<Option<(u64, u64)>> {
    if from >= length {
        return Ok(None);
    }
    match rustix::fs::seek(file, SeekFrom::Data(from)) {
        Ok(start) => {
            let end = rustix::fs::seek(file, SeekFrom::Hole(start)).unwrap_or(length);
            Ok(Some((start, end.clamp(start, length))))
        }
        Err(rustix::io::Errno::NXIO) => Ok(None),
        // The file system does not know holes: all of it is data.
        Err(rustix::io::Errno::INVAL) => Ok(Some((from, length))),
        Err(error) => Err(error.into()),
    }
}

/// Lists the directories `<kind>-<n>`, oldest first.
fn numbered(aside: &Path, kind: &str) -> Result<Vec<(u64, PathBuf)>, OpenError> {
    let io = |error: io::Error| OpenError::io(&error, aside);
    let mut found = Vec::new();
    for entry in std::fs::read_dir(aside).map_err(io)? {
        let entry = entry.map_err(io)?;
        let name = entry.file_name();
        let number = name
            .to_str()
            .and_then(|name| name.strip_prefix(kind)?.strip_prefix('-')?.parse().ok());
        if let Some(number) = number {
            found.push((number, entry.path()));
        }
    }
    found.sort();
    Ok(found)
}

const COPY_BYTES: usize = 1 << 20;
