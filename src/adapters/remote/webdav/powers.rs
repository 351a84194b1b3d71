//! What a server can do, found out by trying it once in a folder of ours.
//!
//! In: a server. Out: facts, which can be kept and recalled. Invariant: nothing is tried
//! outside of `.pydio-sync` of the remote's root, and nothing of it stays; what could not
//! be tried counts as what promises less. Deliberately absent: names of products, but for
//! one family's extensions. CRASH: a folder of probes, which the next one removes. A new
//! fact is a field, a row in `facts` and a trial.

use super::extras::Extras;
use super::found::{Found, Version};
use super::http::{Answer, Ask};
use super::names::Kinds;
use super::server::Server;
use super::slots::PROBE;
use super::status::date;
use super::verdict::{Verdict, verdict};
use crate::ports::PortResult;
use bytes::Bytes;
use reqwest::header::{HeaderMap, HeaderValue, SERVER};
use serde_json::Value;
use std::collections::BTreeSet;
use std::time::Duration;

/// What a server can do.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Powers {
    /// Conditions of changes are honoured (`If-Match`, `If-None-Match`).
    pub(super) has_conditions: bool,
    /// A move to a place that is taken, by a file or a folder, is refused (`Overwrite: F`).
    pub(super) refuses_overwrite: bool,
    /// An upload that breaks off leaves the old version, once that was tried.
    pub(super) is_atomic: Option<bool>,
    /// Making a folder where one is says so.
    pub(super) tells_taken: bool,
    /// Each change gives another tag, also within a second.
    pub(super) has_sharp_tags: bool,
    /// Each change gives all folders above another tag, also within a second.
    pub(super) has_deep_tags: bool,
    /// A change gives the root another tag, however late.
    pub(super) has_folder_tags: bool,
    /// A move keeps tag and time.
    pub(super) keeps_version: bool,
    /// A move to a place without a folder makes that folder.
    pub(super) makes_parents: bool,
    /// Names that begin with a dot are listed.
    pub(super) lists_dots: bool,
    /// The answer to an upload has the tag that a look shows.
    pub(super) answers_tag: bool,
    /// The time of a file can be set.
    pub(super) takes_time: bool,
    /// Large files can be sent in pieces.
    pub(super) takes_chunks: bool,
    /// The move that ends that honours conditions.
    pub(super) guards_chunks: bool,
    /// The largest piece in bytes that it named, or that was not too large; 0 for none.
    pub(super) chunk_max: u64,
    /// How many seconds times are apart that are not one; 0 where that did not show.
    pub(super) time_grain_s: u64,
    /// Names that are refused.
    pub(super) refused: Kinds,
    /// Names that are kept and not listed.
    pub(super) hidden: Kinds,
    /// What nothing here relies on.
    pub(super) extras: Extras,
}

impl Server {
    /// Returns what the server can do, trying it at the first call.
    ///
    /// # Errors
    /// It cannot be tried; nothing follows from that.
    pub(super) async fn powers(&self) -> PortResult<Powers> {
        let known = || self.known.borrow().clone();
        if let Some(known) = known() {
            return Ok(known);
        }
        let _gate = self.trying.lock().await;
        if let Some(known) = known() {
            return Ok(known);
        }
        let trial = Trial { server: self };
        // In a box: whoever waits for this, by the thousand, would have room for all of it.
        let powers = Box::pin(self.in_room(trial.run())).await?;
        tracing::info!(facts = ?powers.facts(), "the server was tried");
        *self.known.borrow_mut() = Some(powers.clone());
        self.is_news.set(true);
        Ok(powers)
    }

    /// Tells whether an upload that breaks off leaves the old version, trying it where
    /// that is not known.
    ///
    /// # Errors
    /// It cannot be tried; nothing follows from that.
    pub(super) async fn is_atomic(&self) -> PortResult<bool> {
        self.powers().await?;
        let _gate = self.trying.lock().await;
        self.try_atomic().await
    }

    /// Learns the same beside work that does without; that takes a quarter of a second,
    /// since servers are slow to notice. Goes without where somebody else tries.
    pub(super) async fn learn_atomic(&self) {
        let Ok(_gate) = self.trying.try_lock() else {
            return;
        };
        if self.trials_left.get() == 0 {
            return;
        }
        if let Err(error) = self.try_atomic().await {
            self.trials_left.set(self.trials_left.get() - 1);
            tracing::info!(%error, "whether a broken upload spoils a file is not known yet");
        }
    }

