//! Bulk upload: many small files in one request.
//!
//! In: `multipart/related`. Out: JSON with an entry a file. Invariant: each file is
//! stored or refused by itself, over whatever is there; without a line end after the
//! closing boundary the answer is 400 although all were stored, as was seen.

use md5::{Digest as _, Md5};
use serde_json::{Map, Value, json};

use super::super::answer::Answer;
use super::super::call::Call;
use super::super::digest::hex;
use super::super::names;
use super::super::props::file_id;
use super::super::server::Server;
use super::super::tree::{Node, Write};

/// One part: its headers in small letters, its bytes.
struct Part<'a> {
    headers: Vec<(String, &'a str)>,
    bytes: &'a [u8],
}

impl Part<'_> {
    fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| *value)
    }
}

/// Answers the request.
pub(super) fn answer(server: &Server, call: &Call) -> Answer {
    let kind = call.header("content-type").unwrap_or("");
    let boundary = kind
        .split_once("boundary=")
        .map(|(_, rest)| rest.split(';').next().unwrap_or("").trim_matches('"'));
    let Some(boundary) = boundary.filter(|_| kind.starts_with("multipart/related")) else {
        return Answer::sabre(400, "BadRequest", "Content-type must be multipart/related");
    };
    let mut entries = Map::new();
    let mut rest: &[u8] = &call.body;
    let opening = format!("--{boundary}\r\n");
    let closing = format!("--{boundary}--\r\n");
    loop {
        if rest.starts_with(closing.as_bytes()) {
            return Answer::json(200, &Value::Object(entries));
        }
        let Some(after) = rest.strip_prefix(opening.as_bytes()) else {
            return Answer::sabre(400, "BadRequest", "Boundary not found");
        };
        let Some((part, left)) = read(after) else {
            return Answer::sabre(400, "BadRequest", "Invalid part");
        };
        let Some(path) = part.header("x-file-path") else {
            return Answer::sabre(
                400,
                "BadRequest",
                "The X-File-Path header must not be null.",
            );
        };
        entries.insert(path.to_owned(), store(server, path, &part));
        rest = left;
    }
}

/// A part and what follows it.
fn read(bytes: &[u8]) -> Option<(Part<'_>, &[u8])> {
    let end = bytes.windows(4).position(|four| four == b"\r\n\r\n")?;
    let head = std::str::from_utf8(&bytes[..end]).ok()?;
    let header = |line: &'_ str| -> Option<(String, usize)> {
        let colon = line.find(':')?;
        Some((line[..colon].trim().to_ascii_lowercase(), colon + 1))
    };
    let mut headers = Vec::new();
    for line in head.split("\r\n") {
        let (name, at) = header(line)?;
        headers.push((name, line[at..].trim()));
    }
    let length = headers.iter().find(|(name, _)| name == "content-length");
    let length: usize = length?.1.parse().ok()?;
    let body = &bytes[end + 4..];
    let left = body.get(length..)?.strip_prefix(b"\r\n")?;
    let part = Part {
        headers,
        bytes: &body[..length],
    };
    Some((part, left))
}

fn store(server: &Server, path: &str, part: &Part<'_>) -> Value {
    let refused = |message: &str| json!({"error": true, "message": message});
    let quirks = &server.options.quirks;
    let hash = hex(&Md5::digest(part.bytes));
    let sum = part.header("oc-checksum");
    let md5 = part
        .header("x-file-md5")
        .or_else(|| sum.and_then(|sum| sum.strip_prefix("MD5:")));
    if md5.is_none_or(|said| !said.eq_ignore_ascii_case(&hash)) {
        return refused("Computed md5 hash is incorrect");
    }
    let encoded = path.replace('%', "%25");
    let Some(named) = names::parse(&encoded) else {
        return refused("Invalid path");
    };
    let path = named.segments;
    let now = server.options.clock.now();
    let mut state = server.state();
    let refuses = path
        .last()
        .is_none_or(|name| quirks.refuses(name).is_some());
    let is_folder = state.tree.find(&path).is_some_and(Node::is_folder);
    if refuses || is_folder || !state.tree.has_parent(&path) {
        return refused("Could not create file");
    }
    let write = Write {
        bytes: part.bytes.to_vec().into(),
        mtime: part
            .header("x-file-mtime")
            .and_then(|time| time.parse().ok()),
        checksum: sum.map(str::to_owned),
    };
    if state.tree.write(&path, write, now).is_err() {
        return refused("Could not write");
    }
    let node = state.tree.find(&path);
    let etag = node.and_then(|node| quirks.etag(node, now));
    json!({"error": false, "etag": etag.map(|etag| etag.value),
           "fileid": node.map(file_id), "permissions": "RGDNVW"})
}
