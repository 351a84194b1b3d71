//! What single jobs need: their folders, their servers.
//!
//! In: jobs. Out: findings. Invariant: a server is asked once an account, and not again
//! after it refused a password. Deliberately absent: syncing.

use super::machine::space;
use super::{Finding, Patients};
use crate::adapters::clock::SystemClock;
use crate::adapters::credentials::Account;
use crate::adapters::remote::pydio::{Workspace, server_time};
use crate::adapters::remote::{RemotePlace, ServerPlace};
use crate::cli::exit::{Exit, Failure};
use crate::cli::open::Wanted;
use crate::cli::password::Passwords;
use crate::cli::text::{count, plain};
use crate::cli::{run, server};
use crate::ports::Clock;
use journal_format::value::Timestamp;
use rustix::fs::{Access, access};
use std::path::Path;

/// Looks at all jobs' places.
pub(super) fn look(findings: &mut Vec<Finding>, state_dir: &Path, patients: &Patients) {
    for folder in patients.locals() {
        let is_known = patients.folders.contains(folder);
        let parent = folder.parent().filter(|parent| parent.is_dir());
        match parent.filter(|_| !is_known && !folder.exists()) {
            Some(parent) => findings.push(to_be_made(folder, parent)),
            None => folder_found(findings, "local folder", folder),
        }
    }
    for folder in &patients.remote_folders {
        folder_found(findings, "remote folder", folder);
    }
    let mut passwords = Passwords::new(state_dir);
    remotes(findings, &mut passwords, patients.active());
    let mut of_flags = Vec::new();
    remotes(&mut of_flags, &mut passwords, patients.remembered.iter());
    findings.extend(of_flags.into_iter().map(Finding::of_flags));
}

fn remotes<'a>(
    findings: &mut Vec<Finding>,
    passwords: &mut Passwords,
    jobs: impl Iterator<Item = &'a Wanted>,
) {
    let mut asked: Vec<(Account, Option<Vec<Workspace>>)> = Vec::new();
    for job in jobs {
        let place = match &job.pair.remote {
            RemotePlace::Folder(folder) => {
                folder_found(findings, "remote folder", folder);
                continue;
            }
            RemotePlace::Webdav(place) => {
                webdav(findings, passwords, job, place);
                continue;
            }
            RemotePlace::Pydio(place) => place,
        };
        let account = server::account(place);
        if asked.iter().all(|(known, _)| *known != account) {
            let answer = answer(findings, passwords, job, place);
            asked.push((account.clone(), answer));
        }
        let known = asked.iter().find(|(known, _)| *known == account);
        if let Some((_, Some(found))) = known {
            workspace(findings, passwords, job, place, found);
        }
    }
}

/// A first run makes the last part of a local folder's path.
fn to_be_made(folder: &Path, parent: &Path) -> Finding {
    let name = folder.display().to_string();
    match access(parent, Access::WRITE_OK | Access::EXEC_OK) {
        Ok(()) => Finding::ok(
            "local folder",
            &name,
            "not there yet; the first run makes it",
        ),
        Err(error) => {
            let detail = format!("not there yet, and cannot be made: {error}");
            let way_out = "make it, or check the owner and permissions of the folder above it";
            Finding::fail("local folder", &name, Exit::Usage, detail, way_out)
        }
    }
}

fn folder_found(findings: &mut Vec<Finding>, what: &'static str, folder: &Path) {
    let name = folder.display().to_string();
    let finding = match access(folder, Access::READ_OK | Access::WRITE_OK | Access::EXEC_OK) {
        Ok(()) if folder.is_dir() => space(what, &name, folder),
        Ok(()) => Finding::fail(what, &name, Exit::Usage, "is no folder", "check the path"),
        Err(error) => {
            let detail = format!("cannot be used: {error}");
            let way_out = "put it back, or check its owner and permissions";
            Finding::fail(what, &name, Exit::Usage, detail, way_out)
        }
    };
    findings.push(finding);
}

