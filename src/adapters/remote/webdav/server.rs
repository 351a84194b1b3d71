//! What all calls of one remote share: looks at paths, and what is known of the server.
//!
//! In: paths below the remote's root. Out: what stands there. Invariant: one path is told
//! of by one response that names it. Deliberately absent: listings (`listing`), changes
//! (`verdict`), expectations of the port's callers (`put`, `change`). CRASH: nothing of it
//! outlives the process.

use super::auth::Auth;
use super::cut::{Failed, asked_again};
use super::download::Accord;
use super::found::{Found, Reading, child_of};
use super::glance::Glances;
use super::href::{Base, Target};
use super::http::{Ask, Http, strange};
use super::multistatus::{Props, Response};
use super::past::Past;
use super::powers::Powers;
use super::quota::Room;
use super::shown::Shown;
use super::slots::Owed;
use super::told::Trust;
use super::uploads::Unfinished;
use super::young::Readings;
use crate::adapters::http::Turns;
use crate::adapters::remote::ServerPlace;
use crate::adapters::rooted::Filter;
use crate::adapters::secret::Secret;
use crate::ports::{PortError, PortResult};
use bytes::Bytes;
use journal_format::event::FailureClass;
use journal_format::value::{DigestKind, RelPath};
use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use sync_core::spelling::is_one_name;
use tokio::sync::Mutex;

/// One remote's server.
pub(super) struct Server {
    pub(super) base: Base,
    pub(super) http: Http,
    pub(super) filter: Filter,
    /// Tells this client's temporary names from others'.
    pub(super) mark: String,
    /// The hash function of the pair.
    pub(super) digest: DigestKind,
    /// How many requests run at once where one job makes several.
    pub(super) width: usize,
    /// Whether it speaks ownCloud's extensions; known after the root was looked at.
    pub(super) is_oc: Cell<bool>,
    /// Whoever tries what the server can do.
    pub(super) trying: Mutex<()>,
    /// What was found out by trying, once.
    pub(super) known: RefCell<Option<Powers>>,
    /// How often it may still fail to be tried what a broken upload does.
    pub(super) trials_left: Cell<u32>,
    /// Whether that was found out since it was last told.
    pub(super) is_news: Cell<bool>,
    /// What the server calls itself.
    pub(super) product: RefCell<Option<String>>,
    /// Whether the root was looked at, and not only its marker.
    pub(super) knows_root: Cell<bool>,
    /// Whether our own folders on the server are there.
    pub(super) has_rooms: Cell<bool>,
    /// Whether names that differ in case only are one, once that was tried.
    pub(super) case: Cell<Option<bool>>,
    /// Whether the marker was read.
    pub(super) has_marker: Cell<bool>,
    /// Whether our own folder was missing in the root's listing although it is there.
    pub(super) hides_ours: Cell<bool>,
    /// What the last listings showed, where folders' tags tell of changes below.
    pub(super) shown: RefCell<Shown>,
    /// Whoever learns what is around its first change.
    pub(super) preparing: Mutex<()>,
    /// Uploads that may be under way: each has content in memory, or a slot.
    pub(super) turns: Turns,
    /// Files that may be read at once. Whatever is asked beside them waits for no more.
    pub(super) readers: Turns,
    /// How much it takes.
    pub(super) room: Room,
    /// Uploads in pieces that go on.
    pub(super) unfinished: Unfinished,
    /// Folders that were found empty twice, and not filled since.
    pub(super) empty: RefCell<BTreeSet<String>>,
    /// What was read of versions that are marked as young.
    pub(super) readings: RefCell<Readings>,
    /// What was taken out and could not be settled yet.
    pub(super) owed: RefCell<Owed>,
    /// The tag that was last refused although it is the right one, with its path.
    pub(super) refused_tag: RefCell<Option<String>>,
    /// How answers to uploads come with what looks show.
    pub(super) trust: Trust,
    /// The same of what was moved to its name.
    pub(super) moves: Trust,
    /// Looks at slots that wait for others.
    pub(super) glances: Glances,
    /// Small files that were fetched before it was known whether looks can be left out.
    pub(super) fetched: Cell<u32>,
    /// How contents come with the versions that listings tell.
    pub(super) accord: Accord,
    /// How far the server had come.
    pub(super) past: Past,
}

impl Server {
    pub(super) fn new(
        place: &ServerPlace,
        password: Option<Secret>,
        client: &str,
        filter: Filter,
    ) -> PortResult<Self> {
        let base = Base::new(&place.url, &place.folder)?;
        let is_private = base.url("", true).starts_with("https://");
        let auth = Auth::new(&place.user, password, is_private);
        let mark = blake3::hash(client.as_bytes()).to_hex();
        let width = place.link.poolsize.clamp(1, WIDTH_MAX);
        Ok(Self {
            digest: digest_kind(&base),
            http: Http::new(place, auth)?,
            base,
            filter,
            mark: mark[..MARK_DIGITS].to_owned(),
            width,
            is_oc: Cell::new(false),
            trying: Mutex::default(),
            known: RefCell::default(),
            trials_left: Cell::new(TRIALS_MAX),
            is_news: Cell::new(false),
            product: RefCell::default(),
            knows_root: Cell::new(false),
            has_rooms: Cell::new(false),
            case: Cell::new(None),
            has_marker: Cell::new(false),
            hides_ours: Cell::new(false),
            shown: RefCell::default(),
            preparing: Mutex::default(),
            turns: Turns::new(width),
            readers: Turns::new(width),
            room: Room::default(),
            unfinished: Unfinished::default(),
            empty: RefCell::default(),
            readings: RefCell::default(),
            owed: RefCell::default(),
            refused_tag: RefCell::default(),
            trust: Trust::default(),
            moves: Trust::default(),
            glances: Glances::default(),
            fetched: Cell::new(0),
            accord: Accord::default(),
            past: Past::default(),
        })
    }

