//! Making a store out of records that are there already.
//!
//! In: records from 1 on, where a job has no journal. Out: its store. Invariants: never
//! over a journal; the store gets its place when it is whole and durable; the next open
//! is told that later events may be missing, so that nothing is deleted unasked. Watched
//! by `tests/it/journal`. Deliberately absent: where the records come from. CRASH: leaves
//! `incoming/`, which the next one removes, or a whole store that tells the loss.

use super::engine::{self, Engine, Look};
use super::lock::LockFile;
use super::open::new_id;
use super::witness::{Chain, Witness};
use super::{Layout, OpenError, archive, checkpoint, files};
use crate::journal::chained;
use crate::journal::{ReadError, Stored};
use crate::ports::Checkpoint;
use fjall::Slice;
use journal_format::value::Seq;
use std::path::Path;

/// Why no store was made. The job has none.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// The job's directory cannot be used.
    #[error("{0}")]
    Open(#[from] OpenError),
    /// The job has a journal.
    #[error("there is a journal already")]
    Exists,
    /// The records do not begin with the first.
    #[error("the first record is {0}, expected 1")]
    NotFirst(Seq),
    /// They cannot be read.
    #[error("{0}")]
    Read(#[from] ReadError),
    /// They cannot be written.
    #[error("the store cannot be written: {0}")]
    Write(String),
}

/// What records go on from that do not begin with the first.
#[derive(Debug, Clone)]
pub struct Base {
    /// The state that the events before them fold to.
    pub state: Checkpoint,
    /// The journal's running hash there; zeros where it is not known.
    pub before: [u8; 32],
}

/// Makes a job's store. The records follow `base`, or begin with the first. `expected` is
/// the head that is known to have been acknowledged, if that is beyond the last record.
/// Returns the number of records.
///
/// # Errors
/// See [`BuildError`].
pub fn build(
    dir: &Path,
    records: impl Iterator<Item = Result<Stored, ReadError>>,
    expected: Option<Seq>,
    base: Option<Base>,
) -> Result<Seq, BuildError> {
    let layout = Layout::new(dir);
    files::make_directory(&layout.root)?;
    let lock = LockFile::acquire(&layout.lock)?;
    if layout.witness.exists() {
        return Err(BuildError::Exists);
    }
    let base = base.map(|base| (base.state, base.before));
    let built = into(&layout, records, expected, base);
    drop(lock);
    built
}

/// As [`build`], for whoever has the lock; evidence of an earlier journal is replaced. The
/// records follow `base`, a state and the running hash there, or begin with the first.
pub(super) fn into(
    layout: &Layout,
    records: impl Iterator<Item = Result<Stored, ReadError>>,
    expected: Option<Seq>,
    base: Option<(Checkpoint, Chain)>,
) -> Result<Seq, BuildError> {
    let is_empty = engine::look(&layout.journal)? == Look::Empty;
    if !is_empty || layout.archive.exists() {
        return Err(BuildError::Exists);
    }
    let incoming = layout.root.join("incoming");
    let io = |error: std::io::Error| BuildError::Open(OpenError::io(&error, &incoming));
    if incoming.exists() {
        std::fs::remove_dir_all(&incoming).map_err(io)?;
    }
    let id = new_id()?;
    files::make_directory(&incoming)?;
    let mut start = Witness::new(id);
    if let Some((state, chain)) = &base {
        (start.head, start.chain) = (state.seq, *chain);
    }
    let written = fill(&incoming, start, records);
    let witness = match written {
        Ok(witness) => witness,
        Err(error) => {
            std::fs::remove_dir_all(&incoming).ok();
            return Err(error);
        }
    };
    files::replace(&incoming.join("id"), &[&id]).map_err(io)?;
    if let Some((state, _)) = &base {
        files::make_directory(&layout.archive)?;
        let path = archive::checkpoint_path(&layout.archive, state.seq);
        checkpoint::save(&path, &id, state).map_err(io)?;
    }
    // The evidence before the store: alone it says that everything was lost.
    let lost = expected.map_or(Seq::ZERO, |seq| seq.max(witness.head.next()));
    let head = witness.head;
    let witness = Witness { lost, ..witness };
    witness.save(&layout.witness).map_err(io)?;
    if layout.journal.exists() {
        std::fs::remove_dir(&layout.journal).map_err(io)?;
    }
    std::fs::rename(&incoming, &layout.journal).map_err(io)?;
    files::sync_directory(&layout.root).map_err(io)?;
    Ok(head)
}

/// Writes records into a new engine; durable on return.
fn fill(
    place: &Path,
    mut witness: Witness,
    records: impl Iterator<Item = Result<Stored, ReadError>>,
) -> Result<Witness, BuildError> {
    let engine = Engine::open(place)?;
    let mut batch: Vec<(Seq, Slice)> = Vec::new();
    let mut bytes = 0;
    let write = |batch: &mut Vec<(Seq, Slice)>| {
        let done = engine.commit(batch);
        batch.clear();
        done.map_err(|error| BuildError::Write(error.to_string()))
    };
    for read in records {
        let stored = read?;
        if stored.record.seq != witness.head.next() {
            return Err(BuildError::NotFirst(stored.record.seq));
        }
        witness.head = stored.record.seq;
        witness.last = *blake3::hash(&stored.bytes).as_bytes();
        witness.chain = chained(&witness.chain, &stored.bytes);
        bytes += stored.bytes.len();
        batch.push((stored.record.seq, stored.bytes.into()));
        if batch.len() >= BATCH_RECORDS || bytes >= BATCH_BYTES {
            write(&mut batch)?;
            bytes = 0;
        }
    }
    if !batch.is_empty() {
        write(&mut batch)?;
    }
    engine.settle();
    Ok(witness)
}

const BATCH_RECORDS: usize = 8192;
const BATCH_BYTES: usize = 8 << 20;
