//! Whether the sides can be reached.
//!
//! In: how looking at a root, or reading a feed, went. Out: when to ask again, and
//! whether anything may start meanwhile. Invariant: while a side is out of reach
//! nothing is started, and it is asked at growing intervals, or at once when told
//! to. Deliberately absent: refused credentials, which end the run. CRASH: nothing
//! is remembered; the next run asks.

use super::{Driver, Mode, place};
use crate::daemon::{Doubt, RunError};
use crate::ports::{Phase, PortError};
use journal_format::event::FailureClass;
use journal_format::value::{Side, Timestamp};

/// What is known of each side, local and remote.
#[derive(Debug, Default)]
pub(super) struct Reach {
    trouble: [Option<Trouble>; 2],
    /// Operations that failed in a row as in an outage.
    failures: u32,
    /// When a failure is next taken for a reason to look.
    next_doubt: Timestamp,
}

#[derive(Debug)]
struct Trouble {
    reason: String,
    tries: u32,
    next_try: Timestamp,
}

impl Reach {
    /// Tells whether a side should not be asked yet.
    pub(super) fn is_waiting(&self, side: Side, now: Timestamp) -> bool {
        let trouble = self.trouble[place(side)].as_ref();
        trouble.is_some_and(|trouble| now < trouble.next_try)
    }

    /// Returns the phase of a job that cannot reach a side.
    pub(super) fn phase(&self) -> Option<Phase> {
        let found = Side::BOTH
            .into_iter()
            .find_map(|side| Some((side, self.trouble[place(side)].as_ref()?)));
        found.map(|(side, trouble)| Phase::Offline {
            side,
            reason: trouble.reason.clone(),
            next_try: trouble.next_try,
        })
    }
}

impl Driver<'_> {
    /// Notes that a side could not be reached. Returns how long to wait, in ms.
    ///
    /// # Errors
    /// The credentials were refused: nothing can be done without others.
    pub(super) fn unreachable(&mut self, side: Side, error: &PortError) -> Result<i64, RunError> {
        if error.class == FailureClass::Auth || self.mode == Mode::Once {
            let error = error.clone();
            return Err(RunError::Side { side, error });
        }
        let now = self.now();
        let known = &mut self.reach.trouble[place(side)];
        let tries = known.as_ref().map_or(0, |trouble| trouble.tries);
        if tries == 0 {
            tracing::warn!(%side, "out of reach: {error}");
        }
        let asked = error.retry_after_ms.and_then(|ms| i64::try_from(ms).ok());
        let wait = FIRST_WAIT_MS << tries.min(WAIT_DOUBLINGS_MAX);
        // Clients that lost one server together come back apart.
        let jitter = now.0.rem_euclid(wait / 4);
        let wait = wait.saturating_add(jitter).max(asked.unwrap_or(0));
        *known = Some(Trouble {
            reason: error.message.clone(),
            tries: tries.saturating_add(1),
            next_try: now.plus_millis(wait),
        });
        self.next_poll = self.next_poll.min(now.plus_millis(wait));
        Ok(wait)
    }

    /// Notes that a side answered. After an outage it is looked at whole.
    pub(super) fn reached(&mut self, side: Side) {
        if self.reach.trouble[place(side)].take().is_some() {
            tracing::info!(%side, "within reach again");
            self.sides_state[place(side)].next_scan = self.now();
            self.engine.want_everything(side);
            self.want_feed();
        }
    }

    /// Tells why less is known of the sides than the state says.
    pub(super) fn what_is_in_doubt(&self) -> Option<Doubt> {
        match self.reach.phase() {
            Some(Phase::Offline { side, reason, .. }) => Some(Doubt::OutOfReach { side, reason }),
            _ if self.engine.has_seen_both() => None,
            _ => Some(Doubt::NotLooked),
        }
    }

    /// Tells whether nothing may start now.
    pub(super) fn is_held(&self) -> bool {
        self.is_paused() || self.reach.trouble.iter().any(Option::is_some)
    }

    /// A single run was asked for, so no pause holds it.
    pub(super) fn is_paused(&self) -> bool {
        self.mode == Mode::Continuous && self.engine.state().paused
    }

    /// Looks at the roots soon when several operations in a row met what could be
    /// an outage.
    pub(super) fn suspect(&mut self, class: FailureClass) {
        let is_hint = matches!(
            class,
            FailureClass::Retry | FailureClass::InDoubt | FailureClass::Auth
        );
        if !is_hint || self.mode == Mode::Once {
            return;
        }
        self.reach.failures += 1;
        if class == FailureClass::Auth || self.reach.failures >= FAILURES_MAX {
            self.reach.failures = 0;
            self.doubt();
        }
    }

    /// An operation ended well, so its side is there.
    pub(super) fn trust(&mut self) {
        self.reach.failures = 0;
    }

    /// Looks at the roots soon.
    pub(super) fn doubt(&mut self) {
        let now = self.now();
        if self.mode == Mode::Once || now < self.reach.next_doubt {
            return;
        }
        self.reach.next_doubt = now.plus_millis(FIRST_WAIT_MS);
        self.next_poll = now.plus_millis(1);
        if !self.is_held() && !self.feed.is_failing() {
            self.want_feed();
        }
    }

    /// Forgets all waits for sides out of reach.
    pub(super) fn ask_at_once(&mut self) {
        let now = self.now();
        for side in Side::BOTH {
            if let Some(trouble) = &mut self.reach.trouble[place(side)] {
                trouble.next_try = now;
                trouble.tries = 0;
                self.sides_state[place(side)].next_scan = now;
            }
        }
        self.next_poll = self.next_poll.min(now.plus_millis(1));
    }
}

/// The first wait for a side that is out of reach, in ms; doubled with each further
/// try, this many times at the most.
const FIRST_WAIT_MS: i64 = 5_000;
const WAIT_DOUBLINGS_MAX: u32 = 5;
/// Failures in a row that make us look whether a side is there.
const FAILURES_MAX: u32 = 3;
