//! The folded state as bytes, and its digest.
//!
//! In: a state. Out: bytes that do not depend on places in memory, and 128 bits
//! over names and facets that a replay must reproduce. Invariant: decode of encode
//! gives an equal digest and equal plans; watched by the properties. Deliberately
//! absent: where the bytes are kept. A damaged or foreign checkpoint is refused and
//! costs a replay, nothing else.

mod digest;
mod image;
mod rewrite;
#[cfg(test)]
mod tests;

pub use digest::digest;
pub use rewrite::{Rewrite, rewritten};

use crate::limits::FOLD_VERSION;
use crate::state::State;
use crate::tree::{NodeId, Restoring, Tree};
use image::{Header, NodeImage};
use journal_format::codec;
use std::collections::BTreeMap;
use xxhash_rust::xxh3::xxh3_128;

/// Why bytes are no checkpoint of this release.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CheckpointError {
    /// They do not decode, or say things that cannot be.
    Damaged,
    /// Another version of the fold wrote them.
    OtherFold,
}

/// Encodes a state: the fold's version, a header, then the nodes in the order in
/// which they became known, so that a node is named by its place in that order.
///
/// # Panics
/// Never for a state that fits in memory.
#[must_use]
pub fn encode(state: &State) -> Vec<u8> {
    let tree = &state.tree;
    let ids = by_age(tree);
    let places = places(tree, &ids);
    let mut bytes = FOLD_VERSION.to_be_bytes().to_vec();
    push(&mut bytes, &Header::of(state, ids.len()));
    for chunk in ids.get(1..).unwrap_or_default().chunks(NODES_A_CHUNK) {
        let images: Vec<NodeImage<'_>> = chunk
            .iter()
            .map(|id| NodeImage::of(tree, *id, &places))
            .collect();
        push(&mut bytes, &images);
    }
    let sum = xxh3_128(&bytes);
    bytes.extend_from_slice(&sum.to_be_bytes());
    bytes
}

/// The nodes in the order in which they became known; the root is the first.
fn by_age(tree: &Tree) -> Vec<NodeId> {
    let mut ids: Vec<NodeId> = tree.ids().collect();
    ids.sort_by_key(|id| tree.node(*id).uid);
    ids
}

/// Each node's place in that order.
fn places(tree: &Tree, ids: &[NodeId]) -> Vec<u32> {
    let mut places = vec![0_u32; tree.places_max()];
    for (place, id) in (0..).zip(ids) {
        places[id.index()] = place;
    }
    places
}

fn push<T: serde::Serialize>(bytes: &mut Vec<u8>, value: &T) {
    let part = codec::encode(value).expect("a part is far smaller than what the codec holds");
    let length = u32::try_from(part.len()).expect("a part is far smaller than 4 GiB");
    bytes.extend_from_slice(&length.to_be_bytes());
    bytes.extend_from_slice(&part);
}

/// Decodes a state.
///
/// # Errors
/// The bytes are damaged or another fold wrote them: replay the journal instead.
pub fn decode(bytes: &[u8]) -> Result<State, CheckpointError> {
    let (version, _) = bytes.split_first_chunk().ok_or(CheckpointError::Damaged)?;
    if u32::from_be_bytes(*version) != FOLD_VERSION {
        return Err(CheckpointError::OtherFold);
    }
    // The state's digest says nothing of what is not in the trees.
    let (whole, sum) = bytes.split_last_chunk().ok_or(CheckpointError::Damaged)?;
    if u128::from_be_bytes(*sum) != xxh3_128(whole) {
        return Err(CheckpointError::Damaged);
    }
    let mut rest = whole.get(version.len()..).ok_or(CheckpointError::Damaged)?;
    let state = restore(&mut rest).ok_or(CheckpointError::Damaged)?;
    Ok(state)
}

/// As [`decode`], of bytes that came from elsewhere: what no fold could have given is
/// refused as well.
///
/// # Errors
/// As [`decode`].
pub fn decode_foreign(bytes: &[u8]) -> Result<State, CheckpointError> {
    let state = decode(bytes)?;
    is_sound(&state)
        .then_some(state)
        .ok_or(CheckpointError::Damaged)
}

/// Tells whether a fold could have given a state, as far as whoever goes on with it has to
/// rely on that.
fn is_sound(state: &State) -> bool {
    let tree = &state.tree;
    let newest = tree.ids().map(|id| tree.node(id).uid).max();
    let is_numbered = newest < Some(tree.next_uid()) && tree.next_uid() <= COUNT_MAX;
    let mut failures = state.failures.values();
    let mut removals = state.removals.iter();
    is_numbered
        && failures.all(|failure| failure.count < u32::MAX / 2)
        && removals.all(|removed| removed.count <= u64::from(u32::MAX))
        && tree.check().is_ok()
}

fn restore(rest: &mut &[u8]) -> Option<State> {
    let (state, expected) = restored(rest)?;
    (digest(&state) == expected).then_some(state)
}

/// The state, and the digest that it is said to have.
fn restored(rest: &mut &[u8]) -> Option<(State, [u8; 16])> {
    let header: Header = pop(rest)?;
    let mut restoring = Restoring::begin(header.fold_case, header.nodes);
    let mentioned = header.mentioned();
    let mut uids = BTreeMap::from([(0, NodeId::ROOT)]);
    while !rest.is_empty() {
        let images: Vec<NodeImage<'static>> = pop(rest)?;
        for image in images {
            let uid = image.uid;
            let id = image.restore(&mut restoring)?;
            if mentioned.contains(&uid) {
                uids.insert(uid, id);
            }
        }
    }
    let tree = restoring.finish(header.next_uid)?;
    let expected = header.digest;
    let state = header.restore(tree, &uids)?;
    Some((state, expected))
}

fn pop<T: serde::de::DeserializeOwned>(rest: &mut &[u8]) -> Option<T> {
    let (length, behind) = rest.split_first_chunk()?;
    let (part, behind) = behind.split_at_checked(u32::from_be_bytes(*length) as usize)?;
    *rest = behind;
    codec::decode(part).ok()
}

/// More than any journal counts, and far from where counting ends.
const COUNT_MAX: u64 = 1 << 62;
/// Nodes that are encoded together.
const NODES_A_CHUNK: usize = 4096;
