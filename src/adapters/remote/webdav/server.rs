//! What all calls of one remote share: the server's methods, and what is known of it.
//!
//! In: paths below the remote's root. Out: what stands there, what became of a change.
//! Invariant: a listing is whole only if it holds the folder itself and nothing that is
//! not in it; an empty one is asked for twice. Deliberately absent: expectations of the
//! port's callers (`put`, `change`). CRASH: nothing of it outlives the process.

use super::auth::Auth;
use super::feed::Shown;
use super::found::{Folder, Found, Reading, child_of};
use super::href::{Base, Target, same_name};
use super::http::{Answer, Ask, Http, strange};
use super::multistatus::{Props, Response};
use super::powers::Powers;
use super::quota::Room;
use super::uploads::Unfinished;
use crate::adapters::http::unsupported;
use crate::adapters::remote::ServerPlace;
use crate::adapters::rooted::{CONTROL, Filter};
use crate::adapters::secret::Secret;
use crate::ports::{PortError, PortResult};
use bytes::Bytes;
use journal_format::event::FailureClass;
use journal_format::value::{DigestKind, RelPath};
use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
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
    /// What was found out by trying, once.
    pub(super) powers: Mutex<()>,
    pub(super) known: RefCell<Option<Powers>>,
    /// Whether that was found out since it was last told.
    pub(super) is_news: Cell<bool>,
    /// What the server calls itself.
    pub(super) product: RefCell<Option<String>>,
    /// Whether the root was looked at, and not only its marker.
    pub(super) knows_root: Cell<bool>,
    /// Whether our own folders on the server are there.
    pub(super) has_rooms: Cell<bool>,
    /// Claimed hashes that turned out to be wrong, by path and tag.
    pub(super) distrusted: RefCell<BTreeSet<String>>,
    /// Whether the marker was read.
    pub(super) has_marker: Cell<bool>,
    /// Whether our own folder was missing in the root's listing although it is there.
    pub(super) hides_ours: Cell<bool>,
    /// What the last listings showed, where folders' tags tell of changes below.
    pub(super) shown: RefCell<Shown>,
    /// How much it takes.
    pub(super) room: Room,
    /// Uploads in pieces that go on.
    pub(super) unfinished: Unfinished,
    /// Folders that were found empty twice, and not filled since.
    empty: RefCell<BTreeSet<String>>,
}

/// One name of a listing.
pub(super) struct Child {
    pub(super) name: String,
    pub(super) found: Found,
    /// Whether the name is no text.
    pub(super) is_odd: bool,
}

