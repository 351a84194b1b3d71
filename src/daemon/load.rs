//! From the journal to a running engine.
//!
//! In: the store's checkpoint and records. Out: an engine at the journal's head, that
//! may write. Invariant: a checkpoint that cannot be used costs a replay and nothing
//! else. CRASH: reads only, apart from emptying the slots of operations in doubt.

use super::{Job, Ports, RunError};
use crate::executor::{Sides, put_away_leftovers};
use crate::ports::{History, PortError, RootState};
use journal_format::event::{FailureClass, Record};
use journal_format::value::{Seq, Side};
use sync_core::checkpoint;
use sync_core::engine::{Engine, Identity};

/// The engine after checkpoint and replay, and how many records were replayed.
pub(super) struct Loaded {
    pub(super) engine: Engine,
    pub(super) replayed: u64,
}

/// Reads checkpoint and journal.
pub(super) async fn load(store: &dyn History) -> Result<Loaded, RunError> {
    let head = store.head();
    let cached = store.checkpoint().await.map_err(RunError::Read)?;
    let cached = cached.filter(|cached| cached.seq <= head);
    let state = cached.and_then(|cached| match checkpoint::decode(&cached.bytes) {
        Ok(state) if state.seq == cached.seq => Some(state),
        Ok(_) => None,
        Err(error) => {
            tracing::info!(
                ?error,
                "the checkpoint is not usable; replaying the journal"
            );
            None
        }
    });
    let mut engine = state.map_or_else(Engine::new, Engine::restore);
    let mut next = engine.state().seq.next();
    let mut replayed = 0;
    let first = store.first();
    if next < first {
        let text = format!(
            "events before {first} are not kept any more, and the state behind them cannot be used"
        );
        return Err(RunError::Read(PortError::new(FailureClass::Fatal, text)));
    }
    while next <= head {
        let records = store
            .read(next, PAGE_RECORDS)
            .await
            .map_err(RunError::Read)?;
        let Some(last) = records.last() else { break };
        next = last.seq.next();
        replayed += u64::try_from(records.len()).unwrap_or(u64::MAX);
        records.iter().for_each(|record| engine.replay(record));
    }
    Ok(Loaded { engine, replayed })
}

/// Reads the last few records.
pub(super) async fn newest(store: &dyn History) -> Result<Vec<Record>, RunError> {
    let from = Seq(store.head().0.saturating_sub(NEWEST_RECORDS - 1)).max(store.first());
    let records = store.read(from, PAGE_RECORDS).await;
    records.map_err(RunError::Read)
}

/// Settles what an earlier process left and lets the engine write.
pub(super) async fn begin(
    ports: Ports<'_>,
    job: &Job,
    engine: &mut Engine,
) -> Result<(), RunError> {
    let capabilities = ports.remote.capabilities();
    let known = engine.state().root.as_ref().map(|root| root.digest);
    let digest = known.unwrap_or(capabilities.digest);
    let sides = Sides {
        local: ports.local,
        remote: ports.remote,
        digest,
    };
    let open = engine.state().open.iter();
    let open = open
        .map(|(id, open)| (*id, open.operation.clone()))
        .collect();
    let are_there = roots_are_there(ports).await;
    if are_there {
        let tidied = ports.remote.tidy_up().await;
        tidied.map_err(|error| RunError::Side {
            side: Side::Remote,
            error,
        })?;
        let put_away = put_away_leftovers(sides, ports.store, &open).await;
        put_away.map_err(|error| RunError::Side {
            side: Side::Local,
            error,
        })?;
    }
    let is_new = engine.state().root.is_none();
    let fold_case = if is_new && are_there {
        let folds = ports.remote.folds_case().await;
        folds.map_err(|error| RunError::Side {
            side: Side::Remote,
            error,
        })?
    } else {
        capabilities.fold_case
    };
    let identity = Identity {
        job: job.id.clone(),
        label: job.label.clone(),
        digest,
        fold_case: fold_case || job.fold_case,
        policy: job.policy,
    };
    engine.begin(
        &job.release,
        ports.clock.random(),
        &identity,
        ports.clock.now(),
    );
    if let Some(expected) = job.lost_history {
        tracing::warn!(
            job = job.label,
            up_to = expected.0,
            "the last events of the journal are missing: both sides are scanned anew, and \
             nothing is deleted before a person agrees"
        );
        let lost = sync_core::input::Input::HistoryLost { expected };
        engine.handle(lost, ports.clock.now());
    }
    Ok(())
}

/// A root that is gone is told of by its first scan; what lies in its slots waits.
async fn roots_are_there(ports: Ports<'_>) -> bool {
    let states = [ports.local.root().await, ports.remote.root().await];
    states
        .iter()
        .all(|state| matches!(state, Ok(RootState::Present { .. })))
}

const PAGE_RECORDS: usize = 8192;
const NEWEST_RECORDS: u64 = 512;
