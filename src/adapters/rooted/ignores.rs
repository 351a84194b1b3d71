//! The `.pydiosyncignore` files of a tree: gitignore syntax, nested.
//!
//! In: open directories. Out: a chain of rules, the nearest file first.
//! Invariant: an ignore file that cannot be read makes its directory unlisted,
//! since guessing either way would show or hide what the user did not mean.

use super::beneath::open_beneath;
use ignore::Match;
use ignore::gitignore::{Gitignore, GitignoreBuilder};
use rustix::fd::BorrowedFd;
use rustix::fs::{FileType, Mode, OFlags, fstat};
use rustix::io::Errno;
use std::fs::File;
use std::io::{self, Read};
use std::sync::Arc;

/// The name of an ignore file.
pub(crate) const IGNORE_FILE: &str = ".pydiosyncignore";

/// The rules that hold in a directory, from the nearest ignore file up.
pub(crate) type Ignores = Option<Arc<Rules>>;

/// One ignore file's rules.
pub(crate) struct Rules {
    above: Ignores,
    directory: String,
    matcher: Gitignore,
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
    // Not blocking: something else than a file may bear this name.
    let flags = OFlags::RDONLY | OFlags::NONBLOCK;
    let file = match open_beneath(directory, IGNORE_FILE, flags, Mode::empty()) {
        Ok(file) => file,
        Err(Errno::NOENT | Errno::LOOP | Errno::NXIO) => return Ok(above.clone()),
        Err(error) => return Err(error.into()),
    };
    if FileType::from_raw_mode(fstat(&file)?.st_mode) != FileType::RegularFile {
        return Ok(above.clone());
    }
    let mut bytes = Vec::new();
    File::from(file)
        .take(IGNORE_BYTES_MAX + 1)
        .read_to_end(&mut bytes)?;
    if bytes.len() as u64 > IGNORE_BYTES_MAX {
        return Err(io::Error::from(io::ErrorKind::FileTooLarge));
    }
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