/// Asks a WebDAV server as the job would.
fn webdav(
    findings: &mut Vec<Finding>,
    passwords: &mut Passwords,
    job: &Wanted,
    place: &ServerPlace,
) {
    const WHAT: &str = "server";
    let mut asked = || {
        let secret = passwords.of_job(job.config.password.as_ref(), &job.pair.remote)?;
        run::runtime()?.block_on(server::report(place, secret))
    };
    match asked() {
        Ok(report) => {
            let facts = report.remarks.iter();
            findings.extend(facts.map(|fact| fact_of(WHAT, &place.url, fact.is_good, &fact.text)));
            findings.extend(report.time.map(|time| apart(place, time)));
        }
        Err(failure) => findings.push(Finding::failure(WHAT, &place.url, failure)),
    }
}

/// Asks a server as the job would.
fn answer(
    findings: &mut Vec<Finding>,
    passwords: &mut Passwords,
    job: &Wanted,
    place: &ServerPlace,
) -> Option<Vec<Workspace>> {
    const WHAT: &str = "server";
    let account = server::account(place);
    let mut asked = || -> Result<Vec<Workspace>, Failure> {
        let secret = passwords.find(job.config.password.as_ref(), &account)?;
        let state_dir = &job.pair.state_dir;
        run::runtime()?.block_on(server::workspaces(
            &account,
            &secret,
            &place.link,
            state_dir,
        ))
    };
    match asked() {
        Ok(found) => {
            let detail = format!("lets `{}` in", plain(&place.user));
            findings.push(Finding::ok(WHAT, &place.url, detail));
            findings.extend(clock(place));
            Some(found)
        }
        Err(failure) => {
            findings.push(Finding::failure(WHAT, &place.url, failure));
            None
        }
    }
}

/// Compares the clocks; a server that does not tell its time is no finding.
fn clock(place: &ServerPlace) -> Option<Finding> {
    const WHAT: &str = "clock";
    let asked = run::runtime().ok()?.block_on(server_time(place));
    let theirs = match asked {
        Ok(time) => time?,
        Err(error) => {
            let way_out = "the server answered before: try again";
            return Some(Finding::warn(WHAT, &place.url, error.to_string(), way_out));
        }
    };
    Some(apart(place, theirs))
}

/// Says how far apart two clocks are.
fn apart(place: &ServerPlace, theirs: Timestamp) -> Finding {
    const WHAT: &str = "clock";
    let apart = SystemClock.now().0.saturating_sub(theirs.0).unsigned_abs() / 1000;
    let detail = format!("{} apart", count(apart, "second", "seconds"));
    if apart <= SKEW_SECONDS_MAX {
        Finding::ok(WHAT, &place.url, detail)
    } else {
        let way_out = "set both clocks by the network; dates of files are wrong until then";
        Finding::warn(WHAT, &place.url, detail, way_out)
    }
}

fn workspace(
    findings: &mut Vec<Finding>,
    passwords: &mut Passwords,
    job: &Wanted,
    place: &ServerPlace,
    found: &[Workspace],
) {
    const WHAT: &str = "workspace";
    let name = &place.workspace;
    if let Err(failure) = server::judge(place, found, job.config.policy.direction) {
        findings.push(Finding::failure(WHAT, name, failure));
        return;
    }
    let mut asked = || {
        let secret = passwords.find(job.config.password.as_ref(), &server::account(place))?;
        let asked = server::folder(place, secret, &job.pair.state_dir);
        run::runtime()?.block_on(asked)
    };
    match asked() {
        Ok(report) => {
            findings.push(Finding::ok(WHAT, name, "can be synced"));
            let facts = report.facts.iter();
            findings.extend(facts.map(|fact| fact_of(WHAT, name, fact.is_good, &fact.text)));
        }
        Err(failure) => findings.push(Finding::failure(WHAT, name, failure)),
    }
}

/// What a server told of itself; nothing of it keeps a job from running.
fn fact_of(what: &'static str, place: &str, is_good: bool, text: &str) -> Finding {
    if is_good {
        Finding::ok(what, place, text)
    } else {
        Finding::warn(what, place, text, "see the README on servers of this kind")
    }
}

/// More than a slow answer can explain.
const SKEW_SECONDS_MAX: u64 = 60;
