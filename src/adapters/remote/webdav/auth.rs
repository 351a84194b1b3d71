//! Who we are: name and password, or a token.
//!
//! In: what the user gave, a server's challenges. Out: a header. Invariant: over a
//! connection that others can read, a password goes out only after the server asked for
//! it in that form; once it was refused nothing is sent for a minute, by no job that has a
//! copy of it, so that no account is locked by hammering. Deliberately absent: storing anything.

use crate::adapters::secret::{Secret, Trial};
use crate::ports::{PortError, PortResult};
use digest_auth::{AuthContext, HttpMethod, WwwAuthenticateHeader};
use journal_format::event::FailureClass;
use reqwest::header::{HeaderMap, WWW_AUTHENTICATE};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// The credentials of one user on one server.
pub(super) struct Auth {
    user: String,
    password: Option<Secret>,
    state: Mutex<State>,
}

struct State {
    means: Means,
    /// Grows with each change of the means.
    generation: u64,
    refused: Option<Instant>,
    accepted: bool,
}

enum Means {
    /// Nothing is sent until the server asks.
    Waiting,
    Basic,
    Bearer,
    Digest(Box<WwwAuthenticateHeader>),
}

/// The right to try a password that no server has judged yet.
pub(super) type FirstTry<'a> = tokio::sync::MutexGuard<'a, Trial>;

/// What to do after a refusal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refusal {
    /// Ask again, now as the server wants it.
    Again,
    /// User and password are refused.
    Final,
}

impl Auth {
    /// Takes credentials; a password without a user is a token.
    pub(super) fn new(user: &str, password: Option<Secret>, is_private: bool) -> Self {
        let means = match (user.is_empty(), is_private) {
            (true, true) => Means::Bearer,
            (false, true) => Means::Basic,
            (_, false) => Means::Waiting,
        };
        Self {
            user: user.to_owned(),
            password: password.filter(|password| !password.is_empty()),
            state: Mutex::new(State {
                means,
                generation: 0,
                refused: None,
                accepted: false,
            }),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the header of a request, if it has one, and the means by which it was made.
    ///
    /// # Errors
    /// `Auth` when the password was refused a moment ago.
    pub(super) fn header(&self, method: &str, target: &str) -> PortResult<(Option<Secret>, u64)> {
        let mut state = self.state();
        if let Some(at) = state.refused {
            if at.elapsed() < PAUSE {
                return Err(refused());
            }
            state.refused = None;
        }
        let generation = state.generation;
        let Some(password) = &self.password else {
            return Ok((None, generation));
        };
        let value = match &mut state.means {
            Means::Waiting => None,
            Means::Bearer => Some(format!("Bearer {}", password.expose())),
            Means::Basic => {
                let pair = format!("{}:{}", self.user, password.expose());
                Some(format!("Basic {}", base64(pair.as_bytes())))
            }
            Means::Digest(prompt) => {
                let method = HttpMethod::from(method.to_owned());
                let context = AuthContext::new_with_method(
                    self.user.as_str(),
                    password.expose(),
                    target,
                    None::<&[u8]>,
                    method,
                );
                let answer = prompt.respond(&context);
                answer.ok().map(|answer| answer.to_header_string())
            }
        };
        Ok((value.map(Secret::new), generation))
    }

    /// Learns that a request got through.
    pub(super) fn passed(&self) {
        self.state().accepted = true;
    }

    /// Finds out what a 401 means. `generation` is that of the refused request.
    pub(super) fn challenged(&self, headers: &HeaderMap, generation: u64) -> Refusal {
        let mut state = self.state();
        if generation != state.generation {
            return Refusal::Again;
        }
        let next = self.password.as_ref();
        let next = next.and_then(|_| self.next(&state, headers));
        match next {
            Some(next) => {
                state.means = next;
                state.generation += 1;
                Refusal::Again
            }
            None => {
                state.refused = Some(Instant::now());
                Refusal::Final
            }
        }
    }

    /// Returns the right to try the password first, once nobody else tries it; nothing
    /// where it is known to be right, or where none is sent.
    ///
    /// # Errors
    /// `Auth` when it was refused a moment ago, to whichever job.
    pub(super) async fn first_try(&self) -> PortResult<Option<FirstTry<'_>>> {
        let is_sent = !matches!(self.state().means, Means::Waiting);
        let Some(password) = self.password.as_ref().filter(|_| is_sent) else {
            return Ok(None);
        };
        let trial = password.trial().await;
        match *trial {
            Trial::Taken => Ok(None),
            Trial::Refused(at) if at.elapsed() < PAUSE => Err(refused()),
            Trial::Untried | Trial::Refused(_) => Ok(Some(trial)),
        }
    }

    /// Sends nothing for a while, by no job that has a copy of the password.
    pub(super) async fn give_up(&self, first: Option<FirstTry<'_>>) {
        let now = Instant::now();
        self.state().refused = Some(now);
        let known = match (first, &self.password) {
            (Some(first), _) => Some(first),
            (None, Some(password)) => Some(password.trial().await),
            (None, None) => None,
        };
        if let Some(mut known) = known {
            *known = Trial::Refused(now);
        }
    }

    /// Returns other means than those that were refused, if the server names some.
    fn next(&self, state: &State, headers: &HeaderMap) -> Option<Means> {
        let offers: Vec<&str> = headers
            .get_all(WWW_AUTHENTICATE)
            .iter()
            .filter_map(|value| value.to_str().ok())
            // The parser beneath counts characters as bytes.
            .filter(|value| value.len() <= CHALLENGE_BYTES_MAX && value.is_ascii())
            .collect();
        let offers_of = |name: &str| {
            offers.iter().copied().find(|offer| {
                let word = offer.split_ascii_whitespace().next().unwrap_or_default();
                word.eq_ignore_ascii_case(name)
            })
        };
        let prompt = offers_of("digest").and_then(|offer| digest_auth::parse(offer).ok());
        if let Some(prompt) = prompt.filter(|_| !self.user.is_empty()) {
            let is_stale = match &state.means {
                // A nonce grows old; the same one again is a refusal.
                Means::Digest(old) => prompt.stale || old.nonce != prompt.nonce && state.accepted,
                _ => true,
            };
            return is_stale.then(|| Means::Digest(Box::new(prompt)));
        }
        let is_waiting = matches!(state.means, Means::Waiting);
        // Servers that take tokens do not always say so.
        let is_offered = offers_of("basic").is_some() || self.user.is_empty();
        (is_waiting && is_offered).then(|| self.plain())
    }

    const fn plain(&self) -> Means {
        if self.user.is_empty() {
            Means::Bearer
        } else {
            Means::Basic
        }
    }
}

/// The error of refused credentials.
pub(super) fn refused() -> PortError {
    PortError::new(FailureClass::Auth, "the server refuses user and password")
}

fn base64(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for three in bytes.chunks(3) {
        let bits = three
            .iter()
            .fold(0u32, |bits, byte| bits << 8 | u32::from(*byte));
        let bits = bits << (8 * (3 - three.len()));
        for place in 0..4 {
            let letter = (bits >> (18 - 6 * place) & 63) as usize;
            let is_filled = place <= three.len();
            text.push(if is_filled {
                char::from(LETTERS[letter])
            } else {
                '='
            });
        }
    }
    text
}

const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
/// How long nothing is sent after a refusal.
const PAUSE: Duration = Duration::from_secs(60);
const CHALLENGE_BYTES_MAX: usize = 8 * 1024;

#[cfg(test)]
mod tests {
    use super::*;
    use reqwest::header::HeaderValue;

