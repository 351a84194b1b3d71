//! The kinds of remote there are.
//!
//! In: a place, a password, options. Out: boxed [`Remote`]s. Invariant: planning
//! never sees which one it has, only its capabilities. Deliberately absent: what they
//! do (their folders), which job has which (the command line). A new remote is a
//! folder, a variant of [`RemotePlace`], an arm of [`open`] and a line in
//! `tests/it/conformance_remote.rs`.

pub mod folder;
mod place;
pub mod pydio;
mod steps;
pub mod webdav;

pub use place::{Link, RemotePlace, ServerPlace};

use crate::adapters::rooted::Options;
use crate::adapters::secret::Secret;
use crate::ports::{PortError, PortResult, Remote};
use journal_format::event::FailureClass;
use std::path::Path;

/// What a remote is opened with, beside its place.
#[derive(Debug)]
pub struct Opening<'a> {
    /// The password, for servers.
    pub password: Option<&'a Secret>,
    /// Tells this client's temporary files from those of another one on the same
    /// remote: it stays the same over restarts and is unique.
    pub client: &'a str,
    /// What is left out.
    pub options: Options,
}

/// Opens a remote; its root may be missing, and a server may be away.
///
/// # Errors
/// The place cannot be used, whatever stands there.
pub fn open(place: &RemotePlace, opening: Opening<'_>) -> PortResult<Box<dyn Remote>> {
    match place {
        RemotePlace::Folder(root) => open_folder(root, opening.client, opening.options),
        RemotePlace::Pydio(server) => {
            let password = opening.password.cloned().ok_or_else(|| {
                let text = format!("`{}` wants a password and there is none", server.url);
                PortError::new(FailureClass::Auth, text)
            })?;
            let filter = opening.options.filter;
            let remote = pydio::PydioRemote::open(server, password, opening.client, filter)?;
            Ok(Box::new(remote))
        }
        RemotePlace::Webdav(server) => {
            let password = opening.password.cloned();
            let filter = opening.options.filter;
            let remote = webdav::WebdavRemote::open(server, password, opening.client, filter)?;
            Ok(Box::new(remote))
        }
    }
}

/// Opens a folder as the remote; its root may be missing.
///
/// # Errors
/// The path is relative and the working directory is gone.
pub fn open_folder(root: &Path, client: &str, options: Options) -> PortResult<Box<dyn Remote>> {
    let remote = folder::FolderRemote::open(root, client, options)?;
    Ok(Box::new(remote))
}
