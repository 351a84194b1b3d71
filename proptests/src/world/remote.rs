//! The remote side as a port: another folder, or a server with atomic puts.
//!
//! In: calls of [`Remote`]. Out: effects on the remote disk. Fault model: besides
//! what `faults` says, without `atomic` a user acts between a look and an effect;
//! what then comes out unexpectedly is kept beside the path. Invariant: a put's
//! data is durable before it gets its name, so a put is whole or not at all after
//! a power loss too. Deliberately absent: wire formats. Crash: temporary files
//! stay in the remote's own folder until `tidy_up`.

use super::calls::{digest_of, is_same};
use super::disk::{Author, Body, DiskError, NodeId, Onto};
use super::faults::CallOf;
use super::feed::WorldFeed;
use super::local::slot_path;
use super::tasks::Turn;
use super::{Inner, State};
use crate::checkers::absence_proven;
use journal_format::event::{Expected, FailureClass, Kept};
use journal_format::value::{DigestKind, Entry, Fingerprint, Kind, RelPath, Seq, Side};
use pydio_sync::ports::{
    Capabilities, Feed, HintStream, PortError, PortResult, Put, PutRequest, Remote, RootState,
    ScanRequest, ScanStream, Source, Task,
};
use std::rc::Rc;

/// The [`Remote`] of a world.
pub struct WorldRemote {
    pub(super) inner: Rc<Inner>,
    pub(super) feed: WorldFeed,
    pub(super) capabilities: Capabilities,
}

/// What a remote's temporary file is there for; a server's own note.
#[derive(Debug, Clone)]
pub(super) struct Temporary {
    target: RelPath,
    /// The file that is being put; another one in its place came out of the tree.
    incoming: Option<NodeId>,
    expect: Option<Fingerprint>,
}

const SIDE: Side = Side::Remote;

impl Remote for WorldRemote {
    fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    fn root(&self) -> Task<'_, RootState> {
        self.inner.look_at_root(SIDE)
    }

    fn claim_root<'a>(&'a self, marker: &'a str) -> Task<'a, ()> {
        self.inner.claim(SIDE, marker)
    }

    fn scan(&self, request: ScanRequest) -> ScanStream<'_> {
        self.inner.scan(SIDE, request)
    }

    fn watch(&self) -> PortResult<HintStream<'_>> {
        self.inner.watch(SIDE)
    }

    fn feed(&self) -> Option<&dyn Feed> {
        self.inner.options.remote.feed.then_some(&self.feed as _)
    }

    fn stat<'a>(&'a self, path: &'a RelPath) -> Task<'a, Option<Entry>> {
        self.inner.look(SIDE, path)
    }

    fn open<'a>(&'a self, path: &'a RelPath, expect: &'a Fingerprint) -> Task<'a, Box<dyn Source>> {
        self.inner.open(SIDE, path, expect)
    }

    fn hash<'a>(
        &'a self,
        path: &'a RelPath,
        expect: &'a Fingerprint,
        _kind: DigestKind,
    ) -> Task<'a, Entry> {
        self.inner.learn(SIDE, path, expect)
    }

    fn put<'a>(&'a self, request: PutRequest<'a>) -> Task<'a, Put> {
        let call = CallOf::grow(SIDE, "put", Some(request.path));
        let inner = Rc::clone(&self.inner);
        let job = PutJob {
            id: request.id,
            path: request.path.clone(),
            replaces: request.replaces.clone(),
        };
        let source = request.source;
        self.inner.start(&call.clone(), async move {
            put(&inner, &call, job, source).await
        })
    }

    fn sync(&self) -> Task<'_, ()> {
        self.inner.sync(SIDE)
    }

    fn make_dir<'a>(&'a self, path: &'a RelPath) -> Task<'a, Entry> {
        self.inner.make_dir(SIDE, path)
    }

    fn rename<'a>(
        &'a self,
        from: &'a RelPath,
        to: &'a RelPath,
        expect: &'a Fingerprint,
    ) -> Task<'a, Entry> {
        self.inner.rename(SIDE, from, to, expect)
    }

    fn remove<'a>(&'a self, id: Seq, path: &'a RelPath, expect: &'a Fingerprint) -> Task<'a, ()> {
        let call = CallOf::change(SIDE, "remove", Some(path));
        let inner = Rc::clone(&self.inner);
        let (path, expect) = (path.clone(), expect.clone());
        self.inner.start(&call.clone(), async move {
            inner.before(&call).await?;
            let found = inner.state.borrow().expected_grown(&call, &path, &expect)?;
            let faults = &inner.options.faults;
            absence_proven::judge(&mut inner.state.borrow_mut(), faults, SIDE, &path);
            if found.kind() == Kind::Directory || inner.is_atomic(SIDE) {
                inner.engine_does(&call, |state| state.disk_mut(SIDE).remove(&path, false))?;
                return inner.after(&call).await;
            }
            inner.worst_moment(SIDE, &path).await;
            take_away(&inner, &call, id, &path, &expect)?;
            Turn::default().await;
            settle(&inner, &call, id)?;
            inner.after(&call).await
        })
    }

    fn tidy_up(&self) -> Task<'_, ()> {
        let call = CallOf::change(SIDE, "tidy_up", None);
        let inner = Rc::clone(&self.inner);
        self.inner.start(&call.clone(), async move {
            inner.before(&call).await?;
            let ids: Vec<Seq> = inner.state.borrow().temporaries.keys().copied().collect();
            for id in ids {
                settle(&inner, &call, id)?;
                Turn::default().await;
            }
            Ok(())
        })
    }
}

