//! GET, HEAD and PUT.
//!
//! In: a call and the state. Out: content and answers. Invariant: a PUT is whole or not
//! at all. Deliberately absent: types of content.

use bytes::Bytes;

use super::answer::Answer;
use super::call::{Call, Map};
use super::conditions::{self, Seen};
use super::names::Named;
use super::props::file_id;
use super::quirks::{ContentRange, OcMtime, Quirks};
use super::server::State;
use super::tree::{Node, Write};
use super::versions::http_date;

/// Answers GET and HEAD.
pub(super) fn get(quirks: &Quirks, state: &State, call: &Call, named: &Named, now: u64) -> Answer {
    let Some(node) = state.tree.find(&named.segments) else {
        return Answer::status(404);
    };
    if node.is_folder() {
        return folder(quirks, call, named);
    }
    let etag = quirks.etag(node, now);
    let date = http_date(node.mtime);
    let dressed = |answer: Answer| {
        let answer = answer.with("Last-Modified", date.clone());
        match &etag {
            Some(etag) => answer.with("ETag", etag.to_string()),
            None => answer,
        }
    };
    if let Some(status) = conditions::unread(call, etag.as_ref()) {
        return dressed(Answer::empty(status));
    }
    let whole = node.content();
    let mut answer = dressed(Answer::empty(200)).with("Content-Type", "application/octet-stream");
    if quirks.oc_checksum
        && let Some(sum) = &node.checksum
    {
        answer = answer.with("OC-Checksum", sum.clone());
    }
    if !quirks.ranges {
        return answer.body(whole);
    }
    answer = answer.with("Accept-Ranges", "bytes");
    let asked = call
        .header("range")
        .filter(|_| conditions::range_counts(call, etag.as_ref(), &date));
    match asked.map(|text| range(text, whole.len())) {
        None | Some(Range::Whole) => answer.body(whole),
        Some(Range::Nowhere) => {
            let length = format!("bytes */{}", whole.len());
            Answer::status(416).with("Content-Range", length)
        }
        Some(Range::Part(from, to)) => {
            answer.status = 206;
            let part = format!("bytes {from}-{}/{}", to - 1, whole.len());
            answer
                .with("Content-Range", part)
                .body(whole.slice(from..to))
        }
    }
}

fn folder(quirks: &Quirks, call: &Call, named: &Named) -> Answer {
    let status = if named.slash {
        quirks.get_folder_slash
    } else {
        quirks.get_folder
    };
    match status {
        200 => Answer::page(200, "Index of this folder"),
        301 => Answer::page(301, "Moved").with("Location", format!("{}/", call.path())),
        status => Answer::status(status),
    }
}

/// One range of a `Range` header.
enum Range {
    Whole,
    Part(usize, usize),
    Nowhere,
}

fn range(text: &str, length: usize) -> Range {
    let Some((from, to)) = text
        .strip_prefix("bytes=")
        .filter(|rest| !rest.contains(','))
        .and_then(|rest| rest.split_once('-'))
    else {
        return Range::Whole;
    };
    let (from, to) = (from.trim(), to.trim());
    match (from.parse::<usize>(), to.parse::<usize>()) {
        (Ok(from), _) if from >= length => Range::Nowhere,
        (Ok(from), Ok(to)) if to >= from => Range::Part(from, length.min(to.saturating_add(1))),
        (Ok(from), Err(_)) if to.is_empty() => Range::Part(from, length),
        (Err(_), Ok(last)) if from.is_empty() && last.min(length) == 0 => Range::Nowhere,
        (Err(_), Ok(last)) if from.is_empty() => Range::Part(length.saturating_sub(last), length),
        _ => Range::Whole,
    }
}

/// Answers PUT.
pub(super) fn put(
    quirks: &Quirks,
    state: &mut State,
    call: &Call,
    map: &Map<'_>,
    named: &Named,
    now: u64,
) -> Answer {
    let path = &named.segments;
    if let Some(status) = path.last().and_then(|name| quirks.refuses(name)) {
        return Answer::status(status);
    }
    let seen = Seen {
        quirks,
        tree: &state.tree,
        map,
        now,
    };
    if let Some(status) = seen.forbids(call, path) {
        return Answer::status(status);
    }
    let known = state.tree.find(path);
    if known.is_some_and(Node::is_folder) || path.is_empty() {
        return Answer::status(quirks.put_on_folder);
    }
    if !state.tree.has_parent(path) {
        return Answer::status(quirks.put_no_parent);
    }
    if state.locks.keeps_out(call, path) {
        return Answer::status(423);
    }
    let old = known.map_or_else(Bytes::new, Node::content);
    let bytes = match (call.header("content-range"), quirks.content_range) {
        (None, _) | (_, ContentRange::Ignored) => call.body.clone(),
        (_, ContentRange::Refused(status)) => return Answer::status(status),
        (Some(text), ContentRange::Applied) => match patched(&old, text, &call.body) {
            Some(bytes) => bytes,
            None => return Answer::status(400),
        },
    };
    if is_too_much(quirks, state, old.len(), bytes.len()) {
        return Answer::status(507);
    }
    store(quirks, state, call, path, bytes, now)
}

