//! Which two places are meant, and whether they can be a pair.
//!
//! In: flags. Out: absolute paths, or a message that says what is wrong with which.
//! Invariant: nothing is created before everything was checked.

use super::args::Args;
use super::exit::Failure;
use std::path::{Component, Path, PathBuf};

/// A local folder, a remote folder, and where the journal is.
#[derive(Debug)]
pub(super) struct Pair {
    pub(super) job: String,
    pub(super) label: String,
    pub(super) local: PathBuf,
    pub(super) remote: PathBuf,
    pub(super) state_dir: PathBuf,
}

/// Reads the pair off the flags.
pub(super) fn pair(args: &Args) -> Result<Pair, Failure> {
    if let Some(workspace) = &args.workspace {
        return Err(Failure::usage(
            format!("a folder has no workspace `{workspace}`"),
            "leave `-w` out, or name a Pydio server with `-s`",
        ));
    }
    let Some(directory) = &args.directory else {
        return Err(Failure::usage("no local folder is given", "add `-d DIR`"));
    };
    let local = absolute(directory)?;
    let remote = remote_folder(args)?;
    let state_dir = absolute(&state_dir(args)?)?;
    check_apart(&local, &remote, &state_dir)?;
    Ok(Pair {
        job: job_id(&local, &remote),
        label: local.file_name().map_or_else(
            || "folder".to_owned(),
            |name| name.to_string_lossy().into_owned(),
        ),
        local,
        remote,
        state_dir,
    })
}

fn remote_folder(args: &Args) -> Result<PathBuf, Failure> {
    let server = args.server.as_str();
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
            return Err(Failure::usage(
                format!("this release cannot reach `{scheme}` servers yet"),
                "name a folder with `-s /path` or `-s file:///path`",
            ));
        }
    };
    let subfolder = args.remote_folder.trim_matches('/');
    if Path::new(subfolder)
        .components()
        .any(|part| !matches!(part, Component::Normal(_)))
    {
        return Err(Failure::usage(
            format!("`{}` is no subfolder", args.remote_folder),
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

fn state_dir(args: &Args) -> Result<PathBuf, Failure> {
    if let Some(dir) = &args.state_dir {
        return Ok(dir.clone());
    }
    let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
    if let Some(dir) = set("XDG_STATE_HOME")
        .map(PathBuf::from)
        .filter(|dir| dir.is_absolute())
    {
        return Ok(dir.join("pydio-sync"));
    }
    match set("HOME") {
        Some(home) => Ok(PathBuf::from(home).join(".local/state/pydio-sync")),
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

fn check_apart(local: &Path, remote: &Path, state_dir: &Path) -> Result<(), Failure> {
    let overlap = |one: &Path, other: &Path| one.starts_with(other) || other.starts_with(one);
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
