//! The program names nothing outside a root, and nothing in its own folder.
//!
//! In: what the ports noted. Out: the first call that did. Relative paths cannot
//! leave a root by their type, and the simulated disks follow no link, so what is
//! left to judge is the own folder under each of its spellings.

use super::Verdict;
use crate::world::State;

/// Collects what the ports noted.
///
/// # Errors
/// The first call.
pub fn check(state: &State) -> Verdict {
    super::stream_gapless::collect(state, "inside_root")
}
