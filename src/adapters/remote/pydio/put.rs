//! Writing a file: whole or not at all.
//!
//! In: content and what is expected at its path. Out: what stands there now. Invariant:
//! something new is sent so that the server renames it rather than replaces what came in
//! between; a replacement follows a look at the path, by the next request in its place; a
//! large one is looked at again when all but its last bytes were sent. What arrived is
//! verified by size and hash. RACE: between the last look and the server's own rename of a
//! replacement another client's version may be replaced; the server has no condition for it
//! (0045). CRASH: a part, which the next try goes on with.

use super::Inner;
use super::answer::Verdict;
use super::change::{in_doubt, parent, refused};
use super::http::unsupported;
use super::send::{Form, fields, send_bytes, send_stream};
use super::stat::{Found, Md5, Version};
use crate::adapters::digest::digest_of;
use crate::adapters::http::{Content, Permits};
use crate::ports::{PortError, PortResult, Put, PutRequest, Source};
use futures::FutureExt;
use journal_format::event::{Expected, FailureClass};
use journal_format::value::{Digest, DigestKind, Entry, Fingerprint, Kind, Seq};
use sync_core::spelling::composed;

/// Where something is written, and what must be there right before.
pub(super) struct Target<'a> {
    pub(super) id: Seq,
    pub(super) at: String,
    pub(super) replaces: &'a Expected,
    pub(super) size: u64,
}

impl Target<'_> {
    pub(super) fn name(&self) -> &str {
        self.at.rsplit('/').next().unwrap_or_default()
    }

    pub(super) fn folder(&self) -> &str {
        parent(&self.at)
    }
}

impl Inner {
    /// Writes a file.
    pub(super) async fn put(&self, request: PutRequest<'_>) -> PortResult<Put> {
        let link = &self.link;
        let source = request.source.entry().clone();
        check(&source, &request)?;
        link.server.check_writable().await?;
        let at = self.new_place(request.path).await?;
        let target = Target {
            id: request.id,
            at,
            replaces: request.replaces,
            size: source.fingerprint.size,
        };
        link.explain(&target.at);
        // Many at once, so that they share requests.
        if *target.replaces == Expected::Absent {
            self.check(&target).await?;
        }
        // Those who wait for their turn count, so that verifications wait for them.
        let coming = self.proofs.coming();
        let turn = self.turns.take(target.size).await;
        let sent = self.send(&target, request.source).await?;
        drop(turn);
        let found = self.proofs.ask_as(coming, &target.at).await?;
        let version = self.verify(&target, &found, sent).await?;
        let written = link.file_entry(&target.at, &version);
        let digest = Some(Digest::Md5(sent));
        Ok(Put {
            bytes: target.size,
            source: Entry { digest, ..source },
            entry: Entry { digest, ..written },
            kept: Vec::new(),
        })
    }

    /// Looks whether what is expected stands at the target.
    pub(super) async fn check(&self, target: &Target<'_>) -> PortResult<()> {
        match target.replaces {
            Expected::Absent => match self.looks.ask(&target.at).await? {
                Found::Absent => Ok(()),
                _ => Err(PortError::precondition(format!("`{}` is taken", target.at))),
            },
            Expected::Version(expect) => {
                let found = self.hashes.ask(&target.at).await?;
                self.expect(&target.at, &found, expect).await
            }
        }
    }

    /// Looks again whether what was checked stands at the target. What only reading could
    /// tell was read before, and cannot be now: that takes a place, and here one is held.
    async fn look_again(&self, target: &Target<'_>) -> PortResult<()> {
        match target.replaces {
            Expected::Absent => self.check(target).await,
            Expected::Version(expect) => {
                let found = self.hashes.ask(&target.at).await?;
                self.link.expect(&target.at, &found, expect)
            }
        }
    }

