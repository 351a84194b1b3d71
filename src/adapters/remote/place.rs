//! Where a remote is, and how it is reached.
//!
//! In: what a job's user wrote, checked for form. Out: values that adapters open and
//! that two jobs are compared by. Invariant: no password in them, and none in their
//! text or `Debug`. Deliberately absent: whether anything stands there. A new kind is
//! a variant of [`RemotePlace`].

use crate::adapters::secret::Secret;
use journal_format::value::RelPath;
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

/// Where a job's remote is.
#[derive(Debug, Clone)]
pub enum RemotePlace {
    /// A folder, by its absolute path.
    Folder(PathBuf),
    /// A folder in a workspace of a Pydio server.
    Pydio(Box<ServerPlace>),
}

/// A folder on a server.
#[derive(Debug, Clone)]
pub struct ServerPlace {
    /// `http(s)://host[:port][/path]`, without a slash at its end.
    pub url: String,
    /// The workspace's id or alias.
    pub workspace: String,
    /// The folder below the workspace's root.
    pub folder: RelPath,
    /// Whose workspace it is.
    pub user: String,
    /// How to get there.
    pub link: Link,
}

/// How a server is reached.
#[derive(Debug, Clone)]
pub struct Link {
    /// Whether any certificate is accepted.
    pub trust_ssl: bool,
    /// Certificates to believe besides the system's, as PEM.
    pub ca_file: Option<PathBuf>,
    /// The proxy's URL, which may hold a password.
    pub proxy: Option<Secret>,
    /// How long to wait for a connection, and for a server that says nothing.
    pub timeout: Duration,
    /// Requests in flight at once.
    pub poolsize: usize,
    /// Bytes a second to the server; 0 for no limit.
    pub limit_up: u64,
    /// Bytes a second from the server; 0 for no limit.
    pub limit_down: u64,
}

impl Default for Link {
    fn default() -> Self {
        Self {
            trust_ssl: false,
            ca_file: None,
            proxy: None,
            timeout: Duration::from_secs(TIMEOUT_SECONDS),
            poolsize: POOLSIZE,
            limit_up: 0,
            limit_down: 0,
        }
    }
}

impl RemotePlace {
    /// Tells whether two remotes are one folder.
    #[must_use]
    pub fn is_same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Folder(one), Self::Folder(other)) => one == other,
            (Self::Pydio(one), Self::Pydio(other)) => {
                one.shares_workspace(other) && one.folder == other.folder
            }
            (Self::Folder(_), Self::Pydio(_)) | (Self::Pydio(_), Self::Folder(_)) => false,
        }
    }

    /// Tells whether one of two remotes is the other one or lies in it.
    #[must_use]
    pub fn overlaps(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Folder(one), Self::Folder(other)) => {
                one.starts_with(other) || other.starts_with(one)
            }
            (Self::Pydio(one), Self::Pydio(other)) => {
                one.shares_workspace(other)
                    && (one.folder.is_within(&other.folder) || other.folder.is_within(&one.folder))
            }
            (Self::Folder(_), Self::Pydio(_)) | (Self::Pydio(_), Self::Folder(_)) => false,
        }
    }

    /// The folder's path, if it is one of this machine.
    #[must_use]
    pub fn folder(&self) -> Option<&std::path::Path> {
        match self {
            Self::Folder(path) => Some(path),
            Self::Pydio(_) => None,
        }
    }
}

impl ServerPlace {
    /// Tells whether both are in one workspace. A workspace may give each user a
    /// tree of its own, so another user is another workspace.
    fn shares_workspace(&self, other: &Self) -> bool {
        (&self.url, &self.workspace, &self.user) == (&other.url, &other.workspace, &other.user)
    }
}

impl fmt::Display for RemotePlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Folder(path) => write!(f, "{}", path.display()),
            Self::Pydio(place) => write!(f, "{place}"),
        }
    }
}

impl fmt::Display for ServerPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} {}/{}",
            self.url,
            self.workspace,
            self.folder.as_str()
        )
    }
}

/// What the old client had.
const TIMEOUT_SECONDS: u64 = 20;
/// What the old client had.
const POOLSIZE: usize = 4;
