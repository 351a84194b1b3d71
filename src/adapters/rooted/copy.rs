//! Moves bytes into a slot and hashes them.
//!
//! In: an open file or pieces of content. Out: their hash and count. A disk that
//! shares blocks copies nothing; otherwise large files are read and written
//! here and hashed on a second thread, from the same buffers. Invariant: memory
//! is bounded whatever the size; holes stay holes, in steps of a buffer.

use crate::adapters::digest::{Hasher, digest_of};
use crate::ports::Chunk;
use journal_format::value::{Digest, DigestKind};
use rustix::fs::{ftruncate, ioctl_ficlone};
use std::fs::File;
use std::io::{self, ErrorKind};
use std::os::unix::fs::FileExt;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel, sync_channel};
use std::thread::Builder;
use tokio::sync::mpsc;

/// Content up to this size is read, hashed and written at once.
pub(crate) const SMALL_BYTES: u64 = 1024 * 1024;

/// What was written.
pub(crate) struct Content {
    /// The digest of the written bytes.
    pub(crate) digest: Digest,
    /// How many they are.
    pub(crate) bytes: u64,
}

/// Copies a file of a known size: nothing when it is shorter.
pub(crate) fn copy_file(
    source: &File,
    slot: &File,
    size: u64,
    kind: DigestKind,
) -> io::Result<Option<Content>> {
    if size <= SMALL_BYTES {
        return copy_small(source, slot, size, kind);
    }
    let digest = match ioctl_ficlone(slot, source) {
        // The copy is hashed, not the source, which may change meanwhile.
        Ok(()) => pump(slot, None, size, kind)?,
        Err(_) => pump(source, Some(slot), size, kind)?,
    };
    Ok(digest.map(|digest| Content {
        digest,
        bytes: size,
    }))
}

/// Writes pieces that are all there.
pub(crate) fn write_small(chunks: &[Chunk], slot: &File, kind: DigestKind) -> io::Result<Content> {
    let mut writer = Writer::new(slot, kind);
    chunks.iter().try_for_each(|chunk| writer.write(chunk))?;
    writer.finish()
}

/// What is there already of a content that comes in pieces.
pub(crate) struct Beginning<'a> {
    /// So many of the first bytes, which are hashed only.
    pub(crate) known: u64,
    /// Hears of how many are durable.
    pub(crate) note: &'a (dyn Fn(u64) + Sync),
}

/// Writes pieces as they come, hashing them on another thread. What is large is made
/// durable on a third while more comes, so that little is left to wait for at the end.
pub(crate) fn write_stream(
    mut chunks: mpsc::Receiver<Chunk>,
    slot: &File,
    kind: DigestKind,
    Beginning { known, note }: Beginning<'_>,
) -> io::Result<Content> {
    std::thread::scope(|scope| {
        let (written, to_hash) = sync_channel::<Chunk>(CHUNKS_AHEAD);
        let hasher = Builder::new().spawn_scoped(scope, move || {
            let mut hasher = Hasher::new(kind);
            to_hash.iter().for_each(|chunk| hasher.update(&chunk));
            hasher.finish()
        })?;
        let (grown, to_flush) = sync_channel::<u64>(1);
        // A failed flush is told once only: so it fails the whole.
        let flush = move || {
            to_flush.iter().try_for_each(|bytes| {
                slot.sync_data()?;
                note(bytes);
                io::Result::Ok(())
            })
        };
        let flusher = Builder::new().spawn_scoped(scope, flush)?;
        let stopped = || io::Error::other("hashing stopped");
        let (mut bytes, mut flushed) = (0, known);
        while let Some(chunk) = chunks.blocking_recv() {
            if bytes >= known {
                slot.write_all_at(&chunk, bytes)?;
            }
            bytes += chunk.len() as u64;
            written.send(chunk).map_err(|_| stopped())?;
            if bytes.saturating_sub(flushed) >= FLUSH_BYTES {
                flushed = bytes;
                // While one is under way, the next takes this along.
                grown.try_send(bytes).ok();
            }
        }
        drop((written, grown));
        let flushing = flusher.join();
        flushing.map_err(|_| io::Error::other("a flush stopped"))??;
        let digest = hasher.join().map_err(|_| stopped())?;
        Ok(Content { digest, bytes })
    })
}

struct Writer<'a> {
    slot: &'a File,
    hasher: Hasher,
    bytes: u64,
}

impl<'a> Writer<'a> {
    fn new(slot: &'a File, kind: DigestKind) -> Self {
        Self {
            slot,
            hasher: Hasher::new(kind),
            bytes: 0,
        }
    }

    fn write(&mut self, chunk: &[u8]) -> io::Result<()> {
        self.slot.write_all_at(chunk, self.bytes)?;
        self.hasher.update(chunk);
        self.bytes += chunk.len() as u64;
        Ok(())
    }

    fn finish(self) -> io::Result<Content> {
        Ok(Content {
            digest: self.hasher.finish(),
            bytes: self.bytes,
        })
    }
}

fn copy_small(
    source: &File,
    slot: &File,
    size: u64,
    kind: DigestKind,
) -> io::Result<Option<Content>> {
    let mut buffer = vec![0; usize::try_from(size).unwrap_or(0)];
    if !read_at(source, &mut buffer, 0)? {
        return Ok(None);
    }
    slot.write_all_at(&buffer, 0)?;
    Ok(Some(Content {
        digest: digest_of(kind, &buffer),
        bytes: size,
    }))
}

