//! One world from its seed to a verdict.
//!
//! In: a seed and a program. Out: what happened and which promise broke, if one
//! did. First faults and people for a number of steps, with crashes between any
//! two of them; then neither, until the program is idle within a bound. Invariant:
//! one seed gives one journal; `check_seed` runs each twice. Deliberately absent:
//! wall-clock time, so a slow machine changes nothing. Next: a promise that holds
//! at each step belongs into `Run::judge`, one of the end into `Run::settle`.

use crate::checkers::{
    Verdict, absence_proven, converged, history_guarded, inside_root, kept_in_sight, no_half_file,
    nothing_lost, replay_equal, second_run_idle, stream_gapless, synced_is_true,
};
use crate::system::{Mode, Running, System};
use crate::world::World;
use crate::world::options::Options;
use crate::world::prng::Ratio;
use journal_format::event::Record;
use journal_format::value::Side;
use std::collections::BTreeMap;

/// What became of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// The seed.
    pub seed: u64,
    /// The first broken promise.
    pub broken: Option<String>,
    /// The journal.
    pub records: Vec<Record>,
    /// How often each fault was drawn.
    pub faults: BTreeMap<&'static str, u64>,
    /// Polls and steps together.
    pub turns: u64,
    /// The last steps, both trees, the last events.
    pub story: String,
}

/// Runs a seed in a world of its own kind.
#[must_use]
pub fn run(seed: u64, system: &dyn System) -> Report {
    run_in(seed, World::drawn(seed), system)
}

/// Runs a seed in a world of a given kind.
#[must_use]
pub fn run_with(seed: u64, options: Options, system: &dyn System) -> Report {
    run_in(seed, World::new(seed, options), system)
}

/// Runs a seed in a world of a given kind and tells the last `lines` steps.
#[must_use]
pub fn replay(seed: u64, options: Options, lines: usize, system: &dyn System) -> Report {
    let world = World::new(seed, options);
    world.with(|state| state.trace.keep(lines));
    run_in(seed, world, system)
}

/// Runs a seed twice; a broken promise or two different journals are a failure.
///
/// # Panics
/// With the whole story, and the line that replays it.
pub fn check_seed(seed: u64, system: &dyn System) {
    let report = run(seed, system);
    let again = run(seed, system);
    let differs = report.records != again.records || report.turns != again.turns;
    let broken = report.broken.clone();
    let broken = broken.or_else(|| differs.then(|| "two runs of one seed differ".to_owned()));
    assert!(
        broken.is_none(),
        "{}\n{}\nreplay with: tools sim --seed {seed}",
        broken.unwrap_or_default(),
        report.story
    );
}

fn run_in(seed: u64, world: World, system: &dyn System) -> Report {
    let mut run = Run {
        world: &world,
        system,
        process: None,
        turns: 0,
        seen: (0, 0),
        head_before: 0,
    };
    let verdict = run.live().and_then(|()| run.settle());
    let turns = run.turns;
    drop(run.process.take());
    world.crash();
    world.with(|state| Report {
        seed,
        broken: verdict.err(),
        records: state.journal.records.clone(),
        faults: state.faults.counts.clone(),
        turns,
        story: format!("{:#?}\n{}", world.options(), state.story()),
    })
}

struct Run<'w> {
    world: &'w World,
    system: &'w dyn System,
    process: Option<Running<'w>>,
    turns: u64,
    /// Changes of both disks that were judged.
    seen: (u64, u64),
    head_before: u64,
}

