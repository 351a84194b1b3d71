//! Passwords in a file of the user's own.
//!
//! In: an account. Out: its password. The file is JSON with mode 0600 and nothing
//! more: it keeps other users of the machine out, not whoever can read the user's
//! files, a backup or the disk. Invariant: a file that others may read is refused.
//! Deliberately absent: encryption with a key that would lie beside it (decision 0032).
//! CRASH: the old file or the new one.

use super::{Account, CredentialError, replace};
use crate::adapters::secret::Secret;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fs::File;
use std::io::Read;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::Path;
use zeroize::Zeroizing;

#[derive(Default, Serialize, Deserialize)]
struct Content {
    version: u32,
    entries: Vec<Entry>,
}

#[derive(Serialize, Deserialize)]
struct Entry {
    server: String,
    user: String,
    #[serde(serialize_with = "shown", deserialize_with = "hidden")]
    password: Secret,
}

fn shown<S: Serializer>(secret: &Secret, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(secret.expose())
}

fn hidden<'de, D: Deserializer<'de>>(from: D) -> Result<Secret, D::Error> {
    String::deserialize(from).map(Secret::new)
}

/// Looks for a password.
pub(super) fn find(path: &Path, account: &Account) -> Result<Option<Secret>, CredentialError> {
    let entries = read(path)?.entries;
    let mut entries = entries.into_iter();
    let entry = entries.find(|entry| entry.is_of(account));
    Ok(entry.map(|entry| entry.password))
}

/// Keeps a password.
pub(super) fn save(path: &Path, account: &Account, secret: &Secret) -> Result<(), CredentialError> {
    let folder = path.parent().unwrap_or(path);
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder)
        .map_err(|error| fault(path, &format!("has no folder: {error}")))?;
    let _lock = lock(path)?;
    let mut content = read(path)?;
    content.entries.retain(|entry| !entry.is_of(account));
    content.entries.push(Entry {
        server: account.server.clone(),
        user: account.user.clone(),
        password: secret.clone(),
    });
    write(path, content)
}

/// Forgets a password; tells whether there was one.
pub(super) fn remove(path: &Path, account: &Account) -> Result<bool, CredentialError> {
    if !path.exists() {
        return Ok(false);
    }
    let _lock = lock(path)?;
    let mut content = read(path)?;
    let before = content.entries.len();
    content.entries.retain(|entry| !entry.is_of(account));
    if content.entries.len() == before {
        return Ok(false);
    }
    write(path, content)?;
    Ok(true)
}

/// Checks what a read would meet.
pub(super) fn check(path: &Path) -> Result<(), CredentialError> {
    read(path).map(|_| ())
}

impl Entry {
    fn is_of(&self, account: &Account) -> bool {
        self.server == account.server && self.user == account.user
    }
}

fn read(path: &Path) -> Result<Content, CredentialError> {
    let failed = |error: std::io::Error| fault(path, &format!("cannot be read: {error}"));
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return Ok(Content::default());
        }
        Err(error) => return Err(failed(error)),
    };
    if file.metadata().map_err(failed)?.mode() & 0o077 != 0 {
        let why = "can be read by others; change the passwords in it if somebody may have, then \
                   `chmod 600` it";
        return Err(fault(path, why));
    }
    let mut bytes = Zeroizing::new(Vec::new());
    file.take(FILE_BYTES_MAX)
        .read_to_end(&mut bytes)
        .map_err(failed)?;
    // The parser's own message could show a part of the file.
    let content: Content = serde_json::from_slice(&bytes)
        .map_err(|error| fault(path, &format!("is damaged at line {}", error.line())))?;
    if content.version > VERSION {
        return Err(fault(path, "was written by a newer release"));
    }
    Ok(content)
}

fn write(path: &Path, mut content: Content) -> Result<(), CredentialError> {
    content.version = VERSION;
    let failed = |why: String| fault(path, &format!("cannot be written: {why}"));
    let bytes = serde_json::to_vec_pretty(&content).map_err(|error| failed(error.to_string()))?;
    let bytes = Zeroizing::new(bytes);
    replace(path, &bytes, 0o600).map_err(|error| failed(error.to_string()))
}

/// Keeps two processes from losing one another's passwords.
fn lock(path: &Path) -> Result<File, CredentialError> {
    let failed = |error: std::io::Error| fault(path, &format!("cannot be locked: {error}"));
    let file = File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(path.with_extension("lock"))
        .map_err(failed)?;
    file.lock().map_err(failed)?;
    Ok(file)
}

fn fault(path: &Path, why: &str) -> CredentialError {
    CredentialError::File {
        path: path.to_owned(),
        why: why.to_owned(),
    }
}

const VERSION: u32 = 1;
const FILE_BYTES_MAX: u64 = 4 << 20;
