//! The servers that were looked at, as values.
//!
//! In: nothing. Out: one [`Quirks`] a server. Invariant: each value was seen (Apache
//! 2.4.71, nginx 1.22.1 with dav-ext 3.0.0, rclone 1.75.2 and 1.60.1, WsgiDAV 4.4.0,
//! Nextcloud 29.0.6). Deliberately absent: servers that nobody looked at.

use std::time::Duration;

use super::quirks::{
    ContentRange, FileEtags, FolderEtags, Hrefs, OcMtime, Percent, Quirks, Quotes, Redirects,
};

/// A name and what it stands for.
pub type Preset = (&'static str, fn() -> Quirks);

impl Quirks {
    /// The server that one would wish for: conditions, strong ETags, nothing strange.
    #[must_use]
    pub const fn none() -> Self {
        Self {
            name: "plain",
            dav: "1, 2",
            mkcol_without_slash: None,
            delete_folder_without_slash: None,
            move_folder_without_slash: None,
            mkcol_existing: 405,
            mkcol_on_file: 405,
            put_no_parent: 409,
            move_no_parent: 409,
            move_makes_parents: false,
            move_into_folders: false,
            move_nothing: 404,
            put_on_folder: 405,
            put_over: 204,
            put_in_place: false,
            move_file: 201,
            get_folder: 405,
            get_folder_slash: 405,
            put_etag: true,
            file_etags: FileEtags::Change,
            listed_etags: true,
            quotes: Quotes::Plain,
            folder_etags: FolderEtags::None,
            deep_mtime: false,
            overwrite_touches_folder: false,
            conditions: true,
            ranges: true,
            content_range: ContentRange::Refused(400),
            oc_mtime: OcMtime::Ignored,
            oc_checksum: false,
            file_ids: false,
            infinity: true,
            hides_dot_files: false,
            hides_part_files: false,
            refuses_names: false,
            composes_names: false,
            folds_case: false,
            locks: true,
            quota: None,
            quota_unlimited: false,
            body_max: None,
            length_required: false,
            report: 405,
            hrefs: Hrefs {
                percent: Percent::STRICT,
                folder_slash: true,
                own_as_asked: false,
                absolute: false,
            },
            prefix: "D",
            tells_missing: true,
            redirects: Redirects::None,
            nextcloud: false,
            chunks: false,
            chunk_conditions: false,
            chunk_min: 0,
            chunk_max: None,
            bulk: false,
            login_cost: Duration::ZERO,
        }
    }

    /// Apache with `mod_dav_fs`: weak ETags that age, conditions honoured.
    #[must_use]
    pub const fn apache() -> Self {
        Self {
            name: "Apache/2.4.71 (Debian)",
            dav: "1, 2, <http://apache.org/dav/propset/fs/1>",
            mkcol_on_file: 400,
            move_no_parent: 500,
            put_on_folder: 409,
            get_folder: 404,
            get_folder_slash: 404,
            put_etag: false,
            file_etags: FileEtags::Aging,
            folder_etags: FolderEtags::Own,
            overwrite_touches_folder: true,
            content_range: ContentRange::Applied,
            infinity: false,
            report: 501,
            hrefs: Hrefs {
                percent: Percent {
                    plain: "!$&'()*+,;:@=",
                    lower: true,
                },
                ..Self::none().hrefs
            },
            prefix: "lp1",
            ..Self::none()
        }
    }

    /// nginx with dav-ext: no ETags in listings, no conditions, slashes wanted.
    #[must_use]
    pub const fn nginx() -> Self {
        Self {
            name: "nginx/1.22.1",
            dav: "2",
            mkcol_without_slash: Some(409),
            delete_folder_without_slash: Some(409),
            move_folder_without_slash: Some(400),
            put_no_parent: 500,
            move_makes_parents: true,
            put_on_folder: 409,
            move_file: 204,
            get_folder: 301,
            get_folder_slash: 403,
            put_etag: false,
            file_etags: FileEtags::Seconds,
            listed_etags: false,
            overwrite_touches_folder: true,
            conditions: false,
            content_range: ContentRange::Refused(501),
            infinity: false,
            hides_dot_files: true,
            hrefs: Hrefs {
                percent: Percent {
                    plain: "!$&'()*+,;:@=",
                    lower: false,
                },
                own_as_asked: true,
                ..Self::none().hrefs
            },
            tells_missing: false,
            ..Self::none()
        }
    }

    /// `rclone serve webdav`: ETags from time and size, no conditions.
    #[must_use]
    pub const fn rclone() -> Self {
        Self {
            name: "rclone/v1.75.2",
            mkcol_existing: 201,
            put_over: 201,
            put_in_place: true,
            put_on_folder: 404,
            move_no_parent: 403,
            move_nothing: 403,
            get_folder_slash: 200,
            file_etags: FileEtags::TimeAndSize,
            folder_etags: FolderEtags::Empty,
            conditions: false,
            content_range: ContentRange::Ignored,
            oc_mtime: OcMtime::Silent,
            composes_names: true,
            hrefs: Hrefs {
                percent: Percent {
                    plain: "$&+,;:@=",
                    lower: false,
                },
                ..Self::none().hrefs
            },
            ..Self::none()
        }
    }

    /// `WsgiDAV`: ETags from inode, second and size, without quotes in listings.
    #[must_use]
    pub const fn wsgidav() -> Self {
        Self {
            name: "WsgiDAV/4.4.0",
            dav: "1,2",
            put_in_place: true,
            get_folder: 301,
            get_folder_slash: 200,
            file_etags: FileEtags::IdentitySeconds,
            quotes: Quotes::None,
            quota: Some(1 << 40),
            hrefs: Hrefs {
                percent: Percent {
                    plain: "!*'(),$|",
                    lower: false,
                },
                ..Self::none().hrefs
            },
            prefix: "ns0",
            ..Self::none()
        }
    }

    /// Nextcloud: folder ETags up to the root, ids, checksums, chunks, bulk, login flow.
    #[must_use]
    pub const fn nextcloud() -> Self {
        Self {
            name: "Apache",
            dav: "1, 3, extended-mkcol, access-control, calendarserver-principal-property-search, \
                  nextcloud-checksum-update, nc-calendar-search, oc-resource-sharing",
            put_no_parent: 404,
            put_on_folder: 409,
            get_folder: 501,
            get_folder_slash: 501,
            file_etags: FileEtags::MostChanges,
            quotes: Quotes::Escaped,
            folder_etags: FolderEtags::Deep,
            deep_mtime: true,
            oc_mtime: OcMtime::Accepted,
            oc_checksum: true,
            file_ids: true,
            hides_part_files: true,
            refuses_names: true,
            composes_names: true,
            locks: false,
            quota_unlimited: true,
            report: 415,
            prefix: "d",
            nextcloud: true,
            chunks: true,
            chunk_conditions: true,
            bulk: true,
            ..Self::none()
        }
    }

    /// All presets by the name that a command line has for them.
    pub const PRESETS: [Preset; 6] = [
        ("plain", Self::none),
        ("apache", Self::apache),
        ("nginx", Self::nginx),
        ("rclone", Self::rclone),
        ("wsgidav", Self::wsgidav),
        ("nextcloud", Self::nextcloud),
    ];
}
