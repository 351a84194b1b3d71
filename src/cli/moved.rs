//! Moves passwords out of a job file, as the old client did.
//!
//! In: jobs as their file has them. Out: the passwords in a store, and the file without
//! them. Invariant: a password leaves the file only after a store has it; every other
//! byte of the file stays. Deliberately absent: whether servers take them. CRASH: the
//! password is in both places, and the next run moves it.

use super::args::Args;
use super::config::Given;
use super::exit::Failure;
use super::open::Wanted;
use super::{jobfile, password, print};
use crate::adapters::credentials::{Credentials, Kept};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// Moves what can be moved, and says what cannot; a job runs either way.
pub(super) fn passwords(args: &Args, file: &Path, stores: &Credentials, jobs: &[Wanted]) {
    let was_open = std::fs::metadata(file).is_ok_and(|seen| seen.mode() & 0o077 != 0);
    let mut moved = Vec::new();
    for job in jobs {
        let (Some(Given::JobFile(secret)), Some(at)) = (&job.config.password, &job.config.at)
        else {
            continue;
        };
        let Some(account) = password::account(&job.pair.remote) else {
            continue;
        };
        match stores.save(&account, secret) {
            Ok(kept) => moved.push((format!("{at}/password"), kept)),
            Err(error) => print::warning(
                args,
                &format!("the password in {} stays there: {error}", file.display()),
            ),
        }
    }
    let Some((_, kept)) = moved.first() else {
        return;
    };
    let pointers: Vec<&str> = moved.iter().map(|(pointer, _)| pointer.as_str()).collect();
    match take_out(file, &pointers) {
        Ok(()) => print::warning(args, &told(file, kept, was_open)),
        Err(failure) => print::warning(
            args,
            &format!(
                "the password is kept in {kept}, but it is still in the job file as well: {}",
                failure.message
            ),
        ),
    }
}

fn take_out(file: &Path, pointers: &[&str]) -> Result<(), Failure> {
    let mut bytes = jobfile::bytes(file)?;
    for pointer in pointers {
        // Somebody else may have changed the file: what is gone is gone.
        if let Some(rest) = jobfile::without(&bytes, pointer) {
            bytes = rest;
        }
    }
    jobfile::judged(file, &bytes)?;
    jobfile::write(file, &bytes)
}

fn told(file: &Path, kept: &Kept, was_open: bool) -> String {
    let more = if was_open {
        "; others could read it there, so change it if they may have"
    } else {
        ""
    };
    format!(
        "the password in {} was moved to {kept}{more}",
        file.display()
    )
}
