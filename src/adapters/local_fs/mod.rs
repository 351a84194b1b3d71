//! The local side: a folder on a disk of this machine.
//!
//! In: the port's calls. Out: work on the threads of the pool, one hop a call.
//! Invariant: none of its own; everything is kept by `rooted`. Deliberately
//! absent: file operations (`rooted`), decisions (the executor). CRASH: slots in
//! staging, reported by `leftovers`.

use crate::adapters::rooted::{self, Folder, Options, Probes, Trashed, slot_name};
use crate::ports::{
    Exchanged, HintStream, Leftover, LocalFs, PortResult, RootState, ScanRequest, ScanStream, Slot,
    Source, Staged, Task,
};
use journal_format::value::{DigestKind, Entry, Fingerprint, RelPath, Seq, Timestamp};
use std::path::Path;
use std::sync::Arc;

/// A folder as the local side. Its calls are polled inside a tokio runtime.
pub struct LocalFolder(Arc<Folder>);

impl LocalFolder {
    /// Makes the local side; the root may be missing and is told by
    /// [`LocalFs::root`], which is also asked when it came back.
    ///
    /// # Errors
    /// The path is relative and the working directory is gone.
    pub fn open(root: &Path, options: Options) -> PortResult<Self> {
        Folder::new(root, options).map(Self)
    }

    /// Tries what the disk can do: nothing before the root was claimed.
    ///
    /// # Errors
    /// The root is missing.
    pub fn probe(&self) -> Task<'_, Option<Probes>> {
        Box::pin(self.0.run(|folder| folder.probe()))
    }
}

impl LocalFolder {
    /// Lists the trash, oldest first.
    ///
    /// # Errors
    /// The root is missing or its trash cannot be listed.
    pub fn trashed(&self) -> Task<'_, Vec<Trashed>> {
        Box::pin(self.0.run_long(|folder| folder.trashed()))
    }
}

impl LocalFs for LocalFolder {
    fn root(&self) -> Task<'_, RootState> {
        Box::pin(self.0.run(|folder| folder.root_state()))
    }

    fn claim_root<'a>(&'a self, marker: &'a str) -> Task<'a, ()> {
        let marker = marker.to_owned();
        Box::pin(self.0.run(move |folder| folder.claim(&marker)))
    }

    fn scan(&self, request: ScanRequest) -> ScanStream<'_> {
        rooted::scan(Arc::clone(&self.0), request)
    }

    fn watch(&self) -> PortResult<HintStream<'_>> {
        rooted::watch(&self.0)
    }

    fn stat<'a>(&'a self, path: &'a RelPath) -> Task<'a, Option<Entry>> {
        let path = path.clone();
        Box::pin(self.0.run(move |folder| folder.stat(&path)))
    }

    fn open<'a>(&'a self, path: &'a RelPath, expect: &'a Fingerprint) -> Task<'a, Box<dyn Source>> {
        Box::pin(self.0.open_source(path, expect))
    }

    fn hash<'a>(
        &'a self,
        path: &'a RelPath,
        expect: &'a Fingerprint,
        kind: DigestKind,
    ) -> Task<'a, Entry> {
        Box::pin(self.0.hash_at(path, expect, kind))
    }

    fn stage<'a>(&'a self, id: Seq, source: Box<dyn Source>, kind: DigestKind) -> Task<'a, Staged> {
        Box::pin(self.0.stage(slot_name(id), source, kind))
    }

    fn sync(&self) -> Task<'_, ()> {
        Box::pin(self.0.sync())
    }

    fn commit_new<'a>(&'a self, id: Seq, path: &'a RelPath) -> Task<'a, Entry> {
        let path = path.clone();
        Box::pin(
            self.0
                .run(move |folder| folder.commit_new(&slot_name(id), &path)),
        )
    }

    fn exchange<'a>(
        &'a self,
        id: Seq,
        path: &'a RelPath,
        expect: &'a Fingerprint,
    ) -> Task<'a, Exchanged> {
        let (path, expect) = (path.clone(), expect.clone());
        Box::pin(
            self.0
                .run(move |folder| folder.exchange(&slot_name(id), &path, &expect)),
        )
    }

    fn take<'a>(&'a self, id: Seq, path: &'a RelPath, expect: &'a Fingerprint) -> Task<'a, Entry> {
        let (path, expect) = (path.clone(), expect.clone());
        Box::pin(
            self.0
                .run(move |folder| folder.take(&slot_name(id), &path, &expect)),
        )
    }

    fn release<'a>(&'a self, id: Seq, to: &'a Slot) -> Task<'a, Entry> {
        let to = to.clone();
        Box::pin(
            self.0
                .run(move |folder| folder.release(&slot_name(id), &to)),
        )
    }

    fn discard(&self, id: Seq) -> Task<'_, ()> {
        Box::pin(self.0.run(move |folder| folder.discard(&slot_name(id))))
    }

    fn make_dir<'a>(&'a self, path: &'a RelPath) -> Task<'a, Entry> {
        let path = path.clone();
        Box::pin(self.0.run(move |folder| folder.make_dir(&path)))
    }

    fn rename<'a>(
        &'a self,
        from: &'a RelPath,
        to: &'a RelPath,
        expect: &'a Fingerprint,
    ) -> Task<'a, Entry> {
        let (from, to, expect) = (from.clone(), to.clone(), expect.clone());
        Box::pin(self.0.run(move |folder| folder.rename(&from, &to, &expect)))
    }

    fn remove_dir<'a>(&'a self, path: &'a RelPath, expect: &'a Fingerprint) -> Task<'a, ()> {
        let (path, expect) = (path.clone(), expect.clone());
        Box::pin(self.0.run(move |folder| folder.remove_dir(&path, &expect)))
    }

    fn leftovers(&self) -> Task<'_, Vec<Leftover>> {
        Box::pin(self.0.run(|folder| folder.leftovers()))
    }

    fn trash_names(&self) -> Task<'_, Vec<String>> {
        Box::pin(self.0.run_long(|folder| {
            let trashed = folder.trashed()?;
            Ok(trashed.into_iter().map(|entry| entry.name).collect())
        }))
    }

    fn restore<'a>(&'a self, name: &'a str, path: &'a RelPath) -> Task<'a, ()> {
        let (name, path) = (name.to_owned(), path.clone());
        Box::pin(self.0.run(move |folder| folder.restore(&name, &path)))
    }

    fn expire_trash(&self, before: Timestamp, bytes_max: u64) -> Task<'_, u64> {
        Box::pin(
            self.0
                .run_long(move |folder| folder.expire_trash(before, bytes_max)),
        )
    }
}
