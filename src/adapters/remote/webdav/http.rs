//! Requests to one server: bounded in number, in pace, in silence and in size.
//!
//! In: methods, addresses, headers, bodies. Out: answers read to their end, or bodies to
//! stream. Invariant: an answer that got lost after a change was asked for is in doubt,
//! any other failure changed nothing; nothing is sent to another origin, and a redirect
//! only ever adds or takes a slash. Watched by `tests/it/webdav_faults.rs`. Deliberately
//! absent: what an answer means for a path.

use super::auth::{Auth, Refusal, refused};
use super::cut::{Failed, asked_again, cut};
use super::found::bare_tag;
use super::line::{Line, answer, read};
use super::multistatus::{Reader, Response as Told};
use super::status::{fault, time};
pub(super) use crate::adapters::http::Reply;
use crate::adapters::http::{Bucket, Content, Effect, Load, Wire, body, header, rate, silent};
use crate::adapters::remote::ServerPlace;
use crate::ports::{PortError, PortResult};
use bytes::Bytes;
use futures::{StreamExt, stream};
use journal_format::event::FailureClass;
use reqwest::Body;
use reqwest::header::{CONTENT_TYPE, ETAG, HeaderMap};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::oneshot;
use tokio::time::Instant;

/// A request but for its credentials.
#[derive(Debug, Clone)]
pub(super) struct Ask {
    pub(super) method: &'static str,
    pub(super) url: String,
    pub(super) headers: Vec<(&'static str, String)>,
    pub(super) body: Option<Bytes>,
    pub(super) effect: Effect,
    /// How much longer than others the answer may take.
    pub(super) patience: Duration,
    /// Whether it changes what a look just showed.
    pub(super) follows_look: bool,
}

impl Ask {
    /// Makes a request that reads.
    pub(super) const fn read(method: &'static str, url: String) -> Self {
        Self {
            method,
            url,
            headers: Vec::new(),
            body: None,
            effect: Effect::Reads,
            patience: Duration::ZERO,
            follows_look: false,
        }
    }

    /// Makes a request that changes something.
    pub(super) fn write(method: &'static str, url: String) -> Self {
        Self {
            effect: Effect::Writes,
            ..Self::read(method, url)
        }
    }

    /// Has it wait for nothing where only a look says what it replaces.
    pub(super) fn right_away(mut self, follows_look: bool) -> Self {
        self.follows_look = follows_look;
        self
    }

    /// Tells whether the answer is about one path, and so a short one.
    fn is_look(&self) -> bool {
        let mut headers = self.headers.iter();
        headers.any(|(name, value)| *name == "Depth" && value == "0")
    }

    /// Adds a header.
    pub(super) fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }
}

/// An answer that was read to its end; the default stands for one that got lost.
#[derive(Debug, Clone, Default)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) headers: HeaderMap,
    pub(super) body: Vec<u8>,
    /// The server's time in seconds, at the latest that at which it answered.
    pub(super) now: Option<i64>,
}

impl Answer {
    /// Returns the tag that it names.
    pub(super) fn tag(&self) -> Option<String> {
        let tag = self.headers.get(ETAG)?.to_str().ok()?;
        bare_tag(tag)
    }

    /// The same unless it is a weak one.
    pub(super) fn strong_tag(&self) -> Option<String> {
        let text = self.headers.get(ETAG)?.as_bytes();
        let is_weak = text.starts_with(b"W/") || text.starts_with(b"w/");
        self.tag().filter(|_| !is_weak)
    }
}

/// One server. Whatever is sent to it goes by the wire.
pub(super) struct Http {
    line: Arc<Line>,
    pub(super) down: Bucket,
    /// Last, so that it ends after what it shares.
    wire: Wire,
}

impl Http {
    /// Makes the clients of a place; nothing is sent yet.
    ///
    /// # Errors
    /// `Unsupported` when the proxy or a certificate file is none; `Retry` when there are
    /// no threads left.
    pub(super) fn new(place: &ServerPlace, auth: Auth) -> PortResult<Self> {
        Ok(Self {
            line: Arc::new(Line::new(place, auth)?),
            down: Bucket::new(rate(place.link.limit_down)),
            wire: Wire::start()?,
        })
    }

    /// Returns how many requests were sent.
    pub(super) fn requests(&self) -> u64 {
        self.line.requests()
    }

    /// Tells whether something was changed since this was last said to be false.
    pub(super) fn is_behind(&self) -> bool {
        self.line.is_behind()
    }

    /// Says that what was changed until now is known.
    pub(super) fn is_up_to_date(&self) {
        self.line.is_up_to_date();
    }

    /// Sends a request and reads the answer, of which the body is short.
    /// A question is asked once more when its answer breaks off.
    pub(super) async fn fetch(&self, ask: &Ask) -> PortResult<Answer> {
        match ask.effect {
            Effect::Reads => asked_again(async || self.try_fetch(ask).await).await,
            Effect::Writes => Ok(self.try_fetch(ask).await?),
        }
    }

    async fn try_fetch(&self, ask: &Ask) -> Result<Answer, Failed> {
        let (line, ask) = (Arc::clone(&self.line), ask.clone());
        self.wire.run(async move { line.fetch(&ask).await }).await
    }

    /// Sends a request whose answer is to be read in pieces.
    pub(super) async fn open(&self, ask: &Ask) -> PortResult<Reply> {
        let (line, ask) = (Arc::clone(&self.line), ask.clone());
        let is_long = !ask.is_look();
        self.wire
            .run(async move { line.begin(&ask, is_long).await })
            .await
    }