    async fn try_atomic(&self) -> PortResult<bool> {
        let known = self.known.borrow().as_ref().and_then(|it| it.is_atomic);
        if let Some(known) = known {
            return Ok(known);
        }
        let trial = Trial { server: self };
        let found = Box::pin(self.in_room(trial.is_atomic())).await?;
        if let Some(powers) = self.known.borrow_mut().as_mut() {
            tracing::info!(atomic_put = found, "the server was tried");
            powers.is_atomic = Some(found);
            self.is_news.set(true);
        }
        Ok(found)
    }

    /// Tries something in an empty folder. Whatever comes of it, nothing stays.
    async fn in_room<T>(&self, trial: impl Future<Output = PortResult<T>>) -> PortResult<T> {
        self.make_rooms().await?;
        let room = self.probe_room();
        self.clear(&room).await?;
        let found = match self.send_mkcol(&room).await? {
            Verdict::Done => trial.await,
            other => Err(other.error_at(&room)),
        };
        let cleared = self.clear(&room).await;
        let found = found?;
        cleared?;
        Ok(found)
    }

    /// Takes note that the tags of a server meet no condition.
    pub(super) fn conditions_are_no_help(&self) {
        if let Some(powers) = self.known.borrow_mut().as_mut() {
            tracing::info!("the server's tags stay weak, so that no condition can be met");
            powers.has_conditions = false;
            self.is_news.set(true);
        }
    }

    /// Notes what the server calls itself. Another one is tried anew.
    pub(super) fn is_called(&self, headers: &HeaderMap) {
        let name = headers.get(SERVER).map(HeaderValue::as_bytes);
        let name = String::from_utf8_lossy(name.unwrap_or_default()).into_owned();
        let name: String = name.chars().take(PRODUCT_CHARS_MAX).collect();
        let mut product = self.product.borrow_mut();
        if product.as_ref().is_some_and(|known| *known != name) {
            tracing::info!("another server answers now: `{name}`");
            *self.known.borrow_mut() = None;
        }
        *product = Some(name);
    }

    /// Where this client tries things; another one has a room of its own.
    pub(super) fn probe_room(&self) -> String {
        format!("{PROBE}-{}", self.mark)
    }

    /// Removes a folder of ours with all it holds, if it is there.
    async fn clear(&self, room: &str) -> PortResult<()> {
        match self.send_delete(room, true, None).await? {
            Verdict::Done | Verdict::Missing => Ok(()),
            other => Err(other.error_at(room)),
        }
    }
}

/// What tries a server.
pub(super) struct Trial<'a> {
    pub(super) server: &'a Server,
}

