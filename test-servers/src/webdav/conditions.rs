//! Conditions of requests: `If-Match`, `If-None-Match`, `If-Range`, `If`.
//!
//! In: a call and the ETag of what it is about. Out: the status that it fails with.
//! Invariant: a weak ETag never matches strongly. Deliberately absent: dates.

use super::call::{Call, Map};
use super::quirks::Quirks;
use super::tree::Tree;
use super::versions::Etag;

/// What a condition looks at.
pub(super) struct Seen<'a> {
    pub(super) quirks: &'a Quirks,
    pub(super) tree: &'a Tree,
    pub(super) map: &'a Map<'a>,
    pub(super) now: u64,
}

impl Seen<'_> {
    fn etag(&self, path: &[String]) -> Option<Etag> {
        let node = self.tree.find(path)?;
        self.quirks.etag(node, self.now)
    }

    /// The status of a change that may not happen.
    pub(super) fn forbids(&self, call: &Call, path: &[String]) -> Option<u16> {
        if !self.quirks.conditions {
            return None;
        }
        let exists = self.tree.find(path).is_some();
        let etag = self.etag(path);
        if let Some(wanted) = call.header("if-match")
            && !(exists && (wanted.trim() == "*" || has_strong(wanted, etag.as_ref())))
        {
            return Some(412);
        }
        if let Some(unwanted) = call.header("if-none-match")
            && exists
            && (unwanted.trim() == "*" || has_weak(unwanted, etag.as_ref()))
        {
            return Some(412);
        }
        let lists = call.header("if").unwrap_or("");
        (!lists.is_empty() && !self.one_list_holds(lists, path)).then_some(412)
    }

    /// `If: <url> (["etag"] <token>) ...`: tokens are for `locks`, ETags are compared.
    fn one_list_holds(&self, text: &str, path: &[String]) -> bool {
        let mut about = path.to_vec();
        let mut rest = text.trim_start();
        while !rest.is_empty() {
            if let Some(tag) = rest.strip_prefix('<') {
                let (url, after) = tag.split_once('>').unwrap_or((tag, ""));
                let after_scheme = url.split_once("://").map_or(url, |(_, rest)| {
                    &rest[rest.find('/').unwrap_or(rest.len())..]
                });
                if let super::call::Place::Files(named) = self.map.place(after_scheme) {
                    about = named.segments;
                }
                rest = after.trim_start();
                continue;
            }
            let Some((list, after)) = rest.strip_prefix('(').and_then(|rest| rest.split_once(')'))
            else {
                return false;
            };
            let etag = self.etag(&about);
            let holds = list.split('[').skip(1).all(|part| {
                let wanted = part.split(']').next().unwrap_or("");
                has_strong(wanted, etag.as_ref())
            });
            if holds {
                return true;
            }
            rest = after.trim_start();
        }
        false
    }
}

/// The status with which a read ends early.
pub(super) fn unread(call: &Call, etag: Option<&Etag>) -> Option<u16> {
    if let Some(wanted) = call.header("if-match")
        && wanted.trim() != "*"
        && !has_strong(wanted, etag)
    {
        return Some(412);
    }
    let unwanted = call.header("if-none-match")?;
    (unwanted.trim() == "*" || has_weak(unwanted, etag)).then_some(304)
}

/// Whether a range is asked of what is still there.
pub(super) fn range_counts(call: &Call, etag: Option<&Etag>, date: &str) -> bool {
    let Some(wanted) = call.header("if-range") else {
        return true;
    };
    wanted == date || has_strong(wanted, etag)
}

fn has_strong(list: &str, etag: Option<&Etag>) -> bool {
    let Some(etag) = etag.filter(|etag| !etag.weak && !etag.value.is_empty()) else {
        return false;
    };
    list.split(',').any(|one| one.trim() == etag.to_string())
}

fn has_weak(list: &str, etag: Option<&Etag>) -> bool {
    let Some(etag) = etag else { return false };
    let quoted = format!("\"{}\"", etag.value);
    list.split(',')
        .any(|one| one.trim().trim_start_matches("W/") == quoted)
}
