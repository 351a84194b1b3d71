//! Reading beside the job that writes: `ports::JournalReader`.
//!
//! In: ranges, from any thread. Out: durable records. Invariant: closing the journal
//! ends all reading: no reader keeps the store open. Deliberately absent: caching, a
//! thread of its own (reads queue with the job's). CRASH: leaves nothing behind.

use super::read::{self, Unread};
use super::shelf::Records;
use super::witness::JournalId;
use super::worker::{Calls, Worker};
use super::writer::Tip;
use crate::ports::{JournalReader, PortError, PortResult, Wanted};
use futures::future::BoxFuture;
use journal_format::event::{FailureClass, Record};
use journal_format::value::Seq;
use std::sync::{Arc, Mutex, PoisonError};

/// Reads one open journal.
#[derive(Clone)]
pub(super) struct Reader {
    id: JournalId,
    tip: Arc<Tip>,
    open: Arc<Mutex<Option<Open>>>,
}

struct Open {
    records: Records,
    calls: Calls,
}

impl Reader {
    pub(super) fn new(id: JournalId, tip: &Arc<Tip>, records: &Records, worker: &Worker) -> Self {
        let open = worker.calls().map(|calls| Open {
            records: records.clone(),
            calls,
        });
        Self {
            id,
            tip: Arc::clone(tip),
            open: Arc::new(Mutex::new(open)),
        }
    }

    /// Ends all reading; calls that were queued are still answered.
    pub(super) fn close(&self) {
        drop(self.lock().take());
    }

    /// Runs a call on the reading thread.
    fn ask<T: Send + 'static>(
        &self,
        call: impl FnOnce(&Records) -> Result<T, Unread> + Send + 'static,
    ) -> impl Future<Output = PortResult<T>> + Send + 'static {
        let answer = self.lock().as_ref().map(|open| {
            let records = open.records.clone();
            open.calls.run(move || call(&records))
        });
        async move {
            let closed = || PortError::new(FailureClass::Retry, "the journal was closed");
            let page = answer.ok_or_else(closed)?.await.map_err(|_| closed())?;
            page.map_err(PortError::from)
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<Open>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl JournalReader for Reader {
    fn id(&self) -> String {
        self.id.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    fn head(&self) -> Seq {
        self.tip.head()
    }

    fn first(&self) -> Seq {
        let open = self.lock();
        open.as_ref()
            .map_or(Seq(1), |open| open.records.shelf().first)
    }

    fn read(&self, from: Seq, limit: usize) -> BoxFuture<'static, PortResult<Vec<Record>>> {
        let head = self.head();
        Box::pin(self.ask(move |records| read::page(records, head, from, limit)))
    }

    fn sift(&self, wanted: Wanted) -> BoxFuture<'_, PortResult<Vec<Record>>> {
        let head = self.head();
        Box::pin(self.ask(move |records| read::sift(records, head, wanted)))
    }
}
