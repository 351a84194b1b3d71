//! Everything the engine knows: the fold of all events.
//!
//! In: events, through `fold` only. Out: the trees, open operations, waiting
//! retries, conflicts and halts that `plan` reads. Invariant: two replays of one
//! journal give equal digests; watched by `checkers::replay_equal`. Deliberately
//! absent: what a running scan holds back (`decide`), the queue (`schedule`).
//! A crash leaves nothing behind; replay rebuilds the state.

use crate::tree::{NodeId, Tree};
use journal_format::event::{Case, Fact, FailureClass, HaltReason, Keep, Operation};
use journal_format::value::{DigestKind, Policy, RelPath, Seq, Side, Timestamp};
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// The folded state of one job.
#[derive(Debug, Clone, Default)]
pub struct State {
    /// The local, remote and synced trees.
    pub tree: Tree,
    /// Who the pair is; nothing before its first event.
    pub root: Option<Root>,
    /// The ids of the roots, local and remote, once they were seen.
    pub markers: [Option<String>; 2],
    /// The last event folded.
    pub seq: Seq,
    /// When it was appended.
    pub time: Timestamp,
    /// Where the running session's jitter comes from.
    pub seed: u64,
    /// Where the running session begins: what failed before it is tried again.
    pub(crate) session: Seq,
    /// Operations that started and did not end.
    pub open: BTreeMap<Seq, Open>,
    /// Nodes whose last operation failed.
    pub(crate) failures: BTreeMap<NodeId, Failure>,
    /// Nodes that moves of ours took to temporary names.
    pub(crate) detours: BTreeMap<NodeId, Detour>,
    /// Conflicts that were raised and are not settled.
    pub(crate) conflicts: BTreeMap<NodeId, Conflict>,
    /// The halt in force.
    pub halt: Option<Halt>,
    /// Nodes whose deletion or overwriting a person released.
    pub(crate) approved: BTreeSet<NodeId>,
    /// Whether acknowledged events are missing from the journal.
    pub(crate) history_lost: bool,
    /// A remote that went back in time, until nothing of that is left to approve.
    pub(crate) rollback: Option<Rollback>,
    /// How far the remote's change feed was looked at.
    pub feed: Option<Feed>,
    /// What was last found out about the remote.
    pub probed: Option<Probed>,
    /// Whether the job was told to pause.
    pub paused: bool,
    /// Recent deletions, for the brake over a sliding hour.
    pub(crate) removals: VecDeque<Removals>,
}

/// Who the pair is.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Root {
    /// The job's id.
    pub job: String,
    /// The label for conflict names.
    pub label: String,
    /// The hash function for content.
    pub digest: DigestKind,
    /// What the user chose.
    pub policy: Policy,
    /// The version of the merge rules the journal was begun with.
    pub rules_version: u32,
}

/// An operation in flight, or in doubt after a crash.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Open {
    /// What is done.
    pub operation: Operation,
    /// The node that it masks, if that still exists.
    pub(crate) node: Option<(NodeId, u64)>,
}

/// Why a node waits.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(crate) struct Failure {
    pub(crate) class: FailureClass,
    pub(crate) detail: String,
    pub(crate) count: u32,
    /// The event that told of it.
    pub(crate) seq: Seq,
    /// When it happened.
    pub(crate) at: Timestamp,
    /// When to try again; never before a change when there is none.
    pub(crate) retry_at: Option<Timestamp>,
    /// What an operation in doubt may have left behind.
    pub(crate) doubt: Option<Doubt>,
}

/// What an operation in doubt may have left behind: it is ours, no wish of a user.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(crate) enum Doubt {
    /// The version that stood in the way of a write, as its conflict copy.
    Aside(Side, RelPath),
    /// The node itself, at its new path.
    Moved(Side, RelPath),
}

/// A move of ours to a temporary name: no wish of a user, whether it took place or not.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(crate) struct Detour {
    pub(crate) side: Side,
    /// Where the node stood before.
    pub(crate) from: RelPath,
    pub(crate) to: RelPath,
}

