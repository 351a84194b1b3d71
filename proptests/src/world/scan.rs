//! Listings, one directory a step.
//!
//! In: targets. Out: a stream of listings. Fault model: the tree changes between
//! two directories, and with `torn_listing` within one (a name that comes while it
//! is read is missed); a directory cannot be listed; the scan breaks off; the
//! remote lists a directory as it was some changes ago. Invariant: a root that
//! comes or goes ends the scan with an error; the program's own folder is never
//! listed. Deliberately absent: filters beyond `*.tmp`. Crash: leaves nothing.

use super::disk::{Body, Image, Mount, NodeId, OWN, is_excluded};
use super::faults::CallOf;
use super::tasks::Turn;
use super::{Inner, State};
use futures::StreamExt;
use futures::stream;
use journal_format::event::{FailureClass, UnknownReason};
use journal_format::value::{RelPath, Side};
use pydio_sync::ports::{
    Listed, Listing, PortError, PortResult, ScanItem, ScanRequest, ScanStream, ScanTarget, Scope,
    Seen,
};
use std::collections::{BTreeSet, VecDeque};
use std::rc::Rc;

struct Walk {
    inner: Rc<Inner>,
    side: Side,
    mounts: u64,
    open: VecDeque<Open>,
    ended: bool,
}

/// A place that is still to be listed.
struct Open {
    target: ScanTarget,
    /// Asked for by the caller, so that its own name is looked at as well.
    asked_for: bool,
}

impl Inner {
    /// Lists a side.
    pub(super) fn scan(self: &Rc<Self>, side: Side, request: ScanRequest) -> ScanStream<'static> {
        let walk = Walk {
            inner: Rc::clone(self),
            side,
            mounts: self.state.borrow().disk(side).mounts,
            open: request.targets.into_iter().map(Open::asked_for).collect(),
            ended: false,
        };
        stream::unfold(walk, |mut walk| async move {
            if walk.ended || walk.open.is_empty() {
                return None;
            }
            let batch = walk.next_batch().await;
            walk.ended = batch.is_err();
            Some((batch, walk))
        })
        .boxed_local()
    }
}

impl Walk {
    async fn next_batch(&mut self) -> PortResult<Vec<ScanItem>> {
        let Some(open) = self.open.pop_front() else {
            return Ok(Vec::new());
        };
        let call = CallOf::look(self.side, "scan", None);
        let (inner, mounts) = (Rc::clone(&self.inner), self.mounts);
        let batch = self.inner.start(&call.clone(), async move {
            inner.before(&call).await?;
            if inner.fails(inner.options.faults.scan_broken, "scan_broken") {
                return Err(PortError::new(FailureClass::Retry, "the scan broke off"));
            }
            let names = inner.names_before(&call, &open.target.path);
            if inner.fails(inner.options.faults.torn_listing, "torn_listing") {
                Turn::default().await;
                inner.list(&call, &open, mounts, names)
            } else {
                inner.list(&call, &open, mounts, None)
            }
        });
        let items = batch.await?;
        self.queue_directories(&items);
        Ok(items)
    }

    fn queue_directories(&mut self, items: &[ScanItem]) {
        for item in items {
            let ScanItem::Listing(listing) = item else {
                continue;
            };
            if listing.scope != Scope::Whole {
                continue;
            }
            let directories = listing.entries.iter().filter(|listed| {
                matches!(&listed.seen, Seen::Entry(entry)
                    if entry.kind() == journal_format::value::Kind::Directory)
            });
            for path in directories.filter_map(|listed| listing.directory.join(&listed.name).ok()) {
                self.open.push_back(Open {
                    target: ScanTarget {
                        path,
                        subtree: true,
                    },
                    asked_for: false,
                });
            }
        }
    }
}

impl Open {
    const fn asked_for(target: ScanTarget) -> Self {
        Self {
            target,
            asked_for: true,
        }
    }
}

impl Inner {
    fn names_before(&self, call: &CallOf, path: &RelPath) -> Option<BTreeSet<String>> {
        let state = self.state.borrow();
        let disk = state.disk(call.side);
        let names = disk.live.children(disk.find(path)?)?;
        Some(names.keys().cloned().collect())
    }

