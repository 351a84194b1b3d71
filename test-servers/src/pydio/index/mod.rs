//! What the server's change tracker does with its index when something happens.
//!
//! In: what happened to nodes. Out: changes for the feed. Invariant: the tables follow
//! from the row operations kept on disk, one line each, so a restarted server goes on
//! and a rollback is a shorter file. Deliberately absent: the disk's truth; the index may
//! be wrong about it, which is the point. Crash: at most the last lines are lost, as with
//! a database that had not written them. Quirks are asked here and in `table`.

mod fold;
mod journal;
mod table;

use std::io;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use self::journal::Journal;
pub(super) use self::table::{Change, Facts, Row};
use self::table::{RowOp, Table};
use super::quirks::{Quirk, Quirks};

/// Something that happened to a node of a workspace.
#[derive(Clone, Debug)]
pub(super) enum Event {
    /// It is new, or taken for new.
    Create { path: String, facts: Facts },
    /// Its content changed.
    Content { path: String, facts: Facts },
    /// It has another path; `tree` is what lies there now, itself first.
    Move {
        from: String,
        to: String,
        tree: Vec<(String, Facts)>,
        folder: bool,
    },
    /// It is gone for good.
    Delete { path: String },
    /// It and all beneath it is to be indexed anew; `tree` is what lies there.
    Reindex {
        path: String,
        tree: Vec<(String, Facts)>,
    },
}

/// A change with the row that it belongs to, if there still is one.
pub(super) type Read = (Change, Option<Row>);

/// The index and the changes of all workspaces.
pub(super) struct Index {
    quirks: Quirks,
    inner: Mutex<Inner>,
    journal: Journal,
}

struct Inner {
    table: Table,
    /// Operations that are in the table and not yet on disk.
    unwritten: Vec<RowOp>,
    /// Events that wait for the next look at the feed.
    deferred: Vec<(String, Event)>,
}

impl Index {
    /// Opens the index kept at a path, or a new one.
    pub(super) fn open(path: &Path, quirks: Quirks) -> io::Result<Self> {
        let (journal, ops) = Journal::open(path)?;
        let mut table = Table::new(quirks);
        for op in &ops {
            table.apply(op);
        }
        let inner = Inner {
            table,
            unwritten: Vec::new(),
            deferred: Vec::new(),
        };
        Ok(Self {
            quirks,
            inner: Mutex::new(inner),
            journal,
        })
    }

    /// Takes note of what happened.
    pub(super) fn note(&self, repo: &str, event: Event) {
        {
            let mut inner = self.lock();
            if self.quirks.has(Quirk::DeferredEvents) {
                inner.deferred.push((repo.to_owned(), event));
                return;
            }
            self.take(&mut inner, repo, event);
        }
        self.write();
    }

    /// The changes of a workspace after a number, and the highest number of all.
    pub(super) fn read(&self, repo: &str, since: u64) -> (Vec<Read>, u64) {
        let answer = {
            let mut inner = self.lock();
            let changes = inner.table.changes(repo, since);
            let read = changes
                .iter()
                .map(|change| (change.clone(), inner.table.row(change.id).cloned()))
                .collect();
            let last = inner.table.last_seq();
            for (repo, event) in std::mem::take(&mut inner.deferred) {
                self.take(&mut inner, &repo, event);
            }
            (read, last)
        };
        self.write();
        answer
    }

    /// What a workspace's rows say, path by path.
    pub(super) fn paths(&self, repo: &str) -> Vec<(String, Facts)> {
        let inner = self.lock();
        let ids = inner.table.beginning_with(repo, "");
        ids.into_iter()
            .filter_map(|id| inner.table.row(id))
            .map(|row| (row.path.clone(), row.facts.clone()))
            .collect()
    }

    /// Whether a row has this path, as the index compares.
    pub(super) fn knows(&self, repo: &str, path: &str) -> bool {
        !self.lock().table.at(repo, path).is_empty()
    }

    /// The highest number of a change in any workspace.
    pub(super) fn last_seq(&self) -> u64 {
        self.lock().table.last_seq()
    }

