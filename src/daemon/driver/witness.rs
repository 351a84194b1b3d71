//! A folder that is suddenly empty is doubted: some of what it held is asked for by name.
//!
//! In: what a scan of the remote gave. Out: the same, but a listing that shows nothing
//! comes last, and if it is refuted as none. Invariant: before all that a folder held is
//! called gone, some of it was looked at alone, and was absent; nothing is asked while the
//! scan's own requests wait to be read, which would take the places of ours. Deliberately
//! absent: listings that lack something only. CRASH: as of a scan, nothing.

use super::{Driver, Happening};
use crate::ports::{Remote, ScanItem, Scope};
use journal_format::event::UnknownReason;
use journal_format::value::{RelPath, Side};
use sync_core::view::held_in;

/// An empty listing, and some of what is known to have been there.
pub(super) type Doubted = (ScanItem, Vec<RelPath>);

impl Driver<'_> {
    /// Puts aside the listings that show nothing where something was; returns the others.
    pub(super) fn doubt_empty(&mut self, side: Side, items: Vec<ScanItem>) -> Vec<ScanItem> {
        if side == Side::Local {
            return items;
        }
        let mut believed = Vec::with_capacity(items.len());
        for item in items {
            let witnesses = self.witnesses(side, &item);
            if witnesses.is_empty() {
                believed.push(item);
            } else {
                self.doubted.push((item, witnesses));
            }
        }
        believed
    }

    /// Looks into what was put aside, once a scan has ended. Tells whether there is any.
    pub(super) fn examine(&mut self, side: Side, whole: bool) -> bool {
        let doubted = std::mem::take(&mut self.doubted);
        if doubted.is_empty() {
            return false;
        }
        let remote = self.ports.remote;
        self.push(async move { Happening::Examined(side, whole, examined(remote, doubted).await) });
        true
    }

    /// Names what is known to have been in a folder that is listed as empty.
    fn witnesses(&self, side: Side, item: &ScanItem) -> Vec<RelPath> {
        let ScanItem::Listing(listing) = item else {
            return Vec::new();
        };
        let has_dots = listing.scope == Scope::Whole;
        let is_whole = has_dots || listing.scope == Scope::WholeButDots;
        if !is_whole || !listing.entries.is_empty() {
            return Vec::new();
        }
        let mut known = held_in(self.engine.state(), side, &listing.directory);
        known.retain(|path| has_dots || !path.name().is_some_and(|name| name.starts_with('.')));
        known.truncate(WITNESSES_MAX);
        known
    }
}

/// Looks at what is said to be gone. Whatever is there, or cannot be looked at, refutes
/// the listing.
async fn examined(remote: &dyn Remote, doubted: Vec<Doubted>) -> Vec<ScanItem> {
    let mut items = Vec::with_capacity(doubted.len());
    for (item, paths) in doubted {
        let mut refuted = None;
        for path in paths {
            if refuted.is_none() && remote.stat(&path).await != Ok(None) {
                refuted = Some(path);
            }
        }
        items.push(match (refuted, item) {
            (Some(path), ScanItem::Listing(listing)) => {
                let directory = listing.directory;
                tracing::warn!(%directory, "it is listed as empty, but `{path}` is not gone");
                ScanItem::Unlisted {
                    directory,
                    reason: UnknownReason::Unreadable,
                }
            }
            (_, item) => item,
        });
    }
    items
}

/// So many names of a folder are asked for.
const WITNESSES_MAX: usize = 3;
