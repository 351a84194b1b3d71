//! Looks after many jobs, each in a thread that the host makes for it.
//!
//! In: job settings, orders, what runs tell about themselves. Out: runs started and
//! stopped, how each job stands. Invariants: a job in trouble never touches another;
//! a job is started only when its last run has ended; a job file that is wrong
//! changes nothing. Watched by the tests with pretend jobs. Deliberately absent:
//! threads, files, sockets (the host's), sync semantics. CRASH: runs end as their
//! driver says; the next process starts all jobs.

mod entry;
#[cfg(test)]
pub(crate) mod kit;
mod line;
mod reload;
#[cfg(test)]
mod tests;

pub use entry::{Frequency, Spec, State, View};
pub use line::{Bell, Bells, End, Line, OpenJournal, Transfer, Trouble, TroubleKind};
pub use reload::Reloaded;

use super::{Control, Mode};
use crate::ports::{Clock, Status};
use entry::{After, Entry, Rest, Run, Stage, state_of};
use futures::StreamExt;
use futures::channel::{mpsc, oneshot};
use futures::future::{Either, select};
use futures::stream::LocalBoxStream;
use journal_format::event::Order;
use journal_format::value::{Seq, Timestamp};
use std::cell::{Cell, RefCell};
use std::pin::pin;
use std::sync::Arc;

/// What runs jobs and knows their settings.
pub trait Host {
    /// Runs a job where it disturbs nobody. Its end is told on the line, always.
    fn start(&self, id: &str, mode: Mode, line: Arc<Line>, orders: mpsc::Receiver<Control>);

    /// Hears that a person wants a job that rests to be started: what a server refused
    /// before may be tried again.
    fn asked(&self, id: &str) {
        let _unused = id;
    }

    /// Reads the jobs anew and remembers them, unless they are wrong.
    ///
    /// # Errors
    /// What is wrong with them, for people; the old ones stay.
    fn reload(&self) -> Result<Vec<Spec>, String>;

    /// Returns the next time at which local clocks show this time of day.
    fn next_time(&self, now: Timestamp, hour: u8, minute: u8) -> Timestamp;

    /// Tells a person that a job is in trouble, once for each reason.
    fn troubled(&self, label: &str, trouble: &Trouble);

    /// Notes that everything is well, for a watchdog.
    fn alive(&self) {}
}

/// Something from outside that concerns all jobs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signal {
    /// Stop all; a second one stops at once.
    Stop,
    /// Read the job file again.
    Reload,
}

/// Why an order was not obeyed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// There is no such job.
    NoJob(String),
    /// Its journal is not open.
    NotRunning,
    /// It has more orders than it can take now.
    Busy,
}

/// The answer to an order: the number of its event, once that is durable.
pub type Answer = oneshot::Receiver<Option<Seq>>;

/// All jobs.
pub struct Supervisor<'a> {
    host: &'a dyn Host,
    clock: &'a dyn Clock,
    bells: Arc<Bells>,
    jobs: RefCell<Vec<Entry>>,
    stops: Cell<u32>,
}

impl<'a> Supervisor<'a> {
    /// Takes the jobs in; [`Supervisor::run`] starts them.
    #[must_use]
    pub fn new(host: &'a dyn Host, clock: &'a dyn Clock, specs: Vec<Spec>) -> Self {
        let now = clock.now();
        let entries = specs.into_iter().map(|spec| Entry::new(spec, now));
        Self {
            host,
            clock,
            bells: Arc::default(),
            jobs: RefCell::new(entries.collect()),
            stops: Cell::new(0),
        }
    }

    /// Returns who is woken by jobs.
    #[must_use]
    pub fn bells(&self) -> &Bells {
        &self.bells
    }

    /// Looks after the jobs until told to stop, or until none of them could ever
    /// run. Returns the exit code that the worst of those gave.
    pub async fn run(&self, mut signals: LocalBoxStream<'_, Signal>) -> Option<u8> {
        loop {
            let next = self.turn();
            if let Some(exit) = self.is_over() {
                return exit;
            }
            let timer = self.clock.sleep_until(next);
            let rung = pin!(self.bells.supervisor.rung());
            let woken = select(rung, timer);
            match select(signals.next(), woken).await {
                Either::Left((Some(signal), _)) => self.obey(signal),
                Either::Left((None, _)) => self.obey(Signal::Stop),
                Either::Right(_) => {}
            }
        }
    }

