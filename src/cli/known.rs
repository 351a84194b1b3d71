//! The jobs that ran here before, as notes beside their journals.
//!
//! In: a pair that runs; a name that a person gives. Out: `job.json` in the job's
//! directory; the job that is meant. Invariant: never a credential in a note.
//! A journal without a note (imported, or the note is lost) is a known job all the same.
//! Deliberately absent: settings, which the command line or a job file gives each
//! time. A crash leaves an old note or a new one.

use super::exit::{Exit, Failure};
use super::kept;
use super::pair::Pair;
use crate::adapters::store::{has_journal, job_directory, job_of_name};
use serde::{Deserialize, Serialize};
use std::io::Write;
use std::path::{Path, PathBuf};

/// A job that ran here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Known {
    pub(super) id: String,
    pub(super) label: String,
    /// The remote: a server's URL, or a path.
    pub(super) server: String,
    /// The workspace on a server.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) workspace: Option<String>,
    /// The user of a server.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) user: Option<String>,
    pub(super) directory: PathBuf,
    pub(super) remote_folder: String,
    /// Where its journal is.
    #[serde(skip)]
    pub(super) place: PathBuf,
}

impl Known {
    /// A job of which only the journal is there: its places are empty.
    fn of_journal(place: PathBuf) -> Self {
        let name = place.file_name().unwrap_or_default().to_string_lossy();
        let id = job_of_name(&name);
        Self {
            label: id.clone(),
            id,
            server: String::new(),
            workspace: None,
            user: None,
            directory: PathBuf::new(),
            remote_folder: String::new(),
            place,
        }
    }

    /// Returns the local folder, where it is known.
    pub(super) fn folder(&self) -> Option<&Path> {
        Some(&*self.directory).filter(|folder| !folder.as_os_str().is_empty())
    }

    /// What a note of this pair says; what is not UTF-8 becomes readable.
    pub(super) fn of(pair: &Pair) -> Self {
        let place = pair.remote.server();
        let folder = place.map_or("", |place| place.folder.as_str());
        Self {
            id: pair.job.clone(),
            label: pair.label.clone(),
            server: place.map_or_else(|| pair.remote.to_string(), |place| place.url.clone()),
            workspace: place
                .map(|place| place.workspace.clone())
                .filter(|workspace| !workspace.is_empty()),
            user: place.map(|place| place.user.clone()),
            directory: pair.local.clone(),
            remote_folder: format!("/{folder}"),
            place: job_directory(&pair.state_dir, &pair.job),
        }
    }
}

/// Notes that a job runs. A note that cannot be written costs the subcommands, so
/// it is told and does not stop the sync.
pub(super) fn remember(pair: &Pair) {
    let is_text = |path: &Path| path.to_str().is_some();
    if !is_text(&pair.local) || !pair.remote.folder().is_none_or(is_text) {
        tracing::warn!(
            "a folder's path is not UTF-8: `status` and the like will not find this job"
        );
        return;
    }
    let known = Known::of(pair);
    let path = known.place.join(NOTE);
    if read(&path).is_ok_and(|old| {
        Known {
            place: known.place.clone(),
            ..old
        } == known
    }) {
        return;
    }
    if let Err(error) = write(&path, &known) {
        tracing::warn!(%error, path = %path.display(), "the job's note cannot be written");
    }
}

fn write(path: &Path, known: &Known) -> std::io::Result<()> {
    let temporary = path.with_extension("new");
    let mut file = std::fs::File::create(&temporary)?;
    file.write_all(serde_json::to_string_pretty(known)?.as_bytes())?;
    file.sync_all()?;
    std::fs::rename(&temporary, path)
}

fn read(path: &Path) -> std::io::Result<Known> {
    let bytes = kept::bytes(path, NOTE_BYTES_MAX)?;
    Ok(serde_json::from_slice(&bytes)?)
}

/// Lists the jobs that are known, by label and id.
///
/// # Errors
/// The state folder cannot be read.
pub(super) fn all(state_dir: &Path) -> Result<Vec<Known>, Failure> {
    let jobs = state_dir.join("jobs");
    let entries = match std::fs::read_dir(&jobs) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => {
            let message = format!("`{}` cannot be read: {error}", jobs.display());
            return Err(Failure::new(Exit::Internal, message));
        }
    };
    let mut known = Vec::new();
    for entry in entries.flatten() {
        let place = entry.path();
        match read(&place.join(NOTE)) {
            Ok(job) => known.push(Known { place, ..job }),
            Err(error) => {
                if error.kind() != std::io::ErrorKind::NotFound {
                    tracing::warn!(%error, job = %place.display(), "the job's note cannot be read");
                }
                // One that was opened and never ran has neither note nor journal.
                if has_journal(&place) {
                    known.push(Known::of_journal(place));
                }
            }
        }
    }
    known.sort_by(|a, b| (&a.label, &a.id).cmp(&(&b.label, &b.id)));
    Ok(known)
}

/// Finds the job that a person means: by id, by label, by the beginning of its id,
/// or the only one. `jobs` are ids and labels. Returns its place among them.
///
/// # Errors
/// None or several fit.
pub(super) fn pick(
    state_dir: &Path,
    jobs: &[(&str, &str)],
    name: Option<&str>,
) -> Result<usize, Failure> {
    let ids = |places: &[usize]| {
        let names: Vec<_> = places.iter().map(|place| jobs[*place].0).collect();
        names.join(", ")
    };
    let all: Vec<usize> = (0..jobs.len()).collect();
    if jobs.is_empty() {
        return Err(Failure::usage(
            format!(
                "no job ran yet with the state folder `{}`",
                state_dir.display()
            ),
            "run one, or name the right folder with `--state-dir`",
        ));
    }
    let Some(name) = name else {
        return match jobs.len() {
            1 => Ok(0),
            _ => Err(Failure::usage(
                format!("which job? known are {}", ids(&all)),
                "name one by its id or its label",
            )),
        };
    };
    let fits = |(id, label): (&str, &str)| [id == name, label == name, id.starts_with(name)];
    for rule in 0..3 {
        let fitting: Vec<usize> = all
            .iter()
            .copied()
            .filter(|place| fits(jobs[*place])[rule])
            .collect();
        match fitting[..] {
            [] => {}
            [place] => return Ok(place),
            _ => {
                return Err(Failure::usage(
                    format!("`{name}` could be {}", ids(&fitting)),
                    "name one by its id",
                ));
            }
        }
    }
    Err(Failure::usage(
        format!("no job `{name}`; known are {}", ids(&all)),
        "name one by its id or its label",
    ))
}

const NOTE: &str = "job.json";
const NOTE_BYTES_MAX: u64 = 64 * 1024;
