//! Looks at places and lists folders.
//!
//! In: targets. Out: listings, or that nothing can be said. Invariant: a path is absent
//! only if the server said so and its folder's listing, read to its end, says it too; but
//! another spelling of a name that is listed is absent by the listing alone, since a server
//! that composes names finds it by either. Deliberately absent: what the filter leaves out,
//! but for its names. Leaves nothing behind.

use super::found::Found;
use super::listing::Child;
use super::names::hidden;
use super::server::Server;
use crate::adapters::remote::steps::{Steps, begin, steps};
use crate::adapters::rooted::CONTROL;
use crate::ports::{
    Listed, Listing, PortError, PortResult, ScanItem, ScanRequest, ScanStream, ScanTarget, Scope,
    Seen,
};
use futures::future::LocalBoxFuture;
use futures::stream::{self, FuturesUnordered, StreamExt};
use journal_format::event::{FailureClass, UnknownReason};
use journal_format::value::{Kind, NAME_BYTES_MAX, RelPath};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::rc::Rc;
use sync_core::spelling::{composed, decomposed, is_one_name};

/// Starts a scan.
pub(super) fn scan(server: &Rc<Server>, request: ScanRequest) -> ScanStream<'static> {
    let (targets, waiting) = begin(request);
    server.filter.refresh();
    steps(Walk {
        server: Rc::clone(server),
        targets,
        waiting,
        running: FuturesUnordered::new(),
        failures: 0,
    })
}

type Answer = (RelPath, PortResult<(ScanItem, Vec<RelPath>)>);

struct Walk {
    server: Rc<Server>,
    targets: Vec<ScanTarget>,
    waiting: VecDeque<RelPath>,
    running: FuturesUnordered<LocalBoxFuture<'static, Answer>>,
    /// Folders that could not be listed, in a row, since the root was looked at.
    failures: usize,
}

impl Steps for Walk {
    async fn step(&mut self) -> PortResult<Option<Vec<ScanItem>>> {
        if !self.targets.is_empty() {
            let targets = std::mem::take(&mut self.targets);
            return self.look(targets).await.map(Some);
        }
        while self.running.len() < self.server.width {
            let Some(folder) = self.waiting.pop_front() else {
                break;
            };
            let server = Rc::clone(&self.server);
            self.running.push(Box::pin(async move {
                let listed = list(&server, &folder).await;
                (folder, listed)
            }));
        }
        let Some((folder, listed)) = self.running.next().await else {
            return Ok(None);
        };
        match listed {
            Ok((item, below)) => {
                self.failures = 0;
                self.waiting.extend(below);
                Ok(Some(vec![item]))
            }
            Err(error) => Ok(Some(vec![self.failed(folder, error).await?])),
        }
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
            if !matches!(self.server.look("").await?, Found::Folder(_)) {
                return Err(error);
            }
            self.failures = 0;
        }
        tracing::warn!(%folder, "a folder could not be listed: {error}");
        Ok(unlisted(folder))
    }

    /// Looks at single paths, and queues the folders that are to be listed.
    async fn look(&mut self, targets: Vec<ScanTarget>) -> PortResult<Vec<ScanItem>> {
        let mut groups: BTreeMap<RelPath, Vec<ScanTarget>> = BTreeMap::new();
        for target in targets {
            let parent = target.path.parent().unwrap_or_default();
            groups.entry(parent).or_default().push(target);
        }
        let mut sight = Sight {
            server: Rc::clone(&self.server),
            names: BTreeMap::new(),
        };
        let mut items = Vec::new();
        let mut named: BTreeMap<RelPath, BTreeMap<String, Option<Seen>>> = BTreeMap::new();
        for (parent, targets) in groups {
            if targets.len() >= MANY {
                let listed = list(&self.server, &parent).await;
                if let Ok((item, _)) = listed {
                    self.queue(&item, &targets);
                    items.push(item);
                    continue;
                }
            }
            let looks = targets.iter().map(|target| sight.first(&target.path));
            let looks: Vec<_> = stream::iter(looks)
                .buffered(self.server.width)
                .collect()
                .await;
            for (target, look) in targets.into_iter().zip(looks) {
                let (path, seen) = match look? {
                    Some(looked) => looked,
                    None => sight.search(&target.path).await?,
                };
                let is_wanted = target.subtree && path == target.path;
                for (path, seen) in sight.spelled(path, seen).await? {
                    let is_folder = matches!(&seen, Some(Seen::Entry(entry)) if entry.kind() == Kind::Directory);
                    if is_wanted && is_folder {
                        self.waiting.push_back(path.clone());
                    }
                    if let (Some(parent), Some(name)) = (path.parent(), path.name()) {
                        named
                            .entry(parent)
                            .or_default()
                            .insert(name.to_owned(), seen);
                    }
                }
            }
        }
        items.extend(
            named
                .into_iter()
                .map(|(parent, names)| partial(parent, names)),
        );
        Ok(items)
    }

    /// Queues what is to be listed below a folder that was listed whole.
    fn queue(&mut self, item: &ScanItem, targets: &[ScanTarget]) {
        let ScanItem::Listing(listing) = item else {
            return;
        };
        let folders: BTreeSet<&str> = listing
            .entries
            .iter()
            .filter(|listed| matches!(&listed.seen, Seen::Entry(entry) if entry.kind() == Kind::Directory))
            .map(|listed| listed.name.as_str())
            .collect();
        for target in targets.iter().filter(|target| target.subtree) {
            if target
                .path
                .name()
                .is_some_and(|name| folders.contains(name))
            {
                self.waiting.push_back(target.path.clone());
            }
        }
    }
}

