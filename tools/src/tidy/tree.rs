//! The files the rules look at.
//!
//! In: a folder, or strings in tests. Out: paths relative to it, sorted, with their
//! text and, for Rust, their code without comments and strings. Invariant: what
//! version control ignores is not in it. Deliberately absent: bytes that are not
//! text (kept as their readable part) and links.

use super::source::{self, Code};
use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::Path;

/// A file with what the rules ask about it.
pub(super) struct File {
    pub(super) path: String,
    pub(super) text: String,
    /// The digest of the bytes, as hex.
    pub(super) digest: String,
    code: Option<Code>,
}

impl File {
    fn new(path: String, bytes: &[u8]) -> Self {
        let text = String::from_utf8_lossy(bytes).into_owned();
        Self {
            digest: blake3::hash(bytes).to_hex().to_string(),
            code: path.ends_with(".rs").then(|| source::strip(&text)),
            path,
            text,
        }
    }

    /// The file's name without its folder.
    pub(super) fn name(&self) -> &str {
        self.path.rsplit('/').next().unwrap_or(&self.path)
    }

    /// Whether all of the file is test code.
    pub(super) fn is_test(&self) -> bool {
        self.name() == "tests.rs"
            || self
                .path
                .split('/')
                .rev()
                .skip(1)
                .any(|part| part == "tests")
    }
}

/// All files of a workspace.
pub(super) struct Tree {
    files: BTreeMap<String, File>,
}

impl Tree {
    /// Reads what version control would keep beneath `root`.
    ///
    /// # Errors
    /// The first file or folder that cannot be read.
    pub(super) fn read(root: &Path) -> io::Result<Self> {
        let mut files = BTreeMap::new();
        let walk = ignore::WalkBuilder::new(root)
            .hidden(false)
            .require_git(false)
            .git_global(false)
            .filter_entry(|entry| entry.file_name() != ".git")
            .build();
        for entry in walk {
            let entry = entry.map_err(io::Error::other)?;
            if !entry.file_type().is_some_and(|kind| kind.is_file()) {
                continue;
            }
            let path = entry.path().strip_prefix(root).map_err(io::Error::other)?;
            let path = path.to_string_lossy().into_owned();
            let file = File::new(path.clone(), &fs::read(entry.path())?);
            files.insert(path, file);
        }
        Ok(Self { files })
    }

    /// A tree of `(path, text)`.
    #[cfg(test)]
    pub(super) fn of(files: &[(&str, &str)]) -> Self {
        let file = |(path, text): &(&str, &str)| {
            let path = (*path).to_owned();
            (path.clone(), File::new(path, text.as_bytes()))
        };
        Self {
            files: files.iter().map(file).collect(),
        }
    }

    pub(super) fn len(&self) -> usize {
        self.files.len()
    }

    pub(super) fn get(&self, path: &str) -> Option<&File> {
        self.files.get(path)
    }

    pub(super) fn files(&self) -> impl Iterator<Item = &File> {
        self.files.values()
    }

    /// Every Rust file with its code.
    pub(super) fn rust(&self) -> impl Iterator<Item = (&File, &Code)> {
        self.files
            .values()
            .filter_map(|file| file.code.as_ref().map(|code| (file, code)))
    }

    /// Whether a file or a folder of that name exists.
    pub(super) fn has(&self, path: &str) -> bool {
        let path = path.trim_end_matches('/');
        let beneath = format!("{path}/");
        self.files.contains_key(path) || self.files.keys().any(|key| key.starts_with(&beneath))
    }

    /// Whether some path ends with the parts of `tail`, as a file or a folder.
    pub(super) fn has_tail(&self, tail: &str) -> bool {
        let tail = format!("/{}", tail.trim_end_matches('/'));
        let inner = format!("{tail}/");
        self.files
            .keys()
            .any(|key| format!("/{key}").ends_with(&tail) || format!("/{key}").contains(&inner))
    }
}
