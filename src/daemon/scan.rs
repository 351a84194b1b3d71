//! Translates between the engine's words for scans and the ports'.
//!
//! In: wanted scans, roots and scan items. Out: the same in the other's types.
//! Invariant: a root that cannot be listed is told as missing, which stops the job,
//! never as empty, which would delete. Deliberately absent: judgement (`sync-core: decide`).

use crate::ports::{
    Listing, LocalFs, PortResult, Remote, RootState, ScanItem, ScanRequest, ScanStream, ScanTarget,
    Scope, Seen,
};
use journal_format::value::Side;
use sync_core::engine::WantedScan;
use sync_core::input::{Covered, Found, RootFinding, Sight};

/// Starts a scan of a side.
pub(super) fn start<'a>(
    side: Side,
    local: &'a dyn LocalFs,
    remote: &'a dyn Remote,
    wanted: &WantedScan,
) -> ScanStream<'a> {
    let targets = wanted.targets.iter();
    let targets = targets
        .map(|(path, subtree)| ScanTarget {
            path: path.clone(),
            subtree: *subtree,
        })
        .collect();
    let request = ScanRequest { targets };
    match side {
        Side::Local => local.scan(request),
        Side::Remote => remote.scan(request),
    }
}

/// Looks at a side's root.
pub(super) async fn root(
    side: Side,
    local: &dyn LocalFs,
    remote: &dyn Remote,
) -> PortResult<RootState> {
    match side {
        Side::Local => local.root().await,
        Side::Remote => remote.root().await,
    }
}

/// What a root's state means to the engine. A root that cannot be listed proves
/// nothing absent, like one that is not there.
pub(super) fn finding(state: &RootState) -> RootFinding {
    match state {
        RootState::Missing | RootState::NotADirectory | RootState::Unreadable(_) => {
            RootFinding::Missing
        }
        RootState::Present { marker } => RootFinding::Present(marker.clone()),
    }
}

/// A scan's item in the engine's words.
pub(super) fn found(item: ScanItem) -> Found {
    match item {
        ScanItem::Unlisted { directory, reason } => Found::Unlisted { directory, reason },
        ScanItem::Listing(Listing {
            directory,
            scope,
            entries,
        }) => Found::Listing {
            directory,
            names: match scope {
                Scope::Whole => Covered::All,
                Scope::WholeButDots => Covered::AllButDots,
                Scope::Names(names) => Covered::These(names),
            },
            entries: entries
                .into_iter()
                .map(|listed| {
                    let sight = match listed.seen {
                        Seen::Entry(entry) => Sight::Entry(entry),
                        Seen::Unknown(reason) => Sight::Unknown(reason),
                    };
                    (listed.name, sight)
                })
                .collect(),
        },
    }
}
