//! The socket: connections, bodies, faults of bytes.
//!
//! In: HTTP/1.1 on a loopback port. Out: answers, or what a fault makes of them.
//! Invariant: an answer that is cut or lost ends its connection, so no client takes a
//! half for a whole; the log has a request before its answer leaves. Deliberately absent:
//! TLS and limits on connections.

use std::convert::Infallible;
use std::io;
use std::pin::Pin;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use futures::stream::{self, Stream, StreamExt as _};
use http_body_util::{BodyExt as _, Full, StreamBody, combinators::UnsyncBoxBody};
use hyper::body::{Body as _, Frame, Incoming};
use hyper::header::{CONNECTION, CONTENT_LENGTH, HeaderName, HeaderValue};
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};

use super::answer::Answer;
use super::call::Call;
use super::faults::Fault;
use super::hand::Hand;
use super::log::Entry;
use super::server::Server;
use super::versions::http_date;

type Out = UnsyncBoxBody<Bytes, io::Error>;
type Pieces = Pin<Box<dyn Stream<Item = io::Result<Bytes>> + Send>>;

/// Accepts connections until the future is dropped.
pub(super) async fn accept(server: Arc<Server>, listener: TcpListener) {
    loop {
        // Out of descriptors or a client that gave up: the next one may do better.
        let Ok((stream, _)) = listener.accept().await else {
            tokio::task::yield_now().await;
            continue;
        };
        tokio::spawn(connection(Arc::clone(&server), stream));
    }
}

async fn connection(server: Arc<Server>, stream: TcpStream) {
    // Small answers are whole packets; waiting for more would only cost time.
    drop(stream.set_nodelay(true));
    let service = hyper::service::service_fn(move |request| {
        let server = Arc::clone(&server);
        async move { handle(server, request).await }
    });
    let served = hyper::server::conn::http1::Builder::new()
        .serve_connection(TokioIo::new(stream), service)
        .await;
    // A client that left, or a fault that made it leave.
    drop(served);
}

async fn handle(server: Arc<Server>, request: Request<Incoming>) -> io::Result<Response<Out>> {
    if !server.options.latency.is_zero() {
        tokio::time::sleep(server.options.latency).await;
    }
    let (head, mut body) = request.into_parts();
    let target = head
        .uri
        .path_and_query()
        .map_or("/", |target| target.as_str());
    let root = server.root_path();
    let place = server
        .map(&root)
        .place(target.split('?').next().unwrap_or(""));
    let mut call = Call {
        method: head.method.as_str().to_owned(),
        target: target.to_owned(),
        headers: head.headers,
        body: Bytes::new(),
        place,
    };
    let subject = call.subject();
    let early = server.faults.meet_early(&call.method, &subject);
    let mut entry = Entry {
        method: call.method.clone(),
        path: subject,
        depth: call.header("depth").unwrap_or("").to_owned(),
        faulty: early.is_some(),
        ..Entry::default()
    };
    if let Some(status) = at_once(&server, &call, &body, early.as_ref()) {
        entry.status = status;
        server.log.add(entry);
        // As nginx and Apache do: whoever still writes would not read the answer.
        while early.is_none() && body.frame().await.is_some_and(|frame| frame.is_ok()) {}
        let mut response = respond(Answer::status(status), None)?;
        let close = HeaderValue::from_static("close");
        response.headers_mut().insert(CONNECTION, close);
        return Ok(response);
    }
    match read_body(&server, &call, body, early, &mut entry.bytes_in).await {
        Ok(bytes) => call.body = bytes,
        Err(error) => {
            server.log.add(entry);
            if error.kind() == io::ErrorKind::TimedOut {
                return std::future::pending().await;
            }
            return Err(error);
        }
    }
    server.hooks.meet(&call.method, &entry.path);
    let fault = server.faults.meet(&call.method, &entry.path);
    entry.faulty |= fault.is_some();
    let answer = match before(fault.as_ref()) {
        Before::Go => act(&server, &call, fault.as_ref(), &mut entry).await,
        Before::Answer(answer) => answer,
        Before::Silence => {
            server.log.add(entry);
            return std::future::pending().await;
        }
        Before::Leave => {
            server.log.add(entry);
            return Err(lost());
        }
    };
    after(&server, answer, fault, entry).await
}

