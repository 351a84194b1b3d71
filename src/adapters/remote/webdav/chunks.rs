//! Large files in pieces, on servers of ownCloud's family.
//!
//! In: content larger than one request should carry. Out: the file, under its name.
//! Invariant: parts become a file at once, by a move with the condition that what is
//! expected stands there; where that condition does not count they become a slot, which
//! is looked at and moved. A transfer is named by place, content and size of its pieces,
//! so parts of one that broke off are those of this content, and are not sent again. An
//! answer to the last move that got lost is looked for and compared; content is never
//! sent again because of it. CRASH: the transfer's folder (`uploads`).

use super::Inner;
use super::download::claimed;
use super::found::Found;
use super::http::Answer;
use super::powers::Powers;
use super::put::{MTIME_MIN, Sent, Target};
use super::slots::STAGING;
use super::uploads::Transfer;
use super::verdict::{Verdict, verdict};
use crate::adapters::http::{Content, unsupported};
use crate::ports::{PortError, PortResult};
use journal_format::event::{Expected, FailureClass};
use journal_format::value::Digest;
use std::time::Duration;

impl Powers {
    /// Returns the size of the pieces in which content goes; nothing when it goes whole.
    pub(super) fn piece(&self, size: u64) -> Option<u64> {
        let most = self.piece_max();
        let piece = size.div_ceil(PARTS_GOAL).max(PIECE_BYTES).min(most);
        let fits = size > piece && size.div_ceil(piece) <= PARTS_MAX;
        (self.takes_chunks && fits).then_some(piece)
    }

    /// Returns the size of smaller pieces, once a request with so many bytes of a file was
    /// too large; nothing when no pieces would do.
    fn smaller(&self, size: u64, tried: u64) -> Option<u64> {
        // Another file may have shown meanwhile that even less is taken.
        let most = self.piece_max();
        let step = STEPS.into_iter().find(|step| *step < tried)?.min(most);
        let fits = size.div_ceil(step) <= PARTS_MAX;
        (self.takes_chunks && fits).then_some(step)
    }

    fn piece_max(&self) -> u64 {
        match self.chunk_max {
            0 => PIECE_MAX,
            known => known.min(PIECE_MAX),
        }
    }
}

impl Inner {
    /// Sends content in pieces. Returns what was sent; the answer is the last move's.
    pub(super) async fn put_chunks(
        &self,
        target: &Target<'_>,
        mut content: Content<'_>,
        piece: u64,
    ) -> PortResult<Sent> {
        let server = &self.server;
        // The second reading, while it is sent, must give the same.
        let whole = content.beginning(target.size).await?;
        let (transfer, slot) = self.transfer(target, piece, whole.as_ref()).await?;
        let _hold = server.unfinished.hold(&transfer.name);
        let parts = self.send_parts(target, &transfer, &mut content, piece, whole.is_some());
        let sent = match parts.await {
            Ok(()) => {
                let digest = content.finish();
                if whole.is_some_and(|whole| whole != digest) {
                    let text = format!("`{}` changed while it was read", target.path);
                    Err(PortError::precondition(text))
                } else {
                    self.assemble(target, &transfer, slot.as_deref(), digest)
                        .await
                }
            }
            Err(error) => Err(error),
        };
        if let Err(error) = &sent
            && matches!(
                error.class,
                FailureClass::Precondition | FailureClass::Unsupported | FailureClass::Denied
            )
        {
            server.drop_upload(&transfer.name).await;
        }
        sent
    }

    /// Takes a body that was too large for a reason to send smaller ones.
    pub(super) fn too_large(&self, target: &Target<'_>, tried: u64) -> PortError {
        let mut known = self.server.known.borrow_mut();
        let next = known.as_ref().and_then(|it| it.smaller(target.size, tried));
        match (known.as_mut(), next) {
            (Some(powers), Some(next)) => {
                tracing::info!("the server takes no {tried} bytes at once: {next} from now on");
                powers.chunk_max = next;
                self.server.is_news.set(true);
                let text = format!(
                    "`{}` is too large for one request: smaller ones next (status 413)",
                    target.path
                );
                PortError::new(FailureClass::Retry, text)
            }
            _ => Verdict::Unable(413).error(target.path),
        }
    }

    /// Names a transfer, and the slot that it goes by where conditions do not count.
    async fn transfer(
        &self,
        target: &Target<'_>,
        piece: u64,
        whole: Option<&Digest>,
    ) -> PortResult<(Transfer, Option<String>)> {
        let server = &self.server;
        let place = server.base.url(target.path.as_str(), false);
        let what = match whole {
            Some(digest) => digest.to_string(),
            None => format!("operation {}", target.id.0),
        };
        let what = format!("{place}\n{what}\n{}\n{piece}", target.size);
        let hex = |text: &str, digits| blake3::hash(text.as_bytes()).to_hex()[..digits].to_owned();
        let place_mark = format!("{}{}-", server.upload_prefix(), hex(&place, PLACE_DIGITS));
        let what = hex(&what, WHAT_DIGITS);
        let slot = if server.powers().await?.guards_chunks {
            None
        } else {
            server.make_rooms().await?;
            Some(format!("{STAGING}/{}-{what}", server.mark))
        };
        let transfer = Transfer {
            name: format!("{place_mark}{what}"),
            place: place_mark,
            to: match &slot {
                Some(slot) => server.base.url(slot, false),
                None => place,
            },
            total: target.size,
        };
        Ok((transfer, slot))
    }

