//! Requests: their bodies, their answers, faults.
//!
//! In: a connection. Out: answers, or what a fault makes of them. Invariant: the log has a
//! request before its answer leaves. Deliberately absent: the socket (`crate::socket`).
//! Blocking work runs on threads made for it.

use std::io;
use std::sync::Arc;

use bytes::Bytes;
use futures::stream;
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use hyper::{Request, Response};
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpStream;

use super::answer::{Answer, Body};
use super::call::Call;
use super::faults::Fault;
use super::form::Reader;
use super::log::Entry;
use super::server::Server;
use super::zip;
use crate::socket::{self, Out, Pieces, cut_off, dripping, lost, stalled, streamed};

/// Answers on one connection.
pub(super) async fn connection(server: Arc<Server>, stream: TcpStream) {
    socket::http(stream, |request| handle(Arc::clone(&server), request)).await;
}

async fn handle(server: Arc<Server>, request: Request<Incoming>) -> io::Result<Response<Out>> {
    if !server.options.latency.is_zero() {
        tokio::time::sleep(server.options.latency).await;
    }
    let (head, body) = request.into_parts();
    let target = head
        .uri
        .path_and_query()
        .map_or("/", |target| target.as_str());
    let method = head.method.as_str();
    let options = &server.options;
    let parsed = Call::parse(options.quirks, &options.base, target, head.headers);
    let Some(mut call) = parsed else {
        let answer = outside(target.strip_prefix(options.base.as_str()).unwrap_or(target));
        return respond(answer, None);
    };
    let early = server.faults.meet_early(&call.action, &call.subject());
    let mut entry = Entry {
        method: method.to_owned(),
        action: call.action.clone(),
        workspace: call.workspace.clone(),
        path: call.subject(),
        status: 0,
        bytes_in: 0,
        bytes_out: 0,
        faulty: early.is_some(),
        agent: call.header("user-agent").unwrap_or_default().to_owned(),
        range: call.header("range").map(str::to_owned),
    };
    let read = read_body(&server, &mut call, body, early, &mut entry.bytes_in).await;
    entry.path = call.subject();
    if let Err(error) = read {
        server.log.add(entry);
        if error.kind() == io::ErrorKind::TimedOut {
            return std::future::pending().await;
        }
        return Err(error);
    }
    let fault = server.faults.meet(&call.action, &entry.path);
    entry.faulty |= fault.is_some();
    let answer = match before(fault.as_ref()) {
        Before::Go => act(&server, call, fault == Some(Fault::FeedRace)).await?,
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

/// Does what the call asks, where blocking is allowed.
async fn act(server: &Arc<Server>, call: Call, race: bool) -> io::Result<Answer> {
    let server = Arc::clone(server);
    tokio::task::spawn_blocking(move || {
        server.go_on_deleting();
        match server.user(&call) {
            Ok(user) => server.answer(&call, user, race),
            Err(answer) => answer,
        }
    })
    .await
    .map_err(|_| lost())
}

/// What a fault does before anything is done.
enum Before {
    Go,
    Answer(Answer),
    Silence,
    Leave,
}

fn before(fault: Option<&Fault>) -> Before {
    match fault {
        Some(Fault::Status(status)) => {
            Before::Answer(Answer::page(*status, "Something went wrong"))
        }
        Some(Fault::Html) => Before::Answer(Answer::page(200, "Welcome to this network")),
        Some(Fault::Empty) => Before::Answer(Answer::empty()),
        Some(Fault::Unauthorized) => Before::Answer(Answer::unauthorized(
            "You are not authorized to access this API.",
            true,
        )),
        Some(Fault::Appear(path)) => match std::fs::write(path, "it appeared") {
            Ok(()) => Before::Go,
            Err(_) => Before::Leave,
        },
        Some(Fault::Hang) => Before::Silence,
        Some(Fault::Refuse) => Before::Leave,
        _ => Before::Go,
    }
}

/// Logs the request and sends the answer, or what a fault leaves of it.
async fn after(
    server: &Server,
    mut answer: Answer,
    fault: Option<Fault>,
    mut entry: Entry,
) -> io::Result<Response<Out>> {
    if let Some(Fault::StatusAfter(status)) = fault {
        answer = Answer::page(status, "Something went wrong");
    }
    let lose = matches!(fault, Some(Fault::LoseAnswer | Fault::HangAfter));
    entry.status = if lose { 0 } else { answer.status };
    entry.bytes_out = answer.body.len();
    server.log.add(entry);
    match fault {
        Some(Fault::HangAfter) => std::future::pending().await,
        Some(Fault::LoseAnswer) => Err(lost()),
        Some(Fault::Delay(time)) => {
            tokio::time::sleep(time).await;
            respond(answer, None)
        }
        Some(Fault::Gzip) => {
            let packed = zip::gzip(&collect(answer.body).await?);
            answer.body = Body::Bytes(packed.into());
            answer.headers.push(("Content-Encoding", "gzip".to_owned()));
            respond(answer, None)
        }
        Some(Fault::ErrorInside) => {
            let whole = collect(answer.body).await?;
            let mut text = whole[..whole.len() / 2].to_vec();
            let error = super::answer::message("ERROR", "Lost connection to the database");
            text.extend(format!("<tree >{error}</tree>").as_bytes());
            answer.body = Body::Bytes(text.into());
            respond(answer, None)
        }
        Some(Fault::CutBody(bytes) | Fault::StallBody(bytes)) => {
            let whole = collect(answer.body).await?;
            let length = whole.len() as u64;
            let keep = usize::try_from(bytes).unwrap_or(usize::MAX);
            let part = whole.slice(..keep.min(whole.len()));
            answer.body = Body::Bytes(Bytes::new());
            let pieces = match fault {
                Some(Fault::StallBody(_)) => stalled(part),
                _ => cut_off(part),
            };
            respond(answer, Some((pieces, length)))
        }
        Some(Fault::Drip(size, pause)) => {
            let whole = collect(answer.body).await?;
            let length = whole.len() as u64;
            answer.body = Body::Bytes(Bytes::new());
            respond(answer, Some((dripping(whole, size, pause), length)))
        }
        _ => respond(answer, None),
    }
}

/// What the web server answers outside of the API.
fn outside(target: &str) -> Answer {
    match target.split('?').next() {
        Some("" | "/" | "/index.php") => Answer::tree("<require_auth/>"),
        _ => Answer::page(404, "404 Not Found"),
    }
}

/// Reads the body into the call; an error of the kind `TimedOut` is a stall on purpose.
async fn read_body(
    server: &Server,
    call: &mut Call,
    mut body: Incoming,
    early: Option<Fault>,
    bytes_in: &mut u64,
) -> io::Result<()> {
    let limit = server.options.post_max;
    let kind = call.header("content-type").unwrap_or("").to_owned();
    let mut reader = Reader::new(&server.spool, &kind);
    call.dropped = call.length.is_some_and(|length| length > limit);
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
            _ => {}
        }
        call.dropped |= *bytes_in > limit;
        if !call.dropped {
            reader.take(&piece)?;
        }
    }
    if !call.dropped {
        call.upload = reader.finish(&mut call.params);
    }
    Ok(())
}

