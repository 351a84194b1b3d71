//! Tags below 100, version 1: session events as bytes.
//!
//! In: nothing. Out: structs for serde. Invariant: fields and variants keep their
//! order, which is the format; watched by the golden vectors and, once released, by
//! `wire/FROZEN`. A changed field is a struct in the next generation.

use super::{DigestKind, Entry, Policy, Side};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize)]
pub(crate) struct RootConfigured<'a> {
    pub(crate) job: &'a str,
    pub(crate) label: &'a str,
    pub(crate) rules_version: u32,
    pub(crate) digest: DigestKind,
    pub(crate) fold_case: bool,
    pub(crate) policy: Policy,
}

#[derive(Serialize, Deserialize)]
pub(crate) struct PolicyChanged {
    pub(crate) policy: Policy,
}

#[derive(Serialize, Deserialize)]
pub(crate) struct RootIdentified<'a> {
    pub(crate) side: Side,
    pub(crate) marker: &'a str,
}

#[derive(Serialize, Deserialize)]
pub(crate) struct SessionStarted<'a> {
    pub(crate) release: &'a str,
    pub(crate) fold_version: u32,
    pub(crate) seed: u64,
}

#[derive(Serialize, Deserialize)]
pub(crate) struct SessionStopped;

#[derive(Serialize, Deserialize)]
pub(crate) struct DigestStamped {
    pub(crate) digest: [u8; 16],
    pub(crate) fold_version: u32,
}

#[derive(Serialize, Deserialize)]
pub(crate) struct HistoryLost {
    pub(crate) expected: u64,
    pub(crate) found: u64,
}

#[derive(Serialize, Deserialize)]
pub(crate) struct HaltRaised {
    pub(crate) reason: HaltReason,
    pub(crate) side: Side,
    pub(crate) count: u64,
    pub(crate) plan: [u8; 16],
}

#[derive(Serialize, Deserialize)]
pub(crate) struct HaltApproved<'a> {
    pub(crate) halt: u64,
    pub(crate) by: &'a str,
}

#[derive(Serialize, Deserialize)]
pub(crate) struct HaltCleared {
    pub(crate) halt: u64,
}

#[derive(Serialize, Deserialize)]
pub(crate) struct FeedRead<'a> {
    pub(crate) cursor: &'a str,
    pub(crate) whole: bool,
}

#[derive(Serialize, Deserialize)]
pub(crate) struct RemoteRolledBack<'a> {
    pub(crate) detail: &'a str,
}

#[derive(Serialize, Deserialize)]
pub(crate) struct RemoteProbed<'a> {
    #[serde(borrow)]
    pub(crate) facts: Vec<Fact<'a>>,
}

#[derive(Serialize, Deserialize)]
pub(crate) struct Fact<'a> {
    pub(crate) name: &'a str,
    pub(crate) value: &'a str,
}

#[derive(Serialize, Deserialize)]
pub(crate) struct Undone<'a> {
    #[serde(borrow)]
    pub(crate) changes: Vec<Change<'a>>,
    pub(crate) by: &'a str,
}

#[derive(Serialize, Deserialize)]
pub(crate) struct Change<'a> {
    pub(crate) undoes: Option<u64>,
    pub(crate) path: &'a str,
    pub(crate) from: Option<&'a str>,
    #[serde(borrow)]
    pub(crate) now: Option<Entry<'a>>,
    pub(crate) trashed: Option<&'a str>,
}

#[derive(Serialize, Deserialize)]
pub(crate) struct Ordered<'a> {
    pub(crate) order: Order,
    pub(crate) by: &'a str,
}

#[derive(Serialize, Deserialize)]
pub(crate) enum Order {
    Pause,
    Start,
    Stop,
}

#[derive(Serialize, Deserialize)]
pub(crate) enum HaltReason {
    RootMissing,
    RootReplaced,
    RootEmptied,
    TooManyDeletions,
    EverythingChanged,
    RolledBack,
    HistoryLost,
}
