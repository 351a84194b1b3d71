//! The way to one server, as the wire walks it: places, credentials, one request.
//!
//! In: requests. Out: answers, with what came of their bodies at once. Invariant: no more
//! requests than places, long ones leave one; credentials go to the origin they are for;
//! one that was refused keeps the others back. All of it may be shared by threads.
//! Watched by `tests/it/webdav_faults.rs`. Deliberately absent: contents that are
//! streamed, whose source stays with the job (`http`).

use super::auth::{Auth, Refusal, refused};
use super::cut::{Failed, cut};
use super::http::{Answer, Ask};
use super::status::{fault, redirected, slashed, time};
use crate::adapters::http::{
    Bucket, Effect, Permits, Reply, answer_wait, build, lost, rate, silent, unsupported,
};
use crate::adapters::remote::ServerPlace;
use crate::adapters::secret::Trial;
use crate::ports::PortResult;
use bytes::Bytes;
use reqwest::header::{AUTHORIZATION, CONTENT_LENGTH, HeaderValue};
use reqwest::{Body, Client, Method, RequestBuilder, Url};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio::time::Instant;

/// What requests to one server share.
pub(super) struct Line {
    client: Client,
    pub(super) auth: Auth,
    any: Arc<Semaphore>,
    long: Arc<Semaphore>,
    /// What follows right after a look.
    next: Arc<Semaphore>,
    /// Requests a second.
    pace: Bucket,
    pub(super) up: Bucket,
    pub(super) timeout: Duration,
    requests: AtomicU64,
    is_behind: AtomicBool,
}

impl Line {
    /// Makes the clients of a place.
    ///
    /// # Errors
    /// `Unsupported` when the proxy or a certificate file is none.
    pub(super) fn new(place: &ServerPlace, auth: Auth) -> PortResult<Self> {
        let link = &place.link;
        let pool = link.poolsize.clamp(1, POOL_MAX).max(2);
        Ok(Self {
            client: build(link, USER_AGENT)?,
            auth,
            any: Arc::new(Semaphore::new(pool)),
            long: Arc::new(Semaphore::new(pool - 1)),
            next: Arc::new(Semaphore::new(pool)),
            pace: Bucket::new(rate(link.requests_max)),
            up: Bucket::new(rate(link.limit_up)),
            timeout: link.timeout,
            requests: AtomicU64::new(0),
            is_behind: AtomicBool::new(false),
        })
    }

    /// Returns how many requests were sent.
    pub(super) fn requests(&self) -> u64 {
        self.requests.load(Ordering::Relaxed)
    }

    /// Tells whether something was changed since this was last said to be false.
    pub(super) fn is_behind(&self) -> bool {
        self.is_behind.load(Ordering::Acquire)
    }

    pub(super) fn is_up_to_date(&self) {
        self.is_behind.store(false, Ordering::Release);
    }

    /// Sends a request and reads the answer, of which the body is short.
    pub(super) async fn fetch(&self, ask: &Ask) -> Result<Answer, Failed> {
        let begun = Instant::now();
        answer(self.begin(ask, false).await?, begun, ask.effect).await
    }

