//! Locks that name their holder.
//!
//! In: a place in the state directory. Out: a guard that holds an OS lock for its
//! life. Invariant: at most one process has a job, and one a local folder with all
//! below it; the kernel lets go when the process dies, so there is no stale lock. Deliberately
//! absent: lock files that mean something by existing, network file systems. A
//! crash leaves the file with an old text, which nobody believes without the lock.

use super::OpenError;
use crate::ports::PortError;
use journal_format::value::Timestamp;
use std::fs::{File, TryLockError};
use std::io::{ErrorKind, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

/// An OS lock on a file whose content says who has it.
#[derive(Debug)]
pub(super) struct LockFile {
    file: File,
}

impl LockFile {
    /// Takes the lock or tells who has it.
    pub(super) fn acquire(path: &Path) -> Result<Self, OpenError> {
        Self::take(path, File::try_lock)
    }

    /// Tells who has the lock, without ever having it.
    ///
    /// # Errors
    /// `Locked` when somebody has it.
    pub(super) fn look(path: &Path) -> Result<(), OpenError> {
        match File::open(path) {
            Ok(mut file) => {
                let _gate = Gate::enter(path)?;
                let free = locked(&mut file, File::try_lock_shared, path);
                file.unlock().ok();
                free
            }
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
            Err(error) => Err(OpenError::io(&error, path)),
        }
    }

    /// Takes the lock beside others who share it, or tells who has it alone.
    fn share(path: &Path) -> Result<Self, OpenError> {
        Self::take(path, File::try_lock_shared)
    }

    fn take(path: &Path, lock: fn(&File) -> Result<(), TryLockError>) -> Result<Self, OpenError> {
        let io = |error: std::io::Error| OpenError::io(&error, path);
        let mut file = File::options()
            .create(true)
            .truncate(false)
            .read(true)
            .write(true)
            .open(path)
            .map_err(io)?;
        let gate = Gate::enter(path)?;
        locked(&mut file, lock, path)?;
        drop(gate);
        file.set_len(0).map_err(io)?;
        file.rewind().map_err(io)?;
        file.write_all(own_text().as_bytes()).map_err(io)?;
        Ok(Self { file })
    }
}

/// Locks a file that is open, or tells who has it.
fn locked(
    file: &mut File,
    lock: fn(&File) -> Result<(), TryLockError>,
    path: &Path,
) -> Result<(), OpenError> {
    match lock(file) {
        Ok(()) => Ok(()),
        Err(TryLockError::WouldBlock) => Err(OpenError::Locked {
            holder: holder_text(file),
        }),
        Err(TryLockError::Error(error)) => Err(OpenError::io(&error, path)),
    }
}

/// A lock on the folder of lock files, held for the moment of one attempt.
///
/// RACE: an attempt of somebody who only looks would keep a process that starts at this
/// moment from its job, and that one would say that another has it. Nobody waits while
/// inside, so entering ends.
struct Gate(File);

impl Gate {
    fn enter(path: &Path) -> Result<Self, OpenError> {
        let folder = path.parent().unwrap_or(path);
        let entered = File::open(folder).and_then(|folder| folder.lock().map(|()| Self(folder)));
        entered.map_err(|error| OpenError::io(&error, folder))
    }
}

impl Drop for Gate {
    fn drop(&mut self) {
        self.0.unlock().ok();
    }
}

impl Drop for LockFile {
    fn drop(&mut self) {
        // Closing alone is not enough: a process that is being spawned at this
        // moment holds a copy of the descriptor until it becomes its program.
        self.file.unlock().ok();
    }
}

/// Keeps other processes away from a local folder, whatever their jobs are.
///
/// The folder itself is locked for this one alone, each folder above it together with
/// others (Gray et al., Granularity of Locks, 1976: exclusive and intention locks). So
/// siblings have their folders at a time, but nobody has one inside another's: two jobs
/// that nest copy a tree into itself.
#[derive(Debug)]
pub struct FolderLock {
    _own: LockFile,
    _above: Vec<LockFile>,
    _root: Option<LockFile>,
}

impl FolderLock {
    /// Locks the folder by its identity, so that every path to it is the same.
    ///
    /// Processes with other state directories are kept from this very folder by a lock on
    /// it, where its file system has locks; from folders around it only if they share
    /// `state_dir`.
    ///
    /// # Errors
    /// `Locked` names the holder of the folder, of one above it or of one below; `Io`
    /// when the folder or the state directory cannot be used.
    pub fn acquire(state_dir: &Path, root: &Path) -> Result<Self, OpenError> {
        let root = std::fs::canonicalize(root).map_err(|error| OpenError::io(&error, root))?;
        let locks = state_dir.join("locks");
        super::files::make_directory(&locks)?;
        let of = |folder: &Path| {
            let seen = std::fs::metadata(folder).map_err(|error| OpenError::io(&error, folder))?;
            Ok::<_, OpenError>(locks.join(format!("folder-{:x}-{:x}", seen.dev(), seen.ino())))
        };
        let own = LockFile::acquire(&of(&root)?)?;
        let above = root.ancestors().skip(1);
        let above = above.map(|folder| LockFile::share(&of(folder)?));
        Ok(Self {
            _own: own,
            _above: above.collect::<Result<_, _>>()?,
            _root: lock_root(&root)?,
        })
    }
}

/// Locks a folder itself; nothing where that cannot be done.
fn lock_root(root: &Path) -> Result<Option<LockFile>, OpenError> {
    let Ok(file) = File::open(root) else {
        return Ok(None);
    };
    match file.try_lock() {
        Ok(()) => Ok(Some(LockFile { file })),
        Err(TryLockError::WouldBlock) => Err(OpenError::Locked {
            holder: "a process with another state folder".to_owned(),
        }),
        Err(TryLockError::Error(error)) => {
            tracing::debug!(%error, "the folder's file system has no locks");
            Ok(None)
        }
    }
}

/// Reads what the holder wrote, which is bounded and may be anything.
fn holder_text(file: &mut File) -> String {
    let mut bytes = Vec::new();
    let read = file
        .seek(SeekFrom::Start(0))
        .and_then(|_| file.take(HOLDER_BYTES_MAX).read_to_end(&mut bytes));
    let text: String = String::from_utf8_lossy(&bytes)
        .chars()
        .filter(|c| !c.is_control())
        .collect();
    if read.is_err() || text.is_empty() {
        // RACE: the holder has the lock and has not written its name yet.
        return "a process that has not given its name".to_owned();
    }
    text
}

/// Names this process. The arguments are left out: they may hold a password.
#[expect(clippy::disallowed_methods, reason = "a date for people")]
fn own_text() -> String {
    let program = std::env::args_os()
        .next()
        .and_then(|path| Path::new(&path).file_name().map(std::ffi::OsStr::to_owned))
        .map_or_else(
            || "unknown".to_owned(),
            |name| name.to_string_lossy().into_owned(),
        );
    let seconds = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_secs());
    let millis = i64::try_from(seconds.saturating_mul(1000)).unwrap_or(i64::MAX);
    let (year, month, day) = Timestamp(millis).date_utc();
    let (hour, minute, second) = (seconds / 3600 % 24, seconds / 60 % 60, seconds % 60);
    format!(
        "process {} ({program}), since {year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z",
        std::process::id()
    )
}