/// The status that a request gets before its body was read.
fn at_once(server: &Server, call: &Call, body: &Incoming, early: Option<&Fault>) -> Option<u16> {
    let quirks = &server.options.quirks;
    if let Some(Fault::EarlyStatus(status)) = early {
        return Some(*status);
    }
    let has_length = call.headers.contains_key(CONTENT_LENGTH) || body.is_end_stream();
    if quirks.length_required && !has_length {
        return Some(411);
    }
    let length = call.number("content-length")?;
    (length > quirks.body_max?).then_some(413)
}

/// Does what the call asks; a password that has to be hashed takes its time.
async fn act(server: &Server, call: &Call, fault: Option<&Fault>, entry: &mut Entry) -> Answer {
    let (answer, hashed) = server.answer(call, fault);
    entry.hashed = hashed;
    let cost = server.options.quirks.login_cost;
    if hashed && !cost.is_zero() {
        tokio::time::sleep(cost).await;
    }
    answer
}

/// What a fault does before anything is done.
enum Before {
    Go,
    Answer(Answer),
    Silence,
    Leave,
}

fn before(fault: Option<&Fault>) -> Before {
    let answer = match fault {
        Some(Fault::Status(status)) => Answer::page(*status, "Something went wrong"),
        Some(Fault::RetryAfter(status, seconds)) => {
            Answer::page(*status, "Come back later").with("Retry-After", seconds.to_string())
        }
        Some(Fault::Html) => Answer::page(200, "Welcome to this network"),
        Some(Fault::HtmlMultistatus) => Answer::page(207, "Welcome to this network"),
        Some(Fault::Redirect(status, location)) => {
            Answer::page(*status, "Moved").with("Location", location.clone())
        }
        Some(Fault::Hang) => return Before::Silence,
        Some(Fault::Refuse) => return Before::Leave,
        _ => return Before::Go,
    };
    Before::Answer(answer)
}

/// Logs the request and sends the answer, or what a fault leaves of it.
async fn after(
    server: &Arc<Server>,
    mut answer: Answer,
    fault: Option<Fault>,
    mut entry: Entry,
) -> io::Result<Response<Out>> {
    if let Some(Fault::Overtaken(bytes)) = &fault {
        Hand::new(Arc::clone(server)).write(&entry.path, bytes);
    }
    if let Some(Fault::StatusAfter(status)) = fault {
        answer = Answer::page(status, "Something went wrong");
    }
    answer = answer.with("Server", server.options.quirks.name);
    if server.options.dated {
        answer = answer.with("Date", http_date(server.options.clock.now()));
    }
    let lose = matches!(fault, Some(Fault::LoseAnswer | Fault::HangAfter));
    entry.status = if lose { 0 } else { answer.status };
    entry.bytes_out = answer.body.len() as u64;
    server.log.add(entry);
    let length = answer.body.len();
    let whole = answer.body.clone();
    let keep = |bytes: u64| whole.slice(..length.min(usize::try_from(bytes).unwrap_or(length)));
    match fault {
        Some(Fault::HangAfter) => std::future::pending().await,
        Some(Fault::LoseAnswer) => Err(lost()),
        Some(Fault::Delay(time)) => {
            tokio::time::sleep(time).await;
            respond(answer, None)
        }
        Some(Fault::FalseGzip) => respond(answer.with("Content-Encoding", "gzip"), None),
        Some(Fault::NoVersion) => {
            let lost = ["ETag", "OC-ETag", "Last-Modified"];
            answer.headers.retain(|(name, _)| !lost.contains(name));
            respond(answer, None)
        }
        Some(Fault::WrongEtag) => {
            answer.headers.retain(|(name, _)| !name.ends_with("ETag"));
            respond(answer.with("ETag", "\"of something else\""), None)
        }
        Some(Fault::Truncate(bytes)) => {
            answer.body = keep(bytes);
            respond(answer, None)
        }
        Some(Fault::CutBody(bytes)) => {
            let pieces = end_after(keep(bytes), false);
            respond(answer, Some((pieces, Some(length as u64))))
        }
        Some(Fault::CutChunked(bytes)) => {
            respond(answer, Some((end_after(keep(bytes), false), None)))
        }
        Some(Fault::StallBody(bytes)) => {
            let pieces = end_after(keep(bytes), true);
            respond(answer, Some((pieces, Some(length as u64))))
        }
        Some(Fault::Drip(size, pause)) => {
            let pieces = stream::unfold(whole, move |mut rest| async move {
                if rest.is_empty() {
                    return None;
                }
                tokio::time::sleep(pause).await;
                let piece = rest.split_to(size.clamp(1, rest.len()));
                Some((Ok(piece), rest))
            });
            respond(answer, Some((Box::pin(pieces), Some(length as u64))))
        }
        _ => respond(answer, None),
    }
}

