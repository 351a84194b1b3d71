//! A workspace's folder on disk, as a user has it.
//!
//! In: node paths. Out: what lies there. Invariant: a node path that `names::parameter`
//! let through names something inside the folder; links are not followed out of it,
//! because nothing here makes any. Deliberately absent: locks; two requests on one path
//! race as they do on a real server.

use std::collections::HashMap;
use std::fs::{self, File, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use super::form::md5_of;
use super::index::Facts;
use super::names;
use super::quirks::{Quirk, Quirks};

/// One workspace for one user.
#[derive(Clone)]
pub(super) struct Place {
    pub(super) quirks: Quirks,
    pub(super) folder: PathBuf,
    /// How the index calls it.
    pub(super) repo: String,
    /// How messages call it.
    pub(super) id: String,
    pub(super) user: String,
    pub(super) recycle: bool,
    pub(super) bin: String,
    pub(super) writable: bool,
    pub(super) quota: Option<u64>,
    pub(super) locks: bool,
    /// Folders that this user does not see.
    pub(super) masked: Vec<String>,
}

impl Place {
    /// Where the server looks for a node.
    pub(super) fn at(&self, node: &str) -> PathBuf {
        self.whole(names::cut_question(self.quirks, node))
    }

    /// Where a node of this name lies, whether it can be reached or not.
    pub(super) fn whole(&self, node: &str) -> PathBuf {
        self.folder.join(node.trim_start_matches('/'))
    }

    /// What lies at a node, links not followed.
    pub(super) fn stat(&self, node: &str) -> Option<Metadata> {
        if self.hides(node) {
            return None;
        }
        fs::symlink_metadata(self.at(node)).ok()
    }

    /// Whether this user does not see a node.
    pub(super) fn hides(&self, node: &str) -> bool {
        self.masked.iter().any(|folder| {
            let rest = node.strip_prefix(folder.as_str());
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        })
    }

    /// Whether a folder lies there.
    pub(super) fn is_folder(&self, node: &str) -> bool {
        self.stat(node).is_some_and(|stat| stat.is_dir())
    }

    /// What the index keeps of a node; the hash is given or computed.
    pub(super) fn facts(&self, node: &str, md5: Option<String>) -> io::Result<Facts> {
        let path = self.at(node);
        let stat = fs::symlink_metadata(&path)?;
        let md5 = match md5 {
            _ if stat.is_dir() => "directory".to_owned(),
            Some(md5) => md5,
            None => md5_of(File::open(&path)?)?,
        };
        Ok(Facts {
            size: if stat.is_dir() {
                FOLDER_BYTES
            } else {
                stat.size()
            },
            md5,
            mtime: stat.mtime(),
        })
    }

    /// A node and everything beneath it that is not hidden, parents first.
    pub(super) fn tree(&self, node: &str) -> Vec<(String, Facts)> {
        let mut tree = Vec::new();
        let mut waiting = vec![node.to_owned()];
        while let Some(node) = waiting.pop() {
            let Ok(facts) = self.facts(&node, None) else {
                continue;
            };
            if facts.md5 == "directory" {
                let mut names = self.names(&node);
                names.reverse();
                waiting.extend(
                    names
                        .iter()
                        .filter(|name| !name.ends_with(names::PART))
                        .map(|name| names::join(&node, name)),
                );
            }
            if node != "/" && !names::in_bin(Quirks::none(), &self.bin, &node) {
                tree.push((node, facts));
            }
        }
        tree
    }

    /// The names in a folder that are not hidden, sorted.
    pub(super) fn names(&self, node: &str) -> Vec<String> {
        let Ok(entries) = fs::read_dir(self.at(node)) else {
            return Vec::new();
        };
        let mut names: Vec<String> = entries
            .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
            .filter(|name| !name.starts_with('.') && !self.hides(&names::join(node, name)))
            .collect();
        names.sort_unstable();
        names
    }

    /// The bytes that count in a quota: everything, folders with their own size.
    pub(super) fn usage(&self) -> u64 {
        fn sum(path: &Path) -> u64 {
            let Ok(stat) = fs::symlink_metadata(path) else {
                return 0;
            };
            let own = if stat.is_dir() {
                FOLDER_BYTES
            } else {
                stat.size()
            };
            let below = fs::read_dir(path).map_or(0, |entries| {
                entries
                    .filter_map(Result::ok)
                    .map(|entry| sum(&entry.path()))
                    .sum()
            });
            own + below
        }
        sum(&self.folder)
    }

    /// A first name that is not taken yet: `name-1.ext`, `name-2.ext`...
    pub(super) fn free_name(&self, folder: &str, name: &str) -> String {
        let (stem, extension) = match name.rfind('.') {
            Some(at) if at > 0 => name.split_at(at),
            _ => (name, ""),
        };
        (1_u32..)
            .map(|number| format!("{stem}-{number}{extension}"))
            .find(|name| self.stat(&names::join(folder, name)).is_none())
            .unwrap_or_else(|| name.to_owned())
    }
}

/// Hashes that were computed, as the server's cache keeps them.
#[derive(Default)]
pub(super) struct Hashes(Mutex<HashMap<PathBuf, Known>>);

struct Known {
    /// Seconds, and what the real file system knows beyond them.
    mtime: (i64, i64),
    length: u64,
    inode: u64,
    md5: String,
}

impl Hashes {
    /// The hash of a file, cached or computed.
    pub(super) fn get(&self, quirks: Quirks, path: &Path) -> io::Result<String> {
        let stat = fs::symlink_metadata(path)?;
        let seen = Known {
            mtime: (stat.mtime(), stat.mtime_nsec()),
            length: stat.size(),
            inode: stat.ino(),
            md5: String::new(),
        };
        if let Some(known) = self.lock().get(path) {
            let good = if quirks.has(Quirk::StaleHash) {
                known.mtime.0 >= seen.mtime.0
            } else {
                (known.mtime, known.length, known.inode) == (seen.mtime, seen.length, seen.inode)
            };
            if good {
                return Ok(known.md5.clone());
            }
        }
        let md5 = md5_of(File::open(path)?)?;
        let known = Known {
            md5: md5.clone(),
            ..seen
        };
        self.lock().insert(path.to_owned(), known);
        Ok(md5)
    }

    /// Forgets one, as the server does when content changes.
    pub(super) fn forget(&self, path: &Path) {
        self.lock().remove(path);
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<PathBuf, Known>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a folder counts for itself, as on most file systems; some say 0.
const FOLDER_BYTES: u64 = 4096;
