//! `login` and `logout`.
//!
//! In: an account, a password. Out: a password in a store, or none. Invariant: a
//! password is kept only after its server took it, unless the user wants it unchecked.
//! Deliberately absent: where it is kept (`adapters/credentials`).

use super::accounts;
use super::args::Args;
use super::config::Given;
use super::exit::{Exit, Failure};
use super::job_args::{Access, Account as AccountFlags, Login};
use super::place::is_webdav;
use super::text::plain;
use super::{password, print, run, server};
use crate::adapters::credentials::{Account, Credentials};
use crate::adapters::remote::Link;
use crate::adapters::remote::webdav::Grant;
use crate::adapters::secret::Secret;
use journal_format::event::FailureClass;
use serde_json::json;
use std::path::Path;
use std::time::Duration;

/// Keeps a password.
///
/// # Errors
/// The server does not take it, or no store does.
pub(super) fn login(args: &Args, flags: &Login) -> Result<Exit, Failure> {
    let state_dir = super::pair::state_dir(args.common.state_dir.as_deref())?;
    if flags.web {
        let (account, secret) = run::runtime()?.block_on(by_browser(flags))?;
        return keep(args, &state_dir, &account, &secret, "; the server made it");
    }
    let account = accounts::named(args, &flags.account)?;
    let given = given(&flags.access);
    if let Some(Given::Flag(_)) = given {
        password::warn(args);
    }
    let secret = match password::explicit(given.as_ref())? {
        Some(secret) => Some(secret),
        None => password::prompt(&account)?,
    };
    let Some(secret) = secret else {
        return Err(Failure::usage(
            "no password was given",
            "run it on a terminal, or add `--password-file FILE` (`-` is standard input)",
        ));
    };
    if !flags.unchecked {
        let link = link(&flags.access)?;
        if is_webdav(&account.server) {
            let place = server::place_of(&account, &link);
            run::runtime()?.block_on(server::report(&place, Some(secret.clone())))?;
        } else {
            let asked = server::workspaces(&account, &secret, &link, &state_dir);
            run::runtime()?.block_on(asked)?;
        }
    }
    let checked = if flags.unchecked {
        ", unchecked"
    } else {
        "; the server takes it"
    };
    keep(args, &state_dir, &account, &secret, checked)
}

fn keep(
    args: &Args,
    state_dir: &Path,
    account: &Account,
    secret: &Secret,
    checked: &str,
) -> Result<Exit, Failure> {
    let kept = Credentials::new(state_dir)
        .save(account, secret)
        .map_err(|error| {
            Failure::new(Exit::Internal, format!("the password is not kept: {error}"))
        })?;
    if args.common.json {
        print::data(&json!({
            "type": "login", "server": account.server, "user": account.user,
            "kept": kept.to_string(), "checked": checked != ", unchecked",
        }));
    } else {
        let what = named(account);
        print::words(&format!("the {what} is kept in {kept}{checked}"));
    }
    Ok(Exit::InSync)
}

/// An account's password in words; without a user it is a token.
fn named(account: &Account) -> String {
    match account.user.as_str() {
        "" => format!("token for `{}`", account.server),
        user => format!("password of `{}` at `{}`", plain(user), account.server),
    }
}

/// Has a person agree in a browser, and fetches what the server made.
async fn by_browser(flags: &Login) -> Result<(Account, Secret), Failure> {
    let server = flags.account.server.as_deref().unwrap_or_default();
    let server = super::place::server_url(server)?;
    if !is_webdav(&server) {
        return Err(Failure::usage(
            "a login by browser is Nextcloud's, and its address is a WebDAV one",
            "write it like `webdavs://HOST/remote.php/dav/files/USER`",
        ));
    }
    let nobody = Account {
        server,
        user: String::new(),
    };
    let place = server::place_of(&nobody, &link(&flags.access)?);
    let failed = |error| server::refused(&nobody, &error);
    let grant = Grant::begin(&place).await.map_err(failed)?;
    print::words(&format!("open {} and agree there", plain(&grant.page)));
    for _ in 0..QUESTIONS_MAX {
        match grant.ask().await {
            Ok(Some(granted)) => {
                let user = granted.user;
                let server = nobody.server;
                return Ok((Account { server, user }, granted.password));
            }
            Ok(None) => {}
            Err(error) if error.class == FailureClass::Retry => {
                tracing::info!("asked in vain: {error}");
            }
            Err(error) => return Err(failed(error)),
        }
        tokio::time::sleep(PAUSE).await;
    }
    Err(Failure::new(Exit::Unreachable, "nobody agreed for 20 minutes").hint("run it again"))
}

/// Forgets a password.
///
/// # Errors
/// A store that may have it could not be asked.
pub(super) fn logout(args: &Args, flags: &AccountFlags) -> Result<Exit, Failure> {
    let state_dir = super::pair::state_dir(args.common.state_dir.as_deref())?;
    let account = accounts::named(args, flags)?;
    let removed = Credentials::new(&state_dir)
        .remove(&account)
        .map_err(|error| {
            let message = format!("the password may still be kept: {error}");
            Failure::new(Exit::Internal, message)
        })?;
    let places: Vec<String> = removed.iter().map(ToString::to_string).collect();
    if args.common.json {
        print::data(&json!({
            "type": "logout", "server": account.server, "user": account.user, "removed": places,
        }));
        return Ok(Exit::InSync);
    }
    let what = named(&account);
    if places.is_empty() {
        print::words(&format!("no {what} was kept"));
    } else {
        let places = places.join(" and ");
        print::words(&format!("the {what} is removed from {places}"));
    }
    Ok(Exit::InSync)
}

/// The password as flags give it.
pub(super) fn given(access: &Access) -> Option<Given> {
    let flag = access.password.clone().map(Given::Flag);
    flag.or_else(|| access.password_file.clone().map(Given::File))
}

/// The link as flags give it.
///
/// # Errors
/// A path that is none.
pub(super) fn link(access: &Access) -> Result<Link, Failure> {
    let ca_file = access.ca_file.as_deref().map(super::pair::absolute);
    let client_cert = access.client_cert.as_deref().map(super::pair::absolute);
    Ok(Link {
        trust_ssl: access.trust_ssl,
        ca_file: ca_file.transpose()?,
        client_cert: client_cert.transpose()?,
        proxy: access.proxy.clone(),
        ..Link::default()
    })
}

/// Between two questions whether somebody agreed.
const PAUSE: Duration = Duration::from_secs(2);
/// As long as the server keeps the login open.
const QUESTIONS_MAX: u32 = 600;
