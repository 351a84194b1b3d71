//! One node, or one of the three trees, for readers outside.
//!
//! In: a state, a path or a node. Out: plain values with paths in them. Invariant:
//! nothing here changes the state, and what is told is what `plan` reads. Deliberately
//! absent: words about it (`journal` in the root package), pages of everything (`view`).

use crate::state::State;
use crate::tree::{NodeId, Presence, Tree, index};
use journal_format::event::{Case, FailureClass, Keep};
use journal_format::value::{Digest, Entry, Kind, RelPath, Seq, Side, Timestamp};

/// Everything that is known of one node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Look {
    /// A number that stays with the node through renames.
    pub node: u64,
    /// What it is.
    pub kind: Kind,
    /// Local and remote.
    pub sides: [SideLook; 2],
    /// Where it was when both sides last agreed; nothing if they never did.
    pub baseline: Option<RelPath>,
    /// Whether both sides are as they last agreed.
    pub in_sync: bool,
    /// Its last failure, if nothing succeeded since.
    pub failure: Option<Failed>,
    /// The conflict that stands over it: the raising event and its rule.
    pub conflict: Option<(Seq, Case)>,
    /// What a person decided about that conflict.
    pub decided: Option<Keep>,
    /// The operation that is under way.
    pub open: Option<Seq>,
}

/// A node as one side has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SideLook {
    /// Whether it is there.
    pub presence: Presence,
    /// Where; nothing where it is absent.
    pub path: Option<RelPath>,
    /// Bytes of content.
    pub size: u64,
    /// Modification time in nanoseconds since 1970.
    pub mtime_ns: i64,
    /// The content's hash, when known.
    pub digest: Option<Digest>,
}

/// A failure that stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failed {
    /// The event.
    pub seq: Seq,
    /// What kind of failure.
    pub class: FailureClass,
    /// What happened.
    pub detail: String,
    /// When to try again; never before a change when there is none.
    pub retry_at: Option<Timestamp>,
}

/// One of the three trees.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Column {
    /// What one side holds.
    Side(Side),
    /// What both sides last agreed on.
    Synced,
}

/// A node of one of the three trees.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Row {
    /// Where.
    pub path: RelPath,
    /// What it is.
    pub kind: Kind,
    /// Bytes of content.
    pub size: u64,
    /// Whether the side cannot speak of it now.
    pub unknown: bool,
    /// The content's hash, when known.
    pub digest: Option<Digest>,
}

/// Returns what a side holds at a path, as it was seen last.
#[must_use]
pub fn entry(state: &State, side: Side, path: &RelPath) -> Option<Entry> {
    let tree = &state.tree;
    let id = tree.lookup(side, path)?;
    let facet = tree.facet(id, side);
    let is_there = facet.is_present() && id != NodeId::ROOT;
    is_there.then(|| tree.entry(tree.node(id).kind, &facet.facts))
}

/// Tells whether a side has something at a path, or had when it could last be seen.
#[must_use]
pub fn is_taken(state: &State, side: Side, path: &RelPath) -> bool {
    state.tree.lookup(side, path).is_some()
}

/// Finds the nodes that stand at a path: locally, remotely, or where both last agreed.
#[must_use]
pub fn at(state: &State, path: &RelPath) -> Vec<NodeId> {
    let tree = &state.tree;
    let mut found: Vec<NodeId> = Side::BOTH
        .into_iter()
        .filter_map(|side| tree.lookup(side, path))
        .collect();
    if let Some((directory, name)) = path.split()
        && let Ok(directory) = RelPath::new(directory)
    {
        let parents = Side::BOTH.map(|side| tree.lookup(side, &directory));
        for parent in parents.into_iter().flatten() {
            found.extend(tree.at_place(parent, name).filter(|id| {
                let baseline = tree.baseline(*id);
                baseline.is_some_and(|it| {
                    it.location.parent == parent && tree.name(it.location.name) == name
                })
            }));
        }
    }
    let mut seen = std::collections::BTreeSet::new();
    found.retain(|id| *id != NodeId::ROOT && seen.insert(*id));
    found
}

