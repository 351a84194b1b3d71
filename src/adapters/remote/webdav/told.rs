//! What an answer proves by itself, so that no look has to follow.
//!
//! In: answers to changes, and what looks showed of others before. Out: versions.
//! Invariant: an answer stands for a look only where a condition kept others out, where it
//! names all that a look would show, and where a look at a name of the same kind agreed
//! with such an answer in this process; large files and odd names are always looked at. A
//! server that was once seen to tell something else is not believed again. Deliberately
//! absent: conditions (`put`). Leaves nothing behind.

use super::found::Version;
use super::http::Answer;
use super::multistatus::Props;
use super::put::{MTIME_MIN, SMALL_BYTES, Target};
use super::server::Server;
use journal_format::value::RelPath;
use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;

/// Which answers were seen to tell what looks show.
#[derive(Debug, Default)]
pub(super) struct Trust {
    is_lost: Cell<bool>,
    kinds: RefCell<BTreeSet<String>>,
}

impl Trust {
    /// Tells whether what was told of a path needs no look.
    pub(super) fn covers(&self, path: &RelPath) -> bool {
        let kinds = self.kinds.borrow();
        !self.is_lost.get() && kind(path).is_some_and(|kind| kinds.contains(&kind))
    }

    /// Compares what was told of a path with what a look showed.
    pub(super) fn compare(&self, path: &RelPath, told: &Version, seen: &Version) {
        let facts = |version: &Version| {
            let version = version.clone();
            (version.size, version.mtime, version.etag, version.id)
        };
        if facts(told) != facts(seen) {
            tracing::info!(
                ?told,
                ?seen,
                "answers of this server tell other versions than looks"
            );
            self.is_lost.set(true);
            return;
        }
        let mut kinds = self.kinds.borrow_mut();
        if let Some(kind) = kind(path).filter(|_| kinds.len() < KINDS_MAX) {
            kinds.insert(kind);
        }
    }
}

impl Server {
    /// Reads the version that the answer to an upload names; nothing where a look would
    /// show more.
    pub(super) fn told(&self, target: &Target<'_>, answer: &Answer) -> Option<Version> {
        let header = |name: &str| answer.headers.get(name)?.to_str().ok();
        let has_time =
            header("x-oc-mtime").is_some_and(|told| told.eq_ignore_ascii_case("accepted"));
        let is_done = matches!(answer.status, 201 | 204);
        if !is_done || !has_time || target.mtime <= MTIME_MIN || target.size > SMALL_BYTES {
            return None;
        }
        let props = Props {
            is_folder: Some(false),
            size: Some(target.size),
            mtime: Some(target.mtime),
            etag: Some(answer.strong_tag()?),
            file_id: Some(file_id(header("oc-fileid")?)?),
            ..Props::default()
        };
        Some(Version::of(&props, target.size, self.reading(answer.now)))
    }
}

/// Reads an id as `OC-FileId` has it: padded digits and the name of the installation,
/// which begins with a letter.
fn file_id(text: &str) -> Option<u64> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let has_name = text[digits..].starts_with(|c: char| c.is_ascii_alphabetic());
    text[..digits].parse().ok().filter(|_| has_name)
}

/// Tells what servers tell names apart by that they treat in a way of their own; nothing
/// for a name that is always looked at.
fn kind(path: &RelPath) -> Option<String> {
    let is_plain = |name: &str| {
        let is_fit = |c: char| c.is_ascii_alphanumeric() || " -_.()".contains(c);
        name.chars().all(is_fit) && !name.starts_with(['.', ' ']) && !name.ends_with(['.', ' '])
    };
    let ending = match path.name()?.rsplit_once('.') {
        Some((_, ending)) if ending.len() <= ENDING_BYTES_MAX => ending,
        Some(_) => return None,
        None => "",
    };
    path.names()
        .all(is_plain)
        .then(|| ending.to_ascii_lowercase())
}

const ENDING_BYTES_MAX: usize = 12;
const KINDS_MAX: usize = 500;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_read_with_the_name_of_its_installation_only() {
        let table = [
            ("00000042ocqk1tests", Some(42)),
            ("1234567890ocab", Some(1_234_567_890)),
            ("00000042", None),
            ("42!7", None),
            ("ocqk1tests", None),
            ("99999999999999999999oc", None),
            ("", None),
        ];
        for (text, id) in table {
            assert_eq!(file_id(text), id, "{text}");
        }
    }

    #[test]
    fn a_name_is_of_the_kind_of_its_ending_unless_servers_may_spell_it_in_their_way() {
        let table = [
            ("a/b.TXT", Some("txt")),
            ("a/b", Some("")),
            ("a b/c (1).tar.gz", Some("gz")),
            (".a/b.txt", None),
            ("a/b.txt.", None),
            ("a/ b.txt", None),
            ("a\u{308}/b.txt", None),
            ("a%/b.txt", None),
            ("a/b.averylongending", None),
        ];
        for (path, expected) in table {
            let path = RelPath::new(path).expect("a path");
            assert_eq!(kind(&path).as_deref(), expected, "{path}");
        }
    }

    #[test]
    fn a_server_that_once_told_something_else_is_not_believed_again() {
        let version = |mtime| {
            Version::of(
                &Props {
                    mtime: Some(mtime),
                    ..Props::default()
                },
                1,
                super::super::found::Reading {
                    is_sharp: true,
                    is_deep: true,
                    now: None,
                },
            )
        };
        let path = RelPath::new("a.txt").expect("a path");
        let trust = Trust::default();
        assert!(!trust.covers(&path));
        trust.compare(&path, &version(1), &version(1));
        assert!(trust.covers(&path));
        assert!(!trust.covers(&RelPath::new("a.jpg").expect("a path")));
        trust.compare(&path, &version(1), &version(2));
        trust.compare(&path, &version(1), &version(1));
        assert!(!trust.covers(&path));
    }
}