/// Looks at single paths, remembering which folders were listed on the way.
struct Sight {
    server: Rc<Server>,
    /// Names of folders as they are listed, by their composed form.
    names: BTreeMap<RelPath, BTreeMap<String, BTreeSet<String>>>,
}

type Looked = (RelPath, Option<Seen>);

impl Sight {
    /// Looks at a path; nothing when it seems to be absent.
    fn first(&self, path: &RelPath) -> impl Future<Output = PortResult<Option<Looked>>> + use<> {
        let (server, path) = (Rc::clone(&self.server), path.clone());
        async move {
            if let Some((at, reason)) = closed(&server, &path) {
                return Ok(Some((at, Some(Seen::Unknown(reason)))));
            }
            let found = match server.look(path.as_str()).await {
                Ok(found) => found,
                Err(error) if error.class == FailureClass::Denied => Found::Odd,
                Err(error) => return Err(error),
            };
            Ok((found != Found::Absent).then(|| {
                let seen = seen(&server, &path, &found);
                (path, Some(seen))
            }))
        }
    }

    /// Finds out what is there instead of a path that seems to be absent: it, or the
    /// first folder above it that is none.
    async fn search(&mut self, path: &RelPath) -> PortResult<Looked> {
        let mut path = path.clone();
        loop {
            let Some(parent) = path.parent() else {
                return Err(PortError::new(FailureClass::Retry, "the root is not there"));
            };
            if !parent.is_root() {
                match self.server.look(parent.as_str()).await? {
                    Found::Folder(_) => {}
                    Found::Absent => {
                        path = parent;
                        continue;
                    }
                    found => {
                        let seen = seen(&self.server, &parent, &found);
                        return Ok((parent, Some(seen)));
                    }
                }
            }
            let names = self.names(&parent).await?;
            let name = composed(path.name().unwrap_or_default()).into_owned();
            // Listed and yet out of reach: there is something.
            let is_listed = names.contains_key(&name);
            let seen = is_listed.then_some(Seen::Unknown(UnknownReason::Unreadable));
            return Ok((path, seen));
        }
    }

    /// Tells what was seen at a name under the spelling that the server lists. A server
    /// that composes names finds them by either form: the other one is then no second
    /// thing, and nothing stands there.
    async fn spelled(&mut self, path: RelPath, seen: Option<Seen>) -> PortResult<Vec<Looked>> {
        let is_entry = matches!(seen, Some(Seen::Entry(_)));
        let (Some(parent), Some(name)) = (path.parent(), path.name()) else {
            return Ok(vec![(path, seen)]);
        };
        if !is_entry || name.is_ascii() {
            return Ok(vec![(path, seen)]);
        }
        let names = self.names(&parent).await?;
        let listed = names.get(composed(name).as_ref());
        let Some(listed) = listed.filter(|all| all.len() == 1 || all.contains(name)) else {
            return Ok(vec![(path, seen)]);
        };
        let mut forms = BTreeSet::from([name.to_owned(), composed(name).into_owned()]);
        forms.insert(decomposed(name).into_owned());
        let absent: Vec<String> = forms.difference(listed).cloned().collect();
        let present = if listed.contains(name) {
            vec![name.to_owned()]
        } else {
            listed.iter().cloned().collect()
        };
        let present = present.into_iter().map(|name| (name, seen.clone()));
        let absent = absent.into_iter().map(|name| (name, None));
        let named = present
            .chain(absent)
            .filter_map(|(name, seen)| Some((parent.join(&name).ok()?, seen)));
        Ok(named.collect())
    }

