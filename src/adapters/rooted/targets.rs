//! Looks at single paths for a scan.
//!
//! In: the paths of a request. Out: listings of single names, and the
//! directories to list below. Invariant: a name is shown absent only in a
//! directory that was opened; when an ancestor is absent, left out or no
//! directory any more, it is that ancestor which is shown, in its parent.

use super::beneath::{LISTED, open_beneath};
use super::fault::{fault, is_shortage};
use super::filter::Filter;
use super::folder::Base;
use super::ignores::{Ignores, read_ignores, unusable};
use super::list::{Job, is_left_out, reason_of};
use super::look::look;
use super::source::is_control;
use crate::ports::{Listed, Listing, PortError, PortResult, ScanItem, ScanTarget, Scope, Seen};
use journal_format::event::UnknownReason;
use journal_format::value::{Kind, RelPath};
use rustix::fd::{AsFd, OwnedFd};
use rustix::fs::Mode;
use std::collections::{BTreeMap, HashMap};

/// Looks at all targets. Items come parents first.
///
/// # Errors
/// Nothing can be said of the whole tree.
pub(crate) fn look_at_targets(
    base: &Base,
    filter: &Filter,
    targets: Vec<ScanTarget>,
) -> PortResult<(Vec<ScanItem>, Vec<Job>)> {
    let mut looker = Looker {
        base,
        filter,
        ignores: HashMap::new(),
        names: BTreeMap::new(),
        unlisted: BTreeMap::new(),
        jobs: Vec::new(),
        fault: None,
    };
    for target in without_covered(targets) {
        looker.look_at(&target);
    }
    match looker.fault.take() {
        Some(fault) => Err(fault),
        None => Ok(looker.finish()),
    }
}

struct Looker<'a> {
    base: &'a Base,
    filter: &'a Filter,
    ignores: HashMap<RelPath, Ignores>,
    names: BTreeMap<RelPath, BTreeMap<String, Option<Seen>>>,
    unlisted: BTreeMap<RelPath, UnknownReason>,
    jobs: Vec<Job>,
    fault: Option<PortError>,
}

impl Looker<'_> {
    fn look_at(&mut self, target: &ScanTarget) {
        if target.path.is_root() {
            if target.subtree {
                self.jobs.push(Job {
                    path: RelPath::root(),
                    expect: None,
                    ignores: None,
                });
            }
            return;
        }
        if target.path.names().next().is_some_and(is_control) {
            return;
        }
        let mut directory = RelPath::root();
        let mut ignores = None;
        let mut names = target.path.names().peekable();
        while let Some(name) = names.next() {
            let fd = match self.enter(&directory, &mut ignores) {
                Ok(fd) => fd,
                Err(reason) => {
                    self.unlisted.insert(directory, reason);
                    return;
                }
            };
            let seen = match look(&fd, name, self.base.disk()) {
                Ok(seen) => seen,
                Err(error) => Some(Seen::Unknown(reason_of(error))),
            };
            let seen = seen.map(|seen| self.filtered(&ignores, &directory, name, seen));
            let (Ok(path), last) = (directory.join(name), names.peek().is_none()) else {
                return;
            };
            let found = match &seen {
                Some(Seen::Entry(entry)) if entry.kind() == Kind::Directory => {
                    entry.fingerprint.identity
                }
                _ => None,
            };
            if last || found.is_none() {
                let shown = self.names.entry(directory).or_default();
                shown.insert(name.to_owned(), seen);
                if last && target.subtree && found.is_some() {
                    self.jobs.push(Job {
                        path,
                        expect: found,
                        ignores,
                    });
                }
                return;
            }
            directory = path;
        }
    }

    /// Opens a directory and reads its ignore file once in a request.
    fn enter(&mut self, path: &RelPath, ignores: &mut Ignores) -> Result<OwnedFd, UnknownReason> {
        let fd = open_beneath(self.base.as_fd(), path.as_str(), LISTED, Mode::empty());
        let fd = fd.map_err(|error| {
            if is_shortage(&error.into()) {
                self.fault = Some(fault(error, format!("`{path}`")));
            }
            reason_of(error)
        })?;
        if let Some(known) = self.ignores.get(path) {
            ignores.clone_from(known);
        } else {
            let read = read_ignores(fd.as_fd(), path.as_str(), ignores);
            *ignores = read.map_err(|error| {
                self.fault = self.fault.take().or(unusable(path.as_str(), &error));
                UnknownReason::Unreadable
            })?;
            self.ignores.insert(path.clone(), ignores.clone());
        }
        Ok(fd)
    }

    fn filtered(&self, ignores: &Ignores, directory: &RelPath, name: &str, seen: Seen) -> Seen {
        let is_directory = matches!(&seen, Seen::Entry(entry) if entry.kind() == Kind::Directory);
        if is_left_out(self.filter, ignores, directory.as_str(), name, is_directory) {
            Seen::Unknown(UnknownReason::Excluded)
        } else {
            seen
        }
    }

    fn finish(self) -> (Vec<ScanItem>, Vec<Job>) {
        let mut items = BTreeMap::new();
        for (directory, names) in self.names {
            let scope = Scope::Names(names.keys().cloned().collect());
            let entries = names
                .into_iter()
                .filter_map(|(name, seen)| seen.map(|seen| Listed { name, seen }))
                .collect();
            let listing = Listing {
                directory: directory.clone(),
                scope,
                entries,
            };
            items.insert(directory, ScanItem::Listing(listing));
        }
        for (directory, reason) in self.unlisted {
            // The directory is known to be there or not only by its parent.
            items.insert(directory.clone(), ScanItem::Unlisted { directory, reason });
        }
        (items.into_values().collect(), self.jobs)
    }
}

/// Drops targets that lie below another one that is listed whole.
fn without_covered(mut targets: Vec<ScanTarget>) -> Vec<ScanTarget> {
    targets.sort_unstable_by(|a, b| a.path.cmp(&b.path).then(b.subtree.cmp(&a.subtree)));
    targets.dedup_by(|later, earlier| later.path == earlier.path);
    let whole: std::collections::BTreeSet<RelPath> = targets
        .iter()
        .filter(|target| target.subtree)
        .map(|target| target.path.clone())
        .collect();
    targets.retain(|target| {
        let mut above = target.path.parent();
        while let Some(path) = above {
            if whole.contains(&path) {
                return false;
            }
            above = path.parent();
        }
        true
    });
    targets
}