    /// Sends a request that a multistatus answers, and hands on each response with the
    /// server's time in seconds: at the latest that at which it looked. Any other answer
    /// comes back with its status.
    pub(super) async fn multistatus(
        &self,
        ask: &Ask,
        each: &mut impl FnMut(Told, Option<i64>),
    ) -> Result<Result<(), u16>, Failed> {
        let begun = Instant::now();
        let mut reply = self.open(ask).await?;
        let status = reply.status;
        if status != 207 {
            read(reply, ask.effect).await?;
            return Ok(Err(status));
        }
        let kind = header(&reply.headers, &CONTENT_TYPE);
        let date = time(&reply.headers, begun);
        if !kind.contains("xml") {
            return Err(strange(&format!("an answer of type `{kind}`")).into());
        }
        let (mut reader, mut bytes) = (Reader::default(), 0);
        while let Some(piece) = self.piece(&mut reply).await? {
            bytes += piece.len();
            if bytes > LISTING_BYTES_MAX {
                return Err(strange("a listing that is too long").into());
            }
            let read = reader.push(&piece, &mut |response| each(response, date));
            read.map_err(|error| strange(&error))?;
        }
        reader.end().map_err(|error| strange(&error))?;
        Ok(Ok(()))
    }

    /// Reads on in a body.
    pub(super) async fn piece(&self, reply: &mut Reply) -> Result<Option<Bytes>, Failed> {
        let piece = reply.chunk().await;
        let piece = piece.map_err(|error| cut(error, Effect::Reads))?;
        if let Some(piece) = &piece {
            self.down.take(piece.len()).await;
        }
        Ok(piece)
    }

    /// Sends a content as the body of a request, as a long one: it may wait for a look.
    pub(super) async fn upload(
        &self,
        ask: &Ask,
        content: &mut Content<'_>,
        length: u64,
    ) -> PortResult<Answer> {
        let line = &self.line;
        let permits = line.permits(true).await;
        let begun = Instant::now();
        let (body, feeder) = body();
        let (request, generation) = line.streamed(ask, body, length)?;
        let load = Load {
            head: Bytes::new(),
            content,
            length,
            tail: Bytes::new(),
        };
        let request = (request, permits);
        let reply = feeder
            .send(&self.wire, request, load, &line.up, line.timeout)
            .await?;
        if reply.status == 401 {
            // The content is spent; with other means the next try goes through.
            return Err(match line.auth.challenged(&reply.headers, generation) {
                Refusal::Again => PortError::new(FailureClass::Retry, "the server asks who we are"),
                Refusal::Final => {
                    line.auth.give_up(None).await;
                    refused()
                }
            });
        }
        line.auth.passed();
        if let Some(error) = fault(reply.status, &reply.headers, Effect::Writes) {
            return Err(error);
        }
        Ok(answer(reply, begun, Effect::Writes).await?)
    }

    /// Sends a part of a request's body, waits for `meanwhile` and breaks the request
    /// off. Returns what came of it; nothing when the server answered before the end.
    ///
    /// # Errors
    /// As the credentials are refused; `Retry` when the part does not leave, or when what
    /// is waited for takes too long.
    pub(super) async fn break_off<T>(
        &self,
        ask: &Ask,
        part: Bytes,
        length: u64,
        meanwhile: impl Future<Output = T>,
    ) -> PortResult<Option<T>> {
        let line = &self.line;
        // As a long one, since what is waited for needs another place.
        let _permits = line.permits(true).await;
        line.up.take(part.len()).await;
        let (gone, is_gone) = oneshot::channel();
        let (gate, opened) = oneshot::channel::<()>();
        // An error that follows at once would end the connection before anything is sent.
        let end = async move {
            let _told = gone.send(());
            drop(opened.await);
            Err(std::io::Error::other("broken off"))
        };
        let body = Body::wrap_stream(stream::iter([Ok(part)]).chain(stream::once(end)));
        let (request, _) = line.streamed(ask, body, length)?;
        let mut sending = std::pin::pin!(self.wire.run(request.send()));
        tokio::select! {
            biased;
            _ = &mut sending => return Ok(None),
            gone = tokio::time::timeout(line.timeout, is_gone) => match gone {
                Ok(Ok(())) => {}
                Ok(Err(_)) => return Ok(None),
                Err(_) => return Err(silent(Effect::Reads)),
            },
        }
        let seen = tokio::select! {
            biased;
            _ = &mut sending => None,
            seen = tokio::time::timeout(line.timeout, meanwhile) => match seen {
                Ok(seen) => Some(seen),
                // That nobody could look says nothing of the server's uploads.
                Err(_) => return Err(silent(Effect::Reads)),
            },
        };
        drop(gate);
        if seen.is_some() {
            // Its error is what is wanted.
            drop(tokio::time::timeout(line.timeout, sending).await);
        }
        Ok(seen)
    }
}

/// An answer of no WebDAV server.
pub(super) fn strange(what: &str) -> PortError {
    PortError::new(FailureClass::Retry, format!("{STRANGE}: {what}"))
}

/// Tells whether an answer came that no WebDAV server gives.
pub(super) fn is_strange(error: &PortError) -> bool {
    error.message.starts_with(STRANGE)
}

const STRANGE: &str = "no WebDAV answers at this address";

/// On its way; what is kept of it is bounded in `listing`.
const LISTING_BYTES_MAX: usize = 1024 * 1024 * 1024;
