//! What the feed told of nodes: ids and hashes by path.
//!
//! In: rows, and what we did or verified ourselves. Out: the identity and the hash to
//! put into an entry. Invariant: an id is given only if it is the only one for its
//! path, a hash only for the size and time that it came with and never for names
//! that a database may mix up. Deliberately absent: existence; the index is a
//! hint and forgets itself when the feed starts anew. Nothing of it is stored.

use super::names::folded;
use super::rows::Row;
use super::stat::{Md5, Version};
use super::trail::Trail;
use journal_format::value::Identity;
use std::collections::{BTreeMap, HashMap};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::ops::Bound;
use std::rc::Rc;

/// Nodes by path and by id.
#[derive(Default)]
pub(super) struct Index {
    paths: BTreeMap<Rc<str>, Known>,
    nodes: HashMap<u64, Rc<str>>,
    /// How many paths look alike to the database.
    twins: HashMap<u64, u32>,
    /// What was verified and is not what the feed says.
    verified: BTreeMap<String, (u64, i64, Md5)>,
    /// The newest rows that were read.
    trail: Trail,
    /// How often the server is known to have gone back: it gives ids again then.
    generation: u64,
    is_full: bool,
}

#[derive(Default)]
struct Known {
    /// How many nodes claim the path, and one of them, if it is the only one.
    claims: u32,
    node: Option<u64>,
    file: Option<(u64, i64, Md5)>,
}

impl Index {
    /// Returns what the newest rows that were read are known by.
    pub(super) const fn trail(&self) -> &Trail {
        &self.trail
    }

    /// Returns where the feed says that a node is.
    pub(super) fn place(&self, node: u64) -> Option<&str> {
        self.nodes.get(&node).map(|path| &**path)
    }

    /// Tells whether the feed was read from its beginning.
    pub(super) const fn is_full(&self) -> bool {
        self.is_full
    }

    /// Starts anew with the whole feed.
    pub(super) fn fill(&mut self, rows: &[Row]) {
        let verified = std::mem::take(&mut self.verified);
        *self = Self {
            verified,
            generation: self.generation,
            is_full: true,
            ..Self::default()
        };
        self.apply(rows);
    }

    /// Forgets everything.
    pub(super) fn clear(&mut self) {
        *self = Self {
            generation: self.generation,
            ..Self::default()
        };
    }

    /// Makes the ids of before other ones.
    pub(super) const fn set_generation(&mut self, generation: u64) {
        self.generation = generation;
    }

    /// Returns how often the server is known to have gone back.
    pub(super) const fn generation(&self) -> u64 {
        self.generation
    }

    /// Takes rows in, which are sorted by number.
    pub(super) fn apply(&mut self, rows: &[Row]) {
        let last = rows.last().map_or(0, |row| row.seq);
        for row in rows {
            self.withdraw(row.node);
            if let Some(path) = row.place() {
                self.claim(row.node, path, row.file);
            }
            if self.trail.newest().seq < row.seq && Trail::reaches(row.seq, last) {
                self.trail.push(row.anchor());
            }
        }
    }

    fn claim(&mut self, node: u64, path: &str, file: Option<(u64, i64, Md5)>) {
        let path = match self.paths.get_key_value(path) {
            Some((path, _)) => Rc::clone(path),
            None => {
                *self.twins.entry(twin(path)).or_default() += 1;
                Rc::from(path)
            }
        };
        let known = self.paths.entry(Rc::clone(&path)).or_default();
        known.claims += 1;
        known.node = (known.claims == 1).then_some(node);
        known.file = file;
        self.nodes.insert(node, path);
    }

    fn withdraw(&mut self, node: u64) {
        let Some(path) = self.nodes.remove(&node) else {
            return;
        };
        let Some(known) = self.paths.get_mut(&path) else {
            return;
        };
        known.claims -= 1;
        known.node = known.node.filter(|only| *only != node);
        if known.claims == 0 {
            self.paths.remove(&path);
            if let Some(count) = self.twins.get_mut(&twin(&path)) {
                *count -= 1;
            }
        } else if known.claims == 1 {
            let is_left = |(_, at): &(&u64, &Rc<str>)| **at == path;
            let left = self.nodes.iter().find(is_left).map(|(node, _)| *node);
            if let Some(known) = self.paths.get_mut(&path) {
                known.node = left;
            }
        }
    }

