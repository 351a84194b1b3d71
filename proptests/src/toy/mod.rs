//! A naive program that syncs, to test the world and its checkers with.
//!
//! In: a world. Out: both sides with everything that was on either; it never
//! deletes and keeps both versions of what differs. Invariant: without flaws it
//! breaks no promise; with any one flaw, a checker must say so. Deliberately
//! absent: speed, a baseline, moves. Crash: what lies in a slot goes to the trash.
//! A new flaw is a field of `Flaws` and a row in `tests`.

mod cycle;
mod tests;

use crate::system::{Mode, Process, System};
use crate::world::World;
use futures::future::{Either, select};
use futures::{StreamExt, pin_mut, stream};
use journal_format::event::{Event, FailureClass, OperationEvent, Record, SessionEvent};
use journal_format::value::{Seq, Side};
use pydio_sync::ports::{
    Clock, Hint, HintStream, History, LocalFs, Observer, PortError, PortResult, Remote, RootState,
    Slot, Store,
};

/// What is wrong with a toy, on purpose.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Flaws {
    pub(crate) deletes_on_absence: bool,
    pub(crate) publishes_early: bool,
    pub(crate) skips_sync: bool,
    pub(crate) trusts_the_exchange: bool,
    pub(crate) never_downloads: bool,
    pub(crate) is_restless: bool,
    pub(crate) skips_a_record: bool,
    pub(crate) names_own_folder: bool,
}

/// The program.
#[derive(Debug, Default)]
pub(crate) struct Toy {
    pub(crate) flaws: Flaws,
}

impl System for Toy {
    fn start<'w>(&'w self, world: &'w World, mode: Mode) -> Process<'w> {
        Box::pin(async move {
            let run = ToyRun {
                world,
                flaws: self.flaws,
            };
            run.run(mode).await
        })
    }
}

/// One process of it.
pub(crate) struct ToyRun<'w> {
    pub(crate) world: &'w World,
    pub(crate) flaws: Flaws,
}

impl ToyRun<'_> {
    async fn run(&self, mode: Mode) -> PortResult<()> {
        let mut hints = stream::select_all(
            [self.world.local.watch(), self.world.remote.watch()]
                .into_iter()
                .flatten(),
        );
        self.note(Event::Session(SessionEvent::SessionStarted {
            release: "toy".to_owned(),
            fold_version: 1,
            seed: self.world.clock.random(),
        }))
        .await?;
        for tries in 0.. {
            let result = self.whole_cycle().await;
            if let Err(error) = &result
                && error.class == FailureClass::Fatal
            {
                return Err(error.clone());
            }
            // What was written within a step of a coarse disk's times ends by waiting.
            if let Err(error) = &result
                && let Some(wait_ms) = error.retry_after_ms
            {
                let now = self.world.clock.now();
                let until = now.plus_millis(wait_ms.try_into().unwrap_or(i64::MAX));
                self.world.clock.sleep_until(until).await;
            }
            if mode == Mode::Once {
                match result {
                    Ok(false) => return Ok(()),
                    Err(error) if tries > TRIES_MAX => return Err(error),
                    Ok(true) | Err(_) => {}
                }
            } else if matches!(result, Ok(true)) {
                continue;
            } else if self.wait(&mut hints).await {
                return Ok(());
            }
        }
        Ok(())
    }

    /// Waits for something to happen; tells whether it is time to stop.
    async fn wait(&self, hints: &mut stream::SelectAll<HintStream<'_>>) -> bool {
        let now = self.world.clock.now();
        let nap = self.world.clock.sleep_until(now.plus_millis(600_000));
        let hint = async {
            let said: Option<Vec<Hint>> = hints.next().await;
            if said.is_none() {
                std::future::pending::<()>().await;
            }
        };
        let stop = self.world.stop_asked();
        pin_mut!(hint, stop);
        let woken = select(nap, hint);
        matches!(select(woken, stop).await, Either::Right(_))
    }

    async fn whole_cycle(&self) -> PortResult<bool> {
        self.know_roots().await?;
        self.clear_slots().await?;
        let changed = self.cycle().await?;
        if self.flaws.is_restless {
            self.note(Event::Operation(OperationEvent::Adopted {
                local: Default::default(),
                remote: Default::default(),
                case: journal_format::event::Case::A1,
            }))
            .await?;
        }
        self.know_roots().await?;
        Ok(changed)
    }

    async fn know_roots(&self) -> PortResult<()> {
        for side in Side::BOTH {
            let state = match side {
                Side::Local => self.world.local.root().await?,
                Side::Remote => self.world.remote.root().await?,
            };
            let mine = side.to_string();
            let first = self
                .world
                .with(|state| state.markers[side as usize].is_none());
            match state {
                RootState::Present { marker } if marker == Some(mine.clone()) => {}
                RootState::Present { marker: None } if first => match side {
                    Side::Local => self.world.local.claim_root(&mine).await?,
                    Side::Remote => self.world.remote.claim_root(&mine).await?,
                },
                other => {
                    return Err(PortError::precondition(format!("{side} root: {other:?}")));
                }
            }
        }
        Ok(())
    }

    async fn clear_slots(&self) -> PortResult<()> {
        self.world.remote.tidy_up().await?;
        for leftover in self.world.local.leftovers().await? {
            let tag = self.world.clock.random();
            let name = format!("left {} {tag}", leftover.id);
            let name = journal_format::value::RelPath::new(name)
                .map_err(|_| PortError::precondition("no name"))?;
            self.world
                .local
                .release(leftover.id, &Slot::Trash(name))
                .await?;
        }
        Ok(())
    }

    /// Appends one event, then publishes it; returns its number.
    pub(crate) async fn note(&self, event: Event) -> PortResult<Seq> {
        let seq = self.world.store.head().next();
        let records = vec![Record {
            seq,
            time: self.world.clock.now(),
            event,
        }];
        if self.flaws.publishes_early {
            self.world.observer.appended(&records);
        }
        let appended = self.world.store.append(records.clone()).await;
        // A store that failed once is opened again by the next process.
        appended.map_err(|error| PortError::new(FailureClass::Fatal, error.message))?;
        let skip = self.flaws.skips_a_record && seq.0.is_multiple_of(7);
        if !self.flaws.publishes_early && !skip {
            self.world.observer.appended(&records);
        }
        Ok(seq)
    }
}

const TRIES_MAX: u32 = 30;