    /// Sends the parts that are not there yet.
    async fn send_parts(
        &self,
        target: &Target<'_>,
        transfer: &Transfer,
        content: &mut Content<'_>,
        piece: u64,
        is_known: bool,
    ) -> PortResult<()> {
        let server = &self.server;
        let there = server.parts(&transfer.name).await?;
        let there = there.filter(|_| is_known);
        let mut done = match there.and_then(|parts| beginning(&parts, piece, target.size)) {
            Some(done) => done,
            None => {
                server.begin_upload(transfer).await?;
                0
            }
        };
        if done > 0 {
            tracing::info!(path = %target.path, bytes = done, "an upload goes on");
            if content.skip(done).await?.is_none() {
                let text = format!("`{}` became shorter", target.path);
                return Err(PortError::precondition(text));
            }
        }
        while done < target.size {
            let length = piece.min(target.size - done);
            let ask = server.part(transfer, done / piece + 1)?;
            let answer = match server.http.upload(&ask, content, length).await {
                Ok(answer) => answer,
                // Nothing happened at the name.
                Err(error) if error.class == FailureClass::InDoubt => {
                    return Err(PortError {
                        class: FailureClass::Retry,
                        ..error
                    });
                }
                Err(error) => return Err(error),
            };
            match verdict(&answer)? {
                Verdict::Done => done += length,
                Verdict::Unable(413) => {
                    server.drop_upload(&transfer.name).await;
                    return Err(self.too_large(target, length));
                }
                // Old ones are forgotten by the server, whoever goes on with them.
                Verdict::Missing | Verdict::Taken => {
                    server.drop_upload(&transfer.name).await;
                    let text = format!("`{}`: its parts are gone", target.path);
                    return Err(PortError::new(FailureClass::Retry, text));
                }
                other => return Err(other.error(target.path)),
            }
        }
        Ok(())
    }

    /// Makes one file of the parts, if what is expected stands at the name.
    async fn assemble(
        &self,
        target: &Target<'_>,
        transfer: &Transfer,
        slot: Option<&str>,
        digest: Digest,
    ) -> PortResult<Sent> {
        let server = &self.server;
        let mut ask = server.assembly(transfer)?;
        if slot.is_none() {
            self.check(target).await?;
            match target.replaces {
                Expected::Absent => ask = ask.with("Overwrite", "F"),
                Expected::Version(expect) => {
                    let path = target.path.as_str();
                    let found = server.look(path).await?;
                    self.expect(target.path, &found, expect)?;
                    if let Found::File(version) = found
                        && let Some(tag) = &version.etag
                    {
                        ask = ask.with("If", server.if_tag(path, tag));
                    }
                }
            }
        }
        if target.mtime > MTIME_MIN {
            ask = ask.with("X-OC-Mtime", target.mtime.to_string());
        }
        if let Some(sum) = checksum(&digest) {
            ask = ask.with("OC-Checksum", sum);
        }
        let at = slot.unwrap_or(target.path.as_str());
        let moved = match server.http.fetch(&ask).await {
            Ok(answer) => self.moved(target, transfer, slot, answer).await,
            Err(error) => Err(error),
        };
        let mut answer = match moved {
            Err(error) if error.class == FailureClass::InDoubt => {
                self.settle(target, transfer, at, &digest, error).await?;
                Answer::default()
            }
            other => other?,
        };
        if let Some(slot) = slot {
            let placed = self.place(target, slot).await;
            if let Err(error) = &placed
                && error.class != FailureClass::InDoubt
            {
                server.drop_slot(slot, false).await;
            }
            placed?;
            // Its tag is the slot's.
            answer = Answer::default();
        }
        Ok(Sent { digest, answer })
    }

    /// Reads what became of the last move.
    async fn moved(
        &self,
        target: &Target<'_>,
        transfer: &Transfer,
        slot: Option<&str>,
        answer: Answer,
    ) -> PortResult<Answer> {
        let server = &self.server;
        match verdict(&answer)? {
            Verdict::Done => Ok(answer),
            Verdict::Missing if server.parts(&transfer.name).await?.is_none() => {
                // Somebody made a file of it: an earlier move of ours, most likely.
                let text = format!("`{}`: its parts are gone", target.path);
                Err(PortError::new(FailureClass::InDoubt, text))
            }
            Verdict::Unable(400) => {
                server.drop_upload(&transfer.name).await;
                Err(unsupported(format!(
                    "`{}`: the server does not take its parts (status 400)",
                    target.path
                )))
            }
            refused if slot.is_none() => Err(self.refused(target, refused).await),
            refused => Err(refused.error(target.path)),
        }
    }

