//! The journal on disk: fjall, and around it what fjall does not do.
//!
//! In: records to append, a job's directory. Out: `ports::Store`, and the health
//! that opening found. Invariants: an acknowledged record is read back or its loss
//! is told; nothing of a journal is ever deleted or begun anew in silence; watched
//! by `tests/it/conformance_store`. Deliberately absent: what records mean, when
//! to write a checkpoint. A crash leaves a journal whose tail may be
//! cut, and a witness that says how much of it was acknowledged. A new file in the
//! job's directory gets a file here and a line in [`Layout`].
//!
//! ```text
//! <state>/jobs/<job>/lock         who has it
//!                    journal/     fjall, and `id`
//!                    witness      durable evidence of the head
//!                    mark         last acknowledged head, not synced
//!                    checkpoint   a cache
//!                    aside/       copies before a recovery, journals given up
//!                    archive/     older records, as portable files, and states
//!                    incoming/    a store that is being made out of records
//!                    copies/      what readers beside a running job look at
//! ```

mod archive;
mod build;
mod checkpoint;
mod copy;
mod engine;
mod files;
mod journal;
mod lock;
mod loose;
mod open;
mod read;
mod reader;
mod reading;
mod rescue;
mod retire;
mod salvage;
mod shelf;
mod sizes;
mod survey;
mod witness;
mod worker;
mod writer;

pub use archive::Archive;
pub use build::{Base, BuildError, build};
pub use journal::{Journal, Verified};
pub use lock::FolderLock;
pub use reading::{Entries, Missing, Reading};
pub use rescue::{Rescue, rescue};
pub use salvage::{SalvageError, Salvaged, salvage};
pub use sizes::{Sizes, on_disk, sizes};
pub use witness::JournalId;

use journal_format::value::Seq;
use std::path::{Path, PathBuf};

/// A store that was opened.
#[derive(Debug)]
pub struct Opened {
    /// The store.
    pub journal: Journal,
    /// What opening found out.
    pub health: Health,
}

/// What opening found out about the last process that had the journal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Health {
    /// It closed the journal, and everything is there.
    Clean,
    /// There was no journal; there is one now.
    Created,
    /// It did not close the journal; everything acknowledged is there.
    UncleanStop {
        /// Where the journal's files were copied to before they were opened.
        copied_aside: PathBuf,
    },
    /// Acknowledged records are missing. Told again at each open until a first
    /// record is appended.
    Shortened {
        /// The head that was acknowledged.
        expected: Seq,
        /// The head that is there.
        found: Seq,
    },
}

/// How to open a journal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Options {
    /// Whether a journal that is lost or damaged may be moved aside and a new one
    /// begun. A person's decision, never a default.
    pub accept_loss: bool,
    /// When older records leave the store, and the journal.
    pub retention: Retention,
}

/// What is kept where.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retention {
    /// Events that a checkpoint has to cover before they move to an archive.
    pub events_min: u64,
    /// What archives may take, in bytes; beyond it the oldest are dropped. The newest
    /// one stays whatever it takes.
    pub bytes_max: u64,
}

impl Default for Retention {
    fn default() -> Self {
        Self {
            events_min: 100_000,
            bytes_max: 512 << 20,
        }
    }
}

/// Why a journal was not opened. Nothing of it was changed for the worse.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process has it.
    #[error("in use by {holder}")]
    Locked {
        /// Who, as that process wrote it.
        holder: String,
    },
    /// The journal is gone or empty, and there was one.
    #[error("the journal was at event {expected} and is at event {found} now")]
    HistoryLost {
        /// The head that was acknowledged.
        expected: Seq,
        /// The head that is there.
        found: Seq,
    },
    /// The journal is there and cannot be trusted.
    #[error("journal damaged at {}: {detail}", place.display())]
    Damaged {
        /// What is wrong.
        detail: String,
        /// The file or directory.
        place: PathBuf,
    },
    /// Another program, a newer release or another journal wrote this.
    #[error("not this journal at {}: {detail}", place.display())]
    Foreign {
        /// What was found.
        detail: String,
        /// The file or directory.
        place: PathBuf,
        /// Whether a newer release wrote it, so that an upgrade helps.
        is_newer: bool,
    },
    /// The first process that was to write it was stopped before there was a record.
    #[error("the journal at {} was never begun", place.display())]
    Unbegun {
        /// The directory.
        place: PathBuf,
    },
    /// The operating system refused.
    #[error("{}: {error}", place.display())]
    Io {
        /// Its error.
        error: std::io::Error,
        /// The file or directory.
        place: PathBuf,
    },
}

