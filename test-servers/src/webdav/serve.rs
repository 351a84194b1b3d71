//! Requests: their bodies, their answers, faults of bytes.
//!
//! In: a connection. Out: answers, or what a fault makes of them. Invariant: the log has a
//! request before its answer leaves. Deliberately absent: the socket (`crate::socket`),
//! faults of listings (`propfind`).

use std::io;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt as _;
use hyper::body::{Body as _, Incoming};
use hyper::header::{CONNECTION, CONTENT_LENGTH, HeaderValue};
use hyper::{Request, Response};
use tokio::net::TcpStream;

use super::answer::Answer;
use super::call::Call;
use super::faults::Fault;
use super::hand::Hand;
use super::log::Entry;
use super::server::Server;
use super::versions::http_date;
use crate::socket::{self, Out, Pieces, cut_off, dripping, lost, stalled, streamed};

/// Answers on one connection.
pub(super) async fn connection(server: Arc<Server>, stream: TcpStream) {
    socket::http(stream, |request| handle(Arc::clone(&server), request)).await;
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
    if matches!(fault, Some(Fault::Late(_))) {
        server.put_off(call.clone());
    }
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
        Some(Fault::Status(status) | Fault::Late(status)) => {
            Answer::page(*status, "Something went wrong")
        }
        Some(Fault::RetryAfter(status, seconds)) => {
            Answer::page(*status, "Come back later").with("Retry-After", seconds.to_string())
        }
        Some(Fault::Html | Fault::HtmlCut(_)) => Answer::page(200, "Welcome to this network"),
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
            respond(answer, Some((cut_off(keep(bytes)), Some(length as u64))))
        }
        Some(Fault::CutChunked(bytes) | Fault::HtmlCut(bytes)) => {
            respond(answer, Some((cut_off(keep(bytes)), None)))
        }
        Some(Fault::StallBody(bytes)) => {
            respond(answer, Some((stalled(keep(bytes)), Some(length as u64))))
        }
        Some(Fault::Drip(size, pause)) => {
            let pieces = dripping(whole, size, pause);
            respond(answer, Some((pieces, Some(length as u64))))
        }
        _ => respond(answer, None),
    }
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
    let (body, length) = match pieces {
        Some((pieces, length)) => (streamed(pieces), length),
        None => {
            let length = answer.body.len() as u64;
            (socket::whole(answer.body), Some(length))
        }
    };
    socket::response(answer.status, answer.headers, body, length)
}
