//! The few records of a journal that one question is about.
//!
//! In: a path; the journal's records, once or several times over. Out: the records
//! that name the path, another name of the same object, or a folder above. Invariant:
//! another pass is asked for only when it can find more, and four are the most.
//! Deliberately absent: reading. The state that they fold to says of these paths what
//! the whole journal's would.

use super::about::{copied, named_moves, names};
use super::sieve::{RECORDS_MAX, Sieve};
use journal_format::encode_record;
use journal_format::event::{Event, ObservationEvent, OperationEvent, Record};
use journal_format::value::{RelPath, Seq};
use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;

/// Gathers what is about a path.
pub struct Gathering {
    path: RelPath,
    /// The path, and what else its objects were called.
    names: BTreeSet<RelPath>,
    found: BTreeMap<Seq, Record>,
    passes: usize,
    /// The beginnings that were asked for, there or not.
    asked: BTreeSet<Seq>,
}

/// What is to be read.
pub enum Pass {
    /// All records, of which those are taken that the sieve lets through.
    All(Sieve),
    /// The records with these numbers, as far as they are still there.
    These(Vec<Seq>),
}

impl Gathering {
    /// Begins a question.
    #[must_use]
    pub fn new(path: &RelPath) -> Self {
        Self {
            path: path.clone(),
            names: BTreeSet::from([path.clone()]),
            found: BTreeMap::new(),
            passes: 0,
            asked: BTreeSet::new(),
        }
    }

    /// Returns the path that is asked about.
    #[must_use]
    pub const fn path(&self) -> &RelPath {
        &self.path
    }

    /// Tells whether there is more about the path than can be held: the newest events
    /// are then missing, and nothing may be said about how it stands.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.found.len() >= RECORDS_MAX
    }

    /// Returns what to read next; nothing once all is gathered.
    pub fn next_pass(&mut self) -> Option<Pass> {
        let is_first = self.passes == 0;
        let known = self.names.len();
        if !is_first {
            self.find_names();
        }
        if is_first || self.names.len() > known && self.passes < PASSES_MAX {
            self.passes += 1;
            return Some(Pass::All(Sieve::new(self.names.iter(), is_first)));
        }
        let missing = self.missing();
        self.asked.extend(&missing);
        let is_wanted = !self.is_full() && !missing.is_empty();
        is_wanted.then_some(Pass::These(missing))
    }

    /// Takes a record of a pass.
    pub fn take(&mut self, record: Record) {
        self.found.insert(record.seq, record);
    }

    /// Names that lead to one another by a rename are names of one object, or of
    /// several: who is who is seen when they are folded.
    fn find_names(&mut self) {
        let pairs: Vec<(RelPath, RelPath)> = self
            .found
            .values()
            .flat_map(|record| named_moves(&record.event))
            .collect();
        // A copy's story begins where it was made from, but not the other way round.
        let copies: Vec<(RelPath, RelPath)> = self
            .found
            .values()
            .flat_map(|record| self.copies(&record.event))
            .collect();
        loop {
            let mut news = BTreeSet::new();
            let of_ours = copies.iter().filter(|(copy, _)| self.names.contains(copy));
            news.extend(of_ours.map(|(_, origin)| origin.clone()));
            for (from, to) in &pairs {
                for name in &self.names {
                    news.extend(moved(name, from, to));
                    news.extend(moved(name, to, from));
                }
            }
            news.retain(|name| !self.names.contains(name));
            let room = NAMES_MAX.saturating_sub(self.names.len());
            if news.is_empty() || room == 0 {
                return;
            }
            self.names.extend(news.into_iter().take(room));
        }
    }

    /// The paths at which an event keeps a version, with the one where that stood.
    fn copies(&self, event: &Event) -> Vec<(RelPath, RelPath)> {
        let Event::Operation(OperationEvent::Succeeded { operation, outcome }) = event else {
            let copied = copied(event).into_iter();
            return copied
                .map(|(copy, of)| (copy.clone(), of.clone()))
                .collect();
        };
        let began = self.found.get(operation).map(|record| &record.event);
        let Some(Event::Operation(OperationEvent::Started { operation })) = began else {
            return Vec::new();
        };
        let target = operation.action.path();
        let kept = outcome.kept.iter();
        kept.map(|kept| (kept.path.clone(), target.clone()))
            .collect()
    }

    /// Returns the beginnings of what ended and was not taken; they are wanted, too.
    fn missing(&self) -> Vec<Seq> {
        let ended = self.found.values().filter_map(|record| match record.event {
            Event::Operation(OperationEvent::Succeeded { operation, .. }) => Some(operation),
            _ => None,
        });
        let is_known = |it: &Seq| self.found.contains_key(it) || self.asked.contains(it);
        ended.filter(|it| !is_known(it)).collect()
    }

    /// Returns what was gathered, in order.
    #[must_use]
    pub fn finish(self) -> Vec<Record> {
        let names_one = |event: &Event| self.names.iter().any(|name| names(event, name));
        let is_kept = |record: &Record| match &record.event {
            event @ Event::Observation(ObservationEvent::Moved { .. }) => names_one(event),
            _ => true,
        };
        self.found.into_values().filter(is_kept).collect()
    }
}

/// Gathers what is about a path with a function that reads. Returns nothing when it is
/// more than can be held.
///
/// # Errors
/// Those of the function.
pub fn gather<E>(
    path: &RelPath,
    mut read: impl FnMut(Pass) -> Result<Vec<Record>, E>,
) -> Result<Option<Vec<Record>>, E> {
    let mut gathering = Gathering::new(path);
    while let Some(pass) = gathering.next_pass() {
        read(pass)?
            .into_iter()
            .for_each(|record| gathering.take(record));
    }
    Ok((!gathering.is_full()).then(|| gathering.finish()))
}

/// As [`gather`], out of records that are in memory.
#[must_use]
pub fn gather_from(records: &[Record], path: &RelPath) -> Option<Vec<Record>> {
    let read = |pass: Pass| -> Result<Vec<Record>, Infallible> {
        let taken = match pass {
            Pass::All(mut sieve) => {
                let is_wanted =
                    |record: &&Record| encode_record(record).is_ok_and(|it| sieve.wants(&it));
                records.iter().filter(is_wanted).cloned().collect()
            }
            Pass::These(seqs) => {
                let is_one = |record: &&Record| seqs.contains(&record.seq);
                records.iter().filter(is_one).cloned().collect()
            }
        };
        Ok(taken)
    };
    let Ok(found) = gather(path, read);
    found
}

/// Returns what a path became when something at or above it was renamed.
pub(super) fn moved(path: &RelPath, from: &RelPath, to: &RelPath) -> Option<RelPath> {
    if !path.is_within(from) {
        return None;
    }
    let rest = path.as_str().get(from.as_str().len()..)?;
    RelPath::new(format!("{to}{rest}")).ok()
}

const PASSES_MAX: usize = 4;
const NAMES_MAX: usize = 64;
