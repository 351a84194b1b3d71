//! Settles what an earlier process of this client left in staging.
//!
//! In: slots and their notes. Out: staging without them. Invariant: only content
//! that exists elsewhere is deleted: partial uploads, which have no note, and
//! what a note says is spare. Anything else becomes visible. Slots of another
//! client are its own business.

use super::note::{NOTE, Note, erase, note_name};
use super::put::{keep_beside, put_back};
use crate::adapters::rooted::{Base, Folder, STAGING, control_place, entry_in_slot, names_in};
use crate::ports::PortResult;
use journal_format::value::{Kind, RelPath, Seq};
use std::collections::BTreeSet;

/// Settles all slots of a client.
pub(super) fn tidy_up(folder: &Folder, client: &str) -> PortResult<()> {
    let base = folder.base()?;
    folder.finish_exchanges(&base, |slot| is_ours(slot, client).is_some())?;
    let names: BTreeSet<String> = names_in(&base, STAGING)?.into_iter().collect();
    for name in &names {
        if let Some(slot) = name.strip_suffix(NOTE) {
            if is_ours(slot, client).is_some() && !names.contains(slot) {
                erase(&base, slot)?;
            }
        } else if let Some(id) = is_ours(name, client) {
            settle(folder, &base, id, name, names.contains(&note_name(name)))?;
        }
    }
    Ok(())
}

fn settle(folder: &Folder, base: &Base, id: Seq, slot: &str, noted: bool) -> PortResult<()> {
    let place = control_place(base, STAGING, slot)?;
    let found = entry_in_slot(base, &place)?;
    if !noted && found.kind() != Kind::Directory {
        return folder.discard(slot);
    }
    match Note::read(base, slot)? {
        Some(note) if note.is_spare(&found) => folder.discard(slot)?,
        Some(note) if note.path.is_root() => keep_at_root(folder, id, slot)?,
        Some(note) => {
            put_back(folder, id, slot, &note.path).or_else(|_| keep_at_root(folder, id, slot))?
        }
        None => keep_at_root(folder, id, slot)?,
    }
    erase(base, slot)
}

/// The path is not known, or its directory is gone.
fn keep_at_root(folder: &Folder, id: Seq, slot: &str) -> PortResult<()> {
    let path = RelPath::new("recovered").unwrap_or_default();
    keep_beside(folder, id, slot, &path).map(drop)
}

fn is_ours(slot: &str, client: &str) -> Option<Seq> {
    let (id, owner) = slot.split_once('-')?;
    let id = u64::from_str_radix(id, 16).ok()?;
    (owner == client).then_some(Seq(id))
}
