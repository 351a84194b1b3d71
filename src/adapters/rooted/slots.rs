//! Slots: one name in staging for each operation.
//!
//! In: a slot's name, paths and what is expected there. Out: content that moved
//! between its slot and its path, by renames only. Invariant: nothing is
//! replaced, and what an exchange or a take brings out is returned, never
//! judged here. What is said to stand at a path is what was put there, so that
//! whatever a user does right afterwards is seen as a change. CRASH: a slot
//! stays and is reported by [`Folder::leftovers`].

use super::beneath::{CONTROL, LISTED, Place, STAGING, TRASH, open_beneath};
use super::fault::{fault, unsupported};
use super::folder::{Base, Folder, locked};
use super::grain::Disk;
use super::look::look;
use super::part::PARTS_MAX;
use super::rename::{exchange, rename_new};
use super::source::{check_path, entry_of};
use crate::ports::{Exchanged, Leftover, PortError, PortResult, Slot};
use journal_format::value::{Entry, Fingerprint, Kind, RelPath, Seq};
use rustix::fd::AsFd;
use rustix::fs::{AtFlags, Mode, RawDir, mkdirat, unlinkat};
use rustix::io::Errno;

/// Returns the name of an operation's slot.
pub(crate) fn slot_name(id: Seq) -> String {
    format!("{:016x}", id.0)
}

impl Folder {
    /// Renames a slot to a free path.
    pub(crate) fn commit_new(&self, slot: &str, path: &RelPath) -> PortResult<Entry> {
        check_path(path)?;
        let base = self.base()?;
        let to = Place::of(base.as_fd(), path).map_err(|error| fault(error, path))?;
        let entry = self.leave_slot(&base, slot, &to)?;
        self.changed_directory(parent_of(path));
        Ok(entry)
    }

    /// Exchanges a slot with what is expected at a path.
    pub(crate) fn exchange(
        &self,
        slot: &str,
        path: &RelPath,
        expect: &Fingerprint,
    ) -> PortResult<Exchanged> {
        self.check_slot(slot)?;
        let base = self.base()?;
        let from = control_place(&base, STAGING, slot)?;
        let now = entry_in_slot(&base, &from)?;
        let to = Place::of(base.as_fd(), path).map_err(|error| fault(error, path))?;
        self.expect_grown(path, expect)?;
        exchange(&from, &to, &format!("{slot}{OUT}")).map_err(|error| fault(error, path))?;
        self.moved_between(slot, path);
        let out = entry_in_slot(&base, &from)?;
        let now = base.disk().shown_entry(now);
        Ok(Exchanged { now, out })
    }

    /// Renames what is expected at a path into a free slot.
    pub(crate) fn take(
        &self,
        slot: &str,
        path: &RelPath,
        expect: &Fingerprint,
    ) -> PortResult<Entry> {
        let base = self.base()?;
        let to = control_place(&base, STAGING, slot)?;
        let from = Place::of(base.as_fd(), path).map_err(|error| fault(error, path))?;
        self.expect_grown(path, expect)?;
        rename_new(&from, &to).map_err(|error| fault(error, path))?;
        self.moved_between(slot, path);
        entry_in_slot(&base, &to)
    }

    /// Renames a slot to its last place.
    pub(crate) fn release(&self, slot: &str, to: &Slot) -> PortResult<Entry> {
        match to {
            Slot::Path(path) => self.commit_new(slot, path),
            Slot::Trash(name) => {
                let one = name.names().count() == 1;
                let name = Some(name.as_str()).filter(|_| one);
                let name = name.ok_or_else(|| unsupported("a name in the trash is one name"))?;
                let base = self.base()?;
                let to = control_place(&base, TRASH, name)?;
                let entry = self.leave_slot(&base, slot, &to)?;
                self.changed_directory(TRASH);
                Ok(entry)
            }
        }
    }

    fn leave_slot(&self, base: &Base, slot: &str, to: &Place<'_>) -> PortResult<Entry> {
        self.check_slot(slot)?;
        let from = control_place(base, STAGING, slot)?;
        let entry = entry_in_slot(base, &from)?;
        rename_new(&from, to).map_err(|error| fault(error, to.name))?;
        locked(&self.staged).remove(slot);
        self.changed_directory(STAGING);
        Ok(base.disk().shown_entry(entry))
    }

    fn moved_between(&self, slot: &str, path: &RelPath) {
        locked(&self.staged).remove(slot);
        self.changed_directory(STAGING);
        self.changed_directory(parent_of(path));
    }

    /// Deletes a slot's file, link or empty directory; fine when there is none.
    ///
    /// # Errors
    /// `Precondition` for a directory with entries: those are not ours.
    pub(crate) fn discard(&self, slot: &str) -> PortResult<()> {
        let base = self.base()?;
        let place = control_place(&base, STAGING, slot)?;
        let removed = match unlinkat(&place, slot, AtFlags::empty()) {
            Err(Errno::ISDIR | Errno::PERM) => unlinkat(&place, slot, AtFlags::REMOVEDIR),
            result => result,
        };
        match removed {
            Ok(()) | Err(Errno::NOENT) => {}
            Err(error) => return Err(fault(error, slot)),
        }
        locked(&self.staged).remove(slot);
        self.changed_directory(STAGING);
        Ok(())
    }

    /// Creates a directory at a free path.
    pub(crate) fn make_dir(&self, path: &RelPath) -> PortResult<Entry> {
        check_path(path)?;
        let base = self.base()?;
        let place = Place::of(base.as_fd(), path).map_err(|error| fault(error, path))?;
        let all = Mode::RWXU | Mode::RWXG | Mode::RWXO;
        mkdirat(&place, place.name, all).map_err(|error| fault(error, path))?;
        self.changed_directory(parent_of(path));
        let made = look(&place, place.name, base.disk()).map_err(|error| fault(error, path))?;
        let made = made.ok_or_else(|| PortError::precondition(format!("{path} vanished")))?;
        entry_of(made, path)
    }

