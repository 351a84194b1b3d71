//! The pure sync engine: events fold into trees, trees give plans.
//!
//! In: inputs about the world, and records of the journal. Out: events to append
//! and operations to start. Invariant: the same records give the same state, and
//! the same state the same plan. Deliberately absent: IO, clocks, threads, async,
//! hash maps, floats and the name of any remote; the dependency list and
//! `.clippy.toml` prove it. A crash leaves nothing behind.

pub mod checkpoint;
mod decide;
pub mod engine;
pub mod fold;
pub mod input;
pub mod limits;
pub mod look;
mod plan;
pub mod projection;
mod schedule;
pub mod spelling;
pub mod state;
pub mod tree;
pub mod view;

pub use plan::{meaning, reason};
