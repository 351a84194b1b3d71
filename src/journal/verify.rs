//! What is wrong with a journal: damage, gaps, and where it disagrees with itself.
//!
//! In: records as they are read, or as they were found in a damaged store, and what is
//! known of them from elsewhere. Out: [`Findings`], in words. Invariants: a damage does not
//! hide those behind it; what a salvage would mend is told apart from what only a newer
//! release can read. Watched by `tests/it/journal` and `tests/it/conformance_store`.
//! Deliberately absent: mending, opening, printing. Leaves nothing behind.

use super::text::hex;
use super::{Check, PortableReader, ReadError, Stored, chained};
use journal_format::event::{Event, SessionEvent};
use journal_format::value::Seq;
use std::io::Read;
use sync_core::checkpoint;

/// The next thing that was found in a store that may be damaged.
#[derive(Debug)]
pub enum Found {
    /// A record that is whole.
    Whole(Box<Stored>),
    /// What stands there is no record, or another one.
    Damaged {
        /// The first number.
        from: Seq,
        /// The last one.
        to: Seq,
        /// What was found and what was expected.
        detail: String,
        /// Whether a newer release wrote it.
        is_newer: bool,
    },
    /// Nothing stands there.
    Missing {
        /// The first number.
        from: Seq,
        /// The last one.
        to: Seq,
    },
}

impl Found {
    /// Returns the numbers without a record, unless an upgrade would read them.
    #[must_use]
    pub const fn unread(&self) -> Option<(Seq, Seq)> {
        match self {
            Self::Whole(_) | Self::Damaged { is_newer: true, .. } => None,
            Self::Damaged { from, to, .. } | Self::Missing { from, to } => Some((*from, *to)),
        }
    }

    /// Returns the same about fewer numbers; nothing for none, and for a record.
    #[must_use]
    pub fn within(&self, from: Seq, to: Seq) -> Option<Self> {
        match self {
            _ if from > to => None,
            Self::Whole(_) => None,
            Self::Missing { .. } => Some(Self::Missing { from, to }),
            Self::Damaged {
                detail, is_newer, ..
            } => Some(Self::Damaged {
                from,
                to,
                detail: detail.clone(),
                is_newer: *is_newer,
            }),
        }
    }

    /// Says what is wrong; nothing for a record.
    #[must_use]
    pub fn loss(&self) -> Option<String> {
        match self {
            Self::Whole(_) => None,
            Self::Damaged {
                from, to, detail, ..
            } => Some(format!("{}: {detail}", range(*from, *to))),
            Self::Missing { from, to } if from == to => Some(format!("event {from} is missing")),
            Self::Missing { from, to } => Some(format!("events {from} to {to} are missing")),
        }
    }
}

fn range(from: Seq, to: Seq) -> String {
    if from == to {
        format!("event {from}")
    } else {
        format!("events {from} to {to}")
    }
}

/// What is known of a journal beside its records.
#[derive(Debug, Clone, Copy)]
pub struct Evidence<'a> {
    /// The first record that is still there.
    pub first: Seq,
    /// The running hash before it, where it is known.
    pub before: Option<[u8; 32]>,
    /// The state before it, where history does not begin with 1.
    pub base: Option<(Seq, &'a [u8])>,
    /// A cached state.
    pub cached: Option<(Seq, &'a [u8])>,
    /// A record that was acknowledged, and the running hash there.
    pub witnessed: (Seq, [u8; 32]),
}

/// What was found so far.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Findings {
    /// What is wrong; no more than a bound.
    pub damages: Vec<String>,
    /// What a person may want to know and is no damage.
    pub remarks: Vec<String>,
    /// How many records were whole.
    pub checked: u64,
    /// Whether a salvage would mend something.
    pub is_mendable: bool,
    /// The newer release that wrote what this one cannot read, or [`NEWER`].
    pub newer: Option<String>,
}

impl Findings {
    /// Checks every record, the running hash and the digests, in one pass over everything
    /// that is still there. Tells whether all of it could be read.
    pub fn compare(
        &mut self,
        evidence: &Evidence<'_>,
        records: impl Iterator<Item = Result<Stored, ReadError>>,
    ) -> bool {
        let mut check = self.begin(evidence);
        let (witnessed, expected) = evidence.witnessed;
        let mut chain = evidence.before;
        for read in records {
            let stored = match read {
                Ok(stored) => stored,
                Err(error) => {
                    self.unread(&error, NEWER);
                    return false;
                }
            };
            self.checked += 1;
            let seq = stored.record.seq;
            chain = chain.map(|chain| chained(&chain, &stored.bytes));
            if seq == witnessed && chain.is_some_and(|chain| chain != expected) {
                self.mendable(format!(
                    "the running hash at event {seq} is {}, expected {} as witnessed",
                    hex(&chain.unwrap_or_default()),
                    hex(&expected)
                ));
            }
            if check.is_founded()
                && let Err(detail) = check.fold(&stored.record)
            {
                self.damage(detail);
            }
        }
        if check.is_compared() {
            self.remarks
                .push("the checkpoint is what a replay gives".to_owned());
        }
        true
    }

