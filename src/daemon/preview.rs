//! What would be done, without doing or writing anything.
//!
//! In: the ports, the job. Out: the operations a plan would begin with, and how things
//! stand. Invariant: no port method that changes anything is called, and no record is
//! appended. Deliberately absent: operations that follow from the first ones.

use super::{Job, Ports, RunError, load, scan};
use crate::ports::RootState;
use futures::StreamExt;
use journal_format::event::Operation;
use journal_format::value::{RelPath, Side};
use sync_core::engine::{Engine, Identity, Standing, WantedScan};
use sync_core::input::Input;

/// Scans both sides and plans.
///
/// # Errors
/// A root is not there, a side cannot be scanned, or the journal cannot be read.
pub async fn preview(ports: Ports<'_>, job: &Job) -> Result<(Vec<Operation>, Standing), RunError> {
    let mut engine = load::load(ports.store).await?.engine;
    let capabilities = ports.remote.capabilities();
    let identity = Identity {
        job: job.id.clone(),
        label: job.label.clone(),
        digest: capabilities.digest,
        fold_case: capabilities.fold_case || job.fold_case,
        policy: job.policy,
    };
    engine.begin(&job.release, 0, &identity, ports.clock.now());
    for side in Side::BOTH {
        scan_side(ports, &mut engine, side).await?;
    }
    let now = ports.clock.now();
    let operations = engine.preview(now.plus_millis(sync_core::limits::SETTLE_MS));
    engine.refresh_standing(now);
    Ok((operations, engine.standing()))
}

async fn scan_side(ports: Ports<'_>, engine: &mut Engine, side: Side) -> Result<(), RunError> {
    let failed = |error| RunError::Side { side, error };
    let state = scan::root(side, ports.local, ports.remote)
        .await
        .map_err(failed)?;
    let known = engine.state().markers[usize::from(side == Side::Remote)].is_some();
    match &state {
        RootState::Present { marker } if known || marker.is_some() => {
            engine.root_found(side, &scan::finding(&state), ports.clock.now());
        }
        RootState::Present { .. } => {}
        _ if known => {
            engine.root_found(side, &scan::finding(&state), ports.clock.now());
            return Ok(());
        }
        _ => return Err(RunError::RootNeverSeen { side }),
    }
    let wanted = WantedScan {
        targets: vec![(RelPath::root(), true)],
        whole: true,
    };
    engine.handle(Input::ScanStarted { side, whole: true }, ports.clock.now());
    let mut stream = scan::start(side, ports.local, ports.remote, &wanted);
    while let Some(batch) = stream.next().await {
        for item in batch.map_err(failed)? {
            let input = Input::Scanned {
                side,
                found: scan::found(item),
            };
            engine.handle(input, ports.clock.now());
        }
        engine.take_records();
    }
    engine.handle(
        Input::ScanFinished {
            side,
            complete: true,
        },
        ports.clock.now(),
    );
    Ok(())
}
