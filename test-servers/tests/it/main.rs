//! The servers as clients meet them, over real sockets.
//!
//! In: nothing. Out: one test binary. `client` is a small HTTP client that hides nothing;
//! `replay` compares with recordings of a real server, the others state rules.

#![expect(clippy::unwrap_used, reason = "tests")]

mod auth;
mod client;
mod faults;
mod feed;
mod nonsense;
mod quirks;
mod replay;
mod upload;
mod webdav;
