//! A folder that is suddenly empty is doubted: some of what it held is asked for by name.
//!
//! In: what a scan of the remote gave. Out: the same, where a listing that shows nothing
//! is refuted told as none. Invariant: before all that a folder held is called gone, some
//! of it was looked at alone, and was absent. Deliberately absent: listings that lack
//! something only, which nobody can refute so cheaply. CRASH: as of a scan, nothing.

use super::{Driver, Happening};
use crate::ports::{Remote, ScanItem, ScanStream, Scope};
use journal_format::event::UnknownReason;
use journal_format::value::{RelPath, Side};
use sync_core::view::held_in;

impl<'a> Driver<'a> {
    /// Takes what a scan gave, once the listings in it that show nothing were doubted.
    pub(super) fn take_items(
        &mut self,
        side: Side,
        whole: bool,
        stream: ScanStream<'a>,
        items: Vec<ScanItem>,
    ) {
        let witnesses = self.witnesses(side, &items);
        if witnesses.is_empty() {
            return self.believed(side, whole, stream, items);
        }
        let remote = self.ports.remote;
        self.push(async move {
            let items = examined(remote, items, witnesses).await;
            Happening::Believed(side, whole, stream, items)
        });
    }

    /// Names what is known to have been in the folders that are listed as empty.
    fn witnesses(&self, side: Side, items: &[ScanItem]) -> Vec<(usize, Vec<RelPath>)> {
        let mut found = Vec::new();
        for (place, item) in items.iter().enumerate() {
            let ScanItem::Listing(listing) = item else {
                continue;
            };
            let has_dots = listing.scope == Scope::Whole;
            let is_doubted = has_dots || listing.scope == Scope::WholeButDots;
            if side == Side::Local || !is_doubted || !listing.entries.is_empty() {
                continue;
            }
            let state = self.engine.state();
            let mut known = held_in(state, side, &listing.directory);
            known.retain(|path| has_dots || !path.name().is_some_and(|name| name.starts_with('.')));
            known.truncate(WITNESSES_MAX);
            if !known.is_empty() {
                found.push((place, known));
            }
        }
        found
    }
}

/// Looks at what is said to be gone. Whatever is there, or cannot be looked at, refutes
/// the listing.
async fn examined(
    remote: &dyn Remote,
    mut items: Vec<ScanItem>,
    witnesses: Vec<(usize, Vec<RelPath>)>,
) -> Vec<ScanItem> {
    for (place, paths) in witnesses {
        for path in paths {
            if remote.stat(&path).await == Ok(None) {
                continue;
            }
            if let ScanItem::Listing(listing) = &items[place] {
                let directory = listing.directory.clone();
                tracing::warn!(%directory, "it is listed as empty, and `{path}` is still there");
                items[place] = ScanItem::Unlisted {
                    directory,
                    reason: UnknownReason::Unreadable,
                };
            }
        }
    }
    items
}

/// So many names of a folder are asked for.
const WITNESSES_MAX: usize = 3;
