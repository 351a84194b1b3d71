//! Events about what we do. An operation's id is the sequence number of its start.
//!
//! In: nothing. Out: types. Invariant: an action holds all that the executor needs,
//! with what must be there right before, so that it runs without the state that
//! planned it. Deliberately absent: how it is done (`executor`). A new action is a
//! variant of `Action`; the compiler asks for the rest.

use crate::value::{Digest, Entry, Fingerprint, RelPath, Seq, Side, Timestamp};
use serde::{Deserialize, Serialize};

/// A fact about an operation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OperationEvent {
    /// Durable before the first side effect.
    Started {
        /// What will be done.
        operation: Operation,
    },
    /// Durable effects on the disks and servers come before this event.
    Succeeded {
        /// The start's sequence number.
        operation: Seq,
        /// What was seen afterwards.
        outcome: Outcome,
    },
    /// Nothing that the plan expected to be there was replaced or removed.
    Failed {
        /// The start's sequence number.
        operation: Seq,
        /// What kind of failure.
        class: FailureClass,
        /// What happened, for people; no credentials, no content.
        detail: String,
        /// When to try again; nothing means that a change must come first.
        retry_at: Option<Timestamp>,
    },
    /// Both sides already agree: the baseline moved, nothing was transferred.
    Adopted {
        /// Where on the local side, or where it last was there.
        local: RelPath,
        /// Where on the remote side, or where it last was there.
        remote: RelPath,
        /// The rule.
        case: Case,
    },
}

/// One planned change with its preconditions.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Operation {
    /// The rule that asked for it.
    pub case: Case,
    /// What is done.
    pub action: Action,
}

/// What an operation does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Action {
    /// Copies a file or a symbolic link to the other side.
    Transfer {
        /// The side that is read.
        from: Side,
        /// The path there.
        source: RelPath,
        /// The version that must be there, with its hash if known.
        expect: Entry,
        /// The path on the other side.
        target: RelPath,
        /// What must be at `target` right before it is written.
        replaces: Expected,
        /// What becomes of the version that is replaced.
        displaced: Displaced,
    },
    /// Creates a directory; its parent exists.
    MakeDirectory {
        /// The side.
        side: Side,
        /// The path, which must be free.
        path: RelPath,
    },
    /// Renames within one side; never replaces anything.
    Move {
        /// The side.
        side: Side,
        /// The path before.
        from: RelPath,
        /// The path after, which must be free.
        to: RelPath,
        /// What must be at `from`.
        expect: Fingerprint,
    },
    /// Removes a file, a symbolic link or an empty directory.
    ///
    /// Locally into the trash. On the remote, with `rescue`, a copy is brought
    /// to the local trash first.
    Remove {
        /// The side.
        side: Side,
        /// The path.
        path: RelPath,
        /// What must be there.
        expect: Fingerprint,
        /// Whether the other side does not hold these bytes any more.
        rescue: bool,
    },
    /// Reads a file to learn its hash.
    Hash {
        /// The side.
        side: Side,
        /// The path.
        path: RelPath,
        /// The version to hash.
        expect: Fingerprint,
    },
}

/// What a write may meet at its target.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Expected {
    /// Nothing.
    Absent,
    /// This version.
    Version(Fingerprint),
}

/// What becomes of a version that a transfer replaces.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Displaced {
    /// It is the baseline, which the other side had: locally it goes to the
    /// trash, on the remote it is replaced.
    Discard,
    /// It exists nowhere else: it goes to the local trash, from the remote too.
    Rescue,
    /// It becomes the conflict copy at this path of the written side.
    ConflictCopy(RelPath),
}

/// What was seen after an operation, on the sides that it touched.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Outcome {
    /// The version that was read, verified after the last byte; its hash.
    pub source: Option<Entry>,
    /// What the written or hashed path holds now; nothing after a removal.
    pub target: Option<Entry>,
    /// Versions that had to make way and were kept beside it, on the written side.
    pub kept: Vec<Kept>,
    /// Where in the trash the loser is, relative to the local root's trash.
    pub trashed: Option<RelPath>,
    /// Bytes of content that crossed from one side to the other.
    pub bytes: u64,
}

