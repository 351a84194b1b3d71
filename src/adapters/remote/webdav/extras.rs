//! What a server can do beside what changes rely on.
//!
//! In: a server. Out: facts for whoever reads the journal. Invariant: as of `powers`: tried
//! in the folder of probes, and what could not be tried is not there. Deliberately absent:
//! decisions; a range or a hash that comes back is compared where it is used, whatever
//! stands here. Leaves nothing behind. The next one is a field and a row.

use super::http::Ask;
use super::powers::Trial;
use crate::adapters::digest::Hasher;
use crate::adapters::http::header;
use crate::ports::PortResult;
use journal_format::value::DigestKind;
use reqwest::header::CONTENT_RANGE;
use serde_json::Value;

/// What a server can do, for the account of it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Extras {
    /// A part of a file comes alone.
    takes_ranges: bool,
    /// A hash that came with an upload is told again.
    keeps_hash: bool,
    /// It tells how many bytes are free.
    tells_quota: bool,
    /// What is deleted goes to a trash, as it says.
    has_trash: bool,
    /// It takes many files in one request, as it says. It is not used (0171).
    takes_bulk: bool,
}

impl Extras {
    /// Returns the facts by their names.
    pub(super) const fn facts(&self) -> [(&'static str, bool); 5] {
        [
            ("ranges", self.takes_ranges),
            ("checksums", self.keeps_hash),
            ("quota", self.tells_quota),
            ("trash", self.has_trash),
            ("bulk_upload", self.takes_bulk),
        ]
    }

    /// Reads facts that were kept; nothing when one is missing.
    pub(super) fn recalled(value: impl Fn(&str) -> Option<bool>) -> Option<Self> {
        Some(Self {
            takes_ranges: value("ranges")?,
            keeps_hash: value("checksums")?,
            tells_quota: value("quota")?,
            has_trash: value("trash")?,
            takes_bulk: value("bulk_upload")?,
        })
    }
}

impl Trial<'_> {
    /// Tries the rest. `told` is what the server says of itself.
    pub(super) async fn extras(&self, told: &Value) -> PortResult<Extras> {
        let server = self.server;
        let mut hasher = Hasher::new(DigestKind::Sha1);
        hasher.update(TEXT.as_bytes());
        let sum = super::chunks::checksum(&hasher.finish()).unwrap_or_default();
        self.put("r", TEXT, &[("OC-Checksum", sum.clone())]).await?;
        let (_, props) = server.look_closer(&self.at("r")).await?;
        let sums = props.checksums.unwrap_or_default();
        let ask = Ask::read("GET", server.base.url(&self.at("r"), false));
        let part = server.http.fetch(&ask.with("Range", "bytes=2-4")).await?;
        let range = header(&part.headers, &CONTENT_RANGE);
        let is_part = part.status == 206 && range.starts_with("bytes 2-4/");
        Ok(Extras {
            takes_ranges: is_part && part.body == TEXT.as_bytes()[2..5],
            keeps_hash: sums.split_ascii_whitespace().any(|one| one == sum),
            tells_quota: server.told_room().await?.is_some(),
            has_trash: told["files"]["undelete"] == Value::Bool(true),
            takes_bulk: told["dav"]["bulkupload"].is_string(),
        })
    }
}

const TEXT: &str = "0123456789";
