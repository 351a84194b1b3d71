//! An answer whose body is still to be read, or was read ahead.
//!
//! In: a response of the vendor crate, on the wire. Out: its head, then pieces of its
//! body. Invariant: pieces come in their order, an error after those that came before it;
//! few of them wait to be taken; a body that ended frees its connection and its places at
//! once, so that the next request leaves before anybody took this answer. Deliberately
//! absent: what it means. Leaves nothing behind: dropping it closes the connection.

use super::wire::GivenUp;
use bytes::Bytes;
use reqwest::Response;
use reqwest::header::{HeaderMap, HeaderValue, WWW_AUTHENTICATE};
use std::collections::VecDeque;
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
    Failed(reqwest::Error),
    End,
}

type Piece = Result<Bytes, reqwest::Error>;

impl Reply {
    /// Takes an answer and reads its body ahead, until it ended or so many bytes came; what
    /// follows then is read on the wire as it is taken.
    pub(crate) async fn take(mut response: Response, permits: Permits, ahead_bytes: usize) -> Self {
        let mut reply = Self {
            status: response.status().as_u16(),
            headers: std::mem::take(response.headers_mut()),
            length: response.content_length(),
            _turn: None,
            ahead: VecDeque::new(),
            rest: Rest::End,
        };
        let mut bytes = 0;
        while bytes < ahead_bytes {
            match response.chunk().await {
                Ok(Some(piece)) => {
                    bytes += piece.len();
                    reply.ahead.push_back(piece);
                }
                Ok(None) => return reply,
                Err(error) => {
                    reply.rest = Rest::Failed(error);
                    return reply;
                }
            }
        }
        let (pieces, coming) = mpsc::channel(PIECES_AHEAD);
        let task = tokio::spawn(read_on(response, permits, pieces));
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
    pub(crate) async fn chunk(&mut self) -> Result<Option<Bytes>, reqwest::Error> {
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
async fn read_on(mut response: Response, permits: Permits, pieces: mpsc::Sender<Piece>) {
    while let Some(piece) = response.chunk().await.transpose() {
        let is_last = piece.is_err();
        if pieces.send(piece).await.is_err() || is_last {
            break;
        }
    }
    drop((response, permits));
}

/// Pieces that wait to be taken.
const PIECES_AHEAD: usize = 4;
/// What is read of a body before anybody asks for it.
pub(crate) const AHEAD_BYTES: usize = 64 * 1024;
