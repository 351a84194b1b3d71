//! Content on its way to the server.
//!
//! In: a source, or bytes. Out: the server's answer. Invariant: the last piece of a
//! file is sent only after the source was seen to end as announced and unchanged and
//! what it replaces was looked at, so a version that changed meanwhile never arrives
//! whole; a transfer that stands still is given up, a slow one is not. Deliberately absent: what the answer means (`put`).

use super::http::{Answer, Call, Effect, Extra, Http, Reply, doubt, lost, read};
use super::names::encode;
use super::stat::Md5;
use crate::adapters::digest::Hasher;
use crate::ports::{PortError, PortResult, Source};
use bytes::Bytes;
use futures::future::LocalBoxFuture;
use futures::stream;
use journal_format::event::FailureClass;
use journal_format::value::{Digest, DigestKind};
use reqwest::Body;
use std::cell::Cell;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::Instant;

/// A file's content, read once and hashed on the way.
pub(super) struct Content<'a> {
    source: Box<dyn Source>,
    /// What must go well right before the last piece is handed over.
    gate: Option<LocalBoxFuture<'a, PortResult<()>>>,
    current: Bytes,
    hasher: Hasher,
    done: u64,
    size: u64,
}

impl<'a> Content<'a> {
    pub(super) fn new(source: Box<dyn Source>) -> Self {
        let size = source.entry().fingerprint.size;
        Self {
            source,
            gate: None,
            current: Bytes::new(),
            hasher: Hasher::new(DigestKind::Md5),
            done: 0,
            size,
        }
    }

    /// Puts a last look before the last piece.
    pub(super) fn guard(&mut self, gate: LocalBoxFuture<'a, PortResult<()>>) {
        self.gate = Some(gate);
    }

    /// Reads at most `max` bytes on; nothing at the end.
    ///
    /// # Errors
    /// As the source fails; `Precondition` when it is longer or shorter than it said;
    /// as the last look says.
    pub(super) async fn next(&mut self, max: usize) -> PortResult<Option<Bytes>> {
        if self.done == self.size && self.size > 0 {
            return Ok(None);
        }
        while self.current.is_empty() {
            match self.source.read().await? {
                Some(chunk) => self.current = Bytes::from(chunk),
                None if self.done == self.size => return Ok(None),
                None => return Err(changed("ended early")),
            }
        }
        let piece = self.current.split_to(max.min(self.current.len()));
        let done = self.done + piece.len() as u64;
        let is_longer = done > self.size
            || done == self.size
                && (!self.current.is_empty() || self.source.read().await?.is_some());
        if is_longer {
            return Err(changed("went on"));
        }
        if done == self.size
            && let Some(gate) = self.gate.take()
        {
            gate.await?;
        }
        self.hasher.update(&piece);
        self.done = done;
        Ok(Some(piece))
    }

    /// Reads everything.
    pub(super) async fn all(&mut self) -> PortResult<Vec<u8>> {
        let mut bytes = Vec::new();
        while let Some(piece) = self.next(PIECE_BYTES).await? {
            bytes.extend_from_slice(&piece);
        }
        Ok(bytes)
    }

    /// Returns the hash of the first bytes without reading on; nothing where there
    /// is no file to read them from.
    pub(super) async fn beginning(&self, bytes: u64) -> PortResult<Option<Md5>> {
        let Some(file) = self.source.file() else {
            return Ok(None);
        };
        let work = tokio::task::spawn_blocking(move || hash_beginning(&file, bytes));
        match work.await {
            Ok(Ok(md5)) => Ok(md5),
            Ok(Err(error)) => Err(changed(&format!("cannot be read: {error}"))),
            Err(_) => Err(PortError::new(FailureClass::Fatal, "a hash was given up")),
        }
    }

    /// Reads the first bytes without sending them, and returns their hash.
    pub(super) async fn skip(&mut self, bytes: u64) -> PortResult<Option<Md5>> {
        let mut beginning = Hasher::new(DigestKind::Md5);
        let mut left = bytes;
        while left > 0 {
            let max = usize::try_from(left)
                .unwrap_or(PIECE_BYTES)
                .min(PIECE_BYTES);
            let Some(piece) = self.next(max).await? else {
                return Ok(None);
            };
            beginning.update(&piece);
            left -= piece.len() as u64;
        }
        Ok(md5(&beginning.finish()))
    }

    /// Returns the hash of what was read.
    pub(super) fn finish(self) -> Option<Md5> {
        md5(&self.hasher.finish())
    }
}

fn hash_beginning(file: &File, bytes: u64) -> io::Result<Option<Md5>> {
    let mut hasher = Hasher::new(DigestKind::Md5);
    let mut piece = vec![0; PIECE_BYTES];
    let mut done = 0;
    while done < bytes {
        let most = usize::try_from(bytes - done).unwrap_or(PIECE_BYTES);
        let read = file.read_at(&mut piece[..most.min(PIECE_BYTES)], done)?;
        if read == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        hasher.update(&piece[..read]);
        done += read as u64;
    }
    Ok(md5(&hasher.finish()))
}

/// Returns the bytes of an MD5.
pub(super) const fn md5(digest: &Digest) -> Option<Md5> {
    match digest {
        Digest::Md5(bytes) => Some(*bytes),
        Digest::Blake3(_) | Digest::Sha1(_) => None,
    }
}

fn changed(how: &str) -> PortError {
    PortError::precondition(format!("the content {how}: it changed while it was read"))
}

