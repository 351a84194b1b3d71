//! The loop: take what happened, hand it to the engine, make its records durable,
//! start what may start.
//!
//! Everything that is awaited lies in one set of futures, and each ends in one
//! `Happening`. CRASH: dropping the loop at any await leaves the journal at a whole
//! batch, the sides at whole effects, and slots that the next start puts away.

mod appending;
mod ending;
mod feed;
mod ignores;
mod orders;
mod quiet;
mod reach;
mod sides;
mod standing;
mod witness;

pub use appending::RUNNING_PER_RECORD;

use super::{Control, Job, Ports, Report, RunError, Tally, load};
use crate::executor::{Failed, Sides};
use crate::ports::{
    Changes, Checkpoint, Hint, HintStream, PortError, PortResult, Progress, RootState, ScanItem,
    ScanStream,
};
use futures::StreamExt;
use futures::future::LocalBoxFuture;
use futures::stream::{FuturesUnordered, LocalBoxStream};
use journal_format::event::{Operation, Outcome, Record};
use journal_format::value::{Seq, Side, Timestamp};
use std::collections::VecDeque;
use sync_core::engine::{Engine, WantedScan};
use sync_core::input::Input;

/// How long to run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Until nothing is left to do.
    Once,
    /// Until told to stop.
    Continuous,
}

/// Something that was awaited and happened.
enum Happening<'a> {
    Appended(PortResult<()>, Vec<Record>),
    /// Enough time passed for more records to come.
    Gathered,
    Ended(Seq, Result<Outcome, Failed>),
    /// The slot of a failed operation is empty, or could not be emptied.
    Emptied(Seq, Failed, PortResult<()>),
    RootBefore(Side, WantedScan, PortResult<(RootState, Option<Changes>)>),
    Claimed(Side, WantedScan, PortResult<()>),
    Scanned(
        Side,
        bool,
        ScanStream<'a>,
        Option<PortResult<Vec<ScanItem>>>,
    ),
    /// The empty listings of a scan that ended were looked into.
    Examined(Side, bool, Vec<ScanItem>),
    RootAfter(Side, bool, bool, PortResult<RootState>),
    RootPolled(Side, PortResult<RootState>),
    Hinted(Side, HintStream<'a>, Option<Vec<Hint>>),
    FeedRead(PortResult<Changes>),
    Ordered(LocalBoxStream<'a, Control>, Option<Control>),
    Woken(Timestamp),
    CheckpointSaved(PortResult<()>),
    TrashExpired(PortResult<u64>),
}

/// Runs a job.
///
/// Dropping the future is a crash that loses nothing: the next run resumes.
///
/// # Errors
/// See [`RunError`].
pub async fn run<'a>(
    ports: Ports<'a>,
    job: &Job,
    mode: Mode,
    orders: LocalBoxStream<'a, Control>,
) -> Result<Report, RunError> {
    let loaded = load::load(ports.store).await?;
    let mut driver = Driver::new(ports, job, mode, loaded);
    load::begin(ports, job, &mut driver.engine).await?;
    driver.note_change(&load::newest(ports.store).await?);
    driver.await_order(orders);
    driver.watch();
    driver.expire_trash();
    driver.run().await
}

struct Driver<'a> {
    ports: Ports<'a>,
    sides: Sides<'a>,
    mode: Mode,
    poll_interval_ms: i64,
    engine: Engine,
    tasks: FuturesUnordered<LocalBoxFuture<'a, Happening<'a>>>,
    /// Records that were decided and are not on their way yet.
    unwritten: Vec<Record>,
    is_appending: bool,
    patience: appending::Patience,
    durable: Seq,
    /// Operations whose start is not durable yet.
    unstarted: VecDeque<(Seq, Operation)>,
    running: usize,
    sides_state: [SideState; 2],
    feed: feed::FeedState,
    reach: reach::Reach,
    told: standing::Told,
    /// Answers that wait until their events are durable.
    promises: Vec<orders::Promise>,
    trash_ms: i64,
    checkpoint_tail_min: u64,
    running_per_record: usize,
    is_expiring_trash: bool,
    next_trash: Timestamp,
    /// Failed operations whose slots could not be emptied yet.
    full_slots: Vec<(Seq, Failed)>,
    /// Empty listings of the remote that are to be looked into.
    doubted: Vec<witness::Doubted>,
    slot_tries: u32,
    next_slots: Timestamp,
    /// The earliest timer that is set.
    timer: Option<Timestamp>,
    last_now: Timestamp,
    next_poll: Timestamp,
    is_stopping: bool,
    is_stopped_at_once: bool,
    tail: u64,
    tally: Tally,
    progress: Progress,
}

#[derive(Debug, Default)]
struct SideState {
    is_scanning: bool,
    is_watched: bool,
    /// Whether its watcher ended.
    has_lost_watch: bool,
    /// Another watcher is not tried before.
    next_watch: Timestamp,
    is_halted: bool,
    /// Why the scan under way says too little.
    broken: Option<PortError>,
    /// Scans in a row that said too little.
    broken_scans: u32,
    next_scan: Timestamp,
    next_full_scan: Timestamp,
}

