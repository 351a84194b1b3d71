//! Temporary folders, memory sources and short spellings for the suites.

use futures::StreamExt;
use journal_format::value::{Digest, Entry, Fingerprint, Kind, RelPath};
use pydio_sync::ports::{
    Chunk, PortError, PortResult, ScanItem, ScanRequest, ScanStream, ScanTarget, Scope, Seen,
    Source, Task,
};
use std::collections::BTreeMap;
use std::fs::File;
use std::future::Future;
use std::io::Write;
use std::sync::Arc;

/// Runs a future the way the engine does: one thread, inside a runtime.
pub(crate) fn run<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("runtime")
        .block_on(future)
}

pub(crate) fn path(text: &str) -> RelPath {
    RelPath::new(text).expect("path")
}

pub(crate) fn target(text: &str, subtree: bool) -> ScanTarget {
    ScanTarget {
        path: path(text),
        subtree,
    }
}

pub(crate) fn request(targets: &[(&str, bool)]) -> ScanRequest {
    ScanRequest {
        targets: targets
            .iter()
            .map(|(text, subtree)| target(text, *subtree))
            .collect(),
    }
}

pub(crate) async fn items(mut stream: ScanStream<'_>) -> PortResult<Vec<ScanItem>> {
    let mut items = Vec::new();
    while let Some(batch) = stream.next().await {
        items.extend(batch?);
    }
    Ok(items)
}

/// A line for each thing a scan said, sorted: `dir/ whole`, `dir/ name ...`,
/// `dir/name kind`, `dir/name reason`, `dir unlisted reason`.
pub(crate) fn lines(items: &[ScanItem]) -> Vec<String> {
    let mut lines = Vec::new();
    for item in items {
        match item {
            ScanItem::Unlisted { directory, reason } => {
                lines.push(format!("{directory} unlisted {reason:?}"));
            }
            ScanItem::Listing(listing) => {
                let directory = &listing.directory;
                lines.push(match &listing.scope {
                    // Whether a server hides dots is known only after it was tried.
                    Scope::Whole | Scope::WholeButDots => format!("{directory}/ whole"),
                    Scope::Names(names) => format!("{directory}/ names {}", names.join(" ")),
                });
                for listed in &listing.entries {
                    let seen = match &listed.seen {
                        Seen::Entry(entry) => format!("{:?}", entry.kind()),
                        Seen::Unknown(reason) => format!("{reason:?}"),
                    };
                    lines.push(format!("{directory}/{} {seen}", listed.name));
                }
            }
        }
    }
    lines.sort();
    lines
}

/// All entries of a scan by path.
pub(crate) fn entries(items: &[ScanItem]) -> BTreeMap<String, Entry> {
    let mut entries = BTreeMap::new();
    for item in items {
        if let ScanItem::Listing(listing) = item {
            for listed in &listing.entries {
                if let Seen::Entry(entry) = &listed.seen {
                    let path = listing.directory.join(&listed.name).expect("path");
                    entries.insert(path.as_str().to_owned(), entry.clone());
                }
            }
        }
    }
    entries
}

pub(crate) fn blake3(bytes: &[u8]) -> Option<Digest> {
    Some(Digest::Blake3(*blake3::hash(bytes).as_bytes()))
}

/// Content that does something before each of its pieces.
pub(crate) struct Watched<F: FnMut()>(pub(crate) Box<dyn Source>, pub(crate) F);

impl<F: FnMut()> Source for Watched<F> {
    fn entry(&self) -> &Entry {
        self.0.entry()
    }

    fn mode(&self) -> Option<u32> {
        None
    }

    fn read(&mut self) -> Task<'_, Option<Chunk>> {
        (self.1)();
        self.0.read()
    }

    fn file(&self) -> Option<Arc<File>> {
        None
    }

    fn verify(&mut self) -> Task<'_, ()> {
        self.0.verify()
    }
}

/// Content in memory, in pieces, with a change at the end if asked for.
pub(crate) struct Memory {
    entry: Entry,
    chunks: Vec<Chunk>,
    changes: bool,
    file: Option<Arc<File>>,
}

impl Memory {
    pub(crate) fn boxed(kind: Kind, bytes: &[u8], piece: usize) -> Box<dyn Source> {
        Box::new(Self::new(kind, bytes, piece))
    }

    pub(crate) fn file(bytes: &[u8]) -> Box<dyn Source> {
        Self::boxed(Kind::File, bytes, 1 << 16)
    }

    /// A source with a file behind it.
    pub(crate) fn on_disk(bytes: &[u8]) -> Box<dyn Source> {
        Self::on_disk_but(bytes, bytes)
    }

    /// A source whose file held something else when it was looked at before.
    pub(crate) fn on_disk_but(before: &[u8], bytes: &[u8]) -> Box<dyn Source> {
        let mut memory = Self::new(Kind::File, bytes, 1 << 16);
        let mut file = tempfile::tempfile().expect("file");
        file.write_all(before).expect("content");
        memory.file = Some(Arc::new(file));
        Box::new(memory)
    }

    /// A source that turns out to have changed while it was read.
    pub(crate) fn changing(bytes: &[u8]) -> Box<dyn Source> {
        let mut memory = Self::new(Kind::File, bytes, 1 << 16);
        memory.changes = true;
        Box::new(memory)
    }

    /// A source that announces another size than it has.
    pub(crate) fn lying(bytes: &[u8], size: u64) -> Box<dyn Source> {
        let mut memory = Self::new(Kind::File, bytes, 1 << 16);
        memory.entry.fingerprint.size = size;
        Box::new(memory)
    }

    fn new(kind: Kind, bytes: &[u8], piece: usize) -> Self {
        let mut chunks: Vec<Chunk> = bytes.chunks(piece).map(Chunk::copy_from_slice).collect();
        chunks.reverse();
        Self {
            entry: Entry {
                fingerprint: Fingerprint {
                    kind,
                    size: bytes.len() as u64,
                    mtime_ns: MTIME_NS,
                    identity: None,
                    version: None,
                },
                digest: None,
            },
            chunks,
            changes: false,
            file: None,
        }
    }
}

impl Source for Memory {
    fn entry(&self) -> &Entry {
        &self.entry
    }

    fn mode(&self) -> Option<u32> {
        (self.entry.kind() == Kind::File).then_some(0o4751)
    }

    fn read(&mut self) -> Task<'_, Option<Chunk>> {
        Box::pin(async move {
            if self.chunks.is_empty() && self.changes {
                return Err(PortError::precondition("it changed"));
            }
            Ok(self.chunks.pop())
        })
    }

    fn file(&self) -> Option<Arc<File>> {
        self.file.clone()
    }

    fn verify(&mut self) -> Task<'_, ()> {
        Box::pin(async { Ok(()) })
    }
}

impl Memory {
    /// The modification time of every one, in seconds.
    pub(crate) const MTIME_S: u64 = MTIME_NS.unsigned_abs() / 1_000_000_000;
}

/// The modification time of every [`Memory`].
pub(crate) const MTIME_NS: i64 = 1_500_000_000_123_456_000;