async fn collect(body: Body) -> io::Result<Bytes> {
    match body {
        Body::Bytes(bytes) => Ok(bytes),
        Body::File(file, length) => {
            let mut bytes = Vec::new();
            tokio::fs::File::from_std(file)
                .take(length)
                .read_to_end(&mut bytes)
                .await?;
            Ok(bytes.into())
        }
    }
}

/// Makes the response; `pieces` with their announced length stand in for the body.
fn respond(answer: Answer, pieces: Option<(Pieces, u64)>) -> io::Result<Response<Out>> {
    let (body, length) = match (pieces, answer.body) {
        (Some((pieces, length)), _) => (streamed(pieces), length),
        (None, Body::Bytes(bytes)) => {
            let length = bytes.len() as u64;
            (socket::whole(bytes), length)
        }
        (None, Body::File(file, length)) => (streamed(from_file(file, length)), length),
    };
    socket::response(answer.status, answer.headers, body, Some(length))
}

fn from_file(file: std::fs::File, length: u64) -> Pieces {
    let file = tokio::fs::File::from_std(file).take(length);
    Box::pin(stream::unfold(Some(file), |file| async move {
        let mut file = file?;
        let mut piece = vec![0; PIECE_BYTES];
        match file.read(&mut piece).await {
            Ok(0) => None,
            Ok(read) => {
                piece.truncate(read);
                Some((Ok(piece.into()), Some(file)))
            }
            Err(error) => Some((Err(error), None)),
        }
    }))
}

const PIECE_BYTES: usize = 256 * 1024;
