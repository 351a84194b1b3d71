//! Our own folder in the remote's root: the marker, uploads on their way, and what was
//! taken out before it is let go.
//!
//! In: names of our own. Out: a marker, free slots. Invariant: a marker is an id of ours
//! or nothing can be said; what could be a user's bytes is never deleted from here, and
//! does not stay here while the process lives. `spent-` slots were proved and let go, and
//! the server refused; `kept-` ones are folders in which a server may hide something.
//! CRASH: uploads, which nobody misses, and things taken out, which come back beside the
//! root's entries.

use super::found::Found;
use super::http::{Ask, strange};
use super::listing::Child;
use super::server::Server;
use super::verdict::{Verdict, verdict};
use crate::adapters::http::unsupported;
use crate::adapters::rooted::CONTROL;
use crate::ports::{PortError, PortResult, RootState};
use bytes::Bytes;
use journal_format::event::FailureClass;
use journal_format::value::{RelPath, Seq};
use std::collections::BTreeMap;

impl Server {
    /// Looks at the root and its marker.
    pub(super) async fn root(&self) -> PortResult<RootState> {
        if !self.owed.borrow().0.is_empty() {
            self.settle().await;
        }
        // Where the marker is, the root is.
        if self.knows_root.get()
            && let Some(marker) = self.marker().await?
        {
            return Ok(RootState::Present {
                marker: Some(marker),
            });
        }
        let (found, props) = match self.look_closer("").await {
            Ok(looked) => looked,
            Err(error) if error.class == FailureClass::Denied => {
                return Ok(RootState::Unreadable(error.message));
            }
            Err(error) => return Err(error),
        };
        match found {
            Found::Folder(_) => {}
            Found::Absent => return Ok(RootState::Missing),
            Found::File(_) => return Ok(RootState::NotADirectory),
            Found::Odd => return Err(strange("the root cannot be told from a file")),
        }
        self.is_oc.set(props.file_id.is_some());
        self.knows_root.set(true);
        Ok(RootState::Present {
            marker: self.marker().await?,
        })
    }

    /// Writes the root's marker, unless somebody else did meanwhile.
    pub(super) async fn claim(&self, marker: &str) -> PortResult<()> {
        if !is_marker(marker.as_bytes()) {
            return Err(unsupported(
                "a root's marker is 1 to 256 letters, digits and dashes",
            ));
        }
        self.make_first_rooms().await?;
        let fresh = format!("{STAGING}/{}-root", self.mark);
        let ask = Ask {
            body: Some(Bytes::copy_from_slice(marker.as_bytes())),
            ..Ask::write("PUT", self.base.url(&fresh, false))
        };
        let stored = verdict(&self.http.fetch(&ask).await?)?;
        if stored != Verdict::Done {
            // Nobody else has this name, so no refusal is about what stands there: a server
            // that knows neither method says "taken" or "absent".
            return Err(read_only(&stored.error_at(STAGING)));
        }
        let moved = self.send_move(&fresh, MARKER, false, false).await?;
        if moved != Verdict::Done {
            self.drop_slot(&fresh, false).await;
        }
        match (moved, self.marker().await?) {
            (Verdict::Done | Verdict::Taken, Some(_)) => Ok(()),
            // Nothing is in the way there, so it was not about the place.
            (Verdict::Taken | Verdict::Unable(_), None) => Err(unsupported(
                "the server moves nothing (the method MOVE), and without that nothing can be \
                 kept safe there: have it allowed in the server's settings, or name another one",
            )),
            (other, _) => Err(other.error_at(MARKER)),
        }
    }

    async fn marker(&self) -> PortResult<Option<String>> {
        let answer = self
            .http
            .fetch(&Ask::read("GET", self.base.url(MARKER, false)))
            .await?;
        self.is_called(&answer.headers);
        match answer.status {
            200 if is_marker(answer.body.trim_ascii()) => {
                self.has_marker.set(true);
                let text = String::from_utf8_lossy(answer.body.trim_ascii());
                Ok(Some(text.into_owned()))
            }
            200 => Err(strange("the root's marker is something else")),
            404 | 409 | 410 => Ok(None),
            403 => Err(PortError::new(
                FailureClass::Denied,
                "the root's marker may not be read",
            )),
            status => Err(strange(&format!("the root's marker: status {status}"))),
        }
    }

    /// As [`Server::make_rooms`], for a job that begins.
    pub(super) async fn make_first_rooms(&self) -> PortResult<()> {
        self.make_rooms().await.map_err(|error| match error.class {
            FailureClass::Denied | FailureClass::Unsupported => read_only(&error),
            _ => error,
        })
    }

