//! Rename of a folder that holds many files.
//!
//! In: a settled pair a peer. Out: ours beside the peers and two walks. Invariant:
//! the folder has a new name in every repetition.

use super::super::peers::{Pair, Peer, two_walks};
use super::super::report::{self, Outcome};
use super::super::trees;
use super::{Lab, Result, interleave};
use std::cell::Cell;
use std::fs;
use std::time::Duration;

const FILES: u64 = 5_000;
const BYTES: u64 = 4096;
const WALKS: &str = "two find -printf";

pub(super) fn title(lab: &Lab) -> String {
    format!("rename of a folder with {} files", lab.scaled(FILES))
}

pub(super) fn run(lab: &Lab) -> Result<Vec<Outcome>> {
    let mut contenders = Vec::new();
    for peer in Peer::two_way() {
        let pair = lab.pair("rename", 1, BYTES)?;
        trees::fill(
            &pair.remote.join("big-0"),
            lab.seed,
            lab.scaled(FILES),
            BYTES,
        )?;
        let settled = peer.settle(lab, &pair).map_err(|error| error.to_string());
        contenders.push((peer.name().to_owned(), (Some(peer), settled.map(|()| pair))));
    }
    let walked = lab.pair("walked", 1, BYTES)?;
    for side in [&walked.remote, &walked.local] {
        trees::fill(&side.join("big-0"), lab.seed, lab.scaled(FILES), BYTES)?;
    }
    contenders.push((WALKS.to_owned(), (None, Ok(walked))));
    let moved_bytes = Cell::new(0);
    let mut outcomes = interleave(lab, contenders, |(peer, pair), repetition| {
        let pair: &Pair = pair.as_ref().map_err(Clone::clone)?;
        let Some(peer) = peer else {
            return two_walks(pair);
        };
        let name = |number: u32| pair.remote.join(format!("big-{number}"));
        fs::rename(name(repetition), name(repetition + 1))?;
        let (sample, summary) = peer.sync_for_summary(lab, pair)?;
        moved_bytes.set(moved_bytes.get() + summary.bytes);
        Ok(sample)
    });
    let walks = report::median_of(&outcomes, WALKS);
    let limit = walks.map(|walks| walks + Duration::from_millis(200));
    report::ceiling(&mut outcomes, limit, "0.2 s + the walks");
    if let Some(ours) = outcomes.iter_mut().find(|o| o.who == Peer::Ours.name()) {
        ours.note
            .push_str(&format!("; {} bytes of content moved", moved_bytes.get()));
    }
    Ok(outcomes)
}