    /// Lists one target: a whole directory, or a name with the whole directory
    /// behind it, if it is one and the target says so.
    fn list(
        &self,
        call: &CallOf,
        open: &Open,
        mounts: u64,
        names: Option<BTreeSet<String>>,
    ) -> PortResult<Vec<ScanItem>> {
        let stale = call.side == Side::Remote
            && self.fails(self.options.faults.stale_listing, "stale_listing");
        let unlisted = self.fails(self.options.faults.unlisted, "unlisted");
        let target = &open.target;
        let mut state = self.state.borrow_mut();
        if state.disk(call.side).mounts != mounts {
            return Err(PortError::new(FailureClass::Retry, "the root changed"));
        }
        let image = state.image_listed(call.side, stale);
        let folding = state.disk(call.side).folding();
        let found = image.find(&target.path, folding);
        let whole = found.filter(|id| target.subtree && image.children(*id).is_some());
        let mut items = Vec::new();
        if open.asked_for || whole.is_none() {
            items.extend(state.look_up(call.side, &image, &target.path));
        }
        items.extend(whole.map(|id| {
            if unlisted || state.is_denied(call.side, &target.path) {
                return ScanItem::Unlisted {
                    directory: target.path.clone(),
                    reason: UnknownReason::Unreadable,
                };
            }
            ScanItem::Listing(Listing {
                directory: target.path.clone(),
                scope: Scope::Whole,
                entries: state.names_of(call.side, &image, id, &target.path, names.as_ref()),
            })
        }));
        Ok(items)
    }
}

impl State {
    fn image_listed(&mut self, side: Side, stale: bool) -> Image {
        if self.disk(side).mount == Mount::Foreign {
            return Image::empty();
        }
        let earlier = self.disk(side).earlier.len();
        let back = if stale {
            self.rng.below(earlier + 1)
        } else {
            0
        };
        let disk = self.disk(side);
        match earlier
            .checked_sub(back)
            .and_then(|at| disk.earlier.get(at))
        {
            Some(image) if back > 0 => image.clone(),
            _ => disk.live.clone(),
        }
    }

    fn names_of(
        &self,
        side: Side,
        image: &Image,
        id: NodeId,
        path: &RelPath,
        only: Option<&BTreeSet<String>>,
    ) -> Vec<Listed> {
        let children = image.children(id).into_iter().flatten();
        children
            .filter(|(name, _)| only.is_none_or(|only| only.contains(*name)))
            .filter(|(name, _)| !(path.is_root() && name.as_str() == OWN))
            .filter_map(|(name, id)| self.listed(side, image, name, *id))
            .collect()
    }

    fn listed(&self, side: Side, image: &Image, name: &str, id: NodeId) -> Option<Listed> {
        let node = image.nodes.get(&id)?;
        let unsupported = side == Side::Local && !self.remote.symlinks;
        let seen = if is_excluded(name) {
            Seen::Unknown(UnknownReason::Excluded)
        } else if unsupported && matches!(node.body, Body::Link(_)) {
            Seen::Unknown(UnknownReason::UnsupportedSymlink)
        } else {
            match self.entry(side, node) {
                Some(entry) => Seen::Entry(entry),
                None => Seen::Unknown(UnknownReason::UnsupportedKind),
            }
        };
        Some(Listed {
            name: name.to_owned(),
            seen,
        })
    }

    /// Speaks of one name; where a directory on the way is absent, of that.
    fn look_up(&self, side: Side, image: &Image, path: &RelPath) -> Vec<ScanItem> {
        let folding = self.disk(side).folding();
        let mut directory = RelPath::root();
        let mut at = super::disk::ROOT;
        let names: Vec<&str> = path.names().collect();
        for (index, name) in names.iter().enumerate() {
            let child = image.child(at, name, folding);
            let below = child.filter(|(_, id)| image.children(*id).is_some());
            if let (Some((_, id)), true) = (below, index + 1 < names.len()) {
                let Ok(next) = directory.join(name) else {
                    return Vec::new();
                };
                (directory, at) = (next, id);
                continue;
            }
            let mut scope = vec![(*name).to_owned()];
            scope.extend(child.map(|(own, _)| own.clone()).filter(|own| own != name));
            let listed = child.and_then(|(own, id)| self.listed(side, image, own, id));
            return vec![ScanItem::Listing(Listing {
                directory,
                scope: Scope::Names(scope),
                entries: listed.into_iter().collect(),
            })];
        }
        Vec::new()
    }
}
