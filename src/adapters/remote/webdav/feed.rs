//! What changed, by the tags of folders, where a change below gives a folder another one.
//!
//! In: a cursor, which is the root's tag, the names of young files and a number of ours
//! (`past`). Out: places to look at, and that the server went back. Invariant: whatever
//! differs from what the last listing of a folder or our own work showed (`shown`) is
//! hinted at; a folder that is not known is hinted at whole; after a restart nothing is
//! known but the cursor, so a change by others means to list everything. Deliberately
//! absent: what is there now, which scans say; servers without such tags (`past`). Leaves
//! nothing behind.

use super::found::{Folder, Found};
use super::listing::Child;
use super::powers::Powers;
use super::server::Server;
use super::shown::{Sight, Young, join, mark};
use crate::adapters::http::unsupported;
use crate::adapters::rooted::CONTROL;
use crate::ports::{Changes, Hint, PortResult, RootState};
use futures::{StreamExt, stream};
use journal_format::value::RelPath;
use std::collections::{BTreeMap, BTreeSet};

impl Server {
    /// Returns what may have changed since a cursor was taken.
    pub(super) async fn changes(&self, cursor: Option<&str>) -> PortResult<Changes> {
        if !self.knows_root.get() && !matches!(self.root().await?, RootState::Present { .. }) {
            return Err(unsupported("the root is not there"));
        }
        if !self.tells_places() {
            return self.remember(cursor).await;
        }
        let scope = self.scope();
        let before = cursor.and_then(Cursor::read);
        let before = before.filter(|before| before.scope == scope);
        let known = before.as_ref().map(|before| before.number);
        let mut past = None;
        // What is stored gives the root another tag.
        if self.past.is_due() {
            past = Some(self.compare_past(known).await?);
        }
        let top = self.top().await?;
        // Before all that is listed below.
        self.http.is_up_to_date();
        // Nothing is lost where nothing is other than it was.
        if past.is_none() && before.as_ref().is_some_and(|it| it.tag != top.tag) {
            past = Some(self.compare_past(known).await?);
        }
        let (number, rolled_back) = past.map_or((known.unwrap_or(0), None), |past| {
            (past.number, past.rolled_back)
        });
        let mut changes = Changes {
            hints: Vec::new(),
            cursor: String::new(),
            rolled_back,
        };
        let mut young = Young::default();
        match before {
            None if cursor.is_none() => {}
            None => changes.hints.push(Hint::Rescan),
            Some(before) if before.fingerprint != top.fingerprint => {
                let text = "the server says that it was restored (data-fingerprint)";
                changes.rolled_back = Some(text.to_owned());
                changes.hints.push(Hint::Rescan);
            }
            Some(before) => young = self.news(before, &top, &mut changes.hints).await?,
        }
        // What was young when it was listed is looked at again, by a later process, too.
        let young = match top.is_racy {
            true => Young::Many,
            false => self.shown.borrow().young().and(young),
        };
        let now = Cursor {
            scope,
            fingerprint: top.fingerprint,
            number,
            tag: top.tag,
            young,
        };
        changes.cursor = now.text();
        Ok(changes)
    }

    /// Looks at the root.
    async fn top(&self) -> PortResult<Top> {
        let (found, props) = self.look_closer("").await?;
        let Found::Folder(Folder {
            etag: Some(tag),
            is_racy,
            ..
        }) = found
        else {
            let why = "the server does not tell of changes below a folder";
            return Err(unsupported(why));
        };
        Ok(Top {
            fingerprint: plain(&props.fingerprint.unwrap_or_default()),
            tag,
            is_racy,
        })
    }

    /// Hints at what differs, and returns what of the young files still is.
    async fn news(&self, before: Cursor, top: &Top, hints: &mut Vec<Hint>) -> PortResult<Young> {
        let is_known_young = !self.shown.borrow().young().is_empty();
        let is_other = before.tag != top.tag || before.young == Young::Many;
        if is_other || is_known_young || top.is_racy {
            *hints = self.differences().await?;
        }
        if hints.is_empty() {
            self.shown.borrow_mut().settle(&top.tag);
        }
        match before.young {
            Young::Files(files) => self.grown(files, hints).await,
            Young::Many => Ok(Young::default()),
        }
    }

    /// Tells whether tags of folders say where to look, as far as that is known.
    pub(super) fn tells_places(&self) -> bool {
        let is_deaf = |powers: &Powers| !powers.has_folder_tags;
        let is_deaf = self.known.borrow().as_ref().is_some_and(is_deaf);
        !self.knows_root.get() || self.is_oc.get() && !is_deaf
    }

