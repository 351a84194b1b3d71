//! The one error of all ports: it answers what the caller may do next.
//!
//! In: operating system errors, servers' answers. Out: a class, a message, perhaps a
//! time to wait. Invariant: messages hold no credentials and no content. Deliberately
//! absent: retrying, which the core plans.

use futures::future::LocalBoxFuture;
use journal_format::event::FailureClass;

/// A result of a port call.
pub type PortResult<T> = Result<T, PortError>;

/// A port call in flight. Dropping it is allowed at any await; each method says
/// what may then be left behind.
pub type Task<'a, T> = LocalBoxFuture<'a, PortResult<T>>;

/// Why a port call did not do what it was asked for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct PortError {
    /// What the failure means for the next try.
    pub class: FailureClass,
    /// What happened, to what; without credentials and content.
    pub message: String,
    /// The peer's own word on when to come back.
    pub retry_after_ms: Option<u64>,
    /// Whether the peer showed a certificate that nobody here vouches for.
    pub is_untrusted: bool,
}

impl PortError {
    /// Makes an error of a class.
    #[must_use]
    pub fn new(class: FailureClass, message: impl Into<String>) -> Self {
        Self {
            class,
            message: message.into(),
            retry_after_ms: None,
            is_untrusted: false,
        }
    }

    /// What was expected is not there: observe again before deciding.
    #[must_use]
    pub fn precondition(message: impl Into<String>) -> Self {
        Self::new(FailureClass::Precondition, message)
    }

    /// Reads the class off an operating system error and names the path.
    #[must_use]
    pub fn from_io(error: &std::io::Error, what: impl std::fmt::Display) -> Self {
        use std::io::ErrorKind;
        let class = match error.kind() {
            ErrorKind::NotFound
            | ErrorKind::AlreadyExists
            | ErrorKind::NotADirectory
            | ErrorKind::IsADirectory
            | ErrorKind::DirectoryNotEmpty
            | ErrorKind::StaleNetworkFileHandle => FailureClass::Precondition,
            ErrorKind::PermissionDenied => FailureClass::Denied,
            ErrorKind::StorageFull | ErrorKind::QuotaExceeded => FailureClass::NoSpace,
            ErrorKind::InvalidFilename
            | ErrorKind::InvalidInput
            | ErrorKind::FileTooLarge
            | ErrorKind::Unsupported
            | ErrorKind::ReadOnlyFilesystem => FailureClass::Unsupported,
            _ => FailureClass::Retry,
        };
        Self::new(class, format!("{what}: {error}"))
    }
}