    /// Renames what is expected at a path to a free path.
    pub(crate) fn rename(
        &self,
        from: &RelPath,
        to: &RelPath,
        expect: &Fingerprint,
    ) -> PortResult<Entry> {
        check_path(to)?;
        let entry = self.expect(from, expect)?;
        if to.is_within(from) {
            return Err(PortError::precondition(format!("{to} lies in {from}")));
        }
        let base = self.base()?;
        let source = Place::of(base.as_fd(), from).map_err(|error| fault(error, from))?;
        let target = Place::of(base.as_fd(), to).map_err(|error| fault(error, to))?;
        rename_new(&source, &target).map_err(|error| fault(error, to))?;
        self.changed_directory(parent_of(from));
        self.changed_directory(parent_of(to));
        Ok(entry)
    }

    /// Removes the empty directory that is expected at a path.
    pub(crate) fn remove_dir(&self, path: &RelPath, expect: &Fingerprint) -> PortResult<()> {
        let entry = self.expect(path, expect)?;
        if entry.kind() != Kind::Directory {
            return Err(PortError::precondition(format!("{path} is no directory")));
        }
        let base = self.base()?;
        let place = Place::of(base.as_fd(), path).map_err(|error| fault(error, path))?;
        // RACE: another empty directory may have taken its place; nothing is in it.
        unlinkat(&place, place.name, AtFlags::REMOVEDIR).map_err(|error| fault(error, path))?;
        self.changed_directory(parent_of(path));
        Ok(())
    }

    /// Lists the slots that an earlier process left, those of an exchange in two
    /// steps put back first.
    pub(crate) fn leftovers(&self) -> PortResult<Vec<Leftover>> {
        let base = self.base()?;
        self.finish_exchanges(&base, |slot| parse_slot(slot).is_some())?;
        self.prune_parts(PARTS_MAX, i64::MIN)?;
        let mut leftovers = Vec::new();
        for name in names_in(&base, STAGING)? {
            let Some(id) = parse_slot(&name) else {
                continue;
            };
            let place = control_place(&base, STAGING, &name)?;
            if let Ok(entry) = entry_in_slot(&base, &place) {
                leftovers.push(Leftover { id, entry });
            }
        }
        leftovers.sort_unstable_by_key(|leftover| leftover.id);
        Ok(leftovers)
    }

    /// Ends exchanges in two steps, of slots that are `ours`: what was taken out
    /// of the tree counts, what was staged exists elsewhere.
    pub(crate) fn finish_exchanges(
        &self,
        base: &Base,
        ours: impl Fn(&str) -> bool,
    ) -> PortResult<()> {
        for name in names_in(base, STAGING)? {
            if let Some(slot) = name.strip_suffix(OUT).filter(|slot| ours(slot)) {
                self.discard(slot)?;
                let out = control_place(base, STAGING, &name)?;
                rename_new(&out, &out.sibling(slot)).map_err(|error| fault(error, slot))?;
            }
        }
        Ok(())
    }
}

/// Opens one of our own directories, which a user may have deleted.
pub(crate) fn control_place<'a>(
    base: &'a Base,
    directory: &str,
    name: &'a str,
) -> PortResult<Place<'a>> {
    let open = || Place::within(base.as_fd(), directory, name);
    let place = match open() {
        Err(Errno::NOENT) => Place::within(base.as_fd(), CONTROL, "")
            .and_then(|control| {
                let last = directory.rsplit('/').next().unwrap_or(directory);
                mkdirat(&control, last, Mode::RWXU)
            })
            .and_then(|()| open()),
        result => result,
    };
    place.map_err(|error| fault(error, directory))
}

/// Lists the names in one of our own directories; none when it is missing.
pub(crate) fn names_in(base: &Base, directory: &str) -> PortResult<Vec<String>> {
    let fd = match open_beneath(base.as_fd(), directory, LISTED, Mode::empty()) {
        Ok(fd) => fd,
        Err(Errno::NOENT) => return Ok(Vec::new()),
        Err(error) => return Err(fault(error, directory)),
    };
    let mut buffer = Vec::with_capacity(32 * 1024);
    let mut raw = RawDir::new(fd, buffer.spare_capacity_mut());
    let mut names = Vec::new();
    while let Some(entry) = raw.next() {
        let entry = entry.map_err(|error| fault(error, directory))?;
        // Names that are not text were not made by us.
        if let Ok(name) = entry.file_name().to_str()
            && !matches!(name, "." | "..")
        {
            names.push(name.to_owned());
        }
    }
    Ok(names)
}

/// Looks at what lies in a slot, where nobody edits it: its time is told as it is.
pub(crate) fn entry_in_slot(base: &Base, slot: &Place<'_>) -> PortResult<Entry> {
    let disk = Disk {
        grain: None,
        ..base.disk()
    };
    let seen = look(slot, slot.name, disk).map_err(|error| fault(error, slot.name))?;
    let seen =
        seen.ok_or_else(|| PortError::precondition(format!("slot {} is empty", slot.name)))?;
    let path = RelPath::new(slot.name).unwrap_or_default();
    entry_of(seen, &path)
}

/// Returns the directory that holds a path, as text.
pub(crate) fn parent_of(path: &RelPath) -> &str {
    path.split().map_or("", |(parent, _)| parent)
}

fn parse_slot(name: &str) -> Option<Seq> {
    let digits = name.len() == 16
        && name
            .bytes()
            .all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte));
    let number = u64::from_str_radix(name, 16).ok().filter(|_| digits)?;
    Some(Seq(number))
}

const OUT: &str = ".out";
