//! What failures of requests mean, whoever asked.
//!
//! In: errors of the vendor crate, headers. Out: classes and texts. Invariant: an answer
//! that got lost after a change was asked for is in doubt, any other failure changed
//! nothing; no text holds an address. Deliberately absent: what statuses mean, which is
//! a matter of each protocol.

use crate::ports::PortError;
use journal_format::event::FailureClass;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};

/// What a call does to the server, which says what a lost answer means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Effect {
    /// Nothing.
    Reads,
    /// A change.
    Writes,
}

/// Why the rest of a body does not come.
pub(crate) enum Broken {
    Lost(reqwest::Error),
    Silent,
}

impl Broken {
    /// Says what it means.
    pub(crate) fn error(self, effect: Effect) -> PortError {
        match self {
            Self::Lost(error) => lost(error, effect),
            Self::Silent => silent(effect),
        }
    }
}

/// What a failure before the answer means.
pub(crate) fn lost(error: reqwest::Error, effect: Effect) -> PortError {
    let class = if error.is_connect() || error.is_builder() {
        FailureClass::Retry
    } else {
        doubt(effect)
    };
    let is_untrusted = is_untrusted(&error);
    let text = if error.is_connect() {
        innermost(&error)
    } else {
        causes(&error.without_url())
    };
    PortError {
        is_untrusted,
        ..PortError::new(class, text)
    }
}

/// Tells whether the peer's certificate was not believed.
fn is_untrusted(error: &(dyn std::error::Error + 'static)) -> bool {
    if let Some(error) = error.downcast_ref::<rustls::Error>() {
        return matches!(error, rustls::Error::InvalidCertificate(_));
    }
    // An IO error leaves what it holds out of its causes.
    let io = error.downcast_ref::<std::io::Error>();
    match io.and_then(std::io::Error::get_ref) {
        Some(held) => is_untrusted(held),
        None => error.source().is_some_and(is_untrusted),
    }
}

/// What a failure after the request means.
pub(crate) const fn doubt(effect: Effect) -> FailureClass {
    match effect {
        Effect::Reads => FailureClass::Retry,
        Effect::Writes => FailureClass::InDoubt,
    }
}

/// Says what kept a connection from being made, without who told whom.
fn innermost(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    let last = causes.last().map_or_else(String::new, ToString::to_string);
    format!("no connection: {last}")
}

/// Says an error with what caused it, for people.
fn causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let said = error.to_string();
        if !text.contains(&said) && text.len() < TEXT_BYTES_MAX {
            text = format!("{text}: {said}");
        }
        cause = error.source();
    }
    text
}

/// Returns a header in lower case; empty when it is not there. Names of files come raw.
pub(crate) fn header(headers: &HeaderMap, name: &HeaderName) -> String {
    let value = headers.get(name).map(HeaderValue::as_bytes);
    let text = String::from_utf8_lossy(value.unwrap_or_default());
    text.trim().to_ascii_lowercase()
}

/// Reads a rate, of which 0 is none.
pub(crate) fn rate(bytes: u64) -> Option<u64> {
    (bytes > 0).then_some(bytes)
}

pub(crate) fn unsupported(text: impl Into<String>) -> PortError {
    PortError::new(FailureClass::Unsupported, text)
}

/// A server that says nothing.
pub(crate) fn silent(effect: Effect) -> PortError {
    PortError::new(doubt(effect), "the server has been silent for too long")
}

const TEXT_BYTES_MAX: usize = 1000;
