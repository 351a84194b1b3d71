//! `stat` and `stat_hash`, of one node and of many.
//!
//! In: a path, or `nodes[]`. Out: PHP's stat array as JSON. Invariant: one distinct node
//! is answered without its name, several with; what is missing is an empty object. A range
//! gives the hash of a part, of whose JSON Apache then sends a slice (`Quirk::SlicedHash`).

use std::fs::{File, Metadata};
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use super::answer::{Answer, json};
use super::download::Range;
use super::form::md5_of;
use super::names;
use super::quirks::Quirk;
use super::server::Ctx;

/// Answers `stat`, or `stat_hash` with `hashed`.
pub(super) fn stat(ctx: &Ctx<'_>, hashed: bool) -> Answer {
    let quirks = ctx.quirks();
    let mut nodes: Vec<String> = Vec::new();
    for node in ctx.call.params.all("nodes[]") {
        let node = names::parameter(quirks, node);
        if !nodes.contains(&node) {
            nodes.push(node);
        }
    }
    if nodes.is_empty() {
        nodes.push(ctx.call.node(quirks));
    }
    for node in &nodes {
        if let Some(answer) = ctx.refuse_name(node) {
            return answer;
        }
    }
    let text = match nodes.as_slice() {
        [node] => one(ctx, node, hashed),
        _ => {
            let items: Vec<String> = nodes
                .iter()
                .map(|node| format!("{}:{}", json(node), one(ctx, node, hashed)))
                .collect();
            format!("{{{}}}", items.join(","))
        }
    };
    sliced(
        ctx,
        Answer::new("application/json", text.clone()),
        &text,
        hashed,
    )
}

fn one(ctx: &Ctx<'_>, node: &str, hashed: bool) -> String {
    let quirks = ctx.quirks();
    let Some(stat) = ctx.place.stat(node) else {
        let array = quirks.has(Quirk::EmptyArray);
        return if array { "[]" } else { "{}" }.to_owned();
    };
    let hash = hashed.then(|| {
        if stat.is_dir() {
            return "directory".to_owned();
        }
        let path = ctx.place.at(node);
        let hash = match ctx.call.header("range").and_then(Range::parse) {
            Some(range) => partial_hash(&path, &range),
            None => ctx.server.hashes.get(quirks, &path),
        };
        hash.unwrap_or_default()
    });
    php_stat(&stat, quirks.has(Quirk::NegativeSizes), hash.as_deref())
}

/// The hash of a part; the end does not belong to it.
fn partial_hash(path: &Path, range: &Range) -> io::Result<String> {
    let mut file = File::open(path)?;
    file.seek(SeekFrom::Start(range.start))?;
    let length = range.end.unwrap_or(u64::MAX).saturating_sub(range.start);
    md5_of(file.take(length))
}

/// PHP's array: each value by its number and by its name.
fn php_stat(stat: &Metadata, negative: bool, hash: Option<&str>) -> String {
    let size = if negative {
        // What a 32-bit PHP makes of it: the lower half, with its sign.
        i64::from(
            u32::try_from(stat.size() & 0xffff_ffff)
                .unwrap_or(0)
                .cast_signed(),
        )
    } else {
        i64::try_from(stat.size()).unwrap_or(i64::MAX)
    };
    let signed = |value: u64| i64::try_from(value).unwrap_or(i64::MAX);
    let values = [
        ("dev", signed(stat.dev())),
        ("ino", signed(stat.ino())),
        ("mode", i64::from(stat.mode())),
        ("nlink", signed(stat.nlink())),
        ("uid", i64::from(stat.uid())),
        ("gid", i64::from(stat.gid())),
        ("rdev", signed(stat.rdev())),
        ("size", size),
        ("atime", stat.atime()),
        ("mtime", stat.mtime()),
        ("ctime", stat.ctime()),
        ("blksize", signed(stat.blksize())),
        ("blocks", signed(stat.blocks())),
    ];
    let numbered = values
        .iter()
        .enumerate()
        .map(|(n, (_, value))| format!("\"{n}\":{value}"));
    let named = values
        .iter()
        .map(|(name, value)| format!("\"{name}\":{value}"));
    let mut parts: Vec<String> = numbered.chain(named).collect();
    if let Some(hash) = hash {
        parts.push(format!("\"hash\":\"{hash}\""));
        parts.push(format!("\"13\":\"{hash}\""));
    }
    format!("{{{}}}", parts.join(","))
}

/// What Apache does to the JSON when the request has a range.
fn sliced(ctx: &Ctx<'_>, answer: Answer, text: &str, hashed: bool) -> Answer {
    if !hashed || !ctx.quirks().has(Quirk::SlicedHash) {
        return answer;
    }
    let Some(range) = ctx.call.header("range").and_then(Range::parse) else {
        return answer;
    };
    let length = text.len() as u64;
    let last = range.end.unwrap_or(u64::MAX).min(length - 1);
    if range.start > last {
        return answer;
    }
    let at = |n: u64| usize::try_from(n).unwrap_or(usize::MAX);
    let slice = text.as_bytes()[at(range.start)..=at(last)].to_vec();
    let mut answer = Answer::new("application/json", slice);
    answer.status = 206;
    let sent = format!("bytes {}-{last}/{length}", range.start);
    answer.headers.push(("Content-Range", sent));
    answer
}
