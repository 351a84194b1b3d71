//! The folded state as bytes, and its digest.
//!
//! In: a state. Out: bytes that do not depend on places in memory, and 128 bits
//! over names and facets that a replay must reproduce. Invariant: decode of encode
//! gives an equal digest and equal plans; watched by the properties. Deliberately
//! absent: where the bytes are kept. A damaged or foreign checkpoint is refused and
//! costs a replay, nothing else.

use crate::limits::FOLD_VERSION;
use crate::state::{Conflict, Failure, Halt, Open, Removals, Root, State};
use crate::tree::{Baseline, Facet, Facts, Location, NameId, NodeId, Presence, Tree};
use journal_format::codec;
use journal_format::event::{Case, FailureClass, HaltReason, Keep, Operation, UnknownReason};
use journal_format::value::{
    Digest, DigestKind, Identity, Kind, Policy, RelPath, Seq, Side, Timestamp,
};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use xxhash_rust::xxh3::Xxh3Default;

/// Why bytes are no checkpoint of this release.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CheckpointError {
    /// They do not decode, or say things that cannot be.
    Damaged,
    /// Another version of the fold wrote them.
    OtherFold,
}

#[derive(Serialize, Deserialize)]
struct Image {
    fold_version: u32,
    digest: [u8; 16],
    body: Body,
}

#[derive(Serialize, Deserialize)]
struct Body {
    seq: Seq,
    time: Timestamp,
    seed: u64,
    root: Option<RootImage>,
    markers: [Option<String>; 2],
    next_uid: u64,
    nodes: Vec<NodeImage>,
    open: Vec<(Seq, Operation, Option<u64>)>,
    failures: Vec<(u64, FailureImage)>,
    conflicts: Vec<(u64, Seq, Case, Option<Keep>)>,
    halt: Option<(Seq, HaltReason, Side, u64, [u8; 16])>,
    approved: Vec<u64>,
    history_lost: bool,
    removals: Vec<(Timestamp, Side, u64)>,
}

#[derive(Serialize, Deserialize)]
struct FailureImage {
    class: FailureClass,
    detail: String,
    count: u32,
    seq: Seq,
    at: Timestamp,
    retry_at: Option<Timestamp>,
    aside: Option<(Side, RelPath)>,
}

#[derive(Serialize, Deserialize)]
struct RootImage {
    job: String,
    label: String,
    digest: DigestKind,
    fold_case: bool,
    policy: Policy,
    rules_version: u32,
}

/// A node; directories are named by their uid.
#[derive(Serialize, Deserialize)]
struct NodeImage {
    uid: u64,
    kind: Kind,
    facets: [Option<FacetImage>; 2],
    baseline: BaselineImage,
}

#[derive(Serialize, Deserialize)]
struct FacetImage {
    unknown: Option<UnknownReason>,
    parent: u64,
    name: String,
    facts: FactsImage,
}

#[derive(Serialize, Deserialize)]
enum BaselineImage {
    Absent,
    InSync,
    Stored {
        parent: u64,
        name: String,
        facts: [FactsImage; 2],
    },
}

#[derive(Serialize, Deserialize)]
struct FactsImage {
    size: u64,
    mtime_ns: i64,
    identity: Option<Identity>,
    version: String,
    digest: Option<Digest>,
}

/// Encodes a state.
///
/// # Panics
/// Never for a state that fits in memory several times.
#[must_use]
pub fn encode(state: &State) -> Vec<u8> {
    let image = Image {
        fold_version: FOLD_VERSION,
        digest: digest(state),
        body: body(state),
    };
    codec::encode(&image).expect("a state is far smaller than what the codec holds")
}

/// Decodes a state.
///
/// # Errors
/// The bytes are damaged or another fold wrote them: replay the journal instead.
pub fn decode(bytes: &[u8]) -> Result<State, CheckpointError> {
    let image: Image = codec::decode(bytes).map_err(|_| CheckpointError::Damaged)?;
    if image.fold_version != FOLD_VERSION {
        return Err(CheckpointError::OtherFold);
    }
    let state = rebuild(image.body).ok_or(CheckpointError::Damaged)?;
    if digest(&state) != image.digest {
        return Err(CheckpointError::Damaged);
    }
    Ok(state)
}

/// Returns 128 bits over all names and facets. They depend on the events alone,
/// not on places in memory: the sum of a hash a node.
#[must_use]
pub fn digest(state: &State) -> [u8; 16] {
    let tree = &state.tree;
    let sum = tree.ids().fold(u128::from(state.seq.0), |sum, id| {
        let mut hasher = Xxh3Default::new();
        let node = tree.node(id);
        hasher.update(&node.uid.to_be_bytes());
        hasher.update(&[kind_mark(node.kind)]);
        for facet in &node.facets {
            hasher.update(&[presence_mark(facet.presence)]);
            hash_place(&mut hasher, tree, facet.location);
            hash_facts(&mut hasher, tree, &facet.facts);
        }
        if let Some(baseline) = tree.baseline(id) {
            hash_place(&mut hasher, tree, baseline.location);
            baseline
                .facts
                .iter()
                .for_each(|facts| hash_facts(&mut hasher, tree, facts));
        }
        sum.wrapping_add(hasher.digest128())
    });
    sum.to_be_bytes()
}

