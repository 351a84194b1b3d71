//! ETags and dates: what a version of a node is called.
//!
//! In: a node, the time, quirks. Out: an ETag. Invariant: the same node at the same time
//! has the same one, whoever asks. Deliberately absent: comparing, see `conditions`.

use std::fmt;

use md5::{Digest as _, Md5};

use super::digest::hex;
use super::quirks::{FileEtags, FolderEtags, Quirks, Quotes};
use super::tree::Node;

/// An ETag without its quotes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Etag {
    pub(super) weak: bool,
    pub(super) value: String,
}

impl fmt::Display for Etag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}\"{}\"", if self.weak { "W/" } else { "" }, self.value)
    }
}

impl Etag {
    const fn strong(value: String) -> Self {
        Self { weak: false, value }
    }

    /// As the element `getetag` holds it, ready for XML.
    pub(super) fn listed(&self, quotes: Quotes) -> String {
        match quotes {
            _ if self.value.is_empty() => String::new(),
            Quotes::Plain => self.to_string(),
            Quotes::None => self.value.clone(),
            Quotes::Escaped => self.to_string().replace('"', "&quot;"),
        }
    }
}

impl Quirks {
    /// The ETag of a node as it is now.
    pub(super) fn etag(&self, node: &Node, now: u64) -> Option<Etag> {
        let is_young = now.saturating_sub(node.mtime) <= SECOND_US;
        if node.is_folder() {
            return match self.folder_etags {
                FolderEtags::None => None,
                FolderEtags::Empty => Some(Etag::strong(String::new())),
                FolderEtags::Own => Some(Etag {
                    weak: is_young,
                    value: format!("1000-{:x}", node.mtime),
                }),
                FolderEtags::Deep => Some(Etag::strong(format!("{:013x}", node.seed))),
            };
        }
        let (second, size) = (node.mtime / SECOND_US, node.len());
        Some(match self.file_etags {
            FileEtags::Aging => Etag {
                weak: is_young,
                value: format!("{size:x}-{:x}", node.mtime),
            },
            FileEtags::Seconds => Etag::strong(format!("{second:x}-{size:x}")),
            FileEtags::TimeAndSize => Etag::strong(format!("{:x}{size:x}", node.mtime * 1000)),
            FileEtags::ByTurns => Etag::strong(format!("{}", node.turns % 2)),
            FileEtags::Weak => Etag {
                weak: true,
                value: format!("{size:x}-{:x}", node.seed),
            },
            FileEtags::IdentitySeconds => {
                Etag::strong(format!("{}-{second}-{size}", node.id + 10_000_000))
            }
            FileEtags::Change | FileEtags::MostChanges => {
                let text = format!("{} {}", node.id, node.seed);
                Etag::strong(hex(&Md5::digest(text)))
            }
        })
    }
}

/// A time as HTTP writes it.
pub(super) fn http_date(us: u64) -> String {
    let time = std::time::UNIX_EPOCH + std::time::Duration::from_secs(us / SECOND_US);
    httpdate::fmt_http_date(time)
}

/// A time as `creationdate` has it.
pub(super) fn iso_date(us: u64) -> String {
    // `Sun, 06 Nov 1994 08:49:37 GMT`
    let date = http_date(us);
    let months = "JanFebMarAprMayJunJulAugSepOctNovDec";
    let month = months.find(&date[8..11]).unwrap_or(0) / 3 + 1;
    format!(
        "{}-{month:02}-{}T{}Z",
        &date[12..16],
        &date[5..7],
        &date[17..25]
    )
}

pub(super) const SECOND_US: u64 = 1_000_000;