/// The form around a piece of content.
pub(super) struct Form {
    kind: String,
    head: Bytes,
    tail: Bytes,
}

impl Form {
    /// Makes the form of an upload; `mark` is part of the line between its fields.
    pub(super) fn new(fields: &[(&str, String)], mark: &str) -> Self {
        let line = format!("pydio-sync-{mark}");
        let mut head = String::new();
        for (name, value) in fields {
            head.push_str(&format!(
                "--{line}\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n"
            ));
        }
        head.push_str(&format!(
            "--{line}\r\nContent-Disposition: form-data; name=\"userfile_0\"; filename=\"content\"\r\n\
             Content-Type: application/octet-stream\r\n\r\n"
        ));
        Self {
            kind: format!("multipart/form-data; boundary={line}"),
            head: head.into(),
            tail: format!("\r\n--{line}--\r\n").into(),
        }
    }

    fn length(&self, content: u64) -> u64 {
        (self.head.len() + self.tail.len()) as u64 + content
    }
}

/// The fields of an upload under a name.
pub(super) fn fields(name: &str) -> Vec<(&'static str, String)> {
    vec![
        ("force_post", "true".to_owned()),
        ("xhr_uploader", "true".to_owned()),
        ("urlencoded_filename", encode(name)),
    ]
}

/// Sends content that is all there.
pub(super) async fn send_bytes(
    http: &Http,
    call: &Call,
    extra: &Extra<'_>,
    form: &Form,
    content: &[u8],
) -> PortResult<Answer> {
    http.up.take(content.len()).await;
    let body = [&form.head, content, &form.tail].concat();
    let length = form.length(content.len() as u64);
    let (request, permits) = http
        .upload(call, extra, (&form.kind, length), Body::from(body), false)
        .await;
    let wait = answer_wait(http.timeout) + Duration::from_secs(length / SLOW_BYTES_PER_S);
    match tokio::time::timeout(wait, request.send()).await {
        Ok(Ok(response)) => {
            let reply = Reply::new(response, permits);
            read(reply, call.bytes_max, Effect::Writes).await
        }
        Ok(Err(error)) => Err(lost(error, Effect::Writes)),
        Err(_) => Err(silent(Effect::Writes)),
    }
}

/// How the pump ended.
enum End {
    /// Everything was handed over.
    Whole,
    /// The connection takes no more.
    Shut,
    Failed(PortError),
}

/// Sends the next `length` bytes of a content.
pub(super) async fn send_stream(
    http: &Http,
    call: &Call,
    extra: &Extra<'_>,
    form: &Form,
    content: &mut Content<'_>,
    length: u64,
) -> PortResult<Answer> {
    let (pieces, taken) = mpsc::channel::<Result<Bytes, io::Error>>(2);
    let body = stream::unfold(taken, async |mut taken| {
        let piece = taken.recv().await?;
        Some((piece, taken))
    });
    let total = form.length(length);
    let (request, permits) = http
        .upload(
            call,
            extra,
            (&form.kind, total),
            Body::wrap_stream(Box::pin(body)),
            true,
        )
        .await;
    let moved = Cell::new(Instant::now());
    let mut pump = std::pin::pin!(pump(http, form, content, length, pieces, &moved));
    let mut sending = std::pin::pin!(request.send());
    let (mut is_pumping, mut is_whole) = (true, false);
    let response = loop {
        let effect = if is_whole {
            Effect::Writes
        } else {
            Effect::Reads
        };
        let silence = if is_whole {
            answer_wait(http.timeout)
        } else {
            http.timeout
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
            answer = &mut sending => break answer.map_err(|error| lost(error, effect))?,
            () = tokio::time::sleep_until(until) => {
                if moved.get() + silence <= Instant::now() {
                    return Err(silent(effect));
                }
            }
        }
    };
    read(
        Reply::new(response, permits),
        call.bytes_max,
        Effect::Writes,
    )
    .await
}

async fn pump(
    http: &Http,
    form: &Form,
    content: &mut Content<'_>,
    length: u64,
    pieces: mpsc::Sender<Result<Bytes, io::Error>>,
    moved: &Cell<Instant>,
) -> End {
    if pieces.send(Ok(form.head.clone())).await.is_err() {
        return End::Shut;
    }
    let mut left = length;
    while left > 0 {
        let max = usize::try_from(left)
            .unwrap_or(PIECE_BYTES)
            .min(PIECE_BYTES);
        let piece = match content.next(max).await {
            Ok(Some(piece)) => piece,
            Ok(None) => return End::Failed(changed("ended early")),
            Err(error) => {
                // Breaks the request off, so that the server throws it away.
                drop(pieces.send(Err(io::Error::other("given up"))).await);
                return End::Failed(error);
            }
        };
        left -= piece.len() as u64;
        http.up.take(piece.len()).await;
        if pieces.send(Ok(piece)).await.is_err() {
            return End::Shut;
        }
        moved.set(Instant::now());
    }
    match pieces.send(Ok(form.tail.clone())).await {
        Ok(()) => End::Whole,
        Err(_) => End::Shut,
    }
}

fn silent(effect: Effect) -> PortError {
    PortError::new(doubt(effect), "the server has been silent for too long")
}

/// How long the server may take to store what it got.
fn answer_wait(timeout: Duration) -> Duration {
    timeout.saturating_mul(3)
}

const PIECE_BYTES: usize = 64 * 1024;
/// A connection may be as slow as this with content that is sent in one piece.
const SLOW_BYTES_PER_S: u64 = 4 * 1024;

#[cfg(test)]
mod tests;