impl Trial<'_> {
    async fn run(&self) -> PortResult<Powers> {
        let server = self.server;
        let room = server.probe_room();
        let mut powers = Powers {
            tells_taken: server.send_mkcol(&room).await? == Verdict::Taken,
            ..Powers::default()
        };
        self.tags(&mut powers).await?;
        self.conditions(&mut powers).await?;
        self.moves(&mut powers).await?;
        let told = match server.is_oc.get() {
            true => server.capabilities().await?,
            false => Value::Null,
        };
        self.chunks(&mut powers, &told).await?;
        powers.extras = self.extras(&told).await?;
        (powers.refused, powers.hidden) = self.names().await?;
        server.folds_case().await?;
        self.put(".dot", "x", &[]).await?;
        let listed = server.list_once(&room).await?.0;
        powers.lists_dots = listed.iter().any(|child| child.name == ".dot");
        Ok(powers)
    }

    /// Writes twice within a second, as often as that takes, and looks at the tags: each
    /// has to differ from all others.
    async fn tags(&self, powers: &mut Powers) -> PortResult<()> {
        let (mut pairs, mut sharp, mut told, mut timed) = (0, true, true, true);
        let (mut tags, mut above, mut is_deep) = (BTreeSet::new(), BTreeSet::new(), true);
        let (mut dates, root, mut grain_s) = (Vec::new(), self.root_tag().await?, 0);
        for (attempt, texts) in TEXTS.into_iter().enumerate() {
            let mut versions = Vec::new();
            for text in texts {
                let answer = self
                    .put("a", text, &[("X-OC-Mtime", TIME.to_string())])
                    .await?;
                let version = self.version("a").await?;
                told &= answer.tag().is_some() && answer.tag() == version.etag;
                timed &= version.mtime == Some(TIME);
                grain_s = grain(grain_s, version.mtime);
                dates.push(date(&answer.headers));
                sharp &= version.etag.clone().is_some_and(|tag| tags.insert(tag));
                if is_deep && self.server.is_oc.get() {
                    let tags = self.tags_above().await?;
                    // Root and room may have the same one.
                    is_deep = tags.len() == 2
                        && tags.into_iter().enumerate().all(|tag| above.insert(tag));
                }
                versions.push(version);
            }
            let [one, other] = versions.as_slice() else {
                break;
            };
            if timed {
                // Where we choose the time it proves nothing. The answer before two writes
                // and that to the second one do, if they are of one second.
                pairs = dates.windows(3).filter(|dates| is_one(dates)).count();
            } else if one.mtime == other.mtime {
                pairs += 1;
            }
            let is_slow = timed && pairs == 0;
            let is_enough = (pairs >= PAIRS || is_slow) && attempt + 1 >= PAIRS;
            if (!sharp && !is_deep) || is_enough {
                break;
            }
        }
        powers.has_sharp_tags = pairs > 0 && sharp;
        powers.has_deep_tags = (timed || pairs > 0) && is_deep && !above.is_empty();
        powers.answers_tag = told;
        powers.takes_time = timed;
        powers.time_grain_s = grain_s;
        powers.has_folder_tags = match root {
            Some(before) => self.root_follows(&before).await?,
            None => false,
        };
        Ok(())
    }

    /// Tells whether the root has another tag than before the changes below it. Where it
    /// seems not to, tags may be made of seconds.
    async fn root_follows(&self, before: &str) -> PortResult<bool> {
        if self.root_tag().await?.is_some_and(|now| now != before) {
            return Ok(true);
        }
        tokio::time::sleep(BETWEEN_SECONDS).await;
        self.put("a", "last", &[]).await?;
        Ok(self.root_tag().await?.is_some_and(|now| now != before))
    }

    /// Returns the root's tag, where tags of folders count for something.
    async fn root_tag(&self) -> PortResult<Option<String>> {
        if !self.server.is_oc.get() {
            return Ok(None);
        }
        Ok(match self.server.look("").await? {
            Found::Folder(folder) => folder.etag,
            _ => None,
        })
    }

    /// Returns the tags of the root and of the room, as far as they have any.
    async fn tags_above(&self) -> PortResult<Vec<String>> {
        let room = self.server.probe_room();
        let mut tags = Vec::new();
        for folder in ["", &room] {
            if let Found::Folder(folder) = self.server.look(folder).await? {
                tags.extend(folder.etag);
            }
        }
        Ok(tags)
    }

    async fn conditions(&self, powers: &mut Powers) -> PortResult<()> {
        self.put("a", "old.", &[]).await?;
        let url = self.server.base.url(&self.at("a"), false);
        let wrong = ("If-Match", "\"pydio-sync-no-such-tag\"");
        let mut honoured = true;
        for (method, (name, value)) in [
            ("PUT", ("If-None-Match", "*")),
            ("PUT", wrong),
            ("DELETE", wrong),
        ] {
            let mut ask = Ask::write(method, url.clone()).with(name, value);
            ask.body = (method == "PUT").then(|| Bytes::from_static(b"new."));
            // No other refusal says that it was the condition.
            honoured &= self.server.http.fetch(&ask).await?.status == 412;
        }
        // And what was refused was not done all the same.
        let left = self.server.http.fetch(&Ask::read("GET", url)).await?;
        powers.has_conditions = honoured && left.body == b"old.";
        Ok(())
    }

    async fn moves(&self, powers: &mut Powers) -> PortResult<()> {
        for name in ["a", "c"] {
            self.put(name, "dddd", &[]).await?;
        }
        let moved = self
            .server
            .send_move(&self.at("a"), &self.at("c"), false, false)
            .await?;
        powers.refuses_overwrite = moved == Verdict::Taken;
        if !powers.refuses_overwrite {
            self.put("a", "dddd", &[]).await?;
        }
        // A folder in the way takes in what is moved on some servers (lighttpd 1.4.69).
        self.server.send_mkcol(&self.at("h")).await?;
        let moved = self
            .server
            .send_move(&self.at("c"), &self.at("h"), false, false)
            .await;
        powers.refuses_overwrite &= moved != Ok(Verdict::Done);
        let before = self.version("a").await?;
        let moved = self
            .server
            .send_move(&self.at("a"), &self.at("e"), false, false)
            .await?;
        if moved != Verdict::Done {
            return Ok(());
        }
        let after = self.version("e").await?;
        powers.keeps_version = (before.mtime, before.etag) == (after.mtime, after.etag);
        let moved = self
            .server
            .send_move(&self.at("e"), &self.at("none/e"), false, false)
            .await;
        // A refusal may come as any error.
        powers.makes_parents = moved == Ok(Verdict::Done);
        Ok(())
    }

    /// Sends a small file in pieces, over another one.
    async fn chunks(&self, powers: &mut Powers, told: &Value) -> PortResult<()> {
        if !super::uploads::are_told(told) {
            return Ok(());
        }
        self.put("g", "old", &[]).await?;
        let trial = super::uploads::Trial {
            server: self.server,
            at: self.at("g"),
        };
        trial.run(powers, told).await
    }

    /// Sends a part of an upload and breaks it off, and looks all the while what becomes
    /// of the old version. An answer that comes before the end proves nothing.
    async fn is_atomic(&self) -> PortResult<bool> {
        self.put("f", "old", &[]).await?;
        let part = Bytes::from(vec![b'z'; PART_BYTES]);
        let length = 2 * part.len() as u64;
        let ask = Ask::write("PUT", self.server.base.url(&self.at("f"), false));
        let meanwhile = self.stays_old();
        let http = &self.server.http;
        match http.break_off(&ask, part, length, meanwhile).await? {
            Some(Ok(true)) => self.stays_old().await,
            Some(stays) => stays,
            None => Ok(false),
        }
    }

    /// Looks a few times, since servers may be slow to notice.
    async fn stays_old(&self) -> PortResult<bool> {
        let get = Ask::read("GET", self.server.base.url(&self.at("f"), false));
        for _ in 0..LOOKS {
            let found = self.server.look(&self.at("f")).await?;
            let is_old = matches!(found, Found::File(version) if version.size == 3);
            if !is_old || self.server.http.fetch(&get).await?.body != b"old" {
                return Ok(false);
            }
            tokio::time::sleep(BETWEEN_LOOKS).await;
        }
        Ok(true)
    }

    pub(super) async fn put(
        &self,
        name: &str,
        text: &'static str,
        headers: &[(&'static str, String)],
    ) -> PortResult<Answer> {
        match self.try_put(name, text, headers).await? {
            (Verdict::Done, answer) => Ok(answer),
            (other, _) => Err(other.error_at(&self.at(name))),
        }
    }

    pub(super) async fn try_put(
        &self,
        name: &str,
        text: &'static str,
        headers: &[(&'static str, String)],
    ) -> PortResult<(Verdict, Answer)> {
        let mut ask = Ask::write("PUT", self.server.base.url(&self.at(name), false));
        ask.headers.extend(headers.iter().cloned());
        ask.body = Some(Bytes::from_static(text.as_bytes()));
        let answer = self.server.http.fetch(&ask).await?;
        Ok((verdict(&answer)?, answer))
    }

    pub(super) fn at(&self, name: &str) -> String {
        format!("{}/{name}", self.server.probe_room())
    }

    async fn version(&self, name: &str) -> PortResult<Version> {
        match self.server.look(&self.at(name)).await? {
            Found::File(version) => Ok(version),
            _ => Err(super::http::strange("what was stored is not there")),
        }
    }
}

/// Tells whether all dates are there and of one second.
fn is_one(dates: &[Option<i64>]) -> bool {
    let first = dates.first().copied().flatten();
    first.is_some() && dates.iter().all(|date| *date == first)
}

/// Reads from a time that was set, or that the server's clock gave, how far apart times are.
fn grain(known_s: u64, time: Option<i64>) -> u64 {
    match time {
        Some(TIME) => 1,
        Some(time) if (time - TIME).abs() == 1 => 2,
        // Only such clocks know odd seconds.
        Some(time) if time % 2 != 0 => 1,
        _ => known_s,
    }
}

const PRODUCT_CHARS_MAX: usize = 200;
/// So many pairs of writes must have two tags each.
const PAIRS: usize = 3;
/// All of one length, since a tag may be made of that.
const TEXTS: [[&str; 2]; 5] = [
    ["aaaa", "bbbb"],
    ["cccc", "dddd"],
    ["eeee", "ffff"],
    ["gggg", "hhhh"],
    ["iiii", "jjjj"],
];
/// A time that no clock shows any more, and an odd one, since some disks know no others
/// than even ones.
const TIME: i64 = 1_000_000_001;
/// More than the client's own buffer, so that some of it was sent when it was taken.
const PART_BYTES: usize = 1024 * 1024;
const LOOKS: usize = 3;
const BETWEEN_LOOKS: Duration = Duration::from_millis(40);
const BETWEEN_SECONDS: Duration = Duration::from_millis(1_100);
