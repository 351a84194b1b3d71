//! What was seen of folders, and what our own work made of them since.
//!
//! In: listings, own changes. Out: what differs. Invariant: what is remembered of a name is
//! what the engine was told of it, or did itself; a folder that was never listed is known
//! by its tag only where the engine knew it when the tag was read. Bounded in names.
//! Deliberately absent: asking (`feed`), but for the folders around our first change.
//! Leaves nothing behind.

use super::found::{Folder, Found};
use super::listing::Child;
use super::server::Server;
use crate::adapters::rooted::CONTROL;
use journal_format::value::RelPath;
use std::collections::{BTreeMap, BTreeSet};
use std::hash::{Hash, Hasher};

/// What the last listings showed.
#[derive(Debug, Default)]
pub(super) struct Shown {
    folders: BTreeMap<String, Shape>,
    /// Names in all of them.
    names: usize,
    /// Paths of files that may have changed without another tag.
    young: BTreeSet<String>,
    /// The root's tag when nothing had changed since an earlier process.
    settled: Option<String>,
}

#[derive(Debug, Default)]
struct Shape {
    /// Empty for one that is ours alone so far.
    tag: String,
    /// What stood at each name.
    children: BTreeMap<String, u64>,
    /// Tags of folders in it that were not listed and yet are known.
    below: BTreeMap<String, String>,
}

/// What is known of a folder that is listed with a tag.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sight {
    Quiet,
    /// The same of one that was never listed.
    QuietUnlisted,
    Changed,
    Unknown,
}

/// Files that may have changed without another tag.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Young {
    Files(Vec<String>),
    Many,
}

impl Default for Young {
    fn default() -> Self {
        Self::Files(Vec::new())
    }
}

impl Young {
    /// As many as a cursor has room for.
    pub(super) fn of(files: impl Iterator<Item = String>) -> Self {
        let files: Vec<String> = files.take(YOUNG_MAX + 1).collect();
        let length = serde_json::to_string(&files).map_or(usize::MAX, |text| text.len());
        if files.len() > YOUNG_MAX || length > YOUNG_BYTES_MAX {
            return Self::Many;
        }
        Self::Files(files)
    }

