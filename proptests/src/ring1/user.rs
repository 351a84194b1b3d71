//! What a person may do to one side, by command.
//!
//! In: a disk, the words of a command. Out: whether it changed anything. Invariant: a
//! person can do what the system calls allow and no more. Deliberately absent: which
//! command this is (`world`), the engine's own doings. The next one: a function here.

use super::disk::{Disk, parent};
use journal_format::event::UnknownReason;
use journal_format::value::{Kind, RelPath};

pub(super) fn write(disk: &mut Disk, text: &str, kind: Kind, replace: bool, now: i64) -> bool {
    let Some((path, content)) = text.split_once('=') else {
        return false;
    };
    let Ok(content) = content.parse() else {
        return false;
    };
    if let Some(item) = disk.items.get(path) {
        if item.kind != kind {
            return false;
        }
        disk.overwrite(path, content, now, replace);
        return true;
    }
    may_create(disk, path) && {
        disk.create(path, kind, content, now);
        true
    }
}

/// As `rename(2)`: a file may replace a file, nothing else replaces anything.
pub(super) fn rename(disk: &mut Disk, from: &str, to: &str) -> bool {
    let inside = to == from || to.starts_with(&format!("{from}/"));
    let Some(item) = disk.items.get(from) else {
        return false;
    };
    if inside || !disk.is_directory(parent(to)) || RelPath::new(to).is_err() || to.is_empty() {
        return false;
    }
    if let Some(standing) = disk.occupant(to)
        && standing != from
    {
        let replaceable = item.kind != Kind::Directory && !disk.is_directory(&standing);
        if !replaceable {
            return false;
        }
        disk.remove(&standing);
    }
    disk.rename(from, to);
    true
}

pub(super) fn swap(disk: &mut Disk, one: &str, other: &str) -> bool {
    let within = |a: &str, b: &str| a == b || a.starts_with(&format!("{b}/"));
    if !disk.items.contains_key(one)
        || !disk.items.contains_key(other)
        || within(one, other)
        || within(other, one)
    {
        return false;
    }
    disk.rename(one, "<aside>");
    disk.rename(other, one);
    disk.rename("<aside>", other);
    true
}

pub(super) fn hide(disk: &mut Disk, path: &str, reason: Option<UnknownReason>) -> bool {
    disk.items.get_mut(path).is_some_and(|item| {
        let changed = item.hidden != reason;
        item.hidden = reason;
        changed
    })
}

pub(super) fn may_create(disk: &Disk, path: &str) -> bool {
    RelPath::new(path).is_ok_and(|path| !path.is_root())
        && disk.is_directory(parent(path))
        && disk.occupant(path).is_none()
}
