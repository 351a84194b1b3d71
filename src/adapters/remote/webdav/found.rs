//! What stands at a path, as the server tells it, and as an entry.
//!
//! In: properties. Out: versions, fingerprints. Invariant: the same thing gives the same
//! fingerprint, whichever answer told of it; a tag is compared without quotes and without
//! the mark of weakness; a version that its tag may not tell from the next one is marked,
//! so that it is read once more when it has aged. Deliberately absent: asking.

use super::href::Target;
use super::multistatus::{Props, Response};
use journal_format::value::{Entry, Fingerprint, Identity, Kind, RemoteVersion};
use sync_core::spelling::is_one_name;

/// What stands at a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Found {
    Absent,
    Folder(Folder),
    File(Version),
    /// Something of which too little is known, or that may not be looked at.
    Odd,
}

/// A folder.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Folder {
    pub(super) id: Option<u64>,
    pub(super) etag: Option<String>,
    /// Whether something in it may have changed without another tag.
    pub(super) is_racy: bool,
}

/// A version of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Version {
    pub(super) size: u64,
    /// Seconds since 1970.
    pub(super) mtime: Option<i64>,
    /// Without quotes.
    pub(super) etag: Option<String>,
    pub(super) id: Option<u64>,
    /// Whether the next version might look the same.
    pub(super) is_racy: bool,
    /// After how many seconds it is old enough, where that can be told; 0 if it is.
    pub(super) ages_in_s: Option<u64>,
}

/// What has to be known to read properties.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reading {
    /// Whether each change gives another tag, however fast.
    pub(super) is_sharp: bool,
    /// Whether each change gives another tag to all folders above it, however fast.
    pub(super) is_deep: bool,
    /// The server's time in seconds.
    pub(super) now: Option<i64>,
}

impl Reading {
    /// Tells after how many seconds what changed at a time is old enough for its tag not
    /// to be the next version's as well; nothing when that cannot be told.
    fn ages_in(&self, mtime: Option<i64>) -> Option<u64> {
        let age_s = self.now?.saturating_sub(mtime?);
        // A time far ahead was set by somebody: the next change gets another one.
        let left_s = if age_s < -AHEAD_S {
            0
        } else {
            RACY_S.saturating_sub(age_s)
        };
        Some(u64::try_from(left_s).unwrap_or(0))
    }
}

impl Found {
    /// Reads what a response tells.
    pub(super) fn of(response: &Response, reading: Reading) -> Self {
        if response
            .status
            .is_some_and(|status| !(200..300).contains(&status))
        {
            return match response.status {
                Some(404 | 410) => Self::Absent,
                _ => Self::Odd,
            };
        }
        let props = &response.props;
        match (props.is_folder, props.size) {
            (Some(true), _) => Self::Folder(Folder {
                id: props.file_id,
                etag: tag(props),
                is_racy: !reading.is_deep
                    && reading
                        .ages_in(props.mtime)
                        .is_some_and(|left_s| left_s > 0),
            }),
            (Some(false), Some(size)) => Self::File(Version::of(props, size, reading)),
            (Some(false), None) | (None, _) => Self::Odd,
        }
    }

    /// Returns the bytes that it holds beside its own size.
    pub(super) fn bytes(&self) -> usize {
        let tag = match self {
            Self::Folder(folder) => folder.etag.as_ref(),
            Self::File(version) => version.etag.as_ref(),
            Self::Absent | Self::Odd => None,
        };
        tag.map_or(0, String::len)
    }

    /// Makes an entry; nothing when there is nothing to sync.
    pub(super) fn entry(&self) -> Option<Entry> {
        match self {
            Self::Folder(folder) => Some(folder_entry(folder)),
            Self::File(version) => Some(version.entry()),
            Self::Absent | Self::Odd => None,
        }
    }

    /// Tells whether it is the version that is expected. A fact that only one of the two
    /// has is no difference.
    pub(super) fn is_expected(&self, expect: &Fingerprint) -> bool {
        let Some(entry) = self.entry() else {
            return false;
        };
        let print = &entry.fingerprint;
        let same = |one: Option<&str>, other: Option<&str>| match (one, other) {
            (Some(one), Some(other)) => one == other,
            _ => true,
        };
        let same_object = match (print.identity, expect.identity) {
            (Some(one), Some(other)) => one == other,
            _ => true,
        };
        let same_time =
            print.mtime_ns == expect.mtime_ns || print.mtime_ns == 0 || expect.mtime_ns == 0;
        print.kind == expect.kind
            && same_object
            && (print.kind == Kind::Directory
                || print.size == expect.size && same_time && same(etag_of(print), etag_of(expect)))
    }
}

impl Version {
    /// Reads what properties tell.
    pub(super) fn of(props: &Props, size: u64, reading: Reading) -> Self {
        let ages_in_s = reading.ages_in(props.mtime);
        Self {
            size,
            mtime: props.mtime,
            etag: tag(props),
            id: props.file_id,
            is_racy: !reading.is_sharp && ages_in_s != Some(0),
            ages_in_s,
        }
    }

