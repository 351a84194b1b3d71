//! What a checkpoint's bytes mean.
//!
//! In: nodes and the rest of the state. Out: serde structs, and the way back.
//! Invariant: what the local facet says is not said again for the remote one.

use crate::checkpoint::{Rewrite, digest};
use crate::state::{
    Conflict, Detour, Doubt, Failure, Feed, Halt, Open, Probed, Removals, Rollback, Root, State,
};
use crate::tree::{
    Baseline, BaselineState, Facet, Facts, Location, NodeId, Presence, Restoring, Tree,
};
use journal_format::event::{Case, HaltReason, Keep, Operation, UnknownReason};
use journal_format::value::{Digest, Identity, Kind, Seq, Side, Timestamp};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

/// Everything but the nodes; nodes are named by their uid.
#[derive(Serialize, Deserialize)]
pub(super) struct Header {
    pub(super) digest: [u8; 16],
    /// How many nodes there are, the root included.
    pub(super) nodes: usize,
    pub(super) next_uid: u64,
    seq: Seq,
    time: Timestamp,
    seed: u64,
    session: Seq,
    pub(super) fold_case: bool,
    root: Option<Root>,
    markers: [Option<String>; 2],
    open: Vec<(Seq, Operation, Option<u64>)>,
    failures: BTreeMap<u64, Failure>,
    detours: BTreeMap<u64, Detour>,
    conflicts: BTreeMap<u64, (Seq, Case, Option<Keep>)>,
    halt: Option<(Seq, HaltReason, Side, u64, [u8; 16])>,
    approved: Vec<u64>,
    history_lost: bool,
    rollback: Option<Rollback>,
    feed: Option<Feed>,
    probed: Option<Probed>,
    removals: Vec<(Timestamp, Side, u64)>,
    paused: bool,
}

/// A node; directories are named by their place in the checkpoint.
#[derive(Serialize, Deserialize)]
pub(super) struct NodeImage<'a> {
    pub(super) uid: u64,
    kind: Kind,
    local: Option<FacetImage<'a>>,
    remote: Option<FacetImage<'a>>,
    baseline: BaselineImage<'a>,
}

#[derive(Serialize, Deserialize)]
struct FacetImage<'a> {
    unknown: Option<UnknownReason>,
    parent: u32,
    /// Nothing for the local facet's name.
    name: Option<Cow<'a, str>>,
    facts: FactsImage<'a>,
}

#[derive(Serialize, Deserialize)]
enum BaselineImage<'a> {
    Absent,
    InSync,
    Stored {
        parent: u32,
        name: Cow<'a, str>,
        facts: Box<[FactsImage<'a>; 2]>,
    },
}

#[derive(Serialize, Deserialize)]
struct FactsImage<'a> {
    size: u64,
    mtime_ns: i64,
    identity: Option<Identity>,
    version: Cow<'a, str>,
    digest: DigestImage,
}

#[derive(Serialize, Deserialize)]
enum DigestImage {
    Unknown,
    /// The local facet's.
    Local,
    Own(Digest),
}

impl Header {
    pub(super) fn of(state: &State, nodes: usize) -> Self {
        let tree = &state.tree;
        let uid = |id: &NodeId| tree.node(*id).uid;
        let open = state.open.iter();
        let mut approved: Vec<u64> = state.approved.iter().map(uid).collect();
        approved.sort_unstable();
        Self {
            digest: digest(state),
            nodes,
            next_uid: tree.next_uid(),
            seq: state.seq,
            time: state.time,
            seed: state.seed,
            session: state.session,
            fold_case: tree.fold_case(),
            root: state.root.clone(),
            markers: state.markers.clone(),
            open: open
                .map(|(seq, open)| {
                    let node = open.node.filter(|(id, uid)| state.is_node(*id, *uid));
                    (*seq, open.operation.clone(), node.map(|(_, uid)| uid))
                })
                .collect(),
            failures: state
                .failures
                .iter()
                .map(|(id, failure)| (uid(id), failure.clone()))
                .collect(),
            detours: state
                .detours
                .iter()
                .map(|(id, detour)| (uid(id), detour.clone()))
                .collect(),
            conflicts: state
                .conflicts
                .iter()
                .map(|(id, it)| (uid(id), (it.seq, it.case, it.resolution)))
                .collect(),
            halt: state
                .halt
                .map(|it| (it.seq, it.reason, it.side, it.count, it.plan)),
            approved,
            history_lost: state.history_lost,
            rollback: state.rollback,
            feed: state.feed.clone(),
            probed: state.probed.clone(),
            removals: state
                .removals
                .iter()
                .map(|it| (it.time, it.side, it.count))
                .collect(),
            paused: state.paused,
        }
    }

