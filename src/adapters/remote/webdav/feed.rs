//! What changed, by the tags of folders, where a change below gives a folder another one.
//!
//! In: a cursor, which is the root's tag. Out: places to look at. Invariant: whatever
//! differs from what the last listing of a folder showed is hinted at; a folder that is
//! not known is hinted at whole; after a restart nothing is known but the root's tag, so
//! any change means to list everything. Deliberately absent: what is there now, which
//! scans say. Leaves nothing behind.

use super::found::{Folder, Found};
use super::listing::Child;
use super::server::Server;
use crate::adapters::http::unsupported;
use crate::adapters::rooted::CONTROL;
use crate::ports::{Changes, Hint, PortResult, RootState};
use futures::{StreamExt, stream};
use journal_format::value::RelPath;
use std::collections::{BTreeMap, BTreeSet};
use std::hash::{Hash, Hasher};

/// What the last listings showed.
#[derive(Debug, Default)]
pub(super) struct Shown {
    folders: BTreeMap<String, Shape>,
    /// Names in all of them.
    names: usize,
}

#[derive(Debug)]
struct Shape {
    tag: String,
    /// What stood at each name.
    children: BTreeMap<String, u64>,
}

impl Shown {
    /// Notes a listing.
    pub(super) fn note(&mut self, path: &str, folder: &Folder, children: &[Child]) {
        self.forget(path);
        let Some(tag) = &folder.etag else { return };
        if self.names + children.len() > NAMES_MAX {
            return;
        }
        let is_ours = |child: &&Child| path.is_empty() && child.name == CONTROL;
        let children: BTreeMap<String, u64> = children
            .iter()
            .filter(|child| !is_ours(child))
            .map(|child| (child.name.clone(), mark(&child.found)))
            .collect();
        self.names += children.len();
        let tag = tag.clone();
        self.folders
            .insert(path.to_owned(), Shape { tag, children });
    }

    fn forget(&mut self, path: &str) {
        if let Some(old) = self.folders.remove(path) {
            self.names -= old.children.len();
        }
    }

    fn has_tag(&self, path: &str, tag: Option<&str>) -> bool {
        let shape = self.folders.get(path);
        shape.is_some_and(|shape| Some(shape.tag.as_str()) == tag)
    }
}

/// Tells one thing at a name from another. Of a folder only that it is one and which:
/// what lies in it has its own tag.
fn mark(found: &Found) -> u64 {
    let mut hasher = std::hash::DefaultHasher::new();
    match found {
        Found::Folder(folder) => ("folder", folder.id).hash(&mut hasher),
        Found::File(version) => {
            (version.size, version.mtime, &version.etag, version.id).hash(&mut hasher);
        }
        Found::Absent | Found::Odd => "odd".hash(&mut hasher),
    }
    hasher.finish()
}

impl Server {
    /// Returns what may have changed since a cursor was taken.
    pub(super) async fn changes(&self, cursor: Option<&str>) -> PortResult<Changes> {
        if !self.knows_root.get() && !matches!(self.root().await?, RootState::Present { .. }) {
            return Err(unsupported("the root is not there"));
        }
        let none = || unsupported("the server does not tell of changes below a folder");
        if !self.is_oc.get() {
            return Err(none());
        }
        let (found, props) = self.look_closer("").await?;
        let Found::Folder(Folder {
            etag: Some(tag), ..
        }) = found
        else {
            return Err(none());
        };
        let fingerprint = plain(&props.fingerprint.unwrap_or_default());
        let now = Cursor {
            scope: self.scope(),
            fingerprint,
            tag,
        };
        let mut changes = Changes {
            hints: Vec::new(),
            cursor: now.text(),
            rolled_back: None,
        };
        let Some(before) = cursor else {
            return Ok(changes);
        };
        match Cursor::read(before) {
            Some(before) if before.scope == now.scope => {
                if before.fingerprint != now.fingerprint {
                    let text = "the server says that it was restored (data-fingerprint)";
                    changes.rolled_back = Some(text.to_owned());
                    changes.hints.push(Hint::Rescan);
                } else if before.tag != now.tag {
                    changes.hints = self.differences().await?;
                }
            }
            _ => changes.hints.push(Hint::Rescan),
        }
        Ok(changes)
    }

