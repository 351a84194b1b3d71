//! What happened to a path, why, and how it stands now.
//!
//! In: a path; the few records about it, which [`Gathering`] picks from a journal of any
//! length. Out: an [`Explanation`], as data with sentences in it. Invariants: each event
//! that is told is in the journal; who is who is decided by the fold, over these records
//! alone, so that no question folds a whole journal. Watched by `tests`. Deliberately
//! absent: reading, and what only a running job knows (its caller adds it).

mod about;
mod advice;
mod gather;
#[cfg(test)]
mod kit;
mod now;
mod origin;
mod sieve;
mod tell;
#[cfg(test)]
mod tests;
mod trash;
mod words;

pub use about::{About, beginning, names};
use gather::moved;
pub use gather::{Gathering, Pass, gather, gather_from};
pub use sieve::Sieve;
pub use tell::{case_of, tell};
pub use words::{change_words, event_words, halt_words};

use journal_format::value::{Seq, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Who asks, and when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Context {
    /// The job's id, for commands.
    pub job: String,
    /// The time of the question.
    pub now: Timestamp,
    /// Whether the job runs.
    pub runs: Runs,
    /// The first event that the journal still has.
    pub begins: Seq,
}

/// Whether a job runs, as far as whoever asks can know it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Runs {
    /// A process has it.
    Yes,
    /// None has it.
    No,
    /// One has it, or had it and did not end well.
    Perhaps,
    /// The journal came from elsewhere: no command works on its job here.
    Elsewhere,
}

/// What happened to a path, and how it stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Explanation {
    /// What was asked about.
    pub path: String,
    /// How it stands.
    pub state: Fate,
    /// The answer in a sentence.
    pub answer: String,
    /// Where it is now, if it is anywhere.
    pub place: Option<String>,
    /// What can be done, a line each; a command is at the end of its line.
    pub advice: Vec<String>,
    /// Versions of it that were put into the trash, oldest first.
    pub trash: Vec<Trashed>,
    /// What happened, in order.
    pub events: Vec<Told>,
    /// Older events that are not told, being too many.
    pub left_out: u64,
    /// The journal's first event; what was before is not in it.
    #[serde(default)]
    pub begins: u64,
}

/// How a path stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fate {
    /// The journal has nothing about it.
    NeverSeen,
    /// The journal does not go back far enough to tell.
    Unknown,
    /// Both sides hold it alike.
    Synced,
    /// It is nowhere any more.
    Gone,
    /// A filter leaves it out.
    Ignored,
    /// A side cannot speak of it, or its last operation failed for good.
    Problem,
    /// It waits for a person.
    Conflict,
    /// One way: the target differs on purpose.
    Diverged,
    /// The whole job is halted.
    Halted,
    /// The job is paused.
    Paused,
    /// An operation is under way.
    Working,
    /// A change waits for its turn, or for its next try.
    Pending,
}

/// A version in the trash.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trashed {
    /// What `trash list` calls it.
    pub entry: String,
    /// What it was called.
    pub path: String,
    /// The event that put it there.
    pub seq: u64,
    /// When.
    pub time: i64,
    /// What brings it back.
    pub command: String,
}

/// An event that is told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Told {
    /// Which event.
    pub seq: u64,
    /// When it was appended.
    pub time: i64,
    /// Its name, as `events` shows it.
    #[serde(rename = "type")]
    pub kind: String,
    /// The rule's letter, if a rule asked for it.
    pub case: Option<String>,
    /// Why that rule decides as it does.
    #[serde(default)]
    pub reason: Option<String>,
    /// The sentence.
    pub text: String,
    /// The event itself, as `events` shows it; of many renames in one, ours.
    #[serde(default)]
    pub event: Value,
}