const fn place(side: Side) -> usize {
    match side {
        Side::Local => 0,
        Side::Remote => 1,
    }
}

impl<'a> Driver<'a> {
    fn new(ports: Ports<'a>, job: &Job, mode: Mode, loaded: load::Loaded) -> Self {
        let digest = loaded.engine.state().root.as_ref().map(|root| root.digest);
        let digest = digest.unwrap_or(ports.remote.capabilities().digest);
        let now = ports.clock.now();
        Self {
            ports,
            sides: Sides {
                local: ports.local,
                remote: ports.remote,
                digest,
            },
            mode,
            poll_interval_ms: job.poll_interval_ms,
            durable: loaded.engine.state().seq,
            engine: loaded.engine,
            tasks: FuturesUnordered::new(),
            unwritten: Vec::new(),
            is_appending: false,
            patience: appending::Patience::default(),
            unstarted: VecDeque::new(),
            running: 0,
            sides_state: Default::default(),
            feed: feed::FeedState::default(),
            reach: reach::Reach::default(),
            told: standing::Told::default(),
            promises: Vec::new(),
            trash_ms: job.trash_ms,
            checkpoint_tail_min: job.checkpoint_tail_min,
            running_per_record: job.running_per_record,
            is_expiring_trash: false,
            next_trash: now,
            full_slots: Vec::new(),
            doubted: Vec::new(),
            slot_tries: 0,
            next_slots: now,
            timer: None,
            last_now: now,
            next_poll: now,
            is_stopping: false,
            is_stopped_at_once: false,
            tail: loaded.replayed,
            tally: Tally::default(),
            progress: Progress {
                since: now,
                ..Progress::default()
            },
        }
    }

    async fn run(&mut self) -> Result<Report, RunError> {
        self.recall_probe();
        loop {
            self.advance();
            if self.is_stopped_at_once {
                return Ok(self.report());
            }
            if self.is_done() {
                return self.finish().await;
            }
            let Some(happening) = self.tasks.next().await else {
                return self.finish().await;
            };
            self.take(happening)?;
        }
    }

    fn now(&self) -> Timestamp {
        self.ports.clock.now()
    }

    fn push(&mut self, task: impl Future<Output = Happening<'a>> + 'a) {
        self.tasks.push(Box::pin(task));
    }

    /// A clock that went back makes every set time meaningless: all are due.
    fn notice_clock(&mut self) {
        let now = self.now();
        if now < self.last_now {
            self.timer = None;
            self.next_poll = now;
            self.next_slots = now;
            self.want_feed();
            for state in &mut self.sides_state {
                state.next_scan = now;
                state.next_full_scan = now;
            }
            self.engine.handle(Input::Tick, now);
        }
        self.last_now = now;
    }

    /// Starts whatever can be started.
    fn advance(&mut self) {
        self.notice_clock();
        self.empty_slots();
        // A pause is no reason to look away: what waits for its end is told.
        if !self.is_stopping {
            self.read_feed();
            self.scan_both();
        }
        self.note_feed();
        self.note_probe();
        if !self.is_held() {
            let started = self.engine.start_operations(self.now());
            self.unstarted.extend(started);
            if !self.is_stopping {
                // The plan may have asked for another look, and nothing else comes.
                self.scan_both();
            }
        }
        self.append();
        self.start_durable();
        self.keep_checkpoint();
        // Who has an answer finds the standing that it led to.
        self.tell_standing();
        self.keep_promises();
        if !self.is_stopping {
            // Only now is it told that nothing is left to do, and nothing else comes.
            self.read_feed();
        }
        self.set_timer();
    }

    fn set_timer(&mut self) {
        let engine = if self.mode == Mode::Once {
            self.engine.hopeful_deadline()
        } else {
            self.engine.deadline()
        };
        let now = self.now();
        let mut wanted: Vec<Timestamp> = engine.into_iter().collect();
        if !self.full_slots.is_empty() {
            wanted.push(self.next_slots);
        }
        if self.mode == Mode::Continuous && !self.is_stopping {
            wanted.push(self.next_poll);
            wanted.extend(self.guide().map(|_| self.feed.next));
            let waiting = self.sides_state.iter().filter(|state| !state.is_scanning);
            wanted.extend(waiting.flat_map(|state| [state.next_scan, state.next_full_scan]));
        } else {
            wanted.extend(self.sides_state.iter().map(|state| state.next_scan));
        }
        let Some(next) = wanted.into_iter().filter(|time| *time > now).min() else {
            return;
        };
        if self.timer.is_none_or(|timer| next < timer || timer <= now) {
            self.timer = Some(next);
            let clock = self.ports.clock;
            self.push(async move {
                clock.sleep_until(next).await;
                Happening::Woken(next)
            });
        }
    }

