//! Programs that break one rule each, to test the tests.
//!
//! In: a world. Out: the real program over ports that break the rule. Invariant: a
//! mutant differs from the program by that rule alone, so a world in which it fails
//! and the program holds proves that the rule is watched. Deliberately absent:
//! changes of the engine itself, which ring 1 watches. A new rule is a variant, and
//! an arm in the port that breaks it.

use crate::program;
use crate::system::{Mode, Process, System};
use crate::world::World;
use futures::StreamExt;
use futures::future::LocalBoxFuture;
use journal_format::event::{Expected, Record};
use journal_format::value::{DigestKind, Entry, Fingerprint, RelPath, Seq, Timestamp};
use pydio_sync::daemon::Ports;
use pydio_sync::ports::{
    Capabilities, Checkpoint, Exchanged, HintStream, Leftover, LocalFs, PortResult, Put,
    PutRequest, Remote, RootState, ScanItem, ScanRequest, ScanStream, Scope, Slot, Source, Staged,
    Store, Task,
};
use std::cell::RefCell;

/// The rule that is broken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mutant {
    /// Content is durable before it gets its name.
    SyncDoesNothing,
    /// Records are durable before an append returns.
    AppendAnswersEarly,
    /// What came out of the tree unexpectedly is kept.
    UnexpectedIsDiscarded,
    /// A new file is put onto a free path only.
    CommitReplaces,
    /// What a write replaces on the remote side is what was expected.
    PutIgnoresReplaces,
    /// What is removed on the remote side is what was expected.
    RemoveIgnoresExpect,
    /// A listing that calls itself whole is whole.
    ListingsAreShort,
    /// A damaged checkpoint is passed over.
    CheckpointIsGarbage,
}

impl System for Mutant {
    fn start<'w>(&'w self, world: &'w World, mode: Mode) -> Process<'w> {
        let mutant = *self;
        Box::pin(async move {
            let local = Local { mutant, world };
            let remote = Far { mutant, world };
            let store = Journal {
                mutant,
                world,
                unfinished: RefCell::default(),
            };
            let ports = Ports {
                local: &local,
                remote: &remote,
                store: &store,
                clock: &world.clock,
                observer: &world.observer,
            };
            program::run(ports, world, mode).await
        })
    }

    fn fold(&self, records: &[Record]) -> Option<[u8; 16]> {
        program::Program.fold(records)
    }
}

struct Local<'w> {
    mutant: Mutant,
    world: &'w World,
}

impl LocalFs for Local<'_> {
    fn root(&self) -> Task<'_, RootState> {
        self.world.local.root()
    }

    fn claim_root<'a>(&'a self, marker: &'a str) -> Task<'a, ()> {
        self.world.local.claim_root(marker)
    }

    fn scan(&self, request: ScanRequest) -> ScanStream<'_> {
        listed(self.mutant, self.world.local.scan(request))
    }

    fn watch(&self) -> PortResult<HintStream<'_>> {
        self.world.local.watch()
    }

    fn stat<'a>(&'a self, path: &'a RelPath) -> Task<'a, Option<Entry>> {
        self.world.local.stat(path)
    }

    fn open<'a>(&'a self, path: &'a RelPath, expect: &'a Fingerprint) -> Task<'a, Box<dyn Source>> {
        self.world.local.open(path, expect)
    }

    fn hash<'a>(
        &'a self,
        path: &'a RelPath,
        expect: &'a Fingerprint,
        kind: DigestKind,
    ) -> Task<'a, Entry> {
        self.world.local.hash(path, expect, kind)
    }

    fn stage<'a>(&'a self, id: Seq, source: Box<dyn Source>, kind: DigestKind) -> Task<'a, Staged> {
        self.world.local.stage(id, source, kind)
    }

    fn sync(&self) -> Task<'_, ()> {
        if self.mutant == Mutant::SyncDoesNothing {
            return Box::pin(async { Ok(()) });
        }
        self.world.local.sync()
    }

    fn commit_new<'a>(&'a self, id: Seq, path: &'a RelPath) -> Task<'a, Entry> {
        if self.mutant != Mutant::CommitReplaces {
            return self.world.local.commit_new(id, path);
        }
        Box::pin(async move {
            let local = &self.world.local;
            let Some(standing) = local.stat(path).await? else {
                return local.commit_new(id, path).await;
            };
            let exchanged = local.exchange(id, path, &standing.fingerprint).await?;
            local.discard(id).await?;
            Ok(exchanged.now)
        })
    }

    fn exchange<'a>(
        &'a self,
        id: Seq,
        path: &'a RelPath,
        expect: &'a Fingerprint,
    ) -> Task<'a, Exchanged> {
        self.world.local.exchange(id, path, expect)
    }

    fn take<'a>(&'a self, id: Seq, path: &'a RelPath, expect: &'a Fingerprint) -> Task<'a, Entry> {
        self.world.local.take(id, path, expect)
    }

    fn release<'a>(&'a self, id: Seq, to: &'a Slot) -> Task<'a, Entry> {
        if self.mutant != Mutant::UnexpectedIsDiscarded || matches!(to, Slot::Trash(_)) {
            return self.world.local.release(id, to);
        }
        Box::pin(async move {
            let slots = self.world.local.leftovers().await?;
            let entry = slots.into_iter().find(|slot| slot.id == id);
            let Some(entry) = entry.map(|slot| slot.entry) else {
                return self.world.local.release(id, to).await;
            };
            self.world.local.discard(id).await?;
            Ok(entry)
        })
    }

    fn discard(&self, id: Seq) -> Task<'_, ()> {
        self.world.local.discard(id)
    }

    fn make_dir<'a>(&'a self, path: &'a RelPath) -> Task<'a, Entry> {
        self.world.local.make_dir(path)
    }

    fn rename<'a>(
        &'a self,
        from: &'a RelPath,
        to: &'a RelPath,
        expect: &'a Fingerprint,
    ) -> Task<'a, Entry> {
        self.world.local.rename(from, to, expect)
    }

    fn remove_dir<'a>(&'a self, path: &'a RelPath, expect: &'a Fingerprint) -> Task<'a, ()> {
        self.world.local.remove_dir(path, expect)
    }

    fn leftovers(&self) -> Task<'_, Vec<Leftover>> {
        self.world.local.leftovers()
    }

    fn expire_trash(&self, before: Timestamp, bytes_max: u64) -> Task<'_, u64> {
        self.world.local.expire_trash(before, bytes_max)
    }
}

