//! `doctor`: what could keep jobs from running, one line each.
//!
//! In: the jobs of a job file and those that ran here. Out: findings with a way out, an
//! exit code. Invariants: nothing is changed, here or on a server; a check that cannot
//! be made is a finding, not an error. Deliberately absent: repairing. A new check is a
//! function of `machine` or `places` that pushes a [`Finding`].

mod machine;
mod places;

use super::args::Args;
use super::config::JobConfig;
use super::exit::{Exit, Failure, worst};
use super::job_args::OneFile;
use super::known::Known;
use super::open::Wanted;
use super::text::plain;
use super::{jobfile, jobs, known, pair, print, run};
use serde_json::json;
use std::path::{Path, PathBuf};

/// What one check found.
pub(super) struct Finding {
    /// What was looked at, in a word.
    what: &'static str,
    /// Which one of several.
    place: String,
    state: State,
    detail: String,
    way_out: Option<String>,
}

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Ok,
    /// Works, and could be better.
    Warn,
    /// Keeps a job from running, which would end with this code.
    Fail(Exit),
}

/// What is looked at besides the machine.
struct Patients {
    /// The jobs of the job file.
    configured: Vec<Wanted>,
    /// Local folders of jobs that only ran here.
    folders: Vec<PathBuf>,
    /// And their remotes, where these are folders.
    remote_folders: Vec<PathBuf>,
    /// And those of them whose remotes are on servers.
    remembered: Vec<Wanted>,
}

/// Looks at everything and prints it.
///
/// # Errors
/// Nothing says where the state is.
pub(super) fn run(args: &Args, flags: &OneFile) -> Result<Exit, Failure> {
    let state_dir = pair::state_dir(args.common.state_dir.as_deref())?;
    let mut findings = Vec::new();
    let patients = patients(&mut findings, &state_dir, flags);
    machine::look(&mut findings, &state_dir, &patients);
    places::look(&mut findings, &state_dir, &patients);
    let failed = |finding: &Finding| match finding.state {
        State::Fail(exit) => Some(exit),
        State::Ok | State::Warn => None,
    };
    for finding in &findings {
        finding.print(args);
    }
    Ok(worst(findings.iter().filter_map(failed)))
}

fn patients(findings: &mut Vec<Finding>, state_dir: &Path, flags: &OneFile) -> Patients {
    let file = match &flags.file {
        Some(file) => file.display().to_string(),
        None => jobs::usual().map_or_else(|_| String::new(), |file| file.display().to_string()),
    };
    let read = jobs::configured(flags.file.as_deref());
    let checked = read.and_then(|configs: Vec<JobConfig>| run::checked(configs, state_dir));
    let configured = match checked {
        Ok(jobs) => {
            let detail = match jobs.len() {
                0 => "no jobs in it".to_owned(),
                number => super::text::count(number as u64, "job", "jobs"),
            };
            findings.push(Finding::ok("job file", &file, detail));
            jobs
        }
        Err(failure) => {
            findings.push(Finding::failure("job file", &file, failure));
            Vec::new()
        }
    };
    let mut known = known::all(state_dir).unwrap_or_default();
    known.retain(|job| job.folder().is_some());
    known.retain(|job| configured.iter().all(|it| it.pair.local != job.directory));
    let remotes = known.iter().filter(|job| job.user.is_none());
    let remotes = remotes.map(|job| PathBuf::from(&job.server));
    let servers = known.iter().filter(|job| job.user.is_some());
    Patients {
        remote_folders: remotes.filter(|folder| folder.is_absolute()).collect(),
        remembered: servers
            .filter_map(|job| remembered(job, state_dir))
            .collect(),
        folders: known.into_iter().map(|job| job.directory).collect(),
        configured,
    }
}

/// Makes a job of what is known of one that ran by flags alone; nothing if that is not
/// enough any more.
fn remembered(job: &Known, state_dir: &Path) -> Option<Wanted> {
    let job = json!([{
        "id": job.id, "label": job.label, "server": job.server, "workspace": job.workspace,
        "user": job.user.as_deref().filter(|user| !user.is_empty()),
        "directory": job.directory, "remote_folder": job.remote_folder,
    }]);
    let mut job = job;
    let fields = job[0].as_object_mut()?;
    fields.retain(|_, value| !value.is_null());
    let configs = jobfile::judged(Path::new("job.json"), job.to_string().as_bytes()).ok()?;
    run::checked(configs, state_dir).ok()?.pop()
}

impl Patients {
    fn active(&self) -> impl Iterator<Item = &Wanted> {
        self.configured.iter().filter(|job| job.config.is_active)
    }

    /// Each local folder once.
    fn locals(&self) -> impl Iterator<Item = &PathBuf> {
        self.active()
            .map(|job| &job.pair.local)
            .chain(&self.folders)
    }
}

impl Finding {
    fn ok(what: &'static str, place: &str, detail: impl Into<String>) -> Self {
        Self {
            what,
            place: place.to_owned(),
            state: State::Ok,
            detail: detail.into(),
            way_out: None,
        }
    }

    fn warn(
        what: &'static str,
        place: &str,
        detail: impl Into<String>,
        way_out: impl Into<String>,
    ) -> Self {
        Self {
            state: State::Warn,
            way_out: Some(way_out.into()),
            ..Self::ok(what, place, detail)
        }
    }

    fn fail(
        what: &'static str,
        place: &str,
        exit: Exit,
        detail: impl Into<String>,
        way_out: impl Into<String>,
    ) -> Self {
        Self {
            state: State::Fail(exit),
            way_out: Some(way_out.into()),
            ..Self::ok(what, place, detail)
        }
    }

    fn failure(what: &'static str, place: &str, failure: Failure) -> Self {
        Self {
            state: State::Fail(failure.exit),
            way_out: failure.hint,
            ..Self::ok(what, place, failure.message)
        }
    }

    /// The same of a job that was given flags which nobody knows here.
    fn of_flags(self) -> Self {
        match self.state {
            State::Ok | State::Warn => self,
            State::Fail(_) => Self {
                state: State::Warn,
                way_out: Some(
                    "this job ran by flags alone; `pydio-sync jobs add` keeps them, and \
                     `pydio-sync login` its password"
                        .to_owned(),
                ),
                ..self
            },
        }
    }

    fn print(&self, args: &Args) {
        let state = match self.state {
            State::Ok => "ok",
            State::Warn => "warn",
            State::Fail(_) => "fail",
        };
        if args.common.json {
            print::data(&json!({
                "type": "check", "what": self.what, "place": self.place, "state": state,
                "detail": self.detail, "way_out": self.way_out,
            }));
            return;
        }
        let place = match self.place.as_str() {
            "" => String::new(),
            place => format!(" {}", plain(place)),
        };
        print::line(&format!(
            "{state:<4}  {}{place}: {}",
            self.what,
            plain(&self.detail)
        ));
        if let Some(way_out) = &self.way_out {
            print::line(&format!("      {}", plain(way_out)));
        }
    }
}