    /// Sends the content, in the way that fits to its size; returns its hash.
    async fn send(&self, target: &Target<'_>, source: Box<dyn Source>) -> PortResult<Md5> {
        let mut content = Content::new(source, DigestKind::Md5);
        let body_max = self.body_max().await?;
        if target.size == 0 {
            content.all().await?;
            self.make_empty(target).await?;
            return Ok(md5_of(&[]));
        }
        let is_new = *target.replaces == Expected::Absent;
        let is_slow = target.size > body_max.min(SMALL_BYTES);
        if is_slow && !is_new {
            self.check(target).await?;
        }
        if target.size > SMALL_BYTES {
            self.check_quota(target.size).await?;
        }
        if target.size > body_max || is_slow && !is_new {
            content.guard(self.look_again(target).boxed_local());
        }
        if target.size > body_max {
            return self.send_chunks(target, content, body_max).await;
        }
        let mut form = fields(target.name());
        if is_new {
            form.push(("auto_rename", "true".to_owned()));
        }
        let form = Form::new(&form, &self.mark(target));
        let server = &self.link.server;
        let (answer, md5) = if target.size <= SMALL_BYTES {
            let bytes = content.all().await?;
            let answer = server
                .upload(target.folder(), async |http, call, extra| {
                    // All that takes its time comes before the last look.
                    http.up.take(bytes.len()).await;
                    let places = match target.replaces {
                        Expected::Absent => http.places(false, extra),
                        Expected::Version(expect) => {
                            http.held(self.place(target, expect).await?, extra)
                        }
                    };
                    send_bytes(http, call, extra, (&form, &bytes), places).await
                })
                .await?;
            (answer, super::send::md5(&content.finish()))
        } else {
            let size = target.size;
            let answer = server
                .upload(target.folder(), async |http, call, extra| {
                    send_stream(http, call, extra, &form, &mut content, size).await
                })
                .await?;
            (answer, super::send::md5(&content.finish()))
        };
        let md5 = md5.ok_or_else(|| in_doubt(&target.at, "no hash"))?;
        let verdict = super::answer::verdict(&answer)?;
        self.stored(target, verdict, md5).await?;
        Ok(md5)
    }

    /// Takes the place in which a replacement is sent, and looks in it whether what is
    /// expected stands at the target: so between the look and the replacement no other
    /// request is waited for, however many wait.
    async fn place(&self, target: &Target<'_>, expect: &Fingerprint) -> PortResult<Permits> {
        match self.try_place(target, expect).await {
            Err(error) if error.class == FailureClass::Precondition => {
                // To be sure it may have to be read, which takes a place of its own.
                self.check(target).await?;
                self.try_place(target, expect).await
            }
            placed => placed,
        }
    }

    async fn try_place(&self, target: &Target<'_>, expect: &Fingerprint) -> PortResult<Permits> {
        let server = &self.link.server;
        let place = server.http.place().await;
        let found = server.look_in_place(&target.at).await?;
        self.link.expect(&target.at, &found, expect)?;
        Ok(place)
    }

    /// Reads from the answer to an upload whether it was stored as it was meant.
    pub(super) async fn stored(
        &self,
        target: &Target<'_>,
        verdict: Verdict,
        md5: Md5,
    ) -> PortResult<()> {
        match verdict {
            Verdict::Done(document) => {
                let mut nodes = document.added.iter().chain(&document.updated);
                let Some(node) = nodes.next() else {
                    return Err(in_doubt(&target.at, "the server does not say where it is"));
                };
                if composed(&node.path) == composed(&target.at) {
                    return Ok(());
                }
                Err(self.stray(target, &node.path, md5).await)
            }
            Verdict::Refused(refused) => Err(self.why(&target.at, &refused).await),
            Verdict::NoFields => Err(self.too_large(target)),
            Verdict::Code(409, _) => Err(self.too_large(target)),
            Verdict::Code(411, text) => Err(unsupported(format!("`{}`: {text}", target.at))),
            Verdict::Code(412, text) => {
                self.check_parent(&target.at).await?;
                Err(PortError::new(FailureClass::Denied, text))
            }
            Verdict::Code(507, text) => Err(self.no_room_or_locked(target, text).await),
            Verdict::Code(_, text) => {
                let text = format!("`{}`: {text}", target.at);
                Err(PortError::new(FailureClass::Retry, text))
            }
        }
    }

    /// Deals with content that came to stand under another name than it was sent
    /// for: it is ours, and goes again.
    async fn stray(&self, target: &Target<'_>, stray: &str, md5: Md5) -> PortError {
        let is_beside = parent(stray) == target.folder();
        let found = self.hashes.ask(stray).await;
        let is_ours = matches!(
            found,
            Ok(Found::File(version))
                if version.size == target.size && version.md5.is_none_or(|claim| claim == md5)
        );
        if is_beside && is_ours {
            let form = vec![
                ("file", stray.to_owned()),
                ("force_deletion", "true".to_owned()),
            ];
            let removed = self.link.server.change("delete", "", form).await;
            if let Ok(Some(refused)) = removed.map(refused) {
                tracing::warn!("`{stray}` is a copy too many: {}", refused.text);
            }
        }
        match self.looks.ask(&target.at).await {
            Ok(Found::Absent) => unsupported(format!(
                "the server stores `{}` under another name",
                target.at
            )),
            Ok(_) => PortError::precondition(format!("`{}` was taken meanwhile", target.at)),
            Err(error) => error,
        }
    }

    /// The server takes no body of this size, whatever it says: smaller ones next.
    pub(super) fn too_large(&self, target: &Target<'_>) -> PortError {
        let tried = self.link.body_max.get().min(target.size);
        if tried <= BODY_MIN {
            let text = format!("`{}`: the server takes no uploads", target.at);
            return PortError::new(FailureClass::Denied, text);
        }
        self.link.body_max.set((tried / 2).max(BODY_MIN));
        let text = format!("`{}` is too large for one request", target.at);
        PortError::new(FailureClass::Retry, text)
    }