    /// Looks at one path.
    pub(super) async fn look(&self, path: &str) -> PortResult<Found> {
        Ok(self.look_closer(path).await?.0)
    }

    /// Looks at one path, and returns all its properties; once more if the answer breaks
    /// off.
    pub(super) async fn look_closer(&self, path: &str) -> PortResult<(Found, Props)> {
        asked_again(async || self.try_look(path).await).await
    }

    async fn try_look(&self, path: &str) -> Result<(Found, Props), Failed> {
        let mut told: Vec<(Response, Option<i64>)> = Vec::new();
        let ask = self.propfind(path, path.is_empty(), "0");
        let answer = self
            .http
            .multistatus(&ask, &mut |response, now| {
                if told.len() < 2 {
                    told.push((response, now));
                }
            })
            .await?;
        match answer {
            Ok(()) => {}
            Err(404 | 410 | 409) => return Ok((Found::Absent, Props::default())),
            // Below a file some servers find the question itself wrong, or forbid it.
            Err(400 | 403 | 405) if !self.is_in_folder(path).await? => {
                return Ok((Found::Absent, Props::default()));
            }
            Err(status) => return Err(unlooked(path, status).into()),
        }
        let [(response, now)] = told.as_slice() else {
            return Err(strange("it answers for another address").into());
        };
        let target = self
            .base
            .read(&response.href)
            .map_err(|error| strange(&error))?;
        let names: Vec<&str> = path.split('/').filter(|name| !name.is_empty()).collect();
        if child_of(&names, &target) != Ok(None) {
            return Err(strange("it answers for another address").into());
        }
        // A server that does not tell case apart has something else there.
        let is_spelled = matches!(&target, Target::Below(told) if names.last().is_none_or(|name| {
            told.last().is_some_and(|told| is_one_name(told, name))
        }));
        if !is_spelled {
            return Ok((Found::Odd, Props::default()));
        }
        Ok((
            Found::of(response, self.reading(*now)),
            response.props.clone(),
        ))
    }

    /// Tells whether a path has a folder to be in.
    async fn is_in_folder(&self, path: &str) -> PortResult<bool> {
        let Some((parent, _)) = path.rsplit_once('/') else {
            return Ok(true);
        };
        let found = Box::pin(self.look(parent)).await?;
        Ok(matches!(found, Found::Folder(_)))
    }

    pub(super) fn reading(&self, now: Option<i64>) -> Reading {
        let known = self.known.borrow();
        Reading {
            is_sharp: known.as_ref().is_some_and(|powers| powers.has_sharp_tags),
            is_deep: known.as_ref().is_some_and(|powers| powers.has_deep_tags),
            now,
        }
    }

    pub(super) fn propfind(&self, path: &str, is_folder: bool, depth: &str) -> Ask {
        // The first look at the root finds out who answers.
        let body = if self.is_oc.get() || path.is_empty() && depth == "0" {
            WANTED_OC
        } else {
            WANTED
        };
        Ask {
            body: Some(Bytes::from_static(body.as_bytes())),
            ..Ask::read("PROPFIND", self.base.url(path, is_folder))
        }
        .with("Depth", depth)
        .with("Content-Type", "application/xml; charset=utf-8")
    }
}

pub(super) fn unlooked(path: &str, status: u16) -> PortError {
    match status {
        200 => strange("an answer that is no listing (status 200)"),
        403 => PortError::new(
            FailureClass::Denied,
            format!("`{path}` may not be looked at"),
        ),
        _ => PortError::new(
            FailureClass::Retry,
            format!("`{path}` cannot be looked at (status {status})"),
        ),
    }
}

pub(super) fn in_doubt(path: &RelPath, what: &str) -> PortError {
    PortError::new(FailureClass::InDoubt, format!("`{path}`: {what}"))
}

/// Chooses the hash function of a pair. ownCloud's family keeps SHA-1; the others keep
/// none, so that the best one serves.
fn digest_kind(base: &Base) -> DigestKind {
    let path = format!("{}/", base.path());
    if path.contains("/remote.php/") || path.contains("/dav/spaces/") {
        DigestKind::Sha1
    } else {
        DigestKind::Blake3
    }
}

const WANTED: &str = concat!(
    "<?xml version=\"1.0\" encoding=\"utf-8\"?>",
    "<d:propfind xmlns:d=\"DAV:\"><d:prop><d:resourcetype/><d:getcontentlength/>",
    "<d:getlastmodified/><d:getetag/></d:prop></d:propfind>"
);
const WANTED_OC: &str = concat!(
    "<?xml version=\"1.0\" encoding=\"utf-8\"?>",
    "<d:propfind xmlns:d=\"DAV:\" xmlns:oc=\"http://owncloud.org/ns\"><d:prop>",
    "<d:resourcetype/><d:getcontentlength/><d:getlastmodified/><d:getetag/>",
    "<oc:fileid/><oc:checksums/><oc:data-fingerprint/>",
    "<d:quota-available-bytes/><d:quota-used-bytes/></d:prop></d:propfind>"
);
const MARK_DIGITS: usize = 8;
const WIDTH_MAX: usize = 64;
/// On a line on which a trial does not get through, each one is a part of an upload in vain.
const TRIALS_MAX: u32 = 3;
