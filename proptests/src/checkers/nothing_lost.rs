//! No content that a person wrote is destroyed by the program.
//!
//! In: a world, at any step. Out: contents that are owed and nowhere: not on
//! either side, nor in a trash, nor in a staging area. Deliberately absent: where
//! a content should be; that is `converged`.

use super::Verdict;
use crate::world::State;
use crate::world::disk::Node;
use std::collections::BTreeSet;

/// Judges a moment.
///
/// # Errors
/// Names the lost contents.
pub fn check(state: &State) -> Verdict {
    let nodes = state.disks.iter().flat_map(|disk| disk.live.nodes.values());
    let present: BTreeSet<&[u8]> = nodes.filter_map(Node::content).collect();
    let missing = state.ledger.missing(&present);
    if missing.is_empty() {
        return Ok(());
    }
    let names: Vec<String> = missing
        .iter()
        .map(|(bytes, content)| {
            format!("{:?} by {}", String::from_utf8_lossy(bytes), content.writer)
        })
        .collect();
    Err(format!("nothing_lost: {}", names.join(", ")))
}
