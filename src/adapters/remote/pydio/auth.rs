//! Who we are: a key pair that signs calls, or name and password.
//!
//! In: a user's password. Out: what a call carries. Invariant: one refresh at a time; once
//! the server refused name and password nothing is sent for a minute, by no job that has a
//! copy of the password, so that no account is locked by hammering. Deliberately absent:
//! storing keys; a start makes new ones for the same device, which revokes the old ones.

use super::http::{Answer, Call, Extra, Http, Pairs};
use crate::adapters::secret::{Secret, Trial};
use crate::ports::{PortError, PortResult};
use hmac::{Hmac, KeyInit, Mac};
use journal_format::event::FailureClass;
use sha2::Sha256;
use std::cell::Cell;
use std::time::Duration;
use tokio::sync::Mutex;
use tokio::time::Instant;

/// The credentials of one user on one server.
pub(super) struct Auth {
    user: String,
    password: Secret,
    device: String,
    state: Mutex<State>,
    nonces: Cell<u64>,
}

#[derive(Default)]
struct State {
    means: Option<Means>,
    /// Grows with each refresh.
    generation: u64,
}

#[derive(Clone)]
enum Means {
    Pair(Pair),
    Basic,
}

/// A public token and its private key.
#[derive(Clone)]
pub(super) struct Pair {
    token: Secret,
    key: Secret,
}

/// How one call is to be signed.
pub(super) struct Ticket {
    means: Means,
    pub(super) generation: u64,
}

/// What a refusal turned out to mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refusal {
    /// The keys were old: ask again with new ones.
    Renewed,
    /// Name and password are right: it is the workspace that is forbidden.
    Forbidden,
}

impl Auth {
    pub(super) fn new(user: String, password: Secret, device: String) -> Self {
        Self {
            user,
            password,
            device,
            state: Mutex::default(),
            nonces: Cell::new(0),
        }
    }

    /// Returns what the next call is signed with, asking for keys at first.
    ///
    /// # Errors
    /// `Auth` when name and password are refused, or were a moment ago.
    pub(super) async fn ticket(&self, http: &Http) -> PortResult<Ticket> {
        let mut state = self.state.lock().await;
        let means = match &state.means {
            Some(means) => {
                check_refused(*self.password.trial().await)?;
                means.clone()
            }
            None => self.renew(http, &mut state).await?,
        };
        Ok(Ticket {
            means,
            generation: state.generation,
        })
    }

    /// Finds out what a 401 means.
    ///
    /// # Errors
    /// `Auth` when name and password are refused.
    pub(super) async fn refused(&self, http: &Http, ticket: &Ticket) -> PortResult<Refusal> {
        let mut state = self.state.lock().await;
        if state.generation != ticket.generation {
            return Ok(Refusal::Renewed);
        }
        let means = self.renew(http, &mut state).await?;
        Ok(match (&ticket.means, means) {
            (Means::Pair(_), _) => Refusal::Renewed,
            (Means::Basic, _) => Refusal::Forbidden,
        })
    }

    /// Asks for a key pair by name and password, which also proves both.
    async fn renew(&self, http: &Http, state: &mut State) -> PortResult<Means> {
        let path = format!(
            "pydio/keystore_generate_auth_token/{}",
            super::names::encode(&self.device)
        );
        let extra = Extra {
            query: &Vec::new(),
            basic: Some((&self.user, self.password.expose())),
            generation: None,
        };
        // The first try is one for all jobs; what was taken once is no risk.
        let trial = self.password.trial().await;
        check_refused(*trial)?;
        let first = match *trial {
            Trial::Taken => {
                drop(trial);
                None
            }
            Trial::Untried | Trial::Refused(_) => Some(trial),
        };
        let answer = http.fetch(&Call::get(path), &extra).await?;
        let mut trial = match first {
            Some(trial) => trial,
            None => self.password.trial().await,
        };
        if answer.status == 401 {
            *trial = Trial::Refused(Instant::now());
            drop(trial);
            state.means = None;
            return Err(refused());
        }
        *trial = Trial::Taken;
        drop(trial);
        let is_basic = matches!(state.means, Some(Means::Basic));
        let means = match pair(&answer) {
            Some(pair) if !is_basic => Means::Pair(pair),
            _ => Means::Basic,
        };
        state.means = Some(means.clone());
        state.generation += 1;
        Ok(means)
    }

