//! Ring 1: the pure engine against a pretend pair of trees.
//!
//! In: text cases (`case`), random or enumerated ones (`generate`). Out: a settled
//! run, or the sentence that says which promise broke. Invariant: everything random
//! comes from the case's seed, so a line of text replays a failure. Deliberately
//! absent: faults, async, ports (ring 2 has those). A crash here is a restart of the
//! engine by `run`. A new promise gets a function in `promise`.

pub mod case;
pub mod disk;
pub mod generate;
pub mod promise;
pub mod random;
pub mod run;
mod user;
pub mod world;
