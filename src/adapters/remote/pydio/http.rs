//! Requests to one server: bounded in number, in silence and in size.
//!
//! In: calls with their form. Out: answers read to their end, or bodies to stream.
//! Invariant: an answer that got lost after a change was asked for is in doubt, any
//! other failure changed nothing; no message holds an address with its signature;
//! nothing is sent to another origin. Watched by `tests/it/pydio_faults.rs`.
//! Deliberately absent: credentials (`auth`), meaning (`answer`), retries but one.

use super::names::{canonical_base, encode};
use crate::adapters::http::{Bucket, Permits, Wire, build, rate, silent};
pub(super) use crate::adapters::http::{Effect, Reply, doubt, header, lost, unsupported};
use crate::adapters::remote::ServerPlace;
use crate::ports::{PortError, PortResult};
use bytes::Bytes;
use journal_format::event::FailureClass;
use reqwest::header::{
    CONTENT_ENCODING, CONTENT_TYPE, HeaderMap, LOCATION, RANGE, RETRY_AFTER, WWW_AUTHENTICATE,
};
use reqwest::{Body, Client, RequestBuilder};
use std::cell::Cell;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::sync::Semaphore;

/// Name and value pairs of a query or a form.
pub(super) type Pairs = Vec<(&'static str, String)>;

/// A request but for its credentials.
#[derive(Debug, Clone)]
pub(super) struct Call {
    /// The path below `/api/`, encoded, without slashes at its ends.
    pub(super) path: String,
    pub(super) query: Pairs,
    /// A form to post; without one it is a GET.
    pub(super) form: Option<Pairs>,
    pub(super) effect: Effect,
    /// The most bytes that are read of the answer.
    pub(super) bytes_max: usize,
    /// Whether it is sent in a place that whoever makes it holds.
    pub(super) has_place: bool,
}

impl Call {
    /// Makes a GET that reads.
    pub(super) fn get(path: String) -> Self {
        Self {
            path,
            query: Vec::new(),
            form: None,
            effect: Effect::Reads,
            bytes_max: ANSWER_BYTES_MAX,
            has_place: false,
        }
    }

    /// Makes a POST of a form.
    pub(super) fn post(path: String, form: Pairs, effect: Effect) -> Self {
        Self {
            form: Some(form),
            effect,
            ..Self::get(path)
        }
    }
}

/// Which content of an answer is wanted.
#[derive(Debug, Clone, Copy)]
pub(super) struct Span {
    /// The first byte.
    pub(super) from: u64,
    /// How many are expected.
    pub(super) bytes: u64,
}

/// An answer that was read to its end.
#[derive(Debug, Clone)]
pub(super) struct Answer {
    pub(super) status: u16,
    /// The content type, in lower case.
    pub(super) kind: String,
    pub(super) has_challenge: bool,
    pub(super) body: Vec<u8>,
}

/// One server. Whatever is sent to it goes by the wire.
pub(super) struct Http {
    /// Scheme, host and port.
    origin: String,
    /// The path of the address, as the server spells it.
    prefix: String,
    client: Client,
    any: Arc<Semaphore>,
    long: Arc<Semaphore>,
    /// Downloads from their request until they were taken, so that a short call waits
    /// behind few of them and few lie in memory.
    reads: Arc<Semaphore>,
    pub(super) up: Bucket,
    pub(super) down: Bucket,
    pub(super) timeout: Duration,
    requests: Cell<u64>,
    /// The first credentials that no server refused.
    unrefused: Arc<AtomicU64>,
    pub(super) wire: Wire,
}

impl Http {
    /// Makes the clients of a place.
    ///
    /// # Errors
    /// `Unsupported` when the address, the proxy or the certificate file is none; `Retry`
    /// when there are no threads left.
    pub(super) fn new(place: &ServerPlace) -> PortResult<Self> {
        let url = reqwest::Url::parse(place.url.trim())
            .map_err(|error| unsupported(format!("`{}` is no address: {error}", place.url)))?;
        if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none() {
            let text = format!("`{}` is no http address", place.url);
            return Err(unsupported(text));
        }
        let pool = place.link.poolsize.clamp(1, POOL_MAX).max(2);
        Ok(Self {
            origin: url.origin().ascii_serialization(),
            prefix: canonical_base(url.path()),
            client: build(&place.link, USER_AGENT)?,
            any: Arc::new(Semaphore::new(pool)),
            long: Arc::new(Semaphore::new(pool - 1)),
            reads: Arc::new(Semaphore::new(pool * READS_A_PLACE)),
            up: Bucket::new(rate(place.link.limit_up)),
            down: Bucket::new(rate(place.link.limit_down)),
            timeout: place.link.timeout,
            requests: Cell::new(0),
            unrefused: Arc::default(),
            wire: Wire::start()?,
        })
    }

    /// Returns host and path, which name the server whatever the scheme.
    pub(super) fn name(&self) -> String {
        let host = self.origin.split_once("://").map_or("", |(_, host)| host);
        format!("{host}{}", self.prefix)
    }

    /// Returns the path that a signature of a call covers.
    pub(super) fn signed_path(&self, path: &str) -> String {
        format!("{}/api/{}", self.prefix, path.trim_end_matches('/'))
    }

    /// Returns how many requests were sent.
    pub(super) fn requests(&self) -> u64 {
        self.requests.get()
    }

    /// Sends a call and reads the answer.
    pub(super) async fn fetch(&self, call: &Call, extra: &Extra<'_>) -> PortResult<Answer> {
        let mut tries = 0;
        loop {
            tries += 1;
            let reply = match self.start(call, extra, None).await {
                // The server may have closed an idle connection just then.
                Err(error) if error.is_again && tries == 1 && call.effect == Effect::Reads => {
                    continue;
                }
                Err(error) => return Err(error.error),
                Ok(reply) => reply,
            };
            return read(reply, call.bytes_max, call.effect).await;
        }
    }

    /// Sends a call whose answer is to be read in pieces.
    pub(super) async fn open(
        &self,
        call: &Call,
        extra: &Extra<'_>,
        span: Span,
    ) -> PortResult<Reply> {
        self.start(call, extra, Some(span))
            .await
            .map_err(|failed| failed.error)
    }

    async fn start(
        &self,
        call: &Call,
        extra: &Extra<'_>,
        span: Option<Span>,
    ) -> Result<Reply, Failed> {
        let is_long = span.is_some_and(|span| span.bytes > LONG_BYTES);
        let turn = match span {
            Some(_) if !is_long => Arc::clone(&self.reads).acquire_owned().await.ok(),
            _ => None,
        };
        let places = if call.has_place {
            self.held(Permits::new(), extra)
        } else {
            self.places(is_long, extra)
        };
        let url = self.url(call, extra);
        let mut request = match &call.form {
            None => self.client.get(url),
            Some(form) => {
                let kind = "application/x-www-form-urlencoded";
                self.client
                    .post(url)
                    .header(CONTENT_TYPE, kind)
                    .body(encoded(form))
            }
        };
        if let Some(from) = span.map(|span| span.from).filter(|from| *from > 0) {
            request = request.header(RANGE, format!("bytes={from}-"));
        }
        self.requests.set(self.requests.get() + 1);
        let request = extra.apply(request);
        match self.wire.run(places.send(request, self.timeout)).await {
            None => Err(Failed {
                is_again: false,
                error: silent(call.effect),
            }),
            Some(Ok(reply)) => Ok(reply.holding(turn)),
            Some(Err(error)) => Err(Failed {
                is_again: !error.is_timeout() && !error.is_connect() && !error.is_builder(),
                error: lost(error, call.effect),
            }),
        }
    }

    /// Makes the request of an upload, to be sent by who watches it.
    pub(super) fn upload(
        &self,
        call: &Call,
        extra: &Extra<'_>,
        (kind, length): (&str, u64),
        body: Body,
    ) -> RequestBuilder {
        let request = self.client.post(self.url(call, extra));
        let request = request
            .header(CONTENT_TYPE, kind)
            .header(reqwest::header::CONTENT_LENGTH, length)
            .body(body);
        self.requests.set(self.requests.get() + 1);
        extra.apply(request)
    }

    /// Returns where a request waits for a free place; long transfers, which may make
    /// short calls before their end, always leave one to those.
    pub(super) fn places(&self, is_long: bool, extra: &Extra<'_>) -> Places {
        let long = is_long.then(|| Arc::clone(&self.long));
        Places {
            wanted: long.into_iter().chain([Arc::clone(&self.any)]).collect(),
            ..self.held(Permits::new(), extra)
        }
    }

    /// Returns a place that was taken before.
    pub(super) fn held(&self, held: Permits, extra: &Extra<'_>) -> Places {
        Places {
            wanted: Vec::new(),
            held,
            silence: self.timeout,
            unrefused: Arc::clone(&self.unrefused),
            generation: extra.generation,
        }
    }

    /// Takes a place for several requests, one after the other. One is always left for
    /// what these need.
    pub(super) async fn place(&self) -> Permits {
        taken(&[Arc::clone(&self.long), Arc::clone(&self.any)]).await
    }

    fn url(&self, call: &Call, extra: &Extra<'_>) -> String {
        // On 6.x a query right after the action's name becomes part of the name.
        let mut url = format!("{}{}/api/{}/", self.origin, self.prefix, call.path);
        let mut mark = '?';
        for (name, value) in call.query.iter().chain(extra.query) {
            url.push(mark);
            url.push_str(&format!("{}={}", encode(name), encode(value)));
            mark = '&';
        }
        url
    }
}

/// The places that a request waits for.
pub(super) struct Places {
    wanted: Vec<Arc<Semaphore>>,
    held: Permits,
    /// How long a piece of the answer may be waited for.
    silence: Duration,
    unrefused: Arc<AtomicU64>,
    /// The credentials by which the request is signed; none when it proves them.
    generation: Option<u64>,
}

impl Places {
    /// Waits for them.
    pub(super) async fn take(&mut self) -> Permits {
        let mut permits = std::mem::take(&mut self.held);
        permits.extend(taken(&self.wanted).await);
        permits
    }

    /// Waits for them and sends a request whose answer is short, or read on. What is
    /// signed by credentials that were refused meanwhile is not sent: the refusals of
    /// what was under way are all that the server sees.
    /// Nothing when no answer began for so long.
    pub(super) async fn send(
        mut self,
        request: RequestBuilder,
        wait: Duration,
    ) -> Option<Result<Reply, reqwest::Error>> {
        let permits = self.take().await;
        let unrefused = self.unrefused.load(Ordering::Acquire);
        if self.generation.is_some_and(|own| own < unrefused) {
            return Some(Ok(Reply::refused()));
        }
        let response = match tokio::time::timeout(wait, request.send()).await.ok()? {
            Ok(response) => response,
            Err(error) => return Some(Err(error)),
        };
        let has_challenge = response.headers().contains_key(WWW_AUTHENTICATE);
        if let Some(own) = self.generation
            && response.status().as_u16() == 401
            && has_challenge
        {
            self.unrefused.fetch_max(own + 1, Ordering::AcqRel);
        }
        Some(Ok(Reply::take(response, permits, self.silence).await))
    }
}

async fn taken(places: &[Arc<Semaphore>]) -> Permits {
    let mut permits = Permits::with_capacity(places.len());
    for place in places {
        permits.extend(Arc::clone(place).acquire_owned().await.ok());
    }
    permits
}

/// What credentials add to a call.
pub(super) struct Extra<'a> {
    pub(super) query: &'a Pairs,
    pub(super) basic: Option<(&'a str, &'a str)>,
    /// Which of the credentials that followed each other these are; none for those that
    /// are sent whatever became of others.
    pub(super) generation: Option<u64>,
}

