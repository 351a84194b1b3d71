//! Which names a user leaves out.
//!
//! In: patterns of a job file and `.pydiosyncignore` files. Out: yes or no for a
//! name in a directory. Invariant: what is left out is listed as such, never as
//! absent, so that a filter never deletes. Deliberately absent: reading files
//! (`ignores`). Leaves nothing behind. A new default is a line in `DEFAULTS`.

use super::beneath::CONTROL;
use super::ignores::TreeRules;
use globset::{GlobBuilder, GlobSet, GlobSetBuilder};
use std::path::PathBuf;

/// What no job syncs unless it asks for it.
const DEFAULTS: [&str; 10] = [
    "/recycle_bin*",
    "*.pydio_dl*",
    ".DS_Store",
    "Thumbs.db",
    "desktop.ini",
    ".~lock.*",
    "~$*",
    "~*",
    "*.xlk",
    "*.tmp",
];

/// The patterns of a job.
///
/// A pattern without `/` speaks of names in any directory, `*/` in front means
/// the same; one with `/` speaks of paths from the root, where `*` stays within
/// a name and `**` does not.
#[derive(Debug, Clone)]
pub struct FilterRules {
    /// Whether the default excludes hold.
    pub defaults: bool,
    /// Whether hidden names (`.*`) are left out.
    pub hidden: bool,
    /// Files that match none of these are left out; empty means all files.
    pub includes: Vec<String>,
    /// What matches one of these is left out.
    pub excludes: Vec<String>,
}

impl Default for FilterRules {
    fn default() -> Self {
        Self {
            defaults: true,
            hidden: false,
            includes: Vec::new(),
            excludes: Vec::new(),
        }
    }
}

/// Compiled [`FilterRules`].
#[derive(Debug, Clone, Default)]
pub struct Filter {
    hidden: bool,
    excludes: Patterns,
    includes: Option<Patterns>,
    tree: Option<TreeRules>,
    mark: String,
}

/// A pattern that is none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{pattern}` is no pattern: {reason}")]
pub struct FilterError {
    /// The text as given.
    pub pattern: String,
    /// What is wrong with it.
    pub reason: String,
}

impl Filter {
    /// Compiles the rules.
    ///
    /// # Errors
    /// The first pattern that cannot be read.
    pub fn new(rules: &FilterRules) -> Result<Self, FilterError> {
        let defaults = DEFAULTS.iter().copied().filter(|_| rules.defaults);
        let excludes = defaults.chain(rules.excludes.iter().map(String::as_str));
        let all = rules.includes.iter().any(|pattern| pattern == "*");
        let includes = if all || rules.includes.is_empty() {
            None
        } else {
            Some(Patterns::new(rules.includes.iter().map(String::as_str))?)
        };
        Ok(Self {
            hidden: rules.hidden,
            excludes: Patterns::new(excludes)?,
            includes,
            tree: None,
            mark: blake3::hash(format!("{rules:?}").as_bytes()).to_hex()[..MARK_DIGITS].to_owned(),
        })
    }

    /// Adds the `.pydiosyncignore` files of the tree at `root`, for a side that does not
    /// read its own. The topmost one, as it is now, counts for [`Self::mark`].
    #[must_use]
    pub fn with_tree(mut self, root: PathBuf) -> Self {
        let tree = TreeRules::new(root);
        if let Some(top) = tree.top() {
            let mark = blake3::hash(&[self.mark.as_bytes(), &top].concat()).to_hex();
            mark[..MARK_DIGITS].clone_into(&mut self.mark);
        }
        self.tree = Some(tree);
        self
    }

    /// Has the files of [`Self::with_tree`] read again, as each scan should.
    pub fn refresh(&self) {
        if let Some(tree) = &self.tree {
            tree.refresh();
        }
    }

    /// Returns a text that other rules do not have.
    #[must_use]
    pub fn mark(&self) -> &str {
        &self.mark
    }

    /// Tells whether a name in a directory (a path from the root, empty for the
    /// root) is left out.
    #[must_use]
    pub fn excludes(&self, directory: &str, name: &str, is_directory: bool) -> bool {
        self.has_pattern_against(directory, name, is_directory)
            || self
                .tree
                .as_ref()
                .is_some_and(|tree| tree.leave_out(directory, name, is_directory))
    }

    /// Tells whether a name is left out whatever stands there, a file or a directory.
    #[must_use]
    pub fn excludes_any_kind(&self, directory: &str, name: &str) -> bool {
        self.excludes(directory, name, true)
            && (self.has_pattern_against(directory, name, true)
                || self.excludes(directory, name, false))
    }

    fn has_pattern_against(&self, directory: &str, name: &str, is_directory: bool) -> bool {
        // The folder of a job that syncs no more than this part of the tree.
        let is_ours = name == CONTROL && !directory.is_empty();
        is_ours
            || (self.hidden && name.starts_with('.'))
            || self.excludes.matches(directory, name)
            || (!is_directory
                && self
                    .includes
                    .as_ref()
                    .is_some_and(|includes| !includes.matches(directory, name)))
    }

