//! The local side as a port: a folder with staging slots and a trash.
//!
//! In: calls of [`LocalFs`]. Out: effects on the local disk, none of them durable
//! before `sync`. Invariant: a slot that holds what came out of the tree is never
//! written over; what `discard` deletes is the caller's word alone, judged by
//! `checkers::nothing_lost`. Deliberately absent: real files. Crash: slots stay as
//! they are, in pieces too.

use super::calls::digest_of;
use super::disk::{Author, Body, DiskError, OWN, Onto};
use super::faults::CallOf;
use super::tasks::Turn;
use super::{Inner, State};
use crate::checkers::absence_proven;
use journal_format::event::FailureClass;
use journal_format::value::{DigestKind, Entry, Fingerprint, Kind, RelPath, Seq, Side, Timestamp};
use pydio_sync::ports::{
    Exchanged, HintStream, Leftover, LocalFs, PortError, PortResult, RootState, ScanRequest,
    ScanStream, Slot, Source, Staged, Task,
};
use std::rc::Rc;

/// The [`LocalFs`] of a world.
pub struct WorldLocal(pub(super) Rc<Inner>);

const SIDE: Side = Side::Local;

impl LocalFs for WorldLocal {
    fn root(&self) -> Task<'_, RootState> {
        self.0.look_at_root(SIDE)
    }

    fn claim_root<'a>(&'a self, marker: &'a str) -> Task<'a, ()> {
        self.0.claim(SIDE, marker)
    }

    fn scan(&self, request: ScanRequest) -> ScanStream<'_> {
        self.0.scan(SIDE, request)
    }

    fn watch(&self) -> PortResult<HintStream<'_>> {
        self.0.watch(SIDE)
    }

    fn stat<'a>(&'a self, path: &'a RelPath) -> Task<'a, Option<Entry>> {
        self.0.look(SIDE, path)
    }

    fn open<'a>(&'a self, path: &'a RelPath, expect: &'a Fingerprint) -> Task<'a, Box<dyn Source>> {
        self.0.open(SIDE, path, expect)
    }

    fn hash<'a>(
        &'a self,
        path: &'a RelPath,
        expect: &'a Fingerprint,
        _kind: DigestKind,
    ) -> Task<'a, Entry> {
        self.0.learn(SIDE, path, expect)
    }

    fn stage<'a>(
        &'a self,
        id: Seq,
        source: Box<dyn Source>,
        _kind: DigestKind,
    ) -> Task<'a, Staged> {
        let inner = Rc::clone(&self.0);
        let call = CallOf::grow(SIDE, "stage", None);
        self.0.start(&call.clone(), async move {
            stage(&inner, &call, id, source).await
        })
    }

    fn sync(&self) -> Task<'_, ()> {
        self.0.sync(SIDE)
    }

    fn commit_new<'a>(&'a self, id: Seq, path: &'a RelPath) -> Task<'a, Entry> {
        let call = CallOf::change(SIDE, "commit_new", Some(path));
        self.move_slot(call, slot_path(id), path.clone())
    }

    fn exchange<'a>(
        &'a self,
        id: Seq,
        path: &'a RelPath,
        expect: &'a Fingerprint,
    ) -> Task<'a, Exchanged> {
        let call = CallOf::change(SIDE, "exchange", Some(path));
        let inner = Rc::clone(&self.0);
        let (path, expect) = (path.clone(), expect.clone());
        self.0.start(&call.clone(), async move {
            inner.before(&call).await?;
            inner.state.borrow().expected_grown(&call, &path, &expect)?;
            inner.worst_moment(SIDE, &path).await;
            let slot = slot_path(id);
            let (now, out) = inner.engine_does(&call, |state| {
                state.disk_mut(SIDE).rename(&slot, &path, Onto::Exchange)?;
                state.staged.remove(&id);
                Ok((state.entry_at(SIDE, &path), state.entry_at(SIDE, &slot)))
            })?;
            Turn::default().await;
            match (now, out) {
                (Some(now), Some(out)) => Ok(Exchanged { now, out }),
                _ => Err(PortError::new(FailureClass::InDoubt, "a pipe came out")),
            }
        })
    }

    fn take<'a>(&'a self, id: Seq, path: &'a RelPath, expect: &'a Fingerprint) -> Task<'a, Entry> {
        let call = CallOf::change(SIDE, "take", Some(path));
        let inner = Rc::clone(&self.0);
        let (path, expect) = (path.clone(), expect.clone());
        self.0.start(&call.clone(), async move {
            inner.before(&call).await?;
            inner.state.borrow().expected_grown(&call, &path, &expect)?;
            inner.worst_moment(SIDE, &path).await;
            let slot = slot_path(id);
            let faults = &inner.options.faults;
            absence_proven::judge(&mut inner.state.borrow_mut(), faults, SIDE, &path);
            let out = inner.engine_does(&call, |state| {
                state.disk_mut(SIDE).rename(&path, &slot, Onto::Free)?;
                Ok(state.entry_at(SIDE, &slot))
            })?;
            Turn::default().await;
            out.ok_or_else(|| PortError::new(FailureClass::InDoubt, "a pipe was taken"))
        })
    }

    fn release<'a>(&'a self, id: Seq, to: &'a Slot) -> Task<'a, Entry> {
        match to {
            Slot::Path(path) => {
                let call = CallOf::change(SIDE, "release", Some(path));
                self.move_slot(call, slot_path(id), path.clone())
            }
            Slot::Trash(name) => {
                let call = CallOf::change(SIDE, "release to trash", None);
                self.move_slot(call, slot_path(id), own(&format!("trash/{name}")))
            }
        }
    }

    fn discard(&self, id: Seq) -> Task<'_, ()> {
        let call = CallOf::change(SIDE, "discard", None);
        let inner = Rc::clone(&self.0);
        self.0.start(&call.clone(), async move {
            inner.before(&call).await?;
            inner.engine_does(&call, |state| {
                state.staged.remove(&id);
                match state.disk_mut(SIDE).remove(&slot_path(id), true) {
                    Ok(()) | Err(DiskError::Absent) => Ok(()),
                    Err(error) => Err(error),
                }
            })
        })
    }

    fn make_dir<'a>(&'a self, path: &'a RelPath) -> Task<'a, Entry> {
        self.0.make_dir(SIDE, path)
    }

    fn rename<'a>(
        &'a self,
        from: &'a RelPath,
        to: &'a RelPath,
        expect: &'a Fingerprint,
    ) -> Task<'a, Entry> {
        self.0.rename(SIDE, from, to, expect)
    }

    fn remove_dir<'a>(&'a self, path: &'a RelPath, expect: &'a Fingerprint) -> Task<'a, ()> {
        let call = CallOf::change(SIDE, "remove_dir", Some(path));
        let inner = Rc::clone(&self.0);
        let (path, expect) = (path.clone(), expect.clone());
        self.0.start(&call.clone(), async move {
            inner.before(&call).await?;
            let found = inner.state.borrow().expected(&call, &path, &expect)?;
            if found.kind() != Kind::Directory {
                return Err(PortError::precondition("no directory"));
            }
            inner.worst_moment(SIDE, &path).await;
            inner.engine_does(&call, |state| {
                // The system call takes directories only, and only empty ones.
                match state.node_seen(SIDE, &path).map(|node| &node.body) {
                    Some(Body::Directory(_)) => state.disk_mut(SIDE).remove(&path, false),
                    Some(_) => Err(DiskError::WrongKind),
                    None => Err(DiskError::Absent),
                }
            })?;
            inner.after(&call).await
        })
    }

    fn leftovers(&self) -> Task<'_, Vec<Leftover>> {
        let call = CallOf::look(SIDE, "leftovers", None);
        let inner = Rc::clone(&self.0);
        self.0.start(&call.clone(), async move {
            inner.before(&call).await?;
            let state = inner.state.borrow();
            let disk = state.disk(SIDE);
            let staging = disk.find(&own("staging")).unwrap_or_default();
            let slots = disk.live.children(staging).into_iter().flatten();
            Ok(slots
                .filter_map(|(name, id)| {
                    let node = disk.live.nodes.get(id)?;
                    Some(Leftover {
                        id: Seq(name.parse().ok()?),
                        entry: state.entry(SIDE, node)?,
                    })
                })
                .collect())
        })
    }

    fn trash_names(&self) -> Task<'_, Vec<String>> {
        let call = CallOf::look(SIDE, "trash_names", None);
        let inner = Rc::clone(&self.0);
        self.0.start(&call.clone(), async move {
            inner.before(&call).await?;
            let state = inner.state.borrow();
            let disk = state.disk(SIDE);
            let trash = disk.find(&own("trash")).unwrap_or_default();
            let names = disk.live.children(trash).into_iter().flatten();
            Ok(names.map(|(name, _)| name.clone()).collect())
        })
    }

    fn restore<'a>(&'a self, name: &'a str, path: &'a RelPath) -> Task<'a, ()> {
        let call = CallOf::change(SIDE, "restore", Some(path));
        let inner = Rc::clone(&self.0);
        let (from, to) = (own(&format!("trash/{name}")), path.clone());
        self.0.start(&call.clone(), async move {
            inner.before(&call).await?;
            inner.worst_moment(SIDE, &to).await;
            inner.engine_does(&call, |state| {
                state.disk_mut(SIDE).rename(&from, &to, Onto::Free)
            })?;
            inner.after(&call).await
        })
    }

    fn expire_trash(&self, _before: Timestamp, _bytes_max: u64) -> Task<'_, u64> {
        // Nothing gets old enough in a world: its clocks jump by days, and the
        // trash keeps things for weeks.
        let call = CallOf::look(SIDE, "expire_trash", None);
        let inner = Rc::clone(&self.0);
        self.0.start(&call.clone(), async move {
            inner.before(&call).await?;
            Ok(0)
        })
    }
}

