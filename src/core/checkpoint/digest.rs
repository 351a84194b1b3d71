//! 128 bits that two folds of one journal share.
//!
//! In: a state. Out: the sum of a hash a node, over names and facets. Invariant: it
//! does not depend on places in memory, nor on the order of nodes.

use crate::state::State;
use crate::tree::{Facts, Location, Presence, Tree};
use journal_format::value::Kind;
use xxhash_rust::xxh3::Xxh3Default;

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
