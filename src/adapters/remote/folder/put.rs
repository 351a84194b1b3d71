//! Writing to and removing from a folder remote.
//!
//! In: content and what is expected at its path. Out: what stands there now, and
//! what came in between. Invariant: a version that is not the expected one is
//! never deleted: it goes back to its path or, where that is taken, beside it.
//! CRASH: a slot without a note is a partial upload; with a note it is what the
//! note says (`note`), or a user's.

use super::note::{Note, erase};
use crate::adapters::rooted::{
    Folder, STAGING, control_place, entry_in_slot, fault, is_expected, unsupported,
};
use crate::ports::{PortError, PortResult, Put, PutRequest, Slot};
use journal_format::event::{Expected, FailureClass, Kept};
use journal_format::value::{Entry, Fingerprint, Kind, NAME_BYTES_MAX, RelPath, Seq};
use std::sync::Arc;

/// Writes a file or link whole or not at all.
pub(super) async fn put(
    folder: &Arc<Folder>,
    slot: String,
    request: PutRequest<'_>,
) -> PortResult<Put> {
    let id = request.id;
    let staged = folder
        .stage(slot.clone(), request.source, request.digest)
        .await?;
    // Durable before it has a name: power loss never shows half a file.
    let durable = folder.sync().await;
    let (path, replaces) = (request.path.clone(), request.replaces.clone());
    let placed = match durable {
        Ok(()) => {
            let slot = slot.clone();
            let work = move |folder: &Arc<Folder>| match replaces {
                Expected::Absent => folder.commit_new(&slot, &path).map(|now| (now, Vec::new())),
                Expected::Version(expect) => replace(folder, id, &slot, &path, &expect),
            };
            folder.run(work).await
        }
        Err(error) => Err(error),
    };
    match placed {
        Ok((mut entry, kept)) => {
            entry.digest = staged.source.digest;
            Ok(Put {
                source: staged.source,
                entry,
                bytes: staged.bytes,
                kept,
            })
        }
        Err(error) if error.class == FailureClass::InDoubt => Err(error),
        Err(error) => {
            folder.run(move |folder| folder.discard(&slot)).await?;
            Err(error)
        }
    }
}

pub(super) fn replace(
    folder: &Folder,
    id: Seq,
    slot: &str,
    path: &RelPath,
    expect: &Fingerprint,
) -> PortResult<(Entry, Vec<Kept>)> {
    if expect.kind == Kind::Directory {
        return Err(unsupported(format!("{path}: a directory is not replaced")));
    }
    let base = folder.base()?;
    let place = control_place(&base, STAGING, slot)?;
    let note = Note {
        path: path.clone(),
        ours: Some(entry_in_slot(&base, &place)?.fingerprint),
        expect: expect.clone(),
    };
    note.write(&base, slot)?;
    let exchanged = match folder.exchange(slot, path, expect) {
        Ok(exchanged) => exchanged,
        Err(error) => {
            // Unless it is ours that lies in the slot, the exchange took place.
            let found = entry_in_slot(&base, &place)?;
            if note.ours.as_ref() != Some(&found.fingerprint) {
                return Err(in_doubt(error));
            }
            erase(&base, slot)?;
            return Err(error);
        }
    };
    let mut kept = Vec::new();
    if is_expected(expect, &exchanged.out.fingerprint) {
        folder.discard(slot).map_err(in_doubt)?;
    } else {
        kept.push(keep_beside(folder, id, slot, path).map_err(in_doubt)?);
    }
    erase(&base, slot).map_err(in_doubt)?;
    Ok((exchanged.now, kept))
}

/// Removes a file, a link or an empty directory.
pub(super) fn remove(
    folder: &Folder,
    id: Seq,
    slot: &str,
    path: &RelPath,
    expect: &Fingerprint,
) -> PortResult<()> {
    if expect.kind == Kind::Directory {
        return folder.remove_dir(path, expect);
    }
    let base = folder.base()?;
    let note = Note {
        path: path.clone(),
        ours: None,
        expect: expect.clone(),
    };
    note.write(&base, slot)?;
    let out = match folder.take(slot, path, expect) {
        Ok(out) => out,
        Err(error) => {
            let place = control_place(&base, STAGING, slot)?;
            if entry_in_slot(&base, &place).is_ok() {
                return Err(in_doubt(error));
            }
            erase(&base, slot)?;
            return Err(error);
        }
    };
    if is_expected(expect, &out.fingerprint) {
        folder.discard(slot)?;
        return erase(&base, slot);
    }
    put_back(folder, id, slot, path)?;
    erase(&base, slot)?;
    Err(PortError::precondition(format!(
        "{path} is not what was expected"
    )))
}

/// Puts a slot back to its path, or beside it when that is taken.
pub(super) fn put_back(folder: &Folder, id: Seq, slot: &str, path: &RelPath) -> PortResult<()> {
    match folder.release(slot, &Slot::Path(path.clone())) {
        Ok(_) => Ok(()),
        Err(error) if error.class == FailureClass::Precondition => {
            keep_beside(folder, id, slot, path).map(drop)
        }
        Err(error) => Err(error),
    }
}

/// Gives a slot a free name beside a path.
pub(super) fn keep_beside(
    folder: &Folder,
    id: Seq,
    slot: &str,
    path: &RelPath,
) -> PortResult<Kept> {
    let mut last = None;
    for attempt in 1..=NAMES_MAX {
        let path = kept_path(path, id, attempt)?;
        match folder.release(slot, &Slot::Path(path.clone())) {
            Ok(entry) => return Ok(Kept { path, entry }),
            Err(error) if error.class == FailureClass::Precondition => last = Some(error),
            Err(error) => return Err(error),
        }
    }
    Err(last.unwrap_or_else(|| PortError::precondition(format!("{path}: no free name"))))
}

fn kept_path(path: &RelPath, id: Seq, attempt: u32) -> PortResult<RelPath> {
    let (parent, name) = path.split().unwrap_or(("", "file"));
    let (stem, extension) = match name.rfind('.') {
        Some(at) if at > 0 && name.len() - at <= EXTENSION_BYTES_MAX => name.split_at(at),
        _ => (name, ""),
    };
    let again = if attempt > 1 {
        format!(" {attempt}")
    } else {
        String::new()
    };
    let tag = format!(" (kept {:x}{again})", id.0);
    let room = NAME_BYTES_MAX.saturating_sub(tag.len() + extension.len());
    let stem = &stem[..stem.floor_char_boundary(room)];
    let name = format!("{stem}{tag}{extension}");
    let full = if parent.is_empty() {
        name
    } else {
        format!("{parent}/{name}")
    };
    RelPath::new(full).map_err(|error| fault(std::io::Error::other(error), path))
}

/// The effect may have taken place: what follows must look first.
fn in_doubt(error: PortError) -> PortError {
    PortError {
        class: FailureClass::InDoubt,
        ..error
    }
}

const NAMES_MAX: u32 = 100;
const EXTENSION_BYTES_MAX: usize = 32;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kept_names_hold_the_extension_and_fit() {
        let long = "é".repeat(127);
        let table = [
            ("d/a.txt", 1, "d/a (kept 1f).txt".to_owned()),
            ("a", 2, "a (kept 1f 2)".to_owned()),
            (".hidden", 1, ".hidden (kept 1f)".to_owned()),
            (&long, 1, format!("{} (kept 1f)", "é".repeat(122))),
        ];
        for (path, attempt, expected) in table {
            let path = RelPath::new(path).expect("path");
            let kept = kept_path(&path, Seq(31), attempt).expect("kept");
            assert_eq!(kept.as_str(), expected);
        }
    }
}
