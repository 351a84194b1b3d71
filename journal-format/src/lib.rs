//! What is on disk: journal bytes to events and back.
//!
//! In: bytes of a journal, or events. Out: events, or bytes. The layout is
//! specified in `FORMAT.md` and nowhere else. Invariants: decoding consumes every
//! byte, bounds every allocation, and never yields a value that breaks the rules
//! of its type; watched by the golden vectors. Deliberately absent: IO, state,
//! time, decisions. A crash leaves nothing behind.

pub mod event;
pub mod value;
