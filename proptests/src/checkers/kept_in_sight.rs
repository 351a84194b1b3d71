//! What people wrote and nobody took away is where people look.
//!
//! In: a quiet world. Out: contents that are owed and only in a trash or a staging
//! area. Left out are contents of which people wrote several or took one of several
//! copies; worlds in which the process dies in the middle, or ends while a root is away,
//! or its disk runs full: whose file a slot holds is then not always told, and the trash
//! keeps it; worlds in which people write through open files, wherever these lie by then;
//! and those in which somebody undid something. Deliberately absent: where a content
//! should be; that is `converged`.

use super::Verdict;
use crate::world::State;
use crate::world::disk::Node;
use crate::world::options::Options;
use crate::world::prng::Ratio;
use journal_format::value::Side;
use std::collections::BTreeSet;

/// Judges a quiet world.
///
/// # Errors
/// Names the contents out of sight.
pub fn check(state: &State, options: &Options) -> Verdict {
    let faults = &options.faults;
    let lethal = [
        faults.kill,
        faults.power,
        faults.store,
        faults.ghost,
        faults.full,
    ];
    if options.users.slow_saves
        || state.faults.ended_away
        || state.users.has_undone()
        || lethal.iter().any(|rate| *rate != Ratio::NEVER)
    {
        return Ok(());
    }
    let seen: Vec<Vec<u8>> = Side::BOTH
        .iter()
        .flat_map(|side| state.visible_contents(*side))
        .collect();
    let seen: BTreeSet<&[u8]> = seen.iter().map(Vec::as_slice).collect();
    let nodes = state.disks.iter().flat_map(|disk| disk.live.nodes.values());
    let somewhere: BTreeSet<&[u8]> = nodes.filter_map(Node::content).collect();
    let hidden = state.ledger.missing(&seen).into_iter();
    let hidden: Vec<String> = hidden
        .filter(|(bytes, content)| {
            content.written == 1 && !content.thinned && somewhere.contains(bytes.as_slice())
        })
        .map(|(bytes, content)| {
            format!(
                "{:?} by {}",
                String::from_utf8_lossy(&bytes),
                content.writer
            )
        })
        .collect();
    if hidden.is_empty() {
        return Ok(());
    }
    Err(format!("kept_in_sight: {}", hidden.join(", ")))
}
