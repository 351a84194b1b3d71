//! Counts the bytes of a transfer on their way.
//!
//! In: a source and a counter. Out: the same source. Invariant: what is read is what
//! the source gives. Deliberately absent: copies inside the kernel, which take the
//! open file and are not counted on the way.

use crate::ports::{Chunk, Source, Task};
use journal_format::value::Entry;
use std::fs::File;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Counts bytes; shared with whoever shows them.
pub type Meter = Arc<AtomicU64>;

pub(super) struct Metered {
    pub(super) source: Box<dyn Source>,
    pub(super) meter: Meter,
}

impl Source for Metered {
    fn entry(&self) -> &Entry {
        self.source.entry()
    }

    fn mode(&self) -> Option<u32> {
        self.source.mode()
    }

    fn read(&mut self) -> Task<'_, Option<Chunk>> {
        Box::pin(async {
            let chunk = self.source.read().await?;
            let bytes = chunk.as_ref().map_or(0, Chunk::len);
            let bytes = u64::try_from(bytes).unwrap_or(u64::MAX);
            self.meter.fetch_add(bytes, Ordering::Relaxed);
            Ok(chunk)
        })
    }

    fn beginning(&self) -> Option<String> {
        self.source.beginning()
    }

    fn know(&mut self, piece: &[u8]) {
        self.source.know(piece);
        let bytes = u64::try_from(piece.len()).unwrap_or(u64::MAX);
        self.meter.fetch_add(bytes, Ordering::Relaxed);
    }

    fn file(&self) -> Option<Arc<File>> {
        self.source.file()
    }

    fn verify(&mut self) -> Task<'_, ()> {
        self.source.verify()
    }
}