impl OpenError {
    fn io(error: &std::io::Error, place: &Path) -> Self {
        // Errors are not `Clone`; kind or number, and text, are what people need.
        let error = error.raw_os_error().map_or_else(
            || std::io::Error::new(error.kind(), error.to_string()),
            std::io::Error::from_raw_os_error,
        );
        Self::Io {
            error,
            place: place.to_owned(),
        }
    }

    fn damaged(detail: impl Into<String>, place: &Path) -> Self {
        Self::Damaged {
            detail: detail.into(),
            place: place.to_owned(),
        }
    }
}

/// Returns a job's directory. Job ids are free text: what is not a plain letter,
/// digit, `-` or `_` is escaped, and a long one is cut and told apart by its hash.
#[must_use]
pub fn job_directory(state_dir: &Path, job: &str) -> PathBuf {
    state_dir.join("jobs").join(job_name(job))
}

fn job_name(job: &str) -> String {
    use std::fmt::Write;
    let mut name = String::new();
    for byte in job.bytes() {
        if byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_' {
            name.push(char::from(byte));
        } else {
            write!(name, "%{byte:02x}").expect("writing to a string cannot fail");
        }
    }
    if name.is_empty() || name.len() > JOB_NAME_BYTES_MAX {
        name.truncate(JOB_NAME_BYTES_MAX);
        let hash = blake3::hash(job.as_bytes()).to_hex();
        name.push('%');
        name.push_str(&hash[..16]);
    }
    name
}

/// Returns the job whose directory has this name; the name itself where that cannot be
/// told, because the id was cut.
#[must_use]
pub fn job_of_name(name: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = name;
    while let Some((plain, escaped)) = rest.split_once('%') {
        bytes.extend_from_slice(plain.as_bytes());
        let digits = escaped.get(..2).unwrap_or_default();
        match u8::from_str_radix(digits, 16) {
            Ok(byte) => bytes.push(byte),
            Err(_) => return name.to_owned(),
        }
        rest = &escaped[2..];
    }
    bytes.extend_from_slice(rest.as_bytes());
    match String::from_utf8(bytes) {
        Ok(job) if job_name(&job) == name => job,
        _ => name.to_owned(),
    }
}

/// Tells whether there is a journal in a job's directory, or was one.
#[must_use]
pub fn has_journal(dir: &Path) -> bool {
    let layout = Layout::new(dir);
    layout.witness.exists() || layout.journal.exists()
}

/// The places inside a job's directory.
#[derive(Debug, Clone)]
struct Layout {
    root: PathBuf,
    lock: PathBuf,
    journal: PathBuf,
    id: PathBuf,
    witness: PathBuf,
    mark: PathBuf,
    checkpoint: PathBuf,
    aside: PathBuf,
    archive: PathBuf,
    copies: PathBuf,
}

impl Layout {
    fn new(root: &Path) -> Self {
        Self {
            root: root.to_owned(),
            lock: root.join("lock"),
            journal: root.join("journal"),
            id: root.join("journal").join("id"),
            witness: root.join("witness"),
            mark: root.join("mark"),
            checkpoint: root.join("checkpoint"),
            aside: root.join("aside"),
            archive: root.join("archive"),
            copies: root.join("copies"),
        }
    }
}

const JOB_NAME_BYTES_MAX: usize = 120;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn different_jobs_have_different_plain_directories() {
        let long = "é".repeat(300);
        let longer = "é".repeat(301);
        let jobs = ["", ".", "..", "a/b", "a%2fb", "A b", &long, &longer];
        let mut seen = std::collections::BTreeSet::new();
        for job in jobs {
            let path = job_directory(Path::new("/state"), job);
            assert_eq!(path.parent(), Some(Path::new("/state/jobs")), "{job:?}");
            let name = path.file_name().and_then(|name| name.to_str());
            let name = name.expect("a name");
            assert!(name.len() < 200, "{job:?}");
            let is_cut = job.is_empty() || job.len() > JOB_NAME_BYTES_MAX;
            assert_eq!(job_of_name(name), if is_cut { name } else { job });
            assert!(seen.insert(path), "{job:?}");
        }
    }
}
