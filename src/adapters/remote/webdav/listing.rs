//! Lists one folder: whole, or not at all.
//!
//! In: paths of folders. Out: what is in them. Invariant: a listing is whole only if it
//! holds the folder itself, once, and nothing that is not in it; an empty one is asked
//! for twice; what is kept of it is bounded by entries and bytes while it arrives.
//! Deliberately absent: folders below, the filter (`scan`). Leaves nothing behind.

use super::cut::{Failed, asked_again};
use super::found::{Folder, Found, child_of};
use super::href::Target;
use super::http::strange;
use super::multistatus::Response;
use super::powers::Powers;
use super::server::{Server, unlooked};
use crate::adapters::rooted::CONTROL;
use crate::ports::{PortError, PortResult};
use std::collections::BTreeSet;

/// One name of a listing.
pub(super) struct Child {
    pub(super) name: String,
    pub(super) found: Found,
    /// Whether the name is no text.
    pub(super) is_odd: bool,
}

impl Server {
    /// Lists a folder, for somebody who takes notice of all that is in it.
    ///
    /// # Errors
    /// `Precondition` when it is no folder; whatever keeps the listing from being whole.
    pub(super) async fn list(&self, path: &str) -> PortResult<Vec<Child>> {
        let (children, folder) = self.list_twice(path).await?;
        if self.is_oc.get() {
            self.shown.borrow_mut().note(path, &folder, &children);
        }
        Ok(children)
    }

    /// The same for somebody who looks for single names only: what changed beside them is
    /// still to be told of.
    ///
    /// # Errors
    /// As [`Self::list`].
    pub(super) async fn list_for_names(&self, path: &str) -> PortResult<Vec<Child>> {
        Ok(self.list_twice(path).await?.0)
    }

    async fn list_twice(&self, path: &str) -> PortResult<(Vec<Child>, Folder)> {
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
        Ok((children, folder))
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

    /// Lists a folder, with what is told of the folder itself; once more if the answer
    /// breaks off.
    pub(super) async fn list_once(&self, path: &str) -> PortResult<(Vec<Child>, Folder)> {
        asked_again(async || self.try_list(path).await).await
    }

    async fn try_list(&self, path: &str) -> Result<(Vec<Child>, Folder), Failed> {
        let mut sheet = Sheet {
            server: self,
            names: path.split('/').filter(|name| !name.is_empty()).collect(),
            children: Vec::new(),
            folder: None,
            seen: BTreeSet::new(),
            bytes: 0,
        };
        let mut wrong = None;
        let ask = self.propfind(path, true, "1");
        let answer = self
            .http
            .multistatus(&ask, &mut |response, now| {
                if wrong.is_none() {
                    wrong = sheet.take(&response, now).err();
                }
            })
            .await?;
        match answer {
            Ok(()) => {}
            Err(404 | 410 | 409 | 405) => {
                return Err(PortError::precondition(format!("`{path}` is no folder")).into());
            }
            Err(status) => return Err(unlooked(path, status).into()),
        }
        if let Some(wrong) = wrong {
            return Err(strange(&wrong).into());
        }
        match sheet.folder {
            Some(Found::Folder(folder)) => Ok((sheet.children, folder)),
            Some(Found::File(_)) => {
                Err(PortError::precondition(format!("`{path}` is a file")).into())
            }
            _ => Err(strange("a listing without its folder").into()),
        }
    }
}

/// A listing on its way.
struct Sheet<'a> {
    server: &'a Server,
    /// The folder's own.
    names: Vec<&'a str>,
    children: Vec<Child>,
    folder: Option<Found>,
    seen: BTreeSet<[u8; SHORT_BYTES]>,
    /// What is kept.
    bytes: usize,
}

impl Sheet<'_> {
    /// Takes one response; or says what is wrong with it.
    fn take(&mut self, response: &Response, now: Option<i64>) -> Result<(), String> {
        let target = self.server.base.read(&response.href)?;
        let outside = || format!("`{:.200}` is not in the folder", response.href);
        let name = child_of(&self.names, &target).map_err(|()| outside())?;
        let found = Found::of(response, self.server.reading(now));
        let Some(name) = name else {
            return match self.folder.replace(found) {
                None => Ok(()),
                Some(_) => Err("the folder itself comes twice".to_owned()),
            };
        };
        if !self.seen.insert(short(name)) {
            return Err("a name comes twice".to_owned());
        }
        self.bytes += name.len() + size_of::<Child>() + SHORT_BYTES + found.bytes();
        if self.bytes > KEPT_BYTES_MAX {
            return Err("a listing that is too long".to_owned());
        }
        self.children.push(Child {
            name: name.to_owned(),
            is_odd: matches!(target, Target::Odd(..)),
            found: match found {
                // What is listed is there.
                Found::Absent => Found::Odd,
                found => found,
            },
        });
        Ok(())
    }
}

/// Stands for a name among those of one folder.
fn short(name: &str) -> [u8; SHORT_BYTES] {
    let mut short = [0; SHORT_BYTES];
    short.copy_from_slice(&blake3::hash(name.as_bytes()).as_bytes()[..SHORT_BYTES]);
    short
}

/// So much is kept of one listing: about a million entries.
const KEPT_BYTES_MAX: usize = 256 * 1024 * 1024;
const SHORT_BYTES: usize = 16;
const EMPTY_MAX: usize = 200_000;
