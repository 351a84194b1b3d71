//! Everything that touches the world, one room a port.
//!
//! In: `ports`. Out: implementations of them. Invariant: nothing outside of this
//! folder does IO; watched by `tools tidy`. Deliberately absent: decisions. What
//! a crash leaves behind is told by each room. A new one is a folder and a line.

pub mod store;