/// So many bytes, then the end of the connection, or nothing any more.
fn end_after(bytes: Bytes, stall: bool) -> Pieces {
    let end = stream::once(async move {
        if stall {
            return std::future::pending().await;
        }
        // The connection writes out what it has when nothing is ready, and only then.
        tokio::task::yield_now().await;
        Err(lost())
    });
    Box::pin(stream::iter([Ok(bytes)]).chain(end))
}

/// Reads the body; an error of the kind `TimedOut` is a stall on purpose.
async fn read_body(
    server: &Server,
    call: &Call,
    mut body: Incoming,
    early: Option<Fault>,
    bytes_in: &mut u64,
) -> io::Result<Bytes> {
    let mut whole = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let Ok(piece) = frame.map_err(|_| lost())?.into_data() else {
            continue;
        };
        *bytes_in += piece.len() as u64;
        match early {
            Some(Fault::CutRequest(end)) if *bytes_in >= end => return Err(lost()),
            Some(Fault::StallRequest(end)) if *bytes_in >= end => {
                return Err(io::ErrorKind::TimedOut.into());
            }
            _ => whole.extend_from_slice(&piece),
        }
        if call.number("content-length") > Some(*bytes_in) {
            server.write_in_place(call, &whole);
        }
    }
    Ok(whole.freeze())
}

/// Makes the response; `pieces` with their announced length stand in for the body.
fn respond(answer: Answer, pieces: Option<(Pieces, Option<u64>)>) -> io::Result<Response<Out>> {
    let status = answer.status;
    let (body, length) = match pieces {
        Some((pieces, length)) => {
            let frames = pieces.map(|piece| piece.map(Frame::data));
            (StreamBody::new(frames).boxed_unsync(), length)
        }
        None => {
            let length = answer.body.len() as u64;
            (
                Full::new(answer.body).map_err(never).boxed_unsync(),
                Some(length),
            )
        }
    };
    let mut response = Response::new(body);
    *response.status_mut() =
        StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let headers = response.headers_mut();
    for (name, value) in answer.headers {
        if let Ok(value) = HeaderValue::from_bytes(value.as_bytes()) {
            let name = HeaderName::from_bytes(name.as_bytes()).map_err(io::Error::other)?;
            headers.append(name, value);
        }
    }
    if let Some(length) = length.filter(|_| status != 204 && status != 304) {
        headers.insert(CONTENT_LENGTH, HeaderValue::from(length));
    }
    Ok(response)
}

fn never(never: Infallible) -> io::Error {
    match never {}
}

fn lost() -> io::Error {
    io::Error::from(io::ErrorKind::ConnectionAborted)
}