    /// Puts other names into what the header says.
    pub(super) fn rewrite(&mut self, to: &dyn Rewrite) -> Option<()> {
        if let Some(root) = &mut self.root {
            root.job = to.job(&root.job);
            root.label = to.label(&root.label);
        }
        for marker in self.markers.iter_mut().flatten() {
            *marker = to.marker(marker);
        }
        for (_, operation, _) in &mut self.open {
            *operation = to.operation(operation)?;
        }
        for failure in self.failures.values_mut() {
            failure.detail = String::new();
            if let Some(Doubt::Aside(_, path) | Doubt::Moved(_, path)) = &mut failure.doubt {
                *path = to.path(path)?;
            }
        }
        for detour in self.detours.values_mut() {
            detour.from = to.path(&detour.from)?;
            detour.to = to.path(&detour.to)?;
        }
        if let Some(feed) = &mut self.feed {
            feed.cursor = to.cursor(&feed.cursor);
        }
        for fact in self.probed.iter_mut().flat_map(|probed| &mut probed.facts) {
            *fact = to.fact(fact);
        }
        Some(())
    }

    /// Returns the nodes of which the header says something.
    pub(super) fn mentioned(&self) -> BTreeSet<u64> {
        let keys = self.failures.keys().chain(self.detours.keys());
        keys.chain(self.conflicts.keys())
            .chain(&self.approved)
            .chain(self.open.iter().filter_map(|(_, _, node)| node.as_ref()))
            .copied()
            .collect()
    }

    /// Builds the state; nothing when the header speaks of nodes that are not there.
    pub(super) fn restore(self, tree: Tree, uids: &BTreeMap<u64, NodeId>) -> Option<State> {
        let id = |uid: u64| uids.get(&uid).copied();
        let mut state = State {
            tree,
            seq: self.seq,
            time: self.time,
            seed: self.seed,
            session: self.session,
            markers: self.markers,
            history_lost: self.history_lost,
            rollback: self.rollback,
            feed: self.feed,
            probed: self.probed,
            paused: self.paused,
            root: self.root,
            ..State::default()
        };
        for (seq, operation, node) in self.open {
            let node = node.and_then(|uid| id(uid).map(|id| (id, uid)));
            state.open.insert(seq, Open { operation, node });
        }
        for (uid, failure) in self.failures {
            state.failures.insert(id(uid)?, failure);
        }
        for (uid, detour) in self.detours {
            state.detours.insert(id(uid)?, detour);
        }
        for (uid, (seq, case, resolution)) in self.conflicts {
            state.conflicts.insert(
                id(uid)?,
                Conflict {
                    seq,
                    case,
                    resolution,
                },
            );
        }
        for uid in self.approved {
            state.approved.insert(id(uid)?);
        }
        let halt = |(seq, reason, side, count, plan)| Halt {
            seq,
            reason,
            side,
            count,
            plan,
        };
        state.halt = self.halt.map(halt);
        let removals = self.removals.into_iter();
        state.removals = removals
            .map(|(time, side, count)| Removals { time, side, count })
            .collect();
        Some(state)
    }
}

impl<'a> NodeImage<'a> {
    pub(super) fn of(tree: &'a Tree, id: NodeId, places: &[u32]) -> Self {
        let node = tree.node(id);
        let [local, remote] = &node.facets;
        let local_name = (!local.is_absent()).then(|| tree.name(local.location.name));
        let baseline = match node.baseline {
            BaselineState::Absent => BaselineImage::Absent,
            BaselineState::InSync => BaselineImage::InSync,
            BaselineState::Stored => {
                let baseline = tree.baseline(id).expect("a stored baseline is stored");
                BaselineImage::Stored {
                    parent: places[baseline.location.parent.index()],
                    name: Cow::Borrowed(tree.name(baseline.location.name)),
                    facts: Box::new(
                        baseline
                            .facts
                            .map(|facts| FactsImage::of(tree, &facts, None)),
                    ),
                }
            }
        };
        Self {
            uid: node.uid,
            kind: node.kind,
            local: FacetImage::of(tree, local, places, (None, None)),
            remote: FacetImage::of(tree, remote, places, (local_name, local.facts.digest)),
            baseline,
        }
    }

