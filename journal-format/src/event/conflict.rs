//! Events about versions that exclude one another.
//!
//! In: nothing. Out: types. Invariant: a conflict is named by the sequence number of
//! its raising event, never by a path, which may change. Deliberately absent: what a
//! resolution leads to (`sync-core: plan`).

use super::Case;
use crate::value::{RelPath, Seq};
use serde::{Deserialize, Serialize};

/// A fact about a conflict.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ConflictEvent {
    /// Both sides left the baseline in ways that exclude one another.
    Raised {
        /// Where on the local side.
        local: RelPath,
        /// Where on the remote side.
        remote: RelPath,
        /// The rule.
        case: Case,
    },
    /// A person decided; the operations follow from it.
    Resolved {
        /// The raising event.
        conflict: Seq,
        /// Which version keeps the name.
        keep: Keep,
        /// Who asked.
        by: String,
    },
    /// The conflict went away by itself: the sides agree, or one is gone.
    Settled {
        /// The raising event.
        conflict: Seq,
    },
}

/// What a person chose.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Keep {
    /// The local version; the other one goes to the trash. Of two things that claim one
    /// name the local one keeps it; nothing goes to the trash.
    Local,
    /// The remote version; the other one goes to the trash. Of two things that claim one
    /// name the remote one keeps it.
    Remote,
    /// Both; the remote one keeps the name.
    Both,
}