    fn obey(&self, signal: Signal) {
        match signal {
            Signal::Stop => self.stop_all(),
            Signal::Reload => match self.reload(None) {
                Ok(_) => tracing::info!("the jobs were read again"),
                Err(why) => tracing::error!("the jobs stay as they were: {why}"),
            },
        }
    }

    fn stop_all(&self) {
        self.stops.set(self.stops.get() + 1);
        for entry in self.jobs.borrow_mut().iter_mut() {
            entry.after = After::Stop;
            if let Stage::Running(run) = &mut entry.stage {
                stop(run);
            }
        }
    }

    /// Deals with what ended and starts what is due. Returns when to look again.
    fn turn(&self) -> Timestamp {
        let now = self.clock.now();
        let is_stopping = self.stops.get() > 0;
        let mut jobs = self.jobs.borrow_mut();
        let mut next = now.plus_millis(LOOK_MS);
        let mut changed = false;
        for entry in jobs.iter_mut() {
            self.notice_end(entry, now);
            if let Stage::Resting(rest) = &entry.stage
                && let Some(due) = rest.next_try
                && entry.after != After::Remove
                && !is_stopping
            {
                if due <= now {
                    self.start(entry, now);
                } else {
                    next = next.min(due);
                }
            }
            let (state, ..) = entry.stands();
            if entry.seen.0 != state {
                entry.seen = (state, now);
                changed = true;
            }
            if state == State::Synced {
                entry.tries = 0;
            }
            if matches!(&entry.stage, Stage::Running(run) if run.line.status().is_some()) {
                entry.started_by = None;
            }
        }
        let is_gone = |entry: &Entry| entry.after == After::Remove && entry.line().is_none();
        jobs.retain(|entry| !is_gone(entry));
        if changed {
            self.bells.stream.ring();
        }
        self.host.alive();
        next
    }

    fn notice_end(&self, entry: &mut Entry, now: Timestamp) {
        let Stage::Running(run) = &entry.stage else {
            return;
        };
        let Some(end) = run.line.take_end() else {
            return;
        };
        entry.last_status = run.line.status().or_else(|| entry.last_status.take());
        let lived = now.0.saturating_sub(run.began.0);
        if lived > PROVEN_MS {
            entry.tries = 0;
        }
        let after = std::mem::replace(&mut entry.after, After::Open);
        let rest = match (after, end) {
            (After::Stop, end) => Rest::stopped(end),
            (After::Restart, _) => Rest::new(State::Starting, None, Some(now)),
            (After::Remove, _) => {
                entry.after = After::Remove;
                Rest::new(State::Stopped, None, None)
            }
            (After::Open, End::Finished(_)) => {
                entry.told_reason = None;
                match run.mode {
                    Mode::Once => self.waiting(entry.spec.frequency, now),
                    // It stopped by itself, which nothing asks it to.
                    Mode::Continuous => Rest::new(State::Stopped, None, None),
                }
            }
            (After::Open, End::Failed(trouble)) => self.troubled(entry, &trouble, now),
        };
        entry.has_run |= lived > PROVEN_MS;
        entry.stage = Stage::Resting(rest);
        self.bells.stream.ring();
    }

    fn waiting(&self, frequency: Frequency, now: Timestamp) -> Rest {
        let next = match frequency {
            Frequency::Daily { hour, minute } => Some(self.host.next_time(now, hour, minute)),
            Frequency::Auto | Frequency::Manual => None,
        };
        Rest::new(State::Waiting, None, next)
    }

    fn troubled(&self, entry: &mut Entry, trouble: &Trouble, now: Timestamp) -> Rest {
        if entry.told_reason.as_ref() != Some(&trouble.reason) {
            entry.told_reason = Some(trouble.reason.clone());
            self.host.troubled(&entry.spec.label, trouble);
        }
        entry.exit = Some(trouble.exit);
        let is_hopeful = matches!(trouble.kind, TroubleKind::Offline | TroubleKind::Passing);
        let wait = FIRST_WAIT_MS << entry.tries.min(WAIT_DOUBLINGS_MAX);
        entry.tries = entry.tries.saturating_add(1);
        let next_try = is_hopeful.then(|| now.plus_millis(wait));
        Rest::new(
            state_of(trouble.kind),
            Some(trouble.reason.clone()),
            next_try,
        )
    }