fn hash_place(hasher: &mut Xxh3Default, tree: &Tree, location: Location) {
    let parent = tree.get(location.parent).map_or(u64::MAX, |node| node.uid);
    hasher.update(&parent.to_be_bytes());
    hash_text(hasher, tree.name(location.name));
}

fn hash_text(hasher: &mut Xxh3Default, text: &str) {
    hasher.update(&text.len().to_be_bytes());
    hasher.update(text.as_bytes());
}

fn hash_facts(hasher: &mut Xxh3Default, tree: &Tree, facts: &Facts) {
    hasher.update(&facts.size.to_be_bytes());
    hasher.update(&facts.mtime_ns.to_be_bytes());
    hasher.update(&facts.identity.device.to_be_bytes());
    hasher.update(&facts.identity.object.to_be_bytes());
    hasher.update(&facts.identity.born_ns.to_be_bytes());
    hash_text(hasher, tree.name(facts.version));
    hasher.update(facts.digest.as_ref().map_or(&[], |digest| digest.bytes()));
}

const fn kind_mark(kind: Kind) -> u8 {
    match kind {
        Kind::File => 0,
        Kind::Directory => 1,
        Kind::Symlink => 2,
    }
}

const fn presence_mark(presence: Presence) -> u8 {
    match presence {
        Presence::Absent => 0,
        Presence::Present => 1,
        Presence::Unknown(reason) => 2 + reason as u8,
    }
}

fn body(state: &State) -> Body {
    let tree = &state.tree;
    let uid = |id: NodeId| tree.node(id).uid;
    let mut ids: Vec<NodeId> = tree.ids().filter(|id| *id != NodeId::ROOT).collect();
    ids.sort_by_key(|id| uid(*id));
    let mut body = Body {
        seq: state.seq,
        time: state.time,
        seed: state.seed,
        root: state
            .root
            .as_ref()
            .map(|root| root_image(root, tree.fold_case())),
        markers: state.markers.clone(),
        next_uid: tree.next_uid(),
        nodes: ids.iter().map(|id| node_image(tree, *id)).collect(),
        open: Vec::new(),
        failures: Vec::new(),
        conflicts: Vec::new(),
        halt: state
            .halt
            .map(|it| (it.seq, it.reason, it.side, it.count, it.plan)),
        approved: state.approved.iter().map(|id| uid(*id)).collect(),
        history_lost: state.history_lost,
        removals: state
            .removals
            .iter()
            .map(|it| (it.time, it.side, it.count))
            .collect(),
    };
    for (seq, open) in &state.open {
        let node = open.node.map(|(_, uid)| uid);
        body.open.push((*seq, open.operation.clone(), node));
    }
    for (id, failure) in &state.failures {
        let Failure {
            class,
            detail,
            count,
            seq,
            at,
            retry_at,
            aside,
        } = failure.clone();
        body.failures.push((
            uid(*id),
            FailureImage {
                class,
                detail,
                count,
                seq,
                at,
                retry_at,
                aside,
            },
        ));
    }
    for (id, conflict) in &state.conflicts {
        body.conflicts
            .push((uid(*id), conflict.seq, conflict.case, conflict.resolution));
    }
    body.approved.sort_unstable();
    body.failures.sort_by_key(|failure| failure.0);
    body.conflicts.sort_by_key(|conflict| conflict.0);
    body
}

fn root_image(root: &Root, fold_case: bool) -> RootImage {
    RootImage {
        job: root.job.clone(),
        label: root.label.clone(),
        digest: root.digest,
        fold_case,
        policy: root.policy,
        rules_version: root.rules_version,
    }
}

fn node_image(tree: &Tree, id: NodeId) -> NodeImage {
    let node = tree.node(id);
    let facet = |facet: &Facet| {
        let unknown = match facet.presence {
            Presence::Absent => return None,
            Presence::Present => None,
            Presence::Unknown(reason) => Some(reason),
        };
        let parent = tree.node(facet.location.parent).uid;
        let name = tree.name(facet.location.name).to_owned();
        Some(FacetImage {
            unknown,
            parent,
            name,
            facts: facts_image(tree, &facet.facts),
        })
    };
    let baseline = match tree.baseline(id) {
        None => BaselineImage::Absent,
        Some(_) if tree.is_in_sync(id) => BaselineImage::InSync,
        Some(baseline) => BaselineImage::Stored {
            parent: tree.node(baseline.location.parent).uid,
            name: tree.name(baseline.location.name).to_owned(),
            facts: [
                facts_image(tree, &baseline.facts[0]),
                facts_image(tree, &baseline.facts[1]),
            ],
        },
    };
    let facets = [facet(&node.facets[0]), facet(&node.facets[1])];
    NodeImage {
        uid: node.uid,
        kind: node.kind,
        facets,
        baseline,
    }
}

