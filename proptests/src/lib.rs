//! Rings 1 and 2 of the tests: planner properties and the simulated world.
//!
//! In: seeds. Out: failures that a seed replays. Invariant: the same seed gives
//! the same run. Deliberately absent: real disks, networks, clocks and async
//! runtimes. `ring1` is the planner alone; `world` is what the whole program runs
//! in, `checkers` what must hold there, `run` brings both together with a
//! [`system::System`], of which `program` is the real one.

#![cfg_attr(test, expect(clippy::unwrap_used, reason = "tests"))]

pub mod checkers;
pub mod mutants;
pub mod program;
pub mod ring1;
pub mod run;
pub mod system;
#[cfg(test)]
mod toy;
pub mod world;
