//! The calls that both sides have in common, in their steps.
//!
//! In: a side and what its port was asked for. Out: futures with a point before
//! each look and each effect, where users act and crashes fall. Invariant: every
//! precondition is looked at in one step and acted upon in a later one, unless the
//! remote is atomic; what the effect itself guarantees (a free target) holds.
//! Deliberately absent: staging, puts (`local`, `remote`). Crash: a call stops at
//! a point; its effects so far stay.

use super::disk::{Author, Body, Mount, Node, NodeId, Onto, is_visible};
use super::faults::{CallOf, port_error};
use super::source::WorldSource;
use super::tasks::Turn;
use super::{Inner, State};
use journal_format::event::FailureClass;
use journal_format::value::{
    Digest, Entry, Fingerprint, Identity, Kind, RelPath, RemoteVersion, Side,
};
use pydio_sync::ports::{PortError, PortResult, RootState, Source, Task};
use std::rc::Rc;

impl Inner {
    /// Starts a call that may outlive its caller's interest.
    pub(super) fn start<T: 'static>(
        self: &Rc<Self>,
        call: &CallOf,
        future: impl Future<Output = PortResult<T>> + 'static,
    ) -> Task<'static, T> {
        let label = match &call.path {
            Some(path) => format!("{} {} {path}", call.side, call.name),
            None => format!("{} {}", call.side, call.name),
        };
        self.check_inside(call);
        if let Some(path) = &call.path {
            self.state.borrow_mut().users.sees_busy(path);
        }
        let ghost = Rc::clone(self);
        let traced = Rc::clone(self);
        let name = label.clone();
        Box::pin(self.tasks.spawn(
            label,
            move || ghost.fails(ghost.options.faults.ghost, "ghost"),
            async move {
                let result = future.await;
                if let Err(error) = &result {
                    traced.note(format!("{name} fails: {:?} {error}", error.class));
                }
                result
            },
        ))
    }

    /// A point of a call, and what may go wrong before its effect.
    pub(super) async fn before(&self, call: &CallOf) -> PortResult<()> {
        Turn::default().await;
        self.fault_before(call)
    }

    /// The point between a look and an effect: a person may see the chance.
    pub(super) async fn worst_moment(&self, side: Side, path: &RelPath) {
        let tempting = (side, path.clone());
        self.state
            .borrow_mut()
            .users
            .tempting
            .push(tempting.clone());
        Turn::default().await;
        let mut state = self.state.borrow_mut();
        state.users.tempting.retain(|other| *other != tempting);
    }

    /// A point after an effect, where the answer may get lost.
    pub(super) async fn after(&self, call: &CallOf) -> PortResult<()> {
        Turn::default().await;
        self.fault_after(call)
    }

    fn check_inside(&self, call: &CallOf) {
        if call.path.as_ref().is_some_and(|path| !is_visible(path)) {
            self.violation(format!(
                "inside_root: {} {} names the program's own folder: {:?}",
                call.side, call.name, call.path
            ));
        }
    }

    /// Looks at a root.
    pub(super) fn look_at_root(self: &Rc<Self>, side: Side) -> Task<'static, RootState> {
        let call = CallOf::look(side, "root", None);
        let inner = Rc::clone(self);
        self.start(&call.clone(), async move {
            Turn::default().await;
            let mount = inner.state.borrow().disk(side).mount;
            if mount == Mount::There {
                inner.fault_before(&call)?;
            }
            let mut state = inner.state.borrow_mut();
            state.looked_at_root(side);
            Ok(match mount {
                Mount::Missing => RootState::Missing,
                Mount::Foreign => RootState::Present { marker: None },
                Mount::There => RootState::Present {
                    marker: state.markers[side as usize].clone(),
                },
            })
        })
    }

    /// Writes a root's marker, durably.
    pub(super) fn claim(self: &Rc<Self>, side: Side, marker: &str) -> Task<'static, ()> {
        let call = CallOf::grow(side, "claim_root", None);
        let (inner, marker) = (Rc::clone(self), marker.to_owned());
        self.start(&call.clone(), async move {
            inner.before(&call).await?;
            inner.state.borrow_mut().markers[side as usize] = Some(marker);
            inner.after(&call).await
        })
    }

    /// Looks at a path.
    pub(super) fn look(
        self: &Rc<Self>,
        side: Side,
        path: &RelPath,
    ) -> Task<'static, Option<Entry>> {
        let call = CallOf::look(side, "stat", Some(path));
        let (inner, path) = (Rc::clone(self), path.clone());
        self.start(&call.clone(), async move {
            inner.before(&call).await?;
            let state = inner.state.borrow();
            match state.node_seen(side, &path) {
                None => Ok(None),
                Some(node) => match state.entry(side, node) {
                    Some(entry) => Ok(Some(entry)),
                    None => Err(PortError::new(FailureClass::Unsupported, "a pipe")),
                },
            }
        })
    }

    /// Opens a file or link.
    pub(super) fn open(
        self: &Rc<Self>,
        side: Side,
        path: &RelPath,
        expect: &Fingerprint,
    ) -> Task<'static, Box<dyn Source>> {
        let call = CallOf::look(side, "open", Some(path));
        let (inner, path, expect) = (Rc::clone(self), path.clone(), expect.clone());
        self.start(&call.clone(), async move {
            let source = inner.open_now(&call, &path, &expect).await?;
            inner.state.borrow().expected_grown(&call, &path, &expect)?;
            Ok(Box::new(source) as Box<dyn Source>)
        })
    }

    /// Reads a file or link to its end.
    pub(super) fn learn(
        self: &Rc<Self>,
        side: Side,
        path: &RelPath,
        expect: &Fingerprint,
    ) -> Task<'static, Entry> {
        let call = CallOf::look(side, "hash", Some(path));
        let (inner, path, expect) = (Rc::clone(self), path.clone(), expect.clone());
        self.start(&call.clone(), async move {
            let mut source = inner.open_now(&call, &path, &expect).await?;
            let mut bytes = Vec::new();
            while let Some(chunk) = source.read().await? {
                bytes.extend(chunk);
            }
            let mut entry = source.entry().clone();
            entry.digest = Some(digest_of(&bytes));
            Ok(entry)
        })
    }

    async fn open_now(
        self: &Rc<Self>,
        call: &CallOf,
        path: &RelPath,
        expect: &Fingerprint,
    ) -> PortResult<WorldSource> {
        self.before(call).await?;
        let state = self.state.borrow();
        let entry = state.expected(call, path, expect)?;
        if entry.kind() == Kind::Directory {
            return Err(PortError::precondition("a directory cannot be read"));
        }
        let (id, node) = state
            .found(call.side, path)
            .ok_or_else(|| PortError::precondition("gone"))?;
        if call.side == Side::Local && node.being_written {
            return Err(PortError::new(FailureClass::Retry, "open for writing"));
        }
        Ok(WorldSource::new(
            Rc::clone(self),
            call.side,
            path,
            id,
            entry,
        ))
    }

    /// Creates a directory.
    pub(super) fn make_dir(self: &Rc<Self>, side: Side, path: &RelPath) -> Task<'static, Entry> {
        let call = CallOf::grow(side, "make_dir", Some(path));
        let (inner, path) = (Rc::clone(self), path.clone());
        self.start(&call.clone(), async move {
            inner.before(&call).await?;
            let entry = inner.engine_does(&call, |state| {
                let now_ns = state.time.now_ns(side);
                let body = Body::Directory(std::collections::BTreeMap::new());
                state
                    .disk_mut(side)
                    .create(&path, body, Author::Engine, now_ns)?;
                Ok(state.entry_at(side, &path))
            })?;
            inner.after(&call).await?;
            entry.ok_or_else(|| PortError::precondition("gone at once"))
        })
    }

    /// Renames onto a free path.
    pub(super) fn rename(
        self: &Rc<Self>,
        side: Side,
        from: &RelPath,
        to: &RelPath,
        expect: &Fingerprint,
    ) -> Task<'static, Entry> {
        let call = CallOf::change(side, "rename", Some(from));
        self.check_inside(&CallOf::change(side, "rename to", Some(to)));
        let (inner, from, to) = (Rc::clone(self), from.clone(), to.clone());
        let expect = expect.clone();
        self.start(&call.clone(), async move {
            inner.before(&call).await?;
            inner.state.borrow().expected(&call, &from, &expect)?;
            if !inner.is_atomic(side) {
                inner.worst_moment(side, &from).await;
            }
            let entry = inner.engine_does(&call, |state| {
                state.disk_mut(side).rename(&from, &to, Onto::Free)?;
                Ok(state.entry_at(side, &to))
            })?;
            inner.after(&call).await?;
            entry.ok_or_else(|| PortError::precondition("gone at once"))
        })
    }

    /// Tells whether looking and acting are one step on a side.
    pub(super) fn is_atomic(&self, side: Side) -> bool {
        side == Side::Remote && self.options.remote.atomic
    }

    /// Lets the program change a disk, if it is still there.
    pub(super) fn engine_does<T>(
        &self,
        call: &CallOf,
        act: impl FnOnce(&mut State) -> Result<T, super::disk::DiskError>,
    ) -> PortResult<T> {
        let mut state = self.state.borrow_mut();
        if state.disk(call.side).mount != Mount::There {
            return Err(PortError::precondition("the root went away"));
        }
        let result = act(&mut state).map_err(|error| port_error(error, call))?;
        state.engine_changes += 1;
        let what = format!("ENGINE {} {} {:?}", call.side, call.name, call.path);
        state.note(what);
        Ok(result)
    }
}

