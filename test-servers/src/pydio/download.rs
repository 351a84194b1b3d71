//! `download`: files whole and from an offset, folders as archives.
//!
//! In: a path, maybe a range. Out: the bytes with the headers of a real server, of which
//! some are wrong. Invariant: an error has status 200 and XML, as everywhere. Deliberately
//! absent: conditional requests, several ranges (the first one counts).

use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom};

use bytes::Bytes;

use super::answer::{Answer, Body};
use super::names;
use super::quirks::Quirk;
use super::server::Ctx;
use super::zip;

/// What a `Range` header asks for, as the server reads it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Range {
    pub(super) start: u64,
    pub(super) end: Option<u64>,
}

impl Range {
    /// Reads the first range; a missing start is 0.
    pub(super) fn parse(header: &str) -> Option<Self> {
        let first = header.strip_prefix("bytes=")?.split(',').next()?;
        let (start, end) = first.split_once('-')?;
        Some(Self {
            start: if start.is_empty() {
                0
            } else {
                start.parse().ok()?
            },
            end: if end.is_empty() {
                None
            } else {
                Some(end.parse().ok()?)
            },
        })
    }
}

/// Answers `download`.
pub(super) fn download(ctx: &Ctx<'_>) -> Answer {
    let node = ctx.call.node(ctx.quirks());
    if let Some(answer) = ctx.refuse_name(&node) {
        return answer;
    }
    let name = names::base(&node);
    match ctx.place.stat(&node) {
        None => Answer::error("Cannot find file!"),
        Some(stat) if stat.is_dir() => {
            let archive = zip::archive(&ctx.place, &node);
            let length = archive.len() as u64;
            whole(&format!("{name}.zip"), length, Body::Bytes(archive.into()))
        }
        Some(_) => file(ctx, &node, name).unwrap_or_else(|_| Answer::error("Cannot find file!")),
    }
}

fn file(ctx: &Ctx<'_>, node: &str, name: &str) -> std::io::Result<Answer> {
    let mut file = File::open(ctx.place.at(node))?;
    let length = file.metadata()?.len();
    let asked = ctx.call.header("range").and_then(Range::parse);
    let Some(range) = asked.filter(|_| !ctx.quirks().has(Quirk::RangeIgnored)) else {
        return Ok(whole(name, length, body(file, length)?));
    };
    // The server takes the end as the first byte that is not sent, and cuts it at the
    // length of the file; a start beyond it gives nothing.
    let inclusive = u64::from(!ctx.quirks().has(Quirk::ExclusiveRange));
    let end = range
        .end
        .map_or(length, |end| end.saturating_add(inclusive))
        .min(length);
    let start = range.start.min(length);
    file.seek(SeekFrom::Start(start))?;
    let mut answer = Answer::text(Bytes::new());
    answer.status = 206;
    answer.body = body(file, end.saturating_sub(start))?;
    let shown = if inclusive == 1 {
        end.saturating_sub(1)
    } else {
        end
    };
    answer
        .headers
        .push(("Accept-Ranges", format!("0-{length}")));
    let sent = format!("bytes {}-{shown}/{length}", range.start);
    answer.headers.push(("Content-Range", sent));
    Ok(answer)
}

fn whole(name: &str, length: u64, body: Body) -> Answer {
    let kind = format!("application/force-download; name=\"{name}\"");
    let mut answer = Answer::new(&kind, Bytes::new());
    answer.body = body;
    answer.headers.push((
        "Content-Disposition",
        format!("attachment; filename=\"{name}\""),
    ));
    answer
        .headers
        .push(("Content-Transfer-Encoding", "binary".to_owned()));
    answer
        .headers
        .push(("Accept-Ranges", format!("0-{length}")));
    if length > 0 {
        let sent = format!("bytes 0-{}/{length};", length - 1);
        answer.headers.push(("Content-Range", sent));
    }
    answer
}

fn body(file: File, length: u64) -> std::io::Result<Body> {
    if length > MEMORY_MAX_BYTES {
        return Ok(Body::File(file, length));
    }
    let mut bytes = Vec::new();
    file.take(length).read_to_end(&mut bytes)?;
    Ok(Body::Bytes(bytes.into()))
}

const MEMORY_MAX_BYTES: u64 = 256 * 1024;

#[cfg(test)]
mod tests {
    use super::Range;

    #[test]
    fn ranges_are_read_as_the_server_reads_them() {
        for (header, expected) in [
            ("bytes=0-9", Some((0, Some(9)))),
            ("bytes=90-", Some((90, None))),
            ("bytes=-10", Some((0, Some(10)))),
            ("bytes=0-4,10-14", Some((0, Some(4)))),
            ("lines=1-2", None),
            ("bytes=x-", None),
        ] {
            let expected = expected.map(|(start, end)| Range { start, end });
            assert_eq!(Range::parse(header), expected, "{header}");
        }
    }
}
