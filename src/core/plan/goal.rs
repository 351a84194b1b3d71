//! What should become of one node on both sides.
//!
//! In: `merge` proposes, `structure` corrects. Out: what `steps` turns into the next
//! operation of each node. Deliberately absent: how (that depends on what each side
//! holds).

use crate::state::State;
use crate::tree::{Location, NodeId};
use journal_format::event::Case;
use journal_format::value::Side;

/// A node's goal, with the rule that set it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Goal {
    pub(crate) case: Case,
    pub(crate) wish: Wish,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Wish {
    /// Each side stays as it is; a hash may be learnt meanwhile.
    Frozen { hash: Option<Side> },
    /// It is nowhere.
    Absent { rescue: bool },
    /// It is at one place on both sides.
    Present { place: Place, content: Content },
}

/// A place that may not exist yet.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    pub(crate) parent: NodeId,
    pub(crate) name: String,
}

/// What happens to the content.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Content {
    /// Nothing.
    Settled,
    /// The baseline follows.
    Adopt,
    /// One side's version goes to the other.
    Send { from: Side, displacing: Displacing },
}

/// What becomes of the version that is replaced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Displacing {
    /// It is the baseline.
    Discard,
    /// It is kept in the trash.
    Rescue,
    /// It becomes the conflict copy.
    Copy,
}

impl Goal {
    pub(super) const fn frozen(case: Case) -> Self {
        Self {
            case,
            wish: Wish::Frozen { hash: None },
        }
    }

    pub(super) const fn absent(case: Case, rescue: bool) -> Self {
        Self {
            case,
            wish: Wish::Absent { rescue },
        }
    }

    /// Sets the content of a goal that has a place.
    pub(super) fn with(mut self, wanted: Content) -> Self {
        if let Wish::Present { content, .. } = &mut self.wish {
            *content = wanted;
        }
        self
    }

    pub(super) const fn place(&self) -> Option<&Place> {
        match &self.wish {
            Wish::Present { place, .. } => Some(place),
            Wish::Frozen { .. } | Wish::Absent { .. } => None,
        }
    }
}

impl Place {
    /// Tells whether a facet stands at this place, up to normalisation.
    pub(super) fn is_at(&self, state: &State, location: Location) -> bool {
        use crate::spelling::canonical;
        location.parent == self.parent
            && canonical(state.tree.name(location.name), false) == canonical(&self.name, false)
    }
}