    /// Returns what a call to a path carries in its query.
    pub(super) fn query(&self, ticket: &Ticket, signed_path: &str) -> Pairs {
        let Means::Pair(pair) = &ticket.means else {
            return Vec::new();
        };
        let nonce = self.nonce(&pair.key);
        vec![
            ("auth_token", pair.token.expose().to_owned()),
            ("auth_hash", sign(pair, signed_path, &nonce)),
        ]
    }

    /// Returns name and password where a call needs them.
    pub(super) fn basic(&self, ticket: &Ticket) -> Option<(&str, &str)> {
        match ticket.means {
            Means::Basic => Some((&self.user, self.password.expose())),
            Means::Pair(_) => None,
        }
    }

    fn nonce(&self, key: &Secret) -> String {
        self.nonces.set(self.nonces.get() + 1);
        let mut hasher = blake3::Hasher::new();
        hasher.update(key.expose().as_bytes());
        hasher.update(&self.nonces.get().to_be_bytes());
        let now = std::time::UNIX_EPOCH.elapsed().unwrap_or_default();
        hasher.update(&now.as_nanos().to_be_bytes());
        hasher.finalize().to_hex()[..NONCE_DIGITS].to_owned()
    }
}

fn check_refused(trial: Trial) -> PortResult<()> {
    match trial {
        Trial::Refused(at) if at.elapsed() < REFUSED_FOR => Err(refused()),
        _ => Ok(()),
    }
}

/// Signs a path as the server spells it.
fn sign(pair: &Pair, path: &str, nonce: &str) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(pair.token.expose().as_bytes())
        .expect("a key of any length");
    mac.update(format!("{path}:{nonce}:{}", pair.key.expose()).as_bytes());
    let digits: [u8; 32] = mac.finalize().into_bytes().into();
    // No hash of theirs, but they can write one as text at once.
    format!("{nonce}:{}", blake3::Hash::from_bytes(digits).to_hex())
}

/// Reads a key pair; nothing when the server refuses to give one.
fn pair(answer: &Answer) -> Option<Pair> {
    let value: serde_json::Value = serde_json::from_slice(&answer.body).ok()?;
    let text = |name: &str| {
        let text = value.get(name)?.as_str()?;
        (!text.is_empty() && text.len() <= KEY_BYTES_MAX).then(|| Secret::new(text))
    };
    Some(Pair {
        token: text("t")?,
        key: text("p")?,
    })
}

fn refused() -> PortError {
    PortError::new(
        FailureClass::Auth,
        "the server refuses this user and password",
    )
}

const NONCE_DIGITS: usize = 40;
const KEY_BYTES_MAX: usize = 256;
/// How long nothing is sent after name and password were refused.
const REFUSED_FOR: Duration = Duration::from_secs(60);

#[cfg(test)]
mod tests {
    use super::*;

    /// A recorded exchange of a 6.4.2 server.
    #[test]
    fn a_signature_is_the_one_a_server_accepted() {
        let pair = Pair {
            token: Secret::new("MecwarhT38Acqb4XbXVbnoJZ"),
            key: Secret::new("YvcyLtVh0y7FE0tPLwNzSYoh"),
        };
        for (path, accepted) in RECORDED {
            let (nonce, _) = accepted.split_once(':').expect("nonce");
            assert_eq!(sign(&pair, path, nonce), accepted, "{path}");
        }
    }

    const RECORDED: [(&str, &str); 2] = [
        (
            "/api/sync-test/stat/root.txt",
            "7b4e7ffa3344b493ea0b40decf012e66e7ed43d4:278c33cfd5860ebb9165aa4768d5b21b40c6989d286f145d7d14526f524c96b2",
        ),
        (
            "/api/sync-test/stat/a%20b%7Ec%2Bd.txt",
            "5c9d12c469399f46a3c43773b1b7c355b6d29b14:8c2222fbbf3afa007c1fa95b366491a60e349d4819f5c69633614555c6159565",
        ),
    ];

    #[test]
    fn an_empty_answer_is_no_pair() {
        for body in [
            "",
            "{}",
            "[]",
            "null",
            r#"{"t":"","p":""}"#,
            r#"{"t":1,"p":"x"}"#,
        ] {
            let answer = Answer {
                status: 200,
                kind: String::new(),
                has_challenge: false,
                body: body.as_bytes().to_vec(),
            };
            assert!(pair(&answer).is_none(), "{body}");
        }
    }
}
