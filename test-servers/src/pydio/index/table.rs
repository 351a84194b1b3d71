//! The index table with its triggers: one row a node, and what the triggers wrote.
//!
//! In: row operations. Out: rows, and changes in the order of their numbers.
//! Invariant: a change is written for each row operation and nothing else, so the same
//! operations give the same tables; a restart and a rollback rely on that.
//! Deliberately absent: what a server means by an operation, which is one level up.

use std::collections::{BTreeMap, HashMap};

use serde::{Deserialize, Serialize};

use super::super::quirks::{Quirk, Quirks};
use super::fold::fold;

/// What the index knows of a node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(in super::super) struct Facts {
    pub(in super::super) size: u64,
    /// Lower-case hex, or `directory`.
    pub(in super::super) md5: String,
    /// Seconds.
    pub(in super::super) mtime: i64,
}

/// A row of the index.
#[derive(Clone, Debug)]
pub(in super::super) struct Row {
    pub(in super::super) repo: String,
    pub(in super::super) path: String,
    pub(in super::super) facts: Facts,
}

/// What a trigger wrote.
#[derive(Clone, Debug)]
pub(in super::super) struct Change {
    pub(in super::super) seq: u64,
    pub(in super::super) id: u64,
    pub(in super::super) kind: &'static str,
    /// `NULL` when there is none.
    pub(in super::super) source: String,
    pub(in super::super) target: String,
}

/// An operation on one row, as it is kept on disk.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "op", rename_all = "lowercase")]
pub(super) enum RowOp {
    Insert {
        id: u64,
        repo: String,
        path: String,
        facts: Facts,
    },
    Update {
        id: u64,
        path: String,
        facts: Facts,
    },
    Delete {
        id: u64,
    },
}

const NULL: &str = "NULL";

/// Both tables.
pub(super) struct Table {
    quirks: Quirks,
    rows: BTreeMap<u64, Row>,
    repos: HashMap<String, Repo>,
    next_id: u64,
    next_seq: u64,
}

#[derive(Default)]
struct Repo {
    /// Folded path to the rows that have it.
    by_path: BTreeMap<String, Vec<u64>>,
    changes: Vec<Change>,
}

impl Table {
    pub(super) fn new(quirks: Quirks) -> Self {
        Self {
            quirks,
            rows: BTreeMap::new(),
            repos: HashMap::new(),
            next_id: 1,
            next_seq: 1,
        }
    }

    /// The number that the next row gets.
    pub(super) const fn next_id(&self) -> u64 {
        self.next_id
    }

    /// The highest number of a change in any workspace; 0 if there is none.
    pub(super) const fn last_seq(&self) -> u64 {
        self.next_seq - 1
    }

    pub(super) fn row(&self, id: u64) -> Option<&Row> {
        self.rows.get(&id)
    }

    /// The changes of a workspace after that number.
    pub(super) fn changes(&self, repo: &str, since: u64) -> &[Change] {
        self.repos.get(repo).map_or(&[], |repo| {
            let from = repo.changes.partition_point(|change| change.seq <= since);
            &repo.changes[from..]
        })
    }

    /// Rows whose path is this one, as the index compares.
    pub(super) fn at(&self, repo: &str, path: &str) -> Vec<u64> {
        self.repos
            .get(repo)
            .and_then(|repo| repo.by_path.get(&self.key(path)))
            .cloned()
            .unwrap_or_default()
    }

    /// Rows whose path begins so, as the index compares, by their numbers.
    pub(super) fn beginning_with(&self, repo: &str, prefix: &str) -> Vec<u64> {
        let prefix = self.key(prefix);
        let Some(repo) = self.repos.get(repo) else {
            return Vec::new();
        };
        let mut ids: Vec<u64> = repo
            .by_path
            .range(prefix.clone()..)
            .take_while(|(key, _)| key.starts_with(&prefix))
            .flat_map(|(_, ids)| ids.iter().copied())
            .collect();
        ids.sort_unstable();
        ids
    }

    /// Applies one operation and its trigger. An operation on a row that is not there
    /// does nothing.
    pub(super) fn apply(&mut self, op: &RowOp) {
        match op {
            RowOp::Insert {
                id,
                repo,
                path,
                facts,
            } => {
                let row = Row {
                    repo: repo.clone(),
                    path: path.clone(),
                    facts: facts.clone(),
                };
                self.rows.insert(*id, row);
                self.next_id = self.next_id.max(id + 1);
                self.enter(repo, path, *id);
                self.record(repo, *id, "create", NULL, path);
            }
            RowOp::Update { id, path, facts } => {
                let Some(row) = self.rows.get_mut(id) else {
                    return;
                };
                let old = std::mem::replace(&mut row.path, path.clone());
                row.facts = facts.clone();
                let repo = row.repo.clone();
                if old != *path {
                    self.leave(&repo, &old, *id);
                    self.enter(&repo, path, *id);
                }
                let same = if self.quirks.has(Quirk::CaseRenameIsContent) {
                    self.key(&old) == self.key(path)
                } else {
                    old == *path
                };
                let kind = if same { "content" } else { "path" };
                self.record(&repo, *id, kind, &old, path);
            }
            RowOp::Delete { id } => {
                if let Some(row) = self.rows.remove(id) {
                    self.leave(&row.repo, &row.path, *id);
                    self.record(&row.repo, *id, "delete", &row.path, NULL);
                }
            }
        }
    }

    fn key(&self, path: &str) -> String {
        if self.quirks.has(Quirk::Collation) {
            fold(path)
        } else {
            path.to_owned()
        }
    }

    fn enter(&mut self, repo: &str, path: &str, id: u64) {
        let key = self.key(path);
        let repo = self.repos.entry(repo.to_owned()).or_default();
        let ids = repo.by_path.entry(key).or_default();
        ids.push(id);
        ids.sort_unstable();
    }

    fn leave(&mut self, repo: &str, path: &str, id: u64) {
        let key = self.key(path);
        let Some(repo) = self.repos.get_mut(repo) else {
            return;
        };
        if let Some(ids) = repo.by_path.get_mut(&key) {
            ids.retain(|known| *known != id);
            if ids.is_empty() {
                repo.by_path.remove(&key);
            }
        }
    }

    fn record(&mut self, repo: &str, id: u64, kind: &'static str, source: &str, target: &str) {
        let change = Change {
            seq: self.next_seq,
            id,
            kind,
            source: source.to_owned(),
            target: target.to_owned(),
        };
        self.next_seq += 1;
        self.repos
            .entry(repo.to_owned())
            .or_default()
            .changes
            .push(change);
    }
}
