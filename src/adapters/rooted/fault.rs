//! How an operating system error becomes the ports' error.
//!
//! In: an error, and what it is about. Out: the class that says what follows from it.
//! Invariant: what is only wanting for a while is never taken for something that is not
//! there. Deliberately absent: the classes of plain kinds (`PortError::from_io`). Leaves
//! nothing behind.

use crate::ports::PortError;
use journal_format::event::FailureClass;
use rustix::io::Errno;
use std::fmt::Display;
use std::io;

/// Makes the ports' error of an operating system error.
///
/// A link or a mount point where a directory was expected is a changed world,
/// not a passing failure, so these are told apart here.
pub(crate) fn fault(error: impl Into<io::Error>, what: impl Display) -> PortError {
    let error = error.into();
    match Errno::from_io_error(&error) {
        Some(Errno::LOOP) => {
            PortError::precondition(format!("{what}: a symbolic link is in the way"))
        }
        Some(Errno::XDEV) => PortError::new(
            FailureClass::Unsupported,
            format!("{what}: another file system is mounted there"),
        ),
        _ => PortError::from_io(&error, what),
    }
}

/// Tells whether this process, or this machine, has not got what is needed to look. That
/// says nothing of what is there.
pub(crate) fn is_shortage(error: &io::Error) -> bool {
    matches!(
        Errno::from_io_error(error),
        Some(Errno::MFILE | Errno::NFILE | Errno::NOMEM)
    )
}

/// Something that this side cannot do or hold.
pub(crate) fn unsupported(message: impl Into<String>) -> PortError {
    PortError::new(FailureClass::Unsupported, message)
}

/// An invariant of this program does not hold.
pub(crate) fn fatal(message: impl Into<String>) -> PortError {
    PortError::new(FailureClass::Fatal, message)
}