/// A version that made way and was kept under another name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kept {
    /// Where it is now, on the written side.
    pub path: RelPath,
    /// What it is.
    pub entry: Entry,
}

/// What a failure means for the next try.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FailureClass {
    /// Passing: the network, a busy or locked file, a server that is overloaded.
    Retry,
    /// What was expected was not there any more: observe again, then decide.
    Precondition,
    /// The credentials were refused.
    Auth,
    /// The side cannot do or hold this (name, kind, size, read-only).
    Unsupported,
    /// No space or quota left.
    NoSpace,
    /// The permission is missing.
    Denied,
    /// The effect is in doubt: an answer got lost, or we stopped meanwhile.
    InDoubt,
    /// Anything else.
    Fatal,
}

/// A row of the merge table in `sync-core: plan/table.rs`, by its letter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Case {
    /// Nothing to do.
    N0,
    /// Changed or new locally, unchanged remotely.
    U1,
    /// Gone locally, unchanged remotely.
    U2,
    /// Changed or new remotely, unchanged locally.
    D1,
    /// Gone remotely, unchanged locally.
    D2,
    /// Changed alike on both sides.
    A1,
    /// Gone on both sides.
    A2,
    /// Edited locally, gone remotely.
    E1,
    /// Edited remotely, gone locally.
    E2,
    /// Changed differently on both sides.
    C1,
    /// Moved to different places on both sides.
    C2,
    /// Two objects claim one name.
    C3,
    /// Moved locally only.
    M1,
    /// Moved remotely only.
    M2,
    /// Moves of both sides would form a cycle; the local one is undone.
    M3,
    /// A step through a temporary name.
    M4,
    /// A directory lives on because something in it does.
    R1,
    /// Whether content changed is not known before it is hashed.
    Q1,
    /// One-way: the target left the source, and is listed.
    V1,
    /// One-way: the target is put back to what the source holds.
    V2,
    /// Unknown on a side.
    P1,
    /// Halted.
    H1,
}

impl Case {
    /// Returns the letter as it is shown.
    #[must_use]
    pub const fn letter(self) -> &'static str {
        match self {
            Self::N0 => "N0",
            Self::U1 => "U1",
            Self::U2 => "U2",
            Self::D1 => "D1",
            Self::D2 => "D2",
            Self::A1 => "A1",
            Self::A2 => "A2",
            Self::E1 => "E1",
            Self::E2 => "E2",
            Self::C1 => "C1",
            Self::C2 => "C2",
            Self::C3 => "C3",
            Self::M1 => "M1",
            Self::M2 => "M2",
            Self::M3 => "M3",
            Self::M4 => "M4",
            Self::R1 => "R1",
            Self::Q1 => "Q1",
            Self::V1 => "V1",
            Self::V2 => "V2",
            Self::P1 => "P1",
            Self::H1 => "H1",
        }
    }
}

impl Action {
    /// Returns the side that is changed or, for a hash, read.
    #[must_use]
    pub const fn side(&self) -> Side {
        match self {
            Self::Transfer { from, .. } => from.other(),
            Self::MakeDirectory { side, .. }
            | Self::Move { side, .. }
            | Self::Remove { side, .. }
            | Self::Hash { side, .. } => *side,
        }
    }

    /// Returns the path that is changed or read on [`Action::side`]; for a move
    /// the path before.
    #[must_use]
    pub const fn path(&self) -> &RelPath {
        match self {
            Self::Transfer { target, .. } => target,
            Self::MakeDirectory { path, .. }
            | Self::Remove { path, .. }
            | Self::Hash { path, .. } => path,
            Self::Move { from, .. } => from,
        }
    }
}

impl Outcome {
    /// Returns the hash that the operation computed, if it did.
    #[must_use]
    pub fn digest(&self) -> Option<Digest> {
        let known = |entry: &Option<Entry>| entry.as_ref().and_then(|entry| entry.digest);
        known(&self.target).or_else(|| known(&self.source))
    }
}
