//! The choices of a user that steer planning.
//!
//! In: nothing. Out: plain values that `RootConfigured` and `PolicyChanged` carry.
//! Invariant: a choice that planning reads is here, or a replay would plan otherwise.
//! A new choice is a field, and thereby a new version of both events.

use serde::{Deserialize, Serialize};

/// Which way changes travel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Direction {
    /// Both ways.
    #[default]
    Bi,
    /// From the local side to the remote only.
    Up,
    /// From the remote side to the local only.
    Down,
}

/// How far a one-way direction goes; without meaning for [`Direction::Bi`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// The target's own additions and edits are kept and listed.
    #[default]
    Safe,
    /// The target is made identical; what loses goes to the trash.
    Mirror,
}

/// Who wins when both sides changed the same thing differently.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Solve {
    /// The remote version keeps the name, the local one becomes the conflict copy.
    #[default]
    Both,
    /// Both sides stay as they are until a person decides.
    Manual,
    /// The local version wins; the other one is kept in the trash.
    Local,
    /// The remote version wins; the other one is kept in the trash.
    Remote,
}

/// How many deletions one plan may hold before a person is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Brakes {
    /// Deletions toward one side above which the job always halts.
    pub deletions_max: u64,
    /// Share of a side's entries, in percent, above which the job halts, when
    /// at least `entries_min` are known.
    pub deletions_percent_max: u8,
    /// Below this many known entries the share is not looked at.
    pub entries_min: u64,
}

impl Default for Brakes {
    fn default() -> Self {
        Self {
            deletions_max: 1000,
            deletions_percent_max: 50,
            entries_min: 20,
        }
    }
}

/// Everything a user chose that planning depends on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub struct Policy {
    /// Which way changes travel.
    pub direction: Direction,
    /// How far a one-way direction goes.
    pub mode: Mode,
    /// Who wins a conflict.
    pub solve: Solve,
    /// When to stop and ask.
    pub brakes: Brakes,
}
