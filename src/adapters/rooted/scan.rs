//! Lists many directories at once.
//!
//! In: a request. Out: a stream of batches. Each worker keeps the directories it
//! finds to itself and gives some away when another one has nothing to do, but
//! only after the batch with their parents' listings was sent: so a parent's
//! listing always comes first. Invariant: the stream ends without an error only
//! if every worker said that it came to its end. Dropping the stream stops the
//! workers at their next directory. Deliberately absent: what is in a listing
//! (`list`), which names a target needs (`targets`).

use super::fault::fatal;
use super::folder::{Base, Folder, locked};
use super::list::{Job, Lister};
use super::targets::look_at_targets;
use crate::ports::{PortError, PortResult, ScanItem, ScanRequest, ScanStream, ScanTarget};
use futures::StreamExt;
use futures::stream;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use tokio::sync::mpsc;

type Batch = Vec<ScanItem>;

enum Message {
    Batch(PortResult<Batch>),
    /// A worker came to its end.
    Ended,
}

struct Shared {
    queue: Mutex<Queue>,
    changed: Condvar,
    /// Workers that wait for a directory.
    hungry: AtomicUsize,
    stop: AtomicBool,
}

struct Queue {
    jobs: Vec<Job>,
    busy: usize,
}

/// Stops the workers when the stream is dropped.
struct Running {
    shared: Arc<Shared>,
    messages: mpsc::Receiver<Message>,
    workers: usize,
}

impl Drop for Running {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::Relaxed);
        self.shared.changed.notify_all();
    }
}

/// Lists what a request asks for, beginning at the first poll.
pub(crate) fn scan(folder: Arc<Folder>, request: ScanRequest) -> ScanStream<'static> {
    let start = stream::once(async move { start(&folder, request.targets) });
    start
        .flat_map(|running| stream::unfold(Some(running), next))
        .boxed_local()
}

async fn next(running: Option<Running>) -> Option<(PortResult<Batch>, Option<Running>)> {
    let mut running = running?;
    while running.workers > 0 {
        match running.messages.recv().await {
            Some(Message::Batch(Ok(batch))) => return Some((Ok(batch), Some(running))),
            Some(Message::Batch(Err(error))) => return Some((Err(error), None)),
            Some(Message::Ended) => running.workers -= 1,
            None => return Some((Err(fatal("a scan stopped before its end")), None)),
        }
    }
    None
}

fn start(folder: &Arc<Folder>, targets: Vec<ScanTarget>) -> Running {
    let deep = targets.iter().any(|target| target.subtree);
    let workers = if deep { threads() } else { 1 };
    let (sender, messages) = mpsc::channel(BATCHES_MAX);
    let shared = Arc::new(Shared {
        queue: Mutex::new(Queue {
            jobs: Vec::new(),
            busy: workers,
        }),
        changed: Condvar::new(),
        hungry: AtomicUsize::new(0),
        stop: AtomicBool::new(false),
    });
    let mut targets = Some(targets);
    for _ in 0..workers {
        let (folder, shared) = (Arc::clone(folder), Arc::clone(&shared));
        let (sender, targets) = (sender.clone(), targets.take());
        drop(tokio::task::spawn_blocking(move || {
            work(&folder, &shared, &sender, targets)
        }));
    }
    Running {
        shared,
        messages,
        workers,
    }
}

fn work(
    folder: &Folder,
    shared: &Shared,
    sender: &mpsc::Sender<Message>,
    targets: Option<Vec<ScanTarget>>,
) {
    let busy = Busy(shared);
    let message = match folder.base() {
        Err(error) => Message::Batch(Err(error)),
        Ok(base) => {
            let mut worker = Worker {
                shared,
                sender,
                lister: Lister::new(&base, &folder.filter, &shared.stop),
                jobs: Vec::new(),
                batch: Vec::new(),
                weight: 0,
            };
            match worker.run(&base, folder, targets) {
                Ok(()) => Message::Ended,
                Err(Stopped) => return,
            }
        }
    };
    drop(busy);
    // Nobody listens any more: nothing is left to say.
    drop(sender.blocking_send(message));
}

/// The stream was dropped, or another worker failed.
struct Stopped;

