//! Folders, renames and removals.
//!
//! In: paths and what is expected there. Out: what stands there now. Invariant: each
//! step follows a look at the path and is followed by another one; nothing in the bin
//! is replaced by what comes into it. Deliberately absent: content (`put`), what becomes of
//! folders (`bin`). CRASH: an entry of the bin under another name.

use super::Inner;
use super::answer::{Refused, Verdict};
use super::link::Link;
use super::names::obstacle;
use super::server::Server;
use super::stat::Found;
use crate::ports::{PortError, PortResult};
use journal_format::event::FailureClass;
use journal_format::value::{Entry, Fingerprint, Kind, RelPath, Seq};
use std::collections::BTreeMap;
use std::time::Duration;
use tokio::time::Instant;

/// What became of one folder of several.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Made {
    Created,
    Refused(Box<Refused>),
}

/// Makes folders, parents before those in them.
pub(super) async fn make_many(
    server: &Server,
    paths: Vec<String>,
) -> PortResult<BTreeMap<String, Made>> {
    let verdict = match paths.as_slice() {
        [path] => server.change("mkdir", path, Vec::new()).await?,
        _ => {
            let nodes = paths.iter().map(|path| ("nodes[]", path.clone()));
            server.change("mkdir", "", nodes.collect()).await?
        }
    };
    let (document, refused) = match verdict {
        Verdict::Done(document) => (document, None),
        Verdict::Refused(refused) => (refused.document.clone(), Some(refused)),
        Verdict::Code(_, text) => (Default::default(), Some(words(text))),
        Verdict::NoFields => (Default::default(), Some(words("no fields".to_owned()))),
    };
    let is_single = paths.len() == 1 && refused.is_none();
    let made = paths.into_iter().map(|path| {
        let is_made = is_single || document.added.iter().any(|node| node.path == path);
        let made = if is_made {
            Made::Created
        } else {
            let refused = refused.clone();
            let refused = refused.unwrap_or_else(|| words("it was not created".to_owned()));
            Made::Refused(Box::new(refused))
        };
        (path, made)
    });
    Ok(made.collect())
}

fn words(text: String) -> Refused {
    Refused {
        text,
        is_denied: false,
        document: Default::default(),
    }
}

impl Inner {
    /// Makes a folder at a free path.
    pub(super) async fn make_dir(&self, path: &RelPath) -> PortResult<Entry> {
        let link = &self.link;
        link.server.check_writable().await?;
        let at = self.new_place(path).await?;
        let coming = self.proofs.coming();
        link.explain(&at);
        let made = self.folders.ask(&at).await?;
        let found = self.proofs.ask_as(coming, &at).await?;
        match (made, found) {
            (Made::Created, Found::Directory) => {
                link.folders.borrow_mut().seen(&at, None);
                Ok(link.folder_entry(&at))
            }
            (Made::Created, _) => Err(in_doubt(&at, "it was created and is not there")),
            (Made::Refused(_), Found::Directory | Found::File(_) | Found::Odd) => {
                Err(PortError::precondition(format!("`{at}` is taken")))
            }
            (Made::Refused(refused), Found::Absent) => {
                self.check_parent(&at).await?;
                Err(refused.error(FailureClass::Retry, &at))
            }
        }
    }

    /// Renames or moves, never onto anything.
    pub(super) async fn rename(
        &self,
        from: &RelPath,
        to: &RelPath,
        expect: &Fingerprint,
    ) -> PortResult<Entry> {
        let link = &self.link;
        link.server.check_writable().await?;
        link.settle(from).await?;
        let (from, to) = (link.at(from), self.new_place(to).await?);
        let [was, there] = self.hashes.ask_few([&from, &to]).await?;
        self.expect(&from, &was, expect).await?;
        if there != Found::Absent && from != to {
            return Err(PortError::precondition(format!("`{to}` is taken")));
        }
        link.explain(&from);
        link.explain(&to);
        let form = vec![("file", from.clone()), ("dest", to.clone())];
        let verdict = link.server.change("rename", "", form).await?;
        let refused = refused(verdict);
        if refused.is_none() {
            link.index.borrow_mut().renamed(&from, &to);
            link.folders.borrow_mut().renamed(&from, &to);
        }
        let [left, now] = self.proofs.ask_few([&from, &to]).await?;
        match refused {
            None if left == Found::Absent => {
                let entry = link.entry(&to, &now);
                let entry = entry.filter(|entry| entry.kind() == expect.kind);
                entry.ok_or_else(|| in_doubt(&to, "it was renamed and is not there"))
            }
            None => Err(in_doubt(&from, "it was renamed and is still there")),
            Some(_) if now != Found::Absent => {
                Err(PortError::precondition(format!("`{to}` is taken")))
            }
            Some(refused) => {
                link.expect(&from, &left, expect)?;
                self.check_parent(&to).await?;
                Err(self.why(&from, &refused).await)
            }
        }
    }

