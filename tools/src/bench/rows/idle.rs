//! A running daemon: how soon it sees a file, and what it costs while nothing is
//! to be done.
//!
//! In: a settled pair and a daemon on it. Out: waits from the start of a write on
//! one side to the complete file on the other, and processor time at rest.
//! Invariant: measuring begins after a first file has crossed, so starting up does
//! not count; the daemon is stopped before the row ends.

use super::super::live::Watch;
use super::super::peers::{Pair, Peer};
use super::super::process::{Daemon, now};
use super::super::report::{Figure, Outcome};
use super::super::trees;
use super::{Lab, Result};
use std::fs;
use std::path::Path;
use std::time::Duration;

const FILES: u64 = 10_000;
const BYTES: u64 = 4096;
/// Files per direction.
const WAITS: u64 = 100;
/// Time between two files, so that each one is news.
const BETWEEN: Duration = Duration::from_millis(50);
/// Time after the last change before resting counts.
const CALM: Duration = Duration::from_secs(3);
const REST: Duration = Duration::from_secs(20);

pub(super) fn detection_title(lab: &Lab) -> String {
    format!(
        "detection by a daemon, {} new files of 4 KiB",
        lab.scaled(WAITS)
    )
}

pub(super) fn detection(lab: &Lab) -> Result<Vec<Outcome>> {
    let mut outcomes = Vec::new();
    for peer in Peer::two_way() {
        let mut add = |who: String, waits: Result<Vec<Duration>>| {
            let failed = |error: Box<dyn std::error::Error>| Figure::Failed(error.to_string());
            let mut outcome = Outcome::new(&who, waits.map_or_else(failed, Figure::Waits));
            outcome.note = "the program's settle time included".to_owned();
            outcomes.push(outcome);
        };
        let (pair, daemon) = match started(lab, peer) {
            Ok(Some(running)) => running,
            Ok(None) => continue,
            Err(error) => {
                add(peer.name().to_owned(), Err(error));
                continue;
            }
        };
        let count = lab.scaled(WAITS);
        let up = waits(lab, &daemon, &pair.local, &pair.remote, "up", count);
        add(peer.name().to_owned(), up);
        let down = waits(lab, &daemon, &pair.remote, &pair.local, "down", count);
        add(format!("{}, from the remote", peer.name()), down);
    }
    Ok(outcomes)
}

pub(super) fn load_title(lab: &Lab) -> String {
    format!(
        "processor time of a resting daemon, {} files",
        lab.scaled(FILES)
    )
}

pub(super) fn load(lab: &Lab) -> Result<Vec<Outcome>> {
    let mut outcomes = Vec::new();
    for peer in Peer::two_way() {
        let measured = || -> Result<Option<Outcome>> {
            let Some((_pair, daemon)) = started(lab, peer)? else {
                return Ok(None);
            };
            daemon.run_for(CALM)?;
            let (before, start) = (daemon.cpu_time()?, now());
            daemon.run_for(REST)?;
            let figure = Figure::Load(daemon.cpu_time()? - before, start.elapsed());
            let mut outcome = Outcome::new(peer.name(), figure);
            if let Some(peak) = daemon.peak_bytes() {
                outcome.note = format!("peak memory {} MiB", peak >> 20);
            }
            Ok(Some(outcome))
        };
        let failed = |error: Box<dyn std::error::Error>| {
            Some(Outcome::new(peer.name(), Figure::Failed(error.to_string())))
        };
        outcomes.extend(measured().unwrap_or_else(failed));
    }
    Ok(outcomes)
}

/// A daemon on a settled pair that has carried a first file both ways.
fn started(lab: &Lab, peer: Peer) -> Result<Option<(Pair, Daemon)>> {
    let pair = lab.pair("live", lab.scaled(FILES), BYTES)?;
    peer.settle(lab, &pair)?;
    let Some(mut command) = peer.daemon(lab, &pair) else {
        return Ok(None);
    };
    let daemon = Daemon::start(&mut command, &pair.state)?;
    waits(lab, &daemon, &pair.local, &pair.remote, "ready-up", 1)?;
    waits(lab, &daemon, &pair.remote, &pair.local, "ready-down", 1)?;
    Ok(Some((pair, daemon)))
}

/// Makes files in `from`, one after the other, and waits for each in `to`.
fn waits(
    lab: &Lab,
    daemon: &Daemon,
    from: &Path,
    to: &Path,
    name: &str,
    count: u64,
) -> Result<Vec<Duration>> {
    let watch = Watch::new(to)?;
    let mut waits = Vec::new();
    for index in 0..count {
        let file = format!("{name}-{index}.dat");
        let start = now();
        trees::write(&from.join(&file), trees::mix(lab.seed, index), index, BYTES)?;
        let seen = watch.appearance(&file)?;
        waits.push(seen.saturating_duration_since(start));
        if fs::metadata(to.join(&file))?.len() != BYTES {
            return Err(format!("{file} appeared before it was complete").into());
        }
        daemon.run_for(BETWEEN)?;
    }
    Ok(waits)
}