    /// Hints at files that were young when an earlier process saw them, and returns those
    /// that still are.
    async fn grown(&self, files: Vec<String>, hints: &mut Vec<Hint>) -> PortResult<Young> {
        let mut still = Vec::new();
        for path in files.into_iter().filter_map(|file| RelPath::new(file).ok()) {
            if matches!(self.look(path.as_str()).await?, Found::File(file) if file.is_racy) {
                still.push(path.to_string());
            }
            let hint = Hint::Path {
                path,
                subtree: false,
            };
            if !hints.contains(&hint) && !hints.contains(&Hint::Rescan) {
                hints.push(hint);
            }
        }
        Ok(Young::Files(still))
    }

    /// Walks down where tags changed.
    async fn differences(&self) -> PortResult<Vec<Hint>> {
        if !self.shown.borrow().knows("") {
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
                let quiet = self.compare(&path, &children, &mut hints, &mut open);
                notes.push((path, folder, children, quiet));
            }
            if hints.len() > HINTS_MAX {
                return Ok(vec![Hint::Rescan]);
            }
        }
        // Only now is all of it told: a walk that fails is made again.
        let mut shown = self.shown.borrow_mut();
        for (path, folder, children, quiet) in notes {
            shown.note(&path, &folder, &children);
            shown.vouch(&path, quiet);
        }
        Ok(hints)
    }

    /// Compares a folder with what its last listing showed. Returns the tags of folders in
    /// it that were never listed and did not change.
    fn compare(
        &self,
        path: &str,
        children: &[Child],
        hints: &mut Vec<Hint>,
        open: &mut Vec<String>,
    ) -> BTreeMap<String, String> {
        let shown = self.shown.borrow();
        let mut quiet = BTreeMap::new();
        let mut hint = |name: &str, subtree: bool| {
            // What is no path of ours is told when everything is listed.
            if let Ok(path) = RelPath::new(join(path, name)) {
                hints.push(Hint::Path { path, subtree });
            }
        };
        for child in children {
            let is_ours = path.is_empty() && child.name == CONTROL;
            let is_same = shown.has(path, &child.name, mark(&child.found));
            match &child.found {
                _ if is_ours => {}
                Found::Folder(_) if !is_same => hint(&child.name, true),
                Found::Folder(folder) => {
                    match (shown.sight(path, &child.name, folder), &folder.etag) {
                        (Sight::Quiet, _) => {}
                        (Sight::QuietUnlisted, Some(tag)) => {
                            quiet.insert(child.name.clone(), tag.clone());
                        }
                        (Sight::Changed, _) => open.push(join(path, &child.name)),
                        (Sight::Unknown | Sight::QuietUnlisted, _) => hint(&child.name, true),
                    }
                }
                _ if !is_same => hint(&child.name, false),
                _ => {}
            }
        }
        let names: BTreeSet<&str> = children.iter().map(|child| child.name.as_str()).collect();
        let gone = shown.names(path).filter(|name| !names.contains(*name));
        gone.for_each(|name| hint(name, false));
        quiet
    }

    /// What a cursor stands for: root and filter.
    fn scope(&self) -> String {
        let text = format!("{}\0{}", self.base.path(), self.filter.mark());
        blake3::hash(text.as_bytes()).to_hex()[..SCOPE_DIGITS].to_owned()
    }
}

/// What the root tells.
struct Top {
    fingerprint: String,
    tag: String,
    is_racy: bool,
}

/// How far the account of changes was read.
#[derive(Debug, PartialEq, Eq)]
struct Cursor {
    scope: String,
    fingerprint: String,
    /// What this client stored there; 0 for nothing.
    number: u64,
    tag: String,
    /// What may have changed since without another tag.
    young: Young,
}

impl Cursor {
    fn text(&self) -> String {
        let young = match &self.young {
            Young::Files(files) => serde_json::to_string(files).unwrap_or_default(),
            Young::Many => String::new(),
        };
        let (scope, fingerprint, tag) = (&self.scope, &self.fingerprint, &self.tag);
        let (number, length) = (self.number, tag.len());
        format!("3 {scope} {fingerprint} {number} {length} {tag}{young}")
    }

    fn read(text: &str) -> Option<Self> {
        let mut parts = text.splitn(6, ' ');
        let mut next = || parts.next().map(str::to_owned);
        // Those of earlier kinds are read as one of another place: everything is listed.
        if next()? != "3" {
            return None;
        }
        let (scope, fingerprint) = (next()?, next()?);
        let (number, length) = (next()?.parse().ok()?, next()?.parse().ok()?);
        let rest = next()?;
        let (tag, young) = rest.split_at_checked(length)?;
        Some(Self {
            scope,
            fingerprint,
            number,
            tag: tag.to_owned(),
            young: serde_json::from_str(young).map_or(Young::Many, Young::Files),
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

/// So many places are looked at more cheaply by listing everything.
const HINTS_MAX: usize = 5_000;
const SCOPE_DIGITS: usize = 16;
const FINGERPRINT_CHARS_MAX: usize = 200;
