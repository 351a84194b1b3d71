//! Large trees in which nothing, or one file, has changed.
//!
//! In: the pairs of 100,000 files that the lab keeps. Out: ours beside two walks and
//! the two-way peers. Invariant: every pair has seen a run without changes before
//! the first measured one. Later rows may find the pairs changed by earlier ones,
//! but always in sync.

use super::super::peers::{Pair, Peer, two_walks};
use super::super::report::{self, Figure, Outcome};
use super::super::trees;
use super::{Lab, Result, interleave};
use std::time::Duration;

const WALKS: &str = "two find -printf";

pub(super) fn no_change_title(lab: &Lab) -> String {
    format!("no change in {} files", lab.scaled(100_000))
}

pub(super) fn no_change(lab: &Lab) -> Result<Vec<Outcome>> {
    let (pairs, failures) = settled(lab);
    let walked = pairs
        .first()
        .map(|(_, (_, pair))| (WALKS.to_owned(), (None, *pair)));
    let contenders = pairs.into_iter().chain(walked).collect();
    let mut outcomes = interleave(lab, contenders, |(peer, pair), _| match peer {
        Some(peer) => peer.sync(lab, pair),
        None => two_walks(pair),
    });
    let walks = report::median_of(&outcomes, WALKS);
    report::ceiling(
        &mut outcomes,
        walks.map(|time| time * 3 / 2),
        "1.5 × the walks",
    );
    let peers = slowest_allowed(&outcomes);
    report::ceiling(&mut outcomes, peers, "the faster peer");
    outcomes.extend(failures);
    Ok(outcomes)
}

pub(super) fn one_changed_title(lab: &Lab) -> String {
    format!("one changed among {} files", lab.scaled(100_000))
}

pub(super) fn one_changed(lab: &Lab) -> Result<Vec<Outcome>> {
    let (pairs, failures) = settled(lab);
    let mut outcomes = interleave(lab, pairs, |(peer, pair), repetition| {
        let folder = format!("dir-{:04}", repetition % 10);
        let name = format!("file-{:02}.dat", 10 + repetition / 10 % 10);
        let changed = std::path::Path::new(&folder).join(name);
        let seed = trees::mix(lab.seed, u64::from(repetition) << 32);
        let (age, bytes) = (200_000 + u64::from(repetition), 300);
        trees::write(&pair.remote.join(&changed), seed, age, bytes)?;
        let sample = peer.map_or_else(|| two_walks(pair), |peer| peer.sync(lab, pair))?;
        let sides = [&pair.remote, &pair.local].map(|side| std::fs::read(side.join(&changed)));
        let [one, other] = sides;
        if one? != other? {
            return Err("the change did not arrive".into());
        }
        Ok(sample)
    });
    let peers = slowest_allowed(&outcomes);
    report::ceiling(&mut outcomes, peers, "the faster peer");
    outcomes.extend(failures);
    Ok(outcomes)
}

type Contender<'lab> = (String, (Option<Peer>, &'lab Pair));

/// The pairs that could be set up, and a line for those that could not.
fn settled(lab: &Lab) -> (Vec<Contender<'_>>, Vec<Outcome>) {
    let mut pairs = Vec::new();
    let mut failures = Vec::new();
    for (peer, pair) in lab.settled() {
        match pair {
            Ok(pair) => pairs.push((peer.name().to_owned(), (Some(*peer), pair))),
            Err(why) => failures.push(Outcome::new(peer.name(), Figure::Failed(why.clone()))),
        }
    }
    (pairs, failures)
}

/// The time of the faster two-way peer.
fn slowest_allowed(outcomes: &[Outcome]) -> Option<Duration> {
    let peers = [Peer::Unison, Peer::Bisync];
    let times = peers
        .iter()
        .filter_map(|peer| report::median_of(outcomes, peer.name()));
    times.min()
}