    /// Adds what else is young.
    pub(super) fn and(self, others: Self) -> Self {
        match (self, others) {
            (Self::Files(files), Self::Files(others)) => Self::of(files.into_iter().chain(others)),
            _ => Self::Many,
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

impl Shown {
    /// Notes a listing.
    pub(super) fn note(&mut self, path: &str, folder: &Folder, children: &[Child]) {
        self.forget(path);
        let Some(tag) = &folder.etag else { return };
        if self.names + children.len() > NAMES_MAX {
            return;
        }
        let mut shape = Shape {
            tag: tag.clone(),
            ..Shape::default()
        };
        for child in children {
            if path.is_empty() && child.name == CONTROL {
                continue;
            }
            if is_racy(&child.found) {
                self.young.insert(join(path, &child.name));
            }
            shape
                .children
                .insert(child.name.clone(), mark(&child.found));
        }
        self.names += shape.children.len();
        self.folders.insert(path.to_owned(), shape);
    }

    /// Notes folders in a listed one that are known although they were not listed.
    pub(super) fn vouch(&mut self, path: &str, tags: BTreeMap<String, String>) {
        if let Some(shape) = self.folders.get_mut(path) {
            shape.below = tags;
        }
    }

    /// Notes what we put at a path ourselves.
    pub(super) fn own(&mut self, path: &RelPath, found: &Found) {
        let (parent, name) = path.split().unwrap_or_default();
        let (at, is_full) = (path.as_str(), self.names >= NAMES_MAX);
        let Some(shape) = self.folders.get_mut(parent).filter(|_| !is_full) else {
            return;
        };
        if shape
            .children
            .insert(name.to_owned(), mark(found))
            .is_none()
        {
            self.names += 1;
        }
        self.young.remove(at);
        if is_racy(found) {
            self.young.insert(at.to_owned());
        }
    }

    /// Notes a folder that we made, in which nothing is.
    pub(super) fn own_folder(&mut self, path: &RelPath, found: &Found) {
        self.own(path, found);
        let parent = path.parent().unwrap_or_default();
        if self.has(
            parent.as_str(),
            path.name().unwrap_or_default(),
            mark(found),
        ) {
            self.folders
                .insert(path.as_str().to_owned(), Shape::default());
        }
    }

    /// Notes that we took away what was at a path.
    pub(super) fn own_gone(&mut self, path: &RelPath) {
        let (parent, name) = path.split().unwrap_or_default();
        if let Some(shape) = self.folders.get_mut(parent)
            && shape.children.remove(name).is_some()
        {
            self.names -= 1;
        }
        let inside = self.inside(path.as_str());
        inside.iter().for_each(|folder| self.forget(folder));
        self.young.remove(path.as_str());
    }

    /// Notes that we moved what was at a path.
    pub(super) fn own_move(&mut self, from: &RelPath, to: &RelPath, found: &Found) {
        let mut moved = Vec::new();
        for at in self.inside(from.as_str()) {
            let rest = at.strip_prefix(from.as_str()).unwrap_or_default();
            if let Some(shape) = self.folders.get_mut(&at).map(std::mem::take) {
                self.names -= shape.children.len();
                moved.push((format!("{to}{rest}"), shape));
            }
        }
        let renamed = |path: &String| {
            let rest = path.strip_prefix(from.as_str())?;
            rest.starts_with('/').then(|| format!("{to}{rest}"))
        };
        let young: Vec<String> = self.young.iter().filter_map(renamed).collect();
        let tag = from.split().and_then(|(parent, name)| {
            let below = &mut self.folders.get_mut(parent)?.below;
            below.remove(name)
        });
        self.own_gone(from);
        self.own(to, found);
        let (parent, name) = to.split().unwrap_or_default();
        let Some(above) = self.folders.get_mut(parent) else {
            return;
        };
        if let Some(tag) = tag {
            above.below.insert(name.to_owned(), tag);
        }
        for (at, shape) in moved {
            self.names += shape.children.len();
            self.folders.insert(at, shape);
        }
        self.young.extend(young);
    }

    /// Notes that nothing has changed since an earlier process; with this tag of the root.
    pub(super) fn settle(&mut self, tag: &str) {
        self.settled = Some(tag.to_owned());
    }

    /// Tells whether a folder's names are known.
    pub(super) fn knows(&self, path: &str) -> bool {
        self.folders.contains_key(path)
    }

    /// Tells whether something is what stood at a name.
    pub(super) fn has(&self, path: &str, name: &str, mark: u64) -> bool {
        let shape = self.folders.get(path);
        shape.and_then(|shape| shape.children.get(name)) == Some(&mark)
    }

    /// Returns the names that stood in a folder.
    pub(super) fn names(&self, path: &str) -> impl Iterator<Item = &str> {
        let shape = self.folders.get(path);
        shape
            .into_iter()
            .flat_map(|shape| shape.children.keys().map(String::as_str))
    }

    /// Tells what is known of a folder in another.
    pub(super) fn sight(&self, path: &str, name: &str, folder: &Folder) -> Sight {
        let below = join(path, name);
        if let Some(shape) = self.folders.get(&below) {
            let is_same = folder.etag.as_ref() == Some(&shape.tag);
            return if is_same && !self.is_young(&below) {
                Sight::Quiet
            } else {
                Sight::Changed
            };
        }
        let known = self
            .folders
            .get(path)
            .and_then(|shape| shape.below.get(name));
        if known.is_some() && known == folder.etag.as_ref() {
            Sight::QuietUnlisted
        } else {
            Sight::Unknown
        }
    }

    /// Returns the young ones.
    pub(super) fn young(&self) -> Young {
        Young::of(self.young.iter().cloned())
    }

    /// Tells whether a file below a folder is young. Young ones are few.
    fn is_young(&self, path: &str) -> bool {
        self.young.iter().any(|young| {
            let rest = young.strip_prefix(path);
            rest.is_some_and(|rest| rest.starts_with('/'))
        })
    }

    /// Returns a known folder and those below it.
    fn inside(&self, path: &str) -> Vec<String> {
        let from = self.folders.range(path.to_owned()..);
        let inside = from
            .map(|(at, _)| at)
            .take_while(|at| at.starts_with(path))
            .filter(|at| {
                let rest = &at[path.len()..];
                rest.is_empty() || rest.starts_with('/')
            });
        inside.cloned().collect()
    }

    fn forget(&mut self, path: &str) {
        let Some(old) = self.folders.remove(path) else {
            return;
        };
        self.names -= old.children.len();
        self.young.retain(|young| {
            let rest = young.strip_prefix(path).unwrap_or_default();
            let name = rest
                .strip_prefix('/')
                .unwrap_or(if path.is_empty() { rest } else { "" });
            name.is_empty() || name.contains('/')
        });
    }
}

impl Server {
    /// Learns the folders around our first change, as they are before it: then what others
    /// change beside it can be told from it (0191). Whatever goes wrong only costs that.
    pub(super) async fn prepare(&self, path: &RelPath) {
        if !self.is_oc.get() || self.shown.borrow().settled.is_none() {
            return;
        }
        let _gate = self.preparing.lock().await;
        let mut folder = RelPath::root();
        let parent = path.parent().unwrap_or_default();
        for name in std::iter::once(None).chain(parent.names().map(Some)) {
            let above = folder.clone();
            if let Some(name) = name {
                let Ok(next) = folder.join(name) else { return };
                folder = next;
            }
            if self.shown.borrow().knows(folder.as_str()) {
                continue;
            }
            let known = match name {
                None => self.shown.borrow().settled.clone(),
                Some(name) => self.shown.borrow().tag_below(above.as_str(), name),
            };
            let Some(known) = known else { return };
            if self.learn(&folder, &known).await.is_none() {
                self.shown.borrow_mut().settled = None;
                return;
            }
        }
    }

    /// Lists a folder that is known by its tag; nothing if that is another one by now.
    async fn learn(&self, path: &RelPath, tag: &str) -> Option<()> {
        let (children, folder) = self.list_once(path.as_str()).await.ok()?;
        let mut shown = self.shown.borrow_mut();
        if folder.etag.as_deref() != Some(tag) {
            return None;
        }
        let tags = children.iter().filter_map(|child| match &child.found {
            Found::Folder(folder) => Some((child.name.clone(), folder.etag.clone()?)),
            _ => None,
        });
        shown.note(path.as_str(), &folder, &children);
        shown.vouch(path.as_str(), tags.collect());
        Some(())
    }
}

impl Shown {
    fn tag_below(&self, path: &str, name: &str) -> Option<String> {
        self.folders.get(path)?.below.get(name).cloned()
    }
}

/// Tells one thing at a name from another. Of a folder only that it is one and which:
/// what lies in it has its own tag.
pub(super) fn mark(found: &Found) -> u64 {
    let mut hasher = std::hash::DefaultHasher::new();
    match found {
        Found::Folder(folder) => ("folder", folder.id).hash(&mut hasher),
        Found::File(version) => {
            (version.size, version.mtime, version.is_racy).hash(&mut hasher);
            (&version.etag, version.id).hash(&mut hasher);
        }
        Found::Absent | Found::Odd => "odd".hash(&mut hasher),
    }
    hasher.finish()
}

const fn is_racy(found: &Found) -> bool {
    matches!(found, Found::File(file) if file.is_racy)
}

pub(super) fn join(folder: &str, name: &str) -> String {
    if folder.is_empty() {
        name.to_owned()
    } else {
        format!("{folder}/{name}")
    }
}

/// Names that are remembered; beyond them folders count as not known.
const NAMES_MAX: usize = 300_000;
/// What a cursor holds of young paths.
const YOUNG_MAX: usize = 40;
const YOUNG_BYTES_MAX: usize = 2_500;
