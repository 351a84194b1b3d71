//! Rows of the feed that were read before, by which it is known again.
//!
//! In: rows, in their order. Out: few of them, dense at the end and sparse before, and
//! whether a later reading still tells the same. Invariant: what only rights or a filter
//! can do to a row (its path or all of it hidden) is never called a server that went
//! back. Deliberately absent: rows far behind the newest, so that reading all anchors
//! again stays cheap. It lives in the cursor (`feed`).

use super::rows::{Anchor, Row, Rows, mark};

/// What a row is known by, of some rows, the newest first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Trail(Vec<Anchor>);

/// What a reading from known rows on turned out to be.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Continuity {
    /// The feed goes on.
    Holds,
    /// A row is not there any more, or does not tell what it told.
    Broken,
    /// The server knows less than it did, or something else.
    Back(String),
}

impl Trail {
    /// Takes a row in that comes after all before.
    pub(super) fn push(&mut self, anchor: Anchor) {
        self.0.insert(0, anchor);
        self.0.retain(|old| Self::reaches(old.seq, anchor.seq));
        let mut at = NEAR;
        while let [newer, old, older] = self.0.get(at - 1..at + 2).unwrap_or_default() {
            let distance = anchor.seq.saturating_sub(old.seq);
            if newer.seq.saturating_sub(older.seq) <= distance / 2 {
                self.0.remove(at);
            } else {
                at += 1;
            }
        }
        self.0.truncate(ANCHORS_MAX);
    }

    /// Tells whether a row may be kept once the newest has the number `last`.
    pub(super) const fn reaches(seq: u64, last: u64) -> bool {
        last.saturating_sub(seq) <= DISTANCE_MAX
    }

    /// Returns the newest row; number 0 before the first.
    pub(super) fn newest(&self) -> Anchor {
        self.0.first().copied().unwrap_or_default()
    }

    /// Returns the number of the oldest of the last few rows.
    pub(super) fn near(&self) -> u64 {
        let near = &self.0[..self.0.len().min(NEAR)];
        near.last().copied().unwrap_or_default().seq
    }

    /// Returns the number of the oldest row that is known.
    pub(super) fn oldest(&self) -> u64 {
        self.0.last().copied().unwrap_or_default().seq
    }

    /// Compares with what was read after a number.
    pub(super) fn compare(&self, after: u64, found: &Rows) -> Continuity {
        let newest = self.newest().seq;
        if found.last < newest && found.rows.is_empty() {
            return Continuity::Back(format!(
                "the server's newest change has number {}, and number {newest} was read before",
                found.last
            ));
        }
        let mut continuity = Continuity::Holds;
        for anchor in self.0.iter().filter(|anchor| anchor.seq > after) {
            match row(found, anchor.seq) {
                Some(row) if row.anchor() == *anchor => {}
                Some(row) => match contradiction(anchor, row) {
                    Some(text) => return Continuity::Back(text),
                    None => continuity = Continuity::Broken,
                },
                None => continuity = Continuity::Broken,
            }
        }
        // Without a row that must come again there is nothing to compare.
        if self.0.iter().all(|anchor| anchor.seq <= after) && newest > 0 {
            return Continuity::Broken;
        }
        continuity
    }

    /// Finds a row that is gone from what was read after the number before the oldest,
    /// although its node stands where the row led: `place` tells where a node is. Rows are
    /// never removed, and rights that show the place show the row.
    pub(super) fn lost(&self, found: &Rows, place: impl Fn(u64) -> Option<u32>) -> Option<String> {
        let gone = self
            .0
            .iter()
            .filter(|anchor| row(found, anchor.seq).is_none());
        let mut proven = gone
            .filter(|anchor| anchor.mark != mark("") && place(anchor.node) == Some(anchor.mark));
        proven.next().map(|anchor| {
            format!(
                "change {} is gone, and node {} is where it led",
                anchor.seq, anchor.node
            )
        })
    }

    /// Reads what [`Trail::words`] wrote.
    pub(super) fn parse<'a>(words: impl Iterator<Item = &'a str>) -> Option<Self> {
        let mut anchors = Vec::new();
        for word in words {
            let mut parts = word.split(':');
            let anchor = Anchor {
                seq: parts.next()?.parse().ok()?,
                node: parts.next()?.parse().ok()?,
                mark: parts.next()?.parse().ok()?,
            };
            if parts.next().is_some() || anchors.len() >= ANCHORS_MAX {
                return None;
            }
            anchors.push(anchor);
        }
        let is_sorted = anchors.is_sorted_by(|one, other| one.seq > other.seq);
        is_sorted.then_some(Self(anchors))
    }

    /// Returns the anchors as words with spaces in front.
    pub(super) fn words(&self) -> String {
        let word = |Anchor { seq, node, mark }: &Anchor| format!(" {seq}:{node}:{mark}");
        self.0.iter().map(word).collect()
    }
}

/// Says what a row tells that no rights and no filter can have made of another one: they
/// hide paths, and never give a row another node or another path.
fn contradiction(anchor: &Anchor, row: &Row) -> Option<String> {
    let now = row.anchor();
    if now.node != anchor.node {
        return Some(format!(
            "change {} was about node {} and is about node {} now",
            anchor.seq, anchor.node, now.node
        ));
    }
    let hidden = mark("");
    (anchor.mark != hidden && now.mark != hidden && now.mark != anchor.mark)
        .then(|| format!("change {} led to another path than it does now", anchor.seq))
}

