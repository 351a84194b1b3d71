//! Puts away what an earlier process left in its slots.
//!
//! In: slots, and the operations that the journal left open, or one that failed just
//! now. Out: slots emptied; what could be a user's bytes is back in the tree, at its
//! conflict name or in the trash, never deleted. Whether an operation took effect is not decided here: both
//! sides are scanned anew and equal content is recognised. CRASH: runs again.

use super::{Sides, is_expected, keep};
use crate::ports::{Leftover, PortError, PortResult};
use journal_format::event::{Action, Displaced, Expected, FailureClass, Operation};
use journal_format::value::Seq;
use journal_format::value::{RelPath, Side};
use std::collections::BTreeMap;

/// What becomes of a slot.
#[derive(Debug, PartialEq, Eq)]
enum Fate {
    /// A copy of what the other side has.
    Discard,
    Trash(RelPath),
    Path(RelPath),
}

/// Empties all slots. Durable on return.
///
/// # Errors
/// As the local side fails; slots that were not reached are still there.
pub async fn put_away_leftovers(
    sides: Sides<'_>,
    open: &BTreeMap<Seq, Operation>,
) -> PortResult<()> {
    sides.remote.tidy_up().await?;
    let leftovers = sides.local.leftovers().await?;
    if leftovers.is_empty() {
        return Ok(());
    }
    for leftover in &leftovers {
        put_away(sides, leftover, open.get(&leftover.id), false).await?;
    }
    sides.local.sync().await
}

/// Empties the slot of an operation that failed, if anything is left in it: until
/// then what it took out of the way is nowhere that people look. Whether that `came_out`
/// is known as long as the process lives. Durable on return.
///
/// # Errors
/// As the local side fails; the slot may still hold something.
pub async fn empty_slot(
    sides: Sides<'_>,
    id: Seq,
    operation: &Operation,
    came_out: bool,
) -> PortResult<()> {
    let leftovers = sides.local.leftovers().await?;
    let Some(leftover) = leftovers.iter().find(|leftover| leftover.id == id) else {
        return Ok(());
    };
    put_away(sides, leftover, Some(operation), came_out).await?;
    sides.local.sync().await
}

/// Tells whether an operation uses its slot.
#[must_use]
pub const fn uses_slot(operation: &Operation) -> bool {
    match &operation.action {
        Action::Transfer {
            from, displaced, ..
        } => matches!(from, Side::Remote) || !matches!(displaced, Displaced::Discard),
        Action::Remove { side, rescue, .. } => matches!(side, Side::Local) || *rescue,
        Action::MakeDirectory { .. } | Action::Move { .. } | Action::Hash { .. } => false,
    }
}

async fn put_away(
    sides: Sides<'_>,
    leftover: &Leftover,
    operation: Option<&Operation>,
    came_out: bool,
) -> PortResult<()> {
    let id = leftover.id;
    match fate(leftover, operation, came_out)? {
        Fate::Discard => sides.local.discard(id).await,
        Fate::Trash(path) => keep::to_trash(sides, id, &path).await.map(drop),
        Fate::Path(path) => put_back(sides, id, &path).await,
    }
}

/// A directory above may be gone by now: then the trash keeps it.
async fn put_back(sides: Sides<'_>, id: Seq, path: &RelPath) -> PortResult<()> {
    match keep::beside(sides, id, path).await {
        Ok(_) => Ok(()),
        Err(PortError {
            class: FailureClass::Precondition,
            ..
        }) => Ok(()),
        Err(error) => Err(error),
    }
}

fn fate(leftover: &Leftover, operation: Option<&Operation>, came_out: bool) -> PortResult<Fate> {
    let unnamed = || Fate::Trash(RelPath::root());
    Ok(match operation.map(|operation| &operation.action) {
        Some(Action::Transfer {
            from: Side::Remote,
            target,
            replaces,
            displaced,
            ..
        }) => match (replaces, displaced) {
            (Expected::Absent, _) => Fate::Discard,
            (Expected::Version(expect), Displaced::ConflictCopy(path))
                if came_out || is_expected(&leftover.entry, expect) =>
            {
                Fate::Path(path.clone())
            }
            (Expected::Version(expect), _) if came_out && !is_expected(&leftover.entry, expect) => {
                Fate::Path(keep::numbered(target, leftover.id, 0)?)
            }
            (Expected::Version(_), _) => Fate::Trash(target.clone()),
        },
        Some(Action::Remove {
            side: Side::Local,
            path,
            expect,
            ..
        }) => {
            if is_expected(&leftover.entry, expect) {
                Fate::Trash(path.clone())
            } else {
                Fate::Path(path.clone())
            }
        }
        Some(
            Action::Transfer {
                from: Side::Local, ..
            }
            | Action::Remove { .. },
        ) => Fate::Discard,
        Some(Action::MakeDirectory { .. } | Action::Move { .. } | Action::Hash { .. }) | None => {
            unnamed()
        }
    })
}