    async fn names(&mut self, folder: &RelPath) -> PortResult<&BTreeMap<String, BTreeSet<String>>> {
        if !self.names.contains_key(folder) {
            let mut names: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
            for child in self.server.list_for_names(folder.as_str()).await? {
                let form = composed(&child.name).into_owned();
                names.entry(form).or_default().insert(child.name);
            }
            self.names.insert(folder.clone(), names);
        }
        Ok(self.names.entry(folder.clone()).or_default())
    }
}

/// Finds the first name of a path that may not be spoken of.
fn closed(server: &Server, path: &RelPath) -> Option<(RelPath, UnknownReason)> {
    let mut known = RelPath::root();
    for name in path.names() {
        let next = known.join(name).ok()?;
        let is_folder = (next != *path).then_some(true);
        if let Some(reason) = left_out(server, &known, name, is_folder) {
            return Some((next, reason));
        }
        known = next;
    }
    None
}

fn seen(server: &Server, path: &RelPath, found: &Found) -> Seen {
    let (parent, name) = path.split().unwrap_or_default();
    let is_file = matches!(found, Found::File(_));
    match found.entry() {
        Some(_) if server.filter.excludes(parent, name, !is_file) => {
            Seen::Unknown(UnknownReason::Excluded)
        }
        Some(entry) => Seen::Entry(entry),
        None => Seen::Unknown(UnknownReason::Unreadable),
    }
}

fn partial(directory: RelPath, names: BTreeMap<String, Option<Seen>>) -> ScanItem {
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

/// Lists a folder, and tells which folders are in it.
async fn list(server: &Server, folder: &RelPath) -> PortResult<(ScanItem, Vec<RelPath>)> {
    let children = server.list(folder.as_str()).await?;
    let mut below = Vec::new();
    let mut entries = Vec::with_capacity(children.len());
    for child in children {
        if folder.is_root() && child.name == CONTROL {
            continue;
        }
        let seen = child_seen(server, folder, &child);
        if let Seen::Entry(entry) = &seen
            && entry.kind() == Kind::Directory
            && let Ok(path) = folder.join(&child.name)
        {
            below.push(path);
        }
        let name = child.name;
        entries.push(Listed { name, seen });
    }
    // Hidden is not absent, and nobody knows before it was tried.
    let scope = if server.lists_dots() {
        Scope::Whole
    } else {
        Scope::WholeButDots
    };
    let item = ScanItem::Listing(Listing {
        directory: folder.clone(),
        scope,
        entries,
    });
    Ok((item, below))
}

fn child_seen(server: &Server, folder: &RelPath, child: &Child) -> Seen {
    let is_folder = matches!(child.found, Found::Folder(_));
    if child.is_odd {
        return Seen::Unknown(UnknownReason::InvalidName);
    }
    if let Some(reason) = left_out(server, folder, &child.name, Some(is_folder)) {
        return Seen::Unknown(reason);
    }
    match child.found.entry() {
        Some(entry) => Seen::Entry(entry),
        None => Seen::Unknown(UnknownReason::Unreadable),
    }
}

/// Says why a name is not spoken of. Without a kind, only what holds for both counts.
fn left_out(
    server: &Server,
    folder: &RelPath,
    name: &str,
    is_folder: Option<bool>,
) -> Option<UnknownReason> {
    let is_ours = folder.is_root() && is_one_name(name, CONTROL);
    let is_filtered = match is_folder {
        Some(is_folder) => server.filter.excludes(folder.as_str(), name, is_folder),
        None => server.filter.excludes_any_kind(folder.as_str(), name),
    };
    if is_ours || is_filtered {
        return Some(UnknownReason::Excluded);
    }
    if name.len() > NAME_BYTES_MAX || folder.join(name).is_err() {
        return Some(UnknownReason::NameTooLong);
    }
    hidden(server, name).map(|_| UnknownReason::InvalidName)
}

fn unlisted(directory: RelPath) -> ScanItem {
    ScanItem::Unlisted {
        directory,
        reason: UnknownReason::Unreadable,
    }
}

/// After so many folders in a row that cannot be listed the root is asked for.
const FAILURES_MAX: usize = 20;
/// So many names of one folder are looked at by listing it.
const MANY: usize = 8;
