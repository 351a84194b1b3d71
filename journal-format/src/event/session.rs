//! Events about the job, its process and its brakes.
//!
//! In: nothing. Out: types. Invariant: what steers planning or the fold (policy,
//! rules and fold version, seed) is in the journal, so that a replay elsewhere gives
//! the same state. Deliberately absent: credentials, addresses.

#[cfg(doc)]
use crate::value::{CHANGES_MAX, FACTS_MAX};
use crate::value::{DigestKind, Entry, Policy, RelPath, Seq, Side};
use serde::{Deserialize, Serialize};

/// A fact about the job or the process that runs it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SessionEvent {
    /// The first record of each journal: which pair this is.
    RootConfigured {
        /// The job's id.
        job: String,
        /// The job's label, as used in conflict names.
        label: String,
        /// The version of the merge rules that this journal was begun with.
        rules_version: u32,
        /// The hash function for content.
        digest: DigestKind,
        /// Whether names that differ in case only are one name (either side
        /// cannot hold both).
        fold_case: bool,
        /// What the user chose.
        policy: Policy,
    },
    /// The user's choices changed.
    PolicyChanged {
        /// The choices from here on.
        policy: Policy,
    },
    /// A side's root was seen for the first time, or taken over on purpose.
    RootIdentified {
        /// Which side.
        side: Side,
        /// The id in the root's marker file.
        marker: String,
    },
    /// A process began to append; written before its first other event.
    SessionStarted {
        /// The release that writes from here on.
        release: String,
        /// The version of the fold that this release has.
        fold_version: u32,
        /// Where the session's random choices (jitter) come from.
        seed: u64,
    },
    /// The process stopped cleanly; nothing is in flight.
    SessionStopped,
    /// The state's digest after the event before this one.
    DigestStamped {
        /// 128 bits over names and facets.
        digest: [u8; 16],
        /// The version of the fold that computed it.
        fold_version: u32,
    },
    /// Acknowledged events are missing: from here on no deletion propagates
    /// until a person approves.
    HistoryLost {
        /// The head that the witness beside the store remembers.
        expected: Seq,
        /// The head that was found.
        found: Seq,
    },
    /// Planning stopped for safety.
    HaltRaised {
        /// Why.
        reason: HaltReason,
        /// The side that is endangered, or whose root is gone.
        side: Side,
        /// How many entries the held-back plan would delete or overwrite there.
        count: u64,
        /// Which plan it is, so that an approval can name it.
        plan: [u8; 16],
    },
    /// A person released exactly that plan.
    HaltApproved {
        /// The sequence number of the halt.
        halt: Seq,
        /// Who asked.
        by: String,
    },
    /// The reason for the halt went away by itself.
    HaltCleared {
        /// The sequence number of the halt.
        halt: Seq,
    },
    /// Whatever the remote's change feed had told up to the cursor was looked at.
    FeedRead {
        /// How far the feed was read; it means something to the remote's adapter
        /// only.
        cursor: String,
        /// Whether the whole remote was scanned after the cursor had been taken.
        whole: bool,
    },
    /// The remote's change feed or clock went back, as after a restored backup:
    /// from here on nothing local is deleted or replaced until a person approves.
    RemoteRolledBack {
        /// What showed it.
        detail: String,
    },
    /// What the remote can do was found out by trying. It says which guarantee the
    /// writes from here on have: with `conditions` "true" the server itself refuses what
    /// meets another version, otherwise a look right before and after stands for that.
    RemoteProbed {
        /// Facts by name, at most [`FACTS_MAX`]; they mean something to the remote's
        /// adapter only.
        facts: Vec<Fact>,
    },
    /// A person had changes of the local folder undone, or something brought back from
    /// the trash. Durable effects in the folder come before this event; what follows
    /// from it is for the next scan to see.
    Undone {
        /// What was done, in order, at most [`CHANGES_MAX`].
        changes: Vec<Change>,
        /// Who asked.
        by: String,
    },
    /// A person or a program changed what the job does.
    Ordered {
        /// What it does from here on.
        order: Order,
        /// Who asked.
        by: String,
    },
}

/// One path of the local folder that changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// The operation, or the earlier `undone`, that this takes back, if it is known.
    pub undoes: Option<Seq>,
    /// Where.
    pub path: RelPath,
    /// Where it was before, if it was renamed.
    pub from: Option<RelPath>,
    /// What is there now; nothing when the path is free.
    pub now: Option<Entry>,
    /// Where in the trash is what was there before.
    pub trashed: Option<RelPath>,
}

/// One thing that was found out about a remote.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fact {
    /// What it is about.
    pub name: String,
    /// What was found.
    pub value: String,
}

/// What a job was told to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Order {
    /// Watch on and start nothing, until told to start.
    Pause,
    /// Go on after a pause.
    Start,
    /// End; a later session goes on without being told.
    Stop,
}

/// Why planning stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HaltReason {
    /// A known root is not there.
    RootMissing,
    /// The root is there, but it is another one (its marker differs or is gone).
    RootReplaced,
    /// The root lost all of its entries.
    RootEmptied,
    /// More deletions than the brakes allow.
    TooManyDeletions,
    /// Every file of a side changed at once.
    EverythingChanged,
    /// The server's sequence or clock went back.
    RolledBack,
    /// Deletions are pending while the journal has lost acknowledged events.
    HistoryLost,
}
