//! The pretend pair: two sides, a trash, users who change things by command.
//!
//! In: commands of a user, scans and operations of the engine. Out: listings and
//! outcomes. Invariant: an operation whose precondition does not hold, or whose
//! target is taken, changes nothing and is the planner's fault, since nobody but the
//! engine acts while it runs. Deliberately absent: faults of disks and networks.
//! A new command is an arm in `World::apply`.

use super::disk::{Disk, Traits, join, name, parent, path};
use super::random::Random;
use super::user;
use journal_format::event::{Action, Displaced, Expected, Kept, Operation, Outcome, UnknownReason};
use journal_format::value::{Entry, Fingerprint, Kind, RelPath, Side};
use std::collections::BTreeSet;
use sync_core::engine::WantedScan;
use sync_core::input::{Covered, Found, Sight};

/// Two sides and what belongs to both.
#[derive(Debug, Clone)]
pub struct World {
    /// Local and remote.
    pub disks: [Disk; 2],
    /// Contents in the local trash.
    pub trash: Vec<u64>,
    /// Names that a filter leaves out.
    pub excluded: BTreeSet<String>,
    /// The users' and the sides' clock.
    pub now_ms: i64,
}

/// Why an operation changed nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// What the plan relied on was not so.
    Fault(String),
    /// A directory holds something that no listing ever spoke of.
    Blocked(String),
}

type Done<T> = Result<T, Refusal>;

impl World {
    /// Makes an empty pair.
    #[must_use]
    pub const fn new(local: Traits, remote: Traits) -> Self {
        Self {
            disks: [
                Disk::new(Side::Local, local),
                Disk::new(Side::Remote, remote),
            ],
            trash: Vec::new(),
            excluded: BTreeSet::new(),
            now_ms: 1_767_225_600_000,
        }
    }

    /// Returns a side.
    #[must_use]
    pub const fn disk(&self, side: Side) -> &Disk {
        match side {
            Side::Local => &self.disks[0],
            Side::Remote => &self.disks[1],
        }
    }

    /// Returns a side to change it.
    pub const fn disk_mut(&mut self, side: Side) -> &mut Disk {
        match side {
            Side::Local => &mut self.disks[0],
            Side::Remote => &mut self.disks[1],
        }
    }

    /// Tells whether the engine is told nothing of a path.
    #[must_use]
    pub fn is_hidden(&self, side: Side, path: &str) -> bool {
        let mut next = path;
        while !next.is_empty() {
            let item = self.disk(side).items.get(next);
            if item.is_some_and(|item| item.hidden.is_some()) || self.excluded.contains(name(next))
            {
                return true;
            }
            next = parent(next);
        }
        false
    }

    /// Carries out a user's command. Tells whether it could be done.
    ///
    /// `p=N` writes in place or creates, `new p=N` replaces the object, `link p=N`
    /// makes a link, `p/` makes a directory, `rm p`, `mv p q`, `swap p q`,
    /// `touch p`; `fifo p`, `shut p`, `open p` change what can be said of it, and
    /// `exclude name` is a filter.
    pub fn apply(&mut self, side: Side, command: &str) -> bool {
        self.now_ms += 1_000;
        let now = self.now_ms;
        let words: Vec<String> = command
            .split_whitespace()
            .map(|word| word.replace('+', " "))
            .collect();
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let disk = self.disk_mut(side);
        match words.as_slice() {
            ["rm", path] => {
                disk.items.contains_key(*path) && {
                    disk.remove(path);
                    true
                }
            }
            ["mv", from, to] => user::rename(disk, from, to),
            ["swap", one, other] => user::swap(disk, one, other),
            ["touch", path] => disk.items.get_mut(*path).is_some_and(|item| {
                item.mtime_ms = now;
                true
            }),
            ["exclude", name] => self.excluded.insert((*name).to_owned()),
            ["fifo", path] => user::hide(disk, path, Some(UnknownReason::UnsupportedKind)),
            ["shut", path] => user::hide(disk, path, Some(UnknownReason::Unreadable)),
            ["open", path] => user::hide(disk, path, None),
            ["new", text] => user::write(disk, text, Kind::File, true, now),
            ["link", text] => user::write(disk, text, Kind::Symlink, true, now),
            [text] => match text.strip_suffix('/') {
                Some(path) => {
                    user::may_create(disk, path) && {
                        disk.create(path, Kind::Directory, 0, now);
                        true
                    }
                }
                None => user::write(disk, text, Kind::File, false, now),
            },
            _ => false,
        }
    }

