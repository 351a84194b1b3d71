//! Drives the engine against the pretend pair until nothing is left to do.
//!
//! In: a world and a seed. Out: the journal, the operations that were started, the
//! world afterwards. Invariant: only what the engine's facade promises is relied on.
//! In calm runs scans and operations take turns; in wild runs they overlap in any
//! order and listings may be stale. A crash drops the engine, carries out each open
//! operation or not, and replays the journal.

use super::random::Random;
use super::world::{Refusal, World};
use journal_format::event::{FailureClass, Operation, Outcome, Record};
use journal_format::value::{DigestKind, Policy, Seq, Side, Timestamp};
use std::collections::VecDeque;
use sync_core::engine::{Engine, Identity};
use sync_core::input::{Found, Input, RootFinding, RootVerdict};

/// An engine with its world.
#[derive(Debug)]
pub struct Run {
    /// The engine under test.
    pub engine: Engine,
    /// What it acts on.
    pub world: World,
    /// Everything it appended.
    pub records: Vec<Record>,
    /// Every operation it started.
    pub started: Vec<Operation>,
    /// Whether scans and operations overlap.
    pub wild: bool,
    policy: Policy,
    fold_case: bool,
    random: Random,
    now: Timestamp,
    running: Vec<Running>,
    scans: [Option<Scan>; 2],
    /// Sides that users changed since the last whole scan of them began.
    unseen: [bool; 2],
}

#[derive(Debug)]
struct Running {
    id: Seq,
    operation: Operation,
    done: Option<Result<Outcome, Refusal>>,
    /// It was planned before the users' last changes were seen, or on the word of
    /// a scan that overlapped with operations.
    excused: bool,
}

#[derive(Debug)]
struct Scan {
    /// Read when the scan began.
    parts: VecDeque<Found>,
    whole: bool,
}

/// Steps after which a run is taken for endless.
const STEPS_MAX: usize = 5_000;

impl Run {
    /// Begins a journal for a world.
    #[must_use]
    pub fn new(world: World, policy: Policy, seed: u64, wild: bool) -> Self {
        let fold_case = world.disks.iter().any(|disk| disk.traits.fold_case);
        let mut run = Self {
            engine: Engine::new(),
            now: Timestamp(world.now_ms),
            world,
            records: Vec::new(),
            started: Vec::new(),
            wild,
            policy,
            fold_case,
            random: Random::new(seed),
            running: Vec::new(),
            scans: [None, None],
            unseen: [true; 2],
        };
        run.begin();
        run
    }

    fn begin(&mut self) {
        let identity = Identity {
            job: "job".to_owned(),
            label: "job".to_owned(),
            digest: DigestKind::Blake3,
            fold_case: self.fold_case,
            policy: self.policy,
        };
        self.engine.begin("0.1.0", 1, &identity, self.now);
    }

    /// Changes the user's choices.
    pub fn configure(&mut self, policy: Policy) {
        self.policy = policy;
        self.handle(Input::Configure { policy });
    }

    /// Offers an input.
    pub fn handle(&mut self, input: Input) {
        self.engine.handle(input, self.now);
        self.take();
    }

    fn take(&mut self) {
        self.records.extend(self.engine.take_records());
    }

    /// Lets users change things, as the text of `commands` says, and has everything
    /// looked at again.
    pub fn perturb(&mut self, side: Side, commands: &[String]) {
        for command in commands {
            self.world.apply(side, command);
        }
        self.unseen[place(side)] |= !commands.is_empty();
        self.look();
    }

    /// Releases the halt in force.
    pub fn approve(&mut self) {
        self.handle(Input::Approve {
            by: "a person".to_owned(),
        });
    }

    /// Moves all times of a side.
    pub fn shift_times(&mut self, side: Side, by_ms: i64) {
        for item in self.world.disk_mut(side).items.values_mut() {
            item.mtime_ms += by_ms;
        }
        self.look();
    }

    /// Has everything looked at again.
    pub fn look(&mut self) {
        self.now = Timestamp(self.world.now_ms + 60_000);
        self.world.now_ms = self.now.0;
        Side::BOTH
            .into_iter()
            .for_each(|side| self.engine.want_everything(side));
    }

    /// Runs until nothing is left to do.
    ///
    /// # Errors
    /// It does not end, or a plan relied on what was not so.
    pub fn settle(&mut self) -> Result<(), String> {
        for _ in 0..STEPS_MAX {
            if !self.step()? {
                return Ok(());
            }
        }
        let last: Vec<_> = self.started.iter().rev().take(6).collect();
        Err(format!("does not come to rest; last {last:?}"))
    }

    /// Runs up to `steps` steps, then stops as a crash would and starts again.
    ///
    /// # Errors
    /// As [`Run::settle`].
    pub fn crash_after(&mut self, steps: usize) -> Result<(), String> {
        for _ in 0..steps {
            if !self.step()? {
                break;
            }
        }
        for mut open in std::mem::take(&mut self.running) {
            if open.done.is_none() && self.random.below(2) == 0 {
                open.done = Some(self.world.execute(&open.operation));
            }
            if let Some(Err(Refusal::Fault(fault))) = open.done
                && !open.excused
            {
                return Err(format!("planner's fault: {fault} in {:?}", open.operation));
            }
        }
        self.scans = [None, None];
        self.take();
        self.engine = self.replayed();
        self.begin();
        self.take();
        Ok(())
    }

