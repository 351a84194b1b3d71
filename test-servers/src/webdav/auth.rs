//! Who asks: passwords, app passwords, digests, tokens, sessions.
//!
//! In: a call. Out: a user's name, whether a password was hashed for it, or 401.
//! Invariant: nothing is done for a caller who is not known. Deliberately absent: rights;
//! every user may do everything.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::basic;

use super::answer::Answer;
use super::call::Call;
use super::digest::{self, Proof};
use super::options::{Options, Scheme};

/// What lets people in beside the passwords.
#[derive(Default)]
pub(super) struct Doors {
    inner: Mutex<Inner>,
    count: AtomicU64,
}

#[derive(Default)]
struct Inner {
    nonces: BTreeSet<String>,
    sessions: BTreeSet<String>,
    /// In place of the one in the options.
    token: Option<String>,
}

/// A known caller.
pub(super) struct Caller {
    /// Whether the account's password was compared, which costs.
    pub(super) hashed: bool,
    /// A session that begins with this answer.
    pub(super) session: Option<String>,
}

impl Doors {
    pub(super) fn revoke(&self) {
        let mut inner = self.lock();
        inner.nonces.clear();
        inner.sessions.clear();
    }

    pub(super) fn set_token(&self, token: &str) {
        self.lock().token = Some(token.to_owned());
    }

    fn number(&self) -> u64 {
        self.count.fetch_add(1, Ordering::SeqCst)
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets a call in, or says what would.
    pub(super) fn admit(
        &self,
        options: &Options,
        call: &Call,
        is_app_password: impl Fn(&str, &str) -> bool,
    ) -> Result<Caller, Answer> {
        let header = call.header("authorization").unwrap_or("");
        let password = |user: &str| {
            let known = options.users.iter().find(|(name, _)| name == user);
            known.map(|(_, password)| password.clone())
        };
        let free = Caller {
            hashed: false,
            session: None,
        };
        let mut stale = false;
        for scheme in &options.schemes {
            match scheme {
                Scheme::Open => return Ok(free),
                Scheme::Bearer(token) => {
                    let token = self.lock().token.clone().unwrap_or_else(|| token.clone());
                    if header.strip_prefix("Bearer ") == Some(token.as_str()) {
                        return Ok(free);
                    }
                }
                Scheme::Digest(sha256) => {
                    let known = |nonce: &str| self.lock().nonces.contains(nonce);
                    let (method, target) = (&call.method, &call.target);
                    match digest::check(header, method, target, *sha256, known, password) {
                        Proof::User(_) => return Ok(free),
                        Proof::Stale => stale = true,
                        Proof::Nothing => {}
                    }
                }
                Scheme::Basic => {
                    let Some((user, given)) = basic::credentials(header) else {
                        continue;
                    };
                    if is_app_password(&user, &given) {
                        return Ok(free);
                    }
                    if password(&user).as_ref() == Some(&given) {
                        return Ok(self.session(options, call));
                    }
                }
            }
        }
        Err(self.challenge(options, stale))
    }

    /// A login with the account's password: hashed unless a session goes on.
    fn session(&self, options: &Options, call: &Call) -> Caller {
        if !options.quirks.nextcloud {
            return Caller {
                hashed: false,
                session: None,
            };
        }
        let cookies = call.header("cookie").unwrap_or("");
        let mut inner = self.lock();
        let goes_on = cookies
            .split("; ")
            .filter_map(|cookie| cookie.strip_prefix(SESSION))
            .any(|session| inner.sessions.contains(session));
        if goes_on {
            return Caller {
                hashed: false,
                session: None,
            };
        }
        let session = format!("{:032x}", self.number());
        inner.sessions.insert(session.clone());
        Caller {
            hashed: true,
            session: Some(format!(
                "{SESSION}{session}; path=/; HttpOnly; SameSite=Lax"
            )),
        }
    }

    fn challenge(&self, options: &Options, stale: bool) -> Answer {
        let mut answer = if options.quirks.nextcloud {
            let text = "No public access to this resource., Username or password was incorrect";
            Answer::sabre(401, "NotAuthenticated", text)
        } else {
            Answer::page(401, "Unauthorized")
        };
        for scheme in &options.schemes {
            let offer = match scheme {
                Scheme::Basic => "Basic realm=\"files\", charset=\"UTF-8\"".to_owned(),
                Scheme::Bearer(_) => "Bearer realm=\"files\"".to_owned(),
                Scheme::Open => continue,
                Scheme::Digest(sha256) => {
                    let nonce = format!("{:016x}", self.number());
                    self.lock().nonces.insert(nonce.clone());
                    digest::challenge(&nonce, *sha256, stale)
                }
            };
            answer = answer.with("WWW-Authenticate", offer);
        }
        answer
    }
}

const SESSION: &str = "nc_session_id=";
