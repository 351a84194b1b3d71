//! Where a job's password comes from.
//!
//! In: what the user gave, the environment. Out: a [`Secret`] for each server job, or
//! how to give one. Invariant: it is read before any job starts, and never printed.
//! Deliberately absent: whether the server takes it.

use super::args::Args;
use super::config::{Given, JobConfig};
use super::exit::Failure;
use super::print;
use crate::adapters::remote::RemotePlace;
use crate::adapters::secret::Secret;
use std::io::Read;
use std::path::Path;

/// Finds the password of a job; a folder needs none.
///
/// # Errors
/// A server job has none, or the named file cannot be read.
pub(super) fn find(config: &JobConfig, place: &RemotePlace) -> Result<Option<Secret>, Failure> {
    let RemotePlace::Pydio(server) = place else {
        return Ok(None);
    };
    if let Some(Given::Flag(secret)) = &config.password {
        return Ok(Some(secret.clone()));
    }
    if let Some(secret) = from_environment() {
        return Ok(Some(secret));
    }
    match &config.password {
        Some(Given::File(path)) => from_file(path).map(Some),
        Some(Given::JobFile(secret) | Given::Flag(secret)) => Ok(Some(secret.clone())),
        None => Err(Failure::usage(
            format!(
                "no password is known for `{}` at `{}`",
                server.user, server.url
            ),
            format!("set `{VARIABLE}`, or name a file of your own with `--password-file`"),
        )),
    }
}

/// Says once that a password on the command line is no secret.
pub(super) fn warn(args: &Args) {
    if args.run.password.is_some() {
        print::warning(
            args,
            "`-p` shows the password to other users of this machine; better are the variable \
             `PYDIO_SYNC_PASSWORD`, and a file of your own that `--password-file` names",
        );
    }
}

fn from_environment() -> Option<Secret> {
    let value = std::env::var(VARIABLE).ok()?;
    Some(Secret::new(value)).filter(|secret| !secret.is_empty())
}

/// The first line of a file.
fn from_file(path: &Path) -> Result<Secret, Failure> {
    let unreadable = |why: String| {
        Failure::usage(
            format!("the password file `{}` {why}", path.display()),
            "name a file whose first line is the password",
        )
    };
    let mut bytes = Vec::new();
    std::fs::File::open(path)
        .and_then(|file| file.take(FILE_BYTES_MAX).read_to_end(&mut bytes))
        .map_err(|error| unreadable(format!("cannot be read: {error}")))?;
    let text = String::from_utf8(bytes).map_err(|_| unreadable("is not UTF-8".to_owned()))?;
    let secret = Secret::new(text.lines().next().unwrap_or_default());
    if secret.is_empty() {
        return Err(unreadable("begins with an empty line".to_owned()));
    }
    Ok(secret)
}

const VARIABLE: &str = "PYDIO_SYNC_PASSWORD";
const FILE_BYTES_MAX: u64 = 64 * 1024;
