//! A request whose body is a content, watched while it is on its way.
//!
//! In: a content, a request. Out: the server's first word. Invariant: a transfer that
//! stands still is given up, one that is slow is not, and none for what takes its time on
//! our side; a content that fails breaks the request
//! off, so that the server throws it away; before everything was handed over nothing was
//! changed. Deliberately absent: what the answer means. Leaves nothing behind.

use super::content::{PIECE_BYTES, changed};
use super::{Bucket, Content, Effect, Permits, Reply, Wire, lost, silent};
use crate::ports::{PortError, PortResult};
use bytes::Bytes;
use futures::stream::{self, BoxStream};
use reqwest::{Body, RequestBuilder};
use std::cell::Cell;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::Instant;

/// The way in of a body.
pub(crate) struct Feeder {
    pieces: mpsc::Sender<Piece>,
    /// When the connection took something last.
    taken: Arc<Mutex<Instant>>,
}

type Piece = Result<Bytes, std::io::Error>;

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
    let (slices, feeder) = slices();
    (Body::wrap_stream(slices), feeder)
}

/// Makes the slices of a body as the connection takes them: of one size, so that it
/// shows soon that a line became slow, whatever the size of the pieces.
fn slices() -> (BoxStream<'static, Piece>, Feeder) {
    let (pieces, coming) = mpsc::channel::<Piece>(PIECES_AHEAD);
    let taken = Arc::new(Mutex::new(Instant::now()));
    let begin = (coming, Bytes::new(), Arc::clone(&taken));
    let slices = stream::unfold(begin, async |(mut coming, mut rest, taken)| {
        if rest.is_empty() {
            rest = match coming.recv().await? {
                Ok(piece) => piece,
                Err(error) => return Some((Err(error), (coming, rest, taken))),
            };
        }
        *locked(&taken) = Instant::now();
        let slice = rest.split_to(rest.len().min(PIECE_BYTES));
        Some((Ok(slice), (coming, rest, taken)))
    });
    (Box::pin(slices), Feeder { pieces, taken })
}

fn locked(taken: &Mutex<Instant>) -> MutexGuard<'_, Instant> {
    taken.lock().unwrap_or_else(PoisonError::into_inner)
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
        let sending = wire.run(async move {
            let response = request.send().await?;
            Ok(Reply::take(response, permits, timeout).await)
        });
        self.watch(sending, load, rate, timeout).await
    }

    /// Feeds a request that is being sent, and gives it up when the line is silent.
    async fn watch(
        self,
        sending: impl Future<Output = Result<Reply, reqwest::Error>>,
        load: Load<'_, '_>,
        rate: &Bucket,
        timeout: Duration,
    ) -> PortResult<Reply> {
        let waits = Waits(Cell::new(None));
        let mut pump = std::pin::pin!(pump(rate, load, self.pieces, &waits));
        let mut sending = std::pin::pin!(sending);
        let (mut is_pumping, mut is_whole) = (true, false);
        loop {
            let (effect, silence) = if is_whole {
                (Effect::Writes, answer_wait(timeout))
            } else {
                (Effect::Reads, timeout)
            };
            // What the line is not waited for is no silence; it is asked about later.
            let since = || waits.0.get().map(|since| since.max(*locked(&self.taken)));
            let until = since().unwrap_or_else(Instant::now) + silence;
            tokio::select! {
                biased;
                end = &mut pump, if is_pumping => {
                    is_pumping = false;
                    waits.begin();
                    match end {
                        End::Whole => is_whole = true,
                        End::Shut => {}
                        End::Failed(error) => return Err(error),
                    }
                }
                answer = &mut sending => return answer.map_err(|error| lost(error, effect)),
                () = tokio::time::sleep_until(until) => {
                    if since().is_some_and(|since| since + silence <= Instant::now()) {
                        return Err(silent(effect));
                    }
                }
            }
        }
    }
}

/// Since when the line is waited for, if it is.
struct Waits(Cell<Option<Instant>>);

impl Waits {
    fn begin(&self) {
        self.0.set(Some(Instant::now()));
    }

    /// Hands a piece over to the line, and tells whether it took it.
    async fn hand_over(&self, pieces: &mpsc::Sender<Piece>, piece: Piece) -> bool {
        self.begin();
        let sent = pieces.send(piece).await;
        self.0.set(None);
        sent.is_ok()
    }
}

async fn pump(rate: &Bucket, load: Load<'_, '_>, pieces: mpsc::Sender<Piece>, line: &Waits) -> End {
    let Load {
        head,
        content,
        length,
        tail,
    } = load;
    if !head.is_empty() && !line.hand_over(&pieces, Ok(head)).await {
        return End::Shut;
    }
    let (mut left, mut is_quick, mut paid) = (length, false, 0);
    while left > 0 {
        let begun = Instant::now();
        let is_middle = left > EDGE_BYTES && length - left > EDGE_BYTES;
        let most = if is_middle && is_quick {
            QUICK_PIECE_BYTES
        } else {
            PIECE_BYTES
        };
        let max = usize::try_from(left).unwrap_or(most).min(most);
        // Before it is read: after the last look nothing is waited for.
        rate.take(max.saturating_sub(paid)).await;
        paid = paid.max(max);
        let piece = match content.next(max).await {
            Ok(Some(piece)) => piece,
            Ok(None) => return End::Failed(changed("ended early")),
            Err(error) => {
                // Breaks the request off, so that the server throws it away.
                let given_up = Err(std::io::Error::other("given up"));
                line.hand_over(&pieces, given_up).await;
                return End::Failed(error);
            }
        };
        left -= piece.len() as u64;
        paid -= piece.len();
        if !line.hand_over(&pieces, Ok(piece)).await {
            return End::Shut;
        }
        is_quick = begun.elapsed() < QUICK;
    }
    if !tail.is_empty() && !line.hand_over(&pieces, Ok(tail)).await {
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

#[cfg(test)]
mod tests;