    /// Makes an entry of it.
    pub(super) fn entry(&self) -> Entry {
        let etag = self.etag.as_deref().unwrap_or_default();
        let version = if self.is_racy {
            format!("{etag}{RACY}")
        } else {
            etag.to_owned()
        };
        Entry {
            fingerprint: Fingerprint {
                kind: Kind::File,
                size: self.size,
                mtime_ns: self.mtime.unwrap_or(0).saturating_mul(1_000_000_000),
                identity: self.id.map(identity),
                version: RemoteVersion::new(version).ok(),
            },
            digest: None,
        }
    }
}

/// Makes an entry of a folder.
pub(super) fn folder_entry(folder: &Folder) -> Entry {
    Entry {
        fingerprint: Fingerprint {
            kind: Kind::Directory,
            size: 0,
            mtime_ns: 0,
            identity: folder.id.map(identity),
            version: None,
        },
        digest: None,
    }
}

/// Returns the tag in a fingerprint.
pub(super) fn etag_of(print: &Fingerprint) -> Option<&str> {
    let text = print.version.as_ref()?.as_str();
    let text = text.strip_suffix(RACY).unwrap_or(text);
    (!text.is_empty()).then_some(text)
}

/// Tells whether a fingerprint is of a version that is to be read once more.
pub(super) fn is_marked(print: &Fingerprint) -> bool {
    let version = print.version.as_ref();
    version.is_some_and(|version| version.as_str().ends_with(RACY))
}

/// Returns a tag without quotes and without the mark of weakness.
pub(super) fn bare_tag(text: &str) -> Option<String> {
    let text = text.trim();
    let text = text
        .strip_prefix("W/")
        .or_else(|| text.strip_prefix("w/"))
        .unwrap_or(text);
    let bare = text
        .strip_prefix('"')
        .and_then(|text| text.strip_suffix('"'));
    let bare = bare.unwrap_or(text);
    let is_fit = !bare.is_empty()
        && bare.len() <= TAG_BYTES_MAX
        && !bare.contains(|c: char| c.is_control() || c == '"');
    is_fit.then(|| bare.to_owned())
}

/// Tells which names of a folder's listing an href stands for.
pub(super) fn child_of<'a>(folder: &[&str], target: &'a Target) -> Result<Option<&'a str>, ()> {
    let (Target::Below(names) | Target::Odd(names, _)) = target;
    let is_below = names.len() >= folder.len()
        && folder
            .iter()
            .zip(names)
            .all(|(one, other)| is_one_name(one, other));
    if !is_below {
        return Err(());
    }
    let odd = match target {
        Target::Odd(_, name) => Some(name),
        Target::Below(_) => None,
    };
    match (&names[folder.len()..], odd) {
        ([], None) => Ok(None),
        ([], Some(name)) => Ok(Some(name)),
        ([name], None) => Ok(Some(name)),
        _ => Err(()),
    }
}

fn tag(props: &Props) -> Option<String> {
    props.etag.as_deref().and_then(bare_tag)
}

const fn identity(id: u64) -> Identity {
    Identity {
        device: 0,
        object: id,
        born_ns: 0,
    }
}

/// At the end of a version that may look like the next one.
const RACY: &str = "~young";
/// A change within the grain of the server's times, and the grain of its clock.
const RACY_S: i64 = 2;
/// Clocks that agree do not differ by more.
const AHEAD_S: i64 = 60;
const TAG_BYTES_MAX: usize = 400;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_are_compared_without_quotes_and_weakness() {
        let table = [
            ("\"5f-6\"", Some("5f-6")),
            ("W/\"5f-6\"", Some("5f-6")),
            ("5f-6", Some("5f-6")),
            ("\"\"", None),
            ("", None),
            ("\"a\"b\"", None),
        ];
        for (text, bare) in table {
            assert_eq!(bare_tag(text).as_deref(), bare, "{text}");
        }
    }

    #[test]
    fn a_young_version_is_marked_until_it_has_aged_unless_tags_are_sharp() {
        let response = |etag: Option<&str>| Response {
            props: Props {
                is_folder: Some(false),
                size: Some(3),
                mtime: Some(100),
                etag: etag.map(str::to_owned),
                ..Props::default()
            },
            ..Response::default()
        };
        let version = |etag, is_sharp, now| {
            let found = Found::of(
                &response(etag),
                Reading {
                    is_sharp,
                    is_deep: is_sharp,
                    now,
                },
            );
            let print = found.entry().expect("an entry").fingerprint;
            print.version.map(|version| version.as_str().to_owned())
        };
        assert_eq!(
            version(Some("\"a\""), true, Some(100)).as_deref(),
            Some("a")
        );
        assert_eq!(
            version(Some("a"), false, Some(101)).as_deref(),
            Some("a~young")
        );
        assert_eq!(version(Some("a"), false, Some(102)).as_deref(), Some("a"));
        assert_eq!(version(None, false, Some(90)).as_deref(), Some("~young"));
        assert_eq!(version(None, false, Some(200)), None);
        assert_eq!(version(Some("a"), false, None).as_deref(), Some("a~young"));
        let ahead = version(Some("a"), false, Some(100 - 61));
        assert_eq!(ahead.as_deref(), Some("a"));
        let found = |now| {
            let reading = Reading {
                is_sharp: false,
                is_deep: false,
                now: Some(now),
            };
            Found::of(&response(Some("a")), reading)
        };
        let young = found(100).entry().expect("an entry").fingerprint;
        assert!(found(200).is_expected(&young) && is_marked(&young));
    }
}
