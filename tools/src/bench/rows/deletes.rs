//! Deletion of many files at once.
//!
//! In: a settled pair a peer, with one folder a repetition. Out: ours, its safety
//! halt and the approval included, beside the peers. Invariant: what is deleted in
//! one repetition is not what another one deletes.

use super::super::peers::{Pair, Peer};
use super::super::report::{self, Outcome};
use super::super::trees;
use super::{Lab, Result, interleave};
use std::fs;

const FILES: u64 = 5_000;
const BYTES: u64 = 4096;

pub(super) fn title(lab: &Lab) -> String {
    format!("{} files deleted", lab.scaled(FILES))
}

pub(super) fn run(lab: &Lab) -> Result<Vec<Outcome>> {
    let mut contenders = Vec::new();
    for peer in Peer::two_way() {
        let pair = lab.pair("deletes", lab.scaled(FILES), BYTES)?;
        for repetition in 0..lab.repeat {
            let doomed = pair.remote.join(format!("doomed-{repetition}"));
            let seed = trees::mix(lab.seed, u64::from(repetition));
            trees::fill(&doomed, seed, lab.scaled(FILES), BYTES)?;
        }
        let settled = peer.settle(lab, &pair).map_err(|error| error.to_string());
        contenders.push((peer.name().to_owned(), (peer, settled.map(|()| pair))));
    }
    let mut outcomes = interleave(lab, contenders, |(peer, pair), repetition| {
        let pair: &Pair = pair.as_ref().map_err(Clone::clone)?;
        fs::remove_dir_all(pair.remote.join(format!("doomed-{repetition}")))?;
        peer.sync_deletions(lab, pair)
    });
    if let Some(ours) = outcomes.iter_mut().find(|o| o.who == Peer::Ours.name()) {
        ours.note.push_str("halt, approval and second run included");
    }
    let others = [Peer::Unison, Peer::Bisync].map(|peer| report::median_of(&outcomes, peer.name()));
    let fastest = others.into_iter().flatten().min();
    report::ceiling(&mut outcomes, fastest, "the faster peer");
    Ok(outcomes)
}
