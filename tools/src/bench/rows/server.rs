//! First sync with a Pydio server, up and down, near and far.
//!
//! In: a fresh server a run, in this process, its latency added to each request. Out:
//! ours beside a plain load generator with as many connections, and what each asked of
//! the server. Invariant: the server is the same for both, so the difference is what a
//! sync costs beyond its requests, in time and in requests.

use super::super::load;
use super::super::peers::{Pair, Peer};
use super::super::process::{Sample, run, time};
use super::super::report::Outcome;
use super::super::trees;
use super::{Lab, Result, interleave};
use std::collections::BTreeMap;
use std::process::Command;
use std::time::Duration;
use test_servers::pydio::{Options, PydioServer, Workspace};

const FILES: u64 = 10_000;
const BYTES: u64 = 4096;
const FAR: Duration = Duration::from_millis(50);

pub(super) fn up_title(lab: &Lab) -> String {
    title(lab, "up to a Pydio server", Duration::ZERO)
}

pub(super) fn up(lab: &Lab) -> Result<Vec<Outcome>> {
    measure(lab, true, Duration::ZERO)
}

pub(super) fn down_title(lab: &Lab) -> String {
    title(lab, "down from a Pydio server", Duration::ZERO)
}

pub(super) fn down(lab: &Lab) -> Result<Vec<Outcome>> {
    measure(lab, false, Duration::ZERO)
}

pub(super) fn up_far_title(lab: &Lab) -> String {
    title(lab, "up to a Pydio server", FAR)
}

pub(super) fn up_far(lab: &Lab) -> Result<Vec<Outcome>> {
    measure(lab, true, FAR)
}

pub(super) fn down_far_title(lab: &Lab) -> String {
    title(lab, "down from a Pydio server", FAR)
}

pub(super) fn down_far(lab: &Lab) -> Result<Vec<Outcome>> {
    measure(lab, false, FAR)
}

fn title(lab: &Lab, way: &str, latency: Duration) -> String {
    let files = lab.scaled(FILES);
    format!(
        "{files} files of 4 KiB {way}, {} ms a request",
        latency.as_millis()
    )
}

/// Measures both in turns; the notes tell the requests of the last run.
fn measure(lab: &Lab, up: bool, latency: Duration) -> Result<Vec<Outcome>> {
    let plain = format!("plain requests, {} at once", load::AT_ONCE);
    let contenders = vec![(Peer::Ours.name().to_owned(), true), (plain, false)];
    let mut asked = BTreeMap::new();
    let mut outcomes = interleave(lab, contenders, |ours, _| {
        let (sample, requests) = one_run(lab, up, latency, *ours)?;
        asked.insert(*ours, requests);
        Ok(sample)
    });
    for (outcome, ours) in outcomes.iter_mut().zip([true, false]) {
        outcome.note = asked.remove(&ours).unwrap_or_default();
    }
    Ok(outcomes)
}

/// One transfer of a fresh tree and the requests that it took.
fn one_run(lab: &Lab, up: bool, latency: Duration, ours: bool) -> Result<(Sample, String)> {
    let pair = Pair::new(&lab.fresh("server")?)?;
    let workspace = Workspace::new("1", "sync").without_bin();
    let options = Options::new(&pair.remote)
        .latency(latency)
        .workspace(workspace);
    let server = PydioServer::start(options)?;
    let remote = server.folder("sync");
    let from = if up { &pair.local } else { &remote };
    trees::fill(from, lab.seed, lab.scaled(FILES), BYTES)?;
    if !up {
        server.reindex("sync");
    }
    let sample = if ours {
        let mut command = Command::new(&lab.binary);
        command.args([
            "-s",
            server.url(),
            "-w",
            "sync",
            "-u",
            "alice",
            "-p",
            "secret",
            "-d",
        ]);
        command.arg(&pair.local).arg("--state-dir").arg(&pair.state);
        command.args(["-z", "0", "--once", "--json"]);
        run(&mut command, &pair.state)?.expect(&[0])?.sample
    } else if up {
        time(|| load::upload(server.port(), &pair.local))?
    } else {
        time(|| load::download(server.port(), &remote, &pair.local))?
    };
    trees::same(&remote, &pair.local)?;
    let log = server.log();
    let counts = log.counts();
    let parts = counts
        .iter()
        .map(|(action, count)| format!("{count} {action}"));
    let parts: Vec<String> = parts.collect();
    Ok((
        sample,
        format!("{} requests: {}", log.total(), parts.join(", ")),
    ))
}
