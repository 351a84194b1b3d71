//! The only thread that writes to the journal.
//!
//! In: appends, from any number of callers. Out: replies, after the sync. What
//! waits is taken together into one batch, so that one sync serves all of it.
//! Invariants: sequence numbers are contiguous; a reply comes after the batch is
//! durable, and the witness and the mark after that; after a first error nothing
//! more is written. Deliberately absent: retries (reopen instead). A crash leaves
//! whole batches, at most one of them without a reply.

use super::engine::Engine;
use super::witness::{Chain, Mark, Witness};
use crate::journal::chained;
use crate::ports::{PortError, PortResult};
use fjall::Slice;
use futures::channel::oneshot;
use journal_format::encode_record;
use journal_format::event::{FailureClass, Record};
use journal_format::value::Seq;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// One caller's records.
struct Append {
    records: Vec<Record>,
    reply: oneshot::Sender<PortResult<()>>,
}

/// Where the journal ends: the last durable record and the running hash there.
#[derive(Debug)]
pub(super) struct Tip {
    head: AtomicU64,
    chain: Mutex<(Seq, Chain)>,
}

impl Tip {
    pub(super) fn new(head: Seq, chain: Chain) -> Self {
        Self {
            head: AtomicU64::new(head.0),
            chain: Mutex::new((head, chain)),
        }
    }

    pub(super) fn head(&self) -> Seq {
        Seq(self.head.load(Ordering::Acquire))
    }

    pub(super) fn chain(&self) -> (Seq, Chain) {
        *self.chain.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn advance(&self, head: Seq) {
        self.head.store(head.0, Ordering::Release);
    }

    fn chain_to(&self, head: Seq, chain: Chain) {
        *self.chain.lock().unwrap_or_else(PoisonError::into_inner) = (head, chain);
    }
}

/// What the thread owns.
pub(super) struct Writer {
    pub(super) engine: Engine,
    pub(super) tip: Arc<Tip>,
    pub(super) mark: Mark,
    pub(super) witness_path: PathBuf,
    /// The content of the witness file, or what it would be.
    pub(super) witness: Witness,
    /// The witness file says more than the journal holds, and keeps saying so
    /// until a first record is appended.
    pub(super) loss_untold: bool,
    /// The hash of the last record; zeros for an empty journal.
    pub(super) last: Chain,
    /// Why nothing can be written any more.
    pub(super) broken: Option<String>,
}

/// The calling side of the thread.
#[derive(Debug)]
pub(super) struct Handle {
    appends: Sender<Append>,
    thread: JoinHandle<Writer>,
}

impl Handle {
    pub(super) fn start(writer: Writer) -> std::io::Result<Self> {
        let (appends, queue) = channel();
        let thread = std::thread::Builder::new()
            .name("journal-writer".to_owned())
            .spawn(move || writer.run(&queue))?;
        Ok(Self { appends, thread })
    }

    /// Queues records. The receiver ends without a value if the thread is gone.
    pub(super) fn append(&self, records: Vec<Record>) -> oneshot::Receiver<PortResult<()>> {
        let (reply, receiver) = oneshot::channel();
        self.appends.send(Append { records, reply }).ok();
        receiver
    }