    /// Removes a file or an empty folder: into the bin where there is one.
    pub(super) async fn remove(
        &self,
        id: Seq,
        path: &RelPath,
        expect: &Fingerprint,
    ) -> PortResult<()> {
        let link = &self.link;
        link.server.check_writable().await?;
        link.settle(path).await?;
        let at = link.at(path);
        if expect.kind == Kind::Directory {
            return self.remove_folder(id, &at, expect).await;
        }
        self.delete(id, &at, expect).await?;
        let found = self.proofs.ask(&at).await?;
        self.wait_until_gone(&at, found, expect).await
    }

    /// Waits for a deletion that 8.x carries on with behind its answer: what is written
    /// there before its end would be deleted as well.
    pub(super) async fn wait_until_gone(
        &self,
        at: &str,
        mut found: Found,
        expect: &Fingerprint,
    ) -> PortResult<()> {
        let end = Instant::now() + GONE_WITHIN;
        let mut pause = LOOK_PAUSE;
        while found != Found::Absent {
            let is_waiting = expect.size > AT_ONCE_BYTES && Instant::now() < end;
            if !is_waiting || !self.link.is_expected(at, &found, expect) {
                return Err(in_doubt(at, "it was removed and is still there"));
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(LOOK_PAUSE_MAX);
            found = self.looks.ask(at).await?;
        }
        Ok(())
    }

    /// Deletes what was seen to be expected right before.
    pub(super) async fn delete(&self, id: Seq, at: &str, expect: &Fingerprint) -> PortResult<()> {
        let name = at.rsplit('/').next().unwrap_or_default();
        // Two of one name at once would both find the bin free for them.
        let _turn = self.link.turn(name).await;
        self.delete_in_turn(id, at, expect).await
    }

    /// The same for whoever has the turn of its name.
    pub(super) async fn delete_in_turn(
        &self,
        id: Seq,
        at: &str,
        expect: &Fingerprint,
    ) -> PortResult<()> {
        let link = &self.link;
        let name = at.rsplit('/').next().unwrap_or_default();
        let bin_at = link.usual_bin().await?;
        let binned = format!("{bin_at}/{name}");
        let [found, bin, taken] = self.hashes.ask_few([at, &bin_at, &binned]).await?;
        self.expect(at, &found, expect).await?;
        if bin == Found::Directory && taken != Found::Absent {
            self.make_room(id, &binned).await?;
            let found = self.hashes.ask(at).await?;
            link.expect(at, &found, expect)?;
        }
        link.explain(at);
        let form = vec![("file", at.to_owned())];
        if let Some(refused) = refused(link.server.change("delete", "", form).await?) {
            let found = self.looks.ask(at).await?;
            link.expect(at, &found, expect)?;
            return Err(self.why(at, &refused).await);
        }
        link.index.borrow_mut().removed(at);
        Ok(())
    }

    /// Gives an entry of the bin another name, since the bin is flat and the next
    /// entry of that name would replace it.
    async fn make_room(&self, id: Seq, binned: &str) -> PortResult<()> {
        let mark = &self.link.mark;
        for attempt in 1..=NAMES_MAX {
            let aside = aside(binned, &format!("{mark}-{:x}-{attempt}", id.0));
            if self.looks.ask(&aside).await? != Found::Absent {
                continue;
            }
            let form = vec![("file", binned.to_owned()), ("dest", aside.clone())];
            let verdict = self.link.server.change("rename", "", form).await?;
            if let Some(refused) = refused(verdict) {
                // Another client was faster to make room, or to empty the bin.
                if self.looks.ask(binned).await? == Found::Absent {
                    return Ok(());
                }
                let class = FailureClass::Retry;
                return Err(refused.error(class, binned));
            }
            let [left, now] = self.looks.ask_few([binned, &aside]).await?;
            if left == Found::Absent && now != Found::Absent {
                return Ok(());
            }
        }
        let text = format!("`{binned}` would be lost, and has no other name to go to");
        Err(PortError::new(FailureClass::Denied, text))
    }

    /// Refuses what has no folder to be in.
    pub(super) async fn check_parent(&self, at: &str) -> PortResult<()> {
        let parent = parent(at);
        if parent.is_empty() || self.looks.ask(parent).await? == Found::Directory {
            return Ok(());
        }
        Err(PortError::precondition(format!("`{parent}` is no folder")))
    }

    /// Returns the place of something new, if its name can be had there.
    pub(super) async fn new_place(&self, path: &RelPath) -> PortResult<String> {
        let link = &self.link;
        let (_, limits) = link.server.entered().await?;
        if path.name().is_some_and(super::names::is_mixed) {
            return Err(super::http::unsupported(format!(
                "`{path}`: its accents are spelled in two ways (composed and decomposed), \
                 which the server would make one: rename it"
            )));
        }
        link.settle(path).await?;
        let at = link.at(path);
        let name = at.rsplit('/').next().unwrap_or_default();
        let reason = obstacle(name)
            .or_else(|| (name.len() > limits.name_max).then_some("the name is too long"))
            .or_else(|| link.is_binned(&at).then_some("the name is the bin's"))
            .or_else(|| super::names::is_part(name).then_some("the name is that of a part"));
        match reason {
            Some(reason) => Err(super::http::unsupported(format!("`{path}`: {reason}"))),
            None => Ok(at),
        }
    }

    /// Finds out why the server refused a change that nothing seems to forbid.
    pub(super) async fn why(&self, at: &str, refused: &Refused) -> PortError {
        if refused.is_denied {
            return refused.error(FailureClass::Denied, at);
        }
        let described = self.link.server.describe(&[at.to_owned()]).await;
        let nodes = described.map(|document| document.tree.children);
        let node = nodes.ok().and_then(|nodes| nodes.into_iter().next());
        match node {
            Some(node) if node.is_locked && !node.is_mine => PortError::new(
                FailureClass::Retry,
                format!("`{at}` is locked by another user: {}", refused.text),
            ),
            Some(node) if node.is_readonly => refused.error(FailureClass::Denied, at),
            _ => refused.error(FailureClass::Retry, at),
        }
    }
}

/// Removes what our uploads left half done, as far as a listing showed it.
pub(super) async fn tidy_up(link: &Link) -> PortResult<()> {
    let leftovers = link.leftovers.take();
    for at in leftovers {
        let form = vec![("file", at.clone()), ("force_deletion", "true".to_owned())];
        let verdict = link.server.change("delete", "", form).await?;
        if let Some(refused) = refused(verdict) {
            tracing::info!("`{at}` could not be cleared: {}", refused.text);
        }
    }
    Ok(())
}

/// Returns the refusal, if it is one.
pub(super) fn refused(verdict: Verdict) -> Option<Refused> {
    match verdict {
        Verdict::Done(_) => None,
        Verdict::Refused(refused) => Some(refused),
        Verdict::Code(_, text) => Some(words(text)),
        Verdict::NoFields => Some(words("no fields".to_owned())),
    }
}

pub(super) fn parent(at: &str) -> &str {
    at.rsplit_once('/').map_or("", |(parent, _)| parent)
}

/// Puts a mark into a name, before its extension.
pub(super) fn aside(path: &str, mark: &str) -> String {
    let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
    let (stem, extension) = match name.rfind('.') {
        Some(at) if at > 0 && name.len() - at <= EXTENSION_BYTES_MAX => name.split_at(at),
        _ => (name, ""),
    };
    let tag = format!(" ({mark})");
    let room = NAME_BYTES_MAX - tag.len() - extension.len();
    let stem = &stem[..stem.floor_char_boundary(room)];
    format!("{folder}/{stem}{tag}{extension}")
}

pub(super) fn in_doubt(at: &str, what: &str) -> PortError {
    PortError::new(FailureClass::InDoubt, format!("`{at}`: {what}"))
}

/// Files up to this size are deleted before the answer comes, by every version.
const AT_ONCE_BYTES: u64 = 10 * 1000 * 1000;
/// How long a deletion is waited for; one that takes longer is in doubt.
const GONE_WITHIN: Duration = Duration::from_secs(60);
/// Between two looks, doubled each time.
const LOOK_PAUSE: Duration = Duration::from_millis(100);
const LOOK_PAUSE_MAX: Duration = Duration::from_secs(5);
pub(super) const NAMES_MAX: u32 = 20;
const EXTENSION_BYTES_MAX: usize = 32;
const NAME_BYTES_MAX: usize = 255;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_in_the_bin_keeps_its_extension_and_fits() {
        assert_eq!(
            aside("/recycle_bin/x.txt", "m-1-1"),
            "/recycle_bin/x (m-1-1).txt"
        );
        assert_eq!(aside("/recycle_bin/x", "m"), "/recycle_bin/x (m)");
        let long = format!("/recycle_bin/{}.txt", "é".repeat(125));
        let name = aside(&long, "12345678-ff-1");
        assert!(
            name.rsplit('/')
                .next()
                .is_some_and(|name| name.len() <= 255 && name.ends_with(".txt"))
        );
    }
}
