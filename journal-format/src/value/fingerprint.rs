//! What tells one version of a file from another without reading it.
//!
//! In: what a side reports. Out: parsed values. Invariant: a fingerprint holds what
//! content changes change and nothing else (no change time, no permissions). A side
//! that knows a version by other means puts it into `version`.

use super::{Digest, VERSION_BYTES_MAX};
use serde::{Deserialize, Serialize};
use std::fmt;

/// What a path is.
///
/// Pipes, sockets and devices have no kind: they are never synced.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// A regular file.
    File,
    /// A directory.
    Directory,
    /// A symbolic link; its content is the text of its target.
    Symlink,
}

/// Which object a path leads to, so that a move can be told from a copy.
///
/// For a disk: device, inode and birth time. For a server with ids of its own:
/// `device` 0, the id, `born_ns` 0. An inode alone is no identity, since it is
/// used again after a deletion; `born_ns` 0 says that the birth time is unknown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Identity {
    /// Device number, or 0.
    pub device: u64,
    /// Inode number or server id.
    pub object: u64,
    /// Birth time in nanoseconds since 1970, or 0 when unknown.
    pub born_ns: i64,
}

/// An entity tag or a revision, exactly as the server spells it.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct RemoteVersion(String);

/// Why a text is no [`RemoteVersion`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum VersionError {
    /// It is empty.
    Empty,
    /// It has more than [`VERSION_BYTES_MAX`] bytes.
    TooLong,
    /// It has a control character, which no header may carry.
    Control,
}

impl RemoteVersion {
    /// Parses a version as a server gave it.
    ///
    /// # Errors
    /// Empty, too long or with control characters; treat the version as unknown.
    pub fn new(text: impl Into<String>) -> Result<Self, VersionError> {
        let text = text.into();
        if text.is_empty() {
            Err(VersionError::Empty)
        } else if text.len() > VERSION_BYTES_MAX {
            Err(VersionError::TooLong)
        } else if text.chars().any(char::is_control) {
            Err(VersionError::Control)
        } else {
            Ok(Self(text))
        }
    }

    /// Returns the text of the version.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for RemoteVersion {
    type Error = VersionError;

    fn try_from(text: String) -> Result<Self, VersionError> {
        Self::new(text)
    }
}

impl From<RemoteVersion> for String {
    fn from(version: RemoteVersion) -> Self {
        version.0
    }
}

impl fmt::Debug for RemoteVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

impl fmt::Display for VersionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Empty => "an empty version",
            Self::TooLong => "a version of more than 512 bytes",
            Self::Control => "a version with a control character",
        })
    }
}

impl std::error::Error for VersionError {}

/// What must be seen again before content is believed to be unchanged.
///
/// Sizes and times of directories say nothing and are zero here.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Fingerprint {
    /// What the path is.
    pub kind: Kind,
    /// Size in bytes; 0 for directories.
    pub size: u64,
    /// Modification time in nanoseconds since 1970; 0 for directories or when
    /// the side has none.
    pub mtime_ns: i64,
    /// Which object this is, where the side can tell.
    pub identity: Option<Identity>,
    /// The server's version, where there is one.
    pub version: Option<RemoteVersion>,
}

/// An observation: what one side holds at one path.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Entry {
    /// What tells this version from another.
    pub fingerprint: Fingerprint,
    /// The content's hash, when it is known; never for directories.
    pub digest: Option<Digest>,
}

impl Entry {
    /// Returns what the path is.
    #[must_use]
    pub const fn kind(&self) -> Kind {
        self.fingerprint.kind
    }
}
