//! Renames that never replace anything, and exchanges.
//!
//! In: places. Out: names changed, or an error and nothing changed. Disks
//! without the flags of `renameat2` get the nearest safe thing: a second link
//! for files, a plain rename for directories (which replaces nothing but an
//! empty directory), two renames for an exchange. CRASH: between those two the
//! old version lies in staging under `<slot>.out`, which is put back into its
//! slot by the next look at the leftovers.

use super::beneath::Place;
use super::grain::Disk;
use super::look::look;
use crate::ports::Seen;
use journal_format::value::Kind;
use rustix::fs::{AtFlags, RenameFlags, linkat, renameat, renameat_with, unlinkat};
use rustix::io::{Errno, Result};

/// Renames to a free name.
///
/// # Errors
/// `EXIST` when the name is taken.
pub(crate) fn rename_new(from: &Place<'_>, to: &Place<'_>) -> Result<()> {
    match renameat_with(from, from.name, to, to.name, RenameFlags::NOREPLACE) {
        Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) => rename_new_plainly(from, to),
        result => result,
    }
}

/// Exchanges what stands at two names; `aside` is a free one for disks that
/// cannot do it at once.
pub(crate) fn exchange(slot: &Place<'_>, path: &Place<'_>, aside: &str) -> Result<()> {
    match renameat_with(slot, slot.name, path, path.name, RenameFlags::EXCHANGE) {
        Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) => exchange_plainly(slot, path, aside),
        result => result,
    }
}

fn rename_new_plainly(from: &Place<'_>, to: &Place<'_>) -> Result<()> {
    let directory = match look(from, from.name, Disk::default())? {
        None => return Err(Errno::NOENT),
        // Without the root's device a directory may look like a mount point.
        Some(Seen::Entry(entry)) => entry.kind() == Kind::Directory,
        Some(Seen::Unknown(_)) => true,
    };
    if !directory {
        match linkat(from, from.name, to, to.name, AtFlags::empty()) {
            Ok(()) => return unlinkat(from, from.name, AtFlags::empty()),
            // RACE: no hard links here; a name that appears after the next look
            // is replaced. Only disks like FAT are so poor.
            Err(Errno::PERM | Errno::OPNOTSUPP | Errno::NOSYS | Errno::MLINK) => {}
            Err(error) => return Err(error),
        }
    }
    match look(to, to.name, Disk::default())? {
        Some(_) => Err(Errno::EXIST),
        None => renameat(from, from.name, to, to.name),
    }
}

fn exchange_plainly(slot: &Place<'_>, path: &Place<'_>, aside: &str) -> Result<()> {
    let out = slot.sibling(aside);
    rename_new(path, &out)?;
    if let Err(error) = rename_new(slot, path) {
        // Back to where it was; if that fails it stays a leftover.
        rename_new(&out, path)?;
        return Err(error);
    }
    rename_new(&out, slot)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::fd::AsFd;
    use std::fs::{self, File};

    #[test]
    fn the_plain_ways_replace_nothing_and_exchange_everything() {
        let root = tempfile::tempdir().expect("temporary directory");
        let path = |name: &str| root.path().join(name);
        let directory = File::open(root.path()).expect("root");
        let place = |name| Place::within(directory.as_fd(), "", name).expect("place");
        fs::write(path("a"), "a").expect("file");
        fs::write(path("b"), "b").expect("file");
        fs::create_dir(path("d")).expect("directory");
        for from in ["a", "d"] {
            let result = rename_new_plainly(&place(from), &place("b"));
            assert_eq!(result, Err(Errno::EXIST), "{from}");
        }
        rename_new_plainly(&place("a"), &place("c")).expect("free");
        rename_new_plainly(&place("d"), &place("e")).expect("free");
        exchange_plainly(&place("c"), &place("b"), "c.out").expect("exchange");
        assert_eq!(fs::read_to_string(path("b")).expect("b"), "a");
        assert_eq!(fs::read_to_string(path("c")).expect("c"), "b");
        assert_eq!(fs::read_dir(root.path()).expect("list").count(), 3);
    }
}