    /// Lists what a scan asks for, in an order that `random` picks.
    #[must_use]
    pub fn scan(&self, side: Side, wanted: &WantedScan, random: &mut Random) -> Vec<Found> {
        let mut found = Vec::new();
        for (target, subtree) in &wanted.targets {
            self.scan_target(side, target.as_str(), *subtree, random, &mut found);
        }
        found
    }

    fn scan_target(
        &self,
        side: Side,
        target: &str,
        subtree: bool,
        random: &mut Random,
        found: &mut Vec<Found>,
    ) {
        let mut frontier = Vec::new();
        if target.is_empty() {
            frontier.push(String::new());
        }
        let mut directory = String::new();
        for part in target.split('/').filter(|part| !part.is_empty()) {
            let here = join(&directory, part);
            let is_last = here == target;
            let (sight, enter) = self.sight(side, &here);
            if !is_last && enter == Some(Enter::List) {
                directory = here;
                continue;
            }
            found.push(Found::Listing {
                directory: path(&directory),
                names: Covered::These(vec![part.to_owned()]),
                entries: sight
                    .map(|sight| (part.to_owned(), sight))
                    .into_iter()
                    .collect(),
            });
            match enter {
                Some(Enter::List) if is_last && subtree => frontier.push(here),
                Some(Enter::Shut) => found.push(shut(&here)),
                _ => {}
            }
            break;
        }
        while !frontier.is_empty() {
            let directory = frontier.swap_remove(random.below(frontier.len()));
            self.list(side, &directory, random, found, &mut frontier);
        }
    }

    fn list(
        &self,
        side: Side,
        directory: &str,
        random: &mut Random,
        found: &mut Vec<Found>,
        frontier: &mut Vec<String>,
    ) {
        let mut entries = Vec::new();
        let mut closed = Vec::new();
        for child in self.disk(side).children(directory) {
            let (sight, enter) = self.sight(side, &child);
            entries.extend(sight.map(|sight| (name(&child).to_owned(), sight)));
            match enter {
                Some(Enter::List) => frontier.push(child),
                Some(Enter::Shut) => closed.push(shut(&child)),
                None => {}
            }
        }
        random.shuffle(&mut entries);
        found.push(Found::Listing {
            directory: path(directory),
            names: Covered::All,
            entries,
        });
        found.append(&mut closed);
    }

    fn sight(&self, side: Side, path: &str) -> (Option<Sight>, Option<Enter>) {
        let disk = self.disk(side);
        let Some(item) = disk.items.get(path) else {
            return (None, None);
        };
        if self.excluded.contains(name(path)) {
            return (Some(Sight::Unknown(UnknownReason::Excluded)), None);
        }
        let entry = disk.entry(path).map(Sight::Entry);
        match (item.hidden, item.kind) {
            (None, Kind::Directory) => (entry, Some(Enter::List)),
            (None, _) => (entry, None),
            (Some(UnknownReason::Unreadable), Kind::Directory) => (entry, Some(Enter::Shut)),
            (Some(reason), _) => (Some(Sight::Unknown(reason)), None),
        }
    }

    /// Carries out an operation.
    ///
    /// # Errors
    /// A precondition does not hold; nothing was changed.
    pub fn execute(&mut self, operation: &Operation) -> Done<Outcome> {
        self.now_ms += 1;
        match &operation.action {
            Action::Transfer { .. } => self.transfer(&operation.action),
            Action::MakeDirectory { side, path } => {
                self.must_be_free(*side, path)?;
                let now = self.now_ms;
                self.disk_mut(*side)
                    .create(path.as_str(), Kind::Directory, 0, now);
                Ok(self.outcome(*side, path))
            }
            Action::Move {
                side,
                from,
                to,
                expect,
            } => {
                self.must_be(*side, from, expect)?;
                let same = self.disk(*side).occupant(to.as_str());
                if same.as_deref() != Some(from.as_str()) {
                    self.must_be_free(*side, to)?;
                }
                if to.is_within(from) {
                    return Err(Refusal::Fault(format!("{from} moves into itself")));
                }
                self.disk_mut(*side).rename(from.as_str(), to.as_str());
                Ok(self.outcome(*side, to))
            }
            Action::Remove {
                side,
                path,
                expect,
                rescue,
            } => self.take_away(*side, path, expect, *rescue),
            Action::Hash { side, path, expect } => {
                self.must_be(*side, path, expect)?;
                Ok(self.outcome(*side, path))
            }
        }
    }

    fn outcome(&self, side: Side, path: &RelPath) -> Outcome {
        Outcome {
            target: self.disk(side).read(path.as_str()),
            ..Outcome::default()
        }
    }