/// Reads a file, hashing it on another thread and writing it where asked for.
fn pump(
    source: &File,
    slot: Option<&File>,
    size: u64,
    kind: DigestKind,
) -> io::Result<Option<Digest>> {
    std::thread::scope(|scope| {
        let (filled, to_hash) = channel::<(Arc<Vec<u8>>, usize)>();
        let (hashed, free) = channel::<()>();
        let hash = move || hash_all(&to_hash, &hashed, kind);
        let hasher = Builder::new().spawn_scoped(scope, hash)?;
        let complete = read_all(source, slot, size, &filled, &free);
        drop(filled);
        let digest = hasher
            .join()
            .map_err(|_| io::Error::other("hashing stopped"))?;
        Ok(complete?.then_some(digest))
    })
}

fn hash_all(
    to_hash: &Receiver<(Arc<Vec<u8>>, usize)>,
    hashed: &Sender<()>,
    kind: DigestKind,
) -> Digest {
    let mut hasher = Hasher::new(kind);
    for (buffer, length) in to_hash {
        hasher.update(&buffer[..length]);
        drop(buffer);
        // The reader is gone after an error; then nobody needs the buffer.
        if hashed.send(()).is_err() {
            break;
        }
    }
    hasher.finish()
}

/// Returns false when the file is shorter than its size.
fn read_all(
    source: &File,
    slot: Option<&File>,
    size: u64,
    filled: &Sender<(Arc<Vec<u8>>, usize)>,
    free: &Receiver<()>,
) -> io::Result<bool> {
    let mut ring: Vec<Arc<Vec<u8>>> = Vec::new();
    let mut offset = 0;
    let mut turn = 0;
    while offset < size {
        if ring.len() < BUFFERS {
            ring.push(Arc::new(vec![0; BUFFER_BYTES]));
        } else {
            free.recv()
                .map_err(|_| io::Error::other("hashing stopped"))?;
        }
        let buffer = &mut ring[turn % BUFFERS];
        turn += 1;
        let length = usize::try_from(size - offset)
            .unwrap_or(usize::MAX)
            .min(BUFFER_BYTES);
        let bytes = Arc::get_mut(buffer).expect("buffers are hashed in turn");
        if !read_at(source, &mut bytes[..length], offset)? {
            return Ok(false);
        }
        let handed = filled.send((Arc::clone(buffer), length));
        handed.map_err(|_| io::Error::other("hashing stopped"))?;
        if let Some(slot) = slot
            && !is_hole(&buffer[..length])
        {
            slot.write_all_at(&buffer[..length], offset)?;
        }
        offset += length as u64;
    }
    if let Some(slot) = slot {
        // Gives the last hole its length.
        ftruncate(slot, size)?;
    }
    Ok(true)
}

fn is_hole(bytes: &[u8]) -> bool {
    bytes
        .chunks(ZEROS.len())
        .all(|piece| piece == &ZEROS[..piece.len()])
}

fn read_at(file: &File, buffer: &mut [u8], offset: u64) -> io::Result<bool> {
    match file.read_exact_at(buffer, offset) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == ErrorKind::UnexpectedEof => Ok(false),
        Err(error) => Err(error),
    }
}

static ZEROS: [u8; 4096] = [0; 4096];
/// So much is written between two flushes at least.
const FLUSH_BYTES: u64 = 16 * 1024 * 1024;
/// Chunks that wait to be hashed.
const CHUNKS_AHEAD: usize = 4;
const BUFFERS: usize = 16;
const BUFFER_BYTES: usize = 128 * 1024;

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicU64, Ordering};

    #[test]
    fn what_comes_in_pieces_is_written_and_hashed_whole_however_often_it_is_flushed() {
        let file = tempfile::tempfile().expect("a file");
        let chunk = |n: u64| Chunk::from(vec![n.to_le_bytes()[0]; 1 << 20]);
        let count = 2 * (FLUSH_BYTES >> 20) + 3;
        let (sender, receiver) = mpsc::channel(2);
        let feeding =
            std::thread::spawn(move || (0..count).try_for_each(|n| sender.blocking_send(chunk(n))));
        let noted = AtomicU64::new(0);
        let none = Beginning {
            known: 0,
            note: &|bytes| noted.store(bytes, Ordering::Relaxed),
        };
        let content = write_stream(receiver, &file, DigestKind::Blake3, none).expect("content");
        feeding.join().expect("a thread").expect("all was taken");
        let durable = noted.into_inner();
        assert!(
            durable >= FLUSH_BYTES && durable <= content.bytes,
            "{durable}"
        );
        assert_eq!(content.bytes, count << 20);
        let mut hasher = Hasher::new(DigestKind::Blake3);
        (0..count).for_each(|n| hasher.update(&chunk(n)));
        assert_eq!(content.digest, hasher.finish());
        let mut last = vec![0; 1 << 20];
        file.read_exact_at(&mut last, (count - 1) << 20)
            .expect("the last piece");
        assert_eq!(last, chunk(count - 1));
    }
}
