//! Large files in pieces.
//!
//! In: content larger than one request takes. Out: the file, under its name. Invariant:
//! pieces but the first travel under a name of their own, because the server writes
//! them there before it appends them, over whatever has that name; so the old version
//! stays until the last piece, and right before its end it is looked at again. There are
//! always two pieces at least: a single one never becomes the file. All clients that send
//! one name share one part: what others' pieces came into never has the announced size,
//! and is not gone on with. CRASH: `NAME.dlpart`, with which the next try goes on if
//! size and hash say that it is ours.

use super::Inner;
use super::answer::{Verdict, verdict};
use super::change::in_doubt;
use super::http::unsupported;
use super::names::{PART, encode};
use super::put::Target;
use super::send::{Form, fields, send_stream};
use super::stat::{Found, Md5};
use crate::adapters::http::Content;
use crate::ports::{PortError, PortResult};
use journal_format::event::FailureClass;
use journal_format::value::Digest;

impl Inner {
    /// Sends content in pieces; returns its hash.
    pub(super) async fn send_chunks(
        &self,
        target: &Target<'_>,
        mut content: Content<'_>,
        piece_max: u64,
    ) -> PortResult<Md5> {
        let (_, limits) = self.link.server.entered().await?;
        if target.name().len() + PART.len() > limits.name_max {
            let text = format!("`{}`: the name is too long for so large a file", target.at);
            return Err(unsupported(text));
        }
        let part = format!("{}{PART}", target.at);
        let mut done = self.resume(target, &part, &mut content).await?;
        let verdict = loop {
            let most = if done == 0 {
                self.first_piece(target, piece_max)
            } else {
                self.check_part(&part, done).await?;
                piece_max
            };
            let length = most.min(target.size - done);
            let is_last = done + length == target.size;
            let sent = self.send_chunk(target, &mut content, done, length).await;
            let verdict = match sent {
                Ok(verdict) => verdict,
                // Only the last piece changes what stands at the path.
                Err(error) if error.class == FailureClass::InDoubt && !is_last => {
                    return Err(PortError {
                        class: FailureClass::Retry,
                        ..error
                    });
                }
                Err(error) => {
                    if error.class == FailureClass::Precondition {
                        self.drop_part(&part, done).await;
                    }
                    return Err(error);
                }
            };
            if is_last {
                break verdict;
            }
            if let Err(error) = self.taken(target, verdict).await {
                // A part that is not gone on with would only fill the quota.
                if error.class != FailureClass::Retry {
                    self.drop_part(&part, done).await;
                }
                return Err(error);
            }
            done += length;
        };
        let md5 =
            super::send::md5(&content.finish()).ok_or_else(|| in_doubt(&target.at, "no hash"))?;
        if let Verdict::Done(document) = &verdict
            && document.added.is_empty()
            && document.updated.is_empty()
        {
            // The part has not the size that was announced: somebody else wrote to it. It
            // has a piece of ours at its end by now and serves nobody, or is a new one.
            let text = format!("`{}`: the part got mixed up", target.at);
            return Err(PortError::new(FailureClass::Retry, text));
        }
        self.stored(target, verdict, md5).await?;
        Ok(md5)
    }

    /// Returns the length of the first piece: shorter than the others, and by another
    /// length with each client and file. A part that another client began or added to has
    /// then not the length that the last piece makes whole, so the server never takes a
    /// mix for the file.
    fn first_piece(&self, target: &Target<'_>, piece_max: u64) -> u64 {
        let mark = format!("{} {} {}", self.mark(target), target.at, target.size);
        let [a, b, c, d, e, f, ..] = *blake3::hash(mark.as_bytes()).as_bytes();
        let chance = u64::from_be_bytes([0, 0, a, b, c, d, e, f]);
        let less = 1 + chance % (piece_max / 4).max(1);
        piece_max.saturating_sub(less).max(1)
    }

