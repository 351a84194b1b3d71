//! Operations that move no content: directories, renames, removals, hashes.
//!
//! In: an action with its precondition. Out: what was seen, durable. Invariant: a file
//! is removed by taking it out, looking at it, and only then letting it go. CRASH: a
//! slot with the file that was taken out; `recover` puts it away.

use super::{Sides, is_expected, keep};
use crate::ports::{PortError, PortResult};
use journal_format::event::Outcome;
use journal_format::value::{Entry, Fingerprint, Kind, RelPath, Seq, Side};

pub(super) async fn make_directory(
    sides: Sides<'_>,
    side: Side,
    path: &RelPath,
) -> PortResult<Outcome> {
    let entry = match side {
        Side::Local => sides.local.make_dir(path).await?,
        Side::Remote => sides.remote.make_dir(path).await?,
    };
    sync(sides, side).await?;
    Ok(now(entry))
}

pub(super) async fn rename(
    sides: Sides<'_>,
    side: Side,
    from: &RelPath,
    to: &RelPath,
    expect: &Fingerprint,
) -> PortResult<Outcome> {
    let entry = match side {
        Side::Local => sides.local.rename(from, to, expect).await?,
        Side::Remote => sides.remote.rename(from, to, expect).await?,
    };
    sync(sides, side).await?;
    Ok(now(entry))
}

/// Takes a path into the slot, looks at what that was, and lets it go to the trash.
pub(super) async fn remove_local(
    sides: Sides<'_>,
    id: Seq,
    path: &RelPath,
    expect: &Fingerprint,
) -> PortResult<Outcome> {
    if expect.kind == Kind::Directory {
        sides.local.remove_dir(path, expect).await?;
        sides.local.sync().await?;
        return Ok(Outcome::default());
    }
    let taken = sides.local.take(id, path, expect).await?;
    if !is_expected(&taken, expect) {
        let kept = keep::beside(sides, id, path).await?;
        sides.local.sync().await?;
        let kept = kept.path;
        let message = format!("`{path}` changed at the last moment; it is at `{kept}`");
        return Err(PortError::precondition(message));
    }
    let trashed = keep::to_trash(sides, id, path).await?;
    sides.local.sync().await?;
    Ok(Outcome {
        trashed: Some(trashed),
        ..Outcome::default()
    })
}

pub(super) async fn remove_remote(
    sides: Sides<'_>,
    id: Seq,
    path: &RelPath,
    expect: &Fingerprint,
    rescue: bool,
) -> PortResult<Outcome> {
    let mut outcome = Outcome::default();
    if rescue && expect.kind != Kind::Directory {
        outcome.trashed = Some(keep::rescue_remote(sides, id, path, expect).await?);
    }
    sides.remote.remove(id, path, expect).await?;
    sides.remote.sync().await?;
    Ok(outcome)
}

pub(super) async fn hash(
    sides: Sides<'_>,
    side: Side,
    path: &RelPath,
    expect: &Fingerprint,
) -> PortResult<Outcome> {
    let entry = match side {
        Side::Local => sides.local.hash(path, expect, sides.digest).await?,
        Side::Remote => sides.remote.hash(path, expect, sides.digest).await?,
    };
    Ok(now(entry))
}

async fn sync(sides: Sides<'_>, side: Side) -> PortResult<()> {
    match side {
        Side::Local => sides.local.sync().await,
        Side::Remote => sides.remote.sync().await,
    }
}

fn now(entry: Entry) -> Outcome {
    Outcome {
        target: Some(entry),
        ..Outcome::default()
    }
}
