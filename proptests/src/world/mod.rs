//! A simulated world in which the whole engine runs.
//!
//! In: a seed. Out: ports over two disks in memory, a journal, a clock, and users
//! who get in the way; all on one thread, each step picked by the seed. Invariant:
//! the same seed gives the same world, step by step. Deliberately absent: real
//! disks, networks, clocks, threads, async runtimes. Crash: [`World::crash`] drops
//! what a process had, [`World::lose_power`] also what a disk had not synced.
//! A new port is a file here; a new fault a rate in `options`.

pub mod calls;
pub mod disk;
pub mod faults;
mod feed;
pub mod journal;
pub mod ledger;
pub mod local;
pub mod options;
pub mod prng;
pub mod remote;
pub mod scan;
pub mod source;
pub mod tasks;
#[cfg(test)]
mod tests;
pub mod time;
pub mod trace;
pub mod user;
pub mod watch;

use disk::{Disk, Mount, is_visible};
use faults::Faults;
use journal::{Journal, WorldObserver, WorldStore};
use journal_format::value::{RelPath, Seq, Side};
use ledger::Ledger;
use local::WorldLocal;
use options::Options;
use prng::{Ratio, Rng};
use remote::{Temporary, WorldRemote};
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::rc::Rc;
use std::task::{Poll, Waker};
use tasks::Tasks;
use time::{Time, WorldClock};
use trace::Trace;
use user::Users;
use watch::Watcher;

/// A world: ports for one process at a time, and what they act upon.
pub struct World {
    /// The local side.
    pub local: WorldLocal,
    /// The remote side.
    pub remote: WorldRemote,
    /// The journal's place.
    pub store: WorldStore,
    /// Time and chance.
    pub clock: WorldClock,
    /// Who hears of records.
    pub observer: WorldObserver,
    inner: Rc<Inner>,
}

/// What all ports share.
pub struct Inner {
    pub(crate) options: Options,
    pub(crate) tasks: Rc<Tasks>,
    pub(crate) state: RefCell<State>,
}

/// Everything that changes.
pub struct State {
    /// Chance.
    pub rng: Rng,
    /// Steps so far.
    pub steps: u64,
    /// Both disks, local first.
    pub disks: [Disk; 2],
    /// Root markers, local first.
    pub markers: [Option<String>; 2],
    /// What people wrote.
    pub ledger: Ledger,
    /// People.
    pub users: Users,
    /// What goes wrong now.
    pub faults: Faults,
    /// What the store holds.
    pub journal: Journal,
    /// Time.
    pub time: Time,
    /// What happened lately.
    pub trace: Trace,
    /// Changes that the program made to a disk.
    pub engine_changes: u64,
    /// Broken promises, the first one first.
    pub violations: Vec<String>,
    watchers: [Watcher; 2],
    staged: BTreeSet<Seq>,
    temporaries: BTreeMap<Seq, Temporary>,
    account: feed::Account,
    remote: options::RemoteOptions,
    stop: (bool, Option<Waker>),
}

impl World {
    /// Makes a world of its own kind from a seed.
    #[must_use]
    pub fn drawn(seed: u64) -> Self {
        Self::new(seed, Options::of(seed))
    }

    /// Makes a world of a given kind.
    #[must_use]
    pub fn new(seed: u64, options: Options) -> Self {
        let skews = [options.disks[0].skew_ns, options.disks[1].skew_ns];
        // A clock that goes back makes a time again that was over.
        let may_go_back = options.faults.clock_jump != Ratio::NEVER;
        let disks = Side::BOTH.map(|side| {
            let mut disk = Disk::new(side, options.disks[side as usize].clone());
            let is_coarse = disk.options.granularity_ns > 1;
            disk.hides_edits = is_coarse && !(side == Side::Local && may_go_back);
            disk
        });
        let state = State {
            rng: Rng::new(seed),
            steps: 0,
            disks,
            markers: [None, None],
            ledger: Ledger::default(),
            users: Users::default(),
            faults: Faults::default(),
            journal: Journal::default(),
            time: Time::new(skews),
            trace: Trace::default(),
            engine_changes: 0,
            violations: Vec::new(),
            watchers: [Watcher::default(), Watcher::default()],
            staged: BTreeSet::new(),
            temporaries: BTreeMap::new(),
            account: feed::Account::default(),
            remote: options.remote.clone(),
            stop: (false, None),
        };
        let capabilities = remote::capabilities(&options);
        let inner = Rc::new(Inner {
            options,
            tasks: Rc::new(Tasks::default()),
            state: RefCell::new(state),
        });
        inner.state.borrow_mut().make_own_folders();
        Self {
            local: WorldLocal(Rc::clone(&inner)),
            remote: WorldRemote {
                inner: Rc::clone(&inner),
                feed: feed::WorldFeed(Rc::clone(&inner)),
                capabilities,
            },
            store: WorldStore(Rc::clone(&inner)),
            clock: WorldClock(Rc::clone(&inner)),
            observer: WorldObserver(Rc::clone(&inner)),
            inner,
        }
    }

