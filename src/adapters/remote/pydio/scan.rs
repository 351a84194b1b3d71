//! Looks at places and lists folders.
//!
//! In: targets. Out: listings, or that nothing can be said. Invariant: a folder is
//! whole only if as many entries came as it has, over all its pages; a path is absent
//! only if both `stat` and `ls` say so. Deliberately absent: the feed, which says where
//! to look and never what is there. Leaves nothing behind.

use super::link::Link;
use super::names::{is_hidden, is_part, obstacle};
use super::server::Listing as How;
use super::stat::{Found, Version};
use super::xml::Node;
use crate::adapters::remote::steps::{Steps, begin, steps};
use crate::ports::{
    Listed, Listing, PortError, PortResult, ScanItem, ScanRequest, ScanStream, ScanTarget, Scope,
    Seen,
};
use futures::future::join_all;
use journal_format::event::{FailureClass, UnknownReason};
use journal_format::value::{Kind, NAME_BYTES_MAX, RelPath};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::rc::Rc;

/// Starts a scan.
pub(super) fn scan(link: &Rc<Link>, request: ScanRequest) -> ScanStream<'static> {
    let (targets, waiting) = begin(request);
    link.filter.refresh();
    steps(Walk {
        link: Rc::clone(link),
        targets,
        waiting,
        failures: 0,
    })
}

struct Walk {
    link: Rc<Link>,
    targets: Vec<ScanTarget>,
    waiting: VecDeque<RelPath>,
    /// Folders that could not be listed, in a row, since the root was looked at.
    failures: usize,
}

impl Steps for Walk {
    async fn step(&mut self) -> PortResult<Option<Vec<ScanItem>>> {
        if !self.targets.is_empty() {
            let targets = std::mem::take(&mut self.targets);
            return self.look(targets).await.map(Some);
        }
        if self.waiting.is_empty() {
            super::change::tidy_up(&self.link).await?;
            return Ok(None);
        }
        self.link.learn_all().await?;
        let count = self.waiting.len().min(self.link.width);
        let now: Vec<RelPath> = self.waiting.drain(..count).collect();
        let link = Rc::clone(&self.link);
        let found = join_all(now.iter().map(|folder| list(&link, folder))).await;
        let mut items = Vec::new();
        for (folder, found) in now.into_iter().zip(found) {
            match found {
                Ok((listed, more)) => {
                    self.failures = 0;
                    items.extend(listed);
                    self.waiting.extend(more);
                }
                Err(error) => items.push(self.failed(folder, error).await?),
            }
        }
        Ok(Some(items))
    }
}

impl Walk {
    /// Folders that cannot be listed do not end a scan, however many; a server that does
    /// not answer does.
    async fn failed(&mut self, folder: RelPath, error: PortError) -> PortResult<ScanItem> {
        let ends = matches!(error.class, FailureClass::Auth | FailureClass::Fatal);
        if ends || folder.is_root() {
            return Err(error);
        }
        self.failures += 1;
        if self.failures >= FAILURES_MAX {
            let root = self.link.server.look(&self.link.folder, false).await?;
            if root != Found::Directory {
                return Err(error);
            }
            self.failures = 0;
        }
        tracing::warn!(%folder, "a folder could not be listed: {error}");
        Ok(ScanItem::Unlisted {
            directory: folder,
            reason: UnknownReason::Unreadable,
        })
    }