    /// Begins to fold where history begins, and tells of that.
    fn begin(&mut self, evidence: &Evidence<'_>) -> Check {
        let (check, told) = match evidence.base {
            Some(base) => Check::behind(base, evidence.cached),
            None => Check::new(evidence.cached),
        };
        if let Err(why) = told {
            self.remarks
                .push(format!("{why}; it is a cache, the next start replays"));
        }
        if evidence.first != Seq(1) {
            self.remarks.push(format!(
                "events before {} are not kept any more: the rest follows the state behind them",
                evidence.first
            ));
            if !check.is_founded() {
                let why = "the state before the first event cannot be used by this release";
                self.mendable(why.to_owned());
            }
        }
        check
    }

    /// Checks every record of a store, whatever is damaged before it.
    pub fn survey(&mut self, all: impl Iterator<Item = Found>) {
        let mut release = None;
        for found in all {
            let loss = found.loss();
            match found {
                Found::Whole(stored) => {
                    self.checked += 1;
                    if let Event::Session(SessionEvent::SessionStarted { release: it, .. }) =
                        &stored.record.event
                    {
                        release = Some(it.clone());
                    }
                }
                Found::Damaged { is_newer: true, .. } => {
                    let writer = release.clone().unwrap_or_else(|| NEWER.to_owned());
                    self.newer.get_or_insert(writer);
                }
                Found::Damaged { .. } | Found::Missing { .. } => self.is_mendable = true,
            }
            if let Some(loss) = loss {
                self.damage(loss);
            }
        }
    }

    /// Takes note of why a store cannot be opened.
    pub fn unopened(&mut self, why: String) {
        self.mendable(why);
    }

    /// Takes note that a journal ends before the head that was acknowledged.
    pub fn shortened(&mut self, expected: Seq, found: Seq) {
        self.mendable(format!(
            "the last event is {found}, expected {expected}: events are missing at the end"
        ));
    }

    /// Checks a portable file to its last byte, and what follows from its events.
    pub fn file<R: Read>(&mut self, mut reader: PortableReader<R>) {
        let mut writer = None;
        let state = match reader.state() {
            Ok(state) => state,
            Err(error) => {
                self.unread(&error, NEWER);
                self.is_mendable = false;
                return;
            }
        };
        let first = reader.header().first;
        let state = state.map(|bytes| {
            let state = checkpoint::decode_foreign(&bytes).ok();
            state.filter(|state| state.seq.next() == first)
        });
        if matches!(state, Some(None)) {
            let why = "the state before the first event is of another release, or none";
            self.remarks.push(why.to_owned());
        }
        let mut check = match state.flatten() {
            Some(state) => Some(Check::after(state)),
            None => (first == Seq(1)).then(|| Check::new(None).0),
        };
        if reader.header().redacted {
            check = None;
        }
        if check.is_none() {
            let why = "the file does not begin with event 1 or a state before its first one, or \
                       is redacted: digests are not compared";
            self.remarks.push(why.to_owned());
        }
        for read in reader {
            match read {
                Ok(stored) => {
                    self.checked += 1;
                    if let Event::Session(SessionEvent::SessionStarted { release, .. }) =
                        &stored.record.event
                    {
                        writer = Some(release.clone());
                    }
                    let folded = check.as_mut().map(|check| check.fold(&stored.record));
                    if let Some(Err(detail)) = folded {
                        self.damage(detail);
                    }
                }
                Err(error) => {
                    self.unread(&error, writer.as_deref().unwrap_or(NEWER));
                    // Only a job's journal is mended.
                    self.is_mendable = false;
                }
            }
        }
    }

    /// What a salvage leaves out, or begins anew from.
    fn mendable(&mut self, detail: String) {
        self.is_mendable = true;
        self.damage(detail);
    }

    /// Where reading ended. `writer` is the release that may have written what follows.
    fn unread(&mut self, error: &ReadError, writer: &str) {
        if error.is_from_newer_release() {
            self.newer.get_or_insert_with(|| writer.to_owned());
        } else {
            self.is_mendable = true;
        }
        self.damage(error.to_string());
    }

    fn damage(&mut self, detail: String) {
        if self.damages.len() < DAMAGES_MAX {
            self.damages.push(detail);
        }
    }
}

/// What is said of a release that does not say which one it is.
pub const NEWER: &str = "a newer one";
const DAMAGES_MAX: usize = 100_000;
