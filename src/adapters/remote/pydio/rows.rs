//! The rows of the changes feed, as they come.
//!
//! In: lines of JSON. Out: rows sorted by sequence number. Invariant: without its last
//! line a feed was cut, and then nothing of it counts; a line that cannot be read ends
//! it. Deliberately absent: belief. What a row says of a node may be wrong (`feed`).

use super::answer::{self, number, unknown};
use super::http::{Answer, Call, Effect, Span, check};
use super::names::is_binned;
use super::server::Server;
use super::stat::Md5;
use crate::ports::{PortError, PortResult};
use journal_format::event::FailureClass;
use journal_format::value::bytes_of;
use serde_json::Value;

/// One row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Row {
    pub(super) seq: u64,
    /// The id of the node in the server's index.
    pub(super) node: u64,
    pub(super) kind: RowKind,
    /// Where it was, from the workspace's root.
    pub(super) source: Option<String>,
    /// Where it went.
    pub(super) target: Option<String>,
    /// Whether it is a folder; nothing when the node is gone.
    pub(super) is_folder: Option<bool>,
    /// Size, seconds and hash of a file, as the index has them now.
    pub(super) file: Option<(u64, i64, Md5)>,
}

/// What a row tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum RowKind {
    Create,
    Delete,
    Content,
    Path,
}

/// What was read of the feed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Rows {
    /// By sequence number.
    pub(super) rows: Vec<Row>,
    /// What the server says its newest number is; it may lie beyond what came.
    pub(super) last: u64,
}

impl Server {
    /// Reads the feed after a sequence number; `folder` limits it to what lies below.
    ///
    /// # Errors
    /// `Unsupported` when there is no feed; `Retry` when it was cut or garbled.
    pub(super) async fn rows(&self, after: u64, flat: bool, folder: &str) -> PortResult<Rows> {
        let call = self.feed_call(after, flat, folder);
        let mut reader = Reader::new(folder);
        let mut reply = self
            .open(
                &call,
                Span {
                    from: 0,
                    bytes: u64::MAX,
                },
            )
            .await?;
        check(reply.status, &reply.headers, Effect::Reads)?;
        loop {
            match reply.chunk().await {
                Ok(Some(piece)) => reader.take(&piece)?,
                Ok(None) => return reader.end(&call),
                Err(broken) => return Err(broken.error(Effect::Reads)),
            }
        }
    }
}

struct Reader<'a> {
    folder: &'a str,
    line: Vec<u8>,
    found: Rows,
    last: Option<u64>,
}

impl<'a> Reader<'a> {
    fn new(folder: &'a str) -> Self {
        Self {
            folder,
            line: Vec::new(),
            found: Rows::default(),
            last: None,
        }
    }

    fn take(&mut self, mut piece: &[u8]) -> PortResult<()> {
        while let Some(end) = piece.iter().position(|byte| *byte == b'\n') {
            self.line.extend_from_slice(&piece[..end]);
            piece = &piece[end + 1..];
            let line = std::mem::take(&mut self.line);
            self.read_line(&line)?;
        }
        if self.line.len() + piece.len() > LINE_BYTES_MAX {
            return Err(garbled("a line is too long"));
        }
        self.line.extend_from_slice(piece);
        Ok(())
    }

    fn end(mut self, call: &Call) -> PortResult<Rows> {
        let line = std::mem::take(&mut self.line);
        self.read_line(&line)?;
        let Some(last) = self.last else {
            if self.found.rows.is_empty() {
                tracing::debug!(path = %call.path, "an empty answer instead of a feed");
                return Err(unknown("a feed of changes in this workspace"));
            }
            return Err(garbled("it was cut"));
        };
        self.found.last = last;
        // They come ordered by node.
        self.found.rows.sort_by_key(|row| row.seq);
        Ok(self.found)
    }

    fn read_line(&mut self, line: &[u8]) -> PortResult<()> {
        let line = line.trim_ascii();
        if line.is_empty() {
            return Ok(());
        }
        if self.last.is_some() {
            return Err(garbled("it goes on after its end"));
        }
        if let Some(number) = line.strip_prefix(b"LAST_SEQ:") {
            let number = std::str::from_utf8(number).ok();
            let number = number.and_then(|text| text.trim().parse().ok());
            self.last = Some(number.ok_or_else(|| garbled("its end has no number"))?);
            return Ok(());
        }
        if line.first() != Some(&b'{') {
            // Words instead of rows: an error of the server's.
            let answer = Answer {
                status: 200,
                kind: String::new(),
                has_challenge: false,
                body: line.to_vec(),
            };
            answer::listing(&answer)?;
            return Err(garbled("it holds something else"));
        }
        if self.found.rows.len() >= ROWS_MAX {
            return Err(garbled("it has too many rows"));
        }
        let value: Value = serde_json::from_slice(line).map_err(|_| garbled("a row is no JSON"))?;
        let row = row(&value, self.folder).ok_or_else(|| garbled("a row lacks a field"))?;
        self.found.rows.push(row);
        Ok(())
    }
}

