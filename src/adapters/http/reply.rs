//! An answer whose body is still to be read, or was read ahead.
//!
//! In: a response of the vendor crate, on the wire. Out: its head, then pieces of its
//! body. Invariant: pieces come in their order, an error after those that came before it;
//! a body that ended ahead frees its connection and its places at once, so that the next
//! request leaves before anybody took this answer. Deliberately absent: what it means.

use bytes::Bytes;
use reqwest::Response;
use reqwest::header::HeaderMap;
use std::collections::VecDeque;
use tokio::sync::OwnedSemaphorePermit;

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
    Open(
        Response,
        #[expect(dead_code, reason = "held as long as the body")] Permits,
    ),
    Failed(reqwest::Error),
    End,
}

impl Reply {
    /// Takes an answer and reads its body ahead, until it ended or so many bytes came.
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
        reply.rest = Rest::Open(response, permits);
        reply
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
            Rest::Open(response, _) => response.chunk().await,
            Rest::End => Ok(None),
            Rest::Failed(_) => match std::mem::replace(&mut self.rest, Rest::End) {
                Rest::Failed(error) => Err(error),
                Rest::Open(..) | Rest::End => Ok(None),
            },
        }
    }
}

/// What is read of a body before anybody asks for it.
pub(crate) const AHEAD_BYTES: usize = 64 * 1024;
