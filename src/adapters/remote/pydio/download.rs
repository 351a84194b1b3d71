//! Reading a file: every byte of one version, or an error.
//!
//! In: a path and the version that is expected. Out: its content in pieces. Invariant:
//! the last piece is given only after the length, the hash and the path were compared;
//! an answer that is no content (the server sends errors with status 200) is never
//! taken for it. Deliberately absent: where it goes. Leaves nothing behind.

use super::Inner;
use super::answer;
use super::batch::Coming;
use super::http::{Call, Effect, Span, check, header, read};
use super::stat::{Found, Md5, Version};
use crate::adapters::digest::{Hasher, digest_of};
use crate::adapters::http::{Bucket, Download, Fetched, Opened, Whole};
use crate::ports::{PortError, PortResult, Source};
use journal_format::event::FailureClass;
use journal_format::value::{Digest, DigestKind, Entry, Fingerprint, RelPath};
use reqwest::header::{CONTENT_DISPOSITION, CONTENT_RANGE};
use std::rc::Rc;

/// A version that is read.
struct Wanted {
    inner: Rc<Inner>,
    at: String,
    entry: Entry,
    /// That it will be compared at its end, for which others wait.
    coming: Option<Coming<Found>>,
}

impl Inner {
    /// Opens what is expected at a path; content is asked for when it is read.
    pub(super) async fn source(
        self: &Rc<Self>,
        path: &RelPath,
        expect: &Fingerprint,
    ) -> PortResult<Box<dyn Source>> {
        self.link.settle(path).await?;
        let at = self.link.at(path);
        let found = self.hashes.ask(&at).await?;
        self.expect(&at, &found, expect).await?;
        let Found::File(version) = found else {
            return Err(super::http::unsupported(format!("`{at}` is a folder")));
        };
        let wanted = Wanted {
            entry: as_expected(self.link.file_entry(&at, &version), expect),
            inner: Rc::clone(self),
            at,
            coming: Some(self.ends.coming()),
        };
        let hasher = Hasher::new(DigestKind::Md5);
        Ok(Box::new(Download::new(wanted, None, Some(hasher))))
    }

    /// Compares what was found with what is expected. Where the claimed hash alone speaks
    /// against it the file is read: after two versions within a second the server may
    /// claim the first one's for ever (page 6.3), and the feed the second one's.
    ///
    /// # Errors
    /// `Precondition` when it is something else; those of the reading.
    pub(super) async fn expect(
        &self,
        at: &str,
        found: &Found,
        expect: &Fingerprint,
    ) -> PortResult<()> {
        if let Found::File(version) = *found
            && version.md5.is_some()
            && self.link.index.borrow().verified(at, &version).is_none()
            && !self.link.is_expected(at, found, expect)
        {
            let md5 = None;
            let but_its_hash = Found::File(Version { md5, ..version });
            if self.link.is_expected(at, &but_its_hash, expect) {
                let md5 = self.fetch_md5(at, version.size).await?;
                self.link.verified(at, &version, md5);
                let found = self.hashes.ask(at).await?;
                return self.link.expect(at, &found, expect);
            }
        }
        self.link.expect(at, found, expect)
    }

    /// Learns the hash of what is expected at a path.
    pub(super) async fn hash(&self, path: &RelPath, expect: &Fingerprint) -> PortResult<Entry> {
        self.link.settle(path).await?;
        let at = self.link.at(path);
        let found = self.hashes.ask(&at).await?;
        self.expect(&at, &found, expect).await?;
        let Found::File(version) = found else {
            return Err(super::http::unsupported(format!("`{at}` is a folder")));
        };
        let known = self.link.index.borrow().verified(&at, &version);
        let md5 = match known.or(version.md5) {
            Some(md5) => md5,
            None => {
                let md5 = self.fetch_md5(&at, version.size).await?;
                let found = self.looks.ask(&at).await?;
                self.link.expect(&at, &found, expect)?;
                md5
            }
        };
        self.link.verified(
            &at,
            &Version {
                md5: version.md5,
                ..version
            },
            md5,
        );
        Ok(Entry {
            digest: Some(Digest::Md5(md5)),
            ..as_expected(self.link.file_entry(&at, &version), expect)
        })
    }

