//! The real program in the simulated world: driver, executor and engine as shipped.
//!
//! In: a world. Out: a process of the daemon's driver over the world's ports.
//! Invariant: nothing is replaced but the ports. The only halts that are approved are
//! those of an emptied root and of a lost history, between runs, since the world's users
//! empty folders and its stores lose records.

use crate::system::{Mode, Process, System};
use crate::world::World;
use futures::{FutureExt, StreamExt, stream};
use journal_format::event::{FailureClass, HaltReason, Record};
use journal_format::value::{Brakes, Policy, RelPath, Side};
use pydio_sync::daemon::{self, Control, Job, Ports, Report, RunError};
use pydio_sync::ports::{PortError, PortResult};
use sync_core::checkpoint;
use sync_core::engine::Engine;

/// The program, as it is shipped.
#[derive(Debug, Default)]
pub struct Program;

impl System for Program {
    fn start<'w>(&'w self, world: &'w World, mode: Mode) -> Process<'w> {
        let ports = Ports {
            local: &world.local,
            remote: &world.remote,
            store: &world.store,
            clock: &world.clock,
            observer: &world.observer,
        };
        Box::pin(run(ports, world, mode))
    }

    fn fold(&self, records: &[Record]) -> Option<[u8; 16]> {
        Some(checkpoint::digest(replayed(records).state()))
    }

    fn unsettled(&self, records: &[Record]) -> Option<Vec<[Option<RelPath>; 2]>> {
        let engine = replayed(records);
        let tree = &engine.state().tree;
        let places = |id| Side::BOTH.map(|side| tree.path(side, id));
        Some(tree.dirty().map(places).collect())
    }

    fn checkpoint(&self, records: &[Record]) -> Option<Vec<u8>> {
        Some(checkpoint::encode(replayed(records).state()))
    }
}

fn replayed(records: &[Record]) -> Engine {
    let mut engine = Engine::new();
    records.iter().for_each(|record| engine.replay(record));
    engine
}

/// Runs the daemon over ports of a world.
pub(crate) async fn run(ports: Ports<'_>, world: &World, mode: Mode) -> PortResult<()> {
    let report = run_once(ports, world, mode, false).await?;
    let waits = report.standing.halt.is_some_and(|halt| {
        matches!(
            halt.reason,
            HaltReason::RootEmptied | HaltReason::HistoryLost
        )
    });
    if mode == Mode::Once && waits {
        run_once(ports, world, mode, true).await?;
    }
    Ok(())
}

async fn run_once(
    ports: Ports<'_>,
    world: &World,
    mode: Mode,
    approve: bool,
) -> PortResult<Report> {
    let approval = approve.then(|| Control::Approve {
        by: "the world".to_owned(),
    });
    let stop = world.stop_asked().map(|()| Control::Stop).into_stream();
    let orders = stream::iter(approval).chain(stop).chain(stream::pending());
    let mode = match mode {
        Mode::Once => daemon::Mode::Once,
        Mode::Continuous => daemon::Mode::Continuous,
    };
    daemon::run(ports, &job(world), mode, orders.boxed_local())
        .await
        .map_err(|error| match error {
            RunError::Side { error, .. }
            | RunError::Unclaimed { error, .. }
            | RunError::Append(error)
            | RunError::Read(error) => error,
            RunError::RootNeverSeen { .. } => {
                PortError::new(FailureClass::Fatal, error.to_string())
            }
        })
}

fn job(world: &World) -> Job {
    let brakes = Brakes {
        deletions_max: u64::MAX,
        deletions_percent_max: 100,
        entries_min: u64::MAX,
    };
    Job {
        id: "world".to_owned(),
        label: "world".to_owned(),
        policy: Policy {
            brakes,
            ..Policy::default()
        },
        release: "simulated".to_owned(),
        fold_case: false,
        poll_interval_ms: 10_000,
        trash_ms: 30 * 86_400_000,
        checkpoint_tail_min: world.options().checkpoint_tail_min,
        running_per_record: world.options().running_per_record,
        lost_history: world.with(|state| state.journal.lost_head()),
    }
}