    /// Looks at single paths, and queues the folders that are to be listed.
    async fn look(&mut self, targets: Vec<ScanTarget>) -> PortResult<Vec<ScanItem>> {
        let link = Rc::clone(&self.link);
        let mut asked = BTreeSet::new();
        let mut told = Vec::new();
        for target in targets {
            let (known, _) = reachable(&link, &target.path);
            link.settle(&known).await?;
            let path = link.told(&target.path);
            for step in chain(&link.told(&known)) {
                asked.extend(link.misspelled(&step));
                asked.insert(link.at(&step));
            }
            told.push(ScanTarget { path, ..target });
        }
        let targets = told;
        let mut found = link.look_at_all(asked).await?;
        self.confirm(&mut found).await?;
        link.learn_of(&found).await?;
        for (at, found) in &found {
            link.seen(at, *found != Found::Absent);
        }
        let mut listings: BTreeMap<RelPath, BTreeMap<String, Option<Seen>>> = BTreeMap::new();
        for target in targets {
            let (known, unknown) = reachable(&link, &target.path);
            for step in chain(&known) {
                spell(&link, &step, &found, &mut listings);
            }
            let blocked = first_obstacle(&link, &known, &found);
            let is_open = match &blocked {
                None => true,
                Some((_, Some(Seen::Entry(entry)))) => entry.kind() == Kind::Directory,
                Some(_) => false,
            };
            let (path, seen) = match (unknown, blocked) {
                (Some((path, reason)), _) if is_open => (path, Some(Seen::Unknown(reason))),
                (_, Some(blocked)) => blocked,
                (_, None) => continue,
            };
            let is_folder =
                matches!(&seen, Some(Seen::Entry(entry)) if entry.kind() == Kind::Directory);
            if target.subtree && is_folder && path == target.path {
                self.waiting.push_back(path.clone());
            }
            let (Some(parent), Some(name)) = (path.parent(), path.name()) else {
                continue;
            };
            listings
                .entry(parent)
                .or_default()
                .insert(name.to_owned(), seen);
        }
        Ok(listings
            .into_iter()
            .map(|(parent, names)| named(parent, names))
            .collect())
    }

    /// Asks a second time, in another way, for what seems to be absent.
    async fn confirm(&self, found: &mut BTreeMap<String, Found>) -> PortResult<()> {
        let absent: Vec<String> = found
            .iter()
            .filter(|(_, found)| **found == Found::Absent)
            .map(|(path, _)| path.clone())
            .collect();
        let link = &self.link;
        for paths in absent.chunks(super::batch::BATCH_MAX) {
            let document = link.server.describe(paths).await?;
            for node in document.tree.children {
                // Listed and yet out of reach: there is something.
                found.insert(node.path, Found::Odd);
            }
        }
        Ok(())
    }
}

/// Splits a path into what may be asked for and the first name that may not.
fn reachable(link: &Link, path: &RelPath) -> (RelPath, Option<(RelPath, UnknownReason)>) {
    let mut known = RelPath::root();
    for name in path.names() {
        let Ok(next) = known.join(name) else { break };
        let at = link.at(&next);
        let is_folder = (next != *path).then_some(true);
        if let Some(reason) = left_out(link, &known, &at, name, is_folder) {
            return (known, Some((next, reason)));
        }
        known = next;
    }
    (known, None)
}

/// Returns a path and everything above it but the root.
fn chain(path: &RelPath) -> impl Iterator<Item = RelPath> {
    std::iter::successors(Some(path.clone()), RelPath::parent).filter(|path| !path.is_root())
}

/// Walks from the top down to the first thing that is no folder, or to the path.
fn first_obstacle(
    link: &Link,
    path: &RelPath,
    found: &BTreeMap<String, Found>,
) -> Option<(RelPath, Option<Seen>)> {
    let mut steps: Vec<RelPath> = chain(path).collect();
    steps.reverse();
    let mut last = None;
    for step in steps {
        let at = link.at(&step);
        let found = found.get(&at).copied().unwrap_or(Found::Odd);
        let seen = match (&found, link.entry(&at, &found)) {
            (_, Some(entry)) => {
                let is_file = entry.kind() != Kind::Directory;
                let name = step.name().unwrap_or_default();
                let parent = step.parent().unwrap_or_default();
                if link.filter.excludes(parent.as_str(), name, !is_file) {
                    Some(Seen::Unknown(UnknownReason::Excluded))
                } else {
                    Some(Seen::Entry(entry))
                }
            }
            (Found::Absent, None) => None,
            (_, None) => Some(Seen::Unknown(UnknownReason::Unreadable)),
        };
        let goes_on = found == Found::Directory;
        last = Some((step, seen));
        if !goes_on {
            break;
        }
    }
    last
}

