//! The changes feed, as places to look at.
//!
//! In: a cursor. Out: hints and the next cursor. Invariant: the feed is asked from the
//! row that was read last, which must come again, and from some before it when a process
//! begins: if one does not, the feed is another one (`trail`). The next number is that of
//! a row that came, never the one the server names. Deliberately absent: belief: what
//! stands at a path, the path says (`scan`).

use super::link::Link;
use super::names::is_hidden;
use super::rows::{Row, RowKind, mark};
use super::trail::{Continuity, Trail};
use crate::ports::{Changes, Hint, PortResult};
use journal_format::value::RelPath;
use std::collections::BTreeMap;

/// Where reading goes on.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Cursor {
    /// The last rows that were read.
    trail: Trail,
    /// How often the server went back before.
    generation: u64,
    /// What root and filter it stands for.
    scope: String,
}

impl Cursor {
    fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split(' ');
        match parts.next()? {
            VERSION => {
                let scope = parts.next()?.to_owned();
                let generation = parts.next()?.parse().ok()?;
                Some(Self {
                    trail: Trail::parse(parts)?,
                    generation,
                    scope,
                })
            }
            // One row, and the scope behind it.
            VERSION_1 => {
                let (seq, node, mark) = (parts.next()?, parts.next()?, parts.next()?);
                let word = format!("{seq}:{node}:{mark}");
                let is_begun = seq != "0";
                let cursor = Self {
                    generation: 0,
                    trail: Trail::parse(is_begun.then_some(word.as_str()).into_iter())?,
                    scope: parts.next()?.to_owned(),
                };
                parts.next().is_none().then_some(cursor)
            }
            _ => None,
        }
    }

    fn text(&self) -> String {
        let words = self.trail.words();
        format!("{VERSION} {} {}{words}", self.scope, self.generation)
    }
}

impl Link {
    /// Reads the feed on from a cursor.
    ///
    /// # Errors
    /// As [`crate::ports::Feed::since`].
    pub(super) async fn changes(&self, cursor: Option<&str>) -> PortResult<Changes> {
        if !self.server.entered().await?.0.has_feed || !self.has_feed.get() {
            self.has_feed.set(false);
            return Err(super::answer::unknown(
                "a feed of changes in this workspace",
            ));
        }
        let Some(text) = cursor else {
            return self.begin(Vec::new(), None).await;
        };
        let cursor = Cursor::parse(text);
        if let Some(Cursor { generation, .. }) = cursor {
            self.index.borrow_mut().set_generation(generation);
        }
        let cursor = cursor.filter(|cursor| cursor.scope == self.scope);
        let Some(Cursor { mut trail, .. }) = cursor else {
            return self.begin(vec![Hint::Rescan], None).await;
        };
        let newest = trail.newest().seq;
        let is_anchored = self.lost_anchors.get() < ANCHORS_LOST_MAX;
        let after = match (is_anchored, self.is_followed.get()) {
            (false, _) => newest,
            (true, true) => newest.saturating_sub(1),
            // What was restored and went on may have come to the same newest row.
            (true, false) => trail.near().saturating_sub(1),
        };
        let found = self.server.rows(after, false, &self.folder).await?;
        match trail.compare(after, &found) {
            Continuity::Back(what) => {
                self.index.borrow_mut().clear();
                self.went_back();
                self.begin(vec![Hint::Rescan], Some(what)).await
            }
            Continuity::Broken if is_anchored => self.begin_anew(&trail).await,
            Continuity::Holds | Continuity::Broken => {
                if is_anchored {
                    self.lost_anchors.set(0);
                    self.is_followed.set(true);
                }
                let fresh = found.rows.into_iter().filter(|row| row.seq > newest);
                let fresh: Vec<Row> = fresh.collect();
                self.index.borrow_mut().apply(&fresh);
                for row in &fresh {
                    trail.push(row.anchor());
                }
                if !fresh.is_empty() {
                    // What happens in the bin is no news.
                    self.usual_bin().await?;
                }
                let mut hints = self.hints(&fresh);
                hints.extend(self.hidden().await);
                Ok(Changes {
                    hints,
                    cursor: self.cursor(trail),
                    rolled_back: None,
                })
            }
        }
    }

    /// Looks at everything, and finds out whether the server went back: rights that
    /// changed hide rows as well.
    async fn begin_anew(&self, trail: &Trail) -> PortResult<Changes> {
        let after = trail.oldest().saturating_sub(1);
        let found = self.server.rows(after, false, &self.folder).await?;
        self.lost_anchors.set(self.lost_anchors.get() + 1);
        self.index.borrow_mut().clear();
        let mut changes = self.begin(vec![Hint::Rescan], None).await?;
        let rolled_back = match trail.compare(after, &found) {
            Continuity::Back(what) => Some(what),
            Continuity::Holds | Continuity::Broken => {
                let index = self.index.borrow();
                trail.lost(&found, |node| index.place(node).map(mark))
            }
        };
        if rolled_back.is_some() {
            self.went_back();
            let trail = self.index.borrow().trail().clone();
            changes.cursor = self.cursor(trail);
        }
        changes.rolled_back = rolled_back;
        Ok(changes)
    }

    /// Ids that are given again are of other nodes than those that are known.
    fn went_back(&self) {
        let mut index = self.index.borrow_mut();
        let next = index.generation().saturating_add(1);
        index.set_generation(next);
    }

