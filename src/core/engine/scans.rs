//! Which scans are wanted, and what stands in for them.
//!
//! In: hints, the state. Out: scans to make. Invariant: nothing is planned for a side
//! before all of it was looked at in this session, or its change feed was read on and
//! what that hinted at was looked at. Deliberately absent: scanning.

use super::Engine;
use crate::state::State;
use crate::tree::{Presence, index};
use journal_format::event::UnknownReason;
use journal_format::value::{RelPath, Side};
use std::collections::BTreeMap;

/// What should be scanned.
#[derive(Debug, Default)]
pub(super) struct Wanted {
    pub(super) everything: bool,
    /// Paths, and whether all below is meant as well.
    pub(super) paths: BTreeMap<RelPath, bool>,
    /// Those that the scan under way looks at, until it is complete.
    under_way: BTreeMap<RelPath, bool>,
}

impl Wanted {
    /// Tells whether a path is still to be looked at.
    pub(super) fn holds(&self, path: &RelPath) -> bool {
        self.paths.contains_key(path) || self.under_way.contains_key(path)
    }

    /// Tells whether something is still to be looked at after the scan under way.
    pub(super) fn has_more(&self) -> bool {
        self.everything || !self.paths.is_empty()
    }

    /// Ends the scan under way. What it did not look at is wanted again.
    pub(super) fn finished(&mut self, complete: bool) {
        let mut looked_at = std::mem::take(&mut self.under_way);
        if !complete {
            self.everything = true;
            self.paths.append(&mut looked_at);
        }
    }
}

/// A scan to make.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WantedScan {
    /// Paths, and whether all below is meant; the root with all below for a scan
    /// of the whole side.
    pub targets: Vec<(RelPath, bool)>,
    /// Whether the whole side is meant.
    pub whole: bool,
}

impl Engine {
    /// Returns the scan that a side needs now, if it needs one and none runs. Paths
    /// at which operations are at work wait.
    pub fn next_scan(&mut self, side: Side) -> Option<WantedScan> {
        if self.rounds[index(side)].is_some() {
            return None;
        }
        let wanted = &mut self.wanted[index(side)];
        if wanted.everything {
            wanted.everything = false;
            wanted.under_way.append(&mut wanted.paths);
            return Some(WantedScan {
                targets: vec![(RelPath::root(), true)],
                whole: true,
            });
        }
        let busy = &self.busy;
        let mut paths = std::mem::take(&mut wanted.paths);
        look_at_both_ends(&self.ledger.state, side, &mut paths);
        let (later, targets): (BTreeMap<_, _>, BTreeMap<_, _>) = paths
            .into_iter()
            .partition(|(path, _)| busy.is_open_at(side, path));
        wanted.paths = later;
        wanted.under_way.extend(targets.clone());
        (!targets.is_empty()).then(|| WantedScan {
            targets: targets.into_iter().collect(),
            whole: false,
        })
    }

    /// Takes what the journal says of the remote as seen in this session, because
    /// its change feed is read on from where it was left. Tells whether that can be:
    /// whatever is in doubt or waits for another try needs a scan. What the feed
    /// hints at comes next, and then [`Engine::all_hinted`].
    pub fn follow_feed(&mut self) -> bool {
        let state = &self.ledger.state;
        let is_settled = state.feed.is_some()
            && state.open.is_empty()
            && state.failures.is_empty()
            && state.halt.is_none()
            && !state.history_lost
            && state.rollback.is_none();
        if is_settled {
            self.wanted[index(Side::Remote)].everything = false;
            self.following = true;
            self.want_unreadable(Side::Remote);
        }
        is_settled
    }

    /// Ends the hints that [`Engine::follow_feed`] began: with none of them all of
    /// the remote is known; else once they were scanned, and nothing is planned
    /// before, since the remote may hold what would be overwritten.
    pub fn all_hinted(&mut self) {
        let wanted = &self.wanted[index(Side::Remote)];
        if self.following && !wanted.everything && wanted.paths.is_empty() {
            self.scanned[index(Side::Remote)] = true;
            self.stale = true;
        }
    }

    /// Asks for another look at what could not be read: nobody hints at a
    /// permission that came back.
    pub fn want_unreadable(&mut self, side: Side) {
        let tree = &self.ledger.state.tree;
        let unreadable = Presence::Unknown(UnknownReason::Unreadable);
        let paths = tree
            .unknown()
            .filter(|node| tree.facet(*node, side).presence == unreadable)
            .filter_map(|node| tree.path(side, node));
        let paths: Vec<RelPath> = paths.collect();
        for path in paths {
            self.hint(side, Some(path), true);
        }
    }

    /// Tells whether all that was wanted of a side was scanned.
    #[must_use]
    pub fn has_looked(&self, side: Side) -> bool {
        let wanted = &self.wanted[index(side)];
        self.scanned[index(side)]
            && self.rounds[index(side)].is_none()
            && !wanted.everything
            && wanted.paths.is_empty()
    }

    /// Tells whether the scan under way misses something that may have moved meanwhile to
    /// where it had looked already. Hints that come before its end show where.
    #[must_use]
    pub fn may_have_missed_a_move(&self, side: Side) -> bool {
        let (round, put_off) = (&self.rounds[index(side)], &self.put_off[index(side)]);
        let round = round.as_ref();
        round.is_some_and(|round| round.may_have_missed_a_move(&self.ledger, put_off))
    }

    /// Asks for a scan of everything.
    pub fn want_everything(&mut self, side: Side) {
        self.wanted[index(side)].everything = true;
    }
}

/// Whoever looks at one end of a move in doubt looks at the other one as well: only
/// then can it be told what became of it.
fn look_at_both_ends(state: &State, side: Side, paths: &mut BTreeMap<RelPath, bool>) {
    if paths.is_empty() {
        return;
    }
    for (id, to) in state.moves_in_doubt(side) {
        let Some(from) = state.tree.path(side, id).filter(|from| from != to) else {
            continue;
        };
        if paths.contains_key(&from) || paths.contains_key(to) {
            paths.entry(from).or_insert(true);
            paths.entry(to.clone()).or_insert(true);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_scan_looks_at_stays_wanted_until_one_is_complete() {
        let (local, path) = (Side::Local, RelPath::new("a/b").expect("a path"));
        for is_whole in [false, true] {
            let mut engine = Engine::new();
            engine.hint(local, Some(path.clone()), true);
            if is_whole {
                engine.want_everything(local);
            }
            for complete in [false, true] {
                let scan = engine.next_scan(local).expect("it is wanted");
                assert_eq!(scan.whole, is_whole || complete);
                let wanted = &mut engine.wanted[index(local)];
                assert!(wanted.holds(&path), "it is being looked at");
                wanted.finished(complete);
                assert_eq!(wanted.holds(&path), !complete);
            }
            assert_eq!(engine.next_scan(local), None);
        }
    }
}
