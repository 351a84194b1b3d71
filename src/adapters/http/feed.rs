//! A request whose body is a content, watched while it is on its way.
//!
//! In: a content, a request. Out: the server's first word. Invariant: a transfer that
//! stands still is given up, a slow one is not; a content that fails breaks the request
//! off, so that the server throws it away; before everything was handed over nothing was
//! changed. Deliberately absent: what the answer means. Leaves nothing behind.

use super::content::{PIECE_BYTES, changed};
use super::{Bucket, Content, Effect, Permits, Reply, Wire, lost, silent};
use crate::ports::{PortError, PortResult};
use bytes::Bytes;
use futures::stream;
use reqwest::{Body, RequestBuilder};
use std::cell::Cell;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::Instant;

/// The way in of a body.
pub(crate) struct Feeder(mpsc::Sender<Result<Bytes, std::io::Error>>);

/// What goes into a body.
pub(crate) struct Load<'a, 'c> {
    /// Before the content.
    pub(crate) head: Bytes,
    pub(crate) content: &'a mut Content<'c>,
    /// How many bytes of the content.
    pub(crate) length: u64,
    /// After it.
    pub(crate) tail: Bytes,
}

/// Makes a body and its way in.
pub(crate) fn body() -> (Body, Feeder) {
    let (pieces, taken) = mpsc::channel::<Result<Bytes, std::io::Error>>(PIECES_AHEAD);
    let body = stream::unfold(taken, async |mut taken| {
        let piece = taken.recv().await?;
        Some((piece, taken))
    });
    (Body::wrap_stream(Box::pin(body)), Feeder(pieces))
}

/// How the pump ended.
enum End {
    /// Everything was handed over.
    Whole,
    /// The connection takes no more.
    Shut,
    Failed(PortError),
}

impl Feeder {
    /// Sends a request with what goes into its body, no faster than the bucket lets. The
    /// answer keeps the request's places until it was read.
    ///
    /// # Errors
    /// As the source or the network fails; `InDoubt` only after all was handed over.
    pub(crate) async fn send(
        self,
        wire: &Wire,
        (request, permits): (RequestBuilder, Permits),
        load: Load<'_, '_>,
        rate: &Bucket,
        timeout: Duration,
    ) -> PortResult<Reply> {
        let moved = Cell::new(Instant::now());
        let mut pump = std::pin::pin!(pump(rate, load, self.0, &moved));
        let mut sending = std::pin::pin!(wire.run(async move {
            let response = request.send().await?;
            Ok(Reply::take(response, permits, timeout).await)
        }));
        let (mut is_pumping, mut is_whole) = (true, false);
        loop {
            let effect = if is_whole {
                Effect::Writes
            } else {
                Effect::Reads
            };
            let silence = if is_whole {
                answer_wait(timeout)
            } else {
                timeout
            };
            let until = moved.get() + silence;
            tokio::select! {
                biased;
                end = &mut pump, if is_pumping => {
                    is_pumping = false;
                    moved.set(Instant::now());
                    match end {
                        End::Whole => is_whole = true,
                        End::Shut => {}
                        End::Failed(error) => return Err(error),
                    }
                }
                answer = &mut sending => return answer.map_err(|error| lost(error, effect)),
                () = tokio::time::sleep_until(until) => {
                    if moved.get() + silence <= Instant::now() {
                        return Err(silent(effect));
                    }
                }
            }
        }
    }
}

async fn pump(
    rate: &Bucket,
    load: Load<'_, '_>,
    pieces: mpsc::Sender<Result<Bytes, std::io::Error>>,
    moved: &Cell<Instant>,
) -> End {
    let Load {
        head,
        content,
        length,
        tail,
    } = load;
    if !head.is_empty() && pieces.send(Ok(head)).await.is_err() {
        return End::Shut;
    }
    let (mut left, mut is_quick) = (length, false);
    while left > 0 {
        let begun = Instant::now();
        let is_middle = left > EDGE_BYTES && length - left > EDGE_BYTES;
        let most = if is_middle && is_quick {
            QUICK_PIECE_BYTES
        } else {
            PIECE_BYTES
        };
        let max = usize::try_from(left).unwrap_or(most).min(most);
        let piece = match content.next(max).await {
            Ok(Some(piece)) => piece,
            Ok(None) => return End::Failed(changed("ended early")),
            Err(error) => {
                // Breaks the request off, so that the server throws it away.
                drop(pieces.send(Err(std::io::Error::other("given up"))).await);
                return End::Failed(error);
            }
        };
        left -= piece.len() as u64;
        rate.take(piece.len()).await;
        if pieces.send(Ok(piece)).await.is_err() {
            return End::Shut;
        }
        moved.set(Instant::now());
        is_quick = begun.elapsed() < QUICK;
    }
    if !tail.is_empty() && pieces.send(Ok(tail)).await.is_err() {
        return End::Shut;
    }
    End::Whole
}

/// How long the server may take to store what it got.
pub(crate) fn answer_wait(timeout: Duration) -> Duration {
    timeout.saturating_mul(3)
}

/// The size of pieces while the line takes them quickly, but for both ends of a content:
/// what waits at its end is little, so that a slow answer is told from a slow line.
const QUICK_PIECE_BYTES: usize = 512 * 1024;
const QUICK: Duration = Duration::from_millis(20);
const EDGE_BYTES: u64 = 4 * 1024 * 1024;
/// Few, so that what was handed over is soon on its way on a slow line as well.
const PIECES_AHEAD: usize = 4;
