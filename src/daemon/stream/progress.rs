//! How far the work is, as JSON, with a rate over the last seconds.
//!
//! In: counts at points in time. Out: the objects of `live.progress`. Invariant: only
//! a window of a few samples is kept. Deliberately absent: when it is sent.

use super::messages::{Origin, VERSION};
use crate::daemon::supervisor::Transfer;
use crate::ports::Progress;
use journal_format::value::{Seq, Timestamp};
use serde_json::{Value, json};
use std::collections::VecDeque;

/// The last few counts of bytes.
#[derive(Debug, Default)]
pub(super) struct Window {
    samples: VecDeque<(Timestamp, u64)>,
}

/// Bytes a second, and what is left at that rate, in ms.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Pace {
    pub(super) rate: u64,
    pub(super) eta_ms: Option<u64>,
}

impl Window {
    /// Takes a count and returns the pace. A count that went back begins anew.
    pub(super) fn pace(&mut self, now: Timestamp, done: u64, total: u64) -> Pace {
        let is_sound = |last: &(Timestamp, u64)| last.0 <= now && last.1 <= done;
        if !self.samples.back().is_none_or(is_sound) {
            self.samples.clear();
        }
        self.samples.push_back((now, done));
        while self.samples.len() > SAMPLES_MAX
            || self
                .samples
                .front()
                .is_some_and(|(time, _)| now.0 - time.0 > WINDOW_MS)
        {
            self.samples.pop_front();
        }
        let (since, before) = self.samples.front().copied().unwrap_or((now, done));
        let millis = now.0.saturating_sub(since.0).unsigned_abs();
        let moved = done.saturating_sub(before).saturating_mul(1000);
        let rate = moved.checked_div(millis).unwrap_or(0);
        let left = total.saturating_sub(done).saturating_mul(1000);
        let eta_ms = left.checked_div(rate);
        Pace { rate, eta_ms }
    }
}

/// The progress of a job, or of all jobs.
pub(super) fn job(
    origin: Option<Origin<'_>>,
    now: Timestamp,
    progress: &Progress,
    pace: Pace,
) -> Value {
    json!({
        "v": VERSION,
        "job": origin.map(|origin| origin.job),
        "journal": origin.and_then(|origin| origin.journal),
        "seq": 0, "time": now.0, "type": "progress", "op": null, "path": null,
        "scanned": progress.scanned,
        "items_done": progress.items_done, "items_total": progress.items_total,
        "bytes_done": progress.bytes_done, "bytes_total": progress.bytes_total,
        "rate": pace.rate, "eta_ms": pace.eta_ms,
    })
}

/// The progress of one transfer.
pub(super) fn transfer(
    origin: Origin<'_>,
    now: Timestamp,
    (id, transfer): (Seq, &Transfer),
    moved: u64,
    pace: Pace,
) -> Value {
    json!({
        "v": VERSION, "job": origin.job, "journal": origin.journal,
        "seq": 0, "time": now.0, "type": "progress",
        "op": id.0, "path": transfer.path.as_str(),
        "scanned": 0, "items_done": 0, "items_total": 1,
        "bytes_done": moved, "bytes_total": transfer.total.max(moved),
        "rate": pace.rate, "eta_ms": pace.eta_ms,
    })
}

/// Adds one job's counts to those of all.
pub(super) fn add(all: &mut Progress, one: &Progress) {
    all.scanned = all.scanned.saturating_add(one.scanned);
    all.items_done = all.items_done.saturating_add(one.items_done);
    all.items_total = all.items_total.saturating_add(one.items_total);
    all.bytes_done = all.bytes_done.saturating_add(one.bytes_done);
    all.bytes_total = all.bytes_total.saturating_add(one.bytes_total);
}

const WINDOW_MS: i64 = 3_000;
const SAMPLES_MAX: usize = 32;
