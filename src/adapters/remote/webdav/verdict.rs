//! What became of a change that was asked for.
//!
//! In: answers. Out: verdicts. Invariant: done is what the server says with 201 or 204,
//! or what is seen to be done; any other success (a page, "accepted", a list of parts) is
//! looked into, and in doubt if that does not show it. Deliberately absent: what stands
//! at a path is expected to be (`put`, `change`). Leaves nothing behind.

use super::found::Found;
use super::http::{Answer, Ask};
use super::powers::Powers;
use super::server::{Server, in_doubt};
use super::slots::rel;
use crate::adapters::http::unsupported;
use crate::ports::{PortError, PortResult};
use journal_format::event::FailureClass;
use journal_format::value::RelPath;

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
    /// Deletes, on the condition of a tag where one is given.
    pub(super) async fn send_delete(
        &self,
        path: &str,
        is_folder: bool,
        tag: Option<&str>,
    ) -> PortResult<Verdict> {
        let mut ask = Ask::write("DELETE", self.base.url(path, is_folder));
        if let Some(tag) = tag {
            ask = ask.with("If-Match", format!("\"{tag}\""));
        }
        let status = self.http.fetch(&ask).await?.status;
        if let Some(verdict) = plain(status) {
            return Ok(verdict);
        }
        let is_done = self.look(path).await? == Found::Absent;
        shown(is_done, path, status)
    }

    /// Makes a folder.
    pub(super) async fn send_mkcol(&self, path: &str) -> PortResult<Verdict> {
        let ask = Ask::write("MKCOL", self.base.url(path, true));
        let status = self.http.fetch(&ask).await?.status;
        if let Some(verdict) = plain(status) {
            return Ok(verdict);
        }
        let is_done = matches!(self.look(path).await?, Found::Folder(_));
        shown(is_done, path, status)
    }

    /// Moves something to a free place, or over a file with `may_replace`.
    pub(super) async fn send_move(
        &self,
        from: &str,
        to: &str,
        is_folder: bool,
        may_replace: bool,
    ) -> PortResult<Verdict> {
        let refuses = |powers: &Powers| powers.refuses_overwrite;
        let is_refused = self.known.borrow().as_ref().is_some_and(refuses);
        let ask = Ask::write("MOVE", self.base.url(from, is_folder))
            .with("Destination", self.base.url(to, is_folder))
            .with("Overwrite", if may_replace { "T" } else { "F" })
            .right_away(may_replace || !is_refused);
        let status = self.http.fetch(&ask).await?.status;
        if let Some(verdict) = plain(status) {
            return Ok(verdict);
        }
        let has_left = self.look(from).await? == Found::Absent;
        let is_done = has_left && self.look(to).await? != Found::Absent;
        shown(is_done, to, status)
    }
}

/// Reads what became of an upload; a look at what is there follows.
pub(super) fn verdict(answer: &Answer) -> PortResult<Verdict> {
    match (answer.status, plain(answer.status)) {
        (200, _) => Ok(Verdict::Done),
        (_, Some(verdict)) => Ok(verdict),
        (status, None) => Err(unclear("an upload", status)),
    }
}

/// Reads a status that leaves no doubt.
const fn plain(status: u16) -> Option<Verdict> {
    Some(match status {
        201 | 204 => Verdict::Done,
        200..=299 => return None,
        404 | 409 | 410 => Verdict::Missing,
        405 | 412 => Verdict::Taken,
        401 | 403 => Verdict::Denied,
        status => Verdict::Unable(status),
    })
}

fn shown(is_done: bool, path: &str, status: u16) -> PortResult<Verdict> {
    if is_done {
        Ok(Verdict::Done)
    } else {
        Err(unclear(&format!("`{path}`"), status))
    }
}

fn unclear(what: &str, status: u16) -> PortError {
    let text = format!("{what}: the answer does not say that it was done (status {status})");
    PortError::new(FailureClass::InDoubt, text)
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

    /// The same about a place of ours.
    pub(super) fn error_at(self, place: &str) -> PortError {
        self.error(&rel(place))
    }
}
