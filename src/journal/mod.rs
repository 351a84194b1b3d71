//! The journal as something to ask: what happened to a path, and why.
//!
//! In: records. Out: answers as values and as sentences. Invariant: pure; nothing here
//! opens, writes or asks. Watched by the tests of each file. Deliberately absent: where
//! journals are kept, how answers are printed. A crash leaves nothing behind. A new
//! question to a journal is a file here.

pub mod explain;
pub mod text;
