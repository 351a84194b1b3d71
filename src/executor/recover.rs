//! Puts away what an earlier process left in its slots.
//!
//! In: slots, and the operations that the journal left open, or one that failed just
//! now. Out: slots emptied; what could be a user's bytes is back in the tree, at its
//! conflict name or in the trash, never deleted. A slot may outlive its operation, since
//! a root that is away keeps it: the journal still tells what the operation was.
//! Deliberately absent: whether an operation took effect; both sides are scanned anew
//! and equal content is recognised. CRASH: runs again.

use super::{Sides, is_expected, keep};
use crate::ports::{Leftover, PortResult, Store};
use journal_format::event::{Action, Displaced, Event, Expected, Operation, OperationEvent};
use journal_format::value::{Entry, Fingerprint, Kind, RelPath, Seq, Side};
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
    store: &dyn Store,
    open: &BTreeMap<Seq, Operation>,
) -> PortResult<()> {
    let leftovers = sides.local.leftovers().await?;
    if leftovers.is_empty() {
        return Ok(());
    }
    for leftover in &leftovers {
        let id = leftover.id;
        let open = open.get(&id);
        let ended = match open {
            Some(_) => None,
            None => started(store, id).await,
        };
        let operation = open.or(ended.as_ref());
        let came_out = stands_in_place(sides, operation).await;
        let fate = match (fate(leftover, operation, came_out)?, &ended) {
            // After the journal has lost records their numbers come again: the slot may
            // be another operation's.
            (Fate::Discard, Some(ended)) => Fate::Trash(ended.action.path().clone()),
            (fate, _) => fate,
        };
        put_away(sides, id, fate).await?;
    }
    sides.local.sync().await
}

/// Tells whether a copy stands where an operation was to put it in place of another
/// version: then the exchange took place, and the slot holds what came out. What cannot
/// be looked at proves nothing.
async fn stands_in_place(sides: Sides<'_>, operation: Option<&Operation>) -> bool {
    let Some(Action::Transfer {
        from: Side::Remote,
        target,
        expect: source,
        replaces: Expected::Version(replaced),
        ..
    }) = operation.map(|operation| &operation.action)
    else {
        return false;
    };
    let Ok(Some(now)) = sides.local.stat(target).await else {
        return false;
    };
    let [found, copied] = [&now.fingerprint, &source.fingerprint];
    found.kind == Kind::File
        && copied.kind == Kind::File
        && found.size == copied.size
        && copied.mtime_ns != 0
        && has_time_of(found, copied)
        && !is_expected(&now, replaced)
}

/// Reads what an operation was to do. What cannot be read is not known: the slot is then
/// put away without a name.
async fn started(store: &dyn Store, id: Seq) -> Option<Operation> {
    let records = store.read(id, 1).await.ok()?;
    match records.into_iter().find(|record| record.seq == id)?.event {
        Event::Operation(OperationEvent::Started { operation }) => Some(operation),
        _ => None,
    }
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
    put_away(sides, id, fate(leftover, Some(operation), came_out)?).await?;
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

async fn put_away(sides: Sides<'_>, id: Seq, fate: Fate) -> PortResult<()> {
    match fate {
        Fate::Discard => sides.local.discard(id).await,
        Fate::Trash(path) => keep::to_trash(sides, id, &path).await.map(drop),
        Fate::Path(path) => keep::somewhere(sides, id, &path).await.map(drop),
    }
}

fn fate(leftover: &Leftover, operation: Option<&Operation>, came_out: bool) -> PortResult<Fate> {
    let unnamed = || Fate::Trash(RelPath::root());
    Ok(match operation.map(|operation| &operation.action) {
        Some(Action::Transfer {
            from: Side::Remote,
            target,
            expect: source,
            replaces,
            displaced,
            ..
        }) => match (replaces, displaced) {
            (Expected::Absent, _) => fate_of_copy(leftover, source, target)?,
            (Expected::Version(expect), displaced) => {
                let is_expected = is_expected(&leftover.entry, expect);
                let came_out = came_out || has_come_out(&leftover.entry, expect, source);
                match displaced {
                    Displaced::ConflictCopy(path) if came_out || is_expected => {
                        Fate::Path(path.clone())
                    }
                    _ if came_out && !is_expected => {
                        Fate::Path(keep::numbered(target, leftover.id, 0)?)
                    }
                    _ => Fate::Trash(target.clone()),
                }
            }
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

/// What becomes of a slot from which a copy of `source` was to go to a free place: it may
/// have been there, and been edited, before a power loss took its name back. A source
/// that grew while it was read looks the same, so it is not shown.
fn fate_of_copy(leftover: &Leftover, source: &Entry, target: &RelPath) -> PortResult<Fate> {
    let [found, copied] = [&leftover.entry.fingerprint, &source.fingerprint];
    Ok(if found.kind != copied.kind {
        Fate::Path(keep::numbered(target, leftover.id, 0)?)
    } else if found.kind == Kind::File
        && found.size >= copied.size
        && copied.mtime_ns != 0
        && !has_time_of(found, copied)
    {
        Fate::Trash(target.clone())
    } else {
        Fate::Discard
    })
}

/// Tells whether a copy of `source` could have this time.
fn has_time_of(found: &Fingerprint, source: &Fingerprint) -> bool {
    let age_ns = source.mtime_ns.saturating_sub(found.mtime_ns);
    (0..TIME_STEP_MAX_NS).contains(&age_ns)
}

/// Tells whether a slot surely holds what stood at the target, and no copy of `source`:
/// it is of another kind than a copy would be, or the expected file itself, edited since,
/// and its time is not the copy's. A copy may have got the number of a file that was
/// removed.
fn has_come_out(found: &Entry, expect: &Fingerprint, source: &Entry) -> bool {
    let found = &found.fingerprint;
    if found.kind != source.kind() {
        return true;
    }
    found.kind == expect.kind
        && found.identity.is_some()
        && found.identity == expect.identity
        && !has_time_of(found, &source.fingerprint)
}

/// The coarsest step in which disks keep times.
const TIME_STEP_MAX_NS: i64 = 2_000_000_000;
