//! MKCOL, DELETE, MOVE and COPY.
//!
//! In: a call and the state. Out: answers. Invariant: with `Overwrite: F` nothing is
//! replaced, on every server that was looked at. Deliberately absent: answers with 207
//! for parts that failed; here all of it is done or nothing.

use super::answer::Answer;
use super::call::{Call, Map};
use super::conditions::Seen;
use super::names::Named;
use super::quirks::Quirks;
use super::server::State;
use super::tree::Node;

/// One change of the tree.
pub(super) struct Change<'a> {
    pub(super) quirks: &'a Quirks,
    pub(super) call: &'a Call,
    pub(super) map: &'a Map<'a>,
    pub(super) now: u64,
}

impl Change<'_> {
    fn forbidden(&self, state: &State, path: &[String]) -> Option<Answer> {
        let seen = Seen {
            quirks: self.quirks,
            tree: &state.tree,
            map: self.map,
            now: self.now,
        };
        if let Some(status) = seen.forbids(self.call, path) {
            return Some(Answer::status(status));
        }
        let kept_out = state.locks.keeps_out(self.call, path);
        kept_out.then(|| Answer::status(423))
    }

    /// Answers MKCOL.
    pub(super) fn make_folder(&self, state: &mut State, named: &Named) -> Answer {
        let (quirks, path) = (self.quirks, &named.segments);
        if let Some(status) = quirks.mkcol_without_slash
            && !named.slash
        {
            return Answer::status(status);
        }
        if let Some(status) = path.last().and_then(|name| quirks.refuses(name)) {
            return Answer::status(status);
        }
        match state.tree.find(path) {
            Some(node) if node.is_folder() => return Answer::status(quirks.mkcol_existing),
            Some(_) => return Answer::status(quirks.mkcol_on_file),
            None => {}
        }
        if !state.tree.has_parent(path) {
            return Answer::status(409);
        }
        if let Some(answer) = self.forbidden(state, path) {
            return answer;
        }
        match state.tree.make_folder(path, self.now) {
            Ok(()) => Answer::empty(201),
            Err(_) => Answer::status(500),
        }
    }

    /// Answers DELETE.
    pub(super) fn remove(&self, state: &mut State, named: &Named) -> Answer {
        let path = &named.segments;
        if path.is_empty() {
            return Answer::status(403);
        }
        let Some(node) = state.tree.find(path) else {
            return Answer::status(404);
        };
        if let Some(status) = self.quirks.delete_folder_without_slash
            && node.is_folder()
            && !named.slash
        {
            return Answer::status(status);
        }
        if let Some(answer) = self.forbidden(state, path) {
            return answer;
        }
        match state.tree.remove(path, self.now) {
            Ok(()) => Answer::empty(204),
            Err(_) => Answer::status(500),
        }
    }

    /// Answers MOVE and COPY.
    pub(super) fn carry(&self, state: &mut State, named: &Named, moves: bool) -> Answer {
        let (quirks, from) = (self.quirks, &named.segments);
        let mut to = match self.map.destination(self.call) {
            Ok(to) => to,
            Err(status) => return Answer::status(status),
        };
        if quirks.move_into_folders && is_file_to_folder(state, from, &to.segments) {
            to.segments.extend(from.last().cloned());
        }
        let taken = state.tree.find(&to.segments).map(|other| other.id);
        let unwanted = taken.is_some() && self.call.header("overwrite") == Some("F");
        let Some(node) = state.tree.find(from).filter(|_| !from.is_empty()) else {
            // One that does not look at the source first finds the target taken.
            let first = unwanted && quirks.move_nothing != 404;
            return Answer::status(if first { 412 } else { quirks.move_nothing });
        };
        let folder = node.is_folder();
        if let Some(status) = quirks.move_folder_without_slash
            && folder
            && !(named.slash && to.slash)
        {
            return Answer::status(status);
        }
        let to = to.segments;
        if let Some(status) = to.last().and_then(|name| quirks.refuses(name)) {
            return Answer::status(status);
        }
        if to.starts_with(from) {
            return Answer::status(if to == *from { 403 } else { 409 });
        }
        let has_parent =
            state.tree.has_parent(&to) || (quirks.move_makes_parents && self.parents(state, &to));
        if !has_parent {
            return Answer::status(quirks.move_no_parent);
        }
        if let Some(answer) = moves.then(|| self.forbidden(state, from)).flatten() {
            return answer;
        }
        if state.locks.keeps_out(self.call, &to) {
            return Answer::status(423);
        }
        if unwanted {
            return Answer::status(412);
        }
        let id = node_id(state, from);
        // Only another spelling of its own name is no other node.
        let done = if taken.is_some() && taken != id {
            state.tree.remove(&to, self.now)
        } else {
            Ok(())
        };
        let done = done.and_then(|()| {
            if moves {
                state.tree.rename(from, &to, self.now)
            } else {
                state.tree.copy(from, &to, self.now)
            }
        });
        match done {
            Ok(()) if taken.is_some() => Answer::empty(204),
            Ok(()) if moves && !folder => self.with_id(state, &to, quirks.move_file),
            Ok(()) => self.with_id(state, &to, 201),
            Err(_) => Answer::status(500),
        }
    }

    /// Makes the folders above a path; false if something is in the way.
    fn parents(&self, state: &mut State, path: &[String]) -> bool {
        (1..path.len()).all(|depth| match state.tree.find(&path[..depth]) {
            Some(node) => node.is_folder(),
            None => state.tree.make_folder(&path[..depth], self.now).is_ok(),
        })
    }

    fn with_id(&self, state: &State, to: &[String], status: u16) -> Answer {
        let answer = Answer::empty(status);
        match state.tree.find(to) {
            Some(node) if self.quirks.file_ids => {
                answer.with("OC-FileId", super::props::file_id(node))
            }
            _ => answer,
        }
    }
}

fn is_file_to_folder(state: &State, from: &[String], to: &[String]) -> bool {
    let is_folder = |path: &[String]| state.tree.find(path).map(Node::is_folder);
    is_folder(from) == Some(false) && is_folder(to) == Some(true)
}

fn node_id(state: &State, path: &[String]) -> Option<u64> {
    state.tree.find(path).map(|node: &Node| node.id)
}
