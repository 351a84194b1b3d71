//! A file on its way from a server: every byte of one version, or an error.
//!
//! In: what a protocol knows of the version. Out: its content in pieces. Invariant: the
//! last piece is given only after the length was compared, and what the protocol
//! compares; an answer that breaks off is gone on with where it ended. Deliberately
//! absent: what proves a version, and where the content goes. Leaves nothing behind.
//! Another remote brings its own [`Fetched`].

use super::bucket::Bucket;
use super::fault::Effect;
use super::reply::Reply;
use crate::adapters::digest::Hasher;
use crate::ports::{Chunk, PortError, PortResult, Source, Task};
use bytes::{Buf, Bytes};
use journal_format::event::FailureClass;
use journal_format::value::{Digest, Entry};
use std::fs::File;
use std::sync::Arc;

/// A version of a file on a server, as its protocol asks for it.
pub(crate) trait Fetched {
    /// Returns what is expected.
    fn entry(&self) -> &Entry;

    /// Names it in errors.
    fn name(&self) -> &str;

    /// Returns what bounds the bytes a second.
    fn limit(&self) -> &Bucket;

    /// Asks for the content from a byte on.
    async fn content(&mut self, from: u64) -> PortResult<Opened>;

    /// Compares the version once everything was read.
    async fn compare(&mut self, whole: Whole) -> PortResult<()>;

    /// Names the version for [`Source::beginning`].
    fn beginning(&self) -> Option<String>;

    /// Looks at the version again.
    async fn verify(&mut self) -> PortResult<()>;
}

/// What is known of a content that was read to its end.
pub(crate) struct Whole {
    /// Its hash, where one was asked for.
    pub(crate) digest: Option<Digest>,
    /// Whether an earlier process read its beginning.
    pub(crate) is_resumed: bool,
}

/// An answer with content, of which some bytes may be known already.
pub(crate) struct Opened {
    pub(crate) reply: Reply,
    pub(crate) skip: u64,
}

impl Opened {
    /// Reads on, behind what is known; nothing at the end.
    pub(crate) async fn piece(&mut self, limit: &Bucket) -> PortResult<Option<Bytes>> {
        loop {
            let piece = self.reply.chunk().await;
            let Some(mut piece) = piece.map_err(|broken| broken.error(Effect::Reads))? else {
                return Ok(None);
            };
            limit.take(piece.len()).await;
            let known = usize::try_from(self.skip)
                .unwrap_or(usize::MAX)
                .min(piece.len());
            self.skip -= known as u64;
            piece.advance(known);
            if !piece.is_empty() {
                return Ok(Some(piece));
            }
        }
    }
}

/// A fetched version as a source.
pub(crate) struct Download<F> {
    fetched: F,
    opened: Option<Opened>,
    /// Whether content came at all: what is refused at once is not asked for again here.
    is_begun: bool,
    hasher: Option<Hasher>,
    done: u64,
    tries: u32,
    is_resumed: bool,
    is_over: bool,
}

impl<F: Fetched> Download<F> {
    /// Begins with the answer that came already, if one did.
    pub(crate) const fn new(fetched: F, opened: Option<Opened>, hasher: Option<Hasher>) -> Self {
        Self {
            fetched,
            is_begun: opened.is_some(),
            opened,
            hasher,
            done: 0,
            tries: 0,
            is_resumed: false,
            is_over: false,
        }
    }

    /// Reads on, going on after breaks where the content ended.
    async fn next(&mut self) -> PortResult<Bytes> {
        loop {
            let result = self.try_next().await;
            match result {
                Ok(Some(piece)) => {
                    self.tries = 0;
                    return Ok(piece);
                }
                // A body without a length may end anywhere.
                Ok(None) if self.tries >= TRIES_MAX => {
                    let text = format!("`{}`: the content ended early", self.fetched.name());
                    return Err(PortError::new(FailureClass::Retry, text));
                }
                Err(error)
                    if error.class != FailureClass::Retry
                        || self.tries >= TRIES_MAX
                        || !self.is_begun =>
                {
                    return Err(error);
                }
                Ok(None) | Err(_) => {}
            }
            self.opened = None;
            self.tries += 1;
        }
    }

    async fn try_next(&mut self) -> PortResult<Option<Bytes>> {
        let mut opened = match self.opened.take() {
            Some(opened) => opened,
            None => self.fetched.content(self.done).await?,
        };
        self.is_begun = true;
        let piece = opened.piece(self.fetched.limit()).await;
        self.opened = Some(opened);
        piece
    }
}

impl<F: Fetched> Source for Download<F> {
    fn entry(&self) -> &Entry {
        self.fetched.entry()
    }

    fn mode(&self) -> Option<u32> {
        None
    }

    fn read(&mut self) -> Task<'_, Option<Chunk>> {
        Box::pin(async move {
            if self.is_over {
                return Ok(None);
            }
            let size = self.fetched.entry().fingerprint.size;
            let piece = if size == 0 {
                Bytes::new()
            } else {
                self.next().await?
            };
            if let Some(hasher) = &mut self.hasher {
                hasher.update(&piece);
            }
            self.done += piece.len() as u64;
            if self.done > size {
                let text = format!("`{}` is longer than it was", self.fetched.name());
                return Err(PortError::precondition(text));
            }
            if self.done == size {
                // Frees the connection for the comparison.
                self.opened = None;
                let whole = Whole {
                    digest: self.hasher.take().map(Hasher::finish),
                    is_resumed: self.is_resumed,
                };
                self.fetched.compare(whole).await?;
                self.is_over = true;
            }
            Ok(Some(piece).filter(|piece| !piece.is_empty()))
        })
    }

    fn beginning(&self) -> Option<String> {
        self.fetched.beginning()
    }

    fn know(&mut self, piece: &[u8]) {
        if let Some(hasher) = &mut self.hasher {
            hasher.update(piece);
        }
        self.done += piece.len() as u64;
        self.is_resumed = true;
    }

    fn file(&self) -> Option<Arc<File>> {
        None
    }

    fn verify(&mut self) -> Task<'_, ()> {
        Box::pin(self.fetched.verify())
    }
}

/// How often in a row a transfer that breaks is taken up again.
const TRIES_MAX: u32 = 3;
