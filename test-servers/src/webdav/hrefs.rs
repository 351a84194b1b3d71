//! Paths as listings write them.
//!
//! In: segments, quirks. Out: an encoded path or URL. Invariant: what is written decodes
//! to the segments. Deliberately absent: faults, which write what they like.

use super::quirks::{Percent, Quirks};

/// Writes a path below `root`, which is encoded already.
pub(super) fn href(
    quirks: &Quirks,
    host: &str,
    root: &str,
    segments: &[String],
    folder: bool,
) -> String {
    let mut href = if quirks.hrefs.absolute {
        format!("http://{host}{root}")
    } else {
        root.to_owned()
    };
    for segment in segments {
        href.push('/');
        push(&mut href, quirks.hrefs.percent, segment);
    }
    if segments.is_empty() || (folder && quirks.hrefs.folder_slash) {
        href.push('/');
    }
    href
}

/// One segment, encoded.
pub(super) fn segment(percent: Percent, name: &str) -> String {
    let mut encoded = String::new();
    push(&mut encoded, percent, name);
    encoded
}

fn push(href: &mut String, percent: Percent, name: &str) {
    for byte in name.bytes() {
        let plain = byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
        if plain || percent.plain.as_bytes().contains(&byte) {
            href.push(char::from(byte));
        } else if percent.lower {
            href.push_str(&format!("%{byte:02x}"));
        } else {
            href.push_str(&format!("%{byte:02X}"));
        }
    }
}
