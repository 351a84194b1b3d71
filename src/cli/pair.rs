//! Which two places are meant, and whether they can be a pair.
//!
//! In: a job as its user wrote it. Out: two places, or a message that says what is
//! wrong with which. Invariants: nothing is created before everything was checked; two
//! jobs never share an id unless their places are the same. Deliberately absent: what
//! a remote looks like (`place`).

use super::config::JobConfig;
use super::exit::{Exit, Failure};
use super::place;
use crate::adapters::remote::{RemotePlace, ServerPlace};
use journal_format::value::Side;
use std::io::ErrorKind;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Component, Path, PathBuf};

/// A local folder, a remote, and where the journal is.
#[derive(Debug, Clone)]
pub(super) struct Pair {
    pub(super) job: String,
    pub(super) label: String,
    pub(super) local: PathBuf,
    pub(super) remote: RemotePlace,
    pub(super) state_dir: PathBuf,
}

/// Reads the pair of a job.
///
/// # Errors
/// The places cannot be a pair, whatever stands there.
pub(super) fn pair(config: &JobConfig, state_dir: &Path) -> Result<Pair, Failure> {
    let remote = place::remote(config)?;
    let local = absolute(&config.directory)?;
    check_apart(&local, remote.folder(), state_dir)?;
    let folder = || {
        local.file_name().map_or_else(
            || "folder".to_owned(),
            |name| name.to_string_lossy().into_owned(),
        )
    };
    Ok(Pair {
        job: config.id.clone().unwrap_or_else(|| job_id(&local, &remote)),
        label: config.label.clone().unwrap_or_else(folder),
        local,
        remote,
        state_dir: state_dir.to_owned(),
    })
}

impl Pair {
    /// One of the two places, for people.
    pub(super) fn place(&self, side: Side) -> String {
        match side {
            Side::Local => self.local.display().to_string(),
            Side::Remote => self.remote.to_string(),
        }
    }

    /// What keeps a side from being a root, as far as this machine can tell.
    pub(super) fn obstacle(&self, side: Side) -> Option<String> {
        match side {
            Side::Local => obstacle(&self.local),
            Side::Remote => self.remote.folder().and_then(obstacle),
        }
    }
}

/// Refuses pairs of which one would sync what another one syncs too. Several local
/// folders may share one remote, as several clients would.
///
/// # Errors
/// The first two that meet, with the place of the later one.
pub(super) fn check_together(pairs: &[&Pair]) -> Result<(), (usize, Failure)> {
    for (place, one) in pairs.iter().enumerate() {
        for other in &pairs[..place] {
            if let Some((a, b)) = meeting(one, other) {
                let (one, other) = (&one.job, &other.job);
                let failure = Failure::usage(
                    format!(
                        "the jobs `{one}` and `{other}` meet: `{a}` and `{b}` are one folder or \
                         lie in one another"
                    ),
                    "give each job folders of its own; nothing was started",
                );
                return Err((place, failure));
            }
        }
    }
    Ok(())
}

/// The places at which two pairs meet.
fn meeting(one: &Pair, other: &Pair) -> Option<(String, String)> {
    let crossed = |local: &Path, remote: &RemotePlace| {
        remote
            .folder()
            .filter(|folder| overlap(local, folder))
            .map(|folder| (local.display().to_string(), folder.display().to_string()))
    };
    if overlap(&one.local, &other.local) {
        return Some((one.place(Side::Local), other.place(Side::Local)));
    }
    if one.remote.overlaps(&other.remote) && !one.remote.is_same(&other.remote) {
        return Some((one.place(Side::Remote), other.place(Side::Remote)));
    }
    crossed(&one.local, &other.remote).or_else(|| crossed(&other.local, &one.remote))
}

/// What keeps a folder from being a root, in words.
fn obstacle(path: &Path) -> Option<String> {
    match std::fs::metadata(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => Some("does not exist".to_owned()),
        Err(error) => Some(format!("cannot be reached: {error}")),
        Ok(seen) if !seen.is_dir() => Some("is not a folder".to_owned()),
        Ok(_) => std::fs::read_dir(path)
            .err()
            .map(|error| format!("cannot be listed: {error}")),
    }
}

/// Checks roots that were never seen before; the local one may be made.
///
/// # Errors
/// One of them cannot be used.
pub(super) fn check_new(pair: &Pair, may_create: bool) -> Result<(), Failure> {
    let refused = |side: Side, obstacle: &str| {
        Failure::usage(
            format!("the {side} folder `{}` {obstacle}", pair.place(side)),
            "check the path, or create the folder",
        )
    };
    if let Some(obstacle) = pair.obstacle(Side::Remote) {
        return Err(refused(Side::Remote, &obstacle));
    }
    let Some(local) = pair.obstacle(Side::Local) else {
        return Ok(());
    };
    let is_missing = !pair.local.exists() && !pair.local.is_symlink();
    let has_parent = pair.local.parent().is_some_and(Path::is_dir);
    match (is_missing, has_parent) {
        (true, true) if may_create => Ok(()),
        (true, false) => Err(Failure::usage(
            format!(
                "the local folder `{}` and the folder above it do not exist",
                pair.local.display()
            ),
            "check the path; only its last part is created",
        )),
        _ => Err(refused(Side::Local, &local)),
    }
}