struct PutJob {
    id: Seq,
    path: RelPath,
    replaces: Expected,
}

async fn put(
    inner: &Rc<Inner>,
    call: &CallOf,
    job: PutJob,
    mut source: Box<dyn Source>,
) -> PortResult<Put> {
    inner.before(call).await?;
    let mut read = source.entry().clone();
    let bytes = receive(inner, call, &job, source.as_mut()).await;
    let bytes = match bytes {
        Ok(bytes) if bytes.len() as u64 == read.fingerprint.size => bytes,
        Ok(_) => {
            drop_incoming(inner, call, job.id)?;
            return Err(PortError::new(FailureClass::Retry, "a short body"));
        }
        Err(error) => {
            drop_incoming(inner, call, job.id)?;
            return Err(error);
        }
    };
    if let Err(error) = inner
        .before(call)
        .await
        .and_then(|()| fits(inner, call, &job))
    {
        drop_incoming(inner, call, job.id)?;
        return Err(error);
    }
    if !inner.is_atomic(SIDE) {
        inner.worst_moment(SIDE, &job.path).await;
    }
    if let Err(error) = name_incoming(inner, call, &job) {
        drop_incoming(inner, call, job.id)?;
        return Err(error);
    }
    let digest = Some(digest_of(&bytes));
    let mut entry = inner.state.borrow().entry_at(SIDE, &job.path);
    Turn::default().await;
    let kept: Vec<Kept> = settle(inner, call, job.id)?.into_iter().collect();
    inner.after(call).await?;
    read.digest = digest;
    if let Some(entry) = &mut entry {
        entry.digest = digest;
    }
    Ok(Put {
        source: read,
        entry: entry.ok_or_else(|| PortError::new(FailureClass::InDoubt, "gone at once"))?,
        bytes: bytes.len() as u64,
        kept,
    })
}

/// Reads the source into a temporary file, durably.
async fn receive(
    inner: &Rc<Inner>,
    call: &CallOf,
    job: &PutJob,
    source: &mut dyn Source,
) -> PortResult<Vec<u8>> {
    let slot = slot_path(job.id);
    let link = source.entry().kind() == Kind::Symlink;
    let mtime_ns = source.entry().fingerprint.mtime_ns;
    // What an earlier try left under this number is settled first, in both ways.
    settle(inner, call, job.id)?;
    let mut bytes = Vec::new();
    if !link {
        incoming(inner, call, job, Body::File(Vec::new()))?;
    }
    while let Some(chunk) = source.read().await? {
        bytes.extend(chunk);
        inner.before(call).await?;
        if !link {
            inner.engine_does(call, |state| {
                let now_ns = state.mtime_of_copy(mtime_ns);
                let disk = state.disk_mut(SIDE);
                let id = disk.find(&slot).ok_or(DiskError::Absent)?;
                disk.write(&slot, id, bytes.clone(), Author::Engine, now_ns);
                Ok(())
            })?;
        }
    }
    if link {
        let target = String::from_utf8(bytes.clone())
            .map_err(|_| PortError::new(FailureClass::Unsupported, "no text"))?;
        incoming(inner, call, job, Body::Link(target))?;
    }
    inner.engine_does(call, |state| {
        let mtime_ns = state.mtime_of_copy(mtime_ns);
        let disk = state.disk_mut(SIDE);
        let id = disk.find(&slot).ok_or(DiskError::Absent)?;
        disk.set_mtime(&slot, id, mtime_ns);
        disk.sync_file(id);
        Ok(())
    })?;
    Ok(bytes)
}

fn incoming(inner: &Inner, call: &CallOf, job: &PutJob, body: Body) -> PortResult<()> {
    inner.engine_does(call, |state| {
        let now_ns = state.time.now_ns(SIDE);
        let slot = slot_path(job.id);
        let id = state
            .disk_mut(SIDE)
            .create(&slot, body, Author::Engine, now_ns)?;
        let note = Temporary {
            target: job.path.clone(),
            incoming: Some(id),
            expect: match &job.replaces {
                Expected::Absent => None,
                Expected::Version(expect) => Some(expect.clone()),
            },
        };
        state.temporaries.insert(job.id, note);
        Ok(())
    })
}

