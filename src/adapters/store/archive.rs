//! Older records, as portable files beside the store.
//!
//! In: a job's `archive/`. Out: which records its files hold, by their names. Invariant:
//! a name gives the first and the last number in twenty digits, so that names sort as
//! records do; a file under another name is not ours. Deliberately absent: when records
//! move here. A crash leaves a `.new` file, which nobody reads.

use journal_format::value::Seq;
use std::io;
use std::path::{Path, PathBuf};

/// One file with a range of records.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Archive {
    /// The first record.
    pub first: Seq,
    /// The last one.
    pub last: Seq,
    /// The file.
    pub path: PathBuf,
    /// Its size.
    pub bytes: u64,
}

/// Lists the archives of a job, oldest first; none where there is no folder.
pub(super) fn list(directory: &Path) -> io::Result<Vec<Archive>> {
    let entries = match std::fs::read_dir(directory) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let mut found = Vec::new();
    for entry in entries {
        let path = entry?.path();
        let name = path.file_name().and_then(|name| name.to_str());
        let Some((first, last)) = name.and_then(range) else {
            continue;
        };
        let bytes = path.metadata()?.len();
        found.push(Archive {
            first,
            last,
            path,
            bytes,
        });
    }
    found.sort_by_key(|archive| (archive.first, archive.last));
    Ok(found)
}

/// Reads the range in a file's name.
fn range(name: &str) -> Option<(Seq, Seq)> {
    let (first, last) = name.strip_suffix(SUFFIX)?.split_once('-')?;
    let number = |text: &str| {
        let is_plain = text.len() == DIGITS && text.bytes().all(|byte| byte.is_ascii_digit());
        text.parse().ok().filter(|_| is_plain).map(Seq)
    };
    let (first, last) = (number(first)?, number(last)?);
    (Seq::ZERO < first && first <= last).then_some((first, last))
}

const SUFFIX: &str = ".pydiojournal";
const DIGITS: usize = 20;