    /// Lets the queued appends finish, then ends the thread.
    pub(super) fn finish(self) -> Option<Writer> {
        drop(self.appends);
        self.thread.join().ok()
    }
}

impl Writer {
    #[expect(
        clippy::disallowed_methods,
        reason = "spaces the witness, on a thread of its own"
    )]
    fn run(mut self, queue: &Receiver<Append>) -> Self {
        let mut saved_at = Instant::now();
        loop {
            let stale = self.witness.head < self.tip.head() && self.broken.is_none();
            let next = if stale {
                queue.recv_timeout(WITNESS_EVERY)
            } else {
                queue.recv().map_err(|_| RecvTimeoutError::Disconnected)
            };
            match next {
                Ok(first) => self.serve(first, queue),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return self,
            }
            let behind = self.tip.head().0.saturating_sub(self.witness.head.0);
            if behind >= WITNESS_EVENTS || behind > 0 && saved_at.elapsed() >= WITNESS_EVERY {
                self.save_witness(false);
                saved_at = Instant::now();
            }
        }
    }

    /// Appends what waits in one batch and replies. The running hash follows after
    /// the replies: callers do not wait for it.
    fn serve(&mut self, first: Append, queue: &Receiver<Append>) {
        let mut batch = Batch {
            head: self.tip.head(),
            records: Vec::new(),
        };
        let mut waiting = Vec::new();
        let mut next = Some(first);
        while let Some(append) = next {
            let added = match &self.broken {
                Some(why) => Err(why.clone()),
                None => batch.add(&append.records),
            };
            if let Err(why) = added {
                append.reply.send(Err(fatal(&why))).ok();
                self.broken.get_or_insert(why);
                break;
            }
            waiting.push(append.reply);
            next = (batch.records.len() < BATCH_RECORDS)
                .then(|| queue.try_recv().ok())
                .flatten();
        }
        let result = self.commit(&batch);
        let durable = result.is_ok() && !batch.records.is_empty();
        for reply in waiting {
            reply.send(result.clone()).ok();
        }
        if durable {
            self.follow(&batch);
        }
    }

    /// Brings the running hash to the head, and ends a loss that was told.
    fn follow(&mut self, batch: &Batch) {
        let (_, mut chain) = self.tip.chain();
        for (_, bytes) in &batch.records {
            chain = chained(&chain, bytes);
        }
        if let Some((head, bytes)) = batch.records.last() {
            self.last = *blake3::hash(bytes).as_bytes();
            self.tip.chain_to(*head, chain);
        }
        if self.loss_untold || self.witness.lost > Seq::ZERO {
            // The caller went on from the loss: what was lost is history now. Both
            // slots of the mark have to say so.
            self.loss_untold = false;
            self.witness.lost = Seq::ZERO;
            self.save_witness(false);
            self.write_mark(batch.head);
        }
    }

    fn commit(&mut self, batch: &Batch) -> PortResult<()> {
        if batch.records.is_empty() {
            return Ok(());
        }
        if self.witness.clean && !self.loss_untold {
            // From here on a death is an unclean stop.
            self.witness.clean = false;
            if let Err(error) = self.witness.save(&self.witness_path) {
                return self.fail(format!("witness not written: {error}"));
            }
        }
        if let Err(error) = self.engine.commit(&batch.records) {
            return self.fail(format!("journal not written: {error}"));
        }
        self.tip.advance(batch.head);
        self.write_mark(batch.head);
        Ok(())
    }

    fn fail(&mut self, why: String) -> PortResult<()> {
        tracing::error!(%why, "journal stopped");
        let error = fatal(&why);
        self.broken = Some(why);
        Err(error)
    }

    fn write_mark(&mut self, head: Seq) {
        if let Err(error) = self.mark.write(head) {
            tracing::warn!(%error, "mark beside the journal not written");
        }
    }

    /// Writes the witness for the durable head. Without it a loss would be found
    /// later or not at all, but nothing is lost by that: no error.
    pub(super) fn save_witness(&mut self, clean: bool) {
        let (head, chain) = self.tip.chain();
        self.witness = Witness {
            head,
            chain,
            last: self.last,
            clean,
            ..self.witness
        };
        if let Err(error) = self.witness.save(&self.witness_path) {
            tracing::warn!(%error, "witness beside the journal not written");
        }
    }
}

/// Encoded records that follow the head, and the last one's number.
struct Batch {
    head: Seq,
    records: Vec<(Seq, Slice)>,
}

impl Batch {
    /// Adds one caller's records, all or none.
    fn add(&mut self, records: &[Record]) -> Result<(), String> {
        let before = self.records.len();
        let mut head = self.head;
        for record in records {
            head = head.next();
            let encoded = if record.seq == head {
                encode_record(record).map_err(|error| format!("record {head}: {error}"))
            } else {
                Err(format!("append of record {}, expected {head}", record.seq))
            };
            match encoded {
                Ok(bytes) => self.records.push((head, bytes.into())),
                Err(why) => {
                    self.records.truncate(before);
                    return Err(why);
                }
            }
        }
        self.head = head;
        Ok(())
    }
}

fn fatal(why: &str) -> PortError {
    PortError::new(FailureClass::Fatal, why)
}

/// The longest time that a running process leaves the witness behind the head.
const WITNESS_EVERY: Duration = Duration::from_secs(5);
/// The most records by which it is left behind.
const WITNESS_EVENTS: u64 = 65_536;
/// Where a batch stops taking in further appends.
const BATCH_RECORDS: usize = 8192;
