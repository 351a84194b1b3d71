//! The local side: a folder with a staging area and a trash.
//!
//! In: paths, expectations, slots. Out: what was seen. Invariant: each change names
//! what it expects and replaces nothing unseen; watched by the conformance suite.
//! Deliberately absent: which version wins. CRASH: slots, told by `leftovers`.

use super::{HintStream, PortResult, RootState, ScanRequest, ScanStream, Source, Task};
use journal_format::value::{DigestKind, Entry, Fingerprint, RelPath, Seq, Timestamp};

/// The local folder.
///
/// No call reads or writes outside the root, whatever links stand in the way.
/// `id` is the operation's id; each operation has one staging slot of that name
/// in `.pydio-sync/staging`. Effects are visible at once but durable only after
/// [`LocalFs::sync`], except where said otherwise.
pub trait LocalFs {
    /// Looks at the root and its marker.
    fn root(&self) -> Task<'_, RootState>;

    /// Writes the root's marker and creates `.pydio-sync`. Durable on return.
    fn claim_root<'a>(&'a self, marker: &'a str) -> Task<'a, ()>;

    /// Lists; never follows links, never crosses into another file system.
    fn scan(&self, request: ScanRequest) -> ScanStream<'_>;

    /// Starts to watch the whole tree. Changes after the first poll are hinted
    /// at, or answered by [`super::Hint::Rescan`].
    ///
    /// # Errors
    /// The platform has no watcher, or its limits do not suffice.
    fn watch(&self) -> PortResult<HintStream<'_>>;

    /// Looks at one path: nothing when it is absent.
    fn stat<'a>(&'a self, path: &'a RelPath) -> Task<'a, Option<Entry>>;

    /// Opens a file or link for reading.
    ///
    /// # Errors
    /// `Precondition` when it is not `expect`; `Retry` while another program
    /// has the file open for writing.
    fn open<'a>(&'a self, path: &'a RelPath, expect: &'a Fingerprint) -> Task<'a, Box<dyn Source>>;

    /// Reads a file or link to learn its digest.
    ///
    /// # Errors
    /// `Precondition` when it is not `expect`, before or afterwards.
    fn hash<'a>(
        &'a self,
        path: &'a RelPath,
        expect: &'a Fingerprint,
        kind: DigestKind,
    ) -> Task<'a, Entry>;

    /// Copies a source into the operation's slot, hashing on the way, with the
    /// source's time and mode, and verifies source and size. A dropped call
    /// leaves a partial slot, which [`LocalFs::leftovers`] reports; of a large source
    /// with a [`Source::beginning`] it leaves a part, with which the next call for that
    /// version goes on, in another process too.
    fn stage<'a>(&'a self, id: Seq, source: Box<dyn Source>, kind: DigestKind) -> Task<'a, Staged>;

    /// Waits until all that was staged, moved or removed before this call is
    /// durable. Calls are grouped: many waiters cost one flush.
    fn sync(&self) -> Task<'_, ()>;

    /// Renames the slot to a free path.
    ///
    /// # Errors
    /// `Precondition` when the path is taken; the slot stays.
    fn commit_new<'a>(&'a self, id: Seq, path: &'a RelPath) -> Task<'a, Entry>;

    /// Exchanges the slot with what stands at a path, right after that was seen
    /// to be `expect`. RACE: what came out may still be something else; the
    /// caller compares `out`.
    ///
    /// # Errors
    /// `Precondition` when the path is absent or is not `expect`; the slot stays.
    fn exchange<'a>(
        &'a self,
        id: Seq,
        path: &'a RelPath,
        expect: &'a Fingerprint,
    ) -> Task<'a, Exchanged>;

    /// Renames a path into the slot, right after it was seen to be `expect`.
    /// RACE: as for [`LocalFs::exchange`]; the caller compares what is returned.
    fn take<'a>(&'a self, id: Seq, path: &'a RelPath, expect: &'a Fingerprint) -> Task<'a, Entry>;

    /// Renames the slot to its last place.
    ///
    /// # Errors
    /// `Precondition` when a path is taken; the slot stays.
    fn release<'a>(&'a self, id: Seq, to: &'a Slot) -> Task<'a, Entry>;

    /// Deletes the slot's content, which the caller knows to exist elsewhere.
    fn discard(&self, id: Seq) -> Task<'_, ()>;

    /// Creates a directory at a free path.
    ///
    /// # Errors
    /// `Precondition` when the path is taken or its parent is not there.
    fn make_dir<'a>(&'a self, path: &'a RelPath) -> Task<'a, Entry>;

    /// Renames, never replacing anything, right after `from` was seen to be
    /// `expect` (for directories: kind and identity).
    fn rename<'a>(
        &'a self,
        from: &'a RelPath,
        to: &'a RelPath,
        expect: &'a Fingerprint,
    ) -> Task<'a, Entry>;

    /// Removes an empty directory.
    ///
    /// # Errors
    /// `Precondition` when it is not empty or not `expect`.
    fn remove_dir<'a>(&'a self, path: &'a RelPath, expect: &'a Fingerprint) -> Task<'a, ()>;

    /// Lists the slots that an earlier process left behind.
    fn leftovers(&self) -> Task<'_, Vec<Leftover>>;

    /// Deletes what has lain in the trash since before `before`, and the oldest
    /// beyond `bytes_max`, and parts of that age. Returns how many entries went.
    fn expire_trash(&self, before: Timestamp, bytes_max: u64) -> Task<'_, u64>;

    /// Lists the names of what lies in the trash.
    fn trash_names(&self) -> Task<'_, Vec<String>>;

    /// Renames an entry of the trash to a free path. Durable after [`LocalFs::sync`].
    ///
    /// # Errors
    /// `Precondition` when the path is taken, its parent is not there, or nothing of
    /// that name lies in the trash.
    fn restore<'a>(&'a self, name: &'a str, path: &'a RelPath) -> Task<'a, ()>;
}

/// Where a slot's content goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Slot {
    /// Into the trash, under this name (one component).
    Trash(RelPath),
    /// To a free path of the tree.
    Path(RelPath),
}

/// A slot that holds complete, verified content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Staged {
    /// The version that was read, with its digest.
    pub source: Entry,
    /// Bytes of content that were read; without those that an earlier try had read.
    pub bytes: u64,
}

/// What an exchange gave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exchanged {
    /// What stands at the path now.
    pub now: Entry,
    /// What stood there and lies in the slot now.
    pub out: Entry,
}

/// A slot of an earlier process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Leftover {
    /// The operation that used it.
    pub id: Seq,
    /// What lies in it.
    pub entry: Entry,
}