impl From<OpenError> for PortError {
    fn from(error: OpenError) -> Self {
        Self::new(
            journal_format::event::FailureClass::Fatal,
            error.to_string(),
        )
    }
}

const HOLDER_BYTES_MAX: u64 = 512;

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicBool, Ordering};

    #[test]
    fn who_only_looks_keeps_nobody_from_the_lock() {
        let dir = tempfile::tempdir().expect("temporary folder");
        let path = dir.path().join("lock");
        let is_over = AtomicBool::new(false);
        let refused = std::thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(|| {
                    while !is_over.load(Ordering::Relaxed) {
                        LockFile::look(&path).ok();
                    }
                });
            }
            let taken = (0..2000).map(|_| LockFile::acquire(&path));
            let refused = taken.filter(Result::is_err).count();
            is_over.store(true, Ordering::Relaxed);
            refused
        });
        assert_eq!(refused, 0);
        let held = LockFile::acquire(&path).expect("free");
        assert!(LockFile::look(&path).is_err());
        drop(held);
        LockFile::look(&path).expect("free");
    }
    #[test]
    fn two_state_folders_do_not_have_one_folder_at_a_time() {
        let dir = tempfile::tempdir().expect("temporary folder");
        let [root, one, other] = ["root", "one", "other"].map(|name| dir.path().join(name));
        for folder in [&root, &one, &other] {
            std::fs::create_dir(folder).expect("a folder");
        }
        let held = FolderLock::acquire(&one, &root).expect("free");
        let refused = FolderLock::acquire(&other, &root);
        assert!(matches!(refused, Err(OpenError::Locked { .. })));
        drop(held);
        FolderLock::acquire(&other, &root).expect("free again");
    }
}
