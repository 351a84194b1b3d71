//! The open journal: `ports::Store` over the writer and reader threads.
//!
//! In: calls from any async runtime. Out: their results. Invariant: no call blocks
//! the caller's thread; dropping the journal closes it. Deliberately absent:
//! opening (`open`), durability (`writer`). A crash leaves what the rooms below
//! leave.

use super::lock::LockFile;
use super::read::Unread;
use super::reader::Reader;
use super::shelf::Records;
use super::witness::JournalId;
use super::worker::Worker;
use super::writer::{Handle, Tip};
use super::{Layout, OpenError, Opened, Options, Retention, checkpoint, open, read, retire};
use crate::ports::{Checkpoint, History, JournalReader, PortError, PortResult, Store, Task};
use futures::channel::oneshot;
use journal_format::event::{FailureClass, Record};
use journal_format::value::Seq;
use std::path::Path;
use std::sync::Arc;

/// One job's journal, open and locked.
///
/// Dropping it closes it, which waits for queued appends and the disk.
pub struct Journal {
    pub(super) id: JournalId,
    pub(super) layout: Layout,
    pub(super) tip: Arc<Tip>,
    pub(super) threads: Option<Threads>,
    pub(super) beside: Reader,
    pub(super) retention: Retention,
    /// Released last.
    pub(super) _lock: LockFile,
}

/// What has to end before the journal is closed.
pub(super) struct Threads {
    pub(super) reader: Worker,
    pub(super) checkpoints: Worker,
    pub(super) writer: Handle,
    pub(super) records: Records,
}

/// The result of a full check.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Verified {
    /// The last record that was checked.
    pub head: Seq,
    /// The running hash: `h(n) = blake3(h(n-1) ‖ record n)`, `h(0)` is 32 zeros.
    pub chain: [u8; 32],
}

impl Journal {
    /// Opens a job's journal, or makes one where there never was one.
    ///
    /// Blocking; milliseconds after a clean close, up to about a second after an
    /// unclean stop.
    ///
    /// # Errors
    /// See [`OpenError`]; nothing is locked after one. `HistoryLost` and `Damaged`
    /// can be overruled by [`Options::accept_loss`], which moves the old files to
    /// `aside/` and begins a new journal.
    pub fn open(dir: &Path, options: Options) -> Result<Opened, OpenError> {
        open::open(dir, options)
    }

    /// Returns the identity of this journal.
    #[must_use]
    pub const fn id(&self) -> JournalId {
        self.id
    }

    /// Returns a reader for other threads. It ends when the journal is closed.
    #[must_use]
    pub fn reader(&self) -> Arc<dyn JournalReader> {
        Arc::new(self.beside.clone())
    }

    /// Reads and checks every record up to the head of this moment, and the
    /// running hash over them.
    ///
    /// # Errors
    /// `Fatal` with the first place that is wrong.
    pub fn verify(&self) -> Task<'_, Verified> {
        // The running hash follows a reply; an empty append waits for it.
        let followed = self.append(Vec::new());
        let tip = Arc::clone(&self.tip);
        Box::pin(async move {
            // A store that stopped writing can still be checked.
            followed.await.ok();
            self.read_with(move |records| {
                let (head, expected) = tip.chain();
                let (_, chain) = read::walk_all(records, head)?;
                if chain == expected {
                    Ok(Verified { head, chain })
                } else {
                    let why =
                        format!("the running hash at record {head} is not the remembered one");
                    Err(why.into())
                }
            })
            .await
        })
    }

    /// Closes the journal and tells whether the close was clean.
    ///
    /// # Errors
    /// `Fatal` when an append had failed before; the next open recovers.
    pub fn close(mut self) -> PortResult<()> {
        self.shut()
    }

    fn shut(&mut self) -> PortResult<()> {
        let Some(threads) = self.threads.take() else {
            return Ok(());
        };
        self.beside.close();
        drop(threads.reader);
        drop(threads.checkpoints);
        drop(threads.records);
        let mut writer = threads.writer.finish().ok_or_else(gone)?;
        if let Some(why) = writer.broken {
            return Err(PortError::new(FailureClass::Fatal, why));
        }
        let settled = writer.witness.clean && writer.witness.head == self.tip.head();
        if !settled && !writer.loss_untold {
            // After the flush, because a clean witness makes the next open trust
            // fjall's files as they are.
            writer.engine.clone().settle();
            writer.save_witness(true);
        }
        Ok(())
    }

    /// Runs a read on the reader thread.
    fn read_with<T: Send + 'static>(
        &self,
        call: impl FnOnce(&Records) -> Result<T, Unread> + Send + 'static,
    ) -> Task<'_, T> {
        let answer = self.threads.as_ref().map(|threads| {
            let records = threads.records.clone();
            threads.reader.run(move || call(&records))
        });
        Box::pin(async move { received(answer).await?.map_err(PortError::from) })
    }

    fn records(&self) -> Option<Records> {
        self.threads.as_ref().map(|threads| threads.records.clone())
    }

    /// Runs a call on the checkpoint thread.
    fn cache_with<T: Send + 'static>(
        &self,
        call: impl FnOnce() -> T + Send + 'static,
    ) -> Task<'_, T> {
        let answer = self
            .threads
            .as_ref()
            .map(|threads| threads.checkpoints.run(call));
        Box::pin(received(answer))
    }
}

