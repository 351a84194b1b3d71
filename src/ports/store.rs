//! The journal's place, and reading beside it.
//!
//! In: records. Out: the same records, in order. Invariant: what was acknowledged is
//! durable. Deliberately absent: what records mean.

use super::{PortResult, Task};
use futures::future::BoxFuture;
use journal_format::encode_record;
use journal_format::event::Record;
use journal_format::value::Seq;

/// What a journal holds: its records, and the newest folded state.
pub trait History {
    /// Returns the last durable sequence number; 0 for an empty journal.
    fn head(&self) -> Seq;

    /// Returns the first sequence number that is still there. What was before it is
    /// in the checkpoint.
    fn first(&self) -> Seq {
        Seq(1)
    }

    /// Reads up to `limit` records from `from` on, in order.
    ///
    /// # Errors
    /// `Fatal` for damage, with its place, and for what is before [`History::first`];
    /// `Unsupported` for what a newer release wrote.
    fn read(&self, from: Seq, limit: usize) -> Task<'_, Vec<Record>>;

    /// Returns the newest usable checkpoint. Damaged ones are no error: they
    /// are passed over.
    fn checkpoint(&self) -> Task<'_, Option<Checkpoint>>;
}

/// One job's journal and its checkpoint cache. One process at a time.
pub trait Store: History {
    /// Appends records whose sequence numbers follow the head. Durable on
    /// return. A dropped call may have appended all of them or none.
    ///
    /// # Errors
    /// Any error is fatal for this store: stop, reopen, recover.
    fn append(&self, records: Vec<Record>) -> Task<'_, ()>;

    /// Replaces the checkpoint. It may be lost without harm.
    fn save_checkpoint(&self, checkpoint: Checkpoint) -> Task<'_, ()>;
}

/// Reads a journal beside the job that writes it, from any thread.
pub trait JournalReader: Send + Sync {
    /// Returns the journal's id, in hex. Another one is another history.
    fn id(&self) -> String;

    /// Returns the last durable sequence number; 0 for an empty journal.
    fn head(&self) -> Seq;

    /// Returns the first sequence number that is still there.
    fn first(&self) -> Seq {
        Seq(1)
    }

    /// Reads up to `limit` durable records from `from` on, in order. Dropping the
    /// call leaves nothing behind.
    ///
    /// # Errors
    /// `Retry` when the journal was closed meanwhile, `Fatal` for damage, with its
    /// place, and for what is before [`JournalReader::first`]; `Unsupported` for what a
    /// newer release wrote.
    fn read(&self, from: Seq, limit: usize) -> BoxFuture<'static, PortResult<Vec<Record>>>;

    /// Reads all durable records that are wanted, in order; the rest is not decoded
    /// where the store can help it. Dropping the call leaves nothing behind.
    ///
    /// # Errors
    /// As [`JournalReader::read`].
    fn sift(&self, mut wanted: Wanted) -> BoxFuture<'_, PortResult<Vec<Record>>> {
        Box::pin(async move {
            let mut found = Vec::new();
            let (mut next, head) = (self.first(), self.head());
            while next <= head {
                let page = self.read(next, PAGE_RECORDS).await?;
                let Some(last) = page.last() else { break };
                next = last.seq.next();
                let is_wanted = |record: &Record| encode_record(record).is_ok_and(|it| wanted(&it));
                found.extend(page.into_iter().filter(is_wanted));
            }
            Ok(found)
        })
    }
}

/// Tells from its bytes whether a record is wanted.
pub type Wanted = Box<dyn FnMut(&[u8]) -> bool + Send>;

const PAGE_RECORDS: usize = 4096;

/// A cache of folded state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    /// The last event that it covers.
    pub seq: Seq,
    /// The state, as `sync-core` encodes it (with its own digest).
    pub bytes: Vec<u8>,
}
