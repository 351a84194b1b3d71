//! No path that people see holds content that nobody wrote.
//!
//! In: a world, at any step. Out: paths with partial, mixed, zeroed or invented
//! content. Deliberately absent: the program's own folder, where halves may lie.

use super::Verdict;
use crate::world::State;
use journal_format::value::Side;

/// Judges a moment.
///
/// # Errors
/// Names the first such path.
pub fn check(state: &State) -> Verdict {
    for side in Side::BOTH {
        for (path, id) in state.visible_paths(side) {
            let node = state.disk(side).live.nodes.get(&id);
            let Some(content) = node.and_then(|node| node.content()) else {
                continue;
            };
            if !state.ledger.knows(content) {
                let text = String::from_utf8_lossy(content);
                return Err(format!("no_half_file: {side} {path} holds {text:?}"));
            }
        }
    }
    Ok(())
}