    /// Returns the identity of what stands at a path.
    pub(super) fn identity(&self, path: &str) -> Option<Identity> {
        let object = self.paths.get(path)?.node?;
        Some(Identity {
            device: self.generation,
            object,
            born_ns: 0,
        })
    }

    /// Tells whether the feed spoke of a path.
    pub(super) fn knows(&self, path: &str) -> bool {
        self.paths.contains_key(path)
    }

    /// Tells whether the feed spoke of anything below a path.
    pub(super) fn has_below(&self, path: &str) -> bool {
        let below = format!("{path}/");
        let start = (Bound::Included(below.as_str()), Bound::Unbounded);
        let mut found = self.paths.range::<str, _>(start);
        found
            .next()
            .is_some_and(|(path, _)| path.starts_with(&below))
    }

    /// Returns the hash of a file's version, where there is one to be believed.
    pub(super) fn md5(&self, path: &str, version: &Version) -> Option<Md5> {
        let fits = |(size, mtime, md5): &(u64, i64, Md5)| {
            (*size == version.size && *mtime == version.mtime).then_some(*md5)
        };
        if let Some(md5) = self.verified.get(path).and_then(fits) {
            return Some(md5);
        }
        let md5 = self.paths.get(path)?.file.as_ref().and_then(fits)?;
        let is_alone = self.twins.get(&twin(path)).is_none_or(|count| *count <= 1);
        is_alone.then_some(md5)
    }

    /// Returns a hash that was verified for a version.
    pub(super) fn verified(&self, path: &str, version: &Version) -> Option<Md5> {
        let (size, mtime, md5) = self.verified.get(path)?;
        (*size == version.size && *mtime == version.mtime).then_some(*md5)
    }

    /// Remembers a hash that was verified by reading or writing the content; the
    /// version holds what the server claims.
    pub(super) fn verify(&mut self, path: &str, version: &Version, md5: Md5) {
        if self.md5(path, version) == Some(md5) && version.md5.is_none_or(|claim| claim == md5) {
            return;
        }
        if self.verified.len() >= VERIFIED_MAX {
            self.verified.clear();
        }
        let verified = (version.size, version.mtime, md5);
        self.verified.insert(path.to_owned(), verified);
    }

    /// Takes a rename of ours in, which some servers' feeds do not show.
    pub(super) fn renamed(&mut self, from: &str, to: &str) {
        for path in self.within(from) {
            let new = format!("{to}{}", &path[from.len()..]);
            let Some(known) = self.paths.get(&path) else {
                continue;
            };
            let file = known.file;
            let nodes: Vec<u64> = match known.node {
                Some(node) => vec![node],
                None => self
                    .nodes
                    .iter()
                    .filter(|(_, at)| **at == path)
                    .map(|(node, _)| *node)
                    .collect(),
            };
            for node in nodes {
                self.withdraw(node);
                self.claim(node, &new, file);
            }
            if let Some(version) = self.verified.remove(&*path) {
                self.verified.insert(new, version);
            }
        }
    }

    /// Takes a removal of ours in.
    pub(super) fn removed(&mut self, path: &str) {
        for path in self.within(path) {
            let is_there = |(_, at): &(&u64, &Rc<str>)| **at == path;
            let nodes: Vec<u64> = match self.paths.get(&path).and_then(|known| known.node) {
                Some(node) => vec![node],
                None => self
                    .nodes
                    .iter()
                    .filter(is_there)
                    .map(|(node, _)| *node)
                    .collect(),
            };
            nodes.into_iter().for_each(|node| self.withdraw(node));
            self.verified.remove(&*path);
        }
    }

    fn within(&self, path: &str) -> Vec<Rc<str>> {
        let below = format!("{path}/");
        let start = (Bound::Included(below.as_str()), Bound::Unbounded);
        let found = self.paths.range::<str, _>(start).map(|(path, _)| path);
        let found = found.take_while(|found| found.starts_with(&below)).cloned();
        let itself = self
            .paths
            .get_key_value(path)
            .map(|(path, _)| Rc::clone(path));
        itself.into_iter().chain(found).collect()
    }
}