    /// Tells whether a path or a directory above it is left out. The kind of
    /// the last name is not known here, so only excludes count.
    #[must_use]
    pub fn excludes_path(&self, path: &str) -> bool {
        let ends = path.match_indices('/').map(|(at, _)| at);
        ends.chain(std::iter::once(path.len())).any(|end| {
            let (directory, name) = path[..end].rsplit_once('/').unwrap_or(("", &path[..end]));
            self.excludes(directory, name, true)
        })
    }
}

#[derive(Debug, Clone, Default)]
struct Patterns {
    names: GlobSet,
    top: GlobSet,
    paths: GlobSet,
}

impl Patterns {
    fn new<'a>(patterns: impl Iterator<Item = &'a str>) -> Result<Self, FilterError> {
        let mut names = GlobSetBuilder::new();
        let mut top = GlobSetBuilder::new();
        let mut paths = GlobSetBuilder::new();
        for pattern in patterns {
            let (set, text) = match pattern.strip_prefix('/') {
                Some(rest) if !rest.contains('/') => (&mut top, rest),
                Some(rest) => (&mut paths, rest),
                None => match pattern.strip_prefix("*/") {
                    Some(rest) if !rest.contains('/') => (&mut names, rest),
                    _ if pattern.contains('/') => (&mut paths, pattern),
                    _ => (&mut names, pattern),
                },
            };
            let error = |reason: String| FilterError {
                pattern: pattern.to_owned(),
                reason,
            };
            if text.is_empty() || text.len() > PATTERN_BYTES_MAX {
                return Err(error("it is empty or too long".to_owned()));
            }
            let glob = GlobBuilder::new(text.trim_end_matches('/'))
                .literal_separator(true)
                .build()
                .map_err(|reason| error(reason.to_string()))?;
            set.add(glob);
        }
        let build = |set: GlobSetBuilder| {
            set.build().map_err(|reason| FilterError {
                pattern: "all patterns together".to_owned(),
                reason: reason.to_string(),
            })
        };
        Ok(Self {
            names: build(names)?,
            top: build(top)?,
            paths: build(paths)?,
        })
    }

    fn matches(&self, directory: &str, name: &str) -> bool {
        self.names.is_match(name)
            || (directory.is_empty() && self.top.is_match(name))
            || (!self.paths.is_empty() && self.paths.is_match(path_text(directory, name)))
    }
}

fn path_text(directory: &str, name: &str) -> String {
    if directory.is_empty() {
        name.to_owned()
    } else {
        format!("{directory}/{name}")
    }
}

const PATTERN_BYTES_MAX: usize = 4096;
const MARK_DIGITS: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_leave_out_what_they_say() {
        let filter = Filter::new(&FilterRules {
            excludes: ["build", "*/.cache", "/top/deep/*.o", "/only-top"]
                .map(str::to_owned)
                .into(),
            ..FilterRules::default()
        })
        .expect("patterns");
        let table = [
            ("", "recycle_bin_x", true),
            ("a", "recycle_bin_x", false),
            ("a/b", "x.pydio_dl", true),
            ("a", "x.pydio_dl.12", true),
            ("", ".DS_Store", true),
            ("a", ".pydio-sync", true),
            ("", "DS_Store", false),
            ("a", "~$report.doc", true),
            ("a", ".~lock.x#", true),
            ("a", "x.tmp", true),
            ("a", "x.tmpl", false),
            ("", "build", true),
            ("a/b", "build", true),
            ("a/b", "builds", false),
            ("", ".cache", true),
            ("a", ".cache", true),
            ("top/deep", "x.o", true),
            ("top/deep/er", "x.o", false),
            ("", "only-top", true),
            ("a", "only-top", false),
            ("", ".hidden", false),
        ];
        for (directory, name, left_out) in table {
            assert_eq!(
                filter.excludes(directory, name, false),
                left_out,
                "{directory}/{name}"
            );
        }
        assert!(filter.excludes_path("a/build/x/y"));
        assert!(!filter.excludes_path("a/builds/x/y"));
    }

    #[test]
    fn includes_speak_of_files_only_and_hidden_of_everything() {
        let filter = Filter::new(&FilterRules {
            hidden: true,
            includes: vec!["*.txt".to_owned()],
            ..FilterRules::default()
        })
        .expect("patterns");
        assert!(!filter.excludes("d", "a.txt", false));
        assert!(filter.excludes("d", "a.jpg", false));
        assert!(!filter.excludes("", "d", true));
        assert!(filter.excludes("", ".git", true));
    }

    #[test]
    fn a_broken_pattern_is_named() {
        let rules = FilterRules {
            excludes: vec!["a[".to_owned()],
            ..FilterRules::default()
        };
        assert_eq!(Filter::new(&rules).expect_err("broken").pattern, "a[");
    }
}
