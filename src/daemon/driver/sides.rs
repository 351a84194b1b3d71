//! The two sides of the loop: roots, scans, watchers.
//!
//! In: wanted scans, what roots and scans gave, hints. Out: inputs for the engine.
//! Invariant: a scan is told as complete only if it ended without an error and the
//! right root was there before and after. Deliberately absent: what follows from a
//! scan (`sync-core: decide`). CRASH: a dropped scan proves nothing.

use super::feed::{Ending, WHOLE_SCAN_MS};
use super::{Driver, Happening, Mode, place};
use crate::daemon::{RunError, scan};
use crate::ports::{
    Changes, Hint, HintStream, PortError, PortResult, RootState, ScanItem, ScanStream,
};
use futures::StreamExt;
use journal_format::event::FailureClass;
use journal_format::value::{Side, Timestamp};
use sync_core::engine::WantedScan;
use sync_core::input::{Input, RootVerdict};

impl<'a> Driver<'a> {
    pub(super) fn scan_both(&mut self) {
        Side::BOTH.into_iter().for_each(|side| self.scan(side));
    }

    fn scan(&mut self, side: Side) {
        let now = self.now();
        if self.is_awaiting_feed(side) {
            return;
        }
        let has_feed = side == Side::Remote && self.guide().is_some();
        let state = &mut self.sides_state[place(side)];
        if state.is_scanning || now < state.next_scan {
            return;
        }
        if self.mode == Mode::Continuous && now >= state.next_full_scan {
            let pause = if has_feed {
                WHOLE_SCAN_MS
            } else {
                FULL_SCAN_MS
            };
            state.next_full_scan = now.plus_millis(pause);
            self.engine.want_everything(side);
        }
        let Some(wanted) = self.engine.next_scan(side) else {
            return;
        };
        state.is_scanning = true;
        self.check_root(side, wanted);
    }

    pub(super) fn check_root(&mut self, side: Side, wanted: WantedScan) {
        let (local, remote) = (self.ports.local, self.ports.remote);
        let memory = self.memory(side);
        self.push(async move {
            let state = scan::root(side, local, remote).await;
            let state = match (state, memory) {
                (Ok(state), Some((feed, cursor))) => {
                    let told = feed.since(cursor.as_deref()).await;
                    told.map(|told| (state, Some(told)))
                }
                (state, _) => state.map(|state| (state, None)),
            };
            Happening::RootBefore(side, wanted, state)
        });
    }

    pub(super) fn root_before(
        &mut self,
        side: Side,
        wanted: WantedScan,
        state: PortResult<(RootState, Option<Changes>)>,
    ) -> Result<(), RunError> {
        let state = match state {
            Ok((state, told)) => {
                // Before what is there now can be planned with.
                told.into_iter().for_each(|told| self.remembered(told));
                state
            }
            Err(error) => {
                let wait = self.unreachable(side, &error)?;
                self.scan_later(side, wait);
                return Ok(());
            }
        };
        self.reached(side);
        match self
            .engine
            .root_found(side, &scan::finding(&state), self.now())
        {
            RootVerdict::Known => {
                self.sides_state[place(side)].is_halted = false;
                self.watch_again(side);
                self.begin_scan(side, &wanted);
            }
            RootVerdict::Unmarked => self.claim(side, wanted),
            RootVerdict::NeverSeen => return Err(RunError::RootNeverSeen { side }),
            RootVerdict::Halted => {
                self.sides_state[place(side)].is_halted = true;
                self.scan_later(side, ROOT_POLL_MS);
            }
        }
        Ok(())
    }

    /// Gives a scan back and waits before the next try.
    fn scan_later(&mut self, side: Side, wait_ms: i64) {
        self.engine.want_everything(side);
        let next = self.now().plus_millis(wait_ms);
        let state = &mut self.sides_state[place(side)];
        state.is_scanning = false;
        state.next_scan = next;
    }

    fn claim(&mut self, side: Side, wanted: WantedScan) {
        let (local, remote) = (self.ports.local, self.ports.remote);
        let clock = self.ports.clock;
        let marker = format!("{:016x}{:016x}", clock.random(), clock.random());
        self.push(async move {
            let result = match side {
                Side::Local => local.claim_root(&marker).await,
                Side::Remote => remote.claim_root(&marker).await,
            };
            Happening::Claimed(side, wanted, result)
        });
    }

    fn begin_scan(&mut self, side: Side, wanted: &WantedScan) {
        let input = Input::ScanStarted {
            side,
            whole: wanted.whole,
        };
        self.engine.handle(input, self.now());
        let stream = scan::start(side, self.ports.local, self.ports.remote, wanted);
        self.await_scan(side, wanted.whole, stream);
    }

