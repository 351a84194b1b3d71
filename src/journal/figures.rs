//! What a journal amounts to: how many events of which kind, when, how large.
//!
//! In: records with their bytes. Out: figures. Invariant: memory does not grow with the
//! journal. Deliberately absent: what the events mean together (`sync_core`).

use super::Stored;
use journal_format::Tag;
use journal_format::event::{Event, SessionEvent};
use journal_format::value::{Seq, Timestamp};
use std::collections::BTreeMap;

/// Figures about the records that were counted.
#[derive(Debug, Clone, Default)]
pub struct Figures {
    /// How many events of each kind, and how many bytes they have.
    pub kinds: BTreeMap<Tag, Kind>,
    /// First and last number.
    pub range: Option<(Seq, Seq)>,
    /// First and last time; clocks may have jumped between.
    pub times: Option<(Timestamp, Timestamp)>,
    /// How many processes appended.
    pub sessions: u64,
    /// How many of them did not stop cleanly; the last one may be running.
    pub unclean: u64,
    /// How many of them are not known to the end, since events are missing.
    pub cut: u64,
    /// The last one's release.
    pub release: Option<String>,
    is_open: bool,
    /// Whether the session before the last one has no stop.
    follows_open: bool,
}

/// Events of one kind.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Kind {
    /// How many.
    pub count: u64,
    /// Their envelopes together.
    pub bytes: u64,
}

impl Figures {
    /// Counts a record.
    pub fn count(&mut self, stored: &Stored) {
        let record = &stored.record;
        let kind = self.kinds.entry(Tag::of(&record.event)).or_default();
        kind.count += 1;
        kind.bytes += u64::try_from(stored.bytes.len()).unwrap_or(u64::MAX);
        let first = self.range.map_or(record.seq, |(first, _)| first);
        self.range = Some((first, record.seq));
        let first = self.times.map_or(record.time, |(first, _)| first);
        self.times = Some((first, record.time));
        match &record.event {
            Event::Session(SessionEvent::SessionStarted { release, .. }) => {
                self.sessions += 1;
                self.unclean += u64::from(self.is_open);
                self.follows_open = self.is_open;
                self.is_open = true;
                self.release = Some(release.clone());
            }
            Event::Session(SessionEvent::SessionStopped) => self.is_open = false,
            // Its stop may be among what is missing.
            Event::Session(SessionEvent::HistoryLost { .. }) if self.follows_open => {
                self.unclean -= 1;
                self.cut += 1;
                self.follows_open = false;
            }
            _ => {}
        }
    }

    /// Tells whether the last process that appended did not stop.
    #[must_use]
    pub const fn is_open(&self) -> bool {
        self.is_open
    }

    /// Returns the kinds by what they take, largest first.
    #[must_use]
    pub fn by_bytes(&self) -> Vec<(Tag, Kind)> {
        let mut kinds: Vec<_> = self.kinds.iter().map(|(tag, kind)| (*tag, *kind)).collect();
        kinds.sort_by_key(|(tag, kind)| (std::cmp::Reverse(kind.bytes), tag.number()));
        kinds
    }

    /// Returns all kinds together.
    #[must_use]
    pub fn total(&self) -> Kind {
        self.kinds.values().fold(Kind::default(), |sum, kind| Kind {
            count: sum.count + kind.count,
            bytes: sum.bytes + kind.bytes,
        })
    }
}