/// Returns where journals are kept, absolute.
///
/// # Errors
/// Nothing says where.
pub(super) fn state_dir(asked: Option<&Path>) -> Result<PathBuf, Failure> {
    if let Some(dir) = asked {
        return absolute(dir);
    }
    let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
    if let Some(dir) = set("XDG_STATE_HOME")
        .map(PathBuf::from)
        .filter(|dir| dir.is_absolute())
    {
        return absolute(&dir.join("pydio-sync"));
    }
    match set("HOME") {
        Some(home) => absolute(&PathBuf::from(home).join(".local/state/pydio-sync")),
        None => Err(Failure::usage(
            "no place for the journal: HOME is not set",
            "add `--state-dir DIR`",
        )),
    }
}

/// Makes the state folder, its owner's alone.
///
/// # Errors
/// It cannot be made there.
pub(super) fn make_state_dir(state_dir: &Path) -> Result<(), Failure> {
    let made = std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(state_dir);
    made.map_err(|error| {
        let exit = match error.kind() {
            ErrorKind::StorageFull | ErrorKind::QuotaExceeded => Exit::Internal,
            _ => Exit::Usage,
        };
        let place = state_dir.display();
        Failure::new(
            exit,
            format!("the state folder `{place}` cannot be made: {error}"),
        )
        .hint("name another one with `--state-dir`")
    })
}

/// Makes a path absolute and free of `.` and `..`, following links where it exists.
pub(super) fn absolute(path: &Path) -> Result<PathBuf, Failure> {
    if path.as_os_str().is_empty() {
        return Err(Failure::usage("an empty path", "name a folder"));
    }
    let whole = std::path::absolute(path).map_err(|error| {
        Failure::usage(
            format!("`{}` is no usable path: {error}", path.display()),
            "name a folder",
        )
    })?;
    let mut clean = PathBuf::new();
    for part in whole.components() {
        match part {
            Component::ParentDir => {
                clean.pop();
            }
            Component::CurDir => {}
            Component::Prefix(_) | Component::RootDir | Component::Normal(_) => clean.push(part),
        }
        if let Ok(real) = std::fs::canonicalize(&clean) {
            clean = real;
        }
    }
    Ok(clean)
}

fn overlap(one: &Path, other: &Path) -> bool {
    one.starts_with(other) || other.starts_with(one)
}

fn check_apart(local: &Path, remote: Option<&Path>, state_dir: &Path) -> Result<(), Failure> {
    if let Some(remote) = remote.filter(|remote| overlap(local, remote)) {
        return Err(Failure::usage(
            format!(
                "`{}` and `{}` lie in one another",
                local.display(),
                remote.display()
            ),
            "name two folders that do not contain each other",
        ));
    }
    for folder in std::iter::once(local).chain(remote) {
        if state_dir.starts_with(folder) {
            return Err(Failure::usage(
                format!(
                    "the state folder `{}` lies in the synced folder `{}`",
                    state_dir.display(),
                    folder.display()
                ),
                "choose another one with `--state-dir`",
            ));
        }
        if folder.starts_with(state_dir) {
            return Err(Failure::usage(
                format!(
                    "the folder `{}` lies in the state folder `{}`",
                    folder.display(),
                    state_dir.display()
                ),
                "choose another one with `--state-dir`",
            ));
        }
    }
    Ok(())
}

/// The same two places are the same job. No id looks like a flag, since it is an argument
/// of the commands that are advised.
fn job_id(local: &Path, remote: &RemotePlace) -> String {
    let id = place_id(local, remote);
    if id.starts_with('-') {
        format!("job{id}")
    } else {
        id
    }
}

fn place_id(local: &Path, remote: &RemotePlace) -> String {
    match remote {
        RemotePlace::Folder(path) => {
            let name = local.file_name().unwrap_or_default().to_string_lossy();
            let name: String = simple(&name).take(NAME_CHARS_MAX).collect();
            let parts = [local, path].map(|path| path.as_os_str().as_encoded_bytes());
            format!("{name}-{}", hashed(&parts))
        }
        RemotePlace::Pydio(place) => server_job_id(local, place, &place.workspace),
        RemotePlace::Webdav(place) => server_job_id(local, place, "dav"),
    }
}

/// Host and workspace, as the old client named jobs, and what tells apart two jobs of
/// one workspace.
fn server_job_id(local: &Path, place: &ServerPlace, what: &str) -> String {
    let (_, host) = place.url.split_once("://").unwrap_or(("", &place.url));
    let host = host.split('/').next().unwrap_or_default();
    // No dots: the id is one word of a topic.
    let spelled = |text: &str| -> String {
        let is_kept = |c: &char| c.is_ascii_alphanumeric() || "-_".contains(*c);
        let text = text.replace(['.', ':'], "-");
        text.chars().filter(is_kept).take(NAME_CHARS_MAX).collect()
    };
    let parts = [
        local.as_os_str().as_encoded_bytes(),
        place.url.as_bytes(),
        place.workspace.as_bytes(),
        place.folder.as_str().as_bytes(),
        place.user.as_bytes(),
    ];
    let (host, what) = (spelled(host), spelled(what));
    format!("{host}-{what}-{}", hashed(&parts))
}

fn simple(text: &str) -> impl Iterator<Item = char> + '_ {
    text.chars().filter(char::is_ascii_alphanumeric)
}

fn hashed(parts: &[&[u8]]) -> String {
    let mut hasher = blake3::Hasher::new();
    for part in parts {
        hasher.update(part);
        hasher.update(&[0]);
    }
    hasher.finalize().to_hex()[..12].to_owned()
}

const NAME_CHARS_MAX: usize = 24;
