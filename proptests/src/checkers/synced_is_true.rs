//! Who is told that all is in sync can rely on it.
//!
//! In: the journal, and after which events a process told that nothing is left to do and
//! nothing is held. Out: the first such event after which the two sides were known to
//! differ. What a filter leaves out, and directories that stay because of it, may differ.
//! Deliberately absent: what nobody has seen yet.

use super::Verdict;
use crate::system::System;
use crate::world::disk::is_excluded;
use journal_format::event::Record;
use journal_format::value::{RelPath, Seq};

/// Judges what was told.
///
/// # Errors
/// Names the event and what was not in step.
pub fn check(system: &dyn System, records: &[Record], settled: &[Seq]) -> Verdict {
    let mut settled = settled.to_vec();
    settled.sort_unstable();
    settled.dedup();
    for seq in settled {
        let until = records.partition_point(|record| record.seq <= seq);
        let mut unsettled = system.unsettled(&records[..until]).unwrap_or_default();
        let places: Vec<RelPath> = unsettled.iter().flatten().flatten().cloned().collect();
        let left_out = || places.iter().filter(|path| is_left_out(path));
        unsettled.retain(|sides| {
            let mut paths = sides.iter().flatten();
            !paths.any(|path| left_out().any(|out| out.is_within(path) || path.is_within(out)))
        });
        if !unsettled.is_empty() {
            return Err(format!(
                "synced_is_true: told after {seq}, where {unsettled:?} was not"
            ));
        }
    }
    Ok(())
}

fn is_left_out(path: &RelPath) -> bool {
    path.as_str().split('/').any(is_excluded)
}