    /// Sees to it that our folders are there.
    pub(super) async fn make_rooms(&self) -> PortResult<()> {
        if self.has_rooms.get() {
            return Ok(());
        }
        for room in [CONTROL, STAGING, REMOVED] {
            let made = self.send_mkcol(room).await?;
            let is_there = matches!(made, Verdict::Done | Verdict::Taken)
                || matches!(self.look(room).await?, Found::Folder(_));
            if !is_there {
                return Err(made.error_at(room));
            }
        }
        self.has_rooms.set(true);
        Ok(())
    }

    /// Makes our folders again if somebody removed them (a clean-up, a backup that leaves out
    /// what is empty), and tells whether they were gone.
    pub(super) async fn makes_rooms_again(&self) -> PortResult<bool> {
        for room in [STAGING, REMOVED] {
            if self.look(room).await? == Found::Absent {
                tracing::info!("`{room}` on the server was gone and is made again");
                self.has_rooms.set(false);
                self.make_rooms().await?;
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Names a slot of an operation.
    pub(super) fn slot(&self, room: &str, id: Seq) -> String {
        format!("{room}/{}-{:x}", self.mark, id.0)
    }

    /// Removes a slot that holds nothing but a copy.
    pub(super) async fn drop_slot(&self, slot: &str, is_folder: bool) {
        match self.send_delete(slot, is_folder, None).await {
            Ok(Verdict::Done | Verdict::Missing) => {}
            Ok(other) => tracing::info!("`{slot}` stays: {other:?}"),
            Err(error) => tracing::info!("`{slot}` stays: {error}"),
        }
    }

    /// Lets go what was taken out and proved to be what was to be removed. Where that is
    /// refused the slot gets a name that says so, and goes later.
    pub(super) async fn let_go(&self, slot: &str, is_folder: bool) {
        let refusal = match self.send_delete(slot, is_folder, None).await {
            Ok(Verdict::Done | Verdict::Missing) => return,
            Ok(other) => other.error_at(slot),
            Err(error) => error,
        };
        tracing::info!("`{slot}` is removed later: {refusal}");
        let spent = renamed(slot, SPENT);
        let moved = self.send_move(slot, &spent, is_folder, false).await;
        let is_named = moved == Ok(Verdict::Done);
        let at = if is_named { &spent } else { slot };
        self.owe(at, Debt::Spent, is_folder);
    }

    /// Keeps a folder that was taken out, since such a server may hide things in it.
    pub(super) async fn keep(&self, slot: &str) {
        let kept = renamed(slot, KEPT);
        if self.send_move(slot, &kept, true, false).await != Ok(Verdict::Done) {
            self.owe(slot, Debt::Kept, true);
        }
    }

    /// Notes what is still to be done with a slot.
    pub(super) fn owe(&self, slot: &str, debt: Debt, is_folder: bool) {
        let mut owed = self.owed.borrow_mut();
        owed.0.insert(slot.to_owned(), (debt, is_folder));
    }

    /// Does what is still to be done with slots, as far as that works now.
    pub(super) async fn settle(&self) {
        let owed = self.owed.borrow().0.clone();
        for (slot, (debt, is_folder)) in owed {
            let settled = match &debt {
                Debt::Back(path) => self.put_back(&slot, path, is_folder).await,
                Debt::Spent => self.send_delete(&slot, is_folder, None).await,
                Debt::Kept => {
                    let kept = renamed(&slot, KEPT);
                    self.send_move(&slot, &kept, is_folder, false).await
                }
            };
            if matches!(settled, Ok(Verdict::Done | Verdict::Missing)) {
                self.owed.borrow_mut().0.remove(&slot);
            } else {
                tracing::debug!("`{slot}` waits: {settled:?}");
            }
        }
    }

    /// Puts back what was taken out: where it was, or beside the root's entries.
    async fn put_back(&self, slot: &str, path: &RelPath, is_folder: bool) -> PortResult<Verdict> {
        let moved = self.send_move(slot, path.as_str(), is_folder, false);
        match moved.await? {
            Verdict::Done => Ok(Verdict::Done),
            // A server that misses its folder and one that misses the slot say the same.
            _ if self.look(slot).await? == Found::Absent => Ok(Verdict::Missing),
            _ => self
                .give_back(slot, is_folder)
                .await
                .map(|()| Verdict::Done),
        }
    }

    /// Settles what an earlier process of this client left.
    pub(super) async fn tidy_up(&self) -> PortResult<()> {
        self.sweep_uploads().await?;
        if !matches!(self.look(CONTROL).await?, Found::Folder(_)) {
            return Ok(());
        }
        for room in [STAGING, REMOVED] {
            let children = match self.list_once(room).await {
                Ok((children, _)) => children,
                Err(error) if error.class == FailureClass::Precondition => continue,
                Err(error) => return Err(error),
            };
            let ours = format!("{}-", self.mark);
            let spent = format!("{SPENT}{ours}");
            self.tell_kept(&children);
            for child in children {
                let slot = format!("{room}/{}", child.name);
                let is_folder = matches!(child.found, Found::Folder(_));
                if child.name.starts_with(&spent) {
                    self.let_go(&slot, is_folder).await;
                } else if child.name.starts_with(&ours) {
                    if room == STAGING {
                        self.drop_slot(&slot, is_folder).await;
                    } else {
                        self.give_back(&slot, is_folder).await?;
                    }
                }
            }
        }
        Ok(())
    }

    /// Says that folders are kept, once there are many.
    fn tell_kept(&self, children: &[Child]) {
        let kept = kept(children);
        if kept > KEPT_TOLD {
            tracing::warn!(
                kept,
                "`{REMOVED}` on the server holds many removed folders in which it may hide \
                 something: look there on its disk, and remove what nobody needs"
            );
        }
    }

    /// Returns how many removed folders are kept, whoever kept them.
    pub(super) async fn kept_folders(&self) -> PortResult<usize> {
        match self.list_once(REMOVED).await {
            Ok((children, _)) => Ok(kept(&children)),
            Err(error) if error.class == FailureClass::Precondition => Ok(0),
            Err(error) => Err(error),
        }
    }

    /// Gives something that was taken out a name in the root, where it can be seen. Its
    /// path is not known any more.
    pub(super) async fn give_back(&self, slot: &str, is_folder: bool) -> PortResult<()> {
        let is_empty = is_folder && self.list_once(slot).await?.0.is_empty();
        if is_empty && self.lists_dots() {
            self.let_go(slot, true).await;
            return Ok(());
        }
        if is_empty {
            self.keep(slot).await;
            return Ok(());
        }
        let name = slot.rsplit('/').next().unwrap_or_default();
        for attempt in 1..=NAMES_MAX {
            let to = format!("recovered ({name} {attempt})");
            match self.send_move(slot, &to, is_folder, false).await? {
                Verdict::Taken => {}
                Verdict::Done | Verdict::Missing => return Ok(()),
                other => return Err(other.error_at(slot)),
            }
        }
        Err(PortError::new(
            FailureClass::Retry,
            format!("`{slot}` finds no free name"),
        ))
    }
}

/// Says what a refusal of our own folder means for a job.
fn read_only(why: &PortError) -> PortError {
    unsupported(format!(
        "the folder may only be read ({}), and a job keeps its marker in it, with `-dir down` \
         too: get the right to write there, or name a folder that has it with `-r`",
        why.message
    ))
}

fn kept(children: &[Child]) -> usize {
    let names = children.iter().map(|child| &child.name);
    names.filter(|name| name.starts_with(KEPT)).count()
}

/// What is still to be done with a slot.
#[derive(Debug, Clone)]
pub(super) enum Debt {
    /// It goes back to this path.
    Back(RelPath),
    /// It was let go, and the server refused.
    Spent,
    /// It stays, by a name that says so.
    Kept,
}

/// Slots that something is still to be done with, and whether they are folders.
#[derive(Debug, Default)]
pub(super) struct Owed(BTreeMap<String, (Debt, bool)>);

/// Names a slot by what became of it.
fn renamed(slot: &str, prefix: &str) -> String {
    let (room, name) = slot.rsplit_once('/').unwrap_or((REMOVED, slot));
    let name = name.strip_prefix(SPENT).unwrap_or(name);
    format!("{room}/{prefix}{name}")
}

/// Reads what became of an answer to a request for a slot.
pub(super) fn stored(answer: &super::http::Answer, path: &RelPath) -> PortResult<()> {
    match verdict(answer)? {
        Verdict::Done => Ok(()),
        other => Err(other.error(path)),
    }
}

/// Returns a path of ours for messages.
pub(super) fn rel(path: &str) -> RelPath {
    RelPath::new(path).unwrap_or_default()
}

fn is_marker(bytes: &[u8]) -> bool {
    let is_fit = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'-';
    (1..=256).contains(&bytes.len()) && bytes.iter().all(is_fit)
}

const MARKER: &str = ".pydio-sync/root";
pub(super) const STAGING: &str = ".pydio-sync/staging";
pub(super) const REMOVED: &str = ".pydio-sync/removed";
pub(super) const PROBE: &str = ".pydio-sync/probe";
/// What was let go.
const SPENT: &str = "spent-";
/// What is kept for good.
const KEPT: &str = "kept-";
/// Beyond so many kept folders somebody should look at them.
const KEPT_TOLD: usize = 100;
const NAMES_MAX: u32 = 20;
