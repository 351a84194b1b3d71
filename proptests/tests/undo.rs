//! Ring 2 with a person who undoes: before each run of the program some of what it did
//! is taken back by hand, with every fault and every crash that ring 2 has.
//!
//! `UNDO_SEEDS=2000 cargo test --release -p proptests --test undo` takes more worlds,
//! `UNDO_FIRST=7 UNDO_SEEDS=1` one of them.

use journal_format::event::{Event, Record, SessionEvent};
use journal_format::value::RelPath;
use proptests::program::Program;
use proptests::run::run;
use proptests::system::{Mode, Process, System};
use proptests::world::World;
use pydio_sync::daemon::RunError;
use pydio_sync::daemon::by_hand::{Deeds, perform};
use pydio_sync::journal::undo::{Collector, Inverse, Step, Undo, Which};
use pydio_sync::ports::{LocalFs, Observer, PortError, PortResult, RootState, Store};
use sync_core::engine::Engine;

/// The program, behind somebody who undoes.
struct Undoing;

impl System for Undoing {
    fn start<'w>(&'w self, world: &'w World, mode: Mode) -> Process<'w> {
        Box::pin(async move {
            if let Some(which) = chosen(world) {
                undo(world, which).await?;
            }
            Program.start(world, mode).await
        })
    }

    fn fold(&self, records: &[Record]) -> Option<[u8; 16]> {
        Program.fold(records)
    }

    fn unsettled(&self, records: &[Record]) -> Option<Vec<[Option<RelPath>; 2]>> {
        Program.unsettled(records)
    }

    fn checkpoint(&self, records: &[Record]) -> Option<Vec<u8>> {
        Program.checkpoint(records)
    }
}

/// What is undone this time; nobody undoes once people have left.
fn chosen(world: &World) -> Option<Which> {
    world.with(|state| {
        let count = state.journal.records.len();
        if count == 0 || state.is_left_alone() || state.journal.lost_head().is_some() {
            return None;
        }
        let (way, at) = (state.rng.below(4), state.rng.below(count));
        let record = state.journal.records.get(at)?;
        Some(match way {
            0 => Which::Last,
            1 => Which::Event(record.seq),
            _ => Which::Since(record.time),
        })
    })
}

async fn undo(world: &World, which: Which) -> PortResult<()> {
    // As the command line: only in the folder that the journal knows.
    let records = read_all(&world.store).await?;
    let mut engine = Engine::new();
    records.iter().for_each(|record| engine.replay(record));
    let known = engine.state().markers[0].clone();
    match world.local.root().await? {
        RootState::Present { marker } if marker.is_some() && marker == known => {}
        _ => return Ok(()),
    }
    let mut collector = Collector::of_both_sides(which, Engine::new());
    records.iter().for_each(|record| collector.take(record));
    let Undo { steps, .. } = collector.finish();
    if steps.is_empty() {
        return Ok(());
    }
    world.with(|state| {
        for step in &steps {
            state.users.undo(step.inverse.path());
            if let Inverse::Rename { to, .. } = &step.inverse {
                state.users.undo(to);
            }
        }
    });
    let deeds = Deeds::begin(&world.store, &world.clock, "simulated").await;
    let mut deeds = deeds.map_err(port_error)?;
    let count = || world.with(|state| state.journal.records.len());
    let mut published = count();
    // As the next daemon does it, from its cursor.
    let mut publish = |_: &[&Step]| {
        let records = world.with(|state| state.journal.records[published..].to_vec());
        published = count();
        if !records.is_empty() {
            world.observer.appended(&records);
        }
    };
    // What cannot be done is listed by the command line.
    let performed = perform(&world.local, &mut deeds, &steps, "somebody", &mut publish).await;
    performed.map_err(port_error)?;
    deeds.end().await.map_err(port_error)?;
    publish(&[]);
    Ok(())
}

async fn read_all(store: &dyn Store) -> PortResult<Vec<Record>> {
    store.read(store.first(), usize::MAX).await
}

fn port_error(error: RunError) -> PortError {
    match error {
        RunError::Side { error, .. }
        | RunError::Unclaimed { error, .. }
        | RunError::Append(error)
        | RunError::Read(error) => error,
        RunError::RootNeverSeen { .. } => PortError::precondition(error.to_string()),
    }
}

#[test]
fn whatever_is_undone_and_whenever_it_stops_nothing_is_lost_and_both_sides_agree() {
    let number = |name| std::env::var(name).ok()?.parse::<u64>().ok();
    let first = number("UNDO_FIRST").unwrap_or(0);
    let count = number("UNDO_SEEDS").unwrap_or(60);
    let mut undone = 0;
    for seed in first..first + count {
        let report = run(seed, &Undoing);
        assert_eq!(report.broken, None, "seed {seed}\n{}", report.story);
        let is_undo =
            |record: &&Record| matches!(&record.event, Event::Session(SessionEvent::Undone { .. }));
        undone += report.records.iter().filter(is_undo).count();
    }
    let least = usize::try_from(count / 5).unwrap_or(0);
    assert!(
        count < 10 || undone >= least,
        "{undone} undos in {count} worlds"
    );
}
