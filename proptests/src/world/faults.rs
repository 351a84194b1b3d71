//! What goes wrong, where, for how long.
//!
//! In: the rates of the options. Out: errors for port calls, states of the world
//! that last a while: a full disk, a refused path, refused credentials, a root
//! that is gone or replaced. Fault model: an error before an effect says the
//! truth; after an effect only a remote's answer can get lost (`InDoubt`). A root
//! that went away stays away until the program looked at it, since an outage
//! between two looks cannot be told from a deletion. Invariant: with faults off,
//! every call succeeds whose preconditions hold. A new fault is a rate in
//! `options`, a draw here and its place in a port call.

use super::disk::{DiskError, Mount};
use super::prng::Ratio;
use super::{Inner, State};
use journal_format::event::FailureClass;
use journal_format::value::{RelPath, Side};
use pydio_sync::ports::{PortError, PortResult};
use std::collections::BTreeMap;

/// Faults that last.
#[derive(Debug, Default)]
pub struct Faults {
    /// Whether anything goes wrong at all.
    pub on: bool,
    full: [u64; 2],
    denied: Vec<(Side, RelPath, u64)>,
    auth: u64,
    /// Per side: the program looked at the root since it went away.
    seen_away: [bool; 2],
    /// A process ended while a root was away: what it knew of its slots is gone.
    pub ended_away: bool,
    /// How often each fault was drawn.
    pub counts: BTreeMap<&'static str, u64>,
}

/// A port call, as traces and faults know it.
#[derive(Debug, Clone)]
pub struct CallOf {
    /// Which side.
    pub side: Side,
    /// Which method.
    pub name: &'static str,
    /// Where, if at one place.
    pub path: Option<RelPath>,
    /// Whether it needs space.
    pub grows: bool,
    /// Whether it changes anything.
    pub writes: bool,
}

impl CallOf {
    /// A call that only looks.
    #[must_use]
    pub fn look(side: Side, name: &'static str, path: Option<&RelPath>) -> Self {
        Self {
            side,
            name,
            path: path.cloned(),
            grows: false,
            writes: false,
        }
    }

    /// A call that changes something.
    #[must_use]
    pub fn change(side: Side, name: &'static str, path: Option<&RelPath>) -> Self {
        Self {
            writes: true,
            ..Self::look(side, name, path)
        }
    }

    /// A call that changes something and needs space for it.
    #[must_use]
    pub fn grow(side: Side, name: &'static str, path: Option<&RelPath>) -> Self {
        Self {
            grows: true,
            ..Self::change(side, name, path)
        }
    }
}

impl Inner {
    /// Draws a fault, if faults are on.
    pub(super) fn fails(&self, rate: Ratio, fault: &'static str) -> bool {
        let mut state = self.state.borrow_mut();
        state.faults.on && state.draws(rate, fault)
    }

    /// What may go wrong before a call has an effect.
    pub(super) fn fault_before(&self, call: &CallOf) -> PortResult<()> {
        let side = call.side;
        let what = format!("{side} {} {:?}", call.name, call.path);
        let state = self.state.borrow();
        match state.disk(side).mount {
            Mount::Missing => return Err(PortError::precondition(format!("{what}: no root"))),
            Mount::Foreign if call.writes => {
                return Err(PortError::precondition(format!("{what}: another root")));
            }
            Mount::There | Mount::Foreign => {}
        }
        let (faults, now) = (&state.faults, state.steps);
        if faults.on {
            if side == Side::Remote && faults.auth > now {
                return Err(PortError::new(FailureClass::Auth, what));
            }
            if call.grows && faults.full[side as usize] > now {
                return Err(PortError::new(FailureClass::NoSpace, what));
            }
            let refused = call.path.iter().any(|path| {
                faults.denied.iter().any(|(on, denied, until)| {
                    *on == side && *until > now && path.is_within(denied)
                })
            });
            if refused {
                return Err(PortError::new(FailureClass::Denied, what));
            }
        }
        drop(state);
        if self.fails(self.options.faults.transient, "transient") {
            let mut error = PortError::new(FailureClass::Retry, what);
            let mut state = self.state.borrow_mut();
            if side == Side::Remote && state.rng.chance(Ratio::one_in(2)) {
                error.retry_after_ms = Some(state.rng.bits() % 5_000);
            }
            return Err(error);
        }
        Ok(())
    }

