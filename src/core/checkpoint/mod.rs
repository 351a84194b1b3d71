//! The folded state as bytes, and its digest.
//!
//! In: a state. Out: bytes that do not depend on places in memory, and 128 bits
//! over names and facets that a replay must reproduce. Invariant: decode of encode
//! gives an equal digest and equal plans; watched by the properties. Deliberately
//! absent: where the bytes are kept. A damaged or foreign checkpoint is refused and
//! costs a replay, nothing else.

mod digest;
mod image;
#[cfg(test)]
mod tests;

pub use digest::digest;

use crate::limits::FOLD_VERSION;
use crate::state::State;
use crate::tree::{NodeId, Restoring};
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
    let mut ids: Vec<NodeId> = tree.ids().collect();
    ids.sort_by_key(|id| tree.node(*id).uid);
    let mut places = vec![0_u32; tree.places_max()];
    for (place, id) in (0..).zip(&ids) {
        places[id.index()] = place;
    }
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

fn restore(rest: &mut &[u8]) -> Option<State> {
    let header: Header = pop(rest)?;
    let mut restoring = Restoring::begin(header.fold_case, header.nodes);
    let mut uids = BTreeMap::from([(0, NodeId::ROOT)]);
    while !rest.is_empty() {
        let images: Vec<NodeImage<'static>> = pop(rest)?;
        for image in images {
            let uid = image.uid;
            let id = image.restore(&mut restoring)?;
            if header.mentions(uid) {
                uids.insert(uid, id);
            }
        }
    }
    let tree = restoring.finish(header.next_uid)?;
    let expected = header.digest;
    let state = header.restore(tree, &uids)?;
    (digest(&state) == expected).then_some(state)
}

fn pop<T: serde::de::DeserializeOwned>(rest: &mut &[u8]) -> Option<T> {
    let (length, behind) = rest.split_first_chunk()?;
    let (part, behind) = behind.split_at_checked(u32::from_be_bytes(*length) as usize)?;
    *rest = behind;
    codec::decode(part).ok()
}

/// Nodes that are encoded together.
const NODES_A_CHUNK: usize = 4096;
