//! The payloads as they were written, one folder a generation.
//!
//! In: nothing. Out: structs that serde maps to bytes. Invariant: a released file
//! is never edited again, since field and variant order *are* the format; watched
//! by the golden vectors and the test that pins every variant's number.
//! Deliberately absent: conversions (`convert`), which follow today's types. The
//! second version of an event gets its struct in `v2`, which reuses from `v1`
//! what did not change.

pub(crate) mod v1;