fn named(directory: RelPath, names: BTreeMap<String, Option<Seen>>) -> ScanItem {
    let scope = Scope::Names(names.keys().cloned().collect());
    let entries = names
        .into_iter()
        .filter_map(|(name, seen)| seen.map(|seen| Listed { name, seen }));
    ScanItem::Listing(Listing {
        directory,
        scope,
        entries: entries.collect(),
    })
}

/// Says of a name in its other spelling that it is absent, if it is: as such it may be
/// known to whoever asks. The folder above is said to be there, as what it was asked for.
fn spell(
    link: &Link,
    step: &RelPath,
    found: &BTreeMap<String, Found>,
    listings: &mut BTreeMap<RelPath, BTreeMap<String, Option<Seen>>>,
) {
    let (Some(parent), Some(name), Some(other)) =
        (step.parent(), step.name(), link.misspelled(step))
    else {
        return;
    };
    if found.get(&other) != Some(&Found::Absent) {
        return;
    }
    let names = listings.entry(parent).or_default();
    let other = other.rsplit('/').next().unwrap_or_default().to_owned();
    names.entry(other).or_insert(None);
    let at = link.at(step);
    if found.get(&at) == Some(&Found::Directory) {
        let seen = Seen::Entry(link.folder_entry(&at));
        names.entry(name.to_owned()).or_insert(Some(seen));
    }
}

type Listings = (Vec<ScanItem>, Vec<RelPath>);

/// Lists a folder with everything below it, as far as that goes in one request;
/// what is left comes back as folders to be listed next.
async fn list(link: &Link, folder: &RelPath) -> PortResult<Listings> {
    let at = link.at(folder);
    let is_too_deep = link.too_deep.borrow().contains(&at);
    if !is_too_deep {
        match link.server.list(&at, How::Deep).await {
            Ok(document) => {
                let mtime = document.tree.mtime;
                link.note_bin(&at, &document.tree, false);
                link.folders.borrow_mut().seen(&at, Some(mtime));
                return deep(link, folder, document.tree).await;
            }
            Err(error)
                if matches!(error.class, FailureClass::Retry | FailureClass::Unsupported) =>
            {
                tracing::debug!(%folder, "not in one piece: {error}");
                link.too_deep.borrow_mut().insert(at.clone());
            }
            Err(error) => return Err(error),
        }
    }
    let (nodes, is_whole) = pages(link, &at).await?;
    let mut more = Vec::new();
    let item = listing(link, folder, &nodes, is_whole, &mut more);
    Ok((vec![item], more))
}

/// Turns a nested answer into listings, each folder before those in it.
async fn deep(link: &Link, folder: &RelPath, tree: Node) -> PortResult<Listings> {
    let mut items = Vec::new();
    let mut more = Vec::new();
    let mut open = vec![(folder.clone(), tree)];
    while let Some((path, node)) = open.pop() {
        let at = link.at(&path);
        let first = node.children.len();
        let is_cut = node
            .page
            .is_some_and(|page| page.total > 1 || page.count > first);
        // An empty folder of which the feed knows otherwise is looked at by itself.
        let is_doubtful = first == 0 && link.index.borrow().has_below(&at) && path != *folder;
        let (nodes, is_whole) = if is_cut || is_doubtful {
            pages(link, &at).await?
        } else {
            (node.children, true)
        };
        let mut below = Vec::new();
        items.push(listing(link, &path, &nodes, is_whole, &mut below));
        let mut nested: BTreeMap<String, Node> = BTreeMap::new();
        if !is_cut && !is_doubtful {
            nested.extend(nodes.into_iter().map(|node| (node.path.clone(), node)));
        }
        for path in below {
            match nested.remove(&link.at(&path)) {
                Some(node) => open.push((path, node)),
                None => more.push(path),
            }
        }
    }
    Ok((items, more))
}

