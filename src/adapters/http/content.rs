//! Content on its way to a server.
//!
//! In: a source. Out: its pieces, and the hash of them. Invariant: the last piece is
//! given only after the source was seen to end as announced and unchanged and after the
//! last look, so a version that changed meanwhile never arrives whole. Deliberately
//! absent: how it is sent (`feed`). Leaves nothing behind.

use super::hashing::Hashing;
use crate::adapters::digest::Hasher;
use crate::ports::{PortError, PortResult, Source};
use bytes::Bytes;
use futures::future::LocalBoxFuture;
use journal_format::event::FailureClass;
use journal_format::value::{Digest, DigestKind};
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

/// A file's content, read once and hashed on the way.
pub(crate) struct Content<'a> {
    source: Box<dyn Source>,
    /// What must go well right before the last piece is handed over.
    gate: Option<LocalBoxFuture<'a, PortResult<()>>>,
    current: Bytes,
    hashing: Hashing,
    kind: DigestKind,
    done: u64,
    size: u64,
}

impl<'a> Content<'a> {
    /// Takes a source, to be hashed with a function.
    pub(crate) fn new(source: Box<dyn Source>, kind: DigestKind) -> Self {
        let size = source.entry().fingerprint.size;
        Self {
            source,
            gate: None,
            current: Bytes::new(),
            hashing: Hashing::new(kind, size),
            kind,
            done: 0,
            size,
        }
    }

    /// Puts a last look before the last piece.
    pub(crate) fn guard(&mut self, gate: LocalBoxFuture<'a, PortResult<()>>) {
        self.gate = Some(gate);
    }

    /// Reads at most `max` bytes on; nothing at the end.
    ///
    /// # Errors
    /// As the source fails; `Precondition` when it is longer or shorter than it said;
    /// as the last look says.
    pub(crate) async fn next(&mut self, max: usize) -> PortResult<Option<Bytes>> {
        if self.done == self.size && self.size > 0 {
            return Ok(None);
        }
        while self.current.is_empty() {
            match self.source.read().await? {
                Some(chunk) => self.current = chunk,
                None if self.done == self.size => return Ok(None),
                None => return Err(changed("ended early")),
            }
        }
        let piece = self.current.split_to(max.min(self.current.len()));
        let done = self.done + piece.len() as u64;
        let is_longer = done > self.size
            || done == self.size
                && (!self.current.is_empty() || self.source.read().await?.is_some());
        if is_longer {
            return Err(changed("went on"));
        }
        if done == self.size
            && let Some(gate) = self.gate.take()
        {
            gate.await?;
        }
        self.hashing.update(&piece);
        self.done = done;
        Ok(Some(piece))
    }

    /// Reads everything.
    pub(crate) async fn all(&mut self) -> PortResult<Vec<u8>> {
        let mut bytes = Vec::new();
        while let Some(piece) = self.next(PIECE_BYTES).await? {
            bytes.extend_from_slice(&piece);
        }
        Ok(bytes)
    }

    /// Returns the hash of the first bytes without reading on; nothing where there
    /// is no file to read them from.
    pub(crate) async fn beginning(&self, bytes: u64) -> PortResult<Option<Digest>> {
        let Some(file) = self.source.file() else {
            return Ok(None);
        };
        let kind = self.kind;
        let work = tokio::task::spawn_blocking(move || hash_beginning(&file, bytes, kind));
        match work.await {
            Ok(Ok(digest)) => Ok(Some(digest)),
            Ok(Err(error)) => Err(changed(&format!("cannot be read: {error}"))),
            Err(_) => Err(PortError::new(FailureClass::Fatal, "a hash was given up")),
        }
    }

    /// Reads the first bytes without sending them, and returns their hash.
    pub(crate) async fn skip(&mut self, bytes: u64) -> PortResult<Option<Digest>> {
        let mut beginning = Hasher::new(self.kind);
        let mut left = bytes;
        while left > 0 {
            let max = usize::try_from(left)
                .unwrap_or(PIECE_BYTES)
                .min(PIECE_BYTES);
            let Some(piece) = self.next(max).await? else {
                return Ok(None);
            };
            beginning.update(&piece);
            left -= piece.len() as u64;
        }
        Ok(Some(beginning.finish()))
    }

    /// Returns the hash of what was read.
    pub(crate) fn finish(self) -> Digest {
        self.hashing.finish()
    }
}

fn hash_beginning(file: &File, bytes: u64, kind: DigestKind) -> io::Result<Digest> {
    let mut hasher = Hasher::new(kind);
    let mut piece = vec![0; PIECE_BYTES];
    let mut done = 0;
    while done < bytes {
        let most = usize::try_from(bytes - done).unwrap_or(PIECE_BYTES);
        let read = file.read_at(&mut piece[..most.min(PIECE_BYTES)], done)?;
        if read == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        hasher.update(&piece[..read]);
        done += read as u64;
    }
    Ok(hasher.finish())
}

pub(super) fn changed(how: &str) -> PortError {
    PortError::precondition(format!("the content {how}: it changed while it was read"))
}

/// The largest piece that is handed on at once.
pub(super) const PIECE_BYTES: usize = 64 * 1024;

#[cfg(test)]
pub(super) mod tests;
