//! Writing a file: whole or not at all.
//!
//! In: content and what is expected at its path. Out: what stands there now. Invariant:
//! where an upload that breaks off would spoil the old version, or where the server has no
//! conditions to keep a new one from replacing what came in between, content goes to a slot
//! first and is moved to its name; what arrived is looked at. Large content goes in pieces
//! where it can (`chunks`). RACE: a server may look at a condition before the content has
//! come; so a large content's last bytes, and a move without a condition, follow right after
//! a look; what another client writes in between, or while a small content is sent, is
//! replaced. CRASH: a slot in staging.

use super::Inner;
use super::chunks::checksum;
use super::found::{Found, Version, etag_of, is_marked};
use super::http::{Answer, Ask};
use super::names::obstacle;
use super::powers::Powers;
use super::server::in_doubt;
use super::slots::{STAGING, stored};
use super::told::Trust;
use super::verdict::{Verdict, verdict};
use crate::adapters::http::{Content, unsupported};
use crate::ports::{PortError, PortResult, Put, PutRequest};
use bytes::Bytes;
use futures::FutureExt;
use futures::future::join;
use journal_format::event::{Expected, FailureClass};
use journal_format::value::{Digest, Entry, Fingerprint, Kind, RelPath, Seq};
use std::time::Duration;

/// Where something is written, and what must be there right before.
pub(super) struct Target<'a> {
    pub(super) id: Seq,
    pub(super) path: &'a RelPath,
    pub(super) replaces: &'a Expected,
    pub(super) size: u64,
    /// Seconds since 1970.
    pub(super) mtime: i64,
}

/// What was sent.
pub(super) struct Sent {
    pub(super) digest: Digest,
    pub(super) answer: Answer,
}