/// Whether so many bytes in place of others are more than the quota.
pub(super) fn is_too_much(quirks: &Quirks, state: &State, old: usize, new: usize) -> bool {
    let used = state.tree.used - old as u64 + new as u64;
    quirks.quota.is_some_and(|quota| used > quota)
}

/// Writes a file with what the headers say about it, and answers.
pub(super) fn store(
    quirks: &Quirks,
    state: &mut State,
    call: &Call,
    path: &[String],
    bytes: Bytes,
    now: u64,
) -> Answer {
    let said = call.number("x-oc-mtime");
    let mtime = said.filter(|_| quirks.oc_mtime != OcMtime::Ignored);
    let sum = call.header("oc-checksum").filter(|_| quirks.oc_checksum);
    let write = Write {
        bytes,
        mtime,
        checksum: sum.map(str::to_owned),
    };
    let Ok(is_new) = state.tree.write(path, write, now) else {
        return Answer::status(500);
    };
    let mut answer = Answer::empty(if is_new { 201 } else { quirks.put_over });
    let Some(node) = state.tree.find(path) else {
        return Answer::status(500);
    };
    if let Some(etag) = quirks.etag(node, now).filter(|_| quirks.put_etag) {
        answer = answer.with("ETag", etag.to_string());
        if quirks.file_ids {
            answer = answer.with("OC-ETag", etag.to_string());
        }
    }
    if quirks.file_ids {
        answer = answer.with("OC-FileId", file_id(node));
    }
    if mtime.is_some() && quirks.oc_mtime == OcMtime::Accepted {
        answer = answer.with("X-OC-MTime", "accepted");
    }
    answer
}

/// The old content with a range of it replaced: `bytes 5-9/20`. A range that begins behind
/// its end is refused, whatever a real server would fill the hole with.
fn patched(old: &[u8], text: &str, new: &[u8]) -> Option<Bytes> {
    let (from, rest) = text.strip_prefix("bytes ")?.split_once('-')?;
    let from: usize = from.trim().parse().ok()?;
    let to: usize = rest.split('/').next()?.trim().parse().ok()?;
    if to.checked_sub(from)?.checked_add(1)? != new.len() || from > old.len() {
        return None;
    }
    let mut whole = old.to_vec();
    whole.resize(whole.len().max(to + 1), 0);
    whole[from..=to].copy_from_slice(new);
    Some(whole.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_read_as_the_standard_says() {
        for (text, expected) in [
            ("bytes=0-1", Some((0, 2))),
            ("bytes=3-", Some((3, 10))),
            ("bytes=8-99", Some((8, 10))),
            ("bytes=-4", Some((6, 10))),
            ("bytes=-40", Some((0, 10))),
            ("bytes=0-1,3-4", Some((0, 10))),
            ("lines=1-2", Some((0, 10))),
            ("bytes=x-2", Some((0, 10))),
            ("bytes=10-", None),
            ("bytes=-0", None),
        ] {
            let found = match range(text, 10) {
                Range::Whole => Some((0, 10)),
                Range::Part(from, to) => Some((from, to)),
                Range::Nowhere => None,
            };
            assert_eq!(found, expected, "{text}");
        }
        assert!(matches!(range("bytes=-5", 0), Range::Nowhere));
    }

    #[test]
    fn a_partial_put_changes_only_its_range() {
        let patch = |text| patched(b"0123456789", text, b"ab").map(|bytes| bytes.to_vec());
        assert_eq!(patch("bytes 2-3/10").as_deref(), Some(&b"01ab456789"[..]));
        assert_eq!(patch("bytes 9-10/11").as_deref(), Some(&b"012345678ab"[..]));
        for wrong in [
            "bytes 2-4/10",
            "bytes 11-12/13",
            "bytes 2-18446744073709551615/9",
        ] {
            assert_eq!(patch(wrong), None, "{wrong}");
        }
    }
}