    /// Reads everything, and starts from there.
    async fn begin(&self, hints: Vec<Hint>, rolled_back: Option<String>) -> PortResult<Changes> {
        if self.index.borrow().is_full() {
            self.catch_up().await?;
        } else {
            self.learn_all().await?;
        }
        let trail = self.index.borrow().trail().clone();
        self.is_followed.set(true);
        Ok(Changes {
            hints,
            cursor: self.cursor(trail),
            rolled_back,
        })
    }

    fn cursor(&self, trail: Trail) -> String {
        let cursor = Cursor {
            trail,
            generation: self.index.borrow().generation(),
            scope: self.scope.clone(),
        };
        cursor.text()
    }

    /// Returns folders in which something changed that no row speaks of.
    async fn hidden(&self) -> Vec<Hint> {
        let changed = self.unexplained().await;
        let mut places = BTreeMap::new();
        for path in changed.iter().filter_map(|at| self.hinted(at)) {
            tracing::info!(%path, "a folder changed and the feed says nothing of it");
            if path.is_root() {
                return vec![Hint::Rescan];
            }
            places.insert(path, true);
        }
        without_covered(places)
    }

    fn hints(&self, rows: &[Row]) -> Vec<Hint> {
        let places = rows.iter().flat_map(|row| [&row.source, &row.target]);
        for at in places.flatten() {
            self.explain(at);
        }
        if rows.len() > HINTS_MAX {
            return vec![Hint::Rescan];
        }
        let mut places: BTreeMap<RelPath, bool> = BTreeMap::new();
        for row in rows {
            // Of a folder it only says that its time changed.
            if row.kind == RowKind::Content
                && row.is_folder == Some(true)
                && row.source == row.target
            {
                continue;
            }
            let subtree = row.is_folder != Some(false);
            for at in [&row.source, &row.target].into_iter().flatten() {
                if let Some(path) = self.hinted(at) {
                    *places.entry(path).or_default() |= subtree;
                }
            }
        }
        // A rename of what the feed does not know shows as something new, no more.
        if rows.iter().any(|row| row.kind == RowKind::Create) {
            for path in self.untold.borrow().iter().filter_map(|at| self.hinted(at)) {
                places.entry(path).or_default();
            }
        }
        without_covered(places)
    }

    fn hinted(&self, at: &str) -> Option<RelPath> {
        let path = self.below(at)?;
        let is_ours = !self.is_binned(at) && !path.names().any(is_hidden);
        is_ours.then_some(path)
    }
}

/// Leaves out what lies below a place that is looked at wholly.
fn without_covered(places: BTreeMap<RelPath, bool>) -> Vec<Hint> {
    let mut hints: Vec<Hint> = Vec::new();
    let mut top: Option<RelPath> = None;
    let mut sorted: Vec<(RelPath, bool)> = places.into_iter().collect();
    // A folder right before what lies in it, whatever other names begin like it.
    sorted.sort_by(|(one, _), (other, _)| one.names().cmp(other.names()));
    for (path, subtree) in sorted {
        if top.as_ref().is_some_and(|top| path.is_within(top)) {
            continue;
        }
        if subtree {
            top = Some(path.clone());
        }
        hints.push(Hint::Path { path, subtree });
    }
    hints
}

const VERSION: &str = "p2";
/// What earlier releases wrote.
const VERSION_1: &str = "p1";
const HINTS_MAX: usize = 20_000;
/// After so many in a row the server is one that does not show its rows again.
const ANCHORS_LOST_MAX: u32 = 3;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_is_read_back_and_nonsense_is_none() {
        let mut cursor = Cursor {
            trail: Trail::default(),
            generation: 3,
            scope: "s".to_owned(),
        };
        assert_eq!(Cursor::parse(&cursor.text()), Some(cursor.clone()));
        cursor.trail = Trail::parse("10:5:1 7:4:9".split(' ')).expect("anchors");
        assert_eq!(Cursor::parse(&cursor.text()), Some(cursor));
        let old = Cursor::parse("p1 10 5 1 s").expect("a cursor of before");
        assert_eq!(old.text(), "p2 s 0 10:5:1");
        let begun = Cursor::parse("p1 0 0 0 s").expect("a cursor of before");
        assert_eq!(begun.text(), "p2 s 0");
        for text in [
            "",
            "p2",
            "p2 s",
            "p2 s x",
            "p3 s 0 10:5:1",
            "p2 s 0 10:5",
            "p2 s 0 10:5:1 more",
            "p1 10 5 1 s more",
            "p1 -1 5 1 s",
        ] {
            assert_eq!(Cursor::parse(text), None, "{text}");
        }
    }

    #[test]
    fn places_below_one_that_is_looked_at_wholly_are_left_out() {
        let path = |text: &str| RelPath::new(text).expect("path");
        let places = [
            ("a", true),
            ("a b", false),
            ("a/x", true),
            ("b", false),
            ("b/y", false),
        ];
        let places = places.iter().map(|(text, subtree)| (path(text), *subtree));
        let hints = without_covered(places.collect());
        let kept: Vec<String> = hints
            .iter()
            .map(|hint| match hint {
                Hint::Path { path, subtree } => format!("{path} {subtree}"),
                Hint::Rescan => "all".to_owned(),
            })
            .collect();
        assert_eq!(kept, ["a true", "a b false", "b false", "b/y false"]);
    }
}
