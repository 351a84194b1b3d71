//! What a server is started with: users, workspaces, limits, quirks.
//!
//! In: builder calls. Out: [`Options`]. Invariant: the defaults are enough to sync:
//! one user, one workspace with a bin. The next one: a field with a builder method.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::names::BIN;
use super::quirks::Quirks;

/// What a user may do in a workspace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rights {
    /// Reading only.
    Read,
    /// Both.
    ReadWrite,
}

impl Rights {
    /// As the registry writes it.
    pub(super) const fn acl(self) -> &'static str {
        match self {
            Self::Read => "r",
            Self::ReadWrite => "rw",
        }
    }
}

/// Someone who may log in.
#[derive(Clone, Debug)]
pub struct User {
    pub(super) name: String,
    pub(super) password: String,
    /// Exceptions from reading and writing everywhere, by slug.
    pub(super) limits: Vec<(String, Option<Rights>)>,
}

impl User {
    /// A user who may read and write in every workspace.
    #[must_use]
    pub fn new(name: &str, password: &str) -> Self {
        Self {
            name: name.to_owned(),
            password: password.to_owned(),
            limits: Vec::new(),
        }
    }

    /// The same, but with other rights in one workspace; nothing means that it is hidden.
    #[must_use]
    pub fn limited(mut self, slug: &str, rights: Option<Rights>) -> Self {
        self.limits.push((slug.to_owned(), rights));
        self
    }

    pub(super) fn rights(&self, workspace: &Workspace) -> Option<Rights> {
        let limit = self.limits.iter().find(|(slug, _)| *slug == workspace.slug);
        limit.map_or(Some(Rights::ReadWrite), |(_, rights)| *rights)
    }
}

/// A workspace; its files lie in the folder of the server, under its slug.
#[derive(Clone, Debug)]
pub struct Workspace {
    pub(super) id: String,
    pub(super) slug: String,
    pub(super) label: String,
    pub(super) recycle: bool,
    pub(super) bin: String,
    pub(super) per_user: bool,
    pub(super) syncable: bool,
    pub(super) quota: Option<u64>,
    pub(super) locks: bool,
}

impl Workspace {
    /// A syncable workspace with a recycle bin, shared by its users.
    #[must_use]
    pub fn new(id: &str, slug: &str) -> Self {
        Self {
            id: id.to_owned(),
            slug: slug.to_owned(),
            label: slug.to_owned(),
            recycle: true,
            bin: BIN.to_owned(),
            per_user: false,
            syncable: true,
            quota: None,
            locks: false,
        }
    }

    /// How people call it.
    #[must_use]
    pub fn label(mut self, label: &str) -> Self {
        label.clone_into(&mut self.label);
        self
    }

    /// Deletions are for good.
    #[must_use]
    pub const fn without_bin(mut self) -> Self {
        self.recycle = false;
        self
    }

    /// The bin is another folder than `/recycle_bin`, as administrators may choose.
    #[must_use]
    pub fn bin(mut self, path: &str) -> Self {
        path.clone_into(&mut self.bin);
        self
    }

    /// Each user has a folder of their own behind the one workspace.
    #[must_use]
    pub const fn per_user(mut self) -> Self {
        self.per_user = true;
        self
    }

    /// It has no feed.
    #[must_use]
    pub const fn not_syncable(mut self) -> Self {
        self.syncable = false;
        self
    }

    /// So many bytes fit, everything counted.
    #[must_use]
    pub const fn quota(mut self, bytes: u64) -> Self {
        self.quota = Some(bytes);
        self
    }

    /// Files can be locked.
    #[must_use]
    pub const fn with_locks(mut self) -> Self {
        self.locks = true;
        self
    }
}

/// Everything that a server is started with.
#[derive(Clone, Debug)]
pub struct Options {
    pub(super) dir: PathBuf,
    pub(super) port: u16,
    pub(super) base: String,
    pub(super) users: Vec<User>,
    pub(super) workspaces: Vec<Workspace>,
    pub(super) quirks: Quirks,
    pub(super) latency: Duration,
    pub(super) upload_max: u64,
    pub(super) post_max: u64,
    pub(super) page_threshold: usize,
    pub(super) page_size: usize,
}

impl Options {
    /// A server of version 6.4 over a folder, on a free port: user `alice` with password
    /// `secret` and one workspace `sync`, until others are named.
    #[must_use]
    pub fn new(dir: &Path) -> Self {
        Self {
            dir: dir.to_owned(),
            port: 0,
            base: String::new(),
            users: Vec::new(),
            workspaces: Vec::new(),
            quirks: Quirks::v6_4(),
            latency: Duration::ZERO,
            upload_max: 64 * 1024 * 1024,
            post_max: 70 * 1024 * 1024,
            page_threshold: 500,
            page_size: 200,
        }
    }

    /// Listens on this port of the loopback; 0 is a free one.
    #[must_use]
    pub const fn port(mut self, port: u16) -> Self {
        self.port = port;
        self
    }

    /// Answers below a path such as `/pydio`.
    #[must_use]
    pub fn base(mut self, base: &str) -> Self {
        base.trim_end_matches('/').clone_into(&mut self.base);
        self
    }

    /// One more user.
    #[must_use]
    pub fn user(mut self, user: User) -> Self {
        self.users.push(user);
        self
    }

    /// One more workspace.
    #[must_use]
    pub fn workspace(mut self, workspace: Workspace) -> Self {
        self.workspaces.push(workspace);
        self
    }

    /// The quirks that it has.
    #[must_use]
    pub const fn quirks(mut self, quirks: Quirks) -> Self {
        self.quirks = quirks;
        self
    }

    /// What each request costs before it is looked at.
    #[must_use]
    pub const fn latency(mut self, latency: Duration) -> Self {
        self.latency = latency;
        self
    }

    /// The largest file of one upload request, and the largest body at all, in bytes.
    #[must_use]
    pub const fn upload_max(mut self, file: u64, body: u64) -> Self {
        self.upload_max = file;
        self.post_max = body;
        self
    }

    /// Folders with more entries than `threshold` come in pages of `size`.
    #[must_use]
    pub const fn pages(mut self, threshold: usize, size: usize) -> Self {
        self.page_threshold = threshold;
        self.page_size = size;
        self
    }

    /// The same with the user and the workspace of the defaults where there is none.
    pub(super) fn completed(mut self) -> Self {
        if self.users.is_empty() {
            self.users.push(User::new("alice", "secret"));
        }
        if self.workspaces.is_empty() {
            self.workspaces
                .push(Workspace::new("1", "sync").label("Sync"));
        }
        self
    }
}