    /// Puts other names into what the image says.
    pub(super) fn rewritten(self, to: &dyn Rewrite) -> Self {
        Self {
            local: self.local.map(|facet| facet.rewritten(to)),
            remote: self.remote.map(|facet| facet.rewritten(to)),
            baseline: match self.baseline {
                BaselineImage::Stored {
                    parent,
                    name,
                    facts,
                } => BaselineImage::Stored {
                    parent,
                    name: Cow::Owned(to.name(&name)),
                    facts: Box::new(facts.map(|facts| facts.rewritten(to))),
                },
                other => other,
            },
            ..self
        }
    }

    /// Adds the node; nothing when the image contradicts itself.
    pub(super) fn restore(self, restoring: &mut Restoring) -> Option<NodeId> {
        let local = match self.local {
            Some(image) => image.restore(restoring, &Facet::ABSENT)?,
            None => Facet::ABSENT,
        };
        let remote = match self.remote {
            Some(image) => image.restore(restoring, &local)?,
            None => Facet::ABSENT,
        };
        let (state, stored) = match self.baseline {
            BaselineImage::Absent => (BaselineState::Absent, None),
            BaselineImage::InSync if local.is_present() && remote.is_present() => {
                (BaselineState::InSync, None)
            }
            BaselineImage::InSync => return None,
            BaselineImage::Stored {
                parent,
                name,
                facts,
            } => {
                let location = Location {
                    parent: restoring.directory(parent)?,
                    name: restoring.name(&name, &[local, remote])?,
                };
                let [local, remote] = *facts;
                let facts = [
                    local.restore(restoring, None)?,
                    remote.restore(restoring, None)?,
                ];
                (BaselineState::Stored, Some(Baseline { location, facts }))
            }
        };
        restoring.add(self.uid, self.kind, [local, remote], state, stored)
    }
}

impl<'a> FacetImage<'a> {
    fn of(
        tree: &'a Tree,
        facet: &Facet,
        places: &[u32],
        (local_name, local_digest): (Option<&str>, Option<Digest>),
    ) -> Option<Self> {
        let unknown = match facet.presence {
            Presence::Absent => return None,
            Presence::Present => None,
            Presence::Unknown(reason) => Some(reason),
        };
        let name = tree.name(facet.location.name);
        Some(Self {
            unknown,
            parent: places[facet.location.parent.index()],
            name: (local_name != Some(name)).then_some(Cow::Borrowed(name)),
            facts: FactsImage::of(tree, &facet.facts, local_digest),
        })
    }

    fn rewritten(self, to: &dyn Rewrite) -> Self {
        Self {
            name: self.name.map(|name| Cow::Owned(to.name(&name))),
            facts: self.facts.rewritten(to),
            ..self
        }
    }

    fn restore(self, restoring: &mut Restoring, local: &Facet) -> Option<Facet> {
        let name = match self.name {
            Some(name) => restoring.name(&name, &[*local])?,
            None if local.is_absent() => return None,
            None => local.location.name,
        };
        Some(Facet {
            presence: self.unknown.map_or(Presence::Present, Presence::Unknown),
            location: Location {
                parent: restoring.directory(self.parent)?,
                name,
            },
            facts: self.facts.restore(restoring, local.facts.digest)?,
        })
    }
}

impl<'a> FactsImage<'a> {
    fn of(tree: &'a Tree, facts: &Facts, local_digest: Option<Digest>) -> Self {
        Self {
            size: facts.size,
            mtime_ns: facts.mtime_ns,
            identity: facts.identity(),
            version: Cow::Borrowed(tree.name(facts.version)),
            digest: match facts.digest {
                None => DigestImage::Unknown,
                Some(digest) if Some(digest) == local_digest => DigestImage::Local,
                Some(digest) => DigestImage::Own(digest),
            },
        }
    }

    fn rewritten(self, to: &dyn Rewrite) -> Self {
        Self {
            identity: self.identity.map(|identity| to.identity(identity)),
            version: match &*self.version {
                "" => self.version,
                version => Cow::Owned(to.version(version)),
            },
            digest: match self.digest {
                DigestImage::Own(digest) => DigestImage::Own(to.digest(&digest)),
                other => other,
            },
            ..self
        }
    }

    fn restore(&self, restoring: &mut Restoring, local_digest: Option<Digest>) -> Option<Facts> {
        Some(Facts {
            size: self.size,
            mtime_ns: self.mtime_ns,
            identity: self.identity.unwrap_or(Facts::NONE.identity),
            version: restoring.version(&self.version)?,
            digest: match self.digest {
                DigestImage::Unknown => None,
                DigestImage::Local => local_digest,
                DigestImage::Own(digest) => Some(digest),
            },
        })
    }
}
