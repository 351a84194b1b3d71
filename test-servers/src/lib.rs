//! Servers for the tests and for trying the program without one of your own.
//!
//! In: a folder, which quirks and faults. Out: a server on a loopback port. Invariant:
//! what a server answers is what a real one was seen to answer. Deliberately absent:
//! anything that the program itself uses. A new kind of server is a folder
//! here; `plain` is a client that tests of any server use.

mod basic;
mod socket;

pub mod log;
pub mod rules;

pub mod front;
pub mod plain;
pub mod pydio;
pub mod webdav;
