//! The changes feed, as places to look at.
//!
//! In: a cursor. Out: hints and the next cursor. Invariant: the feed is asked from the
//! row that was read last, which must come again: if it does not, the feed is another
//! one. The next number is that of a row that came, never the one the server names.
//! Deliberately absent: belief: what stands at a path, the path says (`scan`).

use super::link::Link;
use super::names::is_hidden;
use super::rows::{Anchor, Row, RowKind, Rows};
use crate::ports::{Changes, Hint, PortResult};
use journal_format::value::RelPath;
use std::collections::BTreeMap;

/// Where reading goes on.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Cursor {
    /// The last row that was read; number 0 before the first.
    at: Anchor,
    /// What root and filter it stands for.
    scope: String,
}

impl Cursor {
    fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split(' ');
        if parts.next() != Some(VERSION) {
            return None;
        }
        let cursor = Self {
            at: Anchor {
                seq: parts.next()?.parse().ok()?,
                node: parts.next()?.parse().ok()?,
                mark: parts.next()?.parse().ok()?,
            },
            scope: parts.next()?.to_owned(),
        };
        parts.next().is_none().then_some(cursor)
    }

    fn text(&self) -> String {
        let Anchor { seq, node, mark } = self.at;
        format!("{VERSION} {seq} {node} {mark} {}", self.scope)
    }
}

/// What a reading from a known row on turned out to be.
#[derive(Debug, PartialEq, Eq)]
enum Continuity {
    /// The feed goes on.
    Holds,
    /// The row is not there any more.
    Broken,
    /// The server knows less than it did.
    Back(String),
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
        let cursor = Cursor::parse(text).filter(|cursor| cursor.scope == self.scope);
        let Some(cursor) = cursor else {
            return self.begin(vec![Hint::Rescan], None).await;
        };
        let is_anchored = self.lost_anchors.get() < ANCHORS_LOST_MAX;
        let after = cursor.at.seq.saturating_sub(u64::from(is_anchored));
        let found = self.server.rows(after, false, &self.folder).await?;
        let continuity = continuity(&cursor, &found);
        match continuity {
            Continuity::Back(what) => {
                self.index.borrow_mut().clear();
                self.begin(vec![Hint::Rescan], Some(what)).await
            }
            Continuity::Broken if is_anchored => {
                self.lost_anchors.set(self.lost_anchors.get() + 1);
                self.index.borrow_mut().clear();
                self.begin(vec![Hint::Rescan], None).await
            }
            Continuity::Holds | Continuity::Broken => {
                if is_anchored {
                    self.lost_anchors.set(0);
                }
                let fresh = found.rows.iter().filter(|row| row.seq > cursor.at.seq);
                let fresh: Vec<Row> = fresh.cloned().collect();
                self.index.borrow_mut().apply(&fresh);
                let next = fresh.last().map_or(cursor.at, Row::anchor);
                if !fresh.is_empty() {
                    // What happens in the bin is no news.
                    self.usual_bin().await?;
                }
                let mut hints = self.hints(&fresh);
                hints.extend(self.hidden().await);
                Ok(Changes {
                    hints,
                    cursor: self.cursor(next),
                    rolled_back: None,
                })
            }
        }
    }

    /// Reads everything, and starts from there.
    async fn begin(&self, hints: Vec<Hint>, rolled_back: Option<String>) -> PortResult<Changes> {
        if self.index.borrow().is_full() {
            self.catch_up().await?;
        } else {
            self.learn_all().await?;
        }
        let newest = self.index.borrow().newest().unwrap_or_default();
        Ok(Changes {
            hints,
            cursor: self.cursor(newest),
            rolled_back,
        })
    }

    fn cursor(&self, at: Anchor) -> String {
        let scope = self.scope.clone();
        Cursor { at, scope }.text()
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

fn continuity(cursor: &Cursor, found: &Rows) -> Continuity {
    if found.last < cursor.at.seq && found.rows.is_empty() {
        return Continuity::Back(format!(
            "the server's newest change has number {}, and number {} was read before",
            found.last, cursor.at.seq
        ));
    }
    if cursor.at.seq == 0 {
        return Continuity::Holds;
    }
    match found.rows.first().filter(|row| row.seq == cursor.at.seq) {
        Some(row) if row.anchor() == cursor.at => Continuity::Holds,
        Some(row) if row.node != cursor.at.node => Continuity::Back(format!(
            "change {} was about node {} and is about node {} now",
            cursor.at.seq, cursor.at.node, row.node
        )),
        // A change of rights can alter the path of a row as well.
        Some(_) => Continuity::Broken,
        None => Continuity::Broken,
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

const VERSION: &str = "p1";
const HINTS_MAX: usize = 20_000;
/// After so many in a row the server is one that does not show its rows again.
const ANCHORS_LOST_MAX: u32 = 3;

#[cfg(test)]
mod tests {
    use super::*;

    fn cursor(seq: u64, node: u64) -> Cursor {
        Cursor {
            at: row(seq, node).anchor(),
            scope: "s".to_owned(),
        }
    }

    fn row(seq: u64, node: u64) -> Row {
        Row {
            seq,
            node,
            kind: RowKind::Create,
            source: None,
            target: Some(format!("/{node}")),
            is_folder: None,
            file: None,
        }
    }

    fn rows(seqs: &[(u64, u64)], last: u64) -> Rows {
        Rows {
            rows: seqs.iter().map(|(seq, node)| row(*seq, *node)).collect(),
            last,
        }
    }

    #[test]
    fn a_feed_that_went_back_or_was_replaced_is_seen() {
        let at = cursor(10, 5);
        assert_eq!(
            continuity(&at, &rows(&[(10, 5), (12, 6)], 99)),
            Continuity::Holds
        );
        assert_eq!(continuity(&at, &rows(&[(12, 6)], 99)), Continuity::Broken);
        assert_eq!(continuity(&at, &rows(&[], 99)), Continuity::Broken);
        assert!(matches!(
            continuity(&at, &rows(&[(10, 7)], 99)),
            Continuity::Back(_)
        ));
        let mut other = rows(&[(10, 5)], 99);
        other.rows[0].target = Some("/elsewhere".to_owned());
        assert_eq!(continuity(&at, &other), Continuity::Broken);
        assert!(matches!(
            continuity(&at, &rows(&[], 1)),
            Continuity::Back(_)
        ));
        assert_eq!(
            continuity(&cursor(0, 0), &rows(&[], 158)),
            Continuity::Holds
        );
    }

    #[test]
    fn a_cursor_is_read_back_and_nonsense_is_none() {
        let text = cursor(10, 5).text();
        assert_eq!(Cursor::parse(&text), Some(cursor(10, 5)));
        for text in [
            "",
            "p1",
            "p1 x 5 1 s",
            "p2 10 5 1 s",
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
