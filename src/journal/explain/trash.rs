//! Which versions of a path are in the trash, as far as the journal tells.
//!
//! In: the events of its story. Out: entries, oldest first, each with the command that
//! brings it back. Invariant: what was brought back is not offered again. Deliberately
//! absent: what the trash lost with time or was emptied of, which only a look into it
//! tells (`cli`).

use super::about::concerns;
use super::{Context, Runs, Trashed};
use crate::journal::text::quoted;
use journal_format::event::{
    Action, Change, Displaced, Event, Operation, OperationEvent, Record, SessionEvent,
};
use journal_format::value::{Kind, RelPath, Seq};

/// Collects what went into the trash.
#[derive(Debug, Default)]
pub(super) struct Trash {
    entries: Vec<Kept>,
}

#[derive(Debug)]
struct Kept {
    entry: String,
    path: RelPath,
    /// The event that its name names.
    by: Seq,
    /// Whether the number is enough to name it: an undo may have put several there.
    is_alone: bool,
    seq: u64,
    time: i64,
}

impl Trash {
    /// Takes an event of the story of a path, with the operation that it ends.
    pub(super) fn take(&mut self, record: &Record, operation: Option<&Operation>, path: &RelPath) {
        match &record.event {
            Event::Session(SessionEvent::Undone { changes, .. }) => {
                for change in changes {
                    self.drop_restored(change);
                    self.keep_undone(record, change, path);
                }
            }
            Event::Operation(OperationEvent::Succeeded {
                operation: by,
                outcome,
            }) => {
                if let (Some(entry), Some(operation)) = (&outcome.trashed, operation) {
                    self.keep(record, *by, entry, &operation.action);
                }
            }
            _ => {}
        }
    }

    fn keep(&mut self, record: &Record, by: Seq, entry: &RelPath, action: &Action) {
        if let Action::Transfer {
            displaced: Displaced::ConflictCopy(_),
            ..
        } = action
        {
            return;
        }
        self.entries.push(Kept {
            entry: entry.as_str().to_owned(),
            path: action.path().clone(),
            by,
            is_alone: true,
            seq: record.seq.0,
            time: record.time.0,
        });
    }

    fn keep_undone(&mut self, record: &Record, change: &Change, path: &RelPath) {
        let Some(entry) = &change.trashed else { return };
        if concerns(change, path) {
            self.entries.push(Kept {
                entry: entry.as_str().to_owned(),
                path: change.path.clone(),
                by: record.seq,
                is_alone: false,
                seq: record.seq.0,
                time: record.time.0,
            });
        }
    }

    /// Forgets what a change took out of the trash: the change names the event that had
    /// put it there.
    fn drop_restored(&mut self, change: &Change) {
        let is_back = change.from.is_none()
            && change
                .now
                .as_ref()
                .is_some_and(|now| now.kind() != Kind::Directory);
        if is_back {
            let is_it = |kept: &Kept| {
                change.undoes == Some(kept.by) && (kept.is_alone || kept.path == change.path)
            };
            self.entries.retain(|kept| !is_it(kept));
        }
    }

    /// Returns what is left, with its commands; nothing of a job that is elsewhere, as is
    /// its trash.
    pub(super) fn finish(self, context: &Context) -> Vec<Trashed> {
        if context.runs == Runs::Elsewhere {
            return Vec::new();
        }
        let job = quoted(&context.job);
        let shown = |kept: Kept| {
            let id = kept.entry.split_once('-').map(|(id, _)| id);
            let name = id.filter(|_| kept.is_alone).unwrap_or(&kept.entry);
            Trashed {
                command: format!("pydio-sync trash restore {job} {}", quoted(name)),
                entry: kept.entry,
                path: kept.path.as_str().to_owned(),
                seq: kept.seq,
                time: kept.time,
            }
        };
        self.entries.into_iter().map(shown).collect()
    }
}
