//! Everything that touches the world.
//!
//! In: the traits of `ports`. Out: their implementations. Invariant: each one
//! passes its conformance suite in `tests/it`. Deliberately absent: decisions. A
//! crash leaves what each adapter's header says. A new adapter is a folder and a
//! line here.

pub mod local_fs;
pub mod remote;
pub mod rooted;
