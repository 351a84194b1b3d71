//! The checkpoint file: a cache of folded state, beside the journal.
//!
//! In: opaque bytes and the sequence number they cover. Out: the same, or nothing.
//! Invariant: what is returned has the hash it was written with and belongs to
//! this journal; anything else is passed over. Deliberately absent: what the
//! bytes mean, when to write. A crash leaves the old checkpoint or the new one.

use super::files;
use super::witness::{JournalId, take};
use crate::ports::Checkpoint;
use journal_format::value::Seq;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

/// Replaces the checkpoint; durable on return.
pub(super) fn save(path: &Path, id: &JournalId, checkpoint: &Checkpoint) -> io::Result<()> {
    let mut head = Vec::with_capacity(HEAD_BYTES);
    head.extend_from_slice(MAGIC);
    head.extend_from_slice(&VERSION.to_be_bytes());
    head.extend_from_slice(id);
    head.extend_from_slice(&checkpoint.seq.0.to_be_bytes());
    head.extend_from_slice(&(checkpoint.bytes.len() as u64).to_be_bytes());
    let mut hasher = blake3::Hasher::new();
    hasher.update(&head);
    hasher.update(&checkpoint.bytes);
    let hash = hasher.finalize();
    files::replace(path, &[&head, hash.as_bytes(), &checkpoint.bytes])
}

/// Reads the checkpoint if it is intact and belongs to the journal, or to any
/// journal when no id is given.
pub(super) fn load(path: &Path, id: Option<&JournalId>) -> Option<Checkpoint> {
    match read(path, id) {
        Ok(checkpoint) => checkpoint,
        Err(reason) => {
            tracing::warn!(path = %path.display(), %reason, "checkpoint passed over");
            None
        }
    }
}

fn read(path: &Path, id: Option<&JournalId>) -> Result<Option<Checkpoint>, String> {
    let mut file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error.to_string()),
    };
    let text = |error: io::Error| error.to_string();
    let mut head = [0; HEAD_BYTES];
    let mut hash = [0; 32];
    file.read_exact(&mut head).map_err(text)?;
    file.read_exact(&mut hash).map_err(text)?;
    let mut rest = head.strip_prefix(MAGIC).ok_or("it is no checkpoint")?;
    let short = "it is too short";
    let version = u16::from_be_bytes(take(&mut rest).ok_or(short)?);
    if version != VERSION {
        return Err(format!("its version is {version}, expected {VERSION}"));
    }
    let owner: JournalId = take(&mut rest).ok_or(short)?;
    if id.is_some_and(|id| *id != owner) {
        return Err("it belongs to another journal".to_owned());
    }
    let seq = Seq(u64::from_be_bytes(take(&mut rest).ok_or(short)?));
    let length = u64::from_be_bytes(take(&mut rest).ok_or(short)?);
    let there = file.metadata().map_err(text)?.len();
    // The file bounds the allocation, not the number in it.
    if Some(there) != length.checked_add(HEAD_BYTES as u64 + 32) {
        return Err(format!("it announces {length} bytes in a file of {there}"));
    }
    let length = usize::try_from(length).map_err(|error| error.to_string())?;
    let mut hasher = blake3::Hasher::new();
    hasher.update(&head);
    let mut bytes = vec![0; length];
    for piece in bytes.chunks_mut(PIECE_BYTES) {
        file.read_exact(piece).map_err(text)?;
        hasher.update(piece);
    }
    if hasher.finalize() != hash {
        return Err("its hash is wrong".to_owned());
    }
    Ok(Some(Checkpoint { seq, bytes }))
}

const MAGIC: &[u8; 8] = b"PSYNCCHK";
const VERSION: u16 = 1;
const HEAD_BYTES: usize = 8 + 2 + 16 + 8 + 8;
const PIECE_BYTES: usize = 1 << 18;