/// Counts a worker out, also when it panics.
struct Busy<'a>(&'a Shared);

impl Drop for Busy<'_> {
    fn drop(&mut self) {
        let mut queue = locked(&self.0.queue);
        queue.busy = queue.busy.saturating_sub(1);
        drop(queue);
        self.0.changed.notify_all();
    }
}

struct Worker<'a> {
    shared: &'a Shared,
    sender: &'a mpsc::Sender<Message>,
    lister: Lister<'a>,
    jobs: Vec<Job>,
    batch: Batch,
    weight: usize,
}

impl Worker<'_> {
    fn run(
        &mut self,
        base: &Base,
        folder: &Folder,
        targets: Option<Vec<ScanTarget>>,
    ) -> Result<(), Stopped> {
        if let Some(targets) = targets {
            match look_at_targets(base, &folder.filter, targets) {
                Ok((items, jobs)) => (self.batch, self.jobs) = (items, jobs),
                Err(fault) => return self.give_up(fault),
            }
        }
        loop {
            let job = match self.jobs.pop() {
                Some(job) => job,
                None => {
                    self.send()?;
                    match self.wait()? {
                        Some(job) => job,
                        None => return Ok(()),
                    }
                }
            };
            let item = self.lister.list(&job, &mut self.jobs);
            if self.shared.stop.load(Ordering::Relaxed) {
                return Err(Stopped);
            }
            if let Some(fault) = self.lister.fault.take() {
                return self.give_up(fault);
            }
            self.weight += 1 + match &item {
                ScanItem::Listing(listing) => listing.entries.len(),
                ScanItem::Unlisted { .. } => 0,
            };
            self.batch.push(item);
            let wanted = !self.jobs.is_empty() && self.shared.hungry.load(Ordering::Relaxed) > 0;
            if self.weight >= BATCH_ENTRIES || wanted {
                self.send()?;
            }
            if wanted {
                self.give();
            }
        }
    }

    fn give_up(&self, fault: PortError) -> Result<(), Stopped> {
        // Nobody listens any more, or the stream ends with this.
        drop(self.sender.blocking_send(Message::Batch(Err(fault))));
        Err(Stopped)
    }

    fn send(&mut self) -> Result<(), Stopped> {
        self.weight = 0;
        if self.batch.is_empty() {
            return Ok(());
        }
        let batch = std::mem::take(&mut self.batch);
        self.sender
            .blocking_send(Message::Batch(Ok(batch)))
            .map_err(|_| Stopped)
    }

    /// Gives the older half away: those have the most below them.
    fn give(&mut self) {
        let half = self.jobs.len().div_ceil(2);
        locked(&self.shared.queue)
            .jobs
            .extend(self.jobs.drain(..half));
        self.shared.changed.notify_all();
    }

    /// Waits for a directory: nothing when no worker can find one any more.
    fn wait(&self) -> Result<Option<Job>, Stopped> {
        let mut queue = locked(&self.shared.queue);
        if let Some(job) = queue.jobs.pop() {
            return Ok(Some(job));
        }
        queue.busy -= 1;
        self.shared.hungry.fetch_add(1, Ordering::Relaxed);
        self.shared.changed.notify_all();
        let result = loop {
            if self.shared.stop.load(Ordering::Relaxed) {
                break Err(Stopped);
            }
            if let Some(job) = queue.jobs.pop() {
                break Ok(Some(job));
            }
            if queue.busy == 0 {
                break Ok(None);
            }
            queue = self
                .shared
                .changed
                .wait(queue)
                .unwrap_or_else(std::sync::PoisonError::into_inner);
        };
        self.shared.hungry.fetch_sub(1, Ordering::Relaxed);
        // Whoever stops is counted out by its guard.
        if !matches!(result, Ok(None)) {
            queue.busy += 1;
        }
        result
    }
}

fn threads() -> usize {
    std::thread::available_parallelism().map_or(2, |cores| cores.get().clamp(2, 4))
}

/// Entries after which a batch is sent.
const BATCH_ENTRIES: usize = 1000;
/// Batches that wait for the reader at most.
const BATCHES_MAX: usize = 16;