/// Returns the number that stays with a node.
#[must_use]
pub fn number(state: &State, id: NodeId) -> Option<u64> {
    state.tree.get(id).map(|node| node.uid)
}

/// Finds a node by its number. Looks at all nodes.
#[must_use]
pub fn numbered(state: &State, number: u64) -> Option<NodeId> {
    let tree = &state.tree;
    tree.ids().find(|id| tree.node(*id).uid == number)
}

/// Tells what is known of a node.
#[must_use]
pub fn look(state: &State, id: NodeId) -> Option<Look> {
    let tree = &state.tree;
    let node = tree.get(id)?;
    let side = |side| {
        let facet = tree.facet(id, side);
        SideLook {
            presence: facet.presence,
            path: tree.path(side, id),
            size: facet.facts.size,
            mtime_ns: facet.facts.mtime_ns,
            digest: facet.facts.digest,
        }
    };
    let mut open = state.open.iter();
    Some(Look {
        node: node.uid,
        kind: node.kind,
        sides: Side::BOTH.map(side),
        baseline: tree.baseline_path(id),
        in_sync: tree.is_in_sync(id),
        failure: state.failures.get(&id).map(|failure| Failed {
            seq: failure.seq,
            class: failure.class,
            detail: failure.detail.clone(),
            retry_at: failure.retry_at,
        }),
        conflict: state.conflicts.get(&id).map(|it| (it.seq, it.case)),
        decided: state.conflicts.get(&id).and_then(|it| it.resolution),
        open: open
            .find(|(_, open)| open.node == Some((id, node.uid)))
            .map(|(seq, _)| *seq),
    })
}

/// Returns the nearest directory above a node that a side cannot speak of.
#[must_use]
pub fn unknown_above(state: &State, side: Side, id: NodeId) -> Option<(RelPath, Presence)> {
    let tree = &state.tree;
    let hidden = tree.ancestors(side, id).find_map(|above| {
        let presence = tree.facet(above, side).presence;
        let is_unknown = matches!(presence, Presence::Unknown(_));
        is_unknown.then_some((above, presence))
    });
    hidden.and_then(|(above, presence)| Some((tree.path(side, above)?, presence)))
}

/// Returns one of the three trees, sorted by path.
#[must_use]
pub fn rows(state: &State, column: Column) -> Vec<Row> {
    let tree = &state.tree;
    let ids = tree.ids().filter(|id| *id != NodeId::ROOT);
    let mut rows: Vec<Row> = ids.filter_map(|id| row(tree, id, column)).collect();
    rows.sort();
    rows
}

/// Returns a node as one of the three trees has it.
#[must_use]
pub fn row(tree: &Tree, id: NodeId, column: Column) -> Option<Row> {
    let kind = tree.get(id)?.kind;
    match column {
        Column::Side(side) => {
            let facet = tree.facet(id, side);
            Some(Row {
                path: tree.path(side, id)?,
                kind,
                size: facet.facts.size,
                unknown: !facet.is_present(),
                digest: facet.facts.digest,
            })
        }
        Column::Synced => {
            let facts = tree.baseline(id)?.facts[index(Side::Local)];
            Some(Row {
                path: tree.baseline_path(id)?,
                kind,
                size: facts.size,
                unknown: false,
                digest: facts.digest,
            })
        }
    }
}

/// Finds the nodes at a path and right in it, on any side; no more than `limit`.
#[must_use]
pub fn around(state: &State, path: &RelPath, limit: usize) -> Vec<NodeId> {
    let tree = &state.tree;
    let mut found = at(state, path);
    if path.is_root() {
        found.clear();
    }
    let mut inside = std::collections::BTreeSet::new();
    for side in Side::BOTH {
        if let Some(directory) = tree.lookup(side, path) {
            inside.extend(tree.children(side, directory).take(limit));
        }
    }
    let mut inside: Vec<NodeId> = inside
        .into_iter()
        .filter(|id| !found.contains(id))
        .collect();
    inside.sort_by_key(|id| tree.shown_path(*id));
    found.extend(inside);
    found.truncate(limit);
    found
}
