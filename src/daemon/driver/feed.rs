//! The remote's change feed: read at intervals, remembered once it was looked at.
//!
//! In: what the feed told. Out: hints and cursors for the engine. Invariant: a cursor
//! is journaled only after all that was hinted at before it was scanned. Deliberately
//! absent: what changed, which scans say. CRASH: an older cursor; the same hints come
//! again.

use super::{Driver, Happening, Mode, place};
use crate::daemon::RunError;
use crate::ports::{Changes, Feed, Hint, PortError, PortResult};
use journal_format::event::FailureClass;
use journal_format::value::{Side, Timestamp};
use sync_core::input::Input;

/// Where the driver is with the feed.
#[derive(Debug, Default)]
pub(super) struct FeedState {
    is_reading: bool,
    /// Set after the first answer; until then the remote is not scanned.
    is_begun: bool,
    /// Whether it stands for a scan of the whole remote.
    pub(super) is_followed: bool,
    /// Set when the remote turned out to have no feed.
    is_unusable: bool,
    /// Whether no scan began since it was read.
    is_fresh: bool,
    /// How far it was read, though perhaps not looked at yet.
    cursor: Option<String>,
    /// Whether the remote was scanned whole since a cursor was journaled.
    was_scanned_whole: bool,
    failures: u32,
    /// How often it was read after the work of a run that is to end.
    last_readings: u32,
    pub(super) next: Timestamp,
    next_unreadable: Timestamp,
    /// A scan that misses something, until the feed was read once more.
    pub(super) ending: Option<Ending>,
}

/// A scan of the remote that ends once the feed was read.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ending {
    pub(super) whole: bool,
    /// Whether the reading under way began after the scan's last listing.
    pub(super) is_asked: bool,
}

impl FeedState {
    /// Tells whether its last answer was none.
    pub(super) const fn is_failing(&self) -> bool {
        self.failures > 0
    }
}

