//! The row operations on disk, one line of JSON each.
//!
//! In: operations. Out: them again. Invariant: the n-th line made the n-th change, since
//! each operation writes exactly one. Crash: a last line that was cut is dropped.
//! Deliberately absent: syncing; what a test server loses in a power cut nobody misses.

use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::table::RowOp;

/// The file.
pub(super) struct Journal(Mutex<File>);

impl Journal {
    /// Opens it and reads what it holds.
    pub(super) fn open(path: &Path) -> io::Result<(Self, Vec<RowOp>)> {
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(path)?;
        let (ops, end) = read(&mut file)?;
        file.set_len(end)?;
        file.seek(SeekFrom::End(0))?;
        Ok((Self(Mutex::new(file)), ops))
    }

    /// Appends what `take` hands out, which is called with the file held: operations
    /// come in the order in which they were applied.
    pub(super) fn write(&self, take: impl FnOnce() -> Vec<RowOp>) {
        let mut file = self.lock();
        let mut lines = Vec::new();
        for op in take() {
            if serde_json::to_writer(&mut lines, &op).is_ok() {
                lines.push(b'\n');
            }
        }
        if !lines.is_empty() {
            // A full disk costs the index its memory, as it would a real server.
            drop(file.write_all(&lines));
        }
    }

    /// Keeps the first operations only and returns them.
    pub(super) fn cut(&self, keep: usize) -> io::Result<Vec<RowOp>> {
        let mut file = self.lock();
        let (mut ops, _) = read(&mut file)?;
        ops.truncate(keep);
        let mut lines = Vec::new();
        for op in &ops {
            serde_json::to_writer(&mut lines, op)?;
            lines.push(b'\n');
        }
        file.set_len(0)?;
        file.seek(SeekFrom::Start(0))?;
        file.write_all(&lines)?;
        Ok(ops)
    }

    fn lock(&self) -> MutexGuard<'_, File> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The operations in a file, and where the last whole one ends.
fn read(file: &mut File) -> io::Result<(Vec<RowOp>, u64)> {
    let mut text = Vec::new();
    file.seek(SeekFrom::Start(0))?;
    file.read_to_end(&mut text)?;
    let mut ops = Vec::new();
    let mut end = 0;
    for line in text.split_inclusive(|byte| *byte == b'\n') {
        if !line.ends_with(b"\n") {
            break;
        }
        let Ok(op) = serde_json::from_slice(line) else {
            break;
        };
        ops.push(op);
        end += line.len() as u64;
    }
    Ok((ops, end))
}
