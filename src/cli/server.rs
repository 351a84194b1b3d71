//! Questions to a server before anything is synced with it.
//!
//! In: a place, a password. Out: its workspaces or what it is, or why not, with the way out and the
//! exit code. Invariant: credentials that were refused are not tried again. Deliberately
//! absent: what jobs ask while they run (`adapters/remote`).

use super::exit::{Exit, Failure, VOUCH};
use super::open::{self, Wanted};
use super::text::plain;
use crate::adapters::credentials::Account;
use crate::adapters::remote::pydio::{self, Workspace};
use crate::adapters::remote::webdav;
use crate::adapters::remote::{Link, RemotePlace, ServerPlace};
use crate::adapters::secret::Secret;
use crate::adapters::store::job_directory;
use crate::ports::PortError;
use journal_format::event::FailureClass;
use journal_format::value::{Direction, RelPath};
use std::path::Path;

/// Lists what a user can sync on a server.
///
/// # Errors
/// In words, with the exit code.
pub(super) async fn workspaces(
    account: &Account,
    password: &Secret,
    link: &Link,
    state_dir: &Path,
) -> Result<Vec<Workspace>, Failure> {
    let place = place_of(account, link);
    let client = open::client(state_dir, ASKING);
    let found = pydio::workspaces(&place, password.clone(), &client).await;
    let mut found = found.map_err(|error| refused(account, &error))?;
    found.retain(Workspace::is_syncable);
    Ok(found)
}

/// Looks at a workspace and the folder in it as a job would; writes nothing.
///
/// # Errors
/// In words, with the exit code.
pub(super) async fn folder(
    place: &ServerPlace,
    password: Secret,
    state_dir: &Path,
) -> Result<pydio::Report, Failure> {
    let client = open::client(state_dir, ASKING);
    let found = pydio::probe(place, password, &client).await;
    let report = found.map_err(|error| refused(&account(place), &error))?;
    if report.is_there {
        return Ok(report);
    }
    let (workspace, folder) = (plain(&place.workspace), place.folder.as_str());
    Err(Failure::usage(
        format!(
            "no folder `/{}` in the workspace `{workspace}`",
            plain(folder)
        ),
        "name another one with `-r` (`\"remote_folder\"` in a job file), or make it there",
    ))
}

/// Looks at a WebDAV folder as a job would; writes nothing.
///
/// # Errors
/// In words, with the exit code.
pub(super) async fn report(
    place: &ServerPlace,
    password: Option<Secret>,
) -> Result<webdav::Report, Failure> {
    let found = webdav::probe(place, password).await;
    let report = found.map_err(|error| refused(&account(place), &error))?;
    if report.is_there {
        return Ok(report);
    }
    let texts = report.remarks.iter().map(|fact| fact.text.as_str());
    Err(Failure::usage(
        format!("`{}`: {}", place.url, texts.collect::<Vec<_>>().join(", ")),
        "check the address; for Nextcloud it is `webdavs://HOST/remote.php/dav/files/USER`",
    ))
}

/// An account's place without a folder.
pub(super) fn place_of(account: &Account, link: &Link) -> ServerPlace {
    ServerPlace {
        url: account.server.clone(),
        workspace: String::new(),
        folder: RelPath::root(),
        user: account.user.clone(),
        link: link.clone(),
    }
}

/// Checks a job's workspace before its first run, when a name may be a mistake.
/// Later runs know it, and cost the server no question.
///
/// # Errors
/// The workspace is not there or cannot be synced that way; nothing was started.
pub(super) async fn check_new(job: &Wanted) -> Result<(), Failure> {
    let RemotePlace::Pydio(place) = &job.pair.remote else {
        return Ok(());
    };
    if job_directory(&job.pair.state_dir, &job.pair.job).exists() {
        return Ok(());
    }
    let Some(password) = &job.password else {
        return Ok(());
    };
    let account = account(place);
    let found = workspaces(&account, password, &place.link, &job.pair.state_dir).await?;
    judge(place, &found, job.config.policy.direction)
}

/// Tells whether a place can be synced that way.
///
/// # Errors
/// The workspace is not there, or may only be read.
pub(super) fn judge(
    place: &ServerPlace,
    found: &[Workspace],
    direction: Direction,
) -> Result<(), Failure> {
    let name = &place.workspace;
    let Some(workspace) = found
        .iter()
        .find(|found| found.slug == *name || found.id == *name)
    else {
        let names = found
            .iter()
            .map(|found| format!("`{}`", plain(&found.slug)));
        let names: Vec<String> = names.collect();
        let there = match names.len() {
            0 => format!("`{}` has none there that can be synced", plain(&place.user)),
            _ => format!("`{}` has {} there", plain(&place.user), names.join(", ")),
        };
        return Err(Failure::usage(
            format!("no workspace `{}` at `{}`", plain(name), place.url),
            format!("{there}; name one with `-w` (`\"workspace\"` in a job file)"),
        ));
    };
    if !workspace.is_writable && direction != Direction::Down {
        return Err(Failure::usage(
            format!(
                "the workspace `{}` may only be read by `{}`",
                plain(name),
                plain(&place.user)
            ),
            "sync it one way with `-dir down` (`\"direction\": \"down\"` in a job file)",
        ));
    }
    Ok(())
}

/// Whose place it is.
pub(super) fn account(place: &ServerPlace) -> Account {
    Account {
        server: place.url.clone(),
        user: place.user.clone(),
    }
}

/// A server's refusal in words.
pub(super) fn refused(account: &Account, error: &PortError) -> Failure {
    match error.class {
        FailureClass::Auth => Failure::new(
            Exit::Unreachable,
            format!(
                "`{}` refused the password of `{}`",
                account.server,
                plain(&account.user)
            ),
        )
        .hint(format!(
            "nothing was changed; give the right one with `pydio-sync login -s {} -u {}`",
            account.server, account.user
        )),
        FailureClass::Unsupported => Failure::new(Exit::Usage, error.to_string()),
        _ => {
            let hint = if error.is_untrusted {
                VOUCH.to_owned()
            } else {
                format!(
                    "check the address and the network; `pydio-sync jobs check -s {} -u {}` asks \
                     the server and nothing else",
                    account.server,
                    plain(&account.user)
                )
            };
            Failure::new(
                Exit::Unreachable,
                format!("`{}` cannot be reached: {error}", account.server),
            )
            .hint(hint)
        }
    }
}

/// Not the name of a job: the server takes a name's old keys away for new ones.
const ASKING: &str = "workspaces";
