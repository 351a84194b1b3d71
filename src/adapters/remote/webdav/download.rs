//! Reading a file: every byte of one version, or an error.
//!
//! In: a path and the version that is expected. Out: its content in pieces. Invariant:
//! the last piece is given only after the length and the path were compared, where the
//! answer's own headers do not prove the version (0190); an answer
//! of another version, or that is no content, is never taken for it. Deliberately
//! absent: where it goes. Leaves nothing behind.

use super::Inner;
use super::found::{Found, bare_tag, etag_of, is_marked};
use super::http::{Ask, Reply, strange};
use super::multistatus::seconds;
use super::powers::Powers;
use super::put::SMALL_BYTES;
use super::young::COMPARED_BYTES_MAX;
use crate::adapters::digest::Hasher;
use crate::adapters::http::{Bucket, Download, Fetched, Opened, Whole, header, unsupported};
use crate::ports::{PortError, PortResult, Source};
use journal_format::event::FailureClass;
use journal_format::value::{Digest, DigestKind, Entry, Fingerprint, Kind, RelPath};
use reqwest::header::{CONTENT_ENCODING, CONTENT_RANGE, ETAG, LAST_MODIFIED};
use std::cell::Cell;
use std::rc::Rc;
use tokio::sync::OwnedSemaphorePermit;

/// A version that is read.
struct Wanted {
    inner: Rc<Inner>,
    path: RelPath,
    entry: Entry,
    /// Whether the one answer that it came with proves its version.
    is_proved: bool,
    claim: Option<String>,
    _turn: Option<OwnedSemaphorePermit>,
}

/// A content, and what its headers say of it.
struct Told {
    opened: Opened,
    /// Whether they prove that all of it is of the expected version.
    is_proved: bool,
    /// What is claimed of its hash.
    claim: Option<String>,
}

impl Inner {
    /// Opens what is expected at a path.
    pub(super) async fn source(
        self: &Rc<Self>,
        path: &RelPath,
        expect: &Fingerprint,
    ) -> PortResult<Box<dyn Source>> {
        if expect.kind != Kind::File {
            return Err(unsupported(format!("`{path}` is no file")));
        }
        let turn = self.server.readers.take(expect.size).await;
        let leaves_out = self.leaves_looks_out(expect).await;
        // Of what is large the beginning may be known.
        let first = match expect.size {
            ..=SMALL_BYTES => Some(self.content(path, expect, 0).await?),
            _ => None,
        };
        let is_proved = first.as_ref().is_some_and(|told| told.is_proved);
        let (opened, claim) = match first {
            Some(Told { opened, claim, .. }) => (Some(opened), claim),
            None => (None, None),
        };
        let wanted = Wanted {
            _turn: turn,
            is_proved: leaves_out && is_proved,
            claim,
            inner: Rc::clone(self),
            path: path.clone(),
            entry: Entry {
                fingerprint: expect.clone(),
                digest: None,
            },
        };
        let hasher = self
            .needs_hash(expect)
            .then(|| Hasher::new(self.server.digest));
        Ok(Box::new(Download::new(wanted, opened, hasher)))
    }

    /// Tells whether a hash is compared later, or with what is claimed. Whoever reads a
    /// large file hashes it already.
    fn needs_hash(&self, expect: &Fingerprint) -> bool {
        let is_used = is_marked(expect) || self.server.is_oc.get();
        is_used && expect.size <= COMPARED_BYTES_MAX
    }

    /// Learns the hash of what is expected at a path, by reading it: a hash that is stored
    /// with it is what some client claimed.
    pub(super) async fn hash(
        self: &Rc<Self>,
        path: &RelPath,
        expect: &Fingerprint,
        kind: DigestKind,
    ) -> PortResult<Entry> {
        if expect.kind != Kind::File {
            return Err(unsupported(format!("`{path}` is no file")));
        }
        let mut source = self.source(path, expect).await?;
        let mut hasher = Hasher::new(kind);
        while let Some(piece) = source.read().await? {
            hasher.update(&piece);
        }
        Ok(Entry {
            fingerprint: expect.clone(),
            digest: Some(hasher.finish()),
        })
    }