impl Run<'_> {
    /// First phase: faults, people, crashes.
    fn live(&mut self) -> Verdict {
        let options = self.world.options().clone();
        self.world.with(|state| {
            for _ in 0..options.users.prelude {
                let side = *state.rng.pick(&Side::BOTH);
                state.user_acts(side, &options.users);
            }
            state.users_finish();
            state.faults.on = true;
        });
        for _ in 0..options.steps {
            self.world.moment();
            self.judge()?;
            self.disturb(&options);
            self.judge()?;
            let mode = if options.continuous {
                Mode::Continuous
            } else {
                Mode::Once
            };
            self.turn(mode, options.slow_process);
            self.judge()?;
        }
        Ok(())
    }

    /// Second phase: nothing goes wrong any more, nobody is there.
    fn settle(&mut self) -> Verdict {
        self.world.with(|state| state.clear_up());
        self.judge()?;
        if self.world.options().continuous {
            self.until_in_sync()?;
        }
        let ends = self.run_to_its_end(Mode::Once)?;
        self.world
            .with(|state| converged::check(state, self.system))
            .map_err(|broken| format!("{broken} (after {ends} more runs)"))?;
        let options = self.world.options();
        self.world
            .with(|state| kept_in_sight::check(state, options))?;
        self.until_idle()?;
        self.world.with(|state| {
            let journal = &state.journal;
            history_guarded::check(&journal.records)?;
            synced_is_true::check(self.system, &journal.records, &journal.settled)?;
            replay_equal::check(self.system, &journal.records, &journal.checkpoints)
        })
    }

    /// One more run does nothing. Where a name is blocked, what each run moves out of
    /// the way is looked at by the next one.
    fn until_idle(&mut self) -> Verdict {
        let is_blocked = self
            .world
            .with(|state| converged::is_anything_blocked(state));
        // What was written within a step of a coarse disk's times is looked at again.
        self.world.with(|state| state.time.pass(GRAIN_MAX_NS));
        self.run_to_its_end(Mode::Once)?;
        let mut runs_left = if is_blocked { RUNS_MAX } else { 1 };
        loop {
            let before = self.world.with(|state| second_run_idle::before(state));
            self.run_to_its_end(Mode::Once)?;
            runs_left -= 1;
            let verdict = self.world.with(|state| {
                if is_blocked {
                    second_run_idle::check_blocked(state, &before)
                } else {
                    second_run_idle::check(state, &before)
                }
            });
            if verdict.is_ok() || runs_left == 0 {
                return verdict;
            }
        }
    }

    /// Lets a running process find everything by itself, asleep and awake.
    fn until_in_sync(&mut self) -> Verdict {
        let mut naps = 0;
        loop {
            self.world.with(|state| state.clear_up());
            self.turn(Mode::Continuous, Ratio::NEVER);
            self.judge()?;
            let asleep = self
                .process
                .as_ref()
                .is_some_and(|running| !running.is_awake());
            if !(asleep && self.world.is_quiet()) {
                self.bounded()?;
                continue;
            }
            let verdict = self.world.with(|state| {
                let mounted = Side::BOTH.iter().all(|side| state.is_mounted(*side));
                if mounted {
                    converged::check(state, self.system)
                } else {
                    Err("a root is away".to_owned())
                }
            });
            // A halt waits for a person, who is there between two runs only.
            if verdict.is_ok() || self.world.with(|state| state.journal.is_halted()) {
                return self.stop();
            }
            naps += 1;
            let goes_on = self.world.with(|state| {
                if naps > SHORT_NAPS_MAX {
                    state.time.pass(LONG_NAP_NS);
                }
                state.time.pass_to_next()
            });
            if naps > NAPS_MAX || !goes_on {
                return verdict.map_err(|broken| format!("{broken} (asleep, {naps} naps)"));
            }
        }
    }

    /// Asks the process to stop and waits for it.
    fn stop(&mut self) -> Verdict {
        self.world.ask_to_stop(true);
        while self.process.is_some() {
            self.turn(Mode::Continuous, Ratio::NEVER);
            self.judge()?;
            self.bounded()?;
            self.wake_if_stuck()?;
        }
        Ok(())
    }

    /// Runs processes until one ends well that began when nobody was there any more
    /// and both roots were in place; returns how many it took. What people did while
    /// an earlier one ran, that one need not have seen.
    fn run_to_its_end(&mut self, mode: Mode) -> Result<u32, String> {
        for runs in 0..RUNS_MAX {
            let is_fresh = self.process.is_none() && self.world.with(|state| state.is_left_alone());
            self.start_if_needed(mode);
            let mut well = false;
            while self.process.is_some() {
                self.world.with(|state| state.clear_up());
                well = self.turn(mode, Ratio::NEVER);
                self.judge()?;
                self.bounded()?;
                self.wake_if_stuck()?;
            }
            let settled = self.world.with(|state| {
                state.is_left_alone() && converged::check(state, self.system).is_ok()
            });
            if is_fresh && well && settled {
                return Ok(runs);
            }
            // Within one step of a coarse disk's times no run sees what was written twice.
            self.world.with(|state| state.time.pass(GRAIN_MAX_NS));
        }
        Ok(RUNS_MAX)
    }

    /// Polls the process or lets the world go on; tells whether it ended well.
    fn turn(&mut self, mode: Mode, slow: Ratio) -> bool {
        self.turns += 1;
        self.start_if_needed(mode);
        let waits = self.world.with(|state| state.rng.chance(slow));
        let Some(running) = &mut self.process else {
            return false;
        };
        if !running.is_awake() || waits {
            if !self.world.step() && !running.is_awake() {
                self.world.with(|state| {
                    state
                        .rng
                        .chance(Ratio::one_in(4))
                        .then(|| state.time.pass_to_next())
                });
            }
            return false;
        }
        let Some(result) = running.poll() else {
            return false;
        };
        self.process = None;
        if result.is_ok() {
            let end = self
                .world
                .with(|state| stream_gapless::check_end(state, self.head_before));
            if let Err(broken) = end {
                self.world.with(|state| state.violation(broken));
            }
        }
        self.world
            .with(|state| state.note(format!("process ends: {result:?}")));
        self.world.crash();
        result.is_ok()
    }

    fn start_if_needed(&mut self, mode: Mode) {
        if self.process.is_none() {
            self.head_before = self.world.with(|state| state.journal.head().0);
            self.process = Some(Running::new(self.system.start(self.world, mode)));
        }
    }

    fn disturb(&mut self, options: &Options) {
        let faults = &options.faults;
        let draws = |rate, fault| self.world.with(|state| state.draws(rate, fault));
        if draws(faults.power, "power") {
            self.process = None;
            self.world.lose_power();
        } else if draws(faults.kill, "kill") {
            self.process = None;
            self.world.crash();
        } else if draws(faults.restart, "restart") {
            self.world.ask_to_stop(true);
        }
    }

    fn wake_if_stuck(&self) -> Verdict {
        let asleep = self
            .process
            .as_ref()
            .is_some_and(|running| !running.is_awake());
        if asleep && self.world.is_quiet() && !self.world.with(|state| state.time.pass_to_next()) {
            return Err("liveness: the process waits for nothing".to_owned());
        }
        Ok(())
    }

    fn bounded(&self) -> Verdict {
        if self.turns > TURNS_MAX {
            return Err("liveness: the bound of turns is reached".to_owned());
        }
        Ok(())
    }

    /// Judges the promises that hold at each step.
    fn judge(&mut self) -> Verdict {
        self.world.with(|state| {
            inside_root::check(state)?;
            absence_proven::check(state)?;
            stream_gapless::check(state)?;
            let changes = (state.disks[0].changes, state.disks[1].changes);
            if self.seen == changes {
                return Ok(());
            }
            self.seen = changes;
            nothing_lost::check(state)?;
            no_half_file::check(state)
        })
    }
}

/// Naps to the next time that the process set itself.
const SHORT_NAPS_MAX: u32 = 150;
/// Naps in all; the long ones outlast the waits after refused credentials.
const NAPS_MAX: u32 = 200;
const LONG_NAP_NS: i64 = 3_600_000_000_000;
const RUNS_MAX: u32 = 20;
/// Longer than any disk's step of time.
const GRAIN_MAX_NS: i64 = 3_000_000_000;
const TURNS_MAX: u64 = 200_000;