impl Failure {
    /// Tells whether another try may soon do better.
    pub(crate) const fn is_hopeful(&self) -> bool {
        self.count < crate::limits::TRIES_MAX
            && matches!(
                self.class,
                FailureClass::Retry | FailureClass::Precondition | FailureClass::InDoubt
            )
    }
}

/// A conflict that was raised.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Conflict {
    pub(crate) seq: Seq,
    pub(crate) case: Case,
    pub(crate) resolution: Option<Keep>,
}

/// A halt in force.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Halt {
    /// The event that raised it.
    pub seq: Seq,
    /// Why.
    pub reason: HaltReason,
    /// Which side is endangered, or whose root is gone.
    pub side: Side,
    /// How many entries are at stake.
    pub count: u64,
    /// Which plan was held back.
    pub plan: [u8; 16],
}

/// How far the remote's change feed was looked at.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Feed {
    /// Where to read on; it means something to the remote's adapter only.
    pub cursor: String,
    /// When the remote was last scanned whole.
    pub whole_at: Timestamp,
}

/// How far a remote is known that went back in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(crate) enum Rollback {
    /// It says so.
    Told,
    /// All of it was looked at since.
    Seen,
}

/// What was found out about the remote by trying it.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Probed {
    /// Facts, which mean something to the remote's adapter only.
    pub facts: Vec<Fact>,
    /// When.
    pub at: Timestamp,
}

/// Deletions that were carried out at one time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Removals {
    pub(crate) time: Timestamp,
    pub(crate) side: Side,
    pub(crate) count: u64,
}

impl State {
    /// Returns what the user chose, or the defaults before the first event.
    #[must_use]
    pub fn policy(&self) -> Policy {
        self.root
            .as_ref()
            .map_or_else(Policy::default, |root| root.policy)
    }

    /// Returns the nodes that open operations mask.
    pub(crate) fn masked(&self) -> BTreeSet<NodeId> {
        let nodes = self.open.values().filter_map(|open| open.node);
        nodes
            .filter(|(id, uid)| self.is_node(*id, *uid))
            .map(|(id, _)| id)
            .collect()
    }

    /// Returns the move of ours because of which a node stands where it does on a
    /// side.
    pub(crate) fn detour(&self, id: NodeId, side: Side) -> Option<&Detour> {
        let location = self.tree.facet(id, side).location;
        self.detours.get(&id).filter(|detour| {
            detour.side == side
                && location.parent == NodeId::ROOT
                && self.tree.name(location.name) == detour.to.as_str()
        })
    }

    /// Returns where moves of ours on a side, not seen to end, may have taken a node.
    pub(crate) fn ends_in_doubt(&self, id: NodeId, side: Side) -> impl Iterator<Item = &RelPath> {
        let failed = self.failures.get(&id).and_then(|it| it.doubt.as_ref());
        let failed = failed.and_then(|doubt| match doubt {
            Doubt::Moved(on, to) => (*on == side).then_some(to),
            Doubt::Aside(..) => None,
        });
        let detour = self.detours.get(&id).filter(|detour| detour.side == side);
        failed.into_iter().chain(detour.map(|detour| &detour.to))
    }

    /// Returns all nodes with such moves, and where these lead.
    pub(crate) fn moves_in_doubt(&self, side: Side) -> impl Iterator<Item = (NodeId, &RelPath)> {
        let nodes: BTreeSet<NodeId> = self
            .failures
            .keys()
            .chain(self.detours.keys())
            .copied()
            .collect();
        nodes
            .into_iter()
            .flat_map(move |id| self.ends_in_doubt(id, side).map(move |to| (id, to)))
    }

    /// Tells whether a node is still the one it was (places are used again).
    pub(crate) fn is_node(&self, id: NodeId, uid: u64) -> bool {
        self.tree.get(id).is_some_and(|node| node.uid == uid)
    }
}
