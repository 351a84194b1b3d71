//! From what is heard to what is a fact.
//!
//! In: the state and parts of scans, root checks, results. Out: events, and nothing
//! for what the state already knows: that is how the echo of our own work ends.
//! Invariants: a path is called gone only by a complete scan of the right root;
//! what an operation touched during a scan is not judged by that scan. Watched by
//! ring 2. Deliberately absent: planning. A crash drops running scans; they are
//! begun anew.

mod busy;
mod failure;
mod listing;
mod moves;
mod overtaken;
mod root;
mod round;

pub(crate) use busy::Busy;
pub(crate) use failure::{failed, interrupted};
pub(crate) use overtaken::PutOff;
pub(crate) use root::found_root;
pub(crate) use round::Round;

use crate::fold::fold;
use crate::limits;
use crate::state::State;
use journal_format::event::{Event, Record, SessionEvent};
use journal_format::value::{Seq, Timestamp};

/// The state with the events that were decided and not yet handed on.
///
/// Events are folded when they are decided, before they are durable: nothing may
/// be started or published because of them until they are.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    pub(crate) state: State,
    pub(crate) outbox: Vec<Record>,
    pub(crate) now: Timestamp,
    /// What `SessionStarted` will say; written before the first other event, so
    /// that a session in which nothing happens leaves no trace.
    pub(crate) session: Option<Session>,
}

/// Who writes.
#[derive(Debug, Clone)]
pub(crate) struct Session {
    pub(crate) release: String,
    pub(crate) seed: u64,
}

impl Ledger {
    /// Appends an event and folds it. Returns its sequence number.
    pub(crate) fn emit(&mut self, event: Event) -> Seq {
        self.start_session();
        self.append(event)
    }

    /// Appends who writes, unless that is said already.
    pub(crate) fn start_session(&mut self) {
        if let Some(session) = self.session.take() {
            let started = SessionEvent::SessionStarted {
                release: session.release,
                fold_version: limits::FOLD_VERSION,
                seed: session.seed,
            };
            self.append(Event::Session(started));
        }
    }

    fn append(&mut self, event: Event) -> Seq {
        let record = Record {
            seq: self.state.seq.next(),
            time: self.now,
            event,
        };
        fold(&mut self.state, &record);
        self.outbox.push(record);
        self.state.seq
    }
}