/// What became of a request to a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    Done,
    /// Nothing is there, or no folder to be in.
    Missing,
    /// Something is in the way, or a condition did not hold.
    Taken,
    /// The permission is missing.
    Denied,
    /// The server does not know how, or does not take the name.
    Unable(u16),
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
        Ok(Self {
            digest: digest_kind(&base),
            http: Http::new(place, auth)?,
            base,
            filter,
            mark: mark[..MARK_DIGITS].to_owned(),
            width: place.link.poolsize.clamp(1, WIDTH_MAX),
            is_oc: Cell::new(false),
            powers: Mutex::default(),
            known: RefCell::default(),
            is_news: Cell::new(false),
            product: RefCell::default(),
            knows_root: Cell::new(false),
            has_rooms: Cell::new(false),
            distrusted: RefCell::default(),
            has_marker: Cell::new(false),
            hides_ours: Cell::new(false),
            shown: RefCell::default(),
            room: Room::default(),
            unfinished: Unfinished::default(),
            empty: RefCell::default(),
        })
    }

    /// Looks at one path.
    pub(super) async fn look(&self, path: &str) -> PortResult<Found> {
        Ok(self.look_closer(path).await?.0)
    }

    /// Looks at one path, and returns all its properties.
    pub(super) async fn look_closer(&self, path: &str) -> PortResult<(Found, Props)> {
        let mut told: Vec<Response> = Vec::new();
        let ask = self.propfind(path, path.is_empty(), "0");
        let answer = self
            .http
            .multistatus(&ask, &mut |response| {
                if told.len() < 2 {
                    told.push(response);
                }
            })
            .await?;
        let now = match answer {
            Ok(now) => now,
            Err(404 | 410 | 409) => return Ok((Found::Absent, Props::default())),
            // Below a file some servers find the question itself wrong.
            Err(400 | 405) if !self.is_in_folder(path).await? => {
                return Ok((Found::Absent, Props::default()));
            }
            Err(status) => return Err(unlooked(path, status)),
        };
        let [response] = told.as_slice() else {
            return Err(strange("it answers for another address"));
        };
        let target = self
            .base
            .read(&response.href)
            .map_err(|error| strange(&error))?;
        let names: Vec<&str> = path.split('/').filter(|name| !name.is_empty()).collect();
        if child_of(&names, &target) != Ok(None) {
            return Err(strange("it answers for another address"));
        }
        // A server that does not tell case apart has something else there.
        let is_spelled = matches!(&target, Target::Below(told) if names.last().is_none_or(|name| {
            told.last().is_some_and(|told| same_name(told, name))
        }));
        if !is_spelled {
            return Ok((Found::Odd, Props::default()));
        }
        Ok((
            Found::of(response, self.reading(now)),
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

    /// Lists a folder.
    ///
    /// # Errors
    /// `Precondition` when it is no folder; whatever keeps the listing from being whole.
    pub(super) async fn list(&self, path: &str) -> PortResult<Vec<Child>> {
        let (children, folder) = self.list_once(path).await?;
        if path.is_empty() {
            self.compare_dots(&children);
        }
        if !children.is_empty() {
            self.empty.borrow_mut().remove(path);
        } else if !self.empty.borrow().contains(path) {
            // Servers that lost their storage for a moment show empty folders.
            let (again, _) = self.list_once(path).await?;
            if !again.is_empty() {
                return Err(strange("two listings of a folder differ"));
            }
            if self.empty.borrow().len() < EMPTY_MAX {
                self.empty.borrow_mut().insert(path.to_owned());
            }
        }
        if self.is_oc.get() {
            self.shown.borrow_mut().note(path, &folder, &children);
        }
        Ok(children)
    }

    /// Finds out from a listing of the root whether the server hides our own folder. What
    /// was found out about it before is then of another server.
    fn compare_dots(&self, children: &[Child]) {
        let has_ours = children.iter().any(|child| child.name == CONTROL);
        self.hides_ours.set(self.has_marker.get() && !has_ours);
        let is_wrong = |powers: &mut Powers| powers.lists_dots && self.hides_ours.get();
        if self.known.borrow_mut().as_mut().is_some_and(is_wrong) {
            tracing::info!("the server hides names now that begin with a dot");
            *self.known.borrow_mut() = None;
        }
    }

    /// Tells whether names that begin with a dot are known to be listed.
    pub(super) fn lists_dots(&self) -> bool {
        let known = self.known.borrow();
        !self.hides_ours.get() && known.as_ref().is_some_and(|powers| powers.lists_dots)
    }

    /// Tells whether they are known to be hidden.
    pub(super) fn hides_dots(&self) -> bool {
        let known = self.known.borrow();
        self.hides_ours.get() || known.as_ref().is_some_and(|powers| !powers.lists_dots)
    }

    /// Lists a folder, with what is told of the folder itself.
    pub(super) async fn list_once(&self, path: &str) -> PortResult<(Vec<Child>, Folder)> {
        let names: Vec<&str> = path.split('/').filter(|name| !name.is_empty()).collect();
        let (mut children, mut told, mut wrong) = (Vec::new(), None, None);
        let mut seen = BTreeSet::new();
        let ask = self.propfind(path, true, "1");
        let answer = self
            .http
            .multistatus(&ask, &mut |response| {
                if wrong.is_some() {
                    return;
                }
                let target = match self.base.read(&response.href) {
                    Ok(target) => target,
                    Err(error) => {
                        wrong = Some(error);
                        return;
                    }
                };
                match child_of(&names, &target) {
                    Ok(None) => told = Some(response),
                    Ok(Some(name))
                        if children.len() < ENTRIES_MAX && seen.insert(name.to_owned()) =>
                    {
                        let is_odd = matches!(target, Target::Odd(..));
                        children.push((name.to_owned(), is_odd, response));
                    }
                    Ok(Some(_)) => wrong = Some("a name comes twice".to_owned()),
                    Err(()) => wrong = Some(format!("`{}` is not in the folder", response.href)),
                }
            })
            .await?;
        let now = match answer {
            Ok(now) => now,
            Err(404 | 410 | 409 | 405) => {
                return Err(PortError::precondition(format!("`{path}` is no folder")));
            }
            Err(status) => return Err(unlooked(path, status)),
        };
        if let Some(wrong) = wrong {
            return Err(strange(&wrong));
        }
        let reading = self.reading(now);
        let folder = match told.map(|told| Found::of(&told, reading)) {
            Some(Found::Folder(folder)) => folder,
            Some(Found::File(_)) => {
                return Err(PortError::precondition(format!("`{path}` is a file")));
            }
            _ => return Err(strange("a listing without its folder")),
        };
        let children = children.into_iter().map(|(name, is_odd, response)| Child {
            name,
            is_odd,
            found: match Found::of(&response, reading) {
                // What is listed is there.
                Found::Absent => Found::Odd,
                found => found,
            },
        });
        Ok((children.collect(), folder))
    }

    /// Sends a change and reads what became of it.
    pub(super) async fn change(&self, ask: &Ask) -> PortResult<Verdict> {
        verdict(&self.http.fetch(ask).await?)
    }

    /// Moves something to a free place, or over a file with `may_replace`.
    pub(super) async fn send_move(
        &self,
        from: &str,
        to: &str,
        is_folder: bool,
        may_replace: bool,
    ) -> PortResult<Verdict> {
        let ask = Ask::write("MOVE", self.base.url(from, is_folder))
            .with("Destination", self.base.url(to, is_folder))
            .with("Overwrite", if may_replace { "T" } else { "F" });
        self.change(&ask).await
    }

    fn reading(&self, now: Option<i64>) -> Reading {
        let known = self.known.borrow();
        Reading {
            is_sharp: known.as_ref().is_some_and(|powers| powers.has_sharp_tags),
            now,
        }
    }

    fn propfind(&self, path: &str, is_folder: bool, depth: &str) -> Ask {
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

/// Reads what became of a change.
pub(super) fn verdict(answer: &Answer) -> PortResult<Verdict> {
    Ok(match answer.status {
        // A multistatus here names what was not done.
        207 => {
            let text = "the server did it in part";
            return Err(PortError::new(FailureClass::InDoubt, text));
        }
        200..=299 => Verdict::Done,
        404 | 409 | 410 => Verdict::Missing,
        405 | 412 => Verdict::Taken,
        401 | 403 => Verdict::Denied,
        status => Verdict::Unable(status),
    })
}

impl Verdict {
    /// Makes an error of what is not done, once nothing else explains it.
    pub(super) fn error(self, path: &RelPath) -> PortError {
        match self {
            Self::Done => in_doubt(path, "it was done and cannot be seen"),
            Self::Missing => PortError::precondition(format!("`{path}` or its folder is absent")),
            Self::Taken => PortError::precondition(format!("`{path}` is taken")),
            Self::Denied => PortError::new(
                FailureClass::Denied,
                format!("`{path}`: the server forbids it (status 403)"),
            ),
            Self::Unable(413) => unsupported(format!(
                "`{path}` is too large for this server (status 413)"
            )),
            Self::Unable(status) => unsupported(format!(
                "`{path}`: the server cannot do it (status {status})"
            )),
        }
    }
}

fn unlooked(path: &str, status: u16) -> PortError {
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
const ENTRIES_MAX: usize = 2_000_000;
const EMPTY_MAX: usize = 200_000;