/// How content comes to its name.
enum Way {
    /// In pieces of this size.
    Pieces(u64),
    /// At once, on a condition where there is one.
    Direct(Option<(&'static str, String)>),
    /// By a slot, which is moved.
    Slot,
}

impl Inner {
    /// Writes a file.
    pub(super) async fn put(&self, request: PutRequest<'_>) -> PortResult<Put> {
        let source = request.source.entry().clone();
        check_kind(&source, &request)?;
        let print = &source.fingerprint;
        let target = Target {
            id: request.id,
            path: request.path,
            replaces: request.replaces,
            size: print.size,
            mtime: print.mtime_ns / 1_000_000_000,
        };
        // Thousands may want to: only so many hold content, and lie in staging.
        let _turn = self.server.turns.take(target.size).await;
        self.server.prepare(target.path).await;
        let powers = self.server.powers().await?;
        self.check_name(target.path)?;
        let way = way(&target, &powers);
        let is_large = target.size > SMALL_BYTES;
        // A slot is compared when it is moved. Large ones are not sent in vain.
        if is_large || target.size == 0 && matches!(way, Way::Direct(None)) {
            self.check(&target).await?;
        }
        if is_large {
            let server = &self.server;
            server
                .check_room(target.path, target.size, target.replaces)
                .await?;
        }
        let content = Content::new(request.source, request.digest);
        let is_learnt = powers.is_atomic.is_some() || matches!(way, Way::Pieces(_));
        let (stored, ()) = join(self.store(&target, content, way, &powers), async {
            if !is_learnt {
                self.server.learn_atomic().await;
            }
        })
        .await;
        let (sent, tag, told) = stored?;
        let digest = Some(sent.digest);
        let mut version = self.outcome(&target, tag.as_deref(), told).await?;
        // "OK" is also what a page says that a proxy puts in the way.
        if sent.answer.status == 200
            && let Expected::Version(old) = target.replaces
            && Found::File(version.clone()).is_expected(old)
        {
            return Err(in_doubt(target.path, "the old version is still there"));
        }
        // Somebody may have written right after us: then it is read again.
        let is_ours = powers.has_sharp_tags && tag.is_some()
            || powers.takes_time && version.mtime == Some(target.mtime);
        version.is_racy |= !is_ours;
        let found = Found::File(version.clone());
        self.server.shown.borrow_mut().own(target.path, &found);
        let mut readings = self.server.readings.borrow_mut();
        readings.replace(target.path, &version.entry().fingerprint, sent.digest);
        Ok(Put {
            bytes: target.size,
            source: Entry { digest, ..source },
            entry: Entry {
                digest,
                ..version.entry()
            },
            kept: Vec::new(),
        })
    }

    /// Brings content to the server, with the tag of what stands at the name then, and what
    /// the answers tell of it where that may need no look.
    async fn store(
        &self,
        target: &Target<'_>,
        content: Content<'_>,
        way: Way,
        powers: &Powers,
    ) -> PortResult<(Sent, Option<String>, Option<(Version, &Trust)>)> {
        let server = &self.server;
        let named = |answer: &Answer| answer.tag().filter(|_| powers.answers_tag);
        Ok(match way {
            Way::Pieces(piece) => {
                let sent = self.put_chunks(target, content, piece).await?;
                let tag = named(&sent.answer);
                (sent, tag, None)
            }
            Way::Direct(condition) => {
                let can_tell = condition.is_some() && powers.answers_tag && powers.takes_time;
                let sent = self.put_direct(target, content, condition).await?;
                let tag = named(&sent.answer);
                let told = server.told(target, &sent.answer).filter(|_| can_tell);
                (sent, tag, told.map(|told| (told, &server.trust)))
            }
            Way::Slot => {
                let is_new = *target.replaces == Expected::Absent;
                let can_tell = is_new && powers.refuses_overwrite;
                let (sent, staged) = self.put_staged(target, content).await?;
                let tag = staged.etag.clone().filter(|_| powers.keeps_version);
                let told = Some(staged).filter(|_| can_tell && powers.keeps_version);
                (sent, tag, told.map(|told| (told, &server.moves)))
            }
        })
    }

    /// Refuses a name that the server would hide or refuse.
    pub(super) fn check_name(&self, path: &RelPath) -> PortResult<()> {
        let reason = path.names().find_map(|name| obstacle(&self.server, name));
        match reason {
            Some(reason) => Err(unsupported(format!("`{path}`: {reason}"))),
            None => Ok(()),
        }
    }

    /// Looks whether what is expected stands at the target.
    pub(super) async fn check(&self, target: &Target<'_>) -> PortResult<()> {
        let found = self.server.look(target.path.as_str()).await?;
        match target.replaces {
            Expected::Absent if found == Found::Absent => Ok(()),
            Expected::Absent => Err(PortError::precondition(format!(
                "`{}` is taken",
                target.path
            ))),
            Expected::Version(expect) => {
                self.expect(target.path, &found, expect)?;
                let proof = self.proof(target.path, expect).await?;
                let place = target.path.as_str();
                if self.has_content(place, expect, proof).await? {
                    return Ok(());
                }
                Err(self.too_young(target.path).await)
            }
        }
    }

    /// Writes to the name itself; the server keeps the old version until all is there.
    async fn put_direct<'a>(
        &'a self,
        target: &'a Target<'_>,
        mut content: Content<'a>,
        condition: Option<(&'static str, String)>,
    ) -> PortResult<Sent> {
        let mut ask = self.upload(target, target.path.as_str());
        let is_tagged = matches!(&condition, Some((name, _)) if *name == "If-Match");
        // A condition is met or not before the content comes, which may take its time.
        let is_looked_at = condition.is_none() || target.size > SMALL_BYTES;
        ask.headers.extend(condition);
        if is_looked_at {
            content.guard(self.check(target).boxed_local());
        }
        let (ask, mut sent) = self.send(ask, content, target.size, is_looked_at).await?;
        let mut verdict_now = verdict(&sent.answer)?;
        // For a moment after a change a tag is a weak one, which no condition meets.
        if verdict_now == Verdict::Taken && is_tagged && ask.body.is_some() {
            self.check(target).await?;
            self.note_refusal(target);
            tokio::time::sleep(AGED).await;
            sent.answer = self.server.http.fetch(&ask).await?;
            verdict_now = verdict(&sent.answer)?;
        }
        match verdict_now {
            Verdict::Done => Ok(sent),
            Verdict::Unable(413) => Err(self.too_large(target, target.size)),
            refused => Err(self.refused(target, refused).await),
        }
    }

    /// A tag that was refused twice although it is the right one is never a strong one:
    /// conditions are then no help on this server.
    fn note_refusal(&self, target: &Target<'_>) {
        let Expected::Version(expect) = target.replaces else {
            return;
        };
        let Some(tag) = etag_of(expect).filter(|_| !is_marked(expect)) else {
            return;
        };
        let refused = Some(format!("{}\n{tag}", target.path));
        let before = self.server.refused_tag.replace(refused.clone());
        if refused == before {
            self.server.conditions_are_no_help();
        }
    }

    /// Writes to a slot and moves that to the name.
    async fn put_staged(
        &self,
        target: &Target<'_>,
        content: Content<'_>,
    ) -> PortResult<(Sent, Version)> {
        let server = &self.server;
        let slot = server.slot(STAGING, target.id);
        let ask = self.upload(target, &slot);
        let staged = match self.send(ask, content, target.size, false).await {
            Ok((_, sent)) if sent.answer.status == 413 => Err(self.too_large(target, target.size)),
            Ok((_, sent)) => stored(&sent.answer, target.path).map(|()| sent),
            // Nothing happened at the name.
            Err(error) if error.class == FailureClass::InDoubt => Err(PortError {
                class: FailureClass::Retry,
                ..error
            }),
            Err(error) => Err(error),
        };
        if let Err(error) = &staged
            && server.makes_rooms_again().await == Ok(true)
        {
            return Err(PortError {
                class: FailureClass::Retry,
                ..error.clone()
            });
        }
        let placed = match staged {
            Ok(sent) => self.place(target, &slot).await.map(|staged| (sent, staged)),
            Err(error) => Err(error),
        };
        // After a move whose answer got lost the slot may still be all there is.
        if let Err(error) = &placed
            && error.class != FailureClass::InDoubt
        {
            server.drop_slot(&slot, false).await;
        }
        placed
    }

    /// Moves a slot to its name, once it is seen to be whole.
    pub(super) async fn place(&self, target: &Target<'_>, slot: &str) -> PortResult<Version> {
        let server = &self.server;
        let staged = match server.glance(slot).await? {
            Found::File(version) if version.size == target.size => version,
            _ => {
                let text = format!("`{}` did not arrive whole", target.path);
                return Err(PortError::new(FailureClass::Retry, text));
            }
        };
        let is_new = *target.replaces == Expected::Absent;
        let powers = server.powers().await?;
        if !is_new || !powers.refuses_overwrite {
            self.check(target).await?;
        }
        if is_new && powers.makes_parents {
            self.check_parent(target.path).await?;
        }
        let moved = server.send_move(slot, target.path.as_str(), false, !is_new);
        let moved = match moved.await {
            // Without a folder to be in it did not happen, whatever the server says.
            Err(error) if error.class == FailureClass::InDoubt => {
                self.check_parent(target.path).await?;
                return Err(error);
            }
            moved => moved?,
        };
        match moved {
            Verdict::Done => Ok(staged),
            refused => Err(self.refused(target, refused).await),
        }
    }

    fn upload(&self, target: &Target<'_>, at: &str) -> Ask {
        let ask = Ask::write("PUT", self.server.base.url(at, false))
            .with("Content-Type", "application/octet-stream");
        if target.mtime > MTIME_MIN {
            ask.with("X-OC-Mtime", target.mtime.to_string())
        } else {
            ask
        }
    }

    /// Sends content, in the way that fits to its size, or in pieces of which the last one
    /// follows a look. Returns the request, which can be sent again if it has a body of its
    /// own.
    async fn send(
        &self,
        mut ask: Ask,
        mut content: Content<'_>,
        size: u64,
        is_looked_at: bool,
    ) -> PortResult<(Ask, Sent)> {
        if size > SMALL_BYTES || is_looked_at && size > 0 {
            let answer = self.server.http.upload(&ask, &mut content, size).await?;
            let digest = content.finish();
            return Ok((ask, Sent { digest, answer }));
        }
        let bytes = content.all().await?;
        let digest = content.finish();
        if self.server.is_oc.get()
            && let Some(sum) = checksum(&digest)
        {
            ask = ask.with("OC-Checksum", sum);
        }
        ask.body = Some(Bytes::from(bytes));
        let answer = self.server.http.fetch(&ask).await?;
        Ok((ask, Sent { digest, answer }))
    }

    /// Finds out why a write was refused.
    pub(super) async fn refused(&self, target: &Target<'_>, verdict: Verdict) -> PortError {
        let path = target.path;
        match self.check(target).await {
            Err(error) => return error,
            Ok(()) => {
                if let Err(error) = self.check_parent(path).await {
                    return error;
                }
            }
        }
        match verdict {
            // The tag was still a weak one, which no condition meets.
            Verdict::Taken => {
                self.note_refusal(target);
                PortError {
                    retry_after_ms: u64::try_from(AGED.as_millis()).ok(),
                    ..PortError::new(
                        FailureClass::Retry,
                        format!("`{path}` was changed a moment ago"),
                    )
                }
            }
            Verdict::Missing => PortError::new(
                FailureClass::Retry,
                format!("`{path}`: the server does not find its folder"),
            ),
            other => other.error(path),
        }
    }

    /// Finds out what stands at the target: by what the answers told where that proves it,
    /// else by a look.
    async fn outcome(
        &self,
        target: &Target<'_>,
        tag: Option<&str>,
        told: Option<(Version, &Trust)>,
    ) -> PortResult<Version> {
        let is_small = target.size <= SMALL_BYTES;
        if let Some((told, trust)) = &told
            && is_small
            && trust.covers(target.path)
        {
            return Ok(told.clone());
        }
        let seen = self.verify(target, tag).await?;
        if let Some((told, trust)) = &told {
            trust.compare(target.path, told, &seen);
        }
        Ok(seen)
    }

    /// Compares what stands at the target with what was sent.
    async fn verify(&self, target: &Target<'_>, tag: Option<&str>) -> PortResult<Version> {
        let path = target.path;
        let Found::File(version) = self.server.look(path.as_str()).await? else {
            return Err(in_doubt(path, "it was stored and is not there"));
        };
        if version.size != target.size {
            return Err(in_doubt(path, "it has another size than what was sent"));
        }
        if tag.is_some() && tag != version.etag.as_deref() {
            return Err(in_doubt(path, "it was replaced right after it was stored"));
        }
        Ok(version)
    }

    /// Compares what was found with what is expected.
    ///
    /// # Errors
    /// `Precondition` when it is something else.
    pub(super) fn expect(
        &self,
        path: &RelPath,
        found: &Found,
        expect: &Fingerprint,
    ) -> PortResult<()> {
        if found.is_expected(expect) {
            return Ok(());
        }
        let what = if *found == Found::Absent {
            "is absent"
        } else {
            "is not what was expected"
        };
        tracing::debug!(?found, ?expect, "{path} {what}");
        Err(PortError::precondition(format!("`{path}` {what}")))
    }

    /// Refuses what has no folder to be in.
    pub(super) async fn check_parent(&self, path: &RelPath) -> PortResult<()> {
        let Some(parent) = path.parent().filter(|parent| !parent.is_root()) else {
            return Ok(());
        };
        if matches!(
            self.server.look_once(parent.as_str()).await?,
            Found::Folder(_)
        ) {
            return Ok(());
        }
        Err(PortError::precondition(format!("`{parent}` is no folder")))
    }
}

/// Chooses how content comes to its name.
fn way(target: &Target<'_>, powers: &Powers) -> Way {
    let is_new = *target.replaces == Expected::Absent;
    // A tag that may not tell the next version is no condition to rely on.
    let condition = match target.replaces {
        _ if !powers.has_conditions => None,
        Expected::Absent => Some(("If-None-Match", "*".to_owned())),
        Expected::Version(expect) => etag_of(expect)
            .filter(|_| !is_marked(expect))
            .map(|tag| ("If-Match", format!("\"{tag}\""))),
    };
    // Where the answer names no tag, a slot is what tells ours from the next version.
    let is_told = powers.answers_tag || !powers.keeps_version || !powers.has_sharp_tags;
    let is_direct = powers.is_atomic == Some(true) && (!is_new || condition.is_some() && is_told);
    match powers.piece(target.size) {
        Some(piece) => Way::Pieces(piece),
        None if is_direct => Way::Direct(condition),
        None => Way::Slot,
    }
}

fn check_kind(source: &Entry, request: &PutRequest<'_>) -> PortResult<()> {
    let path = request.path;
    let text = match (source.kind(), request.replaces) {
        (Kind::Symlink, _) => format!("{path}: the server holds no links"),
        (Kind::Directory, _) => format!("{path}: a folder has no content"),
        (_, Expected::Version(expect)) if expect.kind == Kind::Directory => {
            format!("{path}: a folder is not replaced")
        }
        _ => return Ok(()),
    };
    Err(unsupported(text))
}

/// Up to this size a file is read whole before it is sent.
pub(super) const SMALL_BYTES: u64 = 1024 * 1024;
/// Times of the first day are taken for mistakes by servers.
pub(super) const MTIME_MIN: i64 = 86_400;
/// After this a tag is a strong one.
const AGED: Duration = Duration::from_millis(1_100);
