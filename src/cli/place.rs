//! Which remote a job's user means.
//!
//! In: `server`, `workspace`, `remote_folder`, `user`. Out: a [`RemotePlace`], or what
//! is missing and how to find it. Invariant: no password in a place or a message.
//! Deliberately absent: asking servers. A new kind of server is an arm in [`remote`].

use super::config::JobConfig;
use super::exit::Failure;
use super::pair::absolute;
use crate::adapters::remote::{RemotePlace, ServerPlace};
use journal_format::value::RelPath;
use percent_encoding::percent_decode_str;
use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::path::{Component, Path, PathBuf};
use url::Url;

/// Tells whether a server's text names a Pydio server.
pub(super) fn is_pydio(server: &str) -> bool {
    matches!(scheme(server).as_deref(), Some("http" | "https"))
}

/// Tells whether a server's text names a WebDAV server.
pub(super) fn is_webdav(server: &str) -> bool {
    matches!(
        scheme(server).as_deref(),
        Some("webdav" | "webdavs" | "dav" | "davs")
    )
}

/// Reads the remote of a job.
///
/// # Errors
/// Something is missing, or no remote can look like that.
pub(super) fn remote(config: &JobConfig) -> Result<RemotePlace, Failure> {
    let server = config.server.as_str();
    match scheme(server).as_deref() {
        None => folder(config, PathBuf::from(server)),
        Some("file") => {
            let path = server.split_once("://").map_or("", |(_, path)| path);
            if !path.starts_with('/') {
                return Err(Failure::usage(
                    format!("`{server}` names another machine"),
                    "write `file:///path` with three slashes",
                ));
            }
            folder(config, decoded(path)?)
        }
        Some("http" | "https") => pydio(config),
        Some("webdav" | "webdavs" | "dav" | "davs") => webdav(config),
        Some(scheme) => Err(unreachable_scheme(scheme)),
    }
}

/// Checks a server's URL and brings it into the one form that is stored and
/// compared: no credentials, no query, no slash at the end.
///
/// # Errors
/// It is no such URL.
pub(super) fn server_url(text: &str) -> Result<String, Failure> {
    // The protocol beneath, by which a URL is read, and the scheme that is stored.
    let (beneath, kept) = match scheme(text).as_deref() {
        Some("http") => ("http", "http"),
        Some("https") => ("https", "https"),
        Some("webdav" | "dav") => ("http", "webdav"),
        Some("webdavs" | "davs") => ("https", "webdavs"),
        Some(scheme) if scheme != "file" => return Err(unreachable_scheme(scheme)),
        _ => {
            return Err(Failure::usage(
                format!("`{text}` is no server"),
                "name one like `https://host/pydio` or `webdavs://host/path` with `-s`",
            ));
        }
    };
    let (_, rest) = text.split_once("://").unwrap_or_default();
    // The text may hold a password, and is not shown before that is ruled out.
    let url = Url::parse(&format!("{beneath}://{rest}")).map_err(|error| {
        Failure::usage(
            format!("the server's URL cannot be read: {error}"),
            "write it like `https://host/pydio`",
        )
    })?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err(Failure::usage(
            "the server's URL holds credentials, which end up in logs and process lists",
            "leave them out; name the user with `-u`, and see `pydio-sync login --help`",
        ));
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(Failure::usage(
            format!("`{text}` holds more than a server's place"),
            "write it like `https://host/pydio`, without `?` and `#`",
        ));
    }
    let (_, place) = url.as_str().split_once("://").unwrap_or_default();
    Ok(format!("{kept}://{}", place.trim_end_matches('/')))
}

fn webdav(config: &JobConfig) -> Result<RemotePlace, Failure> {
    let url = server_url(&config.server)?;
    if let Some(workspace) = &config.workspace {
        return Err(Failure::usage(
            format!("a WebDAV server has no workspace `{workspace}`"),
            "leave `-w` out: the folder is part of the address, or named with `-r`",
        ));
    }
    Ok(RemotePlace::Webdav(Box::new(ServerPlace {
        url,
        workspace: String::new(),
        folder: subfolder(config)?,
        user: config.user.clone().unwrap_or_default(),
        link: config.link.clone(),
    })))
}