fn facts_image(tree: &Tree, facts: &Facts) -> FactsImage {
    FactsImage {
        size: facts.size,
        mtime_ns: facts.mtime_ns,
        identity: facts.identity(),
        version: tree.name(facts.version).to_owned(),
        digest: facts.digest,
    }
}

/// Builds the state again; nothing when the image contradicts itself.
fn rebuild(body: Body) -> Option<State> {
    let mut state = State {
        tree: Tree::default(),
        ..State::default()
    };
    let ids = rebuild_tree(&mut state.tree, &body)?;
    let id = |uid: u64| ids.get(&uid).copied();
    state.seq = body.seq;
    state.time = body.time;
    state.seed = body.seed;
    state.markers = body.markers;
    state.history_lost = body.history_lost;
    state.root = body.root.map(|root| Root {
        job: root.job,
        label: root.label,
        digest: root.digest,
        policy: root.policy,
        rules_version: root.rules_version,
    });
    for (seq, operation, node) in body.open {
        let node = node.and_then(|uid| id(uid).map(|id| (id, uid)));
        state.open.insert(seq, Open { operation, node });
    }
    for (
        uid,
        FailureImage {
            class,
            detail,
            count,
            seq,
            at,
            retry_at,
            aside,
        },
    ) in body.failures
    {
        state.failures.insert(
            id(uid)?,
            Failure {
                class,
                detail,
                count,
                seq,
                at,
                retry_at,
                aside,
            },
        );
    }
    for (uid, seq, case, resolution) in body.conflicts {
        state.conflicts.insert(
            id(uid)?,
            Conflict {
                seq,
                case,
                resolution,
            },
        );
    }
    for uid in body.approved {
        state.approved.insert(id(uid)?);
    }
    state.halt = body.halt.map(|(seq, reason, side, count, plan)| Halt {
        seq,
        reason,
        side,
        count,
        plan,
    });
    state.removals = body
        .removals
        .into_iter()
        .map(|(time, side, count)| Removals { time, side, count })
        .collect();
    Some(state)
}

fn rebuild_tree(tree: &mut Tree, body: &Body) -> Option<BTreeMap<u64, NodeId>> {
    tree.set_fold_case(body.root.as_ref().is_some_and(|root| root.fold_case));
    let mut ids = BTreeMap::from([(0, NodeId::ROOT)]);
    for image in &body.nodes {
        if ids
            .insert(image.uid, tree.create_again(image.uid, image.kind))
            .is_some()
        {
            return None;
        }
    }
    for image in &body.nodes {
        let id = *ids.get(&image.uid)?;
        for (side, facet) in Side::BOTH.into_iter().zip(&image.facets) {
            if let Some(facet) = facet {
                let facet = rebuild_facet(tree, &ids, id, facet)?;
                tree.set_facet(id, side, facet);
            }
        }
        let both = image
            .facets
            .iter()
            .all(|it| it.as_ref().is_some_and(|it| it.unknown.is_none()));
        match &image.baseline {
            BaselineImage::Absent => {}
            BaselineImage::InSync if both => tree.agree(id),
            BaselineImage::InSync => return None,
            BaselineImage::Stored {
                parent,
                name,
                facts,
            } => {
                let name = tree.name_for(id, name);
                let location = Location {
                    parent: *ids.get(parent)?,
                    name,
                };
                let facts = [
                    rebuild_facts(tree, &facts[0]),
                    rebuild_facts(tree, &facts[1]),
                ];
                tree.set_baseline(id, Some(Baseline { location, facts }));
            }
        }
    }
    tree.resume_at(body.next_uid);
    Some(ids)
}

fn rebuild_facet(
    tree: &mut Tree,
    ids: &BTreeMap<u64, NodeId>,
    id: NodeId,
    image: &FacetImage,
) -> Option<Facet> {
    let presence = image.unknown.map_or(Presence::Present, Presence::Unknown);
    let location = Location {
        parent: *ids.get(&image.parent)?,
        name: tree.name_for(id, &image.name),
    };
    Some(Facet {
        presence,
        location,
        facts: rebuild_facts(tree, &image.facts),
    })
}

fn rebuild_facts(tree: &mut Tree, image: &FactsImage) -> Facts {
    Facts {
        size: image.size,
        mtime_ns: image.mtime_ns,
        identity: image.identity.unwrap_or(Facts::NONE.identity),
        version: if image.version.is_empty() {
            NameId::NONE
        } else {
            tree.add_version(&image.version)
        },
        digest: image.digest,
    }
}
