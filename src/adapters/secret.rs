//! A password on its way to the adapter that needs it.
//!
//! In: text from a prompt, a file or a credential store. Out: the text, to whoever
//! asks for it by name. Invariant: it never gets into a log, a message or a core
//! dump's heap by accident: `Debug` prints stars and dropping it overwrites it. Copies
//! share what a server said of it, so that a wrong one is not tried once for each.
//! Deliberately absent: `Display`, comparing, serialising. Leaves nothing behind.

use std::fmt;
use std::sync::Arc;
use tokio::sync::{Mutex, MutexGuard};
use tokio::time::Instant;
use zeroize::Zeroizing;

/// A password or a key. All copies are one.
#[derive(Clone)]
pub struct Secret(Arc<Inner>);

struct Inner {
    text: Zeroizing<String>,
    trial: Mutex<Trial>,
}

/// What a server said of a password.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Trial {
    /// Nothing yet.
    #[default]
    Untried,
    /// That it is right.
    Taken,
    /// That it is wrong, and when.
    Refused(Instant),
}

impl Secret {
    /// Takes a text over.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        Self(Arc::new(Inner {
            text: Zeroizing::new(text.into()),
            trial: Mutex::default(),
        }))
    }

    /// Returns the text, for the one place that sends or stores it.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0.text
    }

    /// Waits until nobody else tries this password, and tells what is known of it.
    /// Whoever tries it holds on to the answer meanwhile.
    pub async fn trial(&self) -> MutexGuard<'_, Trial> {
        self.0.trial.lock().await
    }

    /// Tells whether a server refused it the last time it was tried.
    #[must_use]
    pub fn is_refused(&self) -> bool {
        let trial = self.0.trial.try_lock();
        trial.is_ok_and(|trial| matches!(*trial, Trial::Refused(_)))
    }

    /// Tells whether there is no text at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.text.is_empty()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(***)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_prints_stars_only() {
        let secret = Secret::new("hunter2");
        assert_eq!(
            format!("{secret:?} {:#?}", Some(&secret))
                .matches("hunter2")
                .count(),
            0
        );
        assert_eq!(secret.expose(), "hunter2");
    }
}