    fn start(&self, entry: &mut Entry, now: Timestamp) {
        let line = Line::new(&self.bells);
        let (mut orders, taken) = mpsc::channel(ORDERS_MAX);
        if let Some(by) = entry.started_by.clone() {
            let order = Order::Start;
            let is_told = send(&mut orders, Control::Order { order, by });
            debug_assert!(is_told.is_ok(), "nothing else was sent yet");
        }
        let mode = entry.spec.frequency.mode();
        entry.after = After::Open;
        entry.stage = Stage::Running(Run {
            line: Arc::clone(&line),
            orders,
            mode,
            began: now,
        });
        self.host.start(&entry.spec.id, mode, line, taken);
    }

    /// Stopped, or nothing that could ever run: no job runs, waits or was told to
    /// rest, and none ever ran.
    fn is_over(&self) -> Option<Option<u8>> {
        let jobs = self.jobs.borrow();
        let nobody_runs = jobs.iter().all(|entry| entry.line().is_none());
        if self.stops.get() > 0 {
            return nobody_runs.then_some(None);
        }
        let hopeless = |entry: &Entry| {
            let (state, _, next_try) = entry.stands();
            state == State::Error && next_try.is_none() && !entry.has_run
        };
        if nobody_runs && !jobs.is_empty() && jobs.iter().all(hopeless) {
            return Some(jobs.iter().filter_map(|entry| entry.exit).max());
        }
        None
    }

    /// Returns all jobs, in their order.
    #[must_use]
    pub fn views(&self) -> Vec<View> {
        let jobs = self.jobs.borrow();
        let jobs = jobs.iter().filter(|entry| entry.after != After::Remove);
        let jobs = jobs.enumerate();
        jobs.map(|(index, entry)| view(index, entry, self.clock.now()))
            .collect()
    }

    /// Finds a job by its id, or by a label that only it has.
    ///
    /// # Errors
    /// There is none.
    pub fn find(&self, name: &str) -> Result<View, Refusal> {
        let views = self.views();
        if let Some(view) = views.iter().find(|view| view.spec.id == name) {
            return Ok(view.clone());
        }
        let mut labelled = views.into_iter().filter(|view| view.spec.label == name);
        match (labelled.next(), labelled.next()) {
            (Some(view), None) => Ok(view),
            _ => Err(Refusal::NoJob(name.to_owned())),
        }
    }

    /// Pauses, starts or stops a job. The answer is none where nothing is journaled.
    ///
    /// # Errors
    /// See [`Refusal`]; nothing changed.
    pub fn order(&self, id: &str, order: Order, by: &str) -> Result<Option<Answer>, Refusal> {
        let now = self.clock.now();
        let answer = self.with(id, |entry| match &mut entry.stage {
            // It is about to end; its next run is the answer.
            Stage::Running(_) if order == Order::Start && entry.after == After::Stop => {
                entry.after = After::Restart;
                entry.started_by = Some(by.to_owned());
                Ok(None)
            }
            Stage::Running(run) => {
                let by = by.to_owned();
                let answer = ask(&mut run.orders, Control::Order { order, by })?;
                if order == Order::Stop {
                    entry.after = After::Stop;
                }
                Ok(Some(answer))
            }
            Stage::Resting(resting) => {
                if order == Order::Start {
                    self.host.asked(id);
                }
                entry.started_by = (order == Order::Start).then(|| by.to_owned());
                match order {
                    Order::Start => *resting = Rest::new(State::Starting, None, Some(now)),
                    Order::Pause | Order::Stop => resting.stopped_at_rest(entry.exit),
                }
                Ok(None)
            }
        });
        self.bells.supervisor.ring();
        answer
    }

