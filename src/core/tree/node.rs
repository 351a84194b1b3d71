//! One node: what it is on each side, and what both sides last agreed on.
//!
//! In: facts of observations. Out: plain values that the tree stores in place.
//! Invariant: a facet that is absent has no location and no facts. Deliberately
//! absent: paths (they are derived), links to children (the tree has an index).

use super::NameId;
use journal_format::event::UnknownReason;
use journal_format::value::{Digest, Identity, Kind};

/// A node of the tree; never journaled, since it is a place in memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct NodeId(pub(crate) u32);

impl NodeId {
    /// The root directory of the pair.
    pub const ROOT: Self = Self(0);
    pub(crate) const NONE: Self = Self(u32::MAX);

    /// Returns the place in memory.
    pub(crate) const fn index(self) -> usize {
        self.0 as usize
    }
}

/// Where a facet is: its directory and its name there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Location {
    /// The directory.
    pub parent: NodeId,
    /// The name, as the side spells it.
    pub name: NameId,
}

impl Location {
    pub(crate) const NONE: Self = Self {
        parent: NodeId::NONE,
        name: NameId::NONE,
    };
}

/// What is known of a node on one side.
///
/// `Absent` is only ever set by an event that carries its proof; everything that
/// was not seen for another reason is `Unknown`, and unknown plans nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Presence {
    /// Proven not to be there.
    Absent,
    /// Seen there.
    Present,
    /// Not known; location and facts are the last ones.
    Unknown(UnknownReason),
}

impl Presence {
    /// Tells whether something stands there that is no version of any node.
    pub(crate) const fn is_another_kind(self) -> bool {
        matches!(
            self,
            Self::Unknown(UnknownReason::UnsupportedKind | UnknownReason::UnsupportedSymlink)
        )
    }
}

/// What tells one version of a node from another, on one side.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Facts {
    /// Size in bytes.
    pub size: u64,
    /// Modification time in nanoseconds since 1970.
    pub mtime_ns: i64,
    /// Which object, all zero when the side cannot tell.
    pub(crate) identity: Identity,
    /// The remote version's text, or none.
    pub(crate) version: NameId,
    /// The content's hash, when known.
    pub digest: Option<Digest>,
}

impl Facts {
    pub(crate) const NONE: Self = Self {
        size: 0,
        mtime_ns: 0,
        identity: Identity {
            device: 0,
            object: 0,
            born_ns: 0,
        },
        version: NameId::NONE,
        digest: None,
    };

    /// Returns which object this is, where the side can tell.
    #[must_use]
    pub fn identity(&self) -> Option<Identity> {
        (self.identity != Self::NONE.identity).then_some(self.identity)
    }
}

/// A node as one side has it.
#[derive(Debug, Clone, Copy)]
pub struct Facet {
    /// Whether it is there.
    pub presence: Presence,
    /// Where.
    pub location: Location,
    /// Which version.
    pub facts: Facts,
}

impl Facet {
    pub(crate) const ABSENT: Self = Self {
        presence: Presence::Absent,
        location: Location::NONE,
        facts: Facts::NONE,
    };

    /// Tells whether it was seen there.
    #[must_use]
    pub fn is_present(&self) -> bool {
        self.presence == Presence::Present
    }

    /// Tells whether it was proven not to be there.
    #[must_use]
    pub fn is_absent(&self) -> bool {
        self.presence == Presence::Absent
    }
}

/// The baseline of a node whose sides have left it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Baseline {
    pub(crate) location: Location,
    /// Local and remote facts of the version that both sides had.
    pub(crate) facts: [Facts; 2],
}

/// Where a node's baseline is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum BaselineState {
    /// The sides never agreed.
    Absent,
    /// Both facets are the baseline.
    InSync,
    /// It is stored beside the tree.
    Stored,
}

/// A file, directory or symbolic link of the pair.
#[derive(Debug, Clone)]
pub struct Node {
    /// Counts nodes in the order in which they became known; unlike a
    /// [`NodeId`] it is part of the state's digest.
    pub(crate) uid: u64,
    /// What it is, on every side.
    pub kind: Kind,
    pub(crate) baseline: BaselineState,
    /// Local and remote.
    pub(crate) facets: [Facet; 2],
}
