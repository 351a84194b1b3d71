//! Remote content to the local side: stage, make durable, put in place, look at
//! what came out.
//!
//! In: a transfer with its preconditions. Out: what both sides hold then. Invariant: a
//! version that nobody expected is kept beside the new one. CRASH: a slot, with a copy
//! of the remote or with the version that came out; `recover` knows which.

use super::meter::{Meter, Metered};
use super::{Failed, Sides, is_expected, keep};
use crate::ports::{PortError, PortResult, Staged};
use journal_format::event::{Displaced, Expected, Outcome};
use journal_format::value::{Entry, Fingerprint, RelPath, Seq};

pub(super) struct Download<'a> {
    pub(super) source: &'a RelPath,
    pub(super) expect: &'a Entry,
    pub(super) target: &'a RelPath,
    pub(super) replaces: &'a Expected,
    pub(super) displaced: &'a Displaced,
    pub(super) meter: &'a Meter,
}

pub(super) async fn run(
    sides: Sides<'_>,
    id: Seq,
    download: &Download<'_>,
) -> Result<Outcome, Failed> {
    let staged = match stage(sides, id, download).await {
        Ok(staged) => staged,
        Err(error) => {
            // The slot holds nothing but a copy of what the remote still has.
            sides.local.discard(id).await?;
            return Err(error.into());
        }
    };
    let mut outcome = Outcome {
        source: Some(staged.source.clone()),
        bytes: staged.bytes,
        ..Outcome::default()
    };
    let placed = match download.replaces {
        Expected::Absent => sides
            .local
            .commit_new(id, download.target)
            .await
            .map(|now| (now, None)),
        Expected::Version(expect) => {
            let exchanged = sides.local.exchange(id, download.target, expect).await;
            exchanged.map(|exchanged| (exchanged.now, Some((exchanged.out, expect))))
        }
    };
    let (now, out) = match placed {
        Ok(placed) => placed,
        Err(error) => {
            sides.local.discard(id).await?;
            return Err(error.into());
        }
    };
    if let Some((out, expect)) = out {
        let put = put_away(sides, id, download, &out, expect, &mut outcome).await;
        put.map_err(|error| Failed {
            error,
            came_out: true,
        })?;
    }
    sides.local.sync().await?;
    outcome.target = Some(Entry {
        digest: staged.source.digest,
        ..now
    });
    Ok(outcome)
}

async fn stage(sides: Sides<'_>, id: Seq, download: &Download<'_>) -> PortResult<Staged> {
    let content = sides
        .remote
        .open(download.source, &download.expect.fingerprint)
        .await?;
    let content = Box::new(Metered {
        source: content,
        meter: Meter::clone(download.meter),
    });
    let staged = sides.local.stage(id, content, sides.digest).await?;
    let known = download.expect.digest;
    if known.is_some()
        && staged.source.digest.map(|digest| digest.kind()) == known.map(|digest| digest.kind())
        && staged.source.digest != known
    {
        return Err(PortError::precondition(format!(
            "`{}` on the remote side does not have the content it was announced with",
            download.source
        )));
    }
    sides.local.sync().await?;
    Ok(staged)
}

/// Deals with the version that came out of the exchange. RACE: between the check
/// and the exchange somebody may have replaced it; what is not expected exists
/// nowhere else and is kept beside the new version.
async fn put_away(
    sides: Sides<'_>,
    id: Seq,
    download: &Download<'_>,
    out: &Entry,
    expect: &Fingerprint,
    outcome: &mut Outcome,
) -> PortResult<()> {
    match download.displaced {
        Displaced::ConflictCopy(path) => {
            outcome.kept.push(keep::beside(sides, id, path).await?);
        }
        Displaced::Discard | Displaced::Rescue if is_expected(out, expect) => {
            outcome.trashed = Some(keep::to_trash(sides, id, download.target).await?);
        }
        Displaced::Discard | Displaced::Rescue => {
            let path = keep::numbered(download.target, id, 0)?;
            outcome.kept.push(keep::beside(sides, id, &path).await?);
        }
    }
    Ok(())
}
