//! A small journal as text: a test case that a person can read and change.
//!
//! In: records and what they show, or text. Out: one line of JSON for the head, then one
//! an event; or the records. Invariant: what was written reads back as the same records.
//! Deliberately absent: old versions of events, since a fixture is changed together with
//! the code. A new event is a row of `facts!`.

use journal_format::event::{
    Case, Change, ConflictEvent, Event, FailureClass, HaltReason, Keep, ObservationEvent,
    Operation, OperationEvent, Order, Outcome, PathMove, Record, SessionEvent, UnknownReason,
};
use journal_format::value::{
    Digest, DigestKind, Entry, Fingerprint, Policy, RelPath, Seq, Side, Timestamp,
};
use serde::{Deserialize, Serialize};

/// What a fixture says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Head {
    /// The version of this form.
    pub fixture: u32,
    /// What the records show, as `journal minimize --keep` reads it.
    pub keep: String,
    /// Where it comes from.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub note: String,
}

#[derive(Serialize, Deserialize)]
struct Line {
    seq: u64,
    time: i64,
    #[serde(flatten)]
    fact: Fact,
}

macro_rules! facts {
    ($($family:ident $event:ident $variant:ident { $($field:ident: $type:ty),* })+) => {
        #[derive(Serialize, Deserialize)]
        #[serde(tag = "type", rename_all = "snake_case")]
        enum Fact {
            $($variant { $($field: $type),* },)+
        }

        impl From<Event> for Fact {
            fn from(event: Event) -> Self {
                match event {
                    $(Event::$family($event::$variant { $($field),* }) => {
                        Self::$variant { $($field),* }
                    })+
                }
            }
        }

        impl From<Fact> for Event {
            fn from(fact: Fact) -> Self {
                match fact {
                    $(Fact::$variant { $($field),* } => {
                        Self::$family($event::$variant { $($field),* })
                    })+
                }
            }
        }
    };
}

facts! {
    Session SessionEvent RootConfigured {
        job: String, label: String, rules_version: u32, digest: DigestKind, fold_case: bool,
        policy: Policy
    }
    Session SessionEvent PolicyChanged { policy: Policy }
    Session SessionEvent RootIdentified { side: Side, marker: String }
    Session SessionEvent SessionStarted { release: String, fold_version: u32, seed: u64 }
    Session SessionEvent SessionStopped {}
    Session SessionEvent DigestStamped { digest: [u8; 16], fold_version: u32 }
    Session SessionEvent HistoryLost { expected: Seq, found: Seq }
    Session SessionEvent HaltRaised { reason: HaltReason, side: Side, count: u64, plan: [u8; 16] }
    Session SessionEvent HaltApproved { halt: Seq, by: String }
    Session SessionEvent HaltCleared { halt: Seq }
    Session SessionEvent FeedRead { cursor: String, whole: bool }
    Session SessionEvent RemoteRolledBack { detail: String }
    Session SessionEvent RemoteProbed { facts: Vec<journal_format::event::Fact> }
    Session SessionEvent Undone { changes: Vec<Change>, by: String }
    Session SessionEvent Ordered { order: Order, by: String }
    Observation ObservationEvent Observed { side: Side, path: RelPath, entry: Entry }
    Observation ObservationEvent Moved { side: Side, moves: Vec<PathMove> }
    Observation ObservationEvent Gone { side: Side, path: RelPath, epoch: u64 }
    Observation ObservationEvent Unknown { side: Side, path: RelPath, reason: UnknownReason }
    Observation ObservationEvent Hashed {
        side: Side, path: RelPath, fingerprint: Fingerprint, digest: Digest
    }
    Operation OperationEvent Started { operation: Operation }
    Operation OperationEvent Succeeded { operation: Seq, outcome: Outcome }
    Operation OperationEvent Failed {
        operation: Seq, class: FailureClass, detail: String, retry_at: Option<Timestamp>
    }
    Operation OperationEvent Adopted { local: RelPath, remote: RelPath, case: Case }
    Conflict ConflictEvent Raised { local: RelPath, remote: RelPath, case: Case }
    Conflict ConflictEvent Resolved { conflict: Seq, keep: Keep, by: String }
    Conflict ConflictEvent Settled { conflict: Seq }
}

/// Writes a fixture.
///
/// # Panics
/// Never: the types have text keys only.
#[must_use]
pub fn write(keep: &str, note: &str, records: &[Record]) -> String {
    let head = Head {
        fixture: VERSION,
        keep: keep.to_owned(),
        note: note.to_owned(),
    };
    let mut text = serde_json::to_string(&head).expect("a struct of texts");
    for record in records {
        let line = Line {
            seq: record.seq.0,
            time: record.time.0,
            fact: record.event.clone().into(),
        };
        text.push('\n');
        text.push_str(&serde_json::to_string(&line).expect("events have text keys only"));
    }
    text.push('\n');
    text
}

/// Reads a fixture.
///
/// # Errors
/// The line that is none, and why.
pub fn read(text: &str) -> Result<(Head, Vec<Record>), String> {
    let mut lines = (1..).zip(text.lines());
    let (_, first) = lines.next().ok_or("the fixture is empty")?;
    let head: Head = serde_json::from_str(first).map_err(|error| format!("line 1: {error}"))?;
    if head.fixture != VERSION {
        return Err(format!(
            "fixtures of version {} are not known",
            head.fixture
        ));
    }
    let record = |(number, line): (u32, &str)| {
        let line: Line =
            serde_json::from_str(line).map_err(|error| format!("line {number}: {error}"))?;
        if line.seq.saturating_add(1) != u64::from(number) {
            return Err(format!("line {number}: event {} is out of order", line.seq));
        }
        Ok(Record {
            seq: Seq(line.seq),
            time: Timestamp(line.time),
            event: line.fact.into(),
        })
    };
    let records = lines.map(record).collect::<Result<_, _>>()?;
    Ok((head, records))
}

const VERSION: u32 = 1;
