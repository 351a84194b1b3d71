//! A folder as an archive, nothing compressed.
//!
//! In: a folder of a workspace. Out: the bytes of a ZIP file. Deliberately absent:
//! compression and files beyond 4 GiB; nobody reads these archives but people. Also the
//! gzip form of an answer, which uses the same trick.

use std::fs;

use super::names;
use super::place::Place;

/// Packs a folder with what is in it.
pub(super) fn archive(place: &Place, node: &str) -> Vec<u8> {
    let mut out = Vec::new();
    let mut directory = Vec::new();
    let mut entries = 0_u16;
    let top = names::parent(node).len();
    for (path, facts) in place.tree(node) {
        let mut name = path[top..].trim_start_matches('/').to_owned();
        let content = if facts.md5 == "directory" {
            name.push('/');
            Vec::new()
        } else {
            fs::read(place.at(&path)).unwrap_or_default()
        };
        let mut fixed = Vec::new();
        for word in [20_u16, 0x0800, 0, 0, 0x21] {
            fixed.extend(word.to_le_bytes());
        }
        let length = low(content.len());
        for long in [crc32fast::hash(&content), length, length] {
            fixed.extend(long.to_le_bytes());
        }
        fixed.extend(u16::try_from(name.len()).unwrap_or(u16::MAX).to_le_bytes());
        fixed.extend([0, 0]);
        directory.extend(b"PK\x01\x02\x14\x00");
        directory.extend(&fixed);
        directory.extend([0; 10]);
        directory.extend(low(out.len()).to_le_bytes());
        directory.extend(name.as_bytes());
        out.extend(b"PK\x03\x04");
        out.extend(&fixed);
        out.extend(name.as_bytes());
        out.extend(&content);
        entries = entries.saturating_add(1);
    }
    let (start, length) = (low(out.len()), low(directory.len()));
    out.extend(directory);
    out.extend(b"PK\x05\x06\x00\x00\x00\x00");
    out.extend(entries.to_le_bytes());
    out.extend(entries.to_le_bytes());
    out.extend(length.to_le_bytes());
    out.extend(start.to_le_bytes());
    out.extend([0, 0]);
    out
}

/// The bytes in gzip's form, in blocks that are stored as they are.
pub(super) fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut out = vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255];
    let mut blocks = bytes.chunks(0xffff).peekable();
    if blocks.peek().is_none() {
        out.extend([1, 0, 0, 0xff, 0xff]);
    }
    while let Some(block) = blocks.next() {
        let length = u16::try_from(block.len()).unwrap_or(u16::MAX);
        out.push(u8::from(blocks.peek().is_none()));
        out.extend(length.to_le_bytes());
        out.extend((!length).to_le_bytes());
        out.extend(block);
    }
    out.extend(crc32fast::hash(bytes).to_le_bytes());
    out.extend(low(bytes.len()).to_le_bytes());
    out
}

fn low(length: usize) -> u32 {
    u32::try_from(length & 0xffff_ffff).unwrap_or(u32::MAX)
}
