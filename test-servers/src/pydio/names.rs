//! What the server makes of names and paths before it looks for them.
//!
//! In: names as they were sent. Out: names as the server uses them. Invariant: a path
//! that comes out begins with a slash and has no `.`, `..`, empty segment or NUL, so it
//! stays inside its workspace. Deliberately absent: the disk, and cutting a long name inside
//! a character. The quirks of names are all here, switched one by one.

use unicode_normalization::UnicodeNormalization;

use super::quirks::{Quirk, Quirks};

/// The folder that deletions go to.
pub(super) const BIN: &str = "/recycle_bin";

/// What unfinished uploads end with.
pub(super) const PART: &str = ".dlpart";

const NAME_MAX_BYTES: usize = 255;

/// Cleans a parameter that holds a path.
pub(super) fn parameter(quirks: Quirks, path: &str) -> String {
    let path = if quirks.has(Quirk::TagsStripped) {
        strip_tags(path).replace('>', "&gt;")
    } else {
        path.to_owned()
    };
    let mut out = String::with_capacity(path.len() + 1);
    for segment in path.split('/') {
        if !matches!(segment, "" | "." | "..") {
            out.push('/');
            out.extend(segment.chars().filter(|c| *c != '\0'));
        }
    }
    if out.is_empty() { "/".to_owned() } else { out }
}

/// A node in a folder.
pub(super) fn join(folder: &str, name: &str) -> String {
    format!("{}/{name}", folder.trim_end_matches('/'))
}

/// The last segment; empty for the root.
pub(super) fn base(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or("")
}

/// The folder of a node: `/` for those at the top.
pub(super) fn parent(path: &str) -> &str {
    match path.rfind('/') {
        Some(0) | None => "/",
        Some(at) => &path[..at],
    }
}

/// The first name of a path that is hidden, which the server refuses.
pub(super) fn hidden(path: &str) -> Option<&str> {
    path.split('/').find(|name| name.starts_with('.'))
}

/// Whether a path is the bin or in it, as the server judges.
pub(super) fn in_bin(quirks: Quirks, bin: &str, path: &str) -> bool {
    path.strip_prefix(bin).is_some_and(|rest| {
        quirks.has(Quirk::BinPrefix) || rest.is_empty() || rest.starts_with('/')
    })
}

/// Where the server looks for a node: it takes a question mark for the end of its own
/// address.
pub(super) fn cut_question(quirks: Quirks, path: &str) -> &str {
    if quirks.has(Quirk::QuestionCut) {
        path.split('?').next().unwrap_or(path)
    } else {
        path
    }
}

/// Why a new name is refused; 8.x only.
pub(super) fn refused(quirks: Quirks, name: &str) -> bool {
    quirks.has(Quirk::RefuseNames)
        && (name.contains(['"', '|', '?', '\\']) || name.starts_with(' ') || name.contains("&#"))
}

/// The name under which an upload is stored.
pub(super) fn upload(quirks: Quirks, name: &str) -> String {
    let mut name: String = name.replace(['/', '\0'], "");
    if quirks.has(Quirk::StripNames) {
        name = entities(&name)
            .chars()
            .filter(|c| !matches!(c, '"' | '|' | '?' | '\\' | '/'))
            .map(|c| if c < ' ' { '_' } else { c })
            .collect();
        name = name.trim_start_matches(' ').to_owned();
    }
    if quirks.has(Quirk::SuspiciousNames) && looks_like_a_script(&name) {
        name = "XSS Detected - Rename Me".to_owned();
    }
    if quirks.has(Quirk::UploadNfc) {
        name = name.nfc().collect();
    }
    if quirks.has(Quirk::LongNamesCut) {
        let mut end = name.len().min(NAME_MAX_BYTES);
        while !name.is_char_boundary(end) {
            end -= 1;
        }
        name.truncate(end);
    }
    name
}

fn looks_like_a_script(name: &str) -> bool {
    let name = name.to_lowercase();
    name.contains("javascript:") || name.contains("<script") || name.contains("onclick=")
}

/// Decodes entities by name and drops those in hexadecimal.
fn entities(name: &str) -> String {
    let mut out = String::new();
    let mut rest = name;
    while let Some(at) = rest.find("&#x") {
        out.push_str(&rest[..at]);
        let tail = &rest[at + 3..];
        let digits = tail.bytes().take_while(u8::is_ascii_hexdigit).count();
        if digits > 0 && tail[digits..].starts_with(';') {
            rest = &tail[digits + 1..];
        } else {
            out.push_str("&#x");
            rest = tail;
        }
    }
    out.push_str(rest);
    out.replace("&lt;", "<")
        .replace("&gt;", ">")
        .replace("&quot;", "\"")
        .replace("&amp;", "&")
}

/// Drops what stands between angle brackets; an open one takes all that follows.
fn strip_tags(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find('<') {
        out.push_str(&rest[..at]);
        rest = match rest[at..].find('>') {
            Some(end) => &rest[at + end + 1..],
            None => "",
        };
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_parameter_cannot_lead_out_and_loses_its_tags() {
        for (sent, used) in [
            ("a/../../b", "/a/b"),
            ("//a//b/", "/a/b"),
            ("", "/"),
            ("nm/<i>x.txt", "/nm/x.txt"),
            ("nm/a<b.txt", "/nm/a"),
            ("nm/a>b.txt", "/nm/a&gt;b.txt"),
            ("nm/a<b>c.txt", "/nm/ac.txt"),
            ("nm/a\0b", "/nm/ab"),
        ] {
            assert_eq!(parameter(Quirks::v6_4(), sent), used);
        }
        assert_eq!(parameter(Quirks::none(), "a<b>c"), "/a<b>c");
    }

    #[test]
    fn upload_names_change_as_they_did_on_a_real_server() {
        for (sent, stored) in [
            ("q?u.txt", "qu.txt"),
            ("a/b.txt", "ab.txt"),
            ("dq\".txt", "dq.txt"),
            ("ang<b>le.txt", "ang<b>le.txt"),
            (" leadspace.txt", "leadspace.txt"),
            ("trailspace ", "trailspace "),
            ("e\u{301}-nfd.txt", "é-nfd.txt"),
            ("&#x41;ent&amp;ity.txt", "ent&ity.txt"),
            ("new\nline.txt", "new_line.txt"),
            ("percent%41.txt", "percent%41.txt"),
        ] {
            assert_eq!(upload(Quirks::v6_4(), sent), stored, "{sent}");
        }
        assert_eq!(upload(Quirks::v6_4(), &"n".repeat(300)).len(), 255);
        assert_eq!(upload(Quirks::none(), "q?u\".txt"), "q?u\".txt");
    }
}