    /// Goes back to how it was at that change, as a database restored from a backup.
    pub(super) fn roll_back(&self, seq: u64) -> io::Result<()> {
        let keep = usize::try_from(seq).unwrap_or(usize::MAX);
        let ops = self.journal.cut(keep)?;
        let mut table = Table::new(self.quirks);
        for op in &ops {
            table.apply(op);
        }
        let mut inner = self.lock();
        inner.table = table;
        inner.deferred.clear();
        inner.unwritten.clear();
        Ok(())
    }

    fn take(&self, inner: &mut Inner, repo: &str, event: Event) {
        let mut work = Work {
            quirks: self.quirks,
            inner,
            repo,
        };
        match event {
            Event::Create { path, facts } => work.insert(&path, facts),
            Event::Content { path, facts } => work.content(&path, &facts),
            Event::Move {
                from,
                to,
                tree,
                folder,
            } => work.rename(&from, &to, tree, folder),
            Event::Delete { path } => work.delete(&path),
            Event::Reindex { path, tree } => {
                work.delete(&path);
                work.insert_all(tree);
            }
        }
    }

    fn write(&self) {
        self.journal
            .write(|| std::mem::take(&mut self.lock().unwritten));
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One event at work in the tables.
struct Work<'a> {
    quirks: Quirks,
    inner: &'a mut Inner,
    repo: &'a str,
}

impl Work<'_> {
    fn insert(&mut self, path: &str, facts: Facts) {
        if self.unspeakable(path) {
            return;
        }
        self.apply(RowOp::Insert {
            id: self.inner.table.next_id(),
            repo: self.repo.to_owned(),
            path: path.to_owned(),
            facts,
        });
    }

    fn insert_all(&mut self, tree: Vec<(String, Facts)>) {
        for (path, facts) in tree {
            self.insert(&path, facts);
        }
    }

    fn content(&mut self, path: &str, facts: &Facts) {
        let mut matched = false;
        let mut changed = false;
        for id in self.inner.table.at(self.repo, path) {
            let Some(row) = self.inner.table.row(id) else {
                continue;
            };
            matched = true;
            changed |= row.facts != *facts;
            let path = row.path.clone();
            self.apply(RowOp::Update {
                id,
                path,
                facts: facts.clone(),
            });
        }
        // The server inserts when its update changed no row, which it also does not
        // when the row was equal already.
        if !matched || (!changed && self.quirks.has(Quirk::SameSecond)) {
            self.insert(path, facts.clone());
        }
    }

    fn rename(&mut self, from: &str, to: &str, tree: Vec<(String, Facts)>, folder: bool) {
        let sqlite = self.quirks.has(Quirk::Sqlite);
        if self.unspeakable(to) || (folder && sqlite) {
            return;
        }
        let mut ids = self.inner.table.at(self.repo, from);
        if ids.is_empty() {
            // A node that the index never knew: indexed where it is now.
            if !sqlite {
                self.insert_all(tree);
            }
            return;
        }
        if folder {
            ids.extend(
                self.inner
                    .table
                    .beginning_with(self.repo, &format!("{from}/")),
            );
            ids.sort_unstable();
        }
        let length = from.chars().count();
        for id in ids {
            let Some(row) = self.inner.table.row(id) else {
                continue;
            };
            let rest: String = row.path.chars().skip(length).collect();
            let facts = row.facts.clone();
            self.apply(RowOp::Update {
                id,
                path: format!("{to}{rest}"),
                facts,
            });
        }
    }

    fn delete(&mut self, path: &str) {
        let ids = if path == "/" || self.quirks.has(Quirk::PrefixDeletes) {
            self.inner.table.beginning_with(self.repo, path)
        } else {
            let mut ids = self.inner.table.at(self.repo, path);
            ids.extend(
                self.inner
                    .table
                    .beginning_with(self.repo, &format!("{path}/")),
            );
            ids.sort_unstable();
            ids
        };
        for id in ids {
            self.apply(RowOp::Delete { id });
        }
    }

    fn apply(&mut self, op: RowOp) {
        self.inner.table.apply(&op);
        self.inner.unwritten.push(op);
    }

    /// Whether the database has no letters for this name.
    fn unspeakable(&self, path: &str) -> bool {
        self.quirks.has(Quirk::NoAstral) && path.chars().any(|c| c > '\u{ffff}')
    }
}

#[cfg(test)]
mod tests;