    fn take_away(
        &mut self,
        side: Side,
        path: &RelPath,
        expect: &Fingerprint,
        rescue: bool,
    ) -> Done<Outcome> {
        self.must_be(side, path, expect)?;
        let left = self.disk(side).children(path.as_str());
        if let Some(child) = left.first() {
            let unheard = left.iter().all(|child| self.excluded.contains(name(child)));
            let text = format!("{side} {path} is not empty: {child}");
            return Err(if unheard {
                Refusal::Blocked(text)
            } else {
                Refusal::Fault(text)
            });
        }
        let item = self.disk(side).items[path.as_str()].clone();
        let kept = side == Side::Local || rescue;
        if kept && item.kind != Kind::Directory {
            self.trash.push(item.content);
        }
        self.disk_mut(side).remove(path.as_str());
        Ok(Outcome {
            trashed: kept.then(|| path.clone()),
            ..Outcome::default()
        })
    }

    fn transfer(&mut self, action: &Action) -> Done<Outcome> {
        let Action::Transfer {
            from,
            source,
            expect,
            target,
            replaces,
            displaced,
        } = action
        else {
            return Err(Refusal::Fault("no transfer".to_owned()));
        };
        let to = from.other();
        self.must_be(*from, source, &expect.fingerprint)?;
        let read = self.disk(*from).read(source.as_str());
        let bytes = expect.fingerprint.size;
        if expect.digest.is_some() && read.as_ref().map(|entry| entry.digest) != Some(expect.digest)
        {
            return Err(Refusal::Fault(format!("{source} has another hash")));
        }
        let item = self.disk(*from).items[source.as_str()].clone();
        if item.kind == Kind::Directory {
            return Err(Refusal::Fault(format!("{source} is a directory")));
        }
        let mut kept = Vec::new();
        match replaces {
            Expected::Absent => self.must_be_free(to, target)?,
            Expected::Version(print) => {
                self.must_be(to, target, print)?;
                kept = self.displace(to, target, displaced)?;
            }
        }
        let mtime = if to == Side::Local {
            item.mtime_ms
        } else {
            self.now_ms
        };
        let disk = self.disk_mut(to);
        if disk.items.contains_key(target.as_str()) {
            let replace = disk.traits.write_replaces;
            disk.overwrite(target.as_str(), item.content, mtime, replace);
        } else {
            disk.create(target.as_str(), item.kind, item.content, mtime);
        }
        Ok(Outcome {
            source: read,
            target: self.disk(to).read(target.as_str()),
            kept,
            trashed: None,
            bytes,
        })
    }

    fn displace(&mut self, side: Side, target: &RelPath, displaced: &Displaced) -> Done<Vec<Kept>> {
        let item = self.disk(side).items[target.as_str()].clone();
        if item.kind == Kind::Directory {
            return Err(Refusal::Fault(format!("{target} is a directory")));
        }
        match displaced {
            Displaced::Discard | Displaced::Rescue => {
                if side == Side::Local || *displaced == Displaced::Rescue {
                    self.trash.push(item.content);
                }
                Ok(Vec::new())
            }
            Displaced::ConflictCopy(copy) => {
                self.must_be_free(side, copy)?;
                self.disk_mut(side).rename(target.as_str(), copy.as_str());
                let entry = self.disk(side).entry(copy.as_str()).expect("just renamed");
                Ok(vec![Kept {
                    path: copy.clone(),
                    entry,
                }])
            }
        }
    }

    fn must_be(&self, side: Side, path: &RelPath, expect: &Fingerprint) -> Done<()> {
        if self.is_hidden(side, path.as_str()) {
            return Err(Refusal::Fault(format!("{side} {path} is hidden")));
        }
        let found = self.disk(side).entry(path.as_str());
        if found.as_ref().map(|entry: &Entry| &entry.fingerprint) == Some(expect) {
            Ok(())
        } else {
            let text = format!("{side} {path} is {found:?} instead of {expect:?}");
            Err(Refusal::Fault(text))
        }
    }

    fn must_be_free(&self, side: Side, path: &RelPath) -> Done<()> {
        let disk = self.disk(side);
        let directory = parent(path.as_str());
        if self.is_hidden(side, path.as_str()) {
            return Err(Refusal::Fault(format!("{side} {path} would be hidden")));
        }
        if !disk.is_directory(directory) {
            let text = format!("{side} {directory} is no directory, for {path}");
            return Err(Refusal::Fault(text));
        }
        match disk.occupant(path.as_str()) {
            Some(known) => Err(Refusal::Fault(format!("{side} {path} is taken by {known}"))),
            None => Ok(()),
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Enter {
    List,
    Shut,
}

fn shut(directory: &str) -> Found {
    Found::Unlisted {
        directory: path(directory),
        reason: UnknownReason::Unreadable,
    }
}
