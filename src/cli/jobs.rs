//! `jobs list|add|remove`: the job file that the program keeps for its user.
//!
//! In: flags. Out: a job file with one job more or less, or a list. Invariants: a file
//! is written only if all of it is right; every byte of other jobs stays; no password
//! gets into it. Deliberately absent: what the keys mean (`jobfile`).

use super::args::Args;
use super::channel::Daemon;
use super::config::JobConfig;
use super::exit::{Exit, Failure};
use super::job_args::{NewJob, OneFile};
use super::known::{self, Known};
use super::text::plain;
use super::{jobfile, login, pair, password, print, run};
use crate::adapters::credentials::Credentials;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

/// The usual job file.
///
/// # Errors
/// Nothing says where.
pub(super) fn usual() -> Result<PathBuf, Failure> {
    let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
    let config = set("XDG_CONFIG_HOME").map(PathBuf::from);
    let config = config.filter(|dir| dir.is_absolute());
    match config.or_else(|| set("HOME").map(|home| PathBuf::from(home).join(".config"))) {
        Some(config) => Ok(config.join("pydio-sync/jobs.json")),
        None => Err(Failure::usage(
            "no place for the job file: HOME is not set",
            "name one with `-f FILE`",
        )),
    }
}

/// Reads the jobs of a file, or of the usual one; none if that is not there.
///
/// # Errors
/// The file cannot be read, or the first mistake in it.
pub(super) fn configured(file: Option<&Path>) -> Result<Vec<JobConfig>, Failure> {
    match file {
        Some(file) => jobfile::read(file),
        None => match usual()? {
            file if file.exists() => jobfile::read(&file),
            _ => Ok(Vec::new()),
        },
    }
}

/// Lists the jobs that are configured, then those that only ran here.
///
/// # Errors
/// A file cannot be read.
pub(super) fn list(args: &Args, flags: &OneFile) -> Result<Exit, Failure> {
    let state_dir = pair::state_dir(args.common.state_dir.as_deref())?;
    let configured = run::checked(configured(flags.file.as_deref())?, &state_dir)?;
    let states = states(&state_dir);
    for job in &configured {
        let known = Known::of(&job.pair);
        one(args, &known, &states, true, job.config.is_active);
    }
    for known in known::all(&state_dir)? {
        if configured.iter().all(|job| job.pair.job != known.id) {
            one(args, &known, &states, false, true);
        }
    }
    Ok(Exit::InSync)
}

type States = BTreeMap<String, String>;

/// Asks the daemon, if one answers, in which states its jobs are.
fn states(state_dir: &Path) -> States {
    let Ok(runtime) = run::runtime() else {
        return States::new();
    };
    let rows = runtime.block_on(async {
        let mut daemon = Daemon::find(state_dir).await?;
        daemon.rows().await.ok()
    });
    let rows = rows.unwrap_or_default().into_iter();
    rows.map(|row| (row.job, row.state)).collect()
}

fn one(args: &Args, job: &Known, states: &States, is_configured: bool, is_active: bool) {
    let state = states.get(&job.id);
    if args.common.json {
        let mut value = serde_json::to_value(job).unwrap_or(Value::Null);
        value["type"] = "job".into();
        // A note has it as its own id; everywhere else it is the job.
        value["job"] = value["id"].take();
        if let Some(fields) = value.as_object_mut() {
            fields.remove("id");
        }
        value["configured"] = is_configured.into();
        value["active"] = is_active.into();
        value["state"] = state.map_or(Value::Null, |state| state.as_str().into());
        print::data(&value);
        return;
    }
    if job.folder().is_none() {
        let (label, id) = (plain(&job.label), plain(&job.id));
        print::line(&format!(
            "{label} ({id}): its folders are not known until it runs"
        ));
        return;
    }
    let remote = match &job.workspace {
        Some(workspace) => {
            let user = job.user.as_deref().unwrap_or_default();
            format!("{} {workspace}{} as {user}", job.server, job.remote_folder)
        }
        None => job.server.clone(),
    };
    print::line(&format!(
        "{} ({}): {} <-> {}{}{}",
        plain(&job.label),
        plain(&job.id),
        plain(&job.directory.to_string_lossy()),
        plain(&remote),
        if is_active { "" } else { "; not active" },
        state.map_or_else(String::new, |state| format!("; {}", plain(state))),
    ));
}