impl WorldLocal {
    fn move_slot(&self, call: CallOf, from: RelPath, to: RelPath) -> Task<'static, Entry> {
        let inner = Rc::clone(&self.0);
        self.0.start(&call.clone(), async move {
            inner.before(&call).await?;
            let entry = inner.engine_does(&call, |state| {
                state.disk_mut(SIDE).rename(&from, &to, Onto::Free)?;
                if let Some(id) = from.name().and_then(|name| name.parse().ok()) {
                    state.staged.remove(&Seq(id));
                }
                Ok(state.entry_at(SIDE, &to))
            })?;
            Turn::default().await;
            entry.ok_or_else(|| PortError::new(FailureClass::InDoubt, "a pipe was moved"))
        })
    }
}

async fn stage(
    inner: &Rc<Inner>,
    call: &CallOf,
    id: Seq,
    mut source: Box<dyn Source>,
) -> PortResult<Staged> {
    inner.before(call).await?;
    let slot = slot_path(id);
    inner.engine_does(call, |state| {
        if state.staged.contains(&id) {
            state.disk_mut(SIDE).remove(&slot, true)?;
        }
        state.staged.insert(id);
        Ok(())
    })?;
    let mut source_entry = source.entry().clone();
    let mtime_ns = source_entry.fingerprint.mtime_ns;
    let link = source_entry.kind() == Kind::Symlink;
    if !link {
        let body = Body::File(Vec::new());
        put_slot(inner, call, &slot, body, mtime_ns)?;
    }
    let mut bytes = Vec::new();
    while let Some(chunk) = source.read().await? {
        bytes.extend(chunk);
        inner.before(call).await?;
        if !link {
            inner.engine_does(call, |state| write(state, &slot, &bytes, mtime_ns))?;
        }
    }
    if bytes.len() as u64 != source_entry.fingerprint.size {
        return Err(PortError::new(FailureClass::Retry, "a short read"));
    }
    if link {
        let target = String::from_utf8(bytes.clone())
            .map_err(|_| PortError::new(FailureClass::Unsupported, "no text"))?;
        put_slot(inner, call, &slot, Body::Link(target), mtime_ns)?;
    }
    Turn::default().await;
    source_entry.digest = Some(digest_of(&bytes));
    Ok(Staged {
        source: source_entry,
        bytes: bytes.len() as u64,
    })
}

fn put_slot(
    inner: &Inner,
    call: &CallOf,
    slot: &RelPath,
    body: Body,
    mtime_ns: i64,
) -> PortResult<()> {
    inner.engine_does(call, |state| {
        let now_ns = state.time.now_ns(SIDE);
        let disk = state.disk_mut(SIDE);
        let id = disk.create(slot, body, Author::Engine, now_ns)?;
        disk.set_mtime(slot, id, mtime_ns);
        Ok(())
    })
}

fn write(state: &mut State, slot: &RelPath, bytes: &[u8], mtime_ns: i64) -> Result<(), DiskError> {
    let disk = state.disk_mut(SIDE);
    let id = disk.find(slot).ok_or(DiskError::Absent)?;
    disk.write(slot, id, bytes.to_owned(), Author::Engine, mtime_ns);
    Ok(())
}

/// Returns where an operation's slot is.
#[must_use]
pub fn slot_path(id: Seq) -> RelPath {
    own(&format!("staging/{id}"))
}

/// Returns a path in the program's own folder.
///
/// # Panics
/// When the text is no relative path.
#[must_use]
pub fn own(rest: &str) -> RelPath {
    RelPath::new(format!("{OWN}/{rest}")).expect("a name of the program's own")
}
