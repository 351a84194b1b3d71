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
    Capabilities, Checkpoint, Exchanged, HintStream, History, Leftover, Listing, LocalFs,
    PortResult, Put, PutRequest, Remote, RootState, ScanItem, ScanRequest, ScanStream, Scope, Slot,
    Source, Staged, Store, Task,
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
    /// What stands at a path that is to be replaced is what was expected, or is told of.
    ExchangeIgnoresExpect,
    /// What is taken from a path is what was expected, or is told of.
    TakeIgnoresExpect,
    /// A directory that cannot be listed is not an empty one.
    UnlistedIsEmpty,
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

    fn unsettled(&self, records: &[Record]) -> Option<Vec<[Option<RelPath>; 2]>> {
        program::Program.unsettled(records)
    }

    fn checkpoint(&self, records: &[Record]) -> Option<Vec<u8>> {
        program::Program.checkpoint(records)
    }
}

/// Calls that go through to a port of the world as they are.
macro_rules! passed_on {
    ($port:ident: $(
        fn $name:ident $(<$life:lifetime>)? (&$($own:lifetime)? self $(, $arg:ident: $kind:ty)*)
            -> $out:ty;
    )*) => {$(
        fn $name $(<$life>)? (&$($own)? self $(, $arg: $kind)*) -> $out {
            self.world.$port.$name($($arg),*)
        }
    )*};
}

/// Those that both sides have and no mutant changes.
macro_rules! both_sides_calls {
    ($port:ident) => {
        passed_on! { $port:
            fn root(&self) -> Task<'_, RootState>;
            fn claim_root<'a>(&'a self, marker: &'a str) -> Task<'a, ()>;
            fn watch(&self) -> PortResult<HintStream<'_>>;
            fn stat<'a>(&'a self, path: &'a RelPath) -> Task<'a, Option<Entry>>;
            fn open<'a>(&'a self, path: &'a RelPath, expect: &'a Fingerprint) -> Task<'a, Box<dyn Source>>;
            fn hash<'a>(&'a self, path: &'a RelPath, expect: &'a Fingerprint, kind: DigestKind) -> Task<'a, Entry>;
            fn make_dir<'a>(&'a self, path: &'a RelPath) -> Task<'a, Entry>;
            fn rename<'a>(&'a self, from: &'a RelPath, to: &'a RelPath, expect: &'a Fingerprint) -> Task<'a, Entry>;
        }
    };
}

struct Local<'w> {
    mutant: Mutant,
    world: &'w World,
}

impl LocalFs for Local<'_> {
    both_sides_calls!(local);
    passed_on! { local:
        fn stage<'a>(&'a self, id: Seq, source: Box<dyn Source>, kind: DigestKind) -> Task<'a, Staged>;
        fn discard(&self, id: Seq) -> Task<'_, ()>;
        fn remove_dir<'a>(&'a self, path: &'a RelPath, expect: &'a Fingerprint) -> Task<'a, ()>;
        fn leftovers(&self) -> Task<'_, Vec<Leftover>>;
        fn expire_trash(&self, before: Timestamp, bytes_max: u64) -> Task<'_, u64>;
        fn trash_names(&self) -> Task<'_, Vec<String>>;
        fn restore<'a>(&'a self, name: &'a str, path: &'a RelPath) -> Task<'a, ()>;
    }

    fn scan(&self, request: ScanRequest) -> ScanStream<'_> {
        listed(self.mutant, self.world.local.scan(request))
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
        if self.mutant != Mutant::ExchangeIgnoresExpect {
            return self.world.local.exchange(id, path, expect);
        }
        Box::pin(async move {
            let local = &self.world.local;
            let found = as_found(local.stat(path).await?, expect);
            let mut exchanged = local.exchange(id, path, &found).await?;
            exchanged.out.fingerprint = expect.clone();
            Ok(exchanged)
        })
    }

    fn take<'a>(&'a self, id: Seq, path: &'a RelPath, expect: &'a Fingerprint) -> Task<'a, Entry> {
        if self.mutant != Mutant::TakeIgnoresExpect {
            return self.world.local.take(id, path, expect);
        }
        Box::pin(async move {
            let local = &self.world.local;
            let found = as_found(local.stat(path).await?, expect);
            let mut taken = local.take(id, path, &found).await?;
            taken.fingerprint = expect.clone();
            Ok(taken)
        })
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
}

struct Far<'w> {
    mutant: Mutant,
    world: &'w World,
}

impl Remote for Far<'_> {
    both_sides_calls!(remote);
    passed_on! { remote:
        fn capabilities(&self) -> &Capabilities;
        fn tidy_up(&self) -> Task<'_, ()>;
    }

    fn scan(&self, request: ScanRequest) -> ScanStream<'_> {
        listed(self.mutant, self.world.remote.scan(request))
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
}

struct Journal<'w> {
    mutant: Mutant,
    world: &'w World,
    /// Appends that were answered and are still under way.
    unfinished: RefCell<Vec<LocalBoxFuture<'w, PortResult<()>>>>,
}

impl History for Journal<'_> {
    fn head(&self) -> Seq {
        self.world.store.head()
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
}

impl Store for Journal<'_> {
    fn append(&self, records: Vec<Record>) -> Task<'_, ()> {
        if self.mutant != Mutant::AppendAnswersEarly {
            return self.world.store.append(records);
        }
        let append = self.world.store.append(records);
        self.unfinished.borrow_mut().push(append);
        Box::pin(async { Ok(()) })
    }

    fn save_checkpoint(&self, checkpoint: Checkpoint) -> Task<'_, ()> {
        self.world.store.save_checkpoint(checkpoint)
    }
}

/// What is to be expected so that whatever stands there will do.
fn as_found(standing: Option<Entry>, expect: &Fingerprint) -> Fingerprint {
    standing.map_or_else(|| expect.clone(), |entry| entry.fingerprint)
}

/// Listings as they are, without a directory's last name, or empty ones of directories
/// that could not be listed.
fn listed(mutant: Mutant, stream: ScanStream<'_>) -> ScanStream<'_> {
    if ![Mutant::ListingsAreShort, Mutant::UnlistedIsEmpty].contains(&mutant) {
        return stream;
    }
    let spoil = move |item: &mut ScanItem| match item {
        ScanItem::Listing(listing) => {
            let is_short = mutant == Mutant::ListingsAreShort && listing.scope == Scope::Whole;
            if is_short && listing.entries.len() > 2 {
                listing.entries.pop();
            }
        }
        ScanItem::Unlisted { directory, .. } => {
            if mutant == Mutant::UnlistedIsEmpty {
                *item = ScanItem::Listing(Listing {
                    directory: directory.clone(),
                    scope: Scope::Whole,
                    entries: Vec::new(),
                });
            }
        }
    };
    stream
        .map(move |batch| {
            batch.map(|mut items| {
                items.iter_mut().for_each(spoil);
                items
            })
        })
        .boxed_local()
}
