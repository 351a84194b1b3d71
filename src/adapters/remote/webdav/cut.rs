//! Answers that break off: the server closed the connection, or lost it.
//!
//! In: questions. Out: answers, asked for once more where the first one broke off.
//! Invariant: only what changes nothing is asked twice. Deliberately absent: requests that
//! got no answer at all (`http`), and trying again later, which the core plans.

use crate::adapters::http::{Broken, Effect};
use crate::ports::{PortError, PortResult};

/// Why there is no whole answer.
pub(super) struct Failed {
    error: PortError,
    /// Whether the answer had begun.
    is_cut: bool,
}

impl From<PortError> for Failed {
    fn from(error: PortError) -> Self {
        let is_cut = false;
        Self { error, is_cut }
    }
}

impl From<Failed> for PortError {
    fn from(failed: Failed) -> Self {
        failed.error
    }
}

/// An answer that broke off after its headers.
pub(super) fn cut(broken: Broken, effect: Effect) -> Failed {
    let error = broken.error(effect);
    Failed {
        error: PortError {
            message: format!("the answer broke off: {}", error.message),
            ..error
        },
        is_cut: true,
    }
}

/// Asks what changes nothing, and once more when the answer breaks off.
pub(super) async fn asked_again<T>(ask: impl AsyncFn() -> Result<T, Failed>) -> PortResult<T> {
    let answer = match ask().await {
        Err(failed) if failed.is_cut => ask().await,
        answer => answer,
    };
    Ok(answer?)
}
