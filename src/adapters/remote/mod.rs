//! The kinds of remote there are.
//!
//! In: a place and options. Out: boxed [`Remote`]s. Invariant: planning never
//! sees which one it has, only its capabilities. Deliberately absent: what they
//! do (their folders), which job has which (the command line). A new remote is a
//! folder, a line here and a line in `tests/it/conformance_remote.rs`.

pub mod folder;
pub mod pydio;

use crate::adapters::rooted::Options;
use crate::ports::{PortResult, Remote};
use std::path::Path;

/// Opens a folder as the remote; its root may be missing.
///
/// `client` tells this client's temporary files from those of another one on
/// the same folder: it stays the same over restarts and is unique.
///
/// # Errors
/// The path is relative and the working directory is gone.
pub fn open_folder(root: &Path, client: &str, options: Options) -> PortResult<Box<dyn Remote>> {
    let remote = folder::FolderRemote::open(root, client, options)?;
    Ok(Box::new(remote))
}
