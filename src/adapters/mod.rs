//! Everything that touches the world, one room a port.
//!
//! In: the traits of `ports`. Out: their implementations. Invariants: nothing
//! outside of this folder does IO, watched by `tools tidy`; each adapter passes its
//! conformance suite in `tests/it`. Deliberately absent: decisions. What a crash
//! leaves behind is told by each room. A new adapter is a folder and a line here.

pub mod clock;
pub mod credentials;
mod digest;
mod http;
pub mod local_fs;
pub mod remote;
pub mod rooted;
pub mod secret;
pub mod store;
pub mod zmtp;