    /// Looks whether the part still is what was sent so far.
    ///
    /// # Errors
    /// `Retry` when somebody else writes to it: then it is theirs.
    async fn check_part(&self, part: &str, done: u64) -> PortResult<()> {
        match self.link.server.look(part, false).await? {
            Found::File(version) if version.size == done => Ok(()),
            _ => {
                let text = format!("`{part}` is being written by another client");
                Err(PortError::new(FailureClass::Retry, text))
            }
        }
    }

    /// Finds out how much is already there, and reads on to that place.
    async fn resume(
        &self,
        target: &Target<'_>,
        part: &str,
        content: &mut Content<'_>,
    ) -> PortResult<u64> {
        let is_unfit = self.link.unfit.borrow_mut().remove(part);
        let found = self.link.server.look(part, true).await?;
        let Found::File(version) = found else {
            return Ok(0);
        };
        let (Some(md5), false) = (version.md5, is_unfit) else {
            return Ok(0);
        };
        if version.size == 0 || version.size >= target.size {
            return Ok(0);
        }
        let md5 = Digest::Md5(md5);
        if let Some(own) = content.beginning(version.size).await? {
            // The server may have an old hash of a part that is right.
            if own != md5 && Digest::Md5(self.fetch_md5(part, version.size).await?) != own {
                tracing::info!(path = %target.at, "an upload begins anew, over another part");
                return Ok(0);
            }
            if content.skip(version.size).await? != Some(own) {
                let text = format!("`{}` changed while it was read", target.at);
                return Err(PortError::precondition(text));
            }
            tracing::info!(path = %target.at, bytes = version.size, "an upload goes on");
            return Ok(version.size);
        }
        if content.skip(version.size).await? == Some(md5) {
            return Ok(version.size);
        }
        // The content is read by now; the next try begins at the beginning. The
        // server may also have an old hash of a part that is right.
        self.link.unfit.borrow_mut().insert(part.to_owned());
        let text = format!("`{part}` is not the beginning of this content");
        Err(PortError::new(FailureClass::Retry, text))
    }

    async fn send_chunk(
        &self,
        target: &Target<'_>,
        content: &mut Content<'_>,
        done: u64,
        length: u64,
    ) -> PortResult<Verdict> {
        let mark = self.mark(target);
        let is_first = done == 0;
        // Ends like a part, so that no client takes it for a file if it stays.
        let own = format!("pydio-sync-{mark}{PART}");
        let mut form = fields(if is_first { target.name() } else { &own });
        form.push(("partial_upload", "true".to_owned()));
        form.push(("partial_target_bytesize", target.size.to_string()));
        if !is_first {
            form.push(("appendto_urlencoded_part", encode(target.name())));
        }
        let form = Form::new(&form, &mark);
        let answer = self
            .link
            .server
            .upload(target.folder(), async |http, call, extra| {
                send_stream(http, call, extra, &form, content, length).await
            })
            .await?;
        verdict(&answer)
    }

    /// Reads whether a piece that is not the last one was taken.
    async fn taken(&self, target: &Target<'_>, verdict: Verdict) -> PortResult<()> {
        match verdict {
            Verdict::Done(document) if document.added.is_empty() && document.updated.is_empty() => {
                Ok(())
            }
            Verdict::Done(_) => Err(in_doubt(&target.at, "the server took a part for the whole")),
            other => {
                // The same refusals as for a whole file, without its hash.
                self.stored(target, other, Md5::default()).await
            }
        }
    }

    /// Removes a part of ours that nobody will go on with; one of another length is
    /// another client's.
    async fn drop_part(&self, part: &str, done: u64) {
        if let Err(error) = self.check_part(part, done).await {
            tracing::debug!("`{part}` stays: {error}");
            return;
        }
        let form = vec![
            ("file", part.to_owned()),
            ("force_deletion", "true".to_owned()),
        ];
        if let Err(error) = self.link.server.change("delete", "", form).await {
            tracing::debug!("`{part}` stays: {error}");
        }
    }
}
