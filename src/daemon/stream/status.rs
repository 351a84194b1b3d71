//! How a job stands, as JSON.
//!
//! In: a [`View`]. Out: the object of `status.<job>`, and those of `job.list` and
//! `job.status`. Invariant: the three say the same. Deliberately absent: when it is
//! sent.

use super::messages::{Origin, envelope, with};
use crate::daemon::supervisor::{Frequency, State, View};
use journal_format::event::HaltReason;
use journal_format::value::{Direction, Seq, Timestamp};
use serde_json::{Value, json};
use sync_core::state::Halt;

/// The message of `status.<job>`, and the event after which it holds.
pub(crate) fn status(view: &View, now: Timestamp) -> (Seq, Value) {
    let journal = view.journal().map(|journal| journal.reader.id());
    let origin = Origin {
        job: &view.spec.id,
        journal: journal.as_deref(),
    };
    let status = view.status.as_ref();
    let seq = status.map_or(Seq::ZERO, |status| status.seq);
    let standing = view.standing();
    let fields = json!({
        "state": state_word(view.state),
        "reason": view.reason,
        "since": view.since.0,
        "pending": standing.workable,
        "conflicts": standing.conflicts,
        "problems": standing.problems,
        "divergences": standing.divergences,
        "halt": standing.halt.as_ref().map(halt),
        "changed": status.and_then(|status| status.changed).map(|time| time.0),
        "next_try": view.next_try.map(|time| time.0),
    });
    (seq, with(envelope(origin, seq, now, "status"), fields))
}

/// A job in the answer to `job.status`.
pub(crate) fn full(view: &View, now: Timestamp) -> Value {
    let fields = json!({
        "label": view.spec.label,
        "index": view.index,
        "server": view.spec.server,
        "directory": view.spec.directory,
        "exit": view.exit,
    });
    with(status(view, now).1, fields)
}

/// A job in the answer to `job.list`.
pub(crate) fn listed(view: &View) -> Value {
    let spec = &view.spec;
    json!({
        "job": spec.id,
        "label": spec.label,
        "index": view.index,
        "server": spec.server,
        "directory": spec.directory,
        "remote_folder": spec.remote_folder,
        "direction": direction_word(spec.direction),
        "frequency": frequency_word(spec.frequency),
        "state": state_word(view.state),
    })
}

pub(crate) fn halt(halt: &Halt) -> Value {
    json!({
        "seq": halt.seq.0,
        "reason": reason_word(halt.reason),
        "side": halt.side.to_string(),
        "count": halt.count,
    })
}

pub(crate) const fn state_word(state: State) -> &'static str {
    match state {
        State::Starting => "starting",
        State::Syncing => "syncing",
        State::Synced => "synced",
        State::Paused => "paused",
        State::Stopped => "stopped",
        State::Waiting => "waiting",
        State::Offline => "offline",
        State::Credentials => "credentials",
        State::Halted => "halted",
        State::Error => "error",
    }
}

const fn reason_word(reason: HaltReason) -> &'static str {
    match reason {
        HaltReason::RootMissing => "root_missing",
        HaltReason::RootReplaced => "root_replaced",
        HaltReason::RootEmptied => "root_emptied",
        HaltReason::TooManyDeletions => "too_many_deletions",
        HaltReason::EverythingChanged => "everything_changed",
        HaltReason::RolledBack => "rolled_back",
        HaltReason::HistoryLost => "history_lost",
    }
}

const fn direction_word(direction: Direction) -> &'static str {
    match direction {
        Direction::Bi => "bi",
        Direction::Up => "up",
        Direction::Down => "down",
    }
}

const fn frequency_word(frequency: Frequency) -> &'static str {
    match frequency {
        Frequency::Auto => "auto",
        Frequency::Manual => "manual",
        Frequency::Daily { .. } => "time",
    }
}
