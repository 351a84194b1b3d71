//! First sync of many small files into an empty folder.
//!
//! In: fresh pairs. Out: ours, which syncs to disk, beside `cp -r` with and without
//! `sync` and the peers, which do not. Invariant: every run has its own trees.

use super::super::peers::Peer;
use super::super::report::{self, Outcome};
use super::{Lab, Result, interleave};

const FILES: u64 = 10_000;
const BYTES: u64 = 4096;

pub(super) fn title(lab: &Lab) -> String {
    format!("first sync, {} files of 4 KiB", lab.scaled(FILES))
}

pub(super) fn run(lab: &Lab) -> Result<Vec<Outcome>> {
    let peers = Peer::all().map(|peer| (peer.name().to_owned(), peer));
    let mut outcomes = interleave(lab, peers.collect(), |peer, _| {
        let pair = lab.pair("first", lab.scaled(FILES), BYTES)?;
        peer.first(lab, &pair)
    });
    let copy = report::median_of(&outcomes, Peer::CopyDurably.name());
    report::ceiling(&mut outcomes, copy.map(|time| time * 2), "2 × cp -r + sync");
    Ok(outcomes)
}
