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
use super::multistatus::{Reader, Response as Told};
use super::status::{fault, redirected, slashed, time};
use crate::adapters::http::{
    Bucket, Content, Effect, Load, answer_wait, body, build, header, lost, rate, silent,
    unsupported,
};
use crate::adapters::remote::ServerPlace;
use crate::ports::{PortError, PortResult};
use bytes::Bytes;
use futures::{StreamExt, stream};
use journal_format::event::FailureClass;
use reqwest::header::{AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE, ETAG, HeaderMap, HeaderValue};
use reqwest::{Body, Client, Method, RequestBuilder, Response, Url};
use std::cell::Cell;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};
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
        }
    }

    /// Makes a request that changes something.
    pub(super) fn write(method: &'static str, url: String) -> Self {
        Self {
            effect: Effect::Writes,
            ..Self::read(method, url)
        }
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

/// An answer whose body is still to come.
pub(super) struct Reply {
    pub(super) response: Response,
    _permits: Permits,
}

type Permits = Vec<OwnedSemaphorePermit>;

/// One server.
pub(super) struct Http {
    /// Gives up after silence.
    quick: Client,
    /// Never gives up by itself: for bodies that are watched elsewhere.
    patient: Client,
    auth: Auth,
    any: Arc<Semaphore>,
    long: Arc<Semaphore>,
    /// Requests a second.
    pace: Bucket,
    pub(super) up: Bucket,
    pub(super) down: Bucket,
    pub(super) timeout: Duration,
    requests: Cell<u64>,
    /// Whether something was changed since this was last said to be false.
    pub(super) is_behind: Cell<bool>,
}

impl Http {
    /// Makes the clients of a place; `is_private` says that others cannot read along.
    ///
    /// # Errors
    /// `Unsupported` when the proxy or a certificate file is none.
    pub(super) fn new(place: &ServerPlace, auth: Auth) -> PortResult<Self> {
        let link = &place.link;
        let pool = link.poolsize.clamp(1, POOL_MAX).max(2);
        Ok(Self {
            quick: build(link, USER_AGENT, true)?,
            patient: build(link, USER_AGENT, false)?,
            auth,
            any: Arc::new(Semaphore::new(pool)),
            long: Arc::new(Semaphore::new(pool - 1)),
            pace: Bucket::new(rate(link.requests_max)),
            up: Bucket::new(rate(link.limit_up)),
            down: Bucket::new(rate(link.limit_down)),
            timeout: link.timeout,
            requests: Cell::new(0),
            is_behind: Cell::new(false),
        })
    }

    /// Returns how many requests were sent.
    pub(super) fn requests(&self) -> u64 {
        self.requests.get()
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
        let begun = Instant::now();
        let reply = self.begin(ask, false).await?;
        let (status, headers) = (
            reply.response.status().as_u16(),
            reply.response.headers().clone(),
        );
        let body = read(reply, ask.effect).await?;
        Ok(Answer {
            status,
            now: time(&headers, begun),
            headers,
            body,
        })
    }

    /// Sends a request whose answer is to be read in pieces.
    pub(super) async fn open(&self, ask: &Ask) -> PortResult<Reply> {
        self.begin(ask, true).await
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
        let mut reply = self.begin(ask, true).await?;
        let status = reply.response.status().as_u16();
        if status != 207 {
            read(reply, ask.effect).await?;
            return Ok(Err(status));
        }
        let headers = reply.response.headers();
        let kind = header(headers, &CONTENT_TYPE);
        let date = time(headers, begun);
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
        let piece = reply.response.chunk().await;
        let piece = piece.map_err(|error| cut(error, Effect::Reads))?;
        if let Some(piece) = &piece {
            self.down.take(piece.len()).await;
        }
        Ok(piece)
    }

    /// Sends a content as the body of a request.
    pub(super) async fn upload(
        &self,
        ask: &Ask,
        content: &mut Content<'_>,
        length: u64,
    ) -> PortResult<Answer> {
        let permits = self.permits(length > LONG_BYTES).await;
        let begun = Instant::now();
        let (body, feeder) = body();
        let (request, generation) = self.request(&self.patient, ask, Some((body, length)))?;
        let load = Load {
            head: Bytes::new(),
            content,
            length,
            tail: Bytes::new(),
        };
        let response = feeder.send(request, load, &self.up, self.timeout).await?;
        let headers = response.headers().clone();
        let status = response.status().as_u16();
        if status == 401 {
            // The content is spent; with other means the next try goes through.
            return Err(match self.auth.challenged(&headers, generation) {
                Refusal::Again => PortError::new(FailureClass::Retry, "the server asks who we are"),
                Refusal::Final => refused(),
            });
        }
        self.auth.passed();
        if let Some(error) = fault(status, &headers, Effect::Writes) {
            return Err(error);
        }
        let reply = Reply {
            response,
            _permits: permits,
        };
        Ok(Answer {
            status,
            now: time(&headers, begun),
            headers,
            body: read(reply, Effect::Writes).await?,
        })
    }

    /// Sends a part of a request's body, waits for `meanwhile` and breaks the request
    /// off. Returns what came of it; nothing when the part did not leave, or when the
    /// server answered before the end.
    ///
    /// # Errors
    /// As the credentials are refused.
    pub(super) async fn break_off<T>(
        &self,
        ask: &Ask,
        part: Bytes,
        length: u64,
        meanwhile: impl Future<Output = T>,
    ) -> PortResult<Option<T>> {
        let _permits = self.permits(false).await;
        self.up.take(part.len()).await;
        let (gone, is_gone) = oneshot::channel();
        let (gate, opened) = oneshot::channel::<()>();
        // An error that follows at once would end the connection before anything is sent.
        let end = async move {
            let _told = gone.send(());
            drop(opened.await);
            Err(std::io::Error::other("broken off"))
        };
        let body = Body::wrap_stream(stream::iter([Ok(part)]).chain(stream::once(end)));
        let (request, _) = self.request(&self.patient, ask, Some((body, length)))?;
        let mut sending = std::pin::pin!(request.send());
        let seen = async {
            is_gone.await.ok()?;
            Some(meanwhile.await)
        };
        let seen = tokio::select! {
            biased;
            _ = &mut sending => None,
            seen = tokio::time::timeout(self.timeout, seen) => seen.ok().flatten(),
        };
        drop(gate);
        if seen.is_some() {
            // Its error is what is wanted.
            drop(tokio::time::timeout(self.timeout, sending).await);
        }
        Ok(seen)
    }

    /// Sends a request until the server knows who we are, and follows a redirect that
    /// only adds or takes a slash.
    async fn begin(&self, ask: &Ask, is_long: bool) -> PortResult<Reply> {
        let (mut tries, mut asked, mut ask) = (0, 0, std::borrow::Cow::Borrowed(ask));
        let mut permits = Some(self.permits(is_long).await);
        loop {
            let length = ask.body.as_ref().map_or(0, Bytes::len);
            // The quick one gives up after silence from the start, however long the body.
            let client = if length > QUICK_BYTES || !ask.patience.is_zero() {
                &self.patient
            } else {
                &self.quick
            };
            let (request, generation) = self.request(client, &ask, None)?;
            self.up.take(length).await;
            let wait = answer_wait(self.timeout) + slow(length) + ask.patience;
            let sent = tokio::time::timeout(wait, request.send()).await;
            let response = match sent {
                Ok(Ok(response)) => response,
                Ok(Err(error)) => {
                    let is_dead = error.is_timeout() || error.is_connect() || error.is_builder();
                    tries += 1;
                    // The server may have closed an idle connection just then.
                    if ask.effect == Effect::Reads && !is_dead && tries == 1 {
                        continue;
                    }
                    return Err(lost(error, ask.effect));
                }
                Err(_) => return Err(silent(ask.effect)),
            };
            let status = response.status().as_u16();
            if status == 401 {
                asked += 1;
                match self.auth.challenged(response.headers(), generation) {
                    Refusal::Again if asked <= 2 => continue,
                    Refusal::Again | Refusal::Final => {
                        self.auth.give_up();
                        return Err(refused());
                    }
                }
            }
            self.auth.passed();
            if (300..400).contains(&status) && status != 304 {
                tries += 1;
                let next = slashed(&ask.url, response.headers())
                    .filter(|_| tries <= 2 && ask.effect == Effect::Reads);
                let Some(next) = next else {
                    return Err(redirected(response.headers()));
                };
                ask.to_mut().url = next;
                continue;
            }
            if let Some(error) = fault(status, response.headers(), ask.effect) {
                return Err(error);
            }
            return Ok(Reply {
                response,
                _permits: permits.take().unwrap_or_default(),
            });
        }
    }

    fn request(
        &self,
        client: &Client,
        ask: &Ask,
        streamed: Option<(Body, u64)>,
    ) -> PortResult<(RequestBuilder, u64)> {
        let url =
            Url::parse(&ask.url).map_err(|error| unsupported(format!("no address: {error}")))?;
        let method = Method::from_bytes(ask.method.as_bytes())
            .map_err(|error| unsupported(error.to_string()))?;
        let (credentials, generation) = self.auth.header(ask.method, url.path())?;
        let mut request = client.request(method, url);
        for (name, value) in &ask.headers {
            request = request.header(*name, value);
        }
        if let Some(credentials) = credentials
            && let Ok(mut value) = HeaderValue::from_str(credentials.expose())
        {
            value.set_sensitive(true);
            request = request.header(AUTHORIZATION, value);
        }
        request = match (streamed, &ask.body) {
            (Some((body, length)), _) => request.header(CONTENT_LENGTH, length).body(body),
            // Some servers fail when an empty file comes without a length.
            (None, Some(body)) => request
                .header(CONTENT_LENGTH, body.len())
                .body(body.clone()),
            (None, None) => request,
        };
        self.requests.set(self.requests.get() + 1);
        if ask.effect == Effect::Writes {
            self.is_behind.set(true);
        }
        Ok((request, generation))
    }

    /// Waits for a free place; long transfers always leave one to short calls.
    async fn permits(&self, is_long: bool) -> Permits {
        let mut permits = Vec::with_capacity(2);
        if is_long {
            permits.extend(Arc::clone(&self.long).acquire_owned().await.ok());
        }
        permits.extend(Arc::clone(&self.any).acquire_owned().await.ok());
        self.pace.take(1).await;
        permits
    }
}

/// Reads a body that says no more than why.
async fn read(mut reply: Reply, effect: Effect) -> Result<Vec<u8>, Failed> {
    let mut body = Vec::new();
    loop {
        match reply.response.chunk().await {
            Ok(None) => return Ok(body),
            Ok(Some(piece)) if body.len() + piece.len() <= BODY_BYTES_MAX => {
                body.extend_from_slice(&piece);
            }
            // The status is known; the rest of a long page does not matter.
            Ok(Some(_)) => return Ok(body),
            Err(error) => return Err(cut(error, effect)),
        }
    }
}

/// An answer of no WebDAV server.
pub(super) fn strange(what: &str) -> PortError {
    PortError::new(
        FailureClass::Retry,
        format!("no WebDAV answers at this address: {what}"),
    )
}

fn slow(bytes: usize) -> Duration {
    Duration::from_secs(bytes as u64 / SLOW_BYTES_PER_S)
}

const USER_AGENT: &str = concat!("pydio-sync/", env!("CARGO_PKG_VERSION"));
const POOL_MAX: usize = 64;
/// What is read of answers that only say why.
const BODY_BYTES_MAX: usize = 64 * 1024;
/// On its way; what is kept of it is bounded in `listing`.
const LISTING_BYTES_MAX: usize = 1024 * 1024 * 1024;
/// Bodies up to this size go out at once.
const QUICK_BYTES: usize = 16 * 1024;
/// Uploads up to this size count as short calls.
const LONG_BYTES: u64 = 4 * 1024 * 1024;
/// A connection may be as slow as this with content that is sent in one piece.
const SLOW_BYTES_PER_S: u64 = 4 * 1024;