fn pydio(config: &JobConfig) -> Result<RemotePlace, Failure> {
    let url = server_url(&config.server)?;
    let Some(workspace) = &config.workspace else {
        let user = config.user.as_deref().unwrap_or("USER");
        return Err(Failure::usage(
            format!("no workspace is given for `{url}`"),
            format!(
                "add `-w WORKSPACE`; `pydio-sync jobs check -s {url} -u {user}` lists those there are"
            ),
        ));
    };
    if workspace.contains(['/', '?', '#']) || workspace.chars().any(char::is_control) {
        return Err(Failure::usage(
            format!("`{workspace}` is no workspace's id or alias"),
            "give `-w` one as the server lists it, and folders in it with `-r`",
        ));
    }
    let Some(user) = config.user.as_deref().filter(|user| !user.is_empty()) else {
        return Err(Failure::usage(
            format!("no user is given for `{url}`"),
            "add `-u NAME`",
        ));
    };
    Ok(RemotePlace::Pydio(Box::new(ServerPlace {
        url,
        workspace: workspace.clone(),
        folder: subfolder(config)?,
        user: user.to_owned(),
        link: config.link.clone(),
    })))
}

fn folder(config: &JobConfig, path: PathBuf) -> Result<RemotePlace, Failure> {
    if let Some(workspace) = &config.workspace {
        return Err(Failure::usage(
            format!("a folder has no workspace `{workspace}`"),
            "leave the workspace out; folders in the remote are named with `-r`",
        ));
    }
    let subfolder = subfolder(config)?;
    let path = absolute(&path)?;
    Ok(RemotePlace::Folder(if subfolder.is_root() {
        path
    } else {
        path.join(subfolder.as_str())
    }))
}

/// The path in a URL of a folder: `%20` stands for a blank (RFC 8089).
fn decoded(path: &str) -> Result<PathBuf, Failure> {
    let wrong = |what: &str| {
        Failure::usage(
            format!("`file://{path}`: {what}"),
            "write `%25` for a percent sign, or give the folder as a path, without `file://`",
        )
    };
    let is_byte = |part: &str| {
        let digits = part.as_bytes().first_chunk::<2>();
        digits.is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit))
    };
    if let Some(part) = path.split('%').skip(1).find(|part| !is_byte(part)) {
        let shown: String = part.chars().take(2).collect();
        return Err(wrong(&format!("`%{shown}` stands for nothing")));
    }
    let bytes: Vec<u8> = percent_decode_str(path).collect();
    if bytes.contains(&0) {
        return Err(wrong("no path holds the byte `%00`"));
    }
    Ok(PathBuf::from(OsString::from_vec(bytes)))
}

fn subfolder(config: &JobConfig) -> Result<RelPath, Failure> {
    let text = config.remote_folder.trim_matches('/');
    let wrong = || {
        Failure::usage(
            format!("`{}` is no subfolder", config.remote_folder),
            "give `-r` a path below the remote, without `..`",
        )
    };
    let is_plain = |part| matches!(part, Component::Normal(_));
    if !Path::new(text).components().all(is_plain) {
        return Err(wrong());
    }
    RelPath::new(text).map_err(|_| wrong())
}

fn unreachable_scheme(scheme: &str) -> Failure {
    Failure::usage(
        format!("`{scheme}://`: no kind of server is known by that scheme"),
        "name a Pydio server with `-s https://host/path`, a WebDAV server with \
         `-s webdavs://host/path`, or a folder with `-s /path`",
    )
}

/// What stands before `://`, in small letters.
fn scheme(server: &str) -> Option<String> {
    let (scheme, _) = server.split_once("://")?;
    Some(scheme.to_ascii_lowercase())
}
