//! Who asks: HTTP Basic and key pairs with signed paths.
//!
//! In: a call and the users. Out: the user's name, or nothing. Invariant: a pair is tried
//! first and Basic decides when the pair is bad, as on a real server; nonces are not
//! remembered. Pairs are kept on disk, so they survive a restart. Deliberately absent:
//! sessions with cookies.

use std::collections::BTreeMap;
use std::fs;
use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use hmac::{Hmac, KeyInit as _, Mac as _};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_encode};
use serde::{Deserialize, Serialize};
use sha2::Sha256;

use crate::basic;

use super::call::{Call, plus_decode};
use super::form::hex;
use super::quirks::{Quirk, Quirks};

/// A key pair as it is kept.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Pair {
    pub(super) user: String,
    pub(super) device: String,
    pub(super) agent: String,
    private: String,
}

/// All key pairs, by their public token.
pub(super) struct Tokens {
    path: PathBuf,
    pairs: Mutex<BTreeMap<String, Pair>>,
}

impl Tokens {
    /// Opens the pairs kept at a path.
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        let pairs = match fs::read(path) {
            Ok(bytes) => serde_json::from_slice(&bytes).unwrap_or_default(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => BTreeMap::new(),
            Err(error) => return Err(error),
        };
        Ok(Self {
            path: path.to_owned(),
            pairs: Mutex::new(pairs),
        })
    }

    /// Makes a pair for a device, which loses the one that it had.
    pub(super) fn generate(&self, user: &str, device: &str, agent: &str) -> (String, String) {
        let (token, private) = (random_text(), random_text());
        let mut pairs = self.lock();
        if !device.is_empty() {
            pairs.retain(|_, pair| pair.user != user || pair.device != device);
        }
        let pair = Pair {
            user: user.to_owned(),
            device: device.to_owned(),
            agent: agent.to_owned(),
            private: private.clone(),
        };
        pairs.insert(token.clone(), pair);
        self.save(&pairs);
        (token, private)
    }

    /// The pairs of a user.
    pub(super) fn of(&self, user: &str) -> Vec<(String, Pair)> {
        let pairs = self.lock();
        pairs
            .iter()
            .filter(|(_, pair)| pair.user == user)
            .map(|(token, pair)| (token.clone(), pair.clone()))
            .collect()
    }

    /// Ends the pairs of a user, or only that one.
    pub(super) fn revoke(&self, user: &str, only: Option<&str>) {
        let mut pairs = self.lock();
        pairs.retain(|token, pair| pair.user != user || only.is_some_and(|only| only != token));
        self.save(&pairs);
    }

    /// Whose signature this is, if it is right.
    fn check(&self, token: &str, hash: &str, path: &str) -> Option<String> {
        let (nonce, signature) = hash.split_once(':')?;
        let pair = self.lock().get(token)?.clone();
        let mut mac = <Hmac<Sha256>>::new_from_slice(token.as_bytes()).ok()?;
        mac.update(format!("{path}:{nonce}:{}", pair.private).as_bytes());
        (hex(&mac.finalize().into_bytes()) == signature).then_some(pair.user)
    }

    fn save(&self, pairs: &BTreeMap<String, Pair>) {
        if let Ok(bytes) = serde_json::to_vec(pairs) {
            // Without it a restart forgets the pairs, and clients ask for new ones.
            drop(fs::write(&self.path, bytes));
        }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Pair>> {
        self.pairs.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whose call this is; `password` knows the users.
pub(super) fn user(
    quirks: Quirks,
    call: &Call,
    tokens: &Tokens,
    password: impl Fn(&str) -> Option<String>,
) -> Option<String> {
    by_pair(quirks, call, tokens).or_else(|| by_password(call, password))
}

fn by_pair(quirks: Quirks, call: &Call, tokens: &Tokens) -> Option<String> {
    let path = canonical(&call.raw_path);
    if let (Some(token), Some(hash)) = (call.params.get("auth_token"), call.params.get("auth_hash"))
    {
        return tokens.check(token, hash, &path);
    }
    let (token, hash) = (
        call.header("pydio-auth-token")?,
        call.header("pydio-auth-hash")?,
    );
    if quirks.has(Quirk::AuthHeaderBug) {
        return tokens.check(call.header("auth-token")?, call.header("auth-hash")?, &path);
    }
    tokens.check(token, hash, &path)
}

fn by_password(call: &Call, password: impl Fn(&str) -> Option<String>) -> Option<String> {
    let (user, given) = basic::credentials(call.header("authorization")?)?;
    (password(&user)? == given).then_some(user)
}

/// The path as the server signs it: decoded and encoded again, segment by segment.
pub(super) fn canonical(path: &str) -> String {
    path.trim_end_matches('/')
        .split('/')
        .map(|segment| percent_encode(plus_decode(segment).as_bytes(), LITERAL).to_string())
        .collect::<Vec<_>>()
        .join("/")
}

const LITERAL: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.');

/// 24 letters and digits that nobody guesses in a test.
fn random_text() -> String {
    const LETTERS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    (0..24)
        .map(|_| {
            let number = RandomState::new().build_hasher().finish() % LETTERS.len() as u64;
            char::from(LETTERS[usize::try_from(number).unwrap_or(0)])
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_signed_is_the_path_encoded_again() {
        for (wire, signed) in [
            (
                "/api/ws/stat/a%20b~c%2Bd.txt",
                "/api/ws/stat/a%20b%7Ec%2Bd.txt",
            ),
            (
                "/api/ws/stat/%c3%a9'(1)!*.txt/",
                "/api/ws/stat/%C3%A9%27%281%29%21%2A.txt",
            ),
            ("/pydio/api/ws/changes/0/", "/pydio/api/ws/changes/0"),
        ] {
            assert_eq!(canonical(wire), signed);
        }
    }
}
