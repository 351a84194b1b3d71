//! Local content to the remote side: the remote writes it whole or not at all.
//!
//! In: a transfer with its preconditions. Out: what both sides hold then. Invariant: a
//! remote version that must be kept is in the local trash, durably, before it is
//! replaced. CRASH: what the remote's adapter says, and a copy too many in a slot.

use super::meter::{Meter, Metered};
use super::{Sides, keep};
use crate::ports::{PortResult, PutRequest};
use journal_format::event::{Displaced, Expected, Kept, Outcome};
use journal_format::value::{Entry, Fingerprint, RelPath, Seq};

pub(super) struct Upload<'a> {
    pub(super) source: &'a RelPath,
    pub(super) expect: &'a Entry,
    pub(super) target: &'a RelPath,
    pub(super) replaces: &'a Expected,
    pub(super) displaced: &'a Displaced,
    pub(super) meter: &'a Meter,
}

pub(super) async fn run(sides: Sides<'_>, id: Seq, upload: &Upload<'_>) -> PortResult<Outcome> {
    let mut outcome = Outcome::default();
    let mut replaces = upload.replaces.clone();
    match (upload.displaced, upload.replaces) {
        (Displaced::Rescue, Expected::Version(expect)) => {
            let trashed = keep::rescue_remote(sides, id, upload.target, expect).await?;
            outcome.trashed = Some(trashed);
        }
        (Displaced::ConflictCopy(path), Expected::Version(expect)) => {
            let kept = set_aside(sides, upload.target, path, expect).await?;
            outcome.kept.push(kept);
            replaces = Expected::Absent;
        }
        (Displaced::Discard, _) | (_, Expected::Absent) => {}
    }
    let source = sides
        .local
        .open(upload.source, &upload.expect.fingerprint)
        .await?;
    let source = Box::new(Metered {
        source,
        meter: Meter::clone(upload.meter),
    });
    let request = PutRequest {
        id,
        path: upload.target,
        source,
        replaces: &replaces,
        digest: sides.digest,
    };
    let put = sides.remote.put(request).await?;
    sides.remote.sync().await?;
    outcome.source = Some(put.source);
    outcome.target = Some(put.entry);
    outcome.kept.extend(put.kept);
    outcome.bytes = put.bytes;
    Ok(outcome)
}

/// Renames the remote version to its conflict copy's name. CRASH: the copy is there
/// and the name is free; both are seen by the next scan.
async fn set_aside(
    sides: Sides<'_>,
    path: &RelPath,
    copy: &RelPath,
    expect: &Fingerprint,
) -> PortResult<Kept> {
    let entry = sides.remote.rename(path, copy, expect).await?;
    sides.remote.sync().await?;
    Ok(Kept {
        path: copy.clone(),
        entry,
    })
}
