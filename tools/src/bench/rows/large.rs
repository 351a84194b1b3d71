//! One large file into an empty folder.
//!
//! In: fresh pairs. Out: ours beside `cp`, the peers, and the hash alone, which ours
//! computes as well. Invariant: the copies are removed after each turn, the disk
//! need not hold them all.

use super::super::peers::Peer;
use super::super::process::{Sample, time};
use super::super::report::{self, Outcome};
use super::super::trees;
use super::{Lab, Result, interleave};
use std::fs;

const BYTES: u64 = 1 << 30;
const HASH: &str = "BLAKE3 alone, one thread";

pub(super) fn title(lab: &Lab) -> String {
    format!("one file of {} MiB", lab.scaled(BYTES) >> 20)
}

pub(super) fn run(lab: &Lab) -> Result<Vec<Outcome>> {
    let master = lab.fresh("master")?.join("large.bin");
    trees::write(&master, lab.seed, 0, lab.scaled(BYTES))?;
    let peers = Peer::all().map(|peer| (peer.name().to_owned(), Some(peer)));
    let contenders = peers.chain([(HASH.to_owned(), None)]).collect();
    let mut outcomes = interleave(lab, contenders, |peer, _| match peer {
        Some(peer) => copied(lab, *peer, &master),
        None => time(|| {
            let mut hasher = blake3::Hasher::new();
            hasher.update_reader(fs::File::open(&master)?)?;
            std::hint::black_box(hasher.finalize());
            Ok(())
        }),
    });
    let copy = report::median_of(&outcomes, Peer::Copy.name());
    let hash = report::median_of(&outcomes, HASH);
    let limit = copy.zip(hash).map(|(copy, hash)| copy * 6 / 5 + hash);
    report::ceiling(&mut outcomes, limit, "1.2 × cp -r, plus the hash");
    fs::remove_file(master)?;
    Ok(outcomes)
}

fn copied(lab: &Lab, peer: Peer, master: &std::path::Path) -> Result<Sample> {
    let pair = lab.pair("large", 0, 0)?;
    let source = pair.remote.join("large.bin");
    fs::copy(master, &source)?;
    fs::File::options()
        .append(true)
        .open(&source)?
        .set_modified(fs::metadata(master)?.modified()?)?;
    let sample = peer.first(lab, &pair);
    fs::remove_dir_all(&pair.remote)?;
    fs::remove_dir_all(&pair.local)?;
    sample
}
