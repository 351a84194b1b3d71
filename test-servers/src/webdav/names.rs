//! Names: as they come in a URL, as a server keeps them, and which it refuses.
//!
//! In: a target's path, quirks. Out: segments, keys, refusals. Invariant: no segment is
//! empty, `.` or `..` or has a slash in it. Deliberately absent: what is at a path.

use std::borrow::Cow;

use percent_encoding::percent_decode_str;
use unicode_normalization::UnicodeNormalization as _;

use super::quirks::Quirks;

/// The segments of an encoded path, and whether it ended in a slash.
#[derive(Clone)]
pub(super) struct Named {
    pub(super) segments: Vec<String>,
    pub(super) slash: bool,
}

/// Reads an encoded path that begins with a slash or is empty; nothing if it names
/// something that cannot be.
pub(super) fn parse(encoded: &str) -> Option<Named> {
    let mut segments = Vec::new();
    for part in encoded.split('/').filter(|part| !part.is_empty()) {
        let name = percent_decode_str(part).decode_utf8().ok()?;
        if name == "." || name == ".." || name.contains(['/', '\0']) {
            return None;
        }
        segments.push(name.into_owned());
    }
    Some(Named {
        slash: encoded.is_empty() || encoded.ends_with('/'),
        segments,
    })
}

impl Quirks {
    /// The name as it is kept.
    pub(super) fn kept<'a>(&self, name: &'a str) -> Cow<'a, str> {
        if self.composes_names {
            Cow::Owned(name.nfc().collect())
        } else {
            Cow::Borrowed(name)
        }
    }

    /// What two names of one thing have in common.
    pub(super) fn key(&self, name: &str) -> String {
        let kept = self.kept(name);
        if self.folds_case {
            kept.to_lowercase()
        } else {
            kept.into_owned()
        }
    }

    /// Why a name cannot be made.
    pub(super) fn refuses(&self, name: &str) -> Option<u16> {
        if name.len() > NAME_MAX {
            return Some(if self.nextcloud { 400 } else { 403 });
        }
        if !self.refuses_names {
            return None;
        }
        match name {
            _ if name.contains('\\') => Some(400),
            ".htaccess" => Some(403),
            _ if name.contains('\n') => Some(404),
            _ => None,
        }
    }

    /// Whether listings leave a name out.
    pub(super) fn hides(&self, name: &str) -> bool {
        self.hides_dot_files && name.starts_with('.')
            || self.hides_part_files && name.ends_with(".part")
    }
}

const NAME_MAX: usize = 255;