/// Adds a job to a job file.
///
/// # Errors
/// The job, or the file with it, would not be right; nothing was written.
pub(super) fn add(args: &Args, flags: &NewJob) -> Result<Exit, Failure> {
    let state_dir = pair::state_dir(args.common.state_dir.as_deref())?;
    let file = match &flags.file.file {
        Some(file) => file.clone(),
        None => usual()?,
    };
    let old = if file.exists() {
        jobfile::bytes(&file)?
    } else {
        b"[]\n".to_vec()
    };
    let there = jobfile::judged(&file, &old)?;
    let mut job = described(flags)?;
    // The places say the id where the user does not.
    let alone = Value::from(vec![Value::Object(job.clone())]).to_string();
    let alone = jobfile::judged(&file, alone.as_bytes())?;
    let wanted = run::checked(alone, &state_dir)?;
    let pair = &wanted.first().expect("one job was described").pair;
    let id = pair.job.clone();
    if there
        .iter()
        .any(|job| job.id.as_deref() == Some(id.as_str()))
    {
        return Err(Failure::usage(
            format!("the job `{}` is in {} already", plain(&id), file.display()),
            "take it out with `pydio-sync jobs remove`, or give the new one another `--id`",
        ));
    }
    job.entry("id").or_insert_with(|| id.as_str().into());
    let text = serde_json::to_string_pretty(&Value::Object(job))
        .map_err(|error| Failure::new(Exit::Internal, error.to_string()))?
        .replace('\n', "\n  ");
    let new = jobfile::with(&old, &id, &text)
        .ok_or_else(|| Failure::usage(format!("`{}` holds no jobs", file.display()), "mend it"))?;
    run::checked(jobfile::judged(&file, &new)?, &state_dir)?;
    let account = password::account(&pair.remote);
    let secret = password::explicit(login::given(&flags.access).as_ref())?;
    if let (Some(account), Some(secret)) = (&account, &secret) {
        let kept = Credentials::new(&state_dir).save(account, secret);
        let kept = kept.map_err(|error| Failure::new(Exit::Internal, error.to_string()))?;
        print::words(&format!("the password is kept in {kept}, unchecked"));
    }
    make_parent(&file)?;
    jobfile::write(&file, &new)?;
    print::words(&format!("added `{}` to {}", plain(&id), file.display()));
    let is_known = |account| Credentials::new(&state_dir).find(account).secret.is_some();
    if let (Some(account), None) = (&account, &secret)
        && !is_known(account)
    {
        print::words(&format!(
            "  keep its password with `pydio-sync login -s {} -u {}`",
            account.server, account.user
        ));
    }
    Ok(Exit::InSync)
}

/// Takes a job out of a job file.
///
/// # Errors
/// No job or several are called that; nothing was written.
pub(super) fn remove(_args: &Args, name: &str, flags: &OneFile) -> Result<Exit, Failure> {
    let file = match &flags.file {
        Some(file) => file.clone(),
        None => usual()?,
    };
    let old = jobfile::bytes(&file)?;
    let jobs = jobfile::judged(&file, &old)?;
    let is_meant = |job: &&JobConfig| job.id.as_deref() == Some(name);
    let mut fitting: Vec<&JobConfig> = jobs.iter().filter(is_meant).collect();
    if fitting.is_empty() {
        let folder = |job: &JobConfig| {
            let name = job.directory.file_name();
            name.map(|name| name.to_string_lossy().into_owned())
        };
        let is_labelled = |job: &&JobConfig| match &job.label {
            Some(label) => label == name,
            None => folder(job).as_deref() == Some(name),
        };
        fitting = jobs.iter().filter(is_labelled).collect();
    }
    let at = match fitting.as_slice() {
        [job] => job.at.as_deref().unwrap_or_default(),
        [] => {
            let ids: Vec<&str> = jobs.iter().filter_map(|job| job.id.as_deref()).collect();
            return Err(Failure::usage(
                format!("no job `{name}` in {}", file.display()),
                match ids.len() {
                    0 => "none there has an id; edit the file".to_owned(),
                    _ => format!("there are `{}`", plain(&ids.join("`, `"))),
                },
            ));
        }
        _ => {
            return Err(Failure::usage(
                format!("several jobs are called `{name}`"),
                "name one by its id",
            ));
        }
    };
    let new = jobfile::without(&old, at)
        .ok_or_else(|| Failure::new(Exit::Internal, "the job was not found again"))?;
    jobfile::judged(&file, &new)?;
    jobfile::write(&file, &new)?;
    print::words(&format!(
        "removed `{}` from {}; its folders, its journal and its password stay",
        plain(name),
        file.display()
    ));
    Ok(Exit::InSync)
}

/// The job as a job file has it.
fn described(flags: &NewJob) -> Result<Map<String, Value>, Failure> {
    let text = |path: &Path| {
        path.to_str().map(str::to_owned).ok_or_else(|| {
            Failure::usage(
                format!("`{}` is not UTF-8", path.display()),
                "a job file can hold UTF-8 only",
            )
        })
    };
    let link = login::link(&flags.access)?;
    let server = if flags.server.contains("://") {
        flags.server.clone()
    } else {
        text(&pair::absolute(Path::new(&flags.server))?)?
    };
    let word = |value: &str| value.to_owned();
    let given = [
        ("id", flags.id.clone()),
        ("label", flags.label.clone()),
        ("server", Some(server)),
        ("workspace", flags.workspace.clone()),
        ("directory", Some(text(&pair::absolute(&flags.directory)?)?)),
        ("remote_folder", flags.remote_folder.clone()),
        ("user", flags.user.clone()),
        ("direction", flags.direction.map(|way| word(way.word()))),
        ("solve", flags.conflict.map(|who| word(who.word()))),
        ("ca_file", link.ca_file.as_deref().map(text).transpose()?),
        (
            "client_cert",
            link.client_cert.as_deref().map(text).transpose()?,
        ),
        ("proxy", link.proxy.map(|proxy| proxy.expose().to_owned())),
    ];
    let mut job = Map::new();
    job.insert("__type__".to_owned(), "JobConfig".into());
    for (key, value) in given {
        if let Some(value) = value {
            job.insert(key.to_owned(), value.into());
        }
    }
    if link.trust_ssl {
        job.insert("trust_ssl".to_owned(), json!(true));
    }
    Ok(job)
}

fn make_parent(file: &Path) -> Result<(), Failure> {
    let Some(parent) = file
        .parent()
        .filter(|parent| !parent.as_os_str().is_empty())
    else {
        return Ok(());
    };
    let made = std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(parent);
    made.map_err(|error| {
        Failure::usage(
            format!("the folder `{}` cannot be made: {error}", parent.display()),
            "name another file with `-f FILE`",
        )
    })
}