impl History for Journal {
    fn head(&self) -> Seq {
        self.tip.head()
    }

    fn first(&self) -> Seq {
        let threads = self.threads.as_ref();
        threads.map_or(Seq(1), |threads| threads.records.shelf().first)
    }

    fn read(&self, from: Seq, limit: usize) -> Task<'_, Vec<Record>> {
        let head = self.head();
        self.read_with(move |records| read::page(records, head, from, limit))
    }

    fn checkpoint(&self) -> Task<'_, Option<Checkpoint>> {
        let (path, id, head) = (self.layout.checkpoint.clone(), self.id, self.head());
        let records = self.records();
        self.cache_with(move || {
            let older = || records?.shelf().newest_state(head);
            match checkpoint::load(&path, Some(&id)) {
                Some(found) if found.seq > head => {
                    // What it covers was lost; state from the future helps nobody.
                    tracing::warn!(seq = %found.seq, %head, "checkpoint beyond the journal passed over");
                    older()
                }
                Some(found) => Some(found),
                None => older(),
            }
        })
    }
}

impl Store for Journal {
    fn append(&self, records: Vec<Record>) -> Task<'_, ()> {
        let answer = self
            .threads
            .as_ref()
            .map(|threads| threads.writer.append(records));
        Box::pin(async move { received(answer).await? })
    }

    fn save_checkpoint(&self, checkpoint: Checkpoint) -> Task<'_, ()> {
        let (layout, id, retention) = (self.layout.clone(), self.id, self.retention);
        let records = self.records();
        let saved = self.cache_with(move || {
            let keep = |records| retire::keep_state(&layout, records, retention, &checkpoint);
            let last = records.as_ref().and_then(keep);
            let path = &layout.checkpoint;
            checkpoint::save(path, &id, &checkpoint)
                .map_err(|error| PortError::from_io(&error, path.display()))?;
            Ok::<_, PortError>(records.zip(last))
        });
        Box::pin(async move {
            let due = saved.await??;
            if let (Some((records, last)), Some(threads)) = (due, &self.threads) {
                // Behind the reply: nobody waits for it but who closes the journal.
                drop(threads.checkpoints.run(move || {
                    if let Err(why) = retire::retire(&records, retention, last) {
                        tracing::warn!(%why, "older events stay where they are");
                    }
                }));
            }
            Ok(())
        })
    }
}

impl Drop for Journal {
    fn drop(&mut self) {
        if let Err(error) = self.shut() {
            tracing::warn!(%error, "journal not closed cleanly");
        }
    }
}

impl std::fmt::Debug for Journal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Journal").finish_non_exhaustive()
    }
}

impl std::fmt::Debug for Threads {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Threads").finish_non_exhaustive()
    }
}

async fn received<T>(answer: Option<oneshot::Receiver<T>>) -> PortResult<T> {
    let answer = answer.ok_or_else(gone)?;
    answer.await.map_err(|_| gone())
}

fn gone() -> PortError {
    PortError::new(FailureClass::Fatal, "the journal's thread is gone")
}