    /// Sends a request until the server knows who we are, and follows a redirect that
    /// only adds or takes a slash.
    pub(super) async fn begin(&self, ask: &Ask, is_long: bool) -> PortResult<Reply> {
        let (mut tries, mut asked, mut ask) = (0, 0, std::borrow::Cow::Borrowed(ask));
        let mut permits = Some(self.place(&ask, is_long).await);
        let (mut first, mut is_again) = (None, false);
        loop {
            let length = ask.body.as_ref().map_or(0, Bytes::len);
            if is_again {
                self.pace.take(1).await;
            }
            is_again = true;
            if first.is_none() {
                first = self.auth.first_try().await?;
            }
            let (request, generation) = self.request(&ask, None)?;
            self.up.take(length).await;
            let wait = if length > QUICK_BYTES || !ask.patience.is_zero() {
                answer_wait(self.timeout) + slow(length) + ask.patience
            } else {
                self.timeout
            };
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
                        self.auth.give_up(first).await;
                        return Err(refused());
                    }
                }
            }
            self.auth.passed();
            if let Some(mut first) = first.take()
                && is_proof(status)
            {
                *first = Trial::Taken;
            }
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
            let permits = permits.take().unwrap_or_default();
            return Ok(Reply::take(response, permits, self.timeout).await);
        }
    }

    /// Makes the request of a body that is streamed, to be sent by who watches it.
    pub(super) fn streamed(
        &self,
        ask: &Ask,
        body: Body,
        length: u64,
    ) -> PortResult<(RequestBuilder, u64)> {
        self.request(ask, Some((body, length)))
    }

    fn request(
        &self,
        ask: &Ask,
        streamed: Option<(Body, u64)>,
    ) -> PortResult<(RequestBuilder, u64)> {
        let url =
            Url::parse(&ask.url).map_err(|error| unsupported(format!("no address: {error}")))?;
        let method = Method::from_bytes(ask.method.as_bytes())
            .map_err(|error| unsupported(error.to_string()))?;
        // As it stands in the request: a digest is made of all of it.
        let target = match url.query() {
            Some(query) => format!("{}?{query}", url.path()),
            None => url.path().to_owned(),
        };
        let (credentials, generation) = self.auth.header(ask.method, &target)?;
        let mut request = self.client.request(method, url);
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
        self.requests.fetch_add(1, Ordering::Relaxed);
        if ask.effect == Effect::Writes {
            self.is_behind.store(true, Ordering::Release);
        }
        Ok((request, generation))
    }

    /// Waits for a free place; long transfers always leave one to short calls.
    pub(super) async fn permits(&self, is_long: bool) -> Permits {
        let mut permits = Vec::with_capacity(2);
        if is_long {
            permits.extend(Arc::clone(&self.long).acquire_owned().await.ok());
        }
        permits.extend(Arc::clone(&self.any).acquire_owned().await.ok());
        self.pace.take(1).await;
        permits
    }

    /// Waits for a place for a request. What follows a look waits for nobody but the few in
    /// the same hurry; later ones pay for it.
    async fn place(&self, ask: &Ask, is_long: bool) -> Permits {
        if !ask.follows_look {
            return self.permits(is_long).await;
        }
        let permit = Arc::clone(&self.next).acquire_owned().await;
        self.pace.owe(1);
        permit.ok().into_iter().collect()
    }
}

/// Reads an answer to its end.
pub(super) async fn answer(
    mut reply: Reply,
    begun: Instant,
    effect: Effect,
) -> Result<Answer, Failed> {
    let (status, headers) = (reply.status, std::mem::take(&mut reply.headers));
    let now = time(&headers, begun);
    Ok(Answer {
        status,
        now,
        headers,
        body: read(reply, effect).await?,
    })
}

/// Reads a body that says no more than why.
pub(super) async fn read(mut reply: Reply, effect: Effect) -> Result<Vec<u8>, Failed> {
    let mut body = Vec::new();
    loop {
        match reply.chunk().await {
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

/// Tells whether an answer shows that the password was right.
const fn is_proof(status: u16) -> bool {
    matches!(status, 200..300 | 404)
}

fn slow(bytes: usize) -> Duration {
    Duration::from_secs(bytes as u64 / SLOW_BYTES_PER_S)
}

const USER_AGENT: &str = concat!("pydio-sync/", env!("CARGO_PKG_VERSION"));
const POOL_MAX: usize = 64;
/// What is read of answers that only say why.
const BODY_BYTES_MAX: usize = 64 * 1024;
/// Bodies up to this size go out at once.
const QUICK_BYTES: usize = 16 * 1024;
/// A connection may be as slow as this with content that is sent in one piece.
const SLOW_BYTES_PER_S: u64 = 4 * 1024;
