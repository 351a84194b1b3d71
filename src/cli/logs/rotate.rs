//! A log file that does not grow without end.
//!
//! In: whole lines. Out: `FILE`, and `FILE.1` (newest) to `FILE.8`, of 4 MiB each, as
//! the old client kept them. Invariants: a line is never divided between files; the
//! files together stay bounded whatever fails. Deliberately absent: compression. A
//! crash between two renames leaves a number out, which the next rotation closes.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// Writes lines; begins a new file when the one at hand is full.
#[derive(Debug)]
pub(super) struct Rotating {
    path: PathBuf,
    file: File,
    bytes: u64,
    bytes_max: u64,
}

impl Rotating {
    /// Opens or creates a log file; readable by its owner only, since it holds paths.
    ///
    /// # Errors
    /// As the disk says.
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        Self::with(path, BYTES_MAX)
    }

    fn with(path: &Path, bytes_max: u64) -> io::Result<Self> {
        let file = append_to(path)?;
        // A pipe or a terminal has no length and no older files.
        let metadata = file.metadata()?;
        let bytes_max = if metadata.is_file() {
            bytes_max
        } else {
            u64::MAX
        };
        Ok(Self {
            path: path.to_owned(),
            bytes: metadata.len(),
            file,
            bytes_max,
        })
    }

    fn rotate(&mut self) -> io::Result<()> {
        for number in (1..FILES_MAX).rev() {
            let older = numbered(&self.path, number + 1);
            match std::fs::rename(numbered(&self.path, number), older) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                Ok(()) | Err(_) => {}
            }
        }
        std::fs::rename(&self.path, numbered(&self.path, 1))?;
        self.file = append_to(&self.path)?;
        Ok(())
    }
}

impl Write for Rotating {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let length = line.len() as u64;
        if self.bytes > 0 && self.bytes.saturating_add(length) > self.bytes_max {
            if self.rotate().is_err() {
                // Old lines are worth less than the space that they would take for ever.
                self.file.set_len(0)?;
            }
            self.bytes = 0;
        }
        self.file.write_all(line)?;
        self.bytes = self.bytes.saturating_add(length);
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

fn append_to(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.create(true).append(true).mode(0o600).open(path)
}

fn numbered(path: &Path, number: u32) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{number}"));
    PathBuf::from(name)
}

const BYTES_MAX: u64 = 4 << 20;
const FILES_MAX: u32 = 8;

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(path: &Path) -> Vec<String> {
        let text = std::fs::read_to_string(path).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }

    #[test]
    fn the_newest_lines_are_kept_whole_in_a_bounded_number_of_files() {
        let dir = tempfile::tempdir().expect("temporary folder");
        let path = dir.path().join("log");
        let mut log = Rotating::with(&path, 100).expect("opened");
        for number in 0..1000 {
            writeln!(log, "line {number:04}").expect("written");
            if number == 500 {
                log = Rotating::with(&path, 100).expect("opened again");
            }
        }
        let files = std::fs::read_dir(dir.path()).expect("a folder").count();
        assert_eq!(files, 9);
        let mut kept = Vec::new();
        for number in (1..=FILES_MAX).rev() {
            kept.extend(lines(&numbered(&path, number)));
        }
        kept.extend(lines(&path));
        let first = 1000 - kept.len();
        let expected: Vec<_> = (first..1000)
            .map(|number| format!("line {number:04}"))
            .collect();
        assert_eq!(kept, expected);
        assert!(kept.len() > 80, "{}", kept.len());
    }

    #[test]
    fn a_line_longer_than_a_file_is_written_whole() {
        let dir = tempfile::tempdir().expect("temporary folder");
        let path = dir.path().join("log");
        let mut log = Rotating::with(&path, 10).expect("opened");
        let long = "x".repeat(1000);
        for line in [long.as_str(), "next"] {
            log.write_all(format!("{line}\n").as_bytes())
                .expect("written");
        }
        assert_eq!(lines(&numbered(&path, 1)), [long]);
        assert_eq!(lines(&path), ["next"]);
    }

    #[test]
    fn a_log_that_cannot_be_rotated_stays_bounded() {
        let dir = tempfile::tempdir().expect("temporary folder");
        let path = dir.path().join("log");
        // A folder with something in it cannot be renamed over.
        std::fs::create_dir_all(numbered(&path, 1).join("taken")).expect("a folder");
        std::fs::create_dir_all(numbered(&path, 2).join("taken")).expect("a folder");
        let mut log = Rotating::with(&path, 100).expect("opened");
        for number in 0..100 {
            writeln!(log, "line {number:04}").expect("written");
        }
        assert!(std::fs::metadata(&path).expect("a file").len() <= 100);
        assert_eq!(lines(&path).last().map(String::as_str), Some("line 0099"));
    }
}