impl State {
    /// Returns what a port finds at a path.
    pub(super) fn node_seen(&self, side: Side, path: &RelPath) -> Option<&Node> {
        self.found(side, path).map(|(_, node)| node)
    }

    pub(super) fn found(&self, side: Side, path: &RelPath) -> Option<(NodeId, &Node)> {
        let disk = self.disk(side);
        if disk.mount != Mount::There {
            return None;
        }
        let id = disk.find(path)?;
        Some((id, disk.live.nodes.get(&id)?))
    }

    /// Returns what a port says of a path; nothing when it is absent or a pipe.
    #[must_use]
    pub fn entry_at(&self, side: Side, path: &RelPath) -> Option<Entry> {
        self.entry(side, self.node_seen(side, path)?)
    }

    /// Returns what a port says of a node; nothing for a pipe.
    #[must_use]
    pub fn entry(&self, side: Side, node: &Node) -> Option<Entry> {
        let remote = side == Side::Remote;
        let (kind, size, mtime_ns) = match &node.body {
            Body::File(data) => (Kind::File, data.len(), node.mtime_ns),
            Body::Link(target) => (Kind::Symlink, target.len(), node.mtime_ns),
            Body::Directory(_) => (Kind::Directory, 0, 0),
            Body::Pipe => return None,
        };
        let disk = self.disk(side);
        let identity = Identity {
            device: if remote { 0 } else { 7 },
            object: node.ino,
            born_ns: if disk.options.births { node.born_ns } else { 0 },
        };
        let mtime_ns = if kind != Kind::Directory && self.is_young(side, mtime_ns) {
            mtime_ns + 1
        } else {
            mtime_ns
        };
        let version = RemoteVersion::new(format!("\"{}\"", node.version)).ok();
        let fingerprint = Fingerprint {
            kind,
            size: size as u64,
            mtime_ns,
            identity: (!remote || self.remote.identity).then_some(identity),
            version: version.filter(|_| remote && self.remote.version && kind != Kind::Directory),
        };
        let digest = match &node.body {
            Body::File(data) if remote && self.remote.digests => Some(digest_of(data)),
            _ => None,
        };
        Some(Entry {
            fingerprint,
            digest,
        })
    }

