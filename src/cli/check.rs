//! `jobs check`: reads a job file and tries its servers, or lists a server's
//! workspaces.
//!
//! In: a file, or an account. Out: lines, an exit code. Invariant: nothing is written,
//! neither here nor there. Deliberately absent: running jobs.

use super::args::Args;
use super::exit::{Exit, Failure, worst};
use super::job_args::Check;
use super::open::Wanted;
use super::password::{self, Passwords};
use super::place::is_webdav;
use super::text::{count, plain};
use super::{accounts, jobfile, login, pair, print, run, server};
use crate::adapters::remote::RemotePlace;
use crate::adapters::remote::pydio::Workspace;
use crate::adapters::remote::webdav::Report;
use serde_json::json;
use std::path::Path;

/// Checks what the flags name.
///
/// # Errors
/// The first mistake in the file, or why the server cannot be asked.
pub(super) fn check(args: &Args, flags: &Check) -> Result<Exit, Failure> {
    match &flags.file {
        Some(file) => jobs(args, file),
        None => workspaces(args, flags),
    }
}

fn jobs(args: &Args, file: &Path) -> Result<Exit, Failure> {
    let state_dir = pair::state_dir(args.common.state_dir.as_deref())?;
    let jobs = run::checked(jobfile::read(file)?, &state_dir)?;
    let number = count(jobs.len() as u64, "job", "jobs");
    print::words(&format!("{}: {number}, no mistake found", file.display()));
    let mut passwords = Passwords::new(&state_dir);
    let mut exits = Vec::new();
    for job in jobs.iter().filter(|job| job.config.is_active) {
        if let Err(failure) = tried(args, &mut passwords, job) {
            exits.push(failure.exit);
            print::failure(&failure.of(&job.pair.label));
        }
    }
    Ok(worst(exits))
}

/// Asks the server of a job for its workspace.
fn tried(args: &Args, passwords: &mut Passwords, job: &Wanted) -> Result<(), Failure> {
    let place = match &job.pair.remote {
        RemotePlace::Folder(_) => return Ok(()),
        RemotePlace::Webdav(place) => {
            let secret = passwords.of_job(job.config.password.as_ref(), &job.pair.remote)?;
            let report = run::runtime()?.block_on(server::report(place, secret))?;
            tell_all(args, &job.pair.label, &report);
            return Ok(());
        }
        RemotePlace::Pydio(place) => place,
    };
    let account = server::account(place);
    let secret = passwords.find(job.config.password.as_ref(), &account)?;
    let asked = server::workspaces(&account, &secret, &place.link, &job.pair.state_dir);
    let found = run::runtime()?.block_on(asked)?;
    server::judge(place, &found, job.config.policy.direction)?;
    if !args.common.quiet {
        print::words(&format!(
            "{}: `{}` lets `{}` in",
            plain(&job.pair.label),
            place.url,
            plain(&place.user)
        ));
    }
    let asked = server::folder(place, secret, &job.pair.state_dir);
    for fact in run::runtime()?.block_on(asked)?.facts {
        tell(args, &job.pair.label, fact.is_good, &fact.text);
    }
    Ok(())
}

/// Says what a WebDAV server is.
fn tell_all(args: &Args, label: &str, report: &Report) {
    for fact in &report.remarks {
        tell(args, label, fact.is_good, &fact.text);
    }
}

/// Says one thing that was found out.
fn tell(args: &Args, label: &str, is_good: bool, text: &str) {
    if args.common.json {
        print::data(&json!({"type": "fact", "label": label, "good": is_good, "text": text}));
    } else if !args.common.quiet {
        print::words(&format!("{}: {}", plain(label), plain(text)));
    }
}

fn workspaces(args: &Args, flags: &Check) -> Result<Exit, Failure> {
    let state_dir = pair::state_dir(args.common.state_dir.as_deref())?;
    let account = accounts::named(args, &flags.account)?;
    if flags.access.password.is_some() {
        password::warn(args);
    }
    let given = login::given(&flags.access);
    let mut passwords = Passwords::new(&state_dir);
    let link = login::link(&flags.access)?;
    if is_webdav(&account.server) {
        let place = server::place_of(&account, &link);
        let secret = passwords.of_job(
            given.as_ref(),
            &RemotePlace::Webdav(Box::new(place.clone())),
        )?;
        let report = run::runtime()?.block_on(server::report(&place, secret))?;
        tell_all(args, &account.server, &report);
        return Ok(Exit::InSync);
    }
    let secret = passwords.find(given.as_ref(), &account)?;
    let asked = server::workspaces(&account, &secret, &link, &state_dir);
    let found = run::runtime()?.block_on(asked)?;
    for workspace in &found {
        show(args, workspace);
    }
    if found.is_empty() && !args.common.json {
        print::words(&format!(
            "`{}` can sync no workspace there",
            plain(&account.user)
        ));
    }
    Ok(Exit::InSync)
}

fn show(args: &Args, workspace: &Workspace) {
    if args.common.json {
        print::data(&json!({
            "type": "workspace", "id": workspace.id, "alias": workspace.slug,
            "label": workspace.label, "writable": workspace.is_writable,
            "feed": workspace.has_feed,
        }));
        return;
    }
    let rights = if workspace.is_writable {
        ""
    } else {
        "; read-only, so `-dir down`"
    };
    let feed = if workspace.has_feed {
        ""
    } else {
        "; no feed of changes, so it is listed whole each time"
    };
    print::line(&format!(
        "{} ({}){rights}{feed}",
        plain(&workspace.slug),
        plain(&workspace.label),
    ));
}
