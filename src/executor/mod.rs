//! Runs one operation through the ports.
//!
//! In: an operation whose start is durable. Out: what was seen afterwards, durable,
//! or an error. Invariants: content is durable before it is visible, and visible
//! before success is reported; each destructive step follows a check of its
//! precondition, and what came out instead is kept. Watched by ring 2. Deliberately
//! absent: decisions about what to do. CRASH: `recover` puts away what a slot holds.
//! A new kind of operation gets a file here and an arm in `execute`.

mod by_hand;
mod download;
mod keep;
mod meter;
mod recover;
mod simple;
mod upload;

pub use by_hand::{Done, Hand, NotRestored};
pub use meter::Meter;
pub use recover::{empty_slot, put_away_leftovers, uses_slot};

use crate::ports::{LocalFs, PortError, Remote};
use journal_format::event::{Action, Operation, Outcome};
use journal_format::value::{DigestKind, Entry, Fingerprint, Kind, Seq, Side};
use tracing::Instrument;

/// The two sides, and how content is hashed.
#[derive(Clone, Copy)]
pub struct Sides<'a> {
    /// The local side.
    pub local: &'a dyn LocalFs,
    /// The remote side.
    pub remote: &'a dyn Remote,
    /// The pair's hash function.
    pub digest: DigestKind,
}

/// An operation that failed.
#[derive(Debug, Clone)]
pub struct Failed {
    /// Why.
    pub error: PortError,
    /// Whether its slot surely holds what came out of the tree, and no copy of ours.
    pub came_out: bool,
}

impl From<PortError> for Failed {
    fn from(error: PortError) -> Self {
        Self {
            error,
            came_out: false,
        }
    }
}

/// Runs an operation to its end; a transfer counts its bytes on the way.
///
/// A dropped call leaves at most a slot in the staging area, which
/// [`put_away_leftovers`] deals with at the next start.
///
/// # Errors
/// As the ports fail; nothing was then replaced or removed that the operation did
/// not expect, and what it took out of the way is back, kept, or in its slot:
/// [`empty_slot`] comes next.
pub async fn execute(
    sides: Sides<'_>,
    id: Seq,
    operation: &Operation,
    meter: &Meter,
) -> Result<Outcome, Failed> {
    let case = operation.case.letter();
    // Quoted, since a name may hold anything.
    let path = tracing::field::debug(operation.action.path().as_str());
    // At the gravest level, so that a warning too says what it is about.
    let span = tracing::error_span!("operation", op = id.0, case, path);
    async {
        let result = run(sides, id, operation, meter).await;
        match &result {
            Ok(outcome) => tracing::debug!(bytes = outcome.bytes, "done"),
            Err(Failed { error, .. }) => tracing::info!(class = ?error.class, "{error}"),
        }
        result
    }
    .instrument(span)
    .await
}

async fn run(
    sides: Sides<'_>,
    id: Seq,
    operation: &Operation,
    meter: &Meter,
) -> Result<Outcome, Failed> {
    let done = match &operation.action {
        Action::Transfer {
            from: Side::Remote,
            source,
            expect,
            target,
            replaces,
            displaced,
        } => {
            let download = download::Download {
                source,
                expect,
                target,
                replaces,
                displaced,
                meter,
            };
            return download::run(sides, id, &download).await;
        }
        Action::Transfer {
            from: Side::Local,
            source,
            expect,
            target,
            replaces,
            displaced,
        } => {
            let upload = upload::Upload {
                source,
                expect,
                target,
                replaces,
                displaced,
                meter,
            };
            upload::run(sides, id, &upload).await
        }
        Action::MakeDirectory { side, path } => simple::make_directory(sides, *side, path).await,
        Action::Move {
            side,
            from,
            to,
            expect,
        } => simple::rename(sides, *side, from, to, expect).await,
        Action::Remove {
            side: Side::Local,
            path,
            expect,
            ..
        } => simple::remove_local(sides, id, path, expect).await,
        Action::Remove {
            side: Side::Remote,
            path,
            expect,
            rescue,
        } => simple::remove_remote(sides, id, path, expect, *rescue).await,
        Action::Hash { side, path, expect } => simple::hash(sides, *side, path, expect).await,
    };
    done.map_err(Failed::from)
}

/// Tells whether an entry is the version that was expected.
fn is_expected(entry: &Entry, expect: &Fingerprint) -> bool {
    match expect.kind {
        Kind::Directory => {
            entry.kind() == Kind::Directory && entry.fingerprint.identity == expect.identity
        }
        Kind::File | Kind::Symlink => entry.fingerprint == *expect,
    }
}
