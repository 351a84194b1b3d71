//! A node as XML, with the attributes that listings and diffs show.
//!
//! In: a path and what lies there. Out: one element, or its attributes. Invariant: the
//! attributes that a client may read are those of a real server; those for a browser
//! are there with plausible values. Deliberately absent: children.

use std::fs::Metadata;
use std::os::unix::fs::MetadataExt as _;

use super::answer::escape;
use super::names::{self, PART};

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
    let folder = stat.is_dir();
    let text = format!(" text=\"{}\"", escape(names::base(path)));
    let child = matches!(style, Style::Child | Style::Short);
    // The real server's order, which depends on where the name was looked up.
    let (first, second, last) = match (child, folder) {
        (true, true) => (text.as_str(), "", ""),
        (true, false) => ("", text.as_str(), ""),
        (false, _) => ("", "", text.as_str()),
    };
    let shown = escape(if path == "/" { "" } else { path });
    let middle = if matches!(style, Style::Short | Style::ShortRoot) {
        let size = if folder { 0 } else { stat.size() };
        format!(" bytesize=\"{size}\" ajxp_modiftime=\"{}\"", stat.mtime())
    } else {
        described(path, stat, style)
    };
    format!(
        "{first} is_file=\"{}\"{second} filename=\"{shown}\"{middle}{more}{last} ajxp_im_time=\"{}\"",
        !folder,
        stat.mtime()
    )
}

/// The long attributes between name and text.
fn described(path: &str, stat: &Metadata, style: Style) -> String {
    let folder = stat.is_dir();
    let size = if folder { 0 } else { stat.size() };
    let kind = Kind::of(path, folder);
    let when = |wanted: bool, text: String| if wanted { text } else { String::new() };
    let mime = kind
        .mime
        .map_or_else(String::new, |mime| format!(" ajxp_mime=\"{mime}\""));
    format!(
        " mimestring_id=\"{}\" icon=\"{}\" fonticon=\"{}\"{}{} file_group=\"1\" file_owner=\"1\" \
         ajxp_readonly=\"false\" file_perms=\"0{:o}\" ajxp_modiftime=\"{}\" \
         ajxp_relativetime=\"Modified today\" ajxp_description=\"Modified today\" \
         bytesize=\"{size}\" filesize=\"{}\"{}{}",
        kind.id,
        kind.icon,
        kind.font,
        when(folder, " openicon=\"folder_open.png\"".to_owned()),
        when(folder, mime.clone()),
        stat.mode() & 0o777,
        stat.mtime(),
        human(size),
        when(!folder, mime),
        when(
            !folder || style != Style::Root,
            format!(" mimestring=\"{}\"", kind.mimestring)
        ),
    )
}

/// A node as an empty element.
pub(super) fn element(path: &str, stat: &Metadata, style: Style, more: &str) -> String {
    format!("<tree{}/>", attributes(path, stat, style, more))
}

/// The same with another path: `shown` is what the server makes of it.
pub(super) fn renamed(element: &str, path: &str, shown: &str) -> String {
    let filename = |path: &str| format!(" filename=\"{}\"", escape(path));
    element.replacen(&filename(path), &filename(shown), 1)
}

/// The bin as listings show it, without what is in it.
pub(super) fn bin_attributes(bin: &str, stat: &Metadata, full: bool) -> String {
    let icon = if full {
        "trashcan_full.png"
    } else {
        "trashcan.png"
    };
    format!(
        " text=\"Recycle Bin\" is_file=\"false\" filename=\"{1}\" icon=\"{icon}\" \
         fonticon=\"delete\" mimestring=\"Recycle Bin\" ajxp_mime=\"ajxp_recycle\" \
         file_group=\"1\" file_owner=\"1\" ajxp_readonly=\"false\" file_perms=\"0755\" \
         ajxp_modiftime=\"{0}\" ajxp_relativetime=\"Modified today\" \
         ajxp_description=\"Modified today\" bytesize=\"0\" filesize=\"-\"",
        stat.mtime(),
        escape(bin)
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