    /// Returns an engine that has folded the whole journal.
    #[must_use]
    pub fn replayed(&self) -> Engine {
        let mut engine = Engine::new();
        self.records.iter().for_each(|record| engine.replay(record));
        engine
    }

    /// Does one thing. Tells whether there was anything to do.
    fn step(&mut self) -> Result<bool, String> {
        self.take();
        let mut choices: Vec<Choice> = Vec::new();
        for side in Side::BOTH {
            match self.scans[place(side)] {
                Some(_) => choices.push(Choice::Listing(side)),
                None => choices.push(Choice::Scan(side)),
            }
        }
        choices.push(Choice::Start);
        choices.extend(self.running.iter().map(|_| Choice::Run));
        if self.wild {
            self.random.shuffle(&mut choices);
        }
        for choice in choices {
            if self.act(choice)? {
                self.take();
                self.engine.state().tree.check()?;
                return Ok(true);
            }
        }
        // A plan may have asked for another look.
        if Side::BOTH.into_iter().any(|side| self.begin_scan(side)) {
            return Ok(true);
        }
        if !self.engine.is_idle() && self.engine.state().halt.is_none() {
            let standing = self.engine.standing();
            return Err(format!(
                "nothing can be done, yet it is not idle: {standing:?}"
            ));
        }
        match self.engine.hopeful_deadline() {
            Some(time) if time > self.now && self.engine.state().halt.is_none() => {
                self.now = time;
                self.world.now_ms = self.world.now_ms.max(time.0);
                Ok(true)
            }
            _ => Ok(false),
        }
    }

    fn act(&mut self, choice: Choice) -> Result<bool, String> {
        match choice {
            Choice::Scan(side) => Ok(self.begin_scan(side)),
            Choice::Listing(side) => {
                self.feed(side);
                Ok(true)
            }
            Choice::Start => {
                let started = self.engine.start_operations(self.now);
                let found = !started.is_empty();
                for (id, operation) in started {
                    self.started.push(operation.clone());
                    self.running.push(Running {
                        id,
                        operation,
                        done: None,
                        excused: self.wild || self.unseen.contains(&true),
                    });
                }
                self.take();
                Ok(found)
            }
            Choice::Run => {
                let chosen = self.random.below(self.running.len());
                self.advance(chosen)?;
                Ok(true)
            }
        }
    }

    fn begin_scan(&mut self, side: Side) -> bool {
        let Some(wanted) = self.engine.next_scan(side) else {
            return false;
        };
        if self.root_is_halted(side) {
            return false;
        }
        let whole = wanted.whole;
        self.engine
            .handle(Input::ScanStarted { side, whole }, self.now);
        let parts = self.world.scan(side, &wanted, &mut self.random).into();
        self.scans[place(side)] = Some(Scan { parts, whole });
        true
    }

    fn root_is_halted(&mut self, side: Side) -> bool {
        let finding = RootFinding::Present(Some(format!("marker-{side}")));
        self.engine.root_found(side, &finding, self.now) != RootVerdict::Known
    }

    fn feed(&mut self, side: Side) {
        let Some(scan) = &mut self.scans[place(side)] else {
            return;
        };
        let input = match scan.parts.pop_front() {
            Some(found) => Input::Scanned { side, found },
            None => {
                self.unseen[place(side)] &= !scan.whole;
                self.scans[place(side)] = None;
                Input::ScanFinished {
                    side,
                    complete: true,
                }
            }
        };
        self.engine.handle(input, self.now);
    }

    /// Carries out an operation, or hands over its result.
    fn advance(&mut self, chosen: usize) -> Result<(), String> {
        self.now = self.now.plus_millis(1);
        let running = &mut self.running[chosen];
        if running.done.is_none() {
            running.done = Some(self.world.execute(&running.operation));
            if self.wild && self.random.below(3) > 0 {
                return Ok(());
            }
        }
        let ended = self.running.swap_remove(chosen);
        let input = match ended.done.expect("just done") {
            Ok(outcome) => Input::Succeeded {
                operation: ended.id,
                outcome,
            },
            Err(Refusal::Fault(detail)) if ended.excused => Input::Failed {
                operation: ended.id,
                class: FailureClass::Precondition,
                detail,
                retry_after_ms: None,
            },
            Err(Refusal::Blocked(detail)) => Input::Failed {
                operation: ended.id,
                class: FailureClass::Precondition,
                detail,
                retry_after_ms: None,
            },
            Err(Refusal::Fault(fault)) => {
                return Err(format!("planner's fault: {fault} in {:?}", ended.operation));
            }
        };
        self.engine.handle(input, self.now);
        Ok(())
    }
}

#[derive(Debug, Clone, Copy)]
enum Choice {
    Scan(Side),
    Listing(Side),
    Start,
    Run,
}

const fn place(side: Side) -> usize {
    match side {
        Side::Local => 0,
        Side::Remote => 1,
    }
}
