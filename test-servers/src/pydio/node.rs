//! A node as XML, with the attributes that listings and diffs show.
//!
//! In: a path and what lies there. Out: one element, or its attributes. Invariant: the
//! attributes that a client may read are those of a real server; those for a browser
//! are there with plausible values. Deliberately absent: children.

use std::fs::Metadata;
use std::os::unix::fs::MetadataExt as _;

use super::answer::escape;
use super::names::{self, BIN, PART};

/// How much is shown, and in which order.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Style {
    /// The folder that is listed, and folders in a recursive listing.
    Root,
    /// A child in a listing.
    Child,
    /// A node in a diff.
    Diff,
    /// Few attributes: a listing without `l`.
    Short,
    /// The same for the folder that is listed.
    ShortRoot,
}

/// The attributes of a node, with a space before each.
pub(super) fn attributes(path: &str, stat: &Metadata, style: Style, more: &str) -> String {
    let name = escape(names::base(path));
    let shown = escape(if path == "/" { "" } else { path });
    let folder = stat.is_dir();
    let size = if folder { 0 } else { stat.size() };
    let mtime = stat.mtime();
    if matches!(style, Style::Short | Style::ShortRoot) {
        let text = format!(" text=\"{name}\"");
        let (before, after) = match (style, folder) {
            (Style::ShortRoot, _) => ("", text.as_str()),
            (_, true) => (text.as_str(), ""),
            (_, false) => ("", ""),
        };
        let middle = if style == Style::Short && !folder {
            text.as_str()
        } else {
            ""
        };
        return format!(
            "{before} is_file=\"{}\"{middle} filename=\"{shown}\" bytesize=\"{size}\" \
             ajxp_modiftime=\"{mtime}\"{after} ajxp_im_time=\"{mtime}\"",
            !folder
        );
    }
    let kind = Kind::of(path, folder);
    let text = format!(" text=\"{name}\"");
    let before = if style == Style::Child {
        text.as_str()
    } else {
        ""
    };
    let after = if style == Style::Child {
        ""
    } else {
        text.as_str()
    };
    let mimestring = match (style, kind.mimestring) {
        (Style::Root, _) if folder => String::new(),
        (_, mimestring) => format!(" mimestring=\"{mimestring}\""),
    };
    let open = if folder {
        " openicon=\"folder_open.png\""
    } else {
        ""
    };
    let mime = kind
        .mime
        .map_or_else(String::new, |mime| format!(" ajxp_mime=\"{mime}\""));
    let (mime_first, mime_last) = if folder {
        (mime.as_str(), "")
    } else {
        ("", mime.as_str())
    };
    format!(
        "{before} is_file=\"{}\" filename=\"{shown}\" mimestring_id=\"{}\" icon=\"{}\" \
         fonticon=\"{}\"{open}{mime_first} file_group=\"1\" file_owner=\"1\" \
         ajxp_readonly=\"false\" file_perms=\"0{:o}\" ajxp_modiftime=\"{mtime}\" \
         ajxp_relativetime=\"Modified today\" ajxp_description=\"Modified today\" \
         bytesize=\"{size}\" filesize=\"{}\"{mime_last}{mimestring}{more}{after} ajxp_im_time=\"{mtime}\"",
        !folder,
        kind.id,
        kind.icon,
        kind.font,
        stat.mode() & 0o777,
        human(size),
    )
}

/// A node as an empty element.
pub(super) fn element(path: &str, stat: &Metadata, style: Style, more: &str) -> String {
    format!("<tree{}/>", attributes(path, stat, style, more))
}

/// The bin as listings show it, without what is in it.
pub(super) fn bin_attributes(stat: &Metadata, full: bool) -> String {
    let icon = if full {
        "trashcan_full.png"
    } else {
        "trashcan.png"
    };
    format!(
        " text=\"Recycle Bin\" is_file=\"false\" filename=\"{BIN}\" icon=\"{icon}\" \
         fonticon=\"delete\" mimestring=\"Recycle Bin\" ajxp_mime=\"ajxp_recycle\" \
         file_group=\"1\" file_owner=\"1\" ajxp_readonly=\"false\" file_perms=\"0755\" \
         ajxp_modiftime=\"{0}\" ajxp_relativetime=\"Modified today\" \
         ajxp_description=\"Modified today\" bytesize=\"0\" filesize=\"-\"",
        stat.mtime()
    )
}

/// What `rename` with `dest` shows: the server looks at the wrong path and finds nothing.
pub(super) fn nowhere(path: &str, original: &str) -> String {
    format!(
        "<tree is_file=\"false\" filename=\"{}/\" mimestring_id=\"8\" icon=\"folder.png\" \
         fonticon=\"folder\" openicon=\"folder_open.png\" ajxp_mime=\"ajxp_folder\" \
         file_group=\"1\" file_owner=\"1\" ajxp_readonly=\"true\" file_perms=\"0000\" \
         ajxp_modiftime=\"0\" ajxp_relativetime=\"Modified on November, 22nd \" \
         ajxp_description=\"Modified on November, 22nd \" bytesize=\"0\" filesize=\"-\" \
         mimestring=\"Directory\" original_path=\"{}\" text=\"{}\"/>",
        escape(path),
        escape(original),
        escape(names::base(path))
    )
}

struct Kind {
    id: u8,
    icon: &'static str,
    font: &'static str,
    mime: Option<&'static str>,
    mimestring: &'static str,
}

impl Kind {
    const fn new(
        id: u8,
        icon: &'static str,
        font: &'static str,
        mime: Option<&'static str>,
        mimestring: &'static str,
    ) -> Self {
        Self {
            id,
            icon,
            font,
            mime,
            mimestring,
        }
    }

    fn of(path: &str, folder: bool) -> Self {
        if folder {
            return Self::new(8, "folder.png", "folder", Some("ajxp_folder"), "Directory");
        }
        if path.ends_with(PART) {
            return Self::new(23, "mime_empty.png", "file", None, "Partial file");
        }
        match path.rsplit_once('.').map(|(_, extension)| extension) {
            Some("txt") => Self::new(10, "txt2.png", "file-document", None, "Text file"),
            Some("zip") => {
                let mime = Some("ajxp_browsable_archive");
                Self::new(19, "zip.png", "archive", mime, "ZIP file")
            }
            _ => Self::new(23, "mime_empty.png", "file", None, "File"),
        }
    }
}

fn human(bytes: u64) -> String {
    const UNITS: [&str; 5] = ["KB", "MB", "GB", "TB", "PB"];
    if bytes == 0 {
        return "-".to_owned();
    }
    if bytes < 1024 {
        return format!("{bytes} B");
    }
    let mut hundredths = u128::from(bytes) * 100 / 1024;
    let mut unit = 0;
    while hundredths >= 102_400 && unit + 1 < UNITS.len() {
        hundredths /= 1024;
        unit += 1;
    }
    let (whole, part) = (hundredths / 100, hundredths % 100);
    let text = if part == 0 {
        whole.to_string()
    } else {
        format!("{whole}.{part:02}")
    };
    format!("{} {}", text, UNITS[unit])
}
