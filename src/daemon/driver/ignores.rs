//! Files that say what is left out: when one changes, more changes than itself.
//!
//! In: what was seen locally, what operations did. Out: scans that are wanted. Invariant:
//! nothing is called in sync while what an ignore file began to show was not looked at.
//! Deliberately absent: what the files say (`adapters/rooted`), and other programs'
//! changes of them, which the watcher hints at with all below. CRASH: the next start
//! looks at everything, or reads on from a cursor older than the change.

use super::Driver;
use crate::ports::IGNORE_FILE;
use journal_format::event::{Action, Event, ObservationEvent, Operation, Record};
use journal_format::value::{RelPath, Side};
use sync_core::input::Input;

impl Driver<'_> {
    /// The rules of the local side hold for a server, too. Its first scan reads them
    /// itself.
    pub(super) fn follow_seen_ignores(&mut self, records: &[Record]) {
        let has_own_look = self.engine.has_seen_both()
            || self.is_awaiting_feed(Side::Remote)
            || self.feed.is_followed;
        if !has_own_look {
            return;
        }
        for record in records {
            for path in seen_locally(&record.event) {
                self.look_below(Side::Remote, path);
            }
        }
    }

    /// What we wrote holds at once.
    pub(super) fn look_where_they_hold(&mut self, written: Vec<(Side, RelPath)>) {
        for (side, path) in written {
            self.look_below(side, &path);
            if side == Side::Local {
                self.look_below(Side::Remote, &path);
            }
        }
    }

    fn look_below(&mut self, side: Side, path: &RelPath) {
        if path.name() == Some(IGNORE_FILE) {
            let path = path.parent();
            let subtree = true;
            let hint = Input::Hint {
                side,
                path,
                subtree,
            };
            self.engine.handle(hint, self.now());
        }
    }
}

/// The ignore files that an operation writes or takes away.
pub(super) fn written_ignores(operation: &Operation) -> Vec<(Side, RelPath)> {
    let (side, paths) = match &operation.action {
        Action::Transfer { from, target, .. } => (from.other(), [Some(target), None]),
        Action::Move { side, from, to, .. } => (*side, [Some(from), Some(to)]),
        Action::Remove { side, path, .. } => (*side, [Some(path), None]),
        Action::MakeDirectory { .. } | Action::Hash { .. } => return Vec::new(),
    };
    let paths = paths.into_iter().flatten();
    let ignores = paths.filter(|path| path.name() == Some(IGNORE_FILE));
    ignores.map(|path| (side, path.clone())).collect()
}

fn seen_locally(event: &Event) -> Vec<&RelPath> {
    let Event::Observation(seen) = event else {
        return Vec::new();
    };
    match seen {
        ObservationEvent::Observed { side, path, .. }
        | ObservationEvent::Gone { side, path, .. }
            if *side == Side::Local =>
        {
            vec![path]
        }
        ObservationEvent::Moved { side, moves } if *side == Side::Local => {
            moves.iter().flat_map(|it| [&it.from, &it.to]).collect()
        }
        _ => Vec::new(),
    }
}
