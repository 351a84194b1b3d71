//! The program under test, and how its process is polled.
//!
//! In: a world. Out: a future that uses nothing but the world's ports. Invariant:
//! the future is the whole process: dropping it is a crash. Deliberately absent:
//! what the program is; a toy, the engine and its mutants all fit here. Crash: see
//! [`crate::world::World::crash`].

use crate::world::World;
use crate::world::tasks::Flag;
use journal_format::event::Record;
use journal_format::value::RelPath;
use pydio_sync::ports::PortResult;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

/// How long a process runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Until nothing is left to do.
    Once,
    /// Until it is asked to stop, by [`World::stop_asked`].
    Continuous,
}

/// A process: done when it ends by itself; an error is an end as well.
pub type Process<'w> = Pin<Box<dyn Future<Output = PortResult<()>> + 'w>>;

/// A program that syncs the two sides of a world.
pub trait System {
    /// Starts a process. It finds what an earlier one left behind.
    fn start<'w>(&'w self, world: &'w World, mode: Mode) -> Process<'w>;

    /// Folds records that follow a state and returns that state's digest; an
    /// absent state is the empty one. Nothing for programs that have no fold.
    fn fold(&self, records: &[Record]) -> Option<[u8; 16]> {
        let _ = records;
        None
    }

    /// Folds records and returns where the nodes stand, locally and remotely, that the
    /// program has not brought in step. Nothing for programs that cannot tell.
    fn unsettled(&self, records: &[Record]) -> Option<Vec<[Option<RelPath>; 2]>> {
        let _ = records;
        None
    }

    /// Folds records and returns the state as a checkpoint. Nothing for programs that
    /// have none.
    fn checkpoint(&self, records: &[Record]) -> Option<Vec<u8>> {
        let _ = records;
        None
    }
}

/// A process that is polled when it wants to be.
pub struct Running<'w> {
    process: Process<'w>,
    flag: Arc<Flag>,
    waker: Waker,
}

impl<'w> Running<'w> {
    /// Takes a process over.
    #[must_use]
    pub fn new(process: Process<'w>) -> Self {
        let flag = Flag::up();
        Self {
            process,
            waker: Waker::from(Arc::clone(&flag)),
            flag,
        }
    }

    /// Tells whether it wants to be polled.
    #[must_use]
    pub fn is_awake(&self) -> bool {
        self.flag.is_up()
    }

    /// Polls it once; returns how it ended, if it did.
    pub fn poll(&mut self) -> Option<PortResult<()>> {
        self.flag.take();
        match self
            .process
            .as_mut()
            .poll(&mut Context::from_waker(&self.waker))
        {
            Poll::Ready(result) => Some(result),
            Poll::Pending => None,
        }
    }
}
