//! The journal as something to look at: read from a file, counted, redacted.
//!
//! In: records, or bytes from whatever `Read` is given. Out: the same records, figures
//! about them, other records. Invariants: nothing here opens, writes or asks; memory is
//! bounded by what is asked for, not by the journal's length. Watched by the tests of
//! each file. Deliberately absent: where journals are kept (`adapters::store`), which
//! one is meant and how results are shown (`cli::journal`). A crash leaves nothing
//! behind. A new question to a journal is a file here.

mod check;
pub mod compare;
pub mod explain;
mod figures;
pub mod fixture;
pub mod minimize;
mod portable;
mod redact;
pub mod replay;
pub mod text;
pub mod undo;
pub mod verify;
pub mod what_if;

pub use check::Check;
pub use figures::{Figures, Kind};
pub use portable::{PortableReader, PortableWriter, WriteError};
pub use redact::{RedactError, Redactor};

use journal_format::event::Record;
use journal_format::portable::PortableError;
use journal_format::value::Seq;

/// A record with the bytes that it is kept as.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored {
    /// The record.
    pub record: Record,
    /// Its envelope.
    pub bytes: Vec<u8>,
}

/// Returns the running hash after one more record: `h(n) = blake3(h(n-1) ‖ record n)`,
/// `h(0)` is 32 zeros.
#[must_use]
pub fn chained(before: &[u8; 32], record: &[u8]) -> [u8; 32] {
    let mut hasher = blake3::Hasher::new();
    hasher.update(before);
    hasher.update(record);
    *hasher.finalize().as_bytes()
}

/// Why a journal could not be read on.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// A portable file is damaged, or none.
    #[error("{0}")]
    Portable(#[from] PortableError),
    /// A store is damaged.
    #[error("event {seq}: {detail}")]
    Store {
        /// The event that comes next.
        seq: Seq,
        /// What is wrong.
        detail: String,
        /// Whether a newer release wrote it, so that an upgrade helps.
        is_newer: bool,
    },
    /// The operating system refused.
    #[error("{0}")]
    Io(#[from] std::io::Error),
}

impl ReadError {
    /// Tells whether a newer release wrote the journal, so that an upgrade helps.
    #[must_use]
    pub const fn is_from_newer_release(&self) -> bool {
        match self {
            Self::Portable(error) => error.is_from_newer_release(),
            Self::Store { is_newer, .. } => *is_newer,
            Self::Io(_) => false,
        }
    }
}