    /// Tells whether nothing is left to do for this mode.
    fn is_done(&self) -> bool {
        if self.is_stopping {
            return self.is_quiet();
        }
        self.is_at_rest() && !self.is_awaiting_last_reading()
    }

    /// Tells whether a run that is to end has nothing left to do on either side.
    fn is_at_rest(&self) -> bool {
        let quiet = self.is_quiet();
        let scanning = self.sides_state.iter().any(|state| state.is_scanning);
        let scanning = scanning || self.is_expiring_trash;
        let halted = self.sides_state.iter().any(|state| state.is_halted);
        self.mode == Mode::Once
            && quiet
            && !scanning
            && (halted || self.engine.is_idle() && self.engine.hopeful_deadline().is_none())
    }

    fn take(&mut self, happening: Happening<'a>) -> Result<(), RunError> {
        let now = self.now();
        match happening {
            Happening::Appended(result, records) => self.appended(result, &records)?,
            Happening::Gathered => self.gathered(),
            Happening::Ended(id, result) => self.ended(id, result),
            Happening::Emptied(id, error, result) => self.emptied(id, error, result)?,
            Happening::RootBefore(side, wanted, state) => self.root_before(side, wanted, state)?,
            Happening::Claimed(side, wanted, result) => {
                result.map_err(|error| RunError::Unclaimed { side, error })?;
                self.check_root(side, wanted);
            }
            Happening::Scanned(side, whole, stream, batch) => {
                self.scanned(side, whole, stream, batch)
            }
            Happening::Examined(side, whole, items) => self.examined(side, whole, items),
            Happening::RootAfter(side, whole, complete, state) => {
                self.root_after(side, whole, complete, &state)?;
            }
            Happening::RootPolled(side, state) => self.root_polled(side, &state)?,
            Happening::Hinted(side, stream, hints) => self.hinted(side, stream, hints),
            Happening::FeedRead(result) => self.feed_read(result)?,
            Happening::Ordered(orders, order) => self.ordered(orders, order),
            Happening::Woken(time) => {
                if self.timer == Some(time) {
                    self.timer = None;
                }
                self.engine.handle(Input::Tick, now);
                self.poll_roots(now);
                self.expire_trash();
            }
            Happening::TrashExpired(result) => {
                self.is_expiring_trash = false;
                match result {
                    Ok(0) => {}
                    Ok(gone) => tracing::info!(gone, "the trash was tidied"),
                    Err(error) => tracing::info!(%error, "the trash was not tidied"),
                }
            }
            Happening::CheckpointSaved(result) => {
                if let Err(error) = result {
                    tracing::warn!(%error, "the checkpoint was not saved; the next start replays");
                }
            }
        }
        Ok(())
    }

    /// Once a run and once a day.
    fn expire_trash(&mut self) {
        let now = self.now();
        if self.is_expiring_trash || self.is_stopping || now < self.next_trash {
            return;
        }
        self.is_expiring_trash = true;
        self.next_trash = now.plus_millis(TRASH_PAUSE_MS);
        let before = now.plus_millis(self.trash_ms.saturating_neg());
        let local = self.ports.local;
        self.push(async move {
            Happening::TrashExpired(local.expire_trash(before, TRASH_BYTES_MAX).await)
        });
    }

    /// Writes the last records and, when it saves a later start much work, the
    /// checkpoint.
    async fn finish(&mut self) -> Result<Report, RunError> {
        let report = self.report();
        self.engine.handle(Input::Stopping, self.now());
        let worth_it = self.is_checkpoint_due();
        if worth_it {
            self.engine.stamp_digest(self.now());
        }
        let records = self.engine.take_records();
        if !records.is_empty() {
            let copy = records.clone();
            self.ports
                .store
                .append(records)
                .await
                .map_err(RunError::Append)?;
            self.durable = self.engine.state().seq;
            self.ports.observer.appended(&copy);
        }
        self.keep_promises();
        if worth_it {
            let state = self.engine.state();
            let bytes = sync_core::checkpoint::encode(state);
            let saved = self.ports.store.save_checkpoint(Checkpoint {
                seq: state.seq,
                bytes,
            });
            let saved = Happening::CheckpointSaved(saved.await);
            self.take(saved)?;
        }
        Ok(Report {
            seq: self.engine.state().seq,
            ..report
        })
    }

    fn report(&self) -> Report {
        Report {
            standing: self.engine.standing(),
            tally: self.tally.clone(),
            problems: self.engine.problems(),
            held: self.engine.held(),
            seq: self.engine.state().seq,
            doubt: self.what_is_in_doubt(),
        }
    }
}

/// How often the trash is tidied, in ms.
const TRASH_PAUSE_MS: i64 = 86_400_000;
/// Bytes in the trash beyond which the oldest entries go before their time.
const TRASH_BYTES_MAX: u64 = 100 << 30;
/// Records beyond the checkpoint below which a new one is not worth its writing.
pub const CHECKPOINT_TAIL_MIN: u64 = 20_000;
