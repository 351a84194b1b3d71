//! A server's socket and its threads, and what stands in for whole answers.
//!
//! In: what to do with a connection or a request. Out: a port that answers until it is
//! dropped. Invariant: an answer that is cut or lost ends its connection, so no client takes
//! a half for a whole. Deliberately absent: limits on connections, and what is answered,
//! which is each server's (`serve`). What hangs on purpose does not hold the end up.

use std::convert::Infallible;
use std::io;
use std::net::TcpListener;
use std::pin::Pin;
use std::thread::JoinHandle;
use std::time::Duration;

use bytes::Bytes;
use futures::stream::{self, Stream, StreamExt as _};
use http_body_util::{BodyExt as _, Full, StreamBody, combinators::UnsyncBoxBody};
use hyper::body::{Frame, Incoming};
use hyper::header::{CONTENT_LENGTH, HeaderName, HeaderValue};
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::sync::oneshot;

/// A port on which nobody answers yet.
pub(crate) struct Listening {
    listener: TcpListener,
    port: u16,
}

impl Listening {
    /// Takes a port of this machine; 0 is any.
    pub(crate) fn on(port: u16) -> io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", port))?;
        listener.set_nonblocking(true)?;
        let port = listener.local_addr()?.port();
        Ok(Self { listener, port })
    }

    pub(crate) const fn port(&self) -> u16 {
        self.port
    }

    /// Hands each connection to `serve`, in threads of this name.
    pub(crate) fn serve<F>(
        self,
        name: &str,
        serve: impl Fn(TcpStream) -> F + Send + 'static,
    ) -> io::Result<Running>
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let (stop, stopped) = oneshot::channel::<Infallible>();
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(WORKERS)
            .thread_name(name)
            .enable_all()
            .build()?;
        let listener = self.listener;
        let work = move || {
            runtime.block_on(async {
                let Ok(listener) = tokio::net::TcpListener::from_std(listener) else {
                    return;
                };
                tokio::select! {
                    () = accept(&listener, serve) => {}
                    _ = stopped => {}
                }
            });
            // What is at work with files may finish; what hangs on purpose may not.
            runtime.shutdown_timeout(LAST_WORK);
        };
        let thread = std::thread::Builder::new().name(name.to_owned());
        Ok(Running {
            stop: Some(stop),
            thread: Some(thread.spawn(work)?),
        })
    }
}

/// A server at work. Dropping it stops it: connections end and the port is free.
pub(crate) struct Running {
    stop: Option<oneshot::Sender<Infallible>>,
    thread: Option<JoinHandle<()>>,
}

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // A thread that panicked has stopped, too.
            drop(thread.join());
        }
    }
}

async fn accept<F>(listener: &tokio::net::TcpListener, serve: impl Fn(TcpStream) -> F)
where
    F: Future<Output = ()> + Send + 'static,
{
    loop {
        // Out of descriptors or a client that gave up: the next one may do better.
        let Ok((stream, _)) = listener.accept().await else {
            tokio::task::yield_now().await;
            continue;
        };
        tokio::spawn(serve(stream));
    }
}

/// A body on its way out.
pub(crate) type Out = UnsyncBoxBody<Bytes, io::Error>;
/// A body that comes piece by piece.
pub(crate) type Pieces = Pin<Box<dyn Stream<Item = io::Result<Bytes>> + Send>>;

/// Answers HTTP/1.1 on one connection until one side ends it.
pub(crate) async fn http<F>(stream: TcpStream, handle: impl Fn(Request<Incoming>) -> F)
where
    F: Future<Output = io::Result<Response<Out>>>,
{
    // Small answers are whole packets; waiting for more would only cost time.
    drop(stream.set_nodelay(true));
    let served = hyper::server::conn::http1::Builder::new()
        .serve_connection(TokioIo::new(stream), service_fn(handle))
        .await;
    // A client that left, or a fault that made it leave.
    drop(served);
}

/// Makes a response. Its length is announced where there is one, and a body may have.
pub(crate) fn response(
    status: u16,
    headers: Vec<(&'static str, String)>,
    body: Out,
    length: Option<u64>,
) -> io::Result<Response<Out>> {
    let mut response = Response::new(body);
    *response.status_mut() =
        StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let all = response.headers_mut();
    for (name, value) in headers {
        let name = HeaderName::from_bytes(name.as_bytes()).map_err(io::Error::other)?;
        // Names of files stand in headers as well.
        let value = value.replace(char::is_control, "_");
        if let Ok(value) = HeaderValue::from_bytes(value.as_bytes()) {
            all.append(name, value);
        }
    }
    if let Some(length) = length.filter(|_| status != 204 && status != 304) {
        all.insert(CONTENT_LENGTH, HeaderValue::from(length));
    }
    Ok(response)
}

/// A body that is there.
pub(crate) fn whole(bytes: Bytes) -> Out {
    Full::new(bytes).map_err(never).boxed_unsync()
}

/// A body that comes piece by piece.
pub(crate) fn streamed(pieces: Pieces) -> Out {
    StreamBody::new(pieces.map(|piece| piece.map(Frame::data))).boxed_unsync()
}

/// So many bytes, then the end of the connection.
pub(crate) fn cut_off(bytes: Bytes) -> Pieces {
    let end = stream::once(async {
        // The connection writes out what it has when nothing is ready, and only then.
        tokio::task::yield_now().await;
        Err(lost())
    });
    Box::pin(stream::iter([Ok(bytes)]).chain(end))
}

/// So many bytes, then nothing any more.
pub(crate) fn stalled(bytes: Bytes) -> Pieces {
    Box::pin(stream::iter([Ok(bytes)]).chain(stream::pending()))
}

/// Pieces of so many bytes with pauses before each.
pub(crate) fn dripping(bytes: Bytes, size: usize, pause: Duration) -> Pieces {
    Box::pin(stream::unfold(bytes, move |mut rest| async move {
        if rest.is_empty() {
            return None;
        }
        tokio::time::sleep(pause).await;
        let piece = rest.split_to(size.clamp(1, rest.len()));
        Some((Ok(piece), rest))
    }))
}

/// The end of a connection without an answer.
pub(crate) fn lost() -> io::Error {
    io::Error::from(io::ErrorKind::ConnectionAborted)
}

fn never(never: Infallible) -> io::Error {
    match never {}
}

const WORKERS: usize = 2;
const LAST_WORK: Duration = Duration::from_secs(2);
