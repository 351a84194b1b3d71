//! The remote side: a server, or another folder.
//!
//! In: paths, expectations, content. Out: what was seen. Invariant: a write is whole
//! or not at all, and what it replaces is what was expected. Deliberately absent: a
//! trash and slots, which are local. A new kind of remote is an adapter and a line in
//! the conformance suite, not a new trait.

use super::{Hint, HintStream, PortResult, RootState, ScanRequest, ScanStream, Source, Task};
use journal_format::event::{Expected, Fact, Kept};
use journal_format::value::{DigestKind, Entry, Fingerprint, RelPath, Seq};

/// A remote tree. A new one is an adapter that passes the conformance suite.
///
/// No call reads or writes outside the remote root. Effects are durable after
/// [`Remote::sync`], except where said otherwise.
pub trait Remote {
    /// Returns what this remote can do; constant while the adapter lives.
    fn capabilities(&self) -> &Capabilities;

    /// Tells whether names that differ in case only are one, where that has to be tried;
    /// asked before anything is known of what the root holds. May leave a folder of ours.
    ///
    /// # Errors
    /// It cannot be tried; nothing follows from that.
    fn folds_case(&self) -> Task<'_, bool> {
        Box::pin(async { Ok(self.capabilities().fold_case) })
    }

    /// Takes over what an earlier process found out about this remote by trying. What
    /// does not fit any more is forgotten, and tried again.
    fn recall(&self, facts: &[Fact]) {
        let _unused = facts;
    }

    /// Returns what was found out by trying since this was last asked; nothing for
    /// nothing new. At most 64 facts.
    fn found_out(&self) -> Option<Vec<Fact>> {
        None
    }

    /// Looks at the root and its marker.
    fn root(&self) -> Task<'_, RootState>;

    /// Writes the root's marker. Durable on return.
    fn claim_root<'a>(&'a self, marker: &'a str) -> Task<'a, ()>;

    /// Lists.
    fn scan(&self, request: ScanRequest) -> ScanStream<'_>;

    /// Starts to watch or to follow the change feed.
    ///
    /// # Errors
    /// `Unsupported` when only periodic scans are possible.
    fn watch(&self) -> PortResult<HintStream<'_>>;

    /// Returns the remote's own account of what changed, where it keeps one. With
    /// it [`Remote::watch`] is not used, and starts need no scan of everything.
    fn feed(&self) -> Option<&dyn Feed> {
        None
    }

    /// Looks at one path: nothing when it is absent.
    fn stat<'a>(&'a self, path: &'a RelPath) -> Task<'a, Option<Entry>>;

    /// Opens a file or link for reading.
    ///
    /// # Errors
    /// `Precondition` when it is not `expect`.
    fn open<'a>(&'a self, path: &'a RelPath, expect: &'a Fingerprint) -> Task<'a, Box<dyn Source>>;

    /// Learns a digest, by asking or by fetching.
    ///
    /// # Errors
    /// `Precondition` when the path is not `expect`, before or afterwards.
    fn hash<'a>(
        &'a self,
        path: &'a RelPath,
        expect: &'a Fingerprint,
        kind: DigestKind,
    ) -> Task<'a, Entry>;

    /// Writes a file or link whole or not at all, and verifies it.
    ///
    /// # Errors
    /// `Precondition` when what stands at the path is not what the request
    /// expects; `InDoubt` when the answer was lost. The old version is then
    /// still there or was replaced whole.
    fn put<'a>(&'a self, request: PutRequest<'a>) -> Task<'a, Put>;

    /// Waits until all that succeeded before this call is durable.
    fn sync(&self) -> Task<'_, ()>;

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

    /// Removes a file, a link or an empty directory that is `expect`.
    ///
    /// # Errors
    /// `Precondition` when it is something else or a directory with entries.
    fn remove<'a>(&'a self, id: Seq, path: &'a RelPath, expect: &'a Fingerprint) -> Task<'a, ()>;

    /// Clears what earlier processes left half done (temporary files). Whatever
    /// could be a user's bytes is put back beside its place, never deleted.
    fn tidy_up(&self) -> Task<'_, ()>;
}

/// A remote's own account of what changed on it, read on from a cursor. It says
/// where to look, never what is there.
pub trait Feed {
    /// Returns the places that may have changed since the cursor was taken; with
    /// no cursor, none and the newest cursor. Reads only.
    ///
    /// # Errors
    /// As the remote fails; nothing was then missed, the same cursor serves again.
    /// `Unsupported` when there is no feed after all.
    fn since<'a>(&'a self, cursor: Option<&'a str>) -> Task<'a, Changes>;

    /// Tells whether it says where to look. One that does not says only whether the remote
    /// went back in time: it is read before each scan, and scans are as without a feed.
    fn tells_places(&self) -> bool {
        true
    }

    /// Tells whether own changes since the last reading would make the next process look
    /// at more than reading on now does.
    fn is_behind(&self) -> bool {
        false
    }
}

/// What a feed told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Changes {
    /// Where to look; [`Hint::Rescan`] when the feed cannot be read on from the
    /// cursor, or when what it stands for (root, filter) is not the same any more.
    pub hints: Vec<Hint>,
    /// Where to read on; at most 4096 bytes, without credentials.
    pub cursor: String,
    /// Set when the remote's account went back in time, with what showed it.
    pub rolled_back: Option<String>,
}

/// What a remote can do, as data: planning reads this, never a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Capabilities {
    /// The hash function whose digests it gives or verifies.
    pub digest: DigestKind,
    /// Whether it can hold symbolic links.
    pub symlinks: bool,
    /// Whether names that differ in case only are one name.
    pub fold_case: bool,
    /// Whether [`Remote::watch`] can work.
    pub watch: bool,
}

/// A write to a remote.
pub struct PutRequest<'a> {
    /// The operation's id, for temporary names.
    pub id: Seq,
    /// Where.
    pub path: &'a RelPath,
    /// What.
    pub source: Box<dyn Source>,
    /// What must be there right before.
    pub replaces: &'a Expected,
    /// The digest to compute on the way.
    pub digest: DigestKind,
}

/// What a write to a remote gave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Put {
    /// The version that was read, with its digest.
    pub source: Entry,
    /// What stands at the path now, with its digest.
    pub entry: Entry,
    /// Bytes of content sent.
    pub bytes: u64,
    /// An unexpected version that came in between and was kept beside the path.
    pub kept: Vec<Kept>,
}