    /// Returns what kind of world this is.
    #[must_use]
    pub fn options(&self) -> &Options {
        &self.inner.options
    }

    /// Looks at the world, or changes it, between two steps.
    ///
    /// # Panics
    /// When `look` calls back into the world.
    pub fn with<T>(&self, look: impl FnOnce(&mut State) -> T) -> T {
        look(&mut self.inner.state.borrow_mut())
    }

    /// Lets one thing happen: a call in flight goes on to its next point, or the
    /// watchers speak. Tells whether anything could.
    pub fn step(&self) -> bool {
        let runnable = self.inner.tasks.runnable();
        let picked = self.with(|state| {
            let hints = state.has_hints();
            if hints && (runnable.is_empty() || state.rng.chance(Ratio::one_in(8))) {
                let rates = &self.inner.options.faults;
                state.say_hints(rates);
                return None;
            }
            if runnable.is_empty() {
                return Some(None);
            }
            Some(Some(*state.rng.pick(&runnable)))
        });
        match picked {
            None => true,
            Some(None) => false,
            Some(Some(id)) => {
                if let Some(label) = self.inner.tasks.advance(id) {
                    self.with(|state| state.trace.step(id, &label));
                }
                true
            }
        }
    }

    /// Lets a moment pass, with whatever weather and users it brings.
    pub fn moment(&self) {
        let options = &self.inner.options;
        self.with(|state| {
            state.steps += 1;
            let long = state.rng.chance(Ratio::one_in(50));
            let ns = state.rng.bits() % if long { 5_000_000_000 } else { 3_000_000 };
            state.time.pass(i64::try_from(ns).unwrap_or(0));
            state.weather(&options.faults);
            state.users_act(&options.users);
        });
    }

    /// Ends the process at once: its calls stop where they stand.
    pub fn crash(&self) {
        self.inner.tasks.clear();
        self.with(|state| {
            state.end_process(false);
            state.lose_history(self.inner.options.history_lost);
        });
    }

    /// Cuts the power of the local machine and, if it is the same one, of the
    /// remote's. Call [`World::crash`]'s effect is included.
    pub fn lose_power(&self) {
        self.inner.tasks.clear();
        let shared = self.inner.options.faults.power_is_shared;
        self.with(|state| {
            state.power_goes(Side::Local);
            if shared {
                state.power_goes(Side::Remote);
            }
            state.end_process(true);
        });
    }

    /// Asks the process to stop, or takes that back for the next one.
    pub fn ask_to_stop(&self, stop: bool) {
        self.with(|state| {
            state.stop.0 = stop;
            if let Some(waker) = state.stop.1.take() {
                waker.wake();
            }
        });
    }

    /// Completes when the process is asked to stop.
    pub fn stop_asked(&self) -> impl Future<Output = ()> + 'static + use<> {
        let inner = Rc::clone(&self.inner);
        std::future::poll_fn(move |context| {
            let mut state = inner.state.borrow_mut();
            if state.stop.0 {
                return Poll::Ready(());
            }
            state.stop.1 = Some(context.waker().clone());
            Poll::Pending
        })
    }

    /// Tells whether nothing happens any more before a sleeper wakes.
    #[must_use]
    pub fn is_quiet(&self) -> bool {
        self.inner.tasks.runnable().is_empty() && !self.with(|state| state.has_hints())
    }
}

impl Inner {
    pub(crate) fn note(&self, line: String) {
        self.state.borrow_mut().note(line);
    }

    pub(crate) fn violation(&self, what: String) {
        self.state.borrow_mut().violation(what);
    }
}

impl State {
    /// Returns a disk.
    #[must_use]
    pub const fn disk(&self, side: Side) -> &Disk {
        &self.disks[side as usize]
    }

    /// Returns a disk to change it.
    pub const fn disk_mut(&mut self, side: Side) -> &mut Disk {
        &mut self.disks[side as usize]
    }

    /// Notes a line in the trace.
    pub fn note(&mut self, line: String) {
        let steps = self.steps;
        self.trace.note(steps, line);
    }

