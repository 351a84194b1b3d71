//! A file or link being read, chunk by chunk.
//!
//! In: a node of a disk. Out: its bytes as they are at each step, so that a write
//! in between gives mixed bytes. Fault model: reading breaks off with an error.
//! Invariant: the end is reported only when path, node and fingerprint are those
//! that were opened. Deliberately absent: snapshots. Crash: leaves nothing.

use super::Inner;
use super::calls::is_same;
use super::disk::{Body, NodeId};
use super::faults::CallOf;
use journal_format::event::FailureClass;
use journal_format::value::{Entry, RelPath, Side};
use pydio_sync::ports::{Chunk, PortError, PortResult, Source, Task};
use std::fs::File;
use std::rc::Rc;
use std::sync::Arc;

/// A [`Source`] of a world.
pub struct WorldSource {
    inner: Rc<Inner>,
    side: Side,
    path: RelPath,
    node: NodeId,
    entry: Entry,
    offset: usize,
}

impl WorldSource {
    pub(super) fn new(
        inner: Rc<Inner>,
        side: Side,
        path: &RelPath,
        node: NodeId,
        entry: Entry,
    ) -> Self {
        Self {
            inner,
            side,
            path: path.clone(),
            node,
            entry,
            offset: 0,
        }
    }

    fn verify_now(
        inner: &Inner,
        side: Side,
        path: &RelPath,
        node: NodeId,
        entry: &Entry,
    ) -> PortResult<()> {
        let state = inner.state.borrow();
        let same = state.found(side, path).is_some_and(|(id, found)| {
            id == node
                && state
                    .entry(side, found)
                    .is_some_and(|found| is_same(&entry.fingerprint, &found.fingerprint))
        });
        if same {
            Ok(())
        } else {
            Err(PortError::precondition(format!(
                "{path} changed while it was read"
            )))
        }
    }
}

impl Source for WorldSource {
    fn entry(&self) -> &Entry {
        &self.entry
    }

    fn mode(&self) -> Option<u32> {
        (self.side == Side::Local).then_some(0o644)
    }

    fn read(&mut self) -> Task<'_, Option<Chunk>> {
        let call = CallOf::look(self.side, "read", Some(&self.path));
        let inner = Rc::clone(&self.inner);
        let (side, path, node) = (self.side, self.path.clone(), self.node);
        let (entry, offset) = (self.entry.clone(), self.offset);
        let reading = self.inner.start(&call.clone(), async move {
            inner.before(&call).await?;
            let chunk = {
                let state = inner.state.borrow();
                match state
                    .disk(side)
                    .live
                    .nodes
                    .get(&node)
                    .map(|node| &node.body)
                {
                    Some(Body::File(data)) => chunk_of(data, offset, inner.options.chunk_bytes),
                    Some(Body::Link(target)) => chunk_of(target.as_bytes(), offset, usize::MAX),
                    Some(Body::Directory(_) | Body::Pipe) | None => {
                        return Err(PortError::precondition("gone while it was read"));
                    }
                }
            };
            if inner.fails(inner.options.faults.read_broken, "read_broken") {
                return Err(PortError::new(FailureClass::Retry, "reading broke off"));
            }
            if chunk.is_none() {
                Self::verify_now(&inner, side, &path, node, &entry)?;
            }
            Ok(chunk)
        });
        Box::pin(async move {
            let chunk = reading.await?;
            self.offset += chunk.as_ref().map_or(0, Chunk::len);
            Ok(chunk)
        })
    }

    fn file(&self) -> Option<Arc<File>> {
        None
    }

    fn verify(&mut self) -> Task<'_, ()> {
        let call = CallOf::look(self.side, "verify", Some(&self.path));
        let inner = Rc::clone(&self.inner);
        let (side, path, node) = (self.side, self.path.clone(), self.node);
        let entry = self.entry.clone();
        self.inner.start(&call.clone(), async move {
            inner.before(&call).await?;
            Self::verify_now(&inner, side, &path, node, &entry)
        })
    }
}

fn chunk_of(data: &[u8], offset: usize, chunk_bytes: usize) -> Option<Chunk> {
    let rest = data.get(offset..).filter(|rest| !rest.is_empty())?;
    Some(Chunk::copy_from_slice(&rest[..rest.len().min(chunk_bytes)]))
}
