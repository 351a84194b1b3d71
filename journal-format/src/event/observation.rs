//! Events about what a side holds. Both sides have the same ones, told apart by `side`.
//!
//! In: nothing. Out: types. Invariant: only `Gone` says that something is absent, and
//! it names the epoch that proves it. Deliberately absent: why a side looked. A new
//! one is a variant, a wire struct and a tag.

use crate::value::{Digest, Entry, Fingerprint, RelPath, Side};
use serde::{Deserialize, Serialize};

/// A fact about one side, as seen by a scan, a change feed or a verified read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ObservationEvent {
    /// A path holds this now: it is new there, or it changed in place.
    Observed {
        /// Which side.
        side: Side,
        /// Where.
        path: RelPath,
        /// What.
        entry: Entry,
    },
    /// Objects changed their paths together; each `from` is a path before the
    /// whole group, each `to` one after it (so a swap is one group of two).
    Moved {
        /// Which side.
        side: Side,
        /// At least one move.
        moves: Vec<PathMove>,
    },
    /// A path, and everything still known below it, is absent.
    ///
    /// Written only when the parent was listed completely in this epoch and the
    /// root's identity was verified before and after.
    Gone {
        /// Which side.
        side: Side,
        /// Where.
        path: RelPath,
        /// The observation epoch that proves it; counts up within a session.
        epoch: u64,
    },
    /// Nothing can be said about a path and what lies below it.
    Unknown {
        /// Which side.
        side: Side,
        /// Where.
        path: RelPath,
        /// Why.
        reason: UnknownReason,
    },
    /// The content's hash of the version with this fingerprint was computed.
    Hashed {
        /// Which side.
        side: Side,
        /// Where.
        path: RelPath,
        /// Which version.
        fingerprint: Fingerprint,
        /// Its hash.
        digest: Digest,
    },
}

/// One object that changed its path.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PathMove {
    /// Where it was.
    pub from: RelPath,
    /// Where it is.
    pub to: RelPath,
    /// What it is now.
    pub entry: Entry,
}

/// Why nothing can be said about a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UnknownReason {
    /// A filter leaves it out. The only reason that is no problem.
    Excluded,
    /// It cannot be read or listed (permission, input/output error).
    Unreadable,
    /// A pipe, a socket or a device.
    UnsupportedKind,
    /// A symbolic link, and the other side cannot hold one.
    UnsupportedSymlink,
    /// A name that is not UTF-8 or that the other side cannot hold.
    InvalidName,
    /// A name or path longer than a side can hold.
    NameTooLong,
    /// Two names of one directory that mean the same (normalisation or case).
    NameTwin,
    /// Another file system is mounted there.
    MountPoint,
}