fn row(found: &Rows, seq: u64) -> Option<&Row> {
    let at = found.rows.binary_search_by_key(&seq, |row| row.seq).ok()?;
    found.rows.get(at)
}

/// So many of the last rows are known, and compared when a process begins to read.
const NEAR: usize = 8;
/// Rows further back than this are not kept, which bounds what is read to compare all.
const DISTANCE_MAX: u64 = 20_000;
/// Words of a cursor, which has 4096 bytes.
const ANCHORS_MAX: usize = 48;

#[cfg(test)]
mod tests {
    use super::super::rows::RowKind;
    use super::*;

    fn row(seq: u64, node: u64, target: &str) -> Row {
        Row {
            seq,
            node,
            kind: RowKind::Create,
            source: None,
            target: Some(target.to_owned()).filter(|path| !path.is_empty()),
            is_folder: None,
            file: None,
        }
    }

    fn rows(found: &[(u64, u64, &str)], last: u64) -> Rows {
        let rows = found
            .iter()
            .map(|(seq, node, target)| row(*seq, *node, target));
        Rows {
            rows: rows.collect(),
            last,
        }
    }

    fn trail(found: &[(u64, u64, &str)]) -> Trail {
        let mut trail = Trail::default();
        for row in &rows(found, 0).rows {
            trail.push(row.anchor());
        }
        trail
    }

    #[test]
    fn a_feed_that_went_back_or_was_replaced_is_seen() {
        let known = trail(&[(7, 4, "/a"), (10, 5, "/b")]);
        let compare = |found: &[(u64, u64, &str)], last| known.compare(6, &rows(found, last));
        let is_back = |continuity: Continuity| matches!(continuity, Continuity::Back(_));
        let all = [(7, 4, "/a"), (10, 5, "/b"), (12, 6, "/c")];
        assert_eq!(compare(&all, 99), Continuity::Holds);
        assert_eq!(known.compare(9, &rows(&all[1..], 99)), Continuity::Holds);
        assert_eq!(compare(&all[1..], 99), Continuity::Broken);
        assert_eq!(compare(&[(12, 6, "/c")], 99), Continuity::Broken);
        assert_eq!(compare(&[], 99), Continuity::Broken);
        assert_eq!(known.compare(10, &rows(&[], 99)), Continuity::Broken);
        assert!(is_back(compare(&[], 1)));
        for other in [(10, 7, "/b"), (10, 7, ""), (10, 5, "/elsewhere")] {
            assert!(is_back(compare(&[(7, 4, "/a"), other], 99)), "{other:?}");
        }
        let older = [(7, 9, "/a"), (10, 5, "/b")];
        assert!(is_back(compare(&older, 99)));
        // Rights may hide where it leads.
        assert_eq!(
            compare(&[(7, 4, "/a"), (10, 5, "")], 99),
            Continuity::Broken
        );
        let hidden = trail(&[(10, 5, "")]);
        let shown = rows(&[(10, 5, "/b")], 99);
        assert_eq!(hidden.compare(9, &shown), Continuity::Broken);
        let none = Trail::default();
        assert_eq!(none.compare(0, &rows(&[], 158)), Continuity::Holds);
    }

    #[test]
    fn a_row_is_lost_where_its_node_still_is_and_hidden_where_nothing_is() {
        let known = trail(&[(7, 4, "/a"), (10, 5, "/b"), (11, 6, "")]);
        let found = rows(&[(7, 4, "/a")], 99);
        let at = |node: u64, path: &'static str| move |asked| (asked == node).then(|| mark(path));
        assert!(known.lost(&found, at(5, "/b")).is_some());
        assert_eq!(known.lost(&found, at(5, "/c")), None, "it went on");
        assert_eq!(known.lost(&found, at(4, "/a")), None, "its row came");
        assert_eq!(known.lost(&found, at(6, "")), None, "it led nowhere");
        assert_eq!(known.lost(&found, |_| None), None);
    }

    #[test]
    fn few_anchors_are_kept_dense_at_the_end_and_a_cursor_has_room_for_them() {
        let mut trail = Trail::default();
        let far = 1 << 40;
        for seq in 1..60_000_u64 {
            let row = row(far + seq, far + seq, "/p");
            trail.push(Anchor {
                mark: u32::MAX,
                ..row.anchor()
            });
        }
        let newest = trail.newest().seq;
        assert_eq!(newest - trail.near(), NEAR as u64 - 1);
        let span = newest - trail.oldest();
        assert!(span > DISTANCE_MAX / 4 && span <= DISTANCE_MAX, "{span}");
        assert!(trail.0.len() > 2 * NEAR, "some in between");
        let text = trail.words();
        assert!(text.len() < 2_000, "{}", text.len());
        assert_eq!(Trail::parse(text.split_whitespace()), Some(trail));
    }

    #[test]
    fn words_that_are_no_anchors_are_nothing() {
        for text in ["1:2", "1:2:3:4", "x:2:3", "1:2:3 2:2:3", "1:-2:3"] {
            assert_eq!(Trail::parse(text.split(' ')), None, "{text}");
        }
    }
}
