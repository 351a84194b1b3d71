//! Which user of which server is meant.
//!
//! In: flags, the jobs that are configured or ran here. Out: an [`Account`]. Invariant:
//! nothing is guessed: what is left out must follow from the jobs; without a user a
//! WebDAV server's secret is a token. Deliberately absent: passwords.

use super::args::Args;
use super::config::JobConfig;
use super::exit::Failure;
use super::job_args::Account as Flags;
use super::{jobs, known, pair, place};
use crate::adapters::credentials::Account;

/// Finds the account that flags mean.
///
/// # Errors
/// None or several fit.
pub(super) fn named(args: &Args, flags: &Flags) -> Result<Account, Failure> {
    let server = flags.server.as_deref().map(place::server_url).transpose()?;
    if let (Some(server), Some(user)) = (&server, &flags.user) {
        return Ok(Account {
            server: server.clone(),
            user: user.clone(),
        });
    }
    let mut fitting = all(args)?;
    fitting.retain(|account| {
        server
            .as_ref()
            .is_none_or(|server| account.server == *server)
            && flags.user.as_ref().is_none_or(|user| account.user == *user)
    });
    if let (Some(server), None) = (&server, &flags.user)
        && fitting.is_empty()
        && place::is_webdav(server)
    {
        return Ok(Account {
            server: server.clone(),
            user: String::new(),
        });
    }
    match fitting.len() {
        1 => Ok(fitting.remove(0)),
        0 => Err(Failure::usage(
            "which account? no job here says it",
            "name the server and the user with `-s URL -u NAME`",
        )),
        _ => {
            let names = fitting
                .iter()
                .map(|account| format!("`-s {} -u {}`", account.server, account.user));
            let names: Vec<String> = names.collect();
            Err(Failure::usage(
                format!("which account? it could be {}", names.join(", ")),
                "name the server and the user",
            ))
        }
    }
}

/// The accounts of all jobs.
fn all(args: &Args) -> Result<Vec<Account>, Failure> {
    let state_dir = pair::state_dir(args.common.state_dir.as_deref())?;
    let configured = jobs::configured(None).unwrap_or_default();
    let from_file = configured.iter().filter_map(of_config);
    let known = known::all(&state_dir)?;
    let from_notes = known.into_iter().filter_map(|job| {
        Some(Account {
            server: job.server,
            user: job.user?,
        })
    });
    let mut accounts: Vec<Account> = from_file.chain(from_notes).collect();
    accounts.sort_by(|a, b| (&a.server, &a.user).cmp(&(&b.server, &b.user)));
    accounts.dedup();
    Ok(accounts)
}

/// A WebDAV job of nobody may have a token.
fn of_config(job: &JobConfig) -> Option<Account> {
    let server = place::server_url(&job.server).ok()?;
    let is_webdav = place::is_webdav(&server);
    let user = job.user.clone().or(is_webdav.then(String::new))?;
    Some(Account { server, user })
}