impl Extra<'_> {
    fn apply(&self, request: RequestBuilder) -> RequestBuilder {
        match self.basic {
            Some((user, password)) => request.basic_auth(user, Some(password)),
            None => request,
        }
    }
}

struct Failed {
    error: PortError,
    is_again: bool,
}

/// Reads an answer to its end and sorts out what is no answer of Pydio's.
pub(super) async fn read(mut reply: Reply, bytes_max: usize, effect: Effect) -> PortResult<Answer> {
    check(reply.status, &reply.headers, effect)?;
    let answer = Answer {
        status: reply.status,
        kind: header(&reply.headers, &CONTENT_TYPE),
        has_challenge: reply.headers.contains_key(WWW_AUTHENTICATE),
        body: Vec::new(),
    };
    let mut body = Vec::new();
    loop {
        match reply.chunk().await {
            Ok(None) => break,
            Ok(Some(piece)) => {
                if body.len() + piece.len() > bytes_max {
                    let text = format!("an answer of more than {bytes_max} bytes");
                    return Err(PortError::new(FailureClass::Unsupported, text));
                }
                body.extend_from_slice(&piece);
            }
            Err(broken) => return Err(broken.error(effect)),
        }
    }
    Ok(Answer { body, ..answer })
}

/// Sorts out statuses and encodings that never are an answer of Pydio's.
pub(super) fn check(status: u16, headers: &HeaderMap, effect: Effect) -> PortResult<()> {
    let encoding = header(headers, &CONTENT_ENCODING);
    if !encoding.is_empty() && encoding != "identity" {
        let text = format!("the server packed its answer ({encoding}) although nobody asked");
        return Err(PortError::new(doubt(effect), text));
    }
    let class = match status {
        300..=399 => {
            let to = header(headers, &LOCATION);
            let to = to.split(['?', '#']).next().unwrap_or_default();
            return Err(unsupported(format!(
                "the server redirects to `{to}`: name that address in the job"
            )));
        }
        413 => FailureClass::Unsupported,
        423 | 429 | 503 => FailureClass::Retry,
        502 | 504 => doubt(effect),
        // With an XML body it is an exception of 8.x.
        500..=599 if !header(headers, &CONTENT_TYPE).contains("xml") => doubt(effect),
        404 | 405 if header(headers, &CONTENT_TYPE).contains("html") => {
            let text = format!("status {status}: no Pydio answers at this address");
            return Err(PortError::new(FailureClass::Retry, text));
        }
        _ => return Ok(()),
    };
    let wait = header(headers, &RETRY_AFTER).parse::<u64>().ok();
    Err(PortError {
        retry_after_ms: wait.map(|seconds| seconds.min(WAIT_S_MAX) * 1000),
        ..PortError::new(class, format!("the server answered with status {status}"))
    })
}

fn encoded(form: &Pairs) -> Bytes {
    let pairs = form
        .iter()
        .map(|(name, value)| format!("{}={}", encode(name), encode(value)));
    Bytes::from(pairs.collect::<Vec<_>>().join("&"))
}

/// The server treats agents with this word as sync clients, not as browsers.
pub(super) const USER_AGENT: &str =
    concat!("pydio-sync/", env!("CARGO_PKG_VERSION"), " python-requests");
const POOL_MAX: usize = 64;
/// Some wait for a place or are taken while others are under way.
const READS_A_PLACE: usize = 3;
const ANSWER_BYTES_MAX: usize = 16 * 1024 * 1024;
/// Uploads up to this size count as short calls.
const LONG_BYTES: u64 = 4 * 1024 * 1024;
const WAIT_S_MAX: u64 = 3600;