fn twin(path: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    folded(path).hash(&mut hasher);
    hasher.finish()
}

const VERIFIED_MAX: usize = 100_000;

#[cfg(test)]
mod tests {
    use super::super::rows::RowKind;
    use super::*;

    fn row(seq: u64, node: u64, kind: RowKind, target: Option<&str>, hash: u8) -> Row {
        Row {
            seq,
            node,
            kind,
            source: None,
            target: target.map(str::to_owned),
            is_folder: Some(false),
            file: Some((7, 100, [hash; 16])),
        }
    }

    fn create(seq: u64, node: u64, path: &str) -> Row {
        row(seq, node, RowKind::Create, Some(path), 1)
    }

    fn object(index: &Index, path: &str) -> Option<u64> {
        index.identity(path).map(|identity| identity.object)
    }

    const VERSION: Version = Version {
        size: 7,
        mtime: 100,
        md5: None,
    };

    #[test]
    fn several_ids_for_one_path_are_none() {
        let mut index = Index::default();
        index.fill(&[
            create(1, 10, "/a"),
            create(2, 11, "/a"),
            create(3, 12, "/b"),
        ]);
        assert_eq!(
            (object(&index, "/a"), object(&index, "/b")),
            (None, Some(12))
        );
        index.apply(&[row(4, 10, RowKind::Delete, None, 1)]);
        assert_eq!(object(&index, "/a"), Some(11), "the one that is left");
        assert_eq!(index.trail().newest().seq, 4);
    }

    #[test]
    fn a_hash_counts_only_for_its_size_and_time() {
        let mut index = Index::default();
        index.fill(&[create(1, 10, "/a")]);
        assert_eq!(index.md5("/a", &VERSION), Some([1; 16]));
        assert_eq!(
            index.md5(
                "/a",
                &Version {
                    mtime: 101,
                    ..VERSION
                }
            ),
            None
        );
        assert_eq!(index.md5("/a", &Version { size: 8, ..VERSION }), None);
        index.verify("/a", &VERSION, [2; 16]);
        assert_eq!(
            index.md5("/a", &VERSION),
            Some([2; 16]),
            "what was verified is right"
        );
        index.fill(&[create(1, 10, "/a")]);
        assert_eq!(index.md5("/a", &VERSION), Some([2; 16]));
    }

    #[test]
    fn names_that_a_database_mixes_up_get_no_hash() {
        let mut index = Index::default();
        index.fill(&[
            create(1, 1, "/Abc"),
            create(2, 2, "/abç"),
            create(3, 3, "/other"),
        ]);
        assert_eq!(index.md5("/Abc", &VERSION), None);
        assert_eq!(index.md5("/abç", &VERSION), None);
        assert!(index.md5("/other", &VERSION).is_some());
        index.apply(&[row(4, 2, RowKind::Delete, None, 1)]);
        assert!(index.md5("/Abc", &VERSION).is_some());
    }

    #[test]
    fn renames_and_removals_of_ours_carry_what_lies_below() {
        let mut index = Index::default();
        let rows = [
            create(1, 1, "/d"),
            create(2, 2, "/d/x"),
            create(3, 3, "/d.txt"),
            create(4, 4, "/d/y/z"),
        ];
        index.fill(&rows);
        index.renamed("/d", "/e");
        assert_eq!(object(&index, "/e/y/z"), Some(4));
        assert_eq!(
            (object(&index, "/d/x"), object(&index, "/d.txt")),
            (None, Some(3))
        );
        index.removed("/e");
        assert!(!index.knows("/e/x") && index.knows("/d.txt"));
    }

    #[test]
    fn what_is_moved_to_the_bin_is_nowhere() {
        let mut index = Index::default();
        index.fill(&[create(1, 1, "/a")]);
        index.apply(&[row(2, 1, RowKind::Path, Some("/recycle_bin/a"), 1)]);
        assert!(!index.knows("/a") && !index.knows("/recycle_bin/a"));
    }
}