    /// Walks down where tags changed.
    async fn differences(&self) -> PortResult<Vec<Hint>> {
        if !self.shown.borrow().folders.contains_key("") {
            return Ok(vec![Hint::Rescan]);
        }
        let (mut hints, mut notes) = (Vec::new(), Vec::new());
        let mut open = vec![String::new()];
        while !open.is_empty() {
            let listings = open.drain(..).map(|path| async move {
                let listed = self.list_once(&path).await;
                (path, listed)
            });
            let listings: Vec<_> = stream::iter(listings).buffered(self.width).collect().await;
            for (path, listed) in listings {
                let (children, folder) = listed?;
                self.compare(&path, &children, &mut hints, &mut open);
                notes.push((path, folder, children));
            }
            if hints.len() > HINTS_MAX {
                return Ok(vec![Hint::Rescan]);
            }
        }
        // Only now is all of it told: a walk that fails is made again.
        let mut shown = self.shown.borrow_mut();
        for (path, folder, children) in notes {
            shown.note(&path, &folder, &children);
        }
        Ok(hints)
    }

    /// Compares a folder with what its last listing showed.
    fn compare(
        &self,
        path: &str,
        children: &[Child],
        hints: &mut Vec<Hint>,
        open: &mut Vec<String>,
    ) {
        let shown = self.shown.borrow();
        let empty = BTreeMap::new();
        let before = shown
            .folders
            .get(path)
            .map_or(&empty, |shape| &shape.children);
        let mut hint = |name: &str, subtree: bool| {
            // What is no path of ours is told when everything is listed.
            if let Ok(path) = RelPath::new(join(path, name)) {
                hints.push(Hint::Path { path, subtree });
            }
        };
        for child in children {
            if path.is_empty() && child.name == CONTROL {
                continue;
            }
            let below = join(path, &child.name);
            let is_same = before.get(&child.name) == Some(&mark(&child.found));
            match &child.found {
                Found::Folder(folder) => {
                    let is_known = is_same && shown.folders.contains_key(&below);
                    let is_quiet = shown.has_tag(&below, folder.etag.as_deref());
                    match (is_known, is_quiet) {
                        (true, true) => {}
                        (true, false) => open.push(below),
                        (false, _) => hint(&child.name, true),
                    }
                }
                _ if !is_same => hint(&child.name, false),
                _ => {}
            }
        }
        let names: BTreeSet<&str> = children.iter().map(|child| child.name.as_str()).collect();
        let gone = before.keys().filter(|name| !names.contains(name.as_str()));
        gone.for_each(|name| hint(name, false));
    }

    /// What a cursor stands for: root and filter.
    fn scope(&self) -> String {
        let text = format!("{}\0{}", self.base.path(), self.filter.mark());
        blake3::hash(text.as_bytes()).to_hex()[..SCOPE_DIGITS].to_owned()
    }
}

/// How far the account of changes was read.
#[derive(Debug, PartialEq, Eq)]
struct Cursor {
    scope: String,
    fingerprint: String,
    tag: String,
}

impl Cursor {
    fn text(&self) -> String {
        format!("1 {} {} {}", self.scope, self.fingerprint, self.tag)
    }

    fn read(text: &str) -> Option<Self> {
        let mut parts = text.splitn(4, ' ');
        let mut next = || parts.next().map(str::to_owned);
        if next()? != "1" {
            return None;
        }
        Some(Self {
            scope: next()?,
            fingerprint: next()?,
            tag: next()?,
        })
    }
}

/// Brings a fingerprint into one short word.
fn plain(text: &str) -> String {
    let word = text
        .chars()
        .filter(|c| !c.is_whitespace() && !c.is_control());
    word.take(FINGERPRINT_CHARS_MAX).collect()
}

fn join(folder: &str, name: &str) -> String {
    if folder.is_empty() {
        name.to_owned()
    } else {
        format!("{folder}/{name}")
    }
}

/// Names that are remembered; beyond them folders count as not known.
const NAMES_MAX: usize = 300_000;
/// So many places are looked at more cheaply by listing everything.
const HINTS_MAX: usize = 5_000;
const SCOPE_DIGITS: usize = 16;
const FINGERPRINT_CHARS_MAX: usize = 200;
