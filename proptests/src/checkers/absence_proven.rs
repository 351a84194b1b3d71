//! A file is removed only where a person took it away on the other side.
//!
//! In: each removal by the program, at its moment. Out: one of a file that the other
//! side still shows, with the same content, at the same path, where no person ever
//! moved or deleted anything on either side. Left out are worlds whose remote lists
//! what is past and worlds that lose power: there a file may well be seen to be gone;
//! empty files: of all others equal content means one origin; and temporary names of
//! ours, at which a file waits that had another name over there.
//! Deliberately absent: what becomes of the file; that is `nothing_lost`.

use super::Verdict;
use crate::world::State;
use crate::world::disk::{Mount, Node};
use crate::world::options::FaultOptions;
use crate::world::prng::Ratio;
use journal_format::value::{RelPath, Side};

/// Collects what was noted.
///
/// # Errors
/// The first removal.
pub fn check(state: &State) -> Verdict {
    super::stream_gapless::collect(state, "absence_proven")
}

/// Judges a removal that is about to happen.
pub fn judge(state: &mut State, faults: &FaultOptions, side: Side, path: &RelPath) {
    let is_doubtful = [faults.stale_listing, faults.power, faults.ghost]
        .iter()
        .any(|rate| *rate != Ratio::NEVER);
    let other = side.other();
    let is_waiting = path.name().is_some_and(|name| name.starts_with(TEMPORARY));
    if is_doubtful || is_waiting || state.disk(other).mount != Mount::There {
        return;
    }
    let [here, there] = [side, other].map(|on| {
        let node = state.disk(on).node(path);
        node.and_then(Node::content).map(<[u8]>::to_owned)
    });
    let was_left_alone = Side::BOTH
        .iter()
        .all(|on| !state.users.is_disturbed(*on, path));
    let is_one_origin = here.as_ref().is_some_and(|content| !content.is_empty()) && here == there;
    if is_one_origin && was_left_alone {
        state.violation(format!(
            "absence_proven: {path} is removed on the {side} side, and nobody took it from the other"
        ));
    }
}

/// How the names begin at which the program leaves what moves in a ring.
const TEMPORARY: &str = "pydio-sync-moving-";