    fn auth(user: &str, is_private: bool) -> Auth {
        Auth::new(user, Some(Secret::new("pass")), is_private)
    }

    fn challenge(texts: &[&'static str]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for text in texts {
            headers.append(WWW_AUTHENTICATE, HeaderValue::from_static(text));
        }
        headers
    }

    fn sent(auth: &Auth) -> Option<String> {
        let header = auth.header("PROPFIND", "/x").expect("not refused").0;
        header.map(|secret| secret.expose().to_owned())
    }

    #[test]
    fn a_password_goes_out_in_the_clear_only_when_asked_for() {
        let auth = auth("Aladdin", false);
        assert_eq!(sent(&auth), None);
        // An answer to a request without a password is no wish for one.
        auth.passed();
        assert_eq!(sent(&auth), None);
        let digest = "Digest realm=\"r\", qop=\"auth\", algorithm=MD5, nonce=\"n\"";
        let offers = challenge(&["Basic realm=\"r\"", digest]);
        assert_eq!(auth.challenged(&offers, 0), Refusal::Again);
        assert!(sent(&auth).expect("a header").starts_with("Digest "));
        assert_eq!(auth.challenged(&offers, 1), Refusal::Final);
        assert_eq!(
            auth.header("GET", "/").expect_err("a pause").class,
            FailureClass::Auth
        );
    }

    #[test]
    fn basic_and_tokens_are_sent_at_once_where_nobody_reads_along() {
        assert_eq!(
            sent(&auth("Aladdin", true)).as_deref(),
            Some("Basic QWxhZGRpbjpwYXNz")
        );
        assert_eq!(sent(&auth("", true)).as_deref(), Some("Bearer pass"));
        let late = auth("u", false);
        let basic = challenge(&["Basic realm=\"r\""]);
        assert_eq!(late.challenged(&basic, 0), Refusal::Again);
        assert_eq!(sent(&late).as_deref(), Some("Basic dTpwYXNz"));
        assert_eq!(
            late.challenged(&basic, 0),
            Refusal::Again,
            "an older request"
        );
        assert_eq!(late.challenged(&basic, 1), Refusal::Final);
    }

    #[test]
    fn bytes_become_letters_as_in_rfc_4648() {
        for (text, letters) in [
            ("", ""),
            ("f", "Zg=="),
            ("fo", "Zm8="),
            ("foo", "Zm9v"),
            ("foob", "Zm9vYg=="),
        ] {
            assert_eq!(base64(text.as_bytes()), letters);
        }
    }
}