    /// Asks for content from a byte on, of the expected version only.
    async fn content(&self, path: &RelPath, expect: &Fingerprint, from: u64) -> PortResult<Told> {
        let http = &self.server.http;
        let mut ask = Ask::read("GET", self.server.base.url(path.as_str(), false))
            .with("Accept-Encoding", "identity");
        if from > 0 {
            ask = ask.with("Range", format!("bytes={from}-"));
            if let Some(tag) = etag_of(expect) {
                ask = ask.with("If-Range", format!("\"{tag}\""));
            }
        }
        let reply = http.open(&ask).await?;
        let status = reply.status;
        let headers = &reply.headers;
        let range = header(headers, &CONTENT_RANGE);
        let skip = match status {
            200 => from,
            206 if from > 0 && range.starts_with(&format!("bytes {from}-")) => 0,
            404 | 409 | 410 => return Err(PortError::precondition(format!("`{path}` is absent"))),
            403 => {
                let text = format!("`{path}` may not be read");
                return Err(PortError::new(FailureClass::Denied, text));
            }
            // The range is not there: it became shorter.
            416 => return Err(changed(path)),
            405 => return Err(changed(path)),
            status => return Err(strange(&format!("no content came (status {status})"))),
        };
        if !header(headers, &CONTENT_ENCODING).is_empty() {
            return Err(strange("the server packed a file although nobody asked"));
        }
        let told = Likeness::of(&reply, expect);
        if told.is_nothing() {
            // As a login page is, which would then be gone on with.
            return Err(strange("an answer came that says nothing of its version"));
        }
        if told.is_other() {
            drop(reply);
            // It may be another one by now.
            let found = self.server.look(path.as_str()).await?;
            self.expect(path, &found, expect)?;
            if told.length == Some(false) {
                return Err(strange(
                    "a file came with another length than its listing has",
                ));
            }
            let reply = http.open(&ask).await?;
            let again = Likeness::of(&reply, expect);
            if reply.status != status || !self.server.accord.allows(again) {
                return Err(strange(
                    "the content is of another version than the listing",
                ));
            }
            return Ok(Told {
                opened: Opened { reply, skip },
                is_proved: false,
                claim: None,
            });
        }
        self.server.accord.note(told);
        let claim = headers.get("oc-checksum").and_then(|sum| sum.to_str().ok());
        Ok(Told {
            is_proved: status == 200 && told.proves(expect),
            claim: claim.map(str::to_owned),
            opened: Opened { reply, skip },
        })
    }

    /// Tells whether the headers of a content may stand for the look after it: what is
    /// small and has aged, on a server that replaces versions whole.
    async fn leaves_looks_out(&self, expect: &Fingerprint) -> bool {
        if expect.size > SMALL_BYTES || is_marked(expect) {
            return false;
        }
        let server = &self.server;
        let is_atomic = |known: &Option<Powers>| known.as_ref().and_then(|it| it.is_atomic);
        let known = is_atomic(&server.known.borrow());
        match known {
            Some(is_atomic) => is_atomic,
            None => {
                let fetched = server.fetched.get().saturating_add(1);
                server.fetched.set(fetched);
                // For many files it pays to try what the server does.
                fetched == TRIAL_AFTER && server.is_atomic().await.unwrap_or(false)
            }
        }
    }
}

/// What the headers of a content say of its version: whether it is the expected one,
/// where they say so.
#[derive(Debug, Clone, Copy)]
struct Likeness {
    length: Option<bool>,
    tag: Option<bool>,
    time: Option<bool>,
}

impl Likeness {
    fn of(reply: &Reply, expect: &Fingerprint) -> Self {
        let headers = &reply.headers;
        let length = match reply.status {
            200 => reply.length,
            // What follows the range is all of it: `bytes 5-9/10` (RFC 9110 14.4).
            _ => header(headers, &CONTENT_RANGE)
                .rsplit_once('/')
                .and_then(|(_, whole)| whole.parse().ok()),
        };
        let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
        let tag = text(ETAG).and_then(bare_tag);
        let time = text(LAST_MODIFIED).and_then(seconds);
        let time = time.filter(|_| expect.mtime_ns != 0);
        Self {
            length: length.map(|length| length == expect.size),
            tag: etag_of(expect)
                .zip(tag.as_deref())
                .map(|(one, other)| one == other),
            time: time.map(|time| time.saturating_mul(1_000_000_000) == expect.mtime_ns),
        }
    }

    /// Tells whether it can be no other version, once that has aged.
    fn proves(self, expect: &Fingerprint) -> bool {
        let has_tag = self.tag == Some(true);
        let has_time = self.time == Some(true);
        // A tag may be made of less than the time.
        let is_told = (has_tag || etag_of(expect).is_none()) && (has_time || expect.mtime_ns == 0);
        self.length == Some(true) && is_told && (has_tag || has_time)
    }

    /// Tells whether nothing is known: any page may be this.
    const fn is_nothing(self) -> bool {
        self.length.is_none() && self.tag.is_none() && self.time.is_none()
    }