    /// Fetches a file only to hash it.
    pub(super) async fn fetch_md5(&self, at: &str, size: u64) -> PortResult<Md5> {
        let mut hasher = Hasher::new(DigestKind::Md5);
        let mut done = 0;
        if size > 0 {
            let mut opened = self
                .content(
                    at,
                    Span {
                        from: 0,
                        bytes: size,
                    },
                )
                .await?;
            while let Some(piece) = opened.piece(self.limit()).await? {
                done += piece.len() as u64;
                if done > size {
                    break;
                }
                hasher.update(&piece);
            }
        }
        if done != size {
            return Err(PortError::precondition(format!(
                "`{at}` has another length"
            )));
        }
        Ok(super::send::md5(&hasher.finish()).unwrap_or_default())
    }

    /// Asks for content from a byte on.
    async fn content(&self, at: &str, span: Span) -> PortResult<Opened> {
        let from = span.from;
        let server = &self.link.server;
        let call = Call::get(server.path("download", at));
        let reply = server.open(&call, span).await?;
        let headers = &reply.headers;
        let status = reply.status;
        check(status, headers, Effect::Reads)?;
        let disposition = header(headers, &CONTENT_DISPOSITION);
        let range = header(headers, &CONTENT_RANGE);
        let skip = match status {
            200 if disposition.starts_with("attachment") => from,
            206 if range.starts_with(&format!("bytes {from}-")) => 0,
            _ => {
                let answer = read(reply, call.bytes_max, Effect::Reads).await?;
                // In XML the server says why; anything else is no answer of its.
                answer::listing(&answer)?;
                let text = format!("`{at}`: no content came (status {status})");
                return Err(PortError::new(FailureClass::Retry, text));
            }
        };
        Ok(Opened { reply, skip })
    }

    fn limit(&self) -> &Bucket {
        &self.link.server.http.down
    }
}

/// Names a version as whoever asks knows it: a look may know more of it by now.
fn as_expected(entry: Entry, expect: &Fingerprint) -> Entry {
    Entry {
        fingerprint: expect.clone(),
        ..entry
    }
}

impl Fetched for Wanted {
    fn entry(&self) -> &Entry {
        &self.entry
    }

    fn name(&self) -> &str {
        &self.at
    }

    fn limit(&self) -> &Bucket {
        self.inner.limit()
    }

    async fn content(&mut self, from: u64) -> PortResult<Opened> {
        let bytes = self.entry.fingerprint.size.saturating_sub(from);
        self.inner.content(&self.at, Span { from, bytes }).await
    }

    async fn compare(&mut self, whole: Whole) -> PortResult<()> {
        let digest = whole.digest;
        let digest = digest.unwrap_or_else(|| digest_of(DigestKind::Md5, &[]));
        let md5 = super::send::md5(&digest).unwrap_or_default();
        let found = match self.coming.take() {
            Some(coming) => self.inner.ends.ask_as(coming, &self.at).await?,
            None => self.inner.hashes.ask(&self.at).await?,
        };
        let link = &self.inner.link;
        // The content itself is compared below, which is more than its hash.
        let expect = Fingerprint {
            version: None,
            ..self.entry.fingerprint.clone()
        };
        link.expect(&self.at, &found, &expect)?;
        let Found::File(version) = found else {
            return Err(PortError::precondition(format!("`{}` is no file", self.at)));
        };
        let differs = version.size > 0 && version.md5.is_some_and(|claim| claim != md5);
        if differs && self.inner.fetch_md5(&self.at, version.size).await? != md5 {
            let text = format!("`{}`: two readings differ", self.at);
            // A beginning that is wrong is not gone on with again.
            let class = if whole.is_resumed {
                FailureClass::Precondition
            } else {
                FailureClass::Retry
            };
            return Err(PortError::new(class, text));
        }
        link.verified(&self.at, &version, md5);
        Ok(())
    }

    fn beginning(&self) -> Option<String> {
        let print = &self.entry.fingerprint;
        // Times are whole seconds: only a hash tells versions apart.
        let version = print.version.as_ref()?.as_str();
        Some(format!("{} {} {version}", self.at, print.size))
    }

    async fn verify(&mut self) -> PortResult<()> {
        let found = self.inner.hashes.ask(&self.at).await?;
        let link = &self.inner.link;
        link.expect(&self.at, &found, &self.entry.fingerprint)
    }
}
