//! Another folder as the remote: a second disk, or a mounted share.
//!
//! In: the port's calls. Out: work on the threads of the pool. Invariant: a write
//! is staged, durable and verified before it gets its name, and what it replaces
//! is compared after it came out (`put`). Deliberately absent: a trash; what must
//! be kept is kept beside its path. CRASH: slots and notes in staging, which
//! `tidy_up` settles (`tidy`).

mod note;
mod put;
#[cfg(test)]
mod tests;
mod tidy;

use crate::adapters::rooted::{self, Folder, Options, Probes};
use crate::ports::{
    Capabilities, HintStream, PortResult, Put, PutRequest, Remote, RootState, ScanRequest,
    ScanStream, Source, Task,
};
use journal_format::value::{DigestKind, Entry, Fingerprint, RelPath, Seq};
use std::path::Path;
use std::sync::{Arc, OnceLock};

/// A folder as the remote. Its calls are polled inside a tokio runtime.
pub struct FolderRemote {
    folder: Arc<Folder>,
    client: String,
    capabilities: OnceLock<Capabilities>,
}

impl FolderRemote {
    /// Makes the remote; see [`super::open_folder`].
    ///
    /// # Errors
    /// The path is relative and the working directory is gone.
    pub fn open(root: &Path, client: &str, options: Options) -> PortResult<Self> {
        let client = blake3::hash(client.as_bytes()).to_hex();
        Ok(Self {
            folder: Folder::new(root, options)?,
            client: client[..CLIENT_DIGITS].to_owned(),
            capabilities: OnceLock::new(),
        })
    }

    /// One slot for each operation of each client.
    fn slot(&self, id: Seq) -> String {
        format!("{}-{}", rooted::slot_name(id), self.client)
    }

    fn learn(&self, probes: Probes) -> &Capabilities {
        self.capabilities.get_or_init(|| Capabilities {
            digest: DigestKind::Blake3,
            symlinks: probes.symlinks,
            fold_case: probes.fold_case,
            watch: true,
        })
    }
}

impl Remote for FolderRemote {
    /// Known after the root was claimed or first asked for; a root that was
    /// never claimed is taken for a usual Linux disk.
    fn capabilities(&self) -> &Capabilities {
        match self.capabilities.get() {
            Some(known) => known,
            None => self.learn(self.folder.probe().ok().flatten().unwrap_or_default()),
        }
    }

    fn root(&self) -> Task<'_, RootState> {
        Box::pin(self.folder.run(|folder| folder.root_state()))
    }

    fn claim_root<'a>(&'a self, marker: &'a str) -> Task<'a, ()> {
        let marker = marker.to_owned();
        Box::pin(async move {
            let work = move |folder: &Arc<Folder>| {
                folder.claim(&marker)?;
                folder.probe()
            };
            let probes = self.folder.run(work).await?;
            self.learn(probes.unwrap_or_default());
            Ok(())
        })
    }

    fn scan(&self, request: ScanRequest) -> ScanStream<'_> {
        rooted::scan(Arc::clone(&self.folder), request)
    }

    fn watch(&self) -> PortResult<HintStream<'_>> {
        rooted::watch(&self.folder)
    }

    fn stat<'a>(&'a self, path: &'a RelPath) -> Task<'a, Option<Entry>> {
        let path = path.clone();
        Box::pin(self.folder.run(move |folder| folder.stat(&path)))
    }

    fn open<'a>(&'a self, path: &'a RelPath, expect: &'a Fingerprint) -> Task<'a, Box<dyn Source>> {
        Box::pin(self.folder.open_source(path, expect))
    }

    fn hash<'a>(
        &'a self,
        path: &'a RelPath,
        expect: &'a Fingerprint,
        kind: DigestKind,
    ) -> Task<'a, Entry> {
        Box::pin(self.folder.hash_at(path, expect, kind))
    }

    fn put<'a>(&'a self, request: PutRequest<'a>) -> Task<'a, Put> {
        Box::pin(put::put(&self.folder, self.slot(request.id), request))
    }

    fn sync(&self) -> Task<'_, ()> {
        Box::pin(self.folder.sync())
    }

    fn make_dir<'a>(&'a self, path: &'a RelPath) -> Task<'a, Entry> {
        let path = path.clone();
        Box::pin(self.folder.run(move |folder| folder.make_dir(&path)))
    }

    fn rename<'a>(
        &'a self,
        from: &'a RelPath,
        to: &'a RelPath,
        expect: &'a Fingerprint,
    ) -> Task<'a, Entry> {
        let (from, to, expect) = (from.clone(), to.clone(), expect.clone());
        Box::pin(
            self.folder
                .run(move |folder| folder.rename(&from, &to, &expect)),
        )
    }

    fn remove<'a>(&'a self, id: Seq, path: &'a RelPath, expect: &'a Fingerprint) -> Task<'a, ()> {
        let (slot, path, expect) = (self.slot(id), path.clone(), expect.clone());
        let work = move |folder: &Arc<Folder>| put::remove(folder, id, &slot, &path, &expect);
        Box::pin(self.folder.run(work))
    }

    fn tidy_up(&self) -> Task<'_, ()> {
        let client = self.client.clone();
        Box::pin(
            self.folder
                .run(move |folder| tidy::tidy_up(folder, &client)),
        )
    }
}

const CLIENT_DIGITS: usize = 8;
