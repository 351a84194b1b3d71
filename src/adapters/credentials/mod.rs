//! Where passwords are kept between runs.
//!
//! In: an account, a password. Out: the password again, and where it lies. The system's
//! Secret Service has it where there is one, else a file of the user's own. Invariants:
//! every call ends in bounded time; no password is in an error, a log or a process
//! list. Deliberately absent: asking a person, checking with a server. A crash leaves
//! the old password or the new one. A new kind of store is a file here and a [`Kept`].

mod file;
mod replace;
mod service;
#[cfg(test)]
mod tests;

pub use replace::replace;

use crate::adapters::secret::Secret;
use std::fmt;
use std::path::{Path, PathBuf};

/// Whose password.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// The server's URL in its one form.
    pub server: String,
    /// The user's name there.
    pub user: String,
}

/// Where a password lies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kept {
    /// The system's Secret Service.
    Service,
    /// A file that its owner alone may read.
    File(PathBuf),
}

/// Why a store could not be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CredentialError {
    /// Nothing answers, or not in time.
    #[error("no Secret Service can be used: {0}")]
    NoService(String),
    /// It is there and refused.
    #[error("the Secret Service refused: {0}")]
    Refused(String),
    /// The file could not be read or written.
    #[error("the password file `{path}` {why}")]
    File {
        /// Which file.
        path: PathBuf,
        /// Why.
        why: String,
    },
}

/// What a search gave.
#[derive(Debug, Default)]
pub struct Found {
    /// The password and where it was, if one is kept.
    pub secret: Option<(Secret, Kept)>,
    /// Stores that are there and could not be asked.
    pub troubles: Vec<CredentialError>,
}

/// The stores of one state directory.
#[derive(Debug, Clone)]
pub struct Credentials {
    file: PathBuf,
}

impl Credentials {
    /// Names the stores; nothing is opened.
    #[must_use]
    pub fn new(state_dir: &Path) -> Self {
        Self {
            file: state_dir.join(FILE),
        }
    }

    /// Looks for the password that was kept last. Blocks, so never inside the async
    /// runtime.
    #[must_use]
    pub fn find(&self, account: &Account) -> Found {
        self.find_with(account, service::find)
    }

    /// The file first: only what no service would take gets there, and a service that
    /// takes one has it removed there, so what the file has is newer than a service's.
    fn find_with(
        &self,
        account: &Account,
        service: impl FnOnce(&Account) -> Result<Option<Secret>, CredentialError>,
    ) -> Found {
        let mut found = Found::default();
        match file::find(&self.file, account) {
            Ok(Some(secret)) => {
                found.secret = Some((secret, Kept::File(self.file.clone())));
                return found;
            }
            Ok(None) => {}
            Err(trouble) => found.troubles.push(trouble),
        }
        match service(account) {
            Ok(secret) => found.secret = secret.map(|secret| (secret, Kept::Service)),
            // A machine without a Secret Service is nothing to tell of.
            Err(CredentialError::NoService(_)) => {}
            Err(trouble) => found.troubles.push(trouble),
        }
        found
    }

    /// Keeps a password in the best store there is, in place of an older one.
    /// Durable on return. Blocks.
    ///
    /// # Errors
    /// No store could take it.
    pub fn save(&self, account: &Account, secret: &Secret) -> Result<Kept, CredentialError> {
        match service::save(account, secret) {
            Ok(()) => {
                // An older one in the file would outlive the service.
                file::remove(&self.file, account)?;
                Ok(Kept::Service)
            }
            Err(error) => {
                tracing::debug!("{error}");
                file::save(&self.file, account, secret)?;
                Ok(Kept::File(self.file.clone()))
            }
        }
    }

    /// Forgets a password; tells where it was. Blocks.
    ///
    /// # Errors
    /// A store that may have it could not be asked.
    pub fn remove(&self, account: &Account) -> Result<Vec<Kept>, CredentialError> {
        let mut removed = Vec::new();
        if file::remove(&self.file, account)? {
            removed.push(Kept::File(self.file.clone()));
        }
        match service::remove(account) {
            Ok(true) => removed.push(Kept::Service),
            Ok(false) | Err(CredentialError::NoService(_)) => {}
            Err(error) => return Err(error),
        }
        Ok(removed)
    }

    /// Tells where a new password would be kept, and why not in a better place.
    #[must_use]
    pub fn best(&self) -> (Kept, Option<CredentialError>) {
        match service::check() {
            Ok(()) => (Kept::Service, None),
            Err(error) => (Kept::File(self.file.clone()), Some(error)),
        }
    }

    /// Checks that the file, if there is one, can be read and is its owner's alone.
    ///
    /// # Errors
    /// It cannot, or it is not.
    pub fn check_file(&self) -> Result<(), CredentialError> {
        file::check(&self.file)
    }
}

impl fmt::Display for Kept {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Service => f.write_str("the system's Secret Service"),
            Self::File(path) => write!(f, "the file `{}`", path.display()),
        }
    }
}

const FILE: &str = "credentials.json";
