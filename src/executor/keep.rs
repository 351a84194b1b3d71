//! Where versions go that had to make way.
//!
//! In: a slot's content and where it should go. Out: where it went. Invariant: it ends
//! at the wanted path, beside it, in a directory above when its own is gone, or in the
//! trash, and nothing is replaced there.
//! Deliberately absent: deleting. CRASH: the slot, or its content at its new place.

use super::Sides;
use crate::ports::{PortError, PortResult, Slot};
use journal_format::event::{FailureClass, Kept};
use journal_format::value::{Fingerprint, Kind, NAME_BYTES_MAX, RelPath, Seq};

/// Moves the slot's content into the trash. Returns its name there. After the journal
/// has lost records their numbers come again, so the name may be taken.
pub(super) async fn to_trash(sides: Sides<'_>, id: Seq, path: &RelPath) -> PortResult<RelPath> {
    let mut name = trash_name(id, path, 0)?;
    let mut attempt = 0;
    loop {
        let released = sides.local.release(id, &Slot::Trash(name.clone())).await;
        let Err(error) = released else {
            return Ok(name);
        };
        attempt += 1;
        if error.class != FailureClass::Precondition || attempt == ATTEMPTS_MAX {
            return Err(error);
        }
        name = numbered(&trash_name(id, path, 0)?, id, attempt)?;
    }
}

/// Where a version went.
pub(super) enum Place {
    Tree(Kept),
    /// Its name in the trash.
    Trash(RelPath),
}

/// Moves the slot's content to `wanted`, or beside it when that is taken.
///
/// # Errors
/// As the local side fails; `Precondition` also when it ended in the trash.
pub(super) async fn beside(sides: Sides<'_>, id: Seq, wanted: &RelPath) -> PortResult<Kept> {
    match somewhere(sides, id, wanted).await? {
        Place::Tree(kept) => Ok(kept),
        Place::Trash(name) => Err(PortError::precondition(format!(
            "`{wanted}` was in the way and is in the trash as `{name}`"
        ))),
    }
}

/// Moves the slot's content to `wanted`, or beside it when that is taken, or into the
/// nearest directory above that is there. What can be put nowhere in the tree ends in
/// the trash.
///
/// # Errors
/// As the local side fails; the slot is still full.
pub(super) async fn somewhere(sides: Sides<'_>, id: Seq, wanted: &RelPath) -> PortResult<Place> {
    let mut path = wanted.clone();
    loop {
        if let Some(kept) = in_its_directory(sides, id, &path).await? {
            return Ok(Place::Tree(kept));
        }
        let (Some(above), Some(name)) =
            (path.parent().filter(|above| !above.is_root()), path.name())
        else {
            break;
        };
        let above = above.parent().unwrap_or_default();
        path = join(above.as_str(), name)?;
    }
    to_trash(sides, id, wanted).await.map(Place::Trash)
}

/// Nothing when the directory is not there, or full of such names.
async fn in_its_directory(sides: Sides<'_>, id: Seq, wanted: &RelPath) -> PortResult<Option<Kept>> {
    for attempt in 0..ATTEMPTS_MAX {
        let path = if attempt == 0 {
            wanted.clone()
        } else {
            numbered(wanted, id, attempt)?
        };
        match sides.local.release(id, &Slot::Path(path.clone())).await {
            Ok(entry) => return Ok(Some(Kept { path, entry })),
            Err(error) if error.class == FailureClass::Precondition => {}
            Err(error) => return Err(error),
        }
        if attempt == 0 && !is_directory_there(sides, wanted).await? {
            return Ok(None);
        }
    }
    Ok(None)
}

async fn is_directory_there(sides: Sides<'_>, path: &RelPath) -> PortResult<bool> {
    let Some(directory) = path.parent().filter(|directory| !directory.is_root()) else {
        return Ok(true);
    };
    let found = sides.local.stat(&directory).await?;
    Ok(found.is_some_and(|entry| entry.kind() == Kind::Directory))
}

/// Brings a copy of a remote version into the local trash, durably.
pub(super) async fn rescue_remote(
    sides: Sides<'_>,
    id: Seq,
    path: &RelPath,
    expect: &Fingerprint,
) -> PortResult<RelPath> {
    let source = sides.remote.open(path, expect).await?;
    if let Err(error) = sides.local.stage(id, source, sides.digest).await {
        sides.local.discard(id).await?;
        return Err(error);
    }
    sides.local.sync().await?;
    let name = to_trash(sides, id, path).await?;
    sides.local.sync().await?;
    Ok(name)
}

/// A path beside `wanted` that hardly anybody has.
pub(super) fn numbered(wanted: &RelPath, id: Seq, attempt: u32) -> PortResult<RelPath> {
    let (directory, name) = wanted.split().unwrap_or(("", ""));
    let mark = format!(" (kept {:x}-{attempt})", id.0);
    let (stem, extension) = match name.rfind('.') {
        Some(dot) if dot > 0 && name.len() - dot <= 17 => name.split_at(dot),
        _ => (name, ""),
    };
    let stem = cut(stem, NAME_BYTES_MAX - mark.len() - extension.len());
    join(directory, &format!("{stem}{mark}{extension}"))
}

/// `<id>-<name>`: the journal knows the path by the id, people know the name. One event
/// may put several there, which are told apart by a number between the two.
pub(super) fn trash_name(id: Seq, path: &RelPath, attempt: usize) -> PortResult<RelPath> {
    let mark = match attempt {
        0 => format!("{:016x}-", id.0),
        again => format!("{:016x}-{again}-", id.0),
    };
    let name = path.name().unwrap_or("root");
    join(
        "",
        &format!("{mark}{}", cut(name, NAME_BYTES_MAX - mark.len())),
    )
}

fn join(directory: &str, name: &str) -> PortResult<RelPath> {
    let path = RelPath::new(directory).and_then(|directory| directory.join(name));
    path.map_err(|error| {
        PortError::new(
            FailureClass::Unsupported,
            format!("no name for a kept copy: {error}"),
        )
    })
}

fn cut(text: &str, bytes_max: usize) -> &str {
    let mut end = text.len().min(bytes_max);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

const ATTEMPTS_MAX: u32 = 8;