fn row(value: &Value, folder: &str) -> Option<Row> {
    let field = |name: &str| value.get(name).and_then(number);
    let kind = match value.get("type")?.as_str()? {
        "create" => RowKind::Create,
        "delete" => RowKind::Delete,
        "content" => RowKind::Content,
        "path" => RowKind::Path,
        _ => return None,
    };
    // With a filter, paths begin at its folder.
    let path = |name: &str| {
        let text = value.get(name).and_then(Value::as_str)?;
        text.starts_with('/').then(|| format!("{folder}{text}"))
    };
    let node = value.get("node").unwrap_or(&Value::Null);
    let hash = node.get("md5").and_then(Value::as_str);
    let number = |name: &str| node.get(name).and_then(number);
    let size = number("bytesize").and_then(|size| u64::try_from(size).ok());
    let file = size.zip(number("mtime")).zip(hash.and_then(bytes_of));
    Some(Row {
        seq: u64::try_from(field("seq")?).ok()?,
        node: u64::try_from(field("node_id")?).ok()?,
        kind,
        source: path("source"),
        target: path("target"),
        is_folder: hash.map(|hash| hash == "directory"),
        file: file.map(|((size, mtime), md5)| (size, mtime, md5)),
    })
}

/// What a row is known by when it comes again.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Anchor {
    pub(super) seq: u64,
    pub(super) node: u64,
    /// Made of the path that the row leads to: numbers are given again after a
    /// restore, paths hardly in the same order.
    pub(super) mark: u32,
}

impl Row {
    /// Returns what the row is known by.
    pub(super) fn anchor(&self) -> Anchor {
        Anchor {
            seq: self.seq,
            node: self.node,
            mark: mark(self.target.as_deref().unwrap_or_default()),
        }
    }

    /// Returns where the node is after this row, as far as the row can be believed.
    pub(super) fn place(&self) -> Option<&str> {
        let target = self.target.as_deref().filter(|path| !is_binned(path));
        target.filter(|_| self.kind != RowKind::Delete)
    }
}

/// Returns what a path is known by; a row that leads nowhere has that of no path.
pub(super) fn mark(path: &str) -> u32 {
    let [a, b, c, d, ..] = *blake3::hash(path.as_bytes()).as_bytes();
    u32::from_be_bytes([a, b, c, d])
}

fn garbled(what: &str) -> PortError {
    PortError::new(FailureClass::Retry, format!("the feed of changes: {what}"))
}

const LINE_BYTES_MAX: usize = 64 * 1024;
const ROWS_MAX: usize = 20_000_000;

#[cfg(test)]
mod tests {
    use super::*;

    const FEED: &str = concat!(
        r#"{"seq":161,"node_id":"115","type":"create","source":"NULL","target":"\/p\/one.txt","node":{"bytesize":"7","md5":"8977dfac2f8e04cb96e66882235f5aba","mtime":1795356758,"node_path":"\/p\/one.txt","repository_identifier":"1-alice"}}"#,
        "\n",
        r#"{"seq":159,"node_id":113,"type":"create","source":"NULL","target":"\/p","node":{"bytesize":4096,"md5":"directory","mtime":1795356758,"node_path":false}}"#,
        "\n",
        r#"{"seq":170,"node_id":120,"type":"delete","source":"\/gone","target":"NULL","node":{"bytesize":null,"md5":null,"mtime":null,"node_path":null}}"#,
        "\nLAST_SEQ:171",
    );

    fn read(text: &[u8], piece: usize, folder: &str) -> PortResult<Rows> {
        let mut reader = Reader::new(folder);
        for piece in text.chunks(piece) {
            reader.take(piece)?;
        }
        reader.end(&Call::get(String::new()))
    }

    #[test]
    fn rows_come_sorted_by_sequence_and_below_the_filtered_folder() {
        let found = read(FEED.as_bytes(), 7, "/sub").expect("a feed");
        let seqs: Vec<u64> = found.rows.iter().map(|row| row.seq).collect();
        assert_eq!((seqs, found.last), (vec![159, 161, 170], 171));
        assert_eq!(found.rows[0].is_folder, Some(true));
        assert_eq!(found.rows[1].node, 115);
        assert_eq!(found.rows[1].place(), Some("/sub/p/one.txt"));
        assert_eq!(found.rows[1].file.map(|file| file.0), Some(7));
        assert_eq!(
            (found.rows[2].is_folder, found.rows[2].place()),
            (None, None)
        );
    }

    #[test]
    fn a_feed_that_is_cut_anywhere_does_not_count() {
        let end = FEED.len() - "171".len();
        for cut in 0..=end {
            assert!(
                read(&FEED.as_bytes()[..cut], 64, "").is_err(),
                "cut at {cut}"
            );
        }
    }

    #[test]
    fn an_empty_feed_has_its_end_and_no_feed_has_none() {
        assert_eq!(
            read(b"\nLAST_SEQ:158", 3, "").map(|found| found.last),
            Ok(158)
        );
        let none = read(b"", 1, "").map_err(|error| error.class);
        assert_eq!(none, Err(FailureClass::Unsupported));
        let error = br#"<?xml version="1.0"?><tree ><message type="ERROR">no</message></tree>"#;
        assert!(read(error, 9, "").is_err());
    }
}