fn fits(inner: &Inner, call: &CallOf, job: &PutJob) -> PortResult<()> {
    let state = inner.state.borrow();
    match &job.replaces {
        Expected::Version(expect) => state.expected_grown(call, &job.path, expect).map(drop),
        Expected::Absent if state.node_seen(SIDE, &job.path).is_some() => {
            Err(PortError::precondition(format!("{} is taken", job.path)))
        }
        Expected::Absent => Ok(()),
    }
}

fn name_incoming(inner: &Inner, call: &CallOf, job: &PutJob) -> PortResult<()> {
    let onto = match &job.replaces {
        Expected::Absent => Onto::Free,
        Expected::Version(_) => Onto::Exchange,
    };
    inner.engine_does(call, |state| {
        state
            .disk_mut(SIDE)
            .rename(&slot_path(job.id), &job.path, onto)?;
        if onto == Onto::Free {
            state.temporaries.remove(&job.id);
        }
        Ok(())
    })
}

fn take_away(
    inner: &Inner,
    call: &CallOf,
    id: Seq,
    path: &RelPath,
    expect: &Fingerprint,
) -> PortResult<()> {
    inner.engine_does(call, |state| {
        state
            .disk_mut(SIDE)
            .rename(path, &slot_path(id), Onto::Free)?;
        let note = Temporary {
            target: path.clone(),
            incoming: None,
            expect: Some(expect.clone()),
        };
        state.temporaries.insert(id, note);
        let out = state.entry_at(SIDE, &slot_path(id));
        if out.is_some_and(|out| is_same(expect, &out.fingerprint)) {
            return Ok(());
        }
        state.put_back(id);
        Err(DiskError::WrongKind)
    })
}

fn drop_incoming(inner: &Inner, call: &CallOf, id: Seq) -> PortResult<()> {
    // While the root is away the temporary file waits for `tidy_up`.
    match settle(inner, call, id) {
        Err(error) if error.class != FailureClass::Precondition => Err(error),
        Ok(_) | Err(_) => Ok(()),
    }
}

/// Removes a temporary file, or puts back beside its place what nobody expected
/// to come out of the tree.
fn settle(inner: &Inner, call: &CallOf, id: Seq) -> PortResult<Option<Kept>> {
    if !inner.state.borrow().temporaries.contains_key(&id) {
        return Ok(None);
    }
    inner.engine_does(call, |state| Ok(state.settle(id)))
}

impl State {
    fn settle(&mut self, id: Seq) -> Option<Kept> {
        let note = self.temporaries.get(&id)?.clone();
        let slot = slot_path(id);
        let Some((node, _)) = self.found(SIDE, &slot) else {
            self.temporaries.remove(&id);
            return None;
        };
        let ours = note.incoming == Some(node);
        let wanted = self
            .entry_at(SIDE, &slot)
            .zip(note.expect)
            .is_some_and(|(out, expect)| is_same(&expect, &out.fingerprint));
        if !ours && !wanted {
            return self.put_back(id);
        }
        self.temporaries.remove(&id);
        self.disk_mut(SIDE).remove(&slot, true).ok();
        None
    }

    /// Gives what lies in a slot its name back, or one beside it.
    fn put_back(&mut self, id: Seq) -> Option<Kept> {
        let note = self.temporaries.remove(&id)?;
        let parent = note.target.parent().unwrap_or_default();
        let name = note.target.name().unwrap_or("file").to_owned();
        let names = [
            name.clone(),
            format!("{name} (kept {id})"),
            format!("{name} (kept {id} again)"),
        ];
        let places = [parent, RelPath::root()];
        for place in &places {
            for path in names.iter().filter_map(|name| place.join(name).ok()) {
                if self
                    .disk_mut(SIDE)
                    .rename(&slot_path(id), &path, Onto::Free)
                    .is_ok()
                {
                    let entry = self.entry_at(SIDE, &path)?;
                    return Some(Kept { path, entry });
                }
            }
        }
        None
    }

    fn mtime_of_copy(&self, mtime_ns: i64) -> i64 {
        if self.remote.keeps_mtime {
            mtime_ns
        } else {
            self.time.now_ns(SIDE)
        }
    }
}

/// Returns what a remote with these options says it can do.
pub(super) const fn capabilities(options: &super::options::Options) -> Capabilities {
    Capabilities {
        digest: DigestKind::Blake3,
        symlinks: options.remote.symlinks,
        fold_case: options.disks[1].fold_case,
        watch: options.remote.watch,
    }
}
