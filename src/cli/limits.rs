//! What the system lets this process have.
//!
//! In: nothing. Out: as many open files as an administrator allows. Invariant: a limit that
//! cannot be raised is left as it is. Deliberately absent: what happens when it is reached,
//! which the adapters tell as a failure that passes. Leaves nothing behind.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Raises the soft limit of open files, which is 1024 nearly everywhere, to the hard one.
/// It is that low for programs that call `select`, which this one does not; thousands of
/// small files that are on their way at once need more.
pub(super) fn raise_open_files() {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: limit.maximum,
        ..limit
    };
    if let Err(error) = setrlimit(Resource::Nofile, raised) {
        tracing::debug!(%error, "no more files can be open at once");
    }
}
