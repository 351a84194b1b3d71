//! What all remotes over HTTP share: clients, the thread that sends, limits, bodies on
//! their way, failures.
//!
//! In: links, contents, errors. Out: clients of the vendor crate, answers, classes.
//! Invariant: redirects are never followed by themselves, silence is bounded, what was
//! not handed over whole changed nothing. Watched by `tests/it/pydio_faults.rs` and
//! `tests/it/webdav_faults.rs`. Deliberately absent: credentials, and what any protocol's
//! answers mean. Leaves nothing behind. What another remote needs as well moves here.

mod bucket;
mod client;
mod content;
mod fault;
mod feed;
mod fetch;
mod hashing;
mod reply;
mod turns;
mod wire;

pub(crate) use bucket::Bucket;
pub(crate) use client::build;
pub(crate) use content::Content;
pub(crate) use fault::{Broken, Effect, doubt, header, lost, rate, silent, unsupported};
pub(crate) use feed::{Load, answer_wait, body};
pub(crate) use fetch::{Download, Fetched, Opened, Whole};
pub(crate) use reply::{Permits, Reply};
pub(crate) use turns::Turns;
pub(crate) use wire::Wire;