    fn is_other(self) -> bool {
        [self.length, self.tag, self.time].contains(&Some(false))
    }
}

/// Whether a server spells tags and times of contents as it does in listings. Until it
/// was seen to, a difference says nothing.
#[derive(Debug, Default)]
pub(super) struct Accord {
    tags: Cell<bool>,
    times: Cell<bool>,
}

impl Accord {
    fn note(&self, told: Likeness) {
        self.tags.set(self.tags.get() || told.tag == Some(true));
        self.times.set(self.times.get() || told.time == Some(true));
    }

    /// Tells whether a content may be the expected one, which was just seen to be there.
    fn allows(&self, told: Likeness) -> bool {
        !told.is_nothing()
            && told.length != Some(false)
            && (told.tag != Some(false) || !self.tags.get())
            && (told.time != Some(false) || !self.times.get())
    }
}

/// Reads a hash out of a list like `SHA1:... MD5:...`.
pub(super) fn claimed(text: &str, kind: DigestKind) -> Option<Digest> {
    let name = match kind {
        DigestKind::Sha1 => "sha1",
        DigestKind::Md5 => "md5",
        DigestKind::Blake3 => return None,
    };
    let (_, digits) = text
        .split_ascii_whitespace()
        .filter_map(|word| word.split_once(':'))
        .find(|(found, _)| found.eq_ignore_ascii_case(name))?;
    Digest::from_digits(kind, digits)
}

fn changed(path: &RelPath) -> PortError {
    PortError::precondition(format!("`{path}` is not what was expected"))
}

impl Fetched for Wanted {
    fn entry(&self) -> &Entry {
        &self.entry
    }

    fn name(&self) -> &str {
        self.path.as_str()
    }

    fn limit(&self) -> &Bucket {
        &self.inner.server.http.down
    }

    async fn content(&mut self, from: u64) -> PortResult<Opened> {
        // Pieces of several answers are compared at the end.
        self.is_proved = false;
        let expect = &self.entry.fingerprint;
        Ok(self.inner.content(&self.path, expect, from).await?.opened)
    }

    /// Compares the path, and the content with what is claimed.
    async fn compare(&mut self, whole: Whole) -> PortResult<()> {
        let server = &self.inner.server;
        if !self.is_proved {
            let (found, props) = server.look_closer(self.path.as_str()).await?;
            self.inner
                .expect(&self.path, &found, &self.entry.fingerprint)?;
            self.claim = props.checksums;
        }
        let digest = whole.digest;
        let claim = self
            .claim
            .as_deref()
            .and_then(|text| claimed(text, server.digest));
        if let (Some(digest), Some(claim)) = (digest, claim)
            && digest != claim
        {
            // Servers keep whatever a client claims.
            tracing::warn!(path = %self.path, "the hash that is stored with a file is wrong");
        }
        if let Some(digest) = digest {
            let mut readings = server.readings.borrow_mut();
            readings.note(&self.path, &self.entry.fingerprint, digest);
        }
        Ok(())
    }

    fn beginning(&self) -> Option<String> {
        let print = &self.entry.fingerprint;
        // What may look like the next version is no version to go on with.
        let has_age = !is_marked(print) && (etag_of(print).is_some() || print.mtime_ns != 0);
        has_age.then(|| {
            let url = self.inner.server.base.url(self.path.as_str(), false);
            let tag = etag_of(print).unwrap_or_default();
            format!("{url} {} {} {tag}", print.size, print.mtime_ns)
        })
    }

    async fn verify(&mut self) -> PortResult<()> {
        let found: Found = self.inner.server.look(self.path.as_str()).await?;
        self.inner
            .expect(&self.path, &found, &self.entry.fingerprint)
    }
}

/// Small files after which a server is tried, so that looks can be left out.
const TRIAL_AFTER: u32 = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_claimed_hash_is_read_by_its_name_and_length() {
        let sha1 = "a9993e364706816aba3e25717850c26c9cd0d89d";
        let text = format!("MD5:900150983cd24fb0d6963f7d28e17f72 SHA1:{sha1} ADLER32:024d0127");
        let found = claimed(&text, DigestKind::Sha1).map(|digest| digest.to_string());
        assert_eq!(found, Some(format!("sha1:{sha1}")));
        assert!(claimed(&text, DigestKind::Md5).is_some());
        for wrong in ["", "SHA1:", "SHA1:zz", "SHA1", &format!("SHA256:{sha1}")] {
            assert_eq!(claimed(wrong, DigestKind::Sha1), None, "{wrong}");
        }
    }
}