    /// Tells whether a change of equal size would leave this time of modification. Such
    /// a time is shown a little later than it is.
    fn is_young(&self, side: Side, mtime_ns: i64) -> bool {
        let step_ns = self.disk(side).options.granularity_ns;
        let left_ns = mtime_ns + step_ns - self.time.now_ns(side);
        step_ns >= COARSE_NS && left_ns > 0 && left_ns <= step_ns + AHEAD_MAX_NS
    }

    /// As [`State::expected`], for what is to be copied, replaced or removed: while it
    /// may change without a sign, that has to wait.
    pub(super) fn expected_grown(
        &self,
        call: &CallOf,
        path: &RelPath,
        expect: &Fingerprint,
    ) -> PortResult<Entry> {
        let found = self.expected(call, path, expect)?;
        let node = self.node_seen(call.side, path);
        let is_young = node.is_some_and(|node| self.is_young(call.side, node.mtime_ns));
        if found.kind() == Kind::Directory || !is_young {
            return Ok(found);
        }
        let step_ns = self.disk(call.side).options.granularity_ns;
        Err(PortError {
            retry_after_ms: u64::try_from(step_ns / 1_000_000).ok(),
            ..PortError::new(FailureClass::Retry, format!("{path} was written just now"))
        })
    }

    /// Returns what stands at a path if it is what was expected.
    pub(super) fn expected(
        &self,
        call: &CallOf,
        path: &RelPath,
        expect: &Fingerprint,
    ) -> PortResult<Entry> {
        match self.entry_at(call.side, path) {
            Some(entry) if is_same(expect, &entry.fingerprint) => Ok(entry),
            Some(_) => Err(PortError::precondition(format!("{path} is another one"))),
            None => Err(PortError::precondition(format!("{path} is absent"))),
        }
    }
}

/// Tells whether what was found is what was expected: for directories kind and
/// identity, else everything.
#[must_use]
pub fn is_same(expect: &Fingerprint, found: &Fingerprint) -> bool {
    if expect.kind == Kind::Directory {
        found.kind == Kind::Directory && found.identity == expect.identity
    } else {
        found == expect
    }
}

/// As the real adapters.
const COARSE_NS: i64 = 100_000_000;
const AHEAD_MAX_NS: i64 = 60_000_000_000;

/// Hashes content.
#[must_use]
pub fn digest_of(bytes: &[u8]) -> Digest {
    Digest::Blake3(*blake3::hash(bytes).as_bytes())
}