struct Far<'w> {
    mutant: Mutant,
    world: &'w World,
}

impl Remote for Far<'_> {
    fn capabilities(&self) -> &Capabilities {
        self.world.remote.capabilities()
    }

    fn root(&self) -> Task<'_, RootState> {
        self.world.remote.root()
    }

    fn claim_root<'a>(&'a self, marker: &'a str) -> Task<'a, ()> {
        self.world.remote.claim_root(marker)
    }

    fn scan(&self, request: ScanRequest) -> ScanStream<'_> {
        listed(self.mutant, self.world.remote.scan(request))
    }

    fn watch(&self) -> PortResult<HintStream<'_>> {
        self.world.remote.watch()
    }

    fn stat<'a>(&'a self, path: &'a RelPath) -> Task<'a, Option<Entry>> {
        self.world.remote.stat(path)
    }

    fn open<'a>(&'a self, path: &'a RelPath, expect: &'a Fingerprint) -> Task<'a, Box<dyn Source>> {
        self.world.remote.open(path, expect)
    }

    fn hash<'a>(
        &'a self,
        path: &'a RelPath,
        expect: &'a Fingerprint,
        kind: DigestKind,
    ) -> Task<'a, Entry> {
        self.world.remote.hash(path, expect, kind)
    }

    fn put<'a>(&'a self, request: PutRequest<'a>) -> Task<'a, Put> {
        if self.mutant != Mutant::PutIgnoresReplaces {
            return self.world.remote.put(request);
        }
        Box::pin(async move {
            let standing = self.world.remote.stat(request.path).await?;
            let replaces = standing.map_or(Expected::Absent, |entry| {
                Expected::Version(entry.fingerprint)
            });
            let request = PutRequest {
                replaces: &replaces,
                ..request
            };
            self.world.remote.put(request).await
        })
    }

    fn sync(&self) -> Task<'_, ()> {
        self.world.remote.sync()
    }

    fn make_dir<'a>(&'a self, path: &'a RelPath) -> Task<'a, Entry> {
        self.world.remote.make_dir(path)
    }

    fn rename<'a>(
        &'a self,
        from: &'a RelPath,
        to: &'a RelPath,
        expect: &'a Fingerprint,
    ) -> Task<'a, Entry> {
        self.world.remote.rename(from, to, expect)
    }

    fn remove<'a>(&'a self, id: Seq, path: &'a RelPath, expect: &'a Fingerprint) -> Task<'a, ()> {
        if self.mutant != Mutant::RemoveIgnoresExpect {
            return self.world.remote.remove(id, path, expect);
        }
        Box::pin(async move {
            match self.world.remote.stat(path).await? {
                Some(entry) => {
                    let remote = &self.world.remote;
                    remote.remove(id, path, &entry.fingerprint).await
                }
                None => self.world.remote.remove(id, path, expect).await,
            }
        })
    }

    fn tidy_up(&self) -> Task<'_, ()> {
        self.world.remote.tidy_up()
    }
}

struct Journal<'w> {
    mutant: Mutant,
    world: &'w World,
    /// Appends that were answered and are still under way.
    unfinished: RefCell<Vec<LocalBoxFuture<'w, PortResult<()>>>>,
}

impl Store for Journal<'_> {
    fn head(&self) -> Seq {
        self.world.store.head()
    }

    fn append(&self, records: Vec<Record>) -> Task<'_, ()> {
        if self.mutant != Mutant::AppendAnswersEarly {
            return self.world.store.append(records);
        }
        let append = self.world.store.append(records);
        self.unfinished.borrow_mut().push(append);
        Box::pin(async { Ok(()) })
    }

    fn read(&self, from: Seq, limit: usize) -> Task<'_, Vec<Record>> {
        self.world.store.read(from, limit)
    }

    fn checkpoint(&self) -> Task<'_, Option<Checkpoint>> {
        if self.mutant != Mutant::CheckpointIsGarbage {
            return self.world.store.checkpoint();
        }
        let seq = self.world.store.head();
        let bytes = vec![0xa5; 64];
        Box::pin(async move { Ok(Some(Checkpoint { seq, bytes })) })
    }

    fn save_checkpoint(&self, checkpoint: Checkpoint) -> Task<'_, ()> {
        self.world.store.save_checkpoint(checkpoint)
    }
}

/// Listings as they are, or without a directory's last name.
fn listed(mutant: Mutant, stream: ScanStream<'_>) -> ScanStream<'_> {
    if mutant != Mutant::ListingsAreShort {
        return stream;
    }
    let shorten = |item: &mut ScanItem| {
        if let ScanItem::Listing(listing) = item
            && listing.scope == Scope::Whole
            && listing.entries.len() > 2
        {
            listing.entries.pop();
        }
    };
    stream
        .map(move |batch| {
            batch.map(|mut items| {
                items.iter_mut().for_each(shorten);
                items
            })
        })
        .boxed_local()
}
