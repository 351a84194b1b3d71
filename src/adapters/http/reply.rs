//! An answer whose body is still to be read, or was read ahead.
//!
//! In: a response of the vendor crate, on the wire. Out: its head, then pieces of its
//! body. Invariant: pieces come in their order, an error after those that came before it;
//! few of them wait to be taken; a server that is silent while it is waited for is given
//! up, one that has to wait is not; a body that ended frees its connection and its places at
//! once, so that the next request leaves before anybody took this answer. Deliberately
//! absent: what it means. Leaves nothing behind: dropping it closes the connection.

use super::fault::Broken;
use super::wire::GivenUp;
use bytes::Bytes;
use reqwest::Response;
use reqwest::header::{HeaderMap, HeaderValue, WWW_AUTHENTICATE};
use std::collections::VecDeque;
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, mpsc};

/// The places that a request takes.
pub(crate) type Permits = Vec<OwnedSemaphorePermit>;

/// An answer.
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    /// The length that was announced.
    pub(crate) length: Option<u64>,
    /// What whoever reads it holds besides, until it is dropped.
    _turn: Option<OwnedSemaphorePermit>,
    ahead: VecDeque<Bytes>,
    rest: Rest,
}

/// What comes after what was read ahead.
enum Rest {
    /// The wire goes on reading; it ends when this is dropped.
    Coming(
        mpsc::Receiver<Piece>,
        #[expect(dead_code, reason = "ends the reading")] GivenUp,
    ),
    Failed(Broken),
    End,
}

type Piece = Result<Bytes, Broken>;

impl Reply {
    /// Takes an answer and reads its body ahead, until it ended or some bytes came; what
    /// follows then is read on the wire as it is taken. Each piece may be waited for as long
    /// as `silence`.
    pub(crate) async fn take(mut response: Response, permits: Permits, silence: Duration) -> Self {
        let mut reply = Self {
            status: response.status().as_u16(),
            headers: std::mem::take(response.headers_mut()),
            length: response.content_length(),
            _turn: None,
            ahead: VecDeque::new(),
            rest: Rest::End,
        };
        let mut bytes = 0;
        while bytes < AHEAD_BYTES {
            match read(&mut response, silence).await {
                Some(Ok(piece)) => {
                    bytes += piece.len();
                    reply.ahead.push_back(piece);
                }
                None => return reply,
                Some(Err(error)) => {
                    reply.rest = Rest::Failed(error);
                    return reply;
                }
            }
        }
        let (pieces, coming) = mpsc::channel(PIECES_AHEAD);
        let task = tokio::spawn(read_on(response, permits, pieces, silence));
        reply.rest = Rest::Coming(coming, GivenUp::of(&task));
        reply
    }

    /// An answer that was not asked for: a request that waited had credentials that were
    /// refused meanwhile.
    pub(crate) fn refused() -> Self {
        let mut headers = HeaderMap::new();
        headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Basic"));
        Self {
            status: 401,
            headers,
            length: None,
            _turn: None,
            ahead: VecDeque::new(),
            rest: Rest::End,
        }
    }

    /// Holds on to a turn until it is dropped.
    pub(crate) fn holding(self, turn: Option<OwnedSemaphorePermit>) -> Self {
        Self {
            _turn: turn,
            ..self
        }
    }

    /// Reads on; nothing at the end.
    pub(crate) async fn chunk(&mut self) -> Result<Option<Bytes>, Broken> {
        if let Some(piece) = self.ahead.pop_front() {
            return Ok(Some(piece));
        }
        match &mut self.rest {
            Rest::Coming(pieces, _) => pieces.recv().await.transpose(),
            Rest::End => Ok(None),
            Rest::Failed(_) => match std::mem::replace(&mut self.rest, Rest::End) {
                Rest::Failed(error) => Err(error),
                Rest::Coming(..) | Rest::End => Ok(None),
            },
        }
    }
}

/// Reads a body to its end, as fast as its pieces are taken.
async fn read_on(
    mut response: Response,
    permits: Permits,
    pieces: mpsc::Sender<Piece>,
    silence: Duration,
) {
    while let Some(piece) = read(&mut response, silence).await {
        let is_last = piece.is_err();
        if pieces.send(piece).await.is_err() || is_last {
            break;
        }
    }
    drop((response, permits));
}

/// Reads a piece. Only this is waiting for the server, not that nobody took the last one.
async fn read(response: &mut Response, silence: Duration) -> Option<Piece> {
    match tokio::time::timeout(silence, response.chunk()).await {
        Ok(piece) => piece.map_err(Broken::Lost).transpose(),
        Err(_) => Some(Err(Broken::Silent)),
    }
}

/// Pieces that wait to be taken.
const PIECES_AHEAD: usize = 4;
/// What is read of a body before anybody asks for it.
const AHEAD_BYTES: usize = 64 * 1024;

#[cfg(test)]
mod tests {
    use super::*;
    use futures::{StreamExt, stream};
    use reqwest::Body;

    const SILENCE: Duration = Duration::from_secs(20);

    fn run<T>(future: impl Future<Output = T>) -> T {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build();
        runtime.expect("a runtime").block_on(future)
    }

    /// An answer of so many pieces, then of nothing more or of its end.
    async fn reply(count: usize, is_whole: bool) -> Reply {
        let piece = Bytes::from_static(&[7; AHEAD_BYTES]);
        let pieces = stream::iter(vec![piece; count]).map(Ok::<_, std::io::Error>);
        let body = if is_whole {
            Body::wrap_stream(pieces)
        } else {
            Body::wrap_stream(pieces.chain(stream::pending()))
        };
        Reply::take(http::Response::new(body).into(), Permits::new(), SILENCE).await
    }

    #[test]
    fn a_body_that_nobody_takes_for_long_is_not_a_server_that_is_silent() {
        run(async {
            let mut reply = reply(20, true).await;
            for _ in 0..20 {
                tokio::time::sleep(3 * SILENCE).await;
                assert!(matches!(reply.chunk().await, Ok(Some(_))));
            }
            assert!(matches!(reply.chunk().await, Ok(None)));
        });
    }

    #[test]
    fn a_server_that_ends_no_body_is_given_up_wherever_it_is() {
        for count in [0, 1, 20] {
            run(async {
                let mut reply = reply(count, false).await;
                for _ in 0..count {
                    assert!(matches!(reply.chunk().await, Ok(Some(_))));
                }
                assert!(matches!(reply.chunk().await, Err(Broken::Silent)));
                assert!(matches!(reply.chunk().await, Ok(None)));
            });
        }
    }
}
