//! How servers differ, as data: each field is one thing that was seen to differ.
//!
//! In: a preset, changed field by field. Out: [`Quirks`], which the other rooms ask.
//! Invariant: no room asks for a server by name. Deliberately absent: faults, which come
//! and go. The next one: a field here, its value in each preset, one line where it counts.

use std::time::Duration;

/// How a server behaves. Start from a preset and change what a test is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Quirks {
    /// The name in its `Server` header.
    pub name: &'static str,
    /// The header `DAV` of `OPTIONS`.
    pub dav: &'static str,
    /// What a folder's path without a slash at the end gives.
    pub mkcol_without_slash: Option<u16>,
    /// The same for DELETE.
    pub delete_folder_without_slash: Option<u16>,
    /// The same for MOVE.
    pub move_folder_without_slash: Option<u16>,
    /// MKCOL where something is.
    pub mkcol_existing: u16,
    /// MKCOL where a file is.
    pub mkcol_on_file: u16,
    /// PUT without a parent folder.
    pub put_no_parent: u16,
    /// MOVE to a place without a parent folder.
    pub move_no_parent: u16,
    /// Whether MOVE makes the folders that are missing.
    pub move_makes_parents: bool,
    /// Whether MOVE of a file to where a folder is puts it into that, whatever `Overwrite`.
    pub move_into_folders: bool,
    /// MOVE of what is not there.
    pub move_nothing: u16,
    /// PUT onto a folder.
    pub put_on_folder: u16,
    /// PUT over a file.
    pub put_over: u16,
    /// Whether a PUT that breaks off leaves what came of it at the name.
    pub put_in_place: bool,
    /// MOVE of a file to a free place.
    pub move_file: u16,
    /// GET of a folder without a slash at the end; 301 leads to the one with it.
    pub get_folder: u16,
    /// GET of a folder with a slash; 200 is a page about it.
    pub get_folder_slash: u16,
    /// Whether PUT answers with an ETag.
    pub put_etag: bool,
    /// How the ETags of files are made.
    pub file_etags: FileEtags,
    /// Whether listings tell them; GET may all the same.
    pub listed_etags: bool,
    /// How they are written in a listing.
    pub quotes: Quotes,
    /// What folders have.
    pub folder_etags: FolderEtags,
    /// Whether a folder's time changes with everything below it.
    pub deep_mtime: bool,
    /// Whether writing over a file changes its folder's time.
    pub overwrite_touches_folder: bool,
    /// Whether `If-Match`, `If-None-Match` and `If` are looked at before a change.
    pub conditions: bool,
    /// Whether `Range` is.
    pub ranges: bool,
    /// What a PUT with `Content-Range` does.
    pub content_range: ContentRange,
    /// What `X-OC-Mtime` does.
    pub oc_mtime: OcMtime,
    /// Whether `OC-Checksum` is kept (never compared) and told.
    pub oc_checksum: bool,
    /// Whether PUT answers with `OC-ETag` and `OC-FileId`, and listings know ids.
    pub file_ids: bool,
    /// Whether `Depth: infinity` is answered, not refused.
    pub infinity: bool,
    /// Whether names that begin with a dot are left out of listings.
    pub hides_dot_files: bool,
    /// Whether names that end in `.part` are.
    pub hides_part_files: bool,
    /// Whether `\`, `.htaccess` and line ends in names are refused.
    pub refuses_names: bool,
    /// Whether NFC and NFD spellings are one name, listed as NFC.
    pub composes_names: bool,
    /// Whether names that differ in case are one.
    pub folds_case: bool,
    /// Whether LOCK works.
    pub locks: bool,
    /// Bytes that all files may have together; listings tell what is left.
    pub quota: Option<u64>,
    /// Whether listings tell a quota without end, as `-3`.
    pub quota_unlimited: bool,
    /// The largest body; beyond it 413.
    pub body_max: Option<u64>,
    /// Whether a body of unknown length is refused (411).
    pub length_required: bool,
    /// What REPORT gives.
    pub report: u16,
    /// What listings call things.
    pub hrefs: Hrefs,
    /// The prefix of `DAV:` in answers; empty for the default namespace.
    pub prefix: &'static str,
    /// Whether properties that are not there are told, with 404.
    pub tells_missing: bool,
    /// Whether GET and PROPFIND of a folder without a slash are redirected, and how.
    pub redirects: Redirects,
    /// Nextcloud's own: `remote.php`, chunks, bulk, login flow, sessions.
    pub nextcloud: bool,
    /// Whether files can be sent in numbered parts.
    pub chunks: bool,
    /// Whether the MOVE that ends it looks at `If` and `Overwrite: F`.
    pub chunk_conditions: bool,
    /// Smallest part of a chunked upload but for the last.
    pub chunk_min: u64,
    /// The largest part that the capabilities name.
    pub chunk_max: Option<u64>,
    /// Whether many small files go into one request.
    pub bulk: bool,
    /// What a request with the account's password costs without a session.
    pub login_cost: Duration,
}

/// How ETags of files come to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileEtags {
    /// From size and microsecond, weak while the change is younger than a second.
    Aging,
    /// From second and size.
    Seconds,
    /// From time (as set by a client, too) and size, nanoseconds fine.
    TimeAndSize,
    /// One of two, by turns.
    ByTurns,
    /// Weak for ever.
    Weak,
    /// From identity, second and size.
    IdentitySeconds,
    /// New with each change.
    Change,
    /// New with each change, but every other time an overwrite of the same size within
    /// one second keeps it.
    MostChanges,
}

/// How ETags are written in a listing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Quotes {
    /// As in a header.
    Plain,
    /// Without any.
    None,
    /// As `&quot;`.
    Escaped,
}

/// ETags of folders.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FolderEtags {
    /// None.
    None,
    /// There, but empty.
    Empty,
    /// Of the folder's own time: weak for a second, blind to what is deeper.
    Own,
    /// New with every change below, up to the root.
    Deep,
}

/// What a PUT with `Content-Range` does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ContentRange {
    /// The range is written, the rest stays.
    Applied,
    /// Refused with this status.
    Refused(u16),
    /// The body becomes the whole file.
    Ignored,
}

/// What `X-OC-Mtime` does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OcMtime {
    /// Nothing.
    Ignored,
    /// Sets the time, without a word.
    Silent,
    /// Sets the time and says so.
    Accepted,
}

/// Whether a missing slash is told by a redirect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Redirects {
    /// Never for PROPFIND.
    None,
    /// PROPFIND of a folder without a slash is sent to the one with it, with 301.
    Slash,
}

/// How listings write paths.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hrefs {
    /// How they are encoded.
    pub percent: Percent,
    /// Whether folders end in a slash.
    pub folder_slash: bool,
    /// Whether the folder that was asked for is called as it was asked for.
    pub own_as_asked: bool,
    /// Whether they are whole URLs.
    pub absolute: bool,
}

/// What is written as `%XX`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Percent {
    /// What is not, beside letters, digits and `-._~`.
    pub plain: &'static str,
    /// Whether the digits are small letters.
    pub lower: bool,
}

impl Percent {
    /// As little as a URL needs left alone.
    pub const STRICT: Self = Self {
        plain: "",
        lower: false,
    };
}