    /// Looks what became of a move whose answer got lost, as long as its parts are there.
    async fn settle(
        &self,
        target: &Target<'_>,
        transfer: &Transfer,
        at: &str,
        digest: &Digest,
        lost: PortError,
    ) -> PortResult<()> {
        let server = &self.server;
        for pause in PAUSES {
            let is_over = matches!(server.parts(&transfer.name).await, Ok(None));
            if let Ok((Found::File(version), props)) = server.look_closer(at).await
                && version.size == target.size
                && let Some(sums) = &props.checksums
                && claimed(sums, server.digest).as_ref() == Some(digest)
            {
                tracing::info!(path = %target.path, "it was stored; only the answer got lost");
                return Ok(());
            }
            if is_over {
                break;
            }
            tokio::time::sleep(pause).await;
        }
        Err(lost)
    }
}

/// Returns how much of the content whole parts hold; nothing when they are not the
/// beginning of it.
fn beginning(parts: &[(u32, u64)], piece: u64, total: u64) -> Option<u64> {
    let mut done = 0;
    for (at, (number, size)) in parts.iter().enumerate() {
        let is_next = u64::from(*number) == at as u64 + 1;
        if !is_next || done >= total || *size != piece.min(total - done) {
            return None;
        }
        done += size;
    }
    Some(done)
}

/// Spells a hash as servers of the family keep it.
pub(super) fn checksum(digest: &Digest) -> Option<String> {
    let Digest::Sha1(_) = digest else {
        return None;
    };
    let text = digest.to_string();
    let (_, hex) = text.split_once(':')?;
    Some(format!("SHA1:{hex}"))
}

const MIB: u64 = 1024 * 1024;
/// Pieces have this size unless a file would be too many of them.
const PIECE_BYTES: u64 = 20 * MIB;
/// What the family takes at most.
const PIECE_MAX: u64 = 5 * 1024 * MIB;
const PARTS_GOAL: u64 = 2_000;
const PARTS_MAX: u64 = 10_000;
/// Where a server takes no piece of some size, the next smaller one of these is tried.
/// Below 5 MiB some storages do not take them, and say so at the end.
const STEPS: [u64; 6] = [100 * MIB, 20 * MIB, 10 * MIB, 5 * MIB, MIB, MIB / 2];
const PLACE_DIGITS: usize = 12;
const WHAT_DIGITS: usize = 24;
/// How long a move whose answer got lost is waited for; then other work goes on.
const PAUSES: [Duration; 4] = [
    Duration::from_millis(200),
    Duration::from_millis(500),
    Duration::from_secs(1),
    Duration::from_secs(2),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_only_get_smaller_and_no_file_is_tried_that_no_pieces_carry() {
        let gib = 1024 * MIB;
        for (chunk_max, size, tried, expected) in [
            (0, gib, gib, Some(100 * MIB)),
            (0, gib, 100 * MIB, Some(20 * MIB)),
            (5 * MIB, gib, 100 * MIB, Some(5 * MIB)),
            (MIB, 10_000 * MIB, 5 * MIB, Some(MIB)),
            (MIB, 10_001 * MIB, 10_001 * MIB, None),
            (10 * MIB, 20 * gib, 10 * MIB, Some(5 * MIB)),
            (5 * MIB, 20 * gib, 5 * MIB, None),
            (MIB / 2, MIB, MIB / 2, None),
        ] {
            let powers = Powers {
                chunk_max,
                takes_chunks: true,
                ..Powers::default()
            };
            let found = powers.smaller(size, tried);
            assert_eq!(found, expected, "{chunk_max} {size} {tried}");
        }
    }

    #[test]
    fn parts_count_only_where_they_are_the_beginning() {
        type Parts = &'static [(u32, u64)];
        let table: [(Parts, Option<u64>); 8] = [
            (&[], Some(0)),
            (&[(1, 10)], Some(10)),
            (&[(1, 10), (2, 10), (3, 5)], Some(25)),
            (&[(1, 10), (3, 5)], None),
            (&[(2, 10)], None),
            (&[(1, 9)], None),
            (&[(1, 10), (2, 10), (3, 4)], None),
            (&[(1, 10), (2, 10), (3, 5), (4, 0)], None),
        ];
        for (parts, done) in table {
            assert_eq!(beginning(parts, 10, 25), done, "{parts:?}");
        }
    }

    #[test]
    fn pieces_are_as_large_as_the_server_takes_and_not_too_many() {
        let powers = |takes_chunks, chunk_max| Powers {
            takes_chunks,
            chunk_max,
            ..Powers::default()
        };
        let table = [
            (powers(false, 0), 1 << 40, None),
            (powers(true, 0), PIECE_BYTES, None),
            (powers(true, 0), PIECE_BYTES + 1, Some(PIECE_BYTES)),
            (powers(true, 0), 200_000 * MIB, Some(100 * MIB)),
            (powers(true, 5 * MIB), 6 * MIB, Some(5 * MIB)),
            (powers(true, MIB), 20_000 * MIB, None),
        ];
        for (powers, size, piece) in table {
            assert_eq!(powers.piece(size), piece, "{size} {powers:?}");
        }
    }
}