    /// Notes a broken promise.
    pub fn violation(&mut self, what: String) {
        self.note(format!("VIOLATION {what}"));
        self.violations.push(what);
    }

    /// Returns the contents that a side's users can see.
    #[must_use]
    pub fn visible_contents(&self, side: Side) -> BTreeSet<Vec<u8>> {
        self.visible_copies(side).into_keys().collect()
    }

    /// Returns the same, with how often each is there.
    #[must_use]
    pub fn visible_copies(&self, side: Side) -> BTreeMap<Vec<u8>, usize> {
        let disk = self.disk(side);
        let mut copies = BTreeMap::new();
        for (path, id) in disk.live.walk() {
            let content = disk.live.nodes.get(&id).and_then(disk::Node::content);
            if let Some(content) = content.filter(|_| is_visible(&path)) {
                *copies.entry(content.to_owned()).or_default() += 1;
            }
        }
        copies
    }

    fn make_own_folders(&mut self) {
        for side in Side::BOTH {
            let disk = self.disk_mut(side);
            for path in ["", "/staging", "/trash"] {
                let path = RelPath::new(format!("{}{path}", disk::OWN));
                let body = disk::Body::Directory(BTreeMap::new());
                if let Ok(path) = path {
                    disk.create(&path, body, disk::Author::Engine, 1).ok();
                }
            }
            disk.sync();
            disk.touched.clear();
        }
    }

    /// The store opens with fewer records than it had acknowledged.
    fn lose_history(&mut self, rate: Ratio) {
        if self.faults.on && self.draws(rate, "history_lost") {
            let count = 1 + self.rng.below(LOST_RECORDS_MAX);
            self.journal.lose(count);
            self.journal.reopen(false, true, false);
            self.note(format!("the store lost {count} records"));
        }
    }

    fn end_process(&mut self, power_lost: bool) {
        let keep = self.rng.chance(Ratio::one_in(2));
        let forget = self.rng.chance(Ratio::one_in(2));
        self.journal.reopen(power_lost, keep, forget);
        self.faults.ended_away |= self.disks.iter().any(|disk| disk.mount != Mount::There);
        self.staged.clear();
        self.users.process_ended();
        self.stop = (false, None);
        for watcher in &mut self.watchers {
            watcher.stop();
        }
        self.note(format!("--- process ended, power lost: {power_lost} ---"));
    }

    /// Cuts a side's power. A person's data that was never durable there is that
    /// person's loss; the program's is the program's.
    fn power_goes(&mut self, side: Side) {
        let fragile = self.fragile_contents(side);
        let mut rng = self.rng.fork();
        self.disk_mut(side).lose_power(&mut rng);
        let left = self.disk(side).live.nodes.values();
        let after = left.filter_map(disk::Node::content).map(<[u8]>::to_owned);
        self.ledger.released(None, &fragile, &after.collect());
        let disk = &self.disks[side as usize];
        let left = disk
            .live
            .nodes
            .values()
            .filter(|node| node.author == disk::Author::User);
        for content in left.filter_map(disk::Node::content) {
            self.ledger.left_by_power(side, content);
        }
        if side == Side::Remote {
            self.account.begin_anew();
        }
        self.users.power_went(side);
        self.note(format!("{side} lost power"));
    }

    /// Returns what the remote tells and can do.
    #[must_use]
    pub const fn remote_options(&self) -> &options::RemoteOptions {
        &self.remote
    }

    /// Returns what is on a side only in files that people wrote and whose data is
    /// not durable, wherever the program has moved them meanwhile.
    fn fragile_contents(&self, side: Side) -> BTreeSet<Vec<u8>> {
        let disk = self.disk(side);
        let mut fragile = BTreeSet::new();
        let mut firm = BTreeSet::new();
        for (id, node) in &disk.live.nodes {
            let Some(content) = node.content() else {
                continue;
            };
            let durable = disk.durable.nodes.get(id).and_then(disk::Node::content);
            if node.author == disk::Author::User && durable != Some(content) {
                fragile.insert(content.to_owned());
            } else {
                firm.insert(content.to_owned());
            }
        }
        fragile.difference(&firm).cloned().collect()
    }

    /// Tells whether a side's root is where it belongs.
    #[must_use]
    pub fn is_mounted(&self, side: Side) -> bool {
        self.disk(side).mount == Mount::There
    }
}

/// Acknowledged records that a store loses at most.
const LOST_RECORDS_MAX: usize = 60;