impl<'a> Driver<'a> {
    pub(super) fn feed(&self) -> Option<&'a dyn Feed> {
        self.ports.remote.feed().filter(|_| !self.feed.is_unusable)
    }

    /// Returns a feed that says where to look.
    pub(super) fn guide(&self) -> Option<&'a dyn Feed> {
        self.feed().filter(|feed| feed.tells_places())
    }

    /// Returns a feed that is to be read before a scan, since it says only whether the
    /// remote went back in time.
    pub(super) fn memory(&mut self, side: Side) -> Option<(&'a dyn Feed, Option<String>)> {
        let feed = self.feed().filter(|feed| !feed.tells_places())?;
        if side == Side::Local || !self.feed.is_begun {
            return None;
        }
        let is_fresh = std::mem::take(&mut self.feed.is_fresh);
        (!is_fresh).then(|| (feed, self.feed_cursor()))
    }

    /// Takes what such a feed said.
    pub(super) fn remembered(&mut self, changes: Changes) {
        self.went_back(changes.rolled_back);
        self.feed.cursor = Some(changes.cursor);
    }

    /// Tells whether a scan of a side has to wait for the feed's first answer.
    pub(super) fn is_awaiting_feed(&self, side: Side) -> bool {
        side == Side::Remote && !self.feed.is_begun && self.feed().is_some()
    }

    /// Tells whether a run that is to end waits for the feed: it is being read, or will be.
    pub(super) fn is_awaiting_last_reading(&self) -> bool {
        let halted = self.sides_state.iter().any(|state| state.is_halted);
        let is_open = self.feed.is_begun && !halted;
        self.mode == Mode::Once && is_open && (self.feed.is_reading || self.may_read_on())
    }

    /// Tells whether one more reading saves the next run a look at everything.
    fn may_read_on(&self) -> bool {
        self.feed.last_readings < LAST_READINGS_MAX && self.feed().is_some_and(Feed::is_behind)
    }

    /// Reads on when it is time.
    pub(super) fn read_feed(&mut self) {
        let is_guided = self.mode == Mode::Continuous && self.guide().is_some();
        let is_due = !self.feed.is_begun || is_guided;
        let is_due = is_due && self.now() >= self.feed.next || self.feed.ending.is_some();
        let is_last = !is_due && self.is_awaiting_last_reading() && self.is_at_rest();
        if self.feed.is_reading || !is_due && !is_last {
            return;
        }
        self.feed.last_readings += u32::from(is_last);
        let Some(feed) = self.feed() else { return };
        self.feed.is_reading = true;
        if let Some(ending) = &mut self.feed.ending {
            ending.is_asked = true;
        }
        let cursor = self.feed_cursor();
        self.push(async move { Happening::FeedRead(feed.since(cursor.as_deref()).await) });
    }

    /// Tells whether a scan misses something of which the feed may tell where it is now.
    pub(super) fn is_feed_asked_first(&self, side: Side) -> bool {
        let is_told = self.feed.is_begun && !self.feed.is_failing() && self.guide().is_some();
        side == Side::Remote && is_told && self.engine.may_have_missed_a_move(side)
    }

    /// Ends the scan that waited for the reading that ended.
    fn end_asked_scan(&mut self) {
        if let Some(ending) = self.feed.ending.take_if(|ending| ending.is_asked) {
            self.end_scan(Side::Remote, ending.whole, true);
        }
    }

    /// Returns how far it was read.
    fn feed_cursor(&self) -> Option<String> {
        let known = self.engine.state().feed.as_ref();
        let known = || known.map(|feed| feed.cursor.clone());
        self.feed.cursor.clone().or_else(known)
    }

    fn went_back(&mut self, detail: Option<String>) {
        if let Some(detail) = detail {
            tracing::warn!("the remote went back in time: {detail}");
            self.engine.handle(Input::RolledBack { detail }, self.now());
        }
    }

    pub(super) fn feed_read(&mut self, result: PortResult<Changes>) -> Result<(), RunError> {
        self.feed.is_reading = false;
        let ended = match result {
            Ok(changes) => {
                self.feed_told(changes);
                Ok(())
            }
            Err(error) => self.feed_failed(error),
        };
        self.end_asked_scan();
        ended
    }

    fn feed_told(&mut self, changes: Changes) {
        let now = self.now();
        self.feed.failures = 0;
        self.reached(Side::Remote);
        self.feed.next = now.plus_millis(self.poll_interval_ms);
        self.feed.is_fresh = true;
        self.went_back(changes.rolled_back);
        let is_first = !std::mem::replace(&mut self.feed.is_begun, true);
        if is_first {
            let followed = !changes.hints.contains(&Hint::Rescan)
                && self.was_scanned_lately(now)
                && self.engine.follow_feed();
            self.feed.is_followed = followed;
            if followed {
                let state = &mut self.sides_state[place(Side::Remote)];
                state.next_full_scan = now.plus_millis(WHOLE_SCAN_MS);
            }
        }
        if self.feed.next_unreadable <= now {
            self.feed.next_unreadable = now.plus_millis(UNREADABLE_PAUSE_MS);
            self.engine.want_unreadable(Side::Remote);
        }
        self.feed.cursor = Some(changes.cursor);
        self.hint(Side::Remote, changes.hints);
        // Later on a scan may be under way that the engine does not know of yet.
        if is_first {
            self.engine.all_hinted();
        }
    }

    fn feed_failed(&mut self, error: PortError) -> Result<(), RunError> {
        let is_asked = self.feed.ending.is_some_and(|ending| ending.is_asked);
        if is_asked && self.mode == Mode::Once {
            tracing::info!("what moved meanwhile is found later: {error}");
            return Ok(());
        }
        if self.feed.last_readings > 0 {
            tracing::info!("the next run looks at everything: {error}");
            self.feed.last_readings = LAST_READINGS_MAX;
            return Ok(());
        }
        if error.class == FailureClass::Unsupported {
            tracing::info!("the remote has no change feed, so it is scanned at intervals: {error}");
            self.feed.is_unusable = true;
            // The next look at everything was put off because of it.
            self.sides_state[place(Side::Remote)].next_full_scan = self.now();
            return Ok(());
        }
        if self.mode == Mode::Once || error.class == FailureClass::Auth || !self.feed.is_begun {
            self.unreachable(Side::Remote, &error)?;
        }
        // The root says whether it is the feed alone.
        self.doubt();
        tracing::info!("the remote's change feed could not be read: {error}");
        self.feed.failures = self.feed.failures.saturating_add(1);
        let asked = error.retry_after_ms.and_then(|ms| i64::try_from(ms).ok());
        let wait = FIRST_WAIT_MS << self.feed.failures.min(WAIT_DOUBLINGS_MAX);
        self.feed.next = self.now().plus_millis(asked.unwrap_or(0).max(wait));
        Ok(())
    }

    /// Reads the feed at the next occasion.
    pub(super) fn want_feed(&mut self) {
        self.feed.next = self.now();
        self.feed.next_unreadable = self.now();
    }

    pub(super) fn remote_was_scanned_whole(&mut self) {
        self.feed.was_scanned_whole = true;
    }

    /// Tells the remote what was found out about it before, unless that is long ago.
    pub(super) fn recall_probe(&self) {
        let now = self.now();
        let is_fresh = |at: Timestamp| at <= now && now < at.plus_millis(PROBE_AGE_MS);
        let known = self.engine.state().probed.as_ref();
        if let Some(known) = known.filter(|known| is_fresh(known.at)) {
            self.ports.remote.recall(&known.facts);
        }
    }

    /// Has journaled what was found out about the remote.
    pub(super) fn note_probe(&mut self) {
        if let Some(facts) = self.ports.remote.found_out() {
            self.engine.handle(Input::Probed { facts }, self.now());
        }
    }

    fn was_scanned_lately(&self, now: Timestamp) -> bool {
        let feed = self.engine.state().feed.as_ref();
        feed.is_some_and(|feed| {
            feed.whole_at <= now && now < feed.whole_at.plus_millis(WHOLE_SCAN_MS)
        })
    }

    /// Has the cursor journaled once everything before it was looked at.
    pub(super) fn note_feed(&mut self) {
        // A scan that waits for its look at the root is no round of the engine's yet.
        let is_scanning = self.sides_state[place(Side::Remote)].is_scanning;
        if is_scanning || !self.engine.has_looked(Side::Remote) {
            return;
        }
        let Some(cursor) = self.feed.cursor.take() else {
            return;
        };
        let known = self.engine.state().feed.as_ref();
        let is_new = known.is_none_or(|known| known.cursor != cursor);
        let whole = self.feed.was_scanned_whole && self.guide().is_some();
        // A job that scans everything at each start must not fill its journal so.
        let is_due = |at: Timestamp| at.plus_millis(WHOLE_SCAN_MS / 2) <= self.now();
        if is_new || whole && known.is_some_and(|known| is_due(known.whole_at)) {
            self.feed.was_scanned_whole = false;
            self.engine
                .handle(Input::FeedRead { cursor, whole }, self.now());
        }
    }
}

/// How often a remote with a feed is scanned whole all the same, in ms: feeds miss
/// what their server missed.
pub(super) const WHOLE_SCAN_MS: i64 = 6 * 3_600_000;

/// How long what was found out about a remote is believed, in ms.
const PROBE_AGE_MS: i64 = 30 * 86_400_000;

/// How often what could not be read on the remote is looked at again, in ms.
const UNREADABLE_PAUSE_MS: i64 = 600_000;

/// How often a run that is to end reads the feed after its work, which may find more.
const LAST_READINGS_MAX: u32 = 3;

/// The first wait after the feed could not be read, in ms; doubled with each
/// further failure, this many times at the most.
const FIRST_WAIT_MS: i64 = 1_000;
const WAIT_DOUBLINGS_MAX: u32 = 8;
