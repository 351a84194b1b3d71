//! Where operations are or just were at work.
//!
//! A listing may have been read before an operation's effect and arrive after its
//! success: taken at its word, it would say that a file we just brought is gone. So
//! a scan does not judge a path at which an operation was open at any time since
//! the scan began; such paths are looked at again.

use journal_format::event::{Action, Displaced, Operation};
use journal_format::value::{RelPath, Seq, Side};
use std::collections::BTreeMap;

/// The paths of operations.
#[derive(Debug, Default)]
pub(crate) struct Busy {
    /// Single paths.
    paths: BTreeMap<(Side, RelPath), Span>,
    /// Directories that move, with all below.
    trees: BTreeMap<(Side, RelPath), Span>,
}

#[derive(Debug, Default)]
struct Span {
    open: usize,
    ended: Seq,
}

impl Busy {
    pub(crate) fn started(&mut self, operation: &Operation) {
        for (side, path, is_tree) in places(operation) {
            let spans = if is_tree {
                &mut self.trees
            } else {
                &mut self.paths
            };
            spans.entry((side, path.clone())).or_default().open += 1;
        }
    }

    /// Notes an end; while no scan runs it is forgotten at once.
    pub(crate) fn ended(&mut self, operation: &Operation, at: Seq, is_scanning: bool) {
        for (side, path, is_tree) in places(operation) {
            let spans = if is_tree {
                &mut self.trees
            } else {
                &mut self.paths
            };
            let key = (side, path.clone());
            let Some(span) = spans.get_mut(&key) else {
                continue;
            };
            span.open = span.open.saturating_sub(1);
            span.ended = at;
            if span.open == 0 && !is_scanning {
                spans.remove(&key);
            }
        }
    }

    /// Forgets what ended before the oldest running scan began; everything that
    /// ended when none runs.
    pub(crate) fn prune(&mut self, oldest_scan: Option<Seq>) {
        let matters =
            |span: &Span| span.open > 0 || oldest_scan.is_some_and(|started| span.ended > started);
        self.paths.retain(|_, span| matters(span));
        self.trees.retain(|_, span| matters(span));
    }

    /// Tells whether an operation was open at a path since a scan began.
    pub(crate) fn covers(&self, side: Side, path: &RelPath, since: Seq) -> bool {
        if self.paths.is_empty() && self.trees.is_empty() {
            return false;
        }
        let matters = |span: &Span| span.open > 0 || span.ended > since;
        self.paths.get(&(side, path.clone())).is_some_and(matters)
            || self
                .trees
                .iter()
                .any(|((on, top), span)| *on == side && matters(span) && path.is_within(top))
    }

    /// Returns the paths of directories that moved since a scan began, old and new.
    pub(crate) fn moved(&self, side: Side, since: Seq) -> impl Iterator<Item = RelPath> + '_ {
        let trees = self.trees.iter();
        trees
            .filter(move |((on, _), span)| *on == side && (span.open > 0 || span.ended > since))
            .map(|((_, path), _)| path.clone())
    }

    /// Returns the single paths at which operations were open since a scan began.
    pub(crate) fn touched(&self, side: Side, since: Seq) -> impl Iterator<Item = RelPath> + '_ {
        let paths = self.paths.iter();
        paths
            .filter(move |((on, _), span)| *on == side && (span.open > 0 || span.ended > since))
            .map(|((_, path), _)| path.clone())
    }

    /// Tells whether an operation is open at a path now.
    pub(crate) fn is_open_at(&self, side: Side, path: &RelPath) -> bool {
        self.covers(side, path, Seq(u64::MAX))
    }

    /// Tells whether an operation is open now at a directory above a path.
    pub(crate) fn is_open_above(&self, side: Side, path: &RelPath) -> bool {
        let is_open = |at: RelPath| self.paths.get(&(side, at)).is_some_and(|it| it.open > 0);
        !self.paths.is_empty() && std::iter::successors(path.parent(), RelPath::parent).any(is_open)
    }

    /// Tells whether an operation is open at or below a path now.
    pub(crate) fn is_open_below(&self, side: Side, top: &RelPath) -> bool {
        let below = |paths: &BTreeMap<(Side, RelPath), Span>| {
            paths
                .range((side, top.clone())..)
                .take_while(|((on, path), _)| {
                    *on == side && path.as_str().starts_with(top.as_str())
                })
                .any(|((_, path), span)| span.open > 0 && path.is_within(top))
        };
        below(&self.paths) || below(&self.trees)
    }
}

/// The places that an operation reads or changes; a tree is meant with all below.
fn places(operation: &Operation) -> Vec<(Side, &RelPath, bool)> {
    match &operation.action {
        Action::Transfer {
            from,
            source,
            target,
            displaced,
            ..
        } => {
            let mut places = vec![(*from, source, false), (from.other(), target, false)];
            if let Displaced::ConflictCopy(copy) = displaced {
                places.push((from.other(), copy, false));
            }
            places
        }
        Action::MakeDirectory { side, path }
        | Action::Remove { side, path, .. }
        | Action::Hash { side, path, .. } => vec![(*side, path, false)],
        Action::Move { side, from, to, .. } => vec![(*side, from, true), (*side, to, true)],
    }
}