    /// What may go wrong after the effect: the answer of a remote gets lost.
    pub(super) fn fault_after(&self, call: &CallOf) -> PortResult<()> {
        if call.side == Side::Remote
            && call.writes
            && self.fails(self.options.faults.answer_lost, "answer_lost")
        {
            return Err(PortError::new(
                FailureClass::InDoubt,
                format!("{} {:?}: the answer was lost", call.name, call.path),
            ));
        }
        Ok(())
    }
}

impl State {
    /// Tells whether a directory cannot be read now.
    pub(super) fn is_denied(&self, side: Side, path: &RelPath) -> bool {
        self.faults.on
            && self.faults.denied.iter().any(|(on, denied, until)| {
                *on == side && *until > self.steps && path.is_within(denied)
            })
    }

    /// Notes that the program looked at a root.
    pub(super) fn looked_at_root(&mut self, side: Side) {
        if self.disk(side).mount != Mount::There {
            self.faults.seen_away[side as usize] = true;
        }
    }

    /// Draws a fault and counts it.
    pub fn draws(&mut self, rate: Ratio, fault: &'static str) -> bool {
        let happens = self.rng.chance(rate);
        if happens {
            *self.faults.counts.entry(fault).or_default() += 1;
        }
        happens
    }

    /// Begins and ends faults that last; once a step.
    pub fn weather(&mut self, rates: &super::options::FaultOptions) {
        for side in Side::BOTH {
            let away = self.disk(side).mount != Mount::There;
            if away && self.faults.seen_away[side as usize] && self.rng.chance(Ratio::one_in(20)) {
                self.bring_root_back(side);
            }
            if !self.faults.on {
                continue;
            }
            if !away && self.draws(rates.outage, "outage") {
                let mount = *self.rng.pick(&[Mount::Missing, Mount::Foreign]);
                self.note(format!("{side} root becomes {mount:?}"));
                self.faults.seen_away[side as usize] = false;
                self.disk_mut(side).remount(mount);
                if self.rng.chance(Ratio::one_in(2)) {
                    self.watchers[side as usize].give_up();
                }
            }
            if self.draws(rates.full, "full") {
                self.faults.full[side as usize] = self.steps + 1 + self.rng.bits() % 60;
            }
            if self.draws(rates.denied, "denied") {
                let paths = self.disk(side).live.walk();
                if !paths.is_empty() {
                    let path = self.rng.pick(&paths).0.clone();
                    let until = self.steps + 1 + self.rng.bits() % 60;
                    self.note(format!("{side} {path} is denied"));
                    self.faults.denied.push((side, path, until));
                }
            }
        }
        if self.faults.on && self.draws(rates.auth, "auth") {
            self.faults.auth = self.steps + 1 + self.rng.bits() % 60;
        }
        if self.faults.on && self.draws(rates.clock_jump, "clock_jump") {
            let seconds = i64::try_from(self.rng.below(2 * 86_400)).unwrap_or(0) - 86_400;
            self.note(format!("the clock jumps by {seconds} s"));
            self.time.jump(seconds * 1_000_000_000);
        }
    }

    /// Ends all faults that can be ended at once; an absent root comes back
    /// when the program has looked at it, and then people finish what they began.
    pub fn clear_up(&mut self) {
        self.faults.on = false;
        self.faults.denied.clear();
        for side in Side::BOTH {
            if self.disk(side).mount != Mount::There && self.faults.seen_away[side as usize] {
                self.bring_root_back(side);
            }
        }
        self.users_finish();
    }

    fn bring_root_back(&mut self, side: Side) {
        self.note(format!("{side} root is back"));
        self.disk_mut(side).remount(Mount::There);
    }
}

/// Turns a disk's error into a port's.
pub(super) fn port_error(error: DiskError, call: &CallOf) -> PortError {
    let what = format!("{} {} {:?}: {error:?}", call.side, call.name, call.path);
    match error {
        DiskError::Absent | DiskError::Taken | DiskError::WrongKind | DiskError::NotEmpty => {
            PortError::precondition(what)
        }
        DiskError::Loop => PortError::new(FailureClass::Unsupported, what),
    }
}