    /// Has a job look at both sides now; one that rests is started.
    ///
    /// # Errors
    /// See [`Refusal`].
    pub fn sync_now(&self, id: &str) -> Result<(), Refusal> {
        let now = self.clock.now();
        let told = self.with(id, |entry| match &mut entry.stage {
            Stage::Running(run) => match send(&mut run.orders, Control::SyncNow) {
                // The run is at its end; the next one looks at everything.
                Err(Refusal::NotRunning) if matches!(entry.after, After::Open | After::Restart) => {
                    entry.after = After::Restart;
                    Ok(())
                }
                sent => sent,
            },
            Stage::Resting(resting) => {
                self.host.asked(id);
                *resting = Rest::new(State::Starting, None, Some(now));
                Ok(())
            }
        });
        self.bells.supervisor.ring();
        told
    }

    /// Sends an order to the run of a job and returns the answer's place.
    ///
    /// # Errors
    /// See [`Refusal`].
    pub fn ask(&self, id: &str, control: Control) -> Result<Answer, Refusal> {
        self.with_run(id, |run| ask(&mut run.orders, control))
    }

    /// Sends a question to the run of a job.
    ///
    /// # Errors
    /// See [`Refusal`].
    pub fn send(&self, id: &str, control: Control) -> Result<(), Refusal> {
        self.with_run(id, |run| send(&mut run.orders, control))
    }

    fn with_run<T>(
        &self,
        id: &str,
        act: impl FnOnce(&mut Run) -> Result<T, Refusal>,
    ) -> Result<T, Refusal> {
        self.with(id, |entry| match &mut entry.stage {
            Stage::Running(run) => act(run),
            Stage::Resting(_) => Err(Refusal::NotRunning),
        })
    }

    fn with<T>(
        &self,
        id: &str,
        act: impl FnOnce(&mut Entry) -> Result<T, Refusal>,
    ) -> Result<T, Refusal> {
        let mut jobs = self.jobs.borrow_mut();
        let entry = jobs.iter_mut().find(|entry| entry.spec.id == id);
        let entry = entry.filter(|entry| entry.after != After::Remove);
        entry.map_or_else(|| Err(Refusal::NoJob(id.to_owned())), act)
    }

    /// Waits for an answer, but not for ever.
    pub async fn patiently<T>(&self, answer: oneshot::Receiver<T>) -> Option<T> {
        let deadline = self.clock.now().plus_millis(PATIENCE_MS);
        match select(answer, self.clock.sleep_until(deadline)).await {
            Either::Left((answer, _)) => answer.ok(),
            Either::Right(_) => None,
        }
    }

    /// Returns the clock.
    #[must_use]
    pub fn clock(&self) -> &'a dyn Clock {
        self.clock
    }
}

fn view(index: usize, entry: &Entry, now: Timestamp) -> View {
    let (state, reason, next_try) = entry.stands();
    let since = if entry.seen.0 == state {
        entry.seen.1
    } else {
        now
    };
    let status: Option<Arc<Status>> = entry.status();
    View {
        spec: Arc::clone(&entry.spec),
        index,
        state,
        reason,
        exit: entry.exit(),
        since,
        next_try,
        status,
        line: entry.line(),
    }
}

/// Stops a run, however many orders wait: a new sender has a place of its own.
fn stop(run: &Run) {
    // A run that is gone needs no order.
    run.orders.clone().try_send(Control::Stop).ok();
}

fn send(orders: &mut mpsc::Sender<Control>, control: Control) -> Result<(), Refusal> {
    orders.try_send(control).map_err(|error| {
        if error.is_full() {
            Refusal::Busy
        } else {
            Refusal::NotRunning
        }
    })
}

fn ask(orders: &mut mpsc::Sender<Control>, control: Control) -> Result<Answer, Refusal> {
    let (reply, answer) = oneshot::channel();
    send(orders, Control::Ask(Box::new(control), reply))?;
    Ok(answer)
}

/// Orders that wait for a job's loop.
const ORDERS_MAX: usize = 64;
/// The first wait after trouble, in ms; doubled each time, this many times at most.
const FIRST_WAIT_MS: i64 = 5_000;
const WAIT_DOUBLINGS_MAX: u32 = 6;
/// A run that lasted this long was no failed start, in ms.
const PROVEN_MS: i64 = 60_000;
/// The longest time without a look at everything, in ms; feeds the watchdog.
const LOOK_MS: i64 = 10_000;
/// How long an answer of a job's loop is waited for, in ms.
const PATIENCE_MS: i64 = 5_000;
