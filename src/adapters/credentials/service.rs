//! The system's Secret Service: GNOME's keyring, KWallet, KeePassXC.
//!
//! In: an account. Out: its password. Items are found by server and user, as the old
//! client kept them, so its passwords are found too. Invariant: a bus that is not
//! there fails at once, and one that does not answer in bounded time; every question
//! has a thread of its own, since the library blocks and must not do so in a runtime.
//! CRASH: leaves nothing; a thread that waits for the bus ends with the process.

use super::{Account, CredentialError};
use crate::adapters::secret::Secret;
use keyring_core::api::CredentialStoreApi;
use keyring_core::{Entry, Error};
use std::collections::HashMap;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::Duration;
use zbus_secret_service_keyring_store::Store;
use zeroize::Zeroizing;

/// Looks for a password.
pub(super) fn find(account: &Account) -> Result<Option<Secret>, CredentialError> {
    with_entry(account, find_in)
}

/// Keeps a password.
pub(super) fn save(account: &Account, secret: &Secret) -> Result<(), CredentialError> {
    let secret = secret.clone();
    with_entry(account, move |entry| entry.set_password(secret.expose()))
}

/// Forgets a password; tells whether there was one.
pub(super) fn remove(account: &Account) -> Result<bool, CredentialError> {
    with_entry(account, remove_in)
}

/// Checks that a Secret Service answers.
pub(super) fn check() -> Result<(), CredentialError> {
    asked(|_| Ok(()))
}

pub(super) fn find_in(entry: &Entry) -> Result<Option<Secret>, Error> {
    match entry.get_password() {
        Ok(text) => {
            let text = Zeroizing::new(text);
            Ok(Some(Secret::new(text.as_str())))
        }
        Err(Error::NoEntry) => Ok(None),
        Err(error) => Err(error),
    }
}

pub(super) fn remove_in(entry: &Entry) -> Result<bool, Error> {
    match entry.delete_credential() {
        Ok(()) => Ok(true),
        Err(Error::NoEntry) => Ok(false),
        Err(error) => Err(error),
    }
}

fn with_entry<T: Send + 'static>(
    account: &Account,
    work: impl FnOnce(&Entry) -> Result<T, Error> + Send + 'static,
) -> Result<T, CredentialError> {
    let account = account.clone();
    asked(move |store| {
        let label = format!("Pydio Sync: {} at {}", account.user, account.server);
        let shown = HashMap::from([("label", label.as_str())]);
        let entry = store.build(&account.server, &account.user, Some(&shown))?;
        work(&entry)
    })
}

fn asked<T: Send + 'static>(
    work: impl FnOnce(&Store) -> Result<T, Error> + Send + 'static,
) -> Result<T, CredentialError> {
    let (connected, is_connected) = mpsc::channel();
    let (done, result) = mpsc::channel();
    let thread = std::thread::Builder::new().name("secret service".to_owned());
    let started = thread.spawn(move || {
        let store = match Store::new() {
            Ok(store) => store,
            Err(error) => {
                connected.send(Err(words(&error))).ok();
                return;
            }
        };
        // Nobody listens any more once the time is over.
        connected.send(Ok(())).ok();
        done.send(work(&store).map_err(|error| words(&error))).ok();
    });
    started.map_err(|error| CredentialError::NoService(error.to_string()))?;
    match is_connected.recv_timeout(CONNECT_MAX) {
        Ok(Ok(())) => {}
        Ok(Err(why)) => return Err(CredentialError::NoService(why)),
        Err(error) => return Err(CredentialError::NoService(silence(error))),
    }
    match result.recv_timeout(ANSWER_MAX) {
        Ok(result) => result.map_err(CredentialError::Refused),
        Err(error) => Err(CredentialError::Refused(silence(error))),
    }
}

/// An error without what it carries: some variants hold a stored secret.
fn words(error: &Error) -> String {
    match error {
        Error::BadEncoding(_) | Error::BadDataFormat(..) => {
            "what it keeps for this account is no text".to_owned()
        }
        Error::Ambiguous(_) => "it keeps several passwords for this account".to_owned(),
        error => error.to_string(),
    }
}

fn silence(error: RecvTimeoutError) -> String {
    match error {
        RecvTimeoutError::Timeout => "it does not answer".to_owned(),
        RecvTimeoutError::Disconnected => "it broke off".to_owned(),
    }
}

/// How long a bus may take to be reached.
const CONNECT_MAX: Duration = Duration::from_secs(5);
/// How long an answer may take: a person may have to unlock the keyring first.
const ANSWER_MAX: Duration = Duration::from_secs(60);
