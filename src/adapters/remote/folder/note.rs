//! A note beside a slot: what the slot is for, written before anything is taken
//! out of the tree.
//!
//! In: a path, what is put there and what is expected to come out. Out: the same
//! after a restart. A note is a symbolic link that leads nowhere: its text is
//! made with it, at once, and a journaling disk keeps the order of names. Where
//! there are no links, or a text is too long for one, it is a synced file.
//! Invariant: nothing is taken out of the tree before its note stands.

use crate::adapters::rooted::{Base, STAGING, control_place, fault, open_beneath};
use crate::ports::PortResult;
use journal_format::value::{Entry, Fingerprint, RelPath};
use rustix::fd::AsFd;
use rustix::fs::{AtFlags, Mode, OFlags, readlinkat, symlinkat, unlinkat};
use rustix::io::Errno;
use serde::{Deserialize, Serialize};
use std::fs::File;
use std::io::{self, Read, Write};

/// What a slot is for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Note {
    /// Where something is taken out.
    pub(super) path: RelPath,
    /// What was staged, which nobody misses.
    pub(super) ours: Option<Fingerprint>,
    /// What was to be replaced or removed, which nobody misses either.
    pub(super) expect: Fingerprint,
}

impl Note {
    /// Writes the note of a slot.
    pub(super) fn write(&self, base: &Base, slot: &str) -> PortResult<()> {
        let name = note_name(slot);
        let place = control_place(base, STAGING, &name)?;
        let text = serde_json::to_string(self).map_err(|error| fault(error, &name))?;
        match symlinkat(&text, &place, name.as_str()) {
            Ok(()) => Ok(()),
            Err(Errno::PERM | Errno::OPNOTSUPP | Errno::NOSYS | Errno::NAMETOOLONG) => {
                write_file(&place, &name, &text).map_err(|error| fault(error, &name))
            }
            Err(error) => Err(fault(error, &name)),
        }
    }

    /// Reads the note of a slot: nothing when there is none that can be read.
    pub(super) fn read(base: &Base, slot: &str) -> PortResult<Option<Self>> {
        let name = note_name(slot);
        let place = control_place(base, STAGING, &name)?;
        match readlinkat(&place, name.as_str(), Vec::new()) {
            Ok(text) => Ok(serde_json::from_slice(text.as_bytes()).ok()),
            Err(Errno::NOENT) => Ok(None),
            // No link, so a file.
            Err(Errno::INVAL) => {
                let text = read_file(&place, &name).map_err(|error| fault(error, &name))?;
                Ok(serde_json::from_slice(&text).ok())
            }
            Err(error) => Err(fault(error, &name)),
        }
    }

    /// Tells whether what lies in the slot exists elsewhere as well.
    pub(super) fn is_spare(&self, found: &Entry) -> bool {
        let same =
            |known: &Fingerprint| crate::adapters::rooted::is_expected(known, &found.fingerprint);
        self.ours.as_ref().is_some_and(same) || same(&self.expect)
    }
}

fn write_file(at: impl AsFd, name: &str, text: &str) -> io::Result<()> {
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL;
    let file = open_beneath(at.as_fd(), name, flags, Mode::RUSR | Mode::WUSR)?;
    let mut file = File::from(file);
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

fn read_file(at: impl AsFd, name: &str) -> io::Result<Vec<u8>> {
    let flags = OFlags::RDONLY | OFlags::NONBLOCK;
    let file = File::from(open_beneath(at.as_fd(), name, flags, Mode::empty())?);
    let mut text = Vec::new();
    file.take(NOTE_BYTES_MAX).read_to_end(&mut text)?;
    Ok(text)
}

/// Removes the note of a slot, after the slot's content is settled.
pub(super) fn erase(base: &Base, slot: &str) -> PortResult<()> {
    let name = note_name(slot);
    let place = control_place(base, STAGING, &name)?;
    match unlinkat(&place, name.as_str(), AtFlags::empty()) {
        Ok(()) | Err(Errno::NOENT) => Ok(()),
        Err(error) => Err(fault(error, &name)),
    }
}

/// Returns the name of a slot's note.
pub(super) fn note_name(slot: &str) -> String {
    format!("{slot}{NOTE}")
}

/// How the names of notes end.
pub(super) const NOTE: &str = ".note";

/// A path of the greatest length, escaped, and two fingerprints.
const NOTE_BYTES_MAX: u64 = 64 * 1024;