    fn await_scan(&mut self, side: Side, whole: bool, mut stream: ScanStream<'a>) {
        self.push(async move {
            let batch = stream.next().await;
            Happening::Scanned(side, whole, stream, batch)
        });
    }

    pub(super) fn scanned(
        &mut self,
        side: Side,
        whole: bool,
        stream: ScanStream<'a>,
        batch: Option<PortResult<Vec<ScanItem>>>,
    ) {
        let complete = match batch {
            Some(Ok(items)) => {
                let items = self.doubt_empty(side, items);
                self.believe(side, items);
                return self.await_scan(side, whole, stream);
            }
            Some(Err(error)) => {
                let state = &mut self.sides_state[place(side)];
                // It is tried again soon, and again.
                if state.broken_scans == 0 {
                    tracing::warn!(%side, "a scan did not end: {error}");
                } else {
                    tracing::debug!(%side, "a scan did not end: {error}");
                }
                state.broken = Some(error);
                false
            }
            None => true,
        };
        drop(stream);
        if !complete && side == Side::Remote {
            self.doubted.clear();
        }
        if side == Side::Local || !self.examine(side, whole) {
            self.close_scan(side, whole, complete);
        }
    }

    /// Takes what was doubted, and ends a scan.
    pub(super) fn examined(&mut self, side: Side, whole: bool, items: Vec<ScanItem>) {
        self.believe(side, items);
        self.close_scan(side, whole, true);
    }

    /// Ends a scan; where something is missing, once the feed has told what moved meanwhile.
    fn close_scan(&mut self, side: Side, whole: bool, complete: bool) {
        if complete && self.is_feed_asked_first(side) {
            self.feed.ending = Some(Ending {
                whole,
                is_asked: false,
            });
        } else {
            self.end_scan(side, whole, complete);
        }
    }

    pub(super) fn end_scan(&mut self, side: Side, whole: bool, complete: bool) {
        let (local, remote) = (self.ports.local, self.ports.remote);
        self.push(async move {
            let state = scan::root(side, local, remote).await;
            Happening::RootAfter(side, whole, complete, state)
        });
    }

    /// Hands on what a scan gave.
    fn believe(&mut self, side: Side, items: Vec<ScanItem>) {
        for item in items {
            match &item {
                ScanItem::Listing(listing) => {
                    let count = u64::try_from(listing.entries.len()).unwrap_or(u64::MAX);
                    self.progress.scanned += count;
                }
                // Without its root nothing was learnt of a side, and no node stands for
                // the root that could be remembered as unreadable.
                ScanItem::Unlisted { directory, reason } if directory.is_root() => {
                    let message = format!("the root could not be listed ({reason:?})");
                    let error = PortError::new(FailureClass::Retry, message);
                    self.sides_state[place(side)].broken = Some(error);
                }
                ScanItem::Unlisted { .. } => {}
            }
            let found = scan::found(item);
            self.engine
                .handle(Input::Scanned { side, found }, self.now());
        }
        self.ports.observer.progress(&self.progress);
    }

    /// A scan proves something only if the root is still the one it began with.
    ///
    /// # Errors
    /// A run that ends by itself has scanned in vain again and again.
    pub(super) fn root_after(
        &mut self,
        side: Side,
        whole: bool,
        complete: bool,
        state: &PortResult<RootState>,
    ) -> Result<(), RunError> {
        let now = self.now();
        let verdict = state
            .as_ref()
            .map(|state| self.engine.root_found(side, &scan::finding(state), now));
        let is_right = verdict == Ok(RootVerdict::Known);
        let broken = self.sides_state[place(side)].broken.take();
        let complete = complete && is_right && broken.is_none();
        self.engine
            .handle(Input::ScanFinished { side, complete }, now);
        if complete && whole && side == Side::Remote {
            self.remote_was_scanned_whole();
        }
        let has_feed = side == Side::Remote && self.guide().is_some();
        let wait = if complete {
            SCAN_PAUSE_MS
        } else {
            SCAN_RETRY_MS
        };
        let state = &mut self.sides_state[place(side)];
        state.is_scanning = false;
        state.is_halted = verdict == Ok(RootVerdict::Halted);
        state.broken_scans = if complete { 0 } else { state.broken_scans + 1 };
        let is_vain = self.mode == Mode::Once && state.broken_scans >= BROKEN_SCANS_MAX;
        if let Some(error) = broken.filter(|_| is_vain) {
            return Err(RunError::Side { side, error });
        }
        state.next_scan = now.plus_millis(if self.mode == Mode::Once && complete {
            0
        } else {
            wait
        });
        if !state.is_watched && !has_feed && complete {
            state.next_full_scan = now.plus_millis(self.poll_interval_ms);
        }
        Ok(())
    }

