//! Reading a file: every byte of one version, or an error.
//!
//! In: a path and the version that is expected. Out: its content in pieces. Invariant:
//! the last piece is given only after the length, the hash and the path were compared;
//! an answer that is no content (the server sends errors with status 200) is never
//! taken for it. Deliberately absent: where it goes. Leaves nothing behind.

use super::Inner;
use super::answer;
use super::batch::Coming;
use super::http::{Call, Effect, Reply, Span, check, header, read};
use super::stat::{Found, Md5, Version};
use crate::adapters::digest::{Hasher, digest_of};
use crate::ports::{Chunk, PortError, PortResult, Source, Task};
use journal_format::event::FailureClass;
use journal_format::value::{Digest, DigestKind, Entry, Fingerprint, RelPath};
use reqwest::header::{CONTENT_DISPOSITION, CONTENT_RANGE};
use std::fs::File;
use std::rc::Rc;
use std::sync::Arc;

struct Download {
    inner: Rc<Inner>,
    at: String,
    entry: Entry,
    reply: Option<Opened>,
    hasher: Option<Hasher>,
    done: u64,
    tries: u32,
    /// Whether an earlier process read its beginning.
    is_resumed: bool,
    /// That it will be compared at its end, for which others wait.
    coming: Option<Coming<Found>>,
    is_over: bool,
}

/// An answer with content, of which some bytes may be known already.
struct Opened {
    reply: Reply,
    skip: u64,
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
        Ok(Box::new(Download {
            entry: as_expected(self.link.file_entry(&at, &version), expect),
            inner: Rc::clone(self),
            at,
            reply: None,
            hasher: Some(Hasher::new(DigestKind::Md5)),
            done: 0,
            tries: 0,
            is_resumed: false,
            coming: Some(self.ends.coming()),
            is_over: false,
        }))
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
            while let Some(piece) = self.piece(&mut opened).await? {
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

    async fn piece(&self, opened: &mut Opened) -> PortResult<Option<Vec<u8>>> {
        loop {
            let piece = opened.reply.chunk().await;
            let Some(piece) = piece.map_err(|broken| broken.error(Effect::Reads))? else {
                return Ok(None);
            };
            self.link.server.http.down.take(piece.len()).await;
            let skip = usize::try_from(opened.skip)
                .unwrap_or(usize::MAX)
                .min(piece.len());
            opened.skip -= skip as u64;
            if skip < piece.len() {
                return Ok(Some(piece[skip..].to_vec()));
            }
        }
    }
}

/// Names a version as whoever asks knows it: a look may know more of it by now.
fn as_expected(entry: Entry, expect: &Fingerprint) -> Entry {
    Entry {
        fingerprint: expect.clone(),
        ..entry
    }
}

impl Download {
    /// Reads on, going on after breaks where the content ended.
    async fn next(&mut self) -> PortResult<Vec<u8>> {
        loop {
            let result = self.try_next().await;
            match result {
                Ok(Some(piece)) => {
                    self.tries = 0;
                    return Ok(piece);
                }
                // A body without a length may end anywhere.
                Ok(None) if self.tries >= TRIES_MAX => {
                    let text = format!("`{}`: the content ended early", self.at);
                    return Err(PortError::new(FailureClass::Retry, text));
                }
                Err(error) if error.class != FailureClass::Retry || self.tries >= TRIES_MAX => {
                    return Err(error);
                }
                Ok(None) | Err(_) => {}
            }
            self.reply = None;
            self.tries += 1;
        }
    }

    async fn try_next(&mut self) -> PortResult<Option<Vec<u8>>> {
        if self.reply.is_none() {
            let size = self.entry.fingerprint.size;
            let span = Span {
                from: self.done,
                bytes: size.saturating_sub(self.done),
            };
            self.reply = Some(self.inner.content(&self.at, span).await?);
        }
        match &mut self.reply {
            Some(opened) => self.inner.piece(opened).await,
            None => Ok(None),
        }
    }

    /// Compares length, hash and path once everything was read.
    async fn compare(&mut self) -> PortResult<()> {
        let hasher = self.hasher.take();
        let digest = hasher.map_or_else(|| digest_of(DigestKind::Md5, &[]), Hasher::finish);
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
            let class = if self.is_resumed {
                FailureClass::Precondition
            } else {
                FailureClass::Retry
            };
            return Err(PortError::new(class, text));
        }
        link.verified(&self.at, &version, md5);
        Ok(())
    }
}

impl Source for Download {
    fn entry(&self) -> &Entry {
        &self.entry
    }

    fn mode(&self) -> Option<u32> {
        None
    }

    fn read(&mut self) -> Task<'_, Option<Chunk>> {
        Box::pin(async move {
            if self.is_over {
                return Ok(None);
            }
            let size = self.entry.fingerprint.size;
            let piece = if size == 0 {
                Vec::new()
            } else {
                self.next().await?
            };
            if let Some(hasher) = &mut self.hasher {
                hasher.update(&piece);
            }
            self.done += piece.len() as u64;
            if self.done > size {
                let text = format!("`{}` is longer than it was", self.at);
                return Err(PortError::precondition(text));
            }
            if self.done == size {
                // Frees the connection for the comparison.
                self.reply = None;
                self.compare().await?;
                self.is_over = true;
            }
            Ok(Some(piece).filter(|piece| !piece.is_empty()))
        })
    }

    fn beginning(&self) -> Option<String> {
        let print = &self.entry.fingerprint;
        // Times are whole seconds: only a hash tells versions apart.
        let version = print.version.as_ref()?.as_str();
        Some(format!("{} {} {version}", self.at, print.size))
    }

    fn know(&mut self, piece: &[u8]) {
        if let Some(hasher) = &mut self.hasher {
            hasher.update(piece);
        }
        self.done += piece.len() as u64;
        self.is_resumed = true;
    }

    fn file(&self) -> Option<Arc<File>> {
        None
    }

    fn verify(&mut self) -> Task<'_, ()> {
        Box::pin(async move {
            let found = self.inner.hashes.ask(&self.at).await?;
            self.inner
                .link
                .expect(&self.at, &found, &self.entry.fingerprint)
        })
    }
}

/// How often in a row a transfer that breaks is taken up again.
const TRIES_MAX: u32 = 3;
