//! Where removed things go: the workspace's bin, or a folder of ours where it has none.
//!
//! In: listings of the workspace's root, folders to be removed. Out: where they lie.
//! Invariant: a folder is never deleted, only moved, because the server hides names that
//! begin with a dot and nobody can see what would go with it; what came into it at the
//! last moment goes back. Deliberately absent: files, which are seen whole (`change`).
//! CRASH: a folder in the bin.

use super::Inner;
use super::change::{NAMES_MAX, aside, in_doubt, refused};
use super::link::Link;
use super::names::{self, BIN};
use super::server::Listing;
use super::stat::Found;
use super::xml::Node;
use crate::ports::{PortError, PortResult};
use journal_format::event::FailureClass;
use journal_format::value::{Fingerprint, Seq};

/// What was seen of the workspace's bin.
#[derive(Default)]
pub(super) struct Sighting {
    bin: Option<Bin>,
    /// The root was looked at since, and things may have changed.
    is_old: bool,
}

#[derive(Clone)]
enum Bin {
    None,
    At(String),
}

impl Bin {
    fn path(&self) -> Option<String> {
        match self {
            Self::None => None,
            Self::At(path) => Some(path.clone()),
        }
    }
}

impl Link {
    /// Takes what a listing of the workspace's root tells of the bin, which comes last.
    pub(super) fn note_bin(&self, at: &str, tree: &Node, is_last: bool) {
        if !at.is_empty() {
            return;
        }
        let shown = tree.children.iter().find(|node| node.is_bin);
        let bin = match shown.filter(|node| node.path.len() > 1) {
            Some(node) => Bin::At(node.path.clone()),
            None if !tree.has_bin => Bin::None,
            None if is_last || tree.page.is_none_or(|page| page.total <= 1) => {
                Bin::At(BIN.to_owned())
            }
            None => return,
        };
        *self.bin.borrow_mut() = Sighting {
            bin: Some(bin),
            is_old: false,
        };
    }

    /// Tells whether a path is the bin or lies in it.
    pub(super) fn is_binned(&self, at: &str) -> bool {
        let is_in = |bin: &str| {
            let rest = at.strip_prefix(bin);
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        let seen = self.bin.borrow();
        names::is_binned(at) || matches!(&seen.bin, Some(Bin::At(bin)) if is_in(bin))
    }

    /// Returns where files go that are deleted; asked for once. Where no bin is seen it
    /// is the usual one, which does no harm.
    pub(super) async fn usual_bin(&self) -> PortResult<String> {
        let known = self.bin.borrow().bin.clone();
        let bin = match known {
            Some(bin) => bin.path(),
            None => self.bin().await?,
        };
        Ok(bin.unwrap_or_else(|| BIN.to_owned()))
    }

    /// Has the bin looked for again before it is next relied on.
    pub(super) fn doubt_bin(&self) {
        self.bin.borrow_mut().is_old = true;
    }

    /// Returns the bin of the workspace, if it has one; asked for once a round.
    pub(super) async fn bin(&self) -> PortResult<Option<String>> {
        let _gate = self.bin_gate.lock().await;
        let mut page = 1;
        loop {
            let known = self.fresh_bin();
            if let Some(bin) = known {
                return Ok(bin.path());
            }
            let tree = self.server.list("", Listing::Page(page)).await?.tree;
            let last = tree.page.map_or(1, |page| page.total);
            self.note_bin("", &tree, page >= last);
            page = last;
        }
    }

    fn fresh_bin(&self) -> Option<Bin> {
        let seen = self.bin.borrow();
        seen.bin.clone().filter(|_| !seen.is_old)
    }
}

impl Inner {
    /// Removes a folder that shows nothing.
    pub(super) async fn remove_folder(
        &self,
        id: Seq,
        at: &str,
        expect: &Fingerprint,
    ) -> PortResult<()> {
        if !self.is_empty(at).await? {
            return Err(PortError::precondition(format!("`{at}` is not empty")));
        }
        let name = at.rsplit('/').next().unwrap_or_default();
        let bin = self.link.bin().await?;
        // Until it was looked at there, nothing else of this name may push it aside.
        let _turn = self.link.turn(name).await;
        let there = match bin {
            Some(bin) => {
                self.delete_in_turn(id, at, expect).await?;
                format!("{bin}/{name}")
            }
            None => self.keep(id, at, expect).await?,
        };
        let (found, is_empty) = futures::join!(self.proofs.ask(at), self.is_empty(&there));
        self.wait_until_gone(at, found?, expect).await?;
        match is_empty {
            Ok(false) => Err(self.put_back(&there, at).await),
            // What cannot be looked at any more lies there all the same.
            Ok(true) | Err(_) => Ok(()),
        }
    }

    /// Tells whether a folder shows nothing.
    async fn is_empty(&self, at: &str) -> PortResult<bool> {
        let tree = self.link.server.list(at, Listing::Page(1)).await?.tree;
        let count = tree.page.map_or(0, |page| page.count);
        Ok(count.max(tree.children.len()) == 0)
    }

    /// Moves a folder to those that are kept. Returns where it is.
    async fn keep(&self, id: Seq, at: &str, expect: &Fingerprint) -> PortResult<String> {
        let link = &self.link;
        let kept = self.kept_place(id, at, expect).await?;
        link.explain(at);
        let form = vec![("file", at.to_owned()), ("dest", kept.clone())];
        let verdict = link.server.change("rename", "", form).await?;
        if let Some(refused) = refused(verdict) {
            let found = self.looks.ask(at).await?;
            link.expect(at, &found, expect)?;
            return Err(self.why(at, &refused).await);
        }
        link.index.borrow_mut().removed(at);
        Ok(kept)
    }

    /// Finds a place for a folder among those that are kept.
    async fn kept_place(&self, id: Seq, at: &str, expect: &Fingerprint) -> PortResult<String> {
        let link = &self.link;
        let name = at.rsplit('/').next().unwrap_or_default();
        let wanted = format!("{KEPT}/{name}");
        for attempt in 1..=NAMES_MAX {
            let mark = format!("{}-{:x}-{attempt}", link.mark, id.0);
            let kept = aside(&wanted, &mark);
            let [found, room, taken] = self.hashes.ask_few([at, KEPT, &kept]).await?;
            self.expect(at, &found, expect).await?;
            if taken != Found::Absent {
                continue;
            }
            if room == Found::Absent {
                // Another one may be faster; then the next step tells.
                let made = link.server.change("mkdir", KEPT, Vec::new()).await?;
                tracing::debug!("folders are kept in `{KEPT}`: {:?}", refused(made));
            }
            return Ok(kept);
        }
        let text = format!("`{at}` finds no place among the folders that are kept");
        Err(PortError::new(FailureClass::Denied, text))
    }

    /// Moves a folder back in which something turned up. Returns what to say of it.
    async fn put_back(&self, there: &str, at: &str) -> PortError {
        let link = &self.link;
        link.explain(at);
        let form = vec![("file", there.to_owned()), ("dest", at.to_owned())];
        match link.server.change("rename", "", form).await.map(refused) {
            Ok(None) => PortError::precondition(format!("`{at}` is not empty any more")),
            _ => in_doubt(at, &format!("what came into it is in `{there}` now")),
        }
    }
}

/// Where folders are kept that were removed from a workspace without a bin. Every client
/// leaves out what begins like the bin.
const KEPT: &str = "/recycle_bin_kept";
