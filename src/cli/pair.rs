//! Which two places are meant, and whether they can be a pair.
//!
//! In: a job as its user wrote it. Out: absolute paths, or a message that says what is wrong with which.
//! Invariant: nothing is created before everything was checked.

use super::config::JobConfig;
use super::exit::Failure;
use std::io::ErrorKind;
use std::path::{Component, Path, PathBuf};

/// A local folder, a remote folder, and where the journal is.
#[derive(Debug, Clone)]
pub(super) struct Pair {
    pub(super) job: String,
    pub(super) label: String,
    pub(super) local: PathBuf,
    pub(super) remote: PathBuf,
    pub(super) state_dir: PathBuf,
}

/// Reads the pair of a job.
///
/// # Errors
/// The places cannot be a pair, whatever stands there.
pub(super) fn pair(config: &JobConfig, state_dir: &Path) -> Result<Pair, Failure> {
    let remote = remote_folder(config)?;
    if let Some(workspace) = &config.workspace {
        return Err(Failure::usage(
            format!("a folder has no workspace `{workspace}`"),
            "leave the workspace out",
        ));
    }
    let local = absolute(&config.directory)?;
    check_apart(&local, &remote, state_dir)?;
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

/// Refuses pairs of which one would sync what another one syncs too. Several local
/// folders may share one remote folder, as several clients would.
///
/// # Errors
/// The first two that meet.
pub(super) fn check_together(pairs: &[&Pair]) -> Result<(), Failure> {
    for (place, one) in pairs.iter().enumerate() {
        for other in &pairs[..place] {
            let meeting = [
                (&one.local, &other.local, false),
                (&one.local, &other.remote, false),
                (&one.remote, &other.local, false),
                (&one.remote, &other.remote, true),
            ]
            .into_iter()
            .find(|(a, b, may_be_equal)| overlap(a, b) && !(*may_be_equal && a == b));
            if let Some((a, b, _)) = meeting {
                return Err(Failure::usage(
                    format!(
                        "the jobs `{}` and `{}` meet: `{}` and `{}` are one folder or lie in one another",
                        one.label,
                        other.label,
                        a.display(),
                        b.display()
                    ),
                    "give each job folders of its own; nothing was started",
                ));
            }
        }
    }
    Ok(())
}

/// What keeps a folder from being a root, in words.
pub(super) fn obstacle(path: &Path) -> Option<String> {
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
    let refused = |side: &str, path: &Path, obstacle: &str| {
        Failure::usage(
            format!("the {side} folder `{}` {obstacle}", path.display()),
            "check the path, or create the folder",
        )
    };
    if let Some(obstacle) = obstacle(&pair.remote) {
        return Err(refused("remote", &pair.remote, &obstacle));
    }
    let Some(local) = obstacle(&pair.local) else {
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
        _ => Err(refused("local", &pair.local, &local)),
    }
}

fn remote_folder(config: &JobConfig) -> Result<PathBuf, Failure> {
    let server = config.server.as_str();
    let path = match server.split_once("://") {
        None => PathBuf::from(server),
        Some(("file", path)) if path.starts_with('/') => PathBuf::from(path),
        Some(("file", _)) => {
            return Err(Failure::usage(
                format!("`{server}` names another machine"),
                "write `file:///path` with three slashes",
            ));
        }
        Some((scheme, _)) => {
            let what = match scheme {
                "http" | "https" => "this release cannot reach Pydio servers",
                "webdav" | "webdavs" | "dav" | "davs" => "this release cannot reach WebDAV servers",
                _ => "no kind of server is known by that scheme",
            };
            return Err(Failure::usage(
                format!("`{scheme}://`: {what}"),
                "name a folder with `-s /path` or `-s file:///path`",
            ));
        }
    };
    let subfolder = config.remote_folder.trim_matches('/');
    if Path::new(subfolder)
        .components()
        .any(|part| !matches!(part, Component::Normal(_)))
    {
        return Err(Failure::usage(
            format!("`{}` is no subfolder", config.remote_folder),
            "give `-r` a path below the remote, without `..`",
        ));
    }
    absolute(&path).map(|path| {
        if subfolder.is_empty() {
            path
        } else {
            path.join(subfolder)
        }
    })
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

/// Makes a path absolute and free of `.` and `..`, following links where it exists.
fn absolute(path: &Path) -> Result<PathBuf, Failure> {
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

fn check_apart(local: &Path, remote: &Path, state_dir: &Path) -> Result<(), Failure> {
    if overlap(local, remote) {
        return Err(Failure::usage(
            format!(
                "`{}` and `{}` lie in one another",
                local.display(),
                remote.display()
            ),
            "name two folders that do not contain each other",
        ));
    }
    for folder in [local, remote] {
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

/// The same two places are the same job.
fn job_id(local: &Path, remote: &Path) -> String {
    let mut hasher = blake3::Hasher::new();
    for path in [local, remote] {
        hasher.update(path.as_os_str().as_encoded_bytes());
        hasher.update(&[0]);
    }
    let hash = hasher.finalize().to_hex();
    let name = local
        .file_name()
        .map_or_else(String::new, |name| name.to_string_lossy().into());
    let name: String = name
        .chars()
        .filter(char::is_ascii_alphanumeric)
        .take(24)
        .collect();
    format!("{name}-{}", &hash[..12])
}
