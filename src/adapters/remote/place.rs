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
    /// A folder on a WebDAV server.
    Webdav(Box<ServerPlace>),
}

/// A folder on a server.
#[derive(Debug, Clone)]
pub struct ServerPlace {
    /// `http(s)://host[:port][/path]`, for WebDAV `webdav(s)://`; without a slash at its
    /// end.
    pub url: String,
    /// The workspace's id or alias; empty for WebDAV.
    pub workspace: String,
    /// The folder below the workspace's root, or below the address.
    pub folder: RelPath,
    /// Whose workspace it is; empty for nobody's.
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
    /// A certificate and its key that say who we are, as PEM.
    pub client_cert: Option<PathBuf>,
    /// The proxy's URL, which may hold a password.
    pub proxy: Option<Secret>,
    /// How long to wait for a connection, and for a server that says nothing.
    pub timeout: Duration,
    /// How often a server whose feed hides changes is asked when its folders changed.
    pub recheck: Duration,
    /// Requests in flight at once.
    pub poolsize: usize,
    /// Bytes a second to the server; 0 for no limit.
    pub limit_up: u64,
    /// Bytes a second from the server; 0 for no limit.
    pub limit_down: u64,
    /// Requests a second; 0 for no limit.
    pub requests_max: u64,
}

impl Default for Link {
    fn default() -> Self {
        Self {
            trust_ssl: false,
            ca_file: None,
            client_cert: None,
            proxy: None,
            timeout: Duration::from_secs(TIMEOUT_SECONDS),
            recheck: Duration::from_secs(RECHECK_SECONDS),
            poolsize: POOLSIZE,
            limit_up: 0,
            limit_down: 0,
            requests_max: 0,
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
            (Self::Webdav(one), Self::Webdav(other)) => {
                one.user == other.user && one.address() == other.address()
            }
            (Self::Folder(_) | Self::Pydio(_) | Self::Webdav(_), _) => false,
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
            (Self::Webdav(one), Self::Webdav(other)) => {
                let (a, b) = (one.address(), other.address());
                one.user == other.user && (a.starts_with(&b) || b.starts_with(&a))
            }
            (Self::Folder(_) | Self::Pydio(_) | Self::Webdav(_), _) => false,
        }
    }

    /// The folder's path, if it is one of this machine.
    #[must_use]
    pub fn folder(&self) -> Option<&std::path::Path> {
        match self {
            Self::Folder(path) => Some(path),
            Self::Pydio(_) | Self::Webdav(_) => None,
        }
    }

    /// The place on a server, if it is on one.
    #[must_use]
    pub fn server(&self) -> Option<&ServerPlace> {
        match self {
            Self::Folder(_) => None,
            Self::Pydio(place) | Self::Webdav(place) => Some(place),
        }
    }
}

impl ServerPlace {
    /// Tells whether both are in one workspace. A workspace may give each user a
    /// tree of its own, so another user is another workspace.
    fn shares_workspace(&self, other: &Self) -> bool {
        (&self.url, &self.workspace, &self.user) == (&other.url, &other.workspace, &other.user)
    }

    /// The folder's address without its scheme, with a slash at its end. What differs in
    /// its escapes only counts as two.
    fn address(&self) -> String {
        let (_, place) = self.url.split_once("://").unwrap_or(("", &self.url));
        match self.folder.as_str() {
            "" => format!("{place}/"),
            folder => format!("{place}/{folder}/"),
        }
    }
}

impl fmt::Display for RemotePlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Folder(path) => write!(f, "{}", path.display()),
            Self::Pydio(place) => write!(f, "{place}"),
            Self::Webdav(place) => write!(f, "{}/{}", place.url, place.folder.as_str()),
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
const RECHECK_SECONDS: u64 = 600;
/// What the old client had.
const POOLSIZE: usize = 4;