    /// Tells whether the quota is full or somebody has locked the file: the server
    /// has one code for both.
    async fn no_room_or_locked(&self, target: &Target<'_>, text: String) -> PortError {
        if let Err(error) = self.check_quota(target.size).await {
            return error;
        }
        let refused = super::answer::Refused {
            text: text.clone(),
            is_denied: false,
            document: Default::default(),
        };
        if self.looks.ask(&target.at).await == Ok(Found::Absent) {
            return PortError::new(FailureClass::NoSpace, text);
        }
        self.why(&target.at, &refused).await
    }

    /// Refuses what the quota has no room for.
    pub(super) async fn check_quota(&self, size: u64) -> PortResult<()> {
        match self.link.server.quota().await? {
            Some((used, total)) if used.saturating_add(size) >= total => Err(PortError::new(
                FailureClass::NoSpace,
                format!("the quota of {total} bytes has no room for {size} more"),
            )),
            _ => Ok(()),
        }
    }

    /// Makes an empty file: the server takes no upload of nothing, and would empty an
    /// existing file in place. So the old one goes to the bin before.
    async fn make_empty(&self, target: &Target<'_>) -> PortResult<()> {
        if let Expected::Version(expect) = target.replaces {
            self.delete(target.id, &target.at, expect).await?;
            if expect.size > 0 {
                let found = self.looks.ask(&target.at).await?;
                self.wait_until_gone(&target.at, found, expect).await?;
            }
        }
        let verdict = self
            .link
            .server
            .change("mkfile", &target.at, Vec::new())
            .await?;
        let Some(refused) = refused(verdict) else {
            return Ok(());
        };
        if self.looks.ask(&target.at).await? != Found::Absent {
            let text = format!("`{}` was taken meanwhile", target.at);
            return Err(PortError::precondition(text));
        }
        self.check_parent(&target.at).await?;
        Err(self.why(&target.at, &refused).await)
    }

    /// Compares what stands at the target with what was sent.
    async fn verify(&self, target: &Target<'_>, found: &Found, sent: Md5) -> PortResult<Version> {
        let Found::File(version) = found else {
            return Err(in_doubt(&target.at, "it was stored and is not there"));
        };
        if version.size != target.size {
            return Err(in_doubt(
                &target.at,
                "it has another size than what was sent",
            ));
        }
        // The server may keep a hash of an older version for ever.
        let is_stale = version.size > 0 && version.md5.is_some_and(|claim| claim != sent);
        if is_stale && self.fetch_md5(&target.at, version.size).await? != sent {
            return Err(in_doubt(
                &target.at,
                "it holds something else than what was sent",
            ));
        }
        self.link.verified(&target.at, version, sent);
        Ok(*version)
    }

    /// Returns the largest content that goes into one request.
    async fn body_max(&self) -> PortResult<u64> {
        let (_, limits) = self.link.server.entered().await?;
        let limit = limits.upload_max.min(CHUNK_BYTES_MAX);
        let limit = limit.saturating_sub(FIELDS_BYTES).max(limit / 2).max(1);
        Ok(limit.min(self.link.body_max.get()))
    }

    /// Returns a text for the lines between fields and for temporary names.
    pub(super) fn mark(&self, target: &Target<'_>) -> String {
        format!("{}-{:x}", self.link.mark, target.id.0)
    }
}

fn check(source: &Entry, request: &PutRequest<'_>) -> PortResult<()> {
    let path = request.path;
    let text = match (source.kind(), request.replaces, request.digest) {
        (Kind::Symlink, ..) => format!("{path}: the server holds no links"),
        (Kind::Directory, ..) => format!("{path}: a folder has no content"),
        (_, Expected::Version(expect), _) if expect.kind == Kind::Directory => {
            format!("{path}: a folder is not replaced")
        }
        (.., DigestKind::Blake3 | DigestKind::Sha1) => {
            format!("{path}: the server knows MD5 only")
        }
        (.., DigestKind::Md5) => return Ok(()),
    };
    Err(unsupported(text))
}

fn md5_of(bytes: &[u8]) -> Md5 {
    super::send::md5(&digest_of(DigestKind::Md5, bytes)).unwrap_or_default()
}

/// Up to this size a file is read whole before it is sent.
const SMALL_BYTES: u64 = 1024 * 1024;
/// The largest piece of an upload.
const CHUNK_BYTES_MAX: u64 = 40 * 1024 * 1024;
/// Room for the fields of a form in what the server takes.
const FIELDS_BYTES: u64 = 4096;
/// Bodies are not made smaller than this.
const BODY_MIN: u64 = 64 * 1024;
