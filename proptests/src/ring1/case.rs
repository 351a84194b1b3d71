//! A case as a line of text, and how it is run.
//!
//! In: `base | local changes | remote changes | options`, commands separated by `;`
//! (their language is `World::apply`; a `+` in a path stands for a space). Out: a
//! settled run. Invariant: a random case prints as the line that replays it.

use super::disk::Traits;
use super::promise;
use super::run::Run;
use super::world::World;
use journal_format::value::{Direction, Mode, Policy, Side, Solve};
use std::fmt;

/// What a case begins with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Case {
    /// What both sides hold at first.
    pub base: Vec<String>,
    /// What each side's user does then.
    pub changes: [Vec<String>; 2],
    /// Under which conditions.
    pub setup: Setup,
}

/// The conditions of a case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setup {
    /// What the sides can tell, by name.
    pub sides: [Kit; 2],
    /// What the user chose.
    pub policy: Policy,
    /// Where orders come from.
    pub seed: u64,
    /// Whether scans and operations overlap.
    pub wild: bool,
}

/// A named set of traits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kit {
    /// A disk with birth times.
    Disk,
    /// A disk whose inodes are used again.
    Inodes,
    /// A server with ids, hashes and versions.
    Rich,
    /// A server without ids and hashes.
    Plain,
    /// A disk on which case makes no difference.
    Fold,
}

impl Kit {
    /// All of them.
    pub const ALL: [Self; 5] = [
        Self::Disk,
        Self::Inodes,
        Self::Rich,
        Self::Plain,
        Self::Fold,
    ];

    /// Returns what such a side can tell.
    #[must_use]
    pub const fn traits(self) -> Traits {
        match self {
            Self::Disk => Traits::DISK,
            Self::Inodes => Traits {
                inodes_reused: true,
                ..Traits::DISK
            },
            Self::Rich => Traits::RICH,
            Self::Plain => Traits::PLAIN,
            Self::Fold => Traits {
                fold_case: true,
                ..Traits::DISK
            },
        }
    }

    const fn word(self) -> &'static str {
        match self {
            Self::Disk => "disk",
            Self::Inodes => "inodes",
            Self::Rich => "rich",
            Self::Plain => "plain",
            Self::Fold => "fold",
        }
    }
}

impl Default for Setup {
    fn default() -> Self {
        Self {
            sides: [Kit::Disk, Kit::Rich],
            policy: Policy::default(),
            seed: 0,
            wild: false,
        }
    }
}

impl Setup {
    /// Parses option words.
    ///
    /// # Panics
    /// A word is unknown; cases are written by hand.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        let mut setup = Self::default();
        for word in text.split_whitespace() {
            let policy = &mut setup.policy;
            match word {
                "wild" => setup.wild = true,
                "manual" => policy.solve = Solve::Manual,
                "solve-local" => policy.solve = Solve::Local,
                "solve-remote" => policy.solve = Solve::Remote,
                "up" => policy.direction = Direction::Up,
                "down" => policy.direction = Direction::Down,
                "mirror" => policy.mode = Mode::Mirror,
                _ => setup.parse_pair(word),
            }
        }
        setup
    }

    fn parse_pair(&mut self, word: &str) {
        if let Some(seed) = word.strip_prefix("seed=") {
            self.seed = seed.parse().expect("a number");
            return;
        }
        let kit = |word: &str| Kit::ALL.into_iter().find(|kit| kit.word() == word);
        let (local, remote) = word.split_once('-').unwrap_or(("disk", word));
        self.sides = [local, remote].map(|word| kit(word).expect("a known option"));
    }
}

impl fmt::Display for Setup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [local, remote] = self.sides.map(Kit::word);
        write!(f, "{local}-{remote} seed={}", self.seed)?;
        let mut word = |on: bool, text: &str| if on { write!(f, " {text}") } else { Ok(()) };
        word(self.wild, "wild")?;
        word(self.policy.solve == Solve::Manual, "manual")?;
        word(self.policy.solve == Solve::Local, "solve-local")?;
        word(self.policy.solve == Solve::Remote, "solve-remote")?;
        word(self.policy.direction == Direction::Up, "up")?;
        word(self.policy.direction == Direction::Down, "down")?;
        word(self.policy.mode == Mode::Mirror, "mirror")
    }
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [local, remote] = self.changes.each_ref().map(|changes| changes.join("; "));
        write!(
            f,
            "{} | {local} | {remote} | {}",
            self.base.join("; "),
            self.setup
        )
    }
}

/// Splits commands.
#[must_use]
pub fn commands(text: &str) -> Vec<String> {
    text.split(';')
        .map(str::trim)
        .filter(|command| !command.is_empty())
        .map(str::to_owned)
        .collect()
}

impl Case {
    /// Parses a line.
    ///
    /// # Panics
    /// A column is missing; cases are written by hand.
    #[must_use]
    pub fn parse(line: &str) -> Self {
        let columns: Vec<&str> = line.split('|').map(str::trim).collect();
        let [base, local, remote, options] = columns.as_slice() else {
            panic!("four columns: {line}");
        };
        Self {
            base: commands(base),
            changes: [commands(local), commands(remote)],
            setup: Setup::parse(options),
        }
    }

    /// Returns a settled run of the base.
    ///
    /// # Errors
    /// A promise is broken already here.
    pub fn synced(&self) -> Result<Run, String> {
        let [local, remote] = self.setup.sides.map(Kit::traits);
        let mut world = World::new(local, remote);
        for command in &self.base {
            world.apply(Side::Local, command);
        }
        let policy = Policy {
            direction: Direction::Bi,
            ..self.setup.policy
        };
        world.now_ms += 60_000;
        let mut run = Run::new(world, policy, self.setup.seed, self.setup.wild);
        run.settle().map_err(|broken| format!("base: {broken}"))?;
        if !promise::has_twins(&run.world) {
            promise::sides_are_equal(&run.world).map_err(|broken| format!("base: {broken}"))?;
        }
        if run.engine.state().policy() != self.setup.policy {
            run.configure(self.setup.policy);
        }
        run.started.clear();
        Ok(run)
    }

    /// Returns a run of the base with both sides' changes made and not yet seen.
    ///
    /// # Errors
    /// As [`Case::synced`].
    pub fn perturbed(&self) -> Result<Run, String> {
        let mut run = self.synced()?;
        let [local, remote] = &self.changes;
        run.perturb(Side::Local, local);
        run.perturb(Side::Remote, remote);
        Ok(run)
    }

    /// Returns the case with the sides' changes swapped.
    #[must_use]
    pub fn swapped(&self) -> Self {
        let [local, remote] = self.changes.clone();
        Self {
            changes: [remote, local],
            ..self.clone()
        }
    }
}
