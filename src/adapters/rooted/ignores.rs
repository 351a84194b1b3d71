//! The `.pydiosyncignore` files of a tree: gitignore syntax, nested.
//!
//! In: open directories. Out: a chain of rules, the nearest file first; for a server,
//! which keeps no such files, the rules of the local tree ([`TreeRules`]).
//! Invariant: an ignore file that cannot be read makes its directory unlisted,
//! since guessing either way would show or hide what the user did not mean.

use super::beneath::open_beneath;
use super::fault::{is_shortage, unsupported};
use crate::ports::PortError;
use ignore::Match;
use ignore::gitignore::{Gitignore, GitignoreBuilder};
use journal_format::event::FailureClass;
use rustix::fd::{AsFd, BorrowedFd};
use rustix::fs::{FileType, Mode, OFlags, fstat};
use rustix::io::Errno;
use std::collections::HashMap;
use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

pub(crate) use crate::ports::IGNORE_FILE;

/// The rules that hold in a directory, from the nearest ignore file up.
pub(crate) type Ignores = Option<Arc<Rules>>;

/// One ignore file's rules.
pub(crate) struct Rules {
    above: Ignores,
    directory: String,
    matcher: Gitignore,
}

/// The rules of a local tree, for names that lie on a server.
///
/// What was read holds until [`Self::refresh`], so that a scan looks once at each
/// directory. What cannot be read adds nothing: the local side knows nothing of what is
/// there then, and nothing is planned for it.
#[derive(Clone)]
pub(crate) struct TreeRules {
    root: Arc<Path>,
    read: Arc<Mutex<HashMap<String, Ignores>>>,
}

impl TreeRules {
    /// The rules of the tree at `root`, which may be missing.
    pub(crate) fn new(root: PathBuf) -> Self {
        Self {
            root: root.into(),
            read: Arc::default(),
        }
    }

    /// The content of the topmost file.
    pub(crate) fn top(&self) -> Option<Vec<u8>> {
        let root = File::open(&*self.root).ok()?;
        content(root.as_fd()).ok().flatten()
    }

    /// Has the files read again.
    pub(crate) fn refresh(&self) {
        let mut read = self.read.lock().unwrap_or_else(PoisonError::into_inner);
        read.clear();
    }

    /// Tells whether the rules leave out a name of a directory.
    pub(crate) fn leave_out(&self, directory: &str, name: &str, is_directory: bool) -> bool {
        is_ignored(&self.holding_in(directory), directory, name, is_directory)
    }

    fn holding_in(&self, directory: &str) -> Ignores {
        let mut read = self.read.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = read.get(directory) {
            return known.clone();
        }
        let Ok(root) = File::open(&*self.root) else {
            return None;
        };
        if read.len() > READ_MAX {
            read.clear();
        }
        let ends = directory.match_indices('/').map(|(end, _)| end);
        let ends = ends.chain((!directory.is_empty()).then_some(directory.len()));
        let mut above = None;
        for end in std::iter::once(0).chain(ends) {
            let path = &directory[..end];
            let rules = match read.get(path) {
                Some(known) => known.clone(),
                None => rules_at(root.as_fd(), path, &above),
            };
            read.insert(path.to_owned(), rules.clone());
            above = rules;
        }
        above
    }
}

impl fmt::Debug for TreeRules {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("TreeRules").field(&self.root).finish()
    }
}

/// The rules that hold in a directory below a root.
fn rules_at(root: BorrowedFd<'_>, path: &str, above: &Ignores) -> Ignores {
    let rules = if path.is_empty() {
        read_ignores(root, path, above)
    } else {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY;
        open_beneath(root, path, flags, Mode::empty())
            .map_err(io::Error::from)
            .and_then(|directory| read_ignores(directory.as_fd(), path, above))
    };
    rules.unwrap_or_else(|_| above.clone())
}

/// Reads the ignore file of an open directory and puts it before those above.
///
/// # Errors
/// The file cannot be read or is too large.
pub(crate) fn read_ignores(
    directory: BorrowedFd<'_>,
    path: &str,
    above: &Ignores,
) -> io::Result<Ignores> {
    let Some(bytes) = content(directory)? else {
        return Ok(above.clone());
    };
    let mut builder = GitignoreBuilder::new(".");
    for line in String::from_utf8_lossy(&bytes).lines() {
        // As git does: a line that is no pattern matches nothing.
        if let Err(error) = builder.add_line(None, line) {
            tracing::warn!(path, %error, "a line of an ignore file is no pattern");
        }
    }
    let matcher = builder.build().map_err(io::Error::other)?;
    Ok(Some(Arc::new(Rules {
        above: above.clone(),
        directory: path.to_owned(),
        matcher,
    })))
}

/// What is to be told of a directory whose ignore file cannot be used: where it is the
/// root nothing can be synced, and all else goes without that directory, which is logged.
pub(crate) fn unusable(path: &str, error: &io::Error) -> Option<PortError> {
    if is_shortage(error) {
        let text = format!("`{IGNORE_FILE}` of `{path}`: {error}");
        return Some(PortError::new(FailureClass::Retry, text));
    }
    let what = if error.kind() == io::ErrorKind::FileTooLarge {
        format!("is larger than {} KiB", IGNORE_BYTES_MAX >> 10)
    } else {
        format!("cannot be used: {error}")
    };
    if path.is_empty() {
        let way_out = "shorten it, for example by naming folders instead of what is in them";
        return Some(unsupported(format!(
            "its `{IGNORE_FILE}` {what}; {way_out}"
        )));
    }
    tracing::warn!("nothing in `{path}` is synced: its `{IGNORE_FILE}` {what}");
    None
}

/// The content of a directory's ignore file; nothing where there is none.
fn content(directory: BorrowedFd<'_>) -> io::Result<Option<Vec<u8>>> {
    // Not blocking: something else than a file may bear this name.
    let flags = OFlags::RDONLY | OFlags::NONBLOCK;
    let file = match open_beneath(directory, IGNORE_FILE, flags, Mode::empty()) {
        Ok(file) => file,
        Err(Errno::NOENT | Errno::LOOP | Errno::NXIO) => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    if FileType::from_raw_mode(fstat(&file)?.st_mode) != FileType::RegularFile {
        return Ok(None);
    }
    let mut bytes = Vec::new();
    File::from(file)
        .take(IGNORE_BYTES_MAX + 1)
        .read_to_end(&mut bytes)?;
    if bytes.len() as u64 > IGNORE_BYTES_MAX {
        return Err(io::Error::from(io::ErrorKind::FileTooLarge));
    }
    Ok(Some(bytes))
}

/// Tells whether the rules leave out a name of a directory they hold in.
pub(crate) fn is_ignored(
    ignores: &Ignores,
    directory: &str,
    name: &str,
    is_directory: bool,
) -> bool {
    let mut next = ignores.as_ref();
    while let Some(rules) = next {
        let below = directory
            .strip_prefix(rules.directory.as_str())
            .unwrap_or(directory);
        let below = below.trim_start_matches('/');
        let matched = if below.is_empty() {
            rules.matcher.matched(name, is_directory)
        } else {
            rules
                .matcher
                .matched(format!("{below}/{name}"), is_directory)
        };
        match matched {
            Match::Ignore(_) => return true,
            Match::Whitelist(_) => return false,
            Match::None => next = rules.above.as_ref(),
        }
    }
    false
}

const IGNORE_BYTES_MAX: u64 = 256 * 1024;
/// Directories whose rules are kept between two looks.
const READ_MAX: usize = 10_000;