    pub(super) fn poll_roots(&mut self, now: Timestamp) {
        if self.mode == Mode::Once || self.is_stopping || now < self.next_poll {
            return;
        }
        self.next_poll = now.plus_millis(ROOT_POLL_MS);
        let (local, remote) = (self.ports.local, self.ports.remote);
        let is_answering = self.guide().is_some() && !self.feed.is_failing();
        for side in Side::BOTH {
            // A feed that answers says that its root is there.
            let is_known = side == Side::Remote && is_answering;
            if is_known || self.reach.is_waiting(side, now) {
                continue;
            }
            self.push(
                async move { Happening::RootPolled(side, scan::root(side, local, remote).await) },
            );
        }
    }

    pub(super) fn root_polled(
        &mut self,
        side: Side,
        state: &PortResult<RootState>,
    ) -> Result<(), RunError> {
        let state = match state {
            Ok(state) => state,
            Err(error) => return self.unreachable(side, error).map(|_| ()),
        };
        self.reached(side);
        let was_halted = self.sides_state[place(side)].is_halted;
        if self.engine.state().markers[place(side)].is_none() {
            return Ok(());
        }
        let verdict = self
            .engine
            .root_found(side, &scan::finding(state), self.now());
        let is_halted = verdict == RootVerdict::Halted;
        self.sides_state[place(side)].is_halted = is_halted;
        if was_halted && !is_halted {
            self.sides_state[place(side)].next_scan = self.now();
            self.engine.want_everything(side);
        }
        Ok(())
    }

    pub(super) fn watch(&mut self) {
        if self.mode == Mode::Once {
            return;
        }
        self.await_hints(Side::Local, self.ports.local.watch());
        if self.ports.remote.feed().is_none() && self.ports.remote.capabilities().watch {
            self.await_hints(Side::Remote, self.ports.remote.watch());
        }
    }

    /// A root that left took its watcher along. Now that it is there, the watch comes
    /// before the look. A watcher that ends again and again is not tried all the time.
    fn watch_again(&mut self, side: Side) {
        let now = self.now();
        let state = &mut self.sides_state[place(side)];
        if !state.has_lost_watch || now < state.next_watch {
            return;
        }
        state.has_lost_watch = false;
        state.next_watch = now.plus_millis(WATCH_PAUSE_MS);
        let (local, remote) = (self.ports.local, self.ports.remote);
        let stream = match side {
            Side::Local => local.watch(),
            Side::Remote => remote.watch(),
        };
        self.await_hints(side, stream);
    }

    fn await_hints(&mut self, side: Side, stream: PortResult<HintStream<'a>>) {
        match stream {
            Ok(mut stream) => {
                self.sides_state[place(side)].is_watched = true;
                self.push(async move {
                    let hints = stream.next().await;
                    Happening::Hinted(side, stream, hints)
                });
            }
            Err(error) => {
                tracing::warn!(%side, "watching is not possible, so the folder is scanned at intervals: {error}");
            }
        }
    }

    pub(super) fn hinted(&mut self, side: Side, stream: HintStream<'a>, hints: Option<Vec<Hint>>) {
        let Some(hints) = hints else {
            let state = &mut self.sides_state[place(side)];
            state.is_watched = false;
            state.has_lost_watch = true;
            self.engine.want_everything(side);
            return;
        };
        self.hint(side, hints);
        self.await_hints(side, Ok(stream));
    }

    pub(super) fn hint(&mut self, side: Side, hints: Vec<Hint>) {
        for hint in hints {
            let (path, subtree) = match hint {
                Hint::Path { path, subtree } => (Some(path), subtree),
                Hint::Rescan => (None, true),
            };
            self.engine.handle(
                Input::Hint {
                    side,
                    path,
                    subtree,
                },
                self.now(),
            );
        }
    }
}

/// How often the roots are looked at, in ms.
const ROOT_POLL_MS: i64 = 5_000;

/// The least time between two watchers of a side, in ms.
const WATCH_PAUSE_MS: i64 = 60_000;

/// How often a watched side is scanned whole, in ms.
const FULL_SCAN_MS: i64 = 600_000;

/// The least time between two scans of a side, in ms, so that bursts of hints
/// share one.
const SCAN_PAUSE_MS: i64 = 50;

/// How long to wait after a scan that did not end, in ms.
const SCAN_RETRY_MS: i64 = 1_000;
/// After so many scans in a row that say too little, a run that ends by itself gives up.
const BROKEN_SCANS_MAX: u32 = 10;
