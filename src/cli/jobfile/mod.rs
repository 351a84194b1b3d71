//! Job files: JSON as the old client wrote it, read strictly.
//!
//! In: a path. Out: typed jobs, or one message that names the file, the place, the
//! value and what would be right. Invariant: a file with one mistake gives no job
//! at all, and no message shows a password. Deliberately absent: whether the named
//! folders exist (`pair`). A new key is a line in `job::KEYS` and in `job::read`.
//! CRASH: a file that is written is the old one or the new one.

mod fault;
mod fields;
mod job;
mod text;
mod unique;

pub(super) use text::{with, without};

use super::config::JobConfig;
use super::exit::Failure;
use crate::adapters::credentials::replace;
use fault::Fault;
use fields::pointer;
use serde_json::Value;
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// Reads a job file: an array of jobs, or an object from id to job.
///
/// # Errors
/// The file cannot be read, or the first mistake in it.
pub(super) fn read(path: &Path) -> Result<Vec<JobConfig>, Failure> {
    judged(path, &bytes(path)?)
}

/// Reads jobs from bytes that are, or will be, a file.
///
/// # Errors
/// The first mistake.
pub(super) fn judged(path: &Path, bytes: &[u8]) -> Result<Vec<JobConfig>, Failure> {
    let mut jobs = parse(bytes).map_err(|fault| {
        let message = format!("{}: {}", path.display(), fault.on_its_line(bytes));
        Failure::usage(
            message,
            "nothing was started; mend the file, `pydio-sync jobs check FILE` reads it again",
        )
    })?;
    for job in &mut jobs {
        let at = job.at.as_deref().unwrap_or_default();
        let line = text::line(bytes, at).unwrap_or(1);
        job.place = Some(format!("{}: {at} (line {line})", path.display()));
    }
    Ok(jobs)
}

/// The bytes of a job file.
///
/// # Errors
/// It cannot be read.
pub(super) fn bytes(path: &Path) -> Result<Vec<u8>, Failure> {
    let unreadable = |error: std::io::Error| {
        Failure::usage(
            format!("the job file `{}` cannot be read: {error}", path.display()),
            "name a JSON file with `-f FILE`",
        )
    };
    let file = std::fs::File::open(path).map_err(unreadable)?;
    let mut bytes = Vec::new();
    file.take(FILE_BYTES_MAX + 1)
        .read_to_end(&mut bytes)
        .map_err(unreadable)?;
    Ok(bytes)
}

/// Replaces a job file at once, with the permissions that it had; a new one is its
/// owner's alone.
///
/// # Errors
/// The old file is still there.
pub(super) fn write(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    let mode = std::fs::metadata(path).map_or(0o600, |seen| seen.mode());
    replace(path, bytes, mode).map_err(|error| {
        Failure::usage(
            format!(
                "the job file `{}` cannot be written: {error}",
                path.display()
            ),
            "check its permissions and its disk",
        )
    })
}

fn parse(bytes: &[u8]) -> Result<Vec<JobConfig>, Fault> {
    if bytes.len() as u64 > FILE_BYTES_MAX {
        return Err(Fault::whole("the file is larger than 4 MiB"));
    }
    let value = unique::parse(bytes)?;
    let jobs = match &value {
        Value::Array(jobs) => jobs
            .iter()
            .enumerate()
            .map(|(place, job)| job::read(&pointer("", &place.to_string()), None, job))
            .collect::<Result<Vec<_>, _>>()?,
        Value::Object(jobs) => {
            if let Some(key) = ["server", "directory", "__type__"]
                .into_iter()
                .find(|key| jobs.get(*key).is_some_and(|value| !value.is_object()))
            {
                return Err(Fault::whole(format!(
                    "`{key}` stands at the top: put the job into `[ ]`, or under its id"
                )));
            }
            jobs.iter()
                .map(|(id, job)| job::read(&pointer("", id), Some(id), job))
                .collect::<Result<Vec<_>, _>>()?
        }
        other => return Err(Fault::wrong("", other, "an array of jobs is wanted")),
    };
    check_ids(&jobs)?;
    Ok(jobs)
}

/// Two jobs of one id would share a journal. Under their ids they cannot be two.
fn check_ids(jobs: &[JobConfig]) -> Result<(), Fault> {
    for (place, job) in jobs.iter().enumerate() {
        let earlier = jobs[..place].iter().position(|other| other.id == job.id);
        if let (Some(id), Some(earlier)) = (&job.id, earlier) {
            return Err(Fault::at(
                pointer(&pointer("", &place.to_string()), "id"),
                format!("the id `{id}` is taken by job {earlier}; give each job its own"),
            ));
        }
    }
    Ok(())
}

const FILE_BYTES_MAX: u64 = 4 << 20;

#[cfg(test)]
mod tests;