/// Lists one folder over all its pages. Tells whether that is all it holds.
async fn pages(link: &Link, at: &str) -> PortResult<(Vec<Node>, bool)> {
    let mut nodes: BTreeMap<String, Node> = BTreeMap::new();
    let mut count = None;
    let mut page = 1;
    loop {
        let document = link.server.list(at, How::Page(page)).await?;
        let tree = document.tree;
        let came = tree.children.len();
        let told = tree.page.map_or((came, 1), |page| (page.count, page.total));
        link.note_bin(at, &tree, page >= told.1);
        nodes.extend(
            tree.children
                .into_iter()
                .map(|node| (node.path.clone(), node)),
        );
        // A folder that changes meanwhile cannot be put together.
        let is_steady = *count.get_or_insert(told.0) == told.0;
        let is_last = page >= told.1.min(PAGES_MAX);
        if !is_steady || is_last || came == 0 {
            let is_whole = is_steady && count == Some(nodes.len());
            return Ok((nodes.into_values().collect(), is_whole));
        }
        page += 1;
    }
}

/// Makes a listing of a folder's nodes, and tells which folders are in it.
fn listing(
    link: &Link,
    folder: &RelPath,
    nodes: &[Node],
    is_whole: bool,
    below: &mut Vec<RelPath>,
) -> ScanItem {
    let unlisted = || ScanItem::Unlisted {
        directory: folder.clone(),
        reason: UnknownReason::Unreadable,
    };
    if !is_whole {
        return unlisted();
    }
    let at = link.at(folder);
    let mut entries = Vec::with_capacity(nodes.len());
    for node in nodes {
        if !node.is_file && !node.is_bin {
            link.folders.borrow_mut().seen(&node.path, Some(node.mtime));
        }
        let name = node
            .path
            .strip_prefix(&at)
            .and_then(|rest| rest.strip_prefix('/'));
        let Some(name) = name.filter(|name| !name.is_empty() && !name.contains('/')) else {
            below.clear();
            return unlisted();
        };
        let seen = seen(link, folder, name, node);
        if matches!(seen, Seen::Entry(_)) {
            link.seen(&node.path, true);
        }
        if let (Seen::Entry(entry), Ok(path)) = (&seen, folder.join(name))
            && entry.kind() == Kind::Directory
        {
            below.push(path);
        }
        let name = name.to_owned();
        entries.push(Listed { name, seen });
    }
    ScanItem::Listing(Listing {
        directory: folder.clone(),
        scope: Scope::Whole,
        entries,
    })
}

fn seen(link: &Link, folder: &RelPath, name: &str, node: &Node) -> Seen {
    if is_part(name) && name.contains(&link.mark) {
        link.leftovers.borrow_mut().insert(node.path.clone());
    }
    let is_folder = !node.is_file;
    link.spelled(&node.path, name);
    if node.is_bin {
        return Seen::Unknown(UnknownReason::Excluded);
    }
    if let Some(reason) = left_out(link, folder, &node.path, name, Some(is_folder)) {
        return Seen::Unknown(reason);
    }
    if is_folder {
        return Seen::Entry(link.folder_entry(&node.path));
    }
    match u64::try_from(node.size) {
        Ok(size) => {
            let version = Version {
                size,
                mtime: node.mtime,
                md5: None,
            };
            Seen::Entry(link.file_entry(&node.path, &version))
        }
        Err(_) => Seen::Unknown(UnknownReason::Unreadable),
    }
}

/// Says why a name is not spoken of. Without a kind, only what holds for both counts.
fn left_out(
    link: &Link,
    folder: &RelPath,
    at: &str,
    name: &str,
    is_folder: Option<bool>,
) -> Option<UnknownReason> {
    if is_hidden(name) || link.is_binned(at) {
        return Some(UnknownReason::Excluded);
    }
    let is_filtered = match is_folder {
        Some(is_folder) => link.filter.excludes(folder.as_str(), name, is_folder),
        None => link.filter.excludes_any_kind(folder.as_str(), name),
    };
    if is_filtered {
        return Some(UnknownReason::Excluded);
    }
    if name.len() > NAME_BYTES_MAX || folder.join(name).is_err() {
        return Some(UnknownReason::NameTooLong);
    }
    obstacle(name).map(|_| UnknownReason::InvalidName)
}

/// After so many folders in a row that cannot be listed the root is asked for.
const FAILURES_MAX: usize = 5;
const PAGES_MAX: usize = 100_000;
