//! Tags 301 to 303, version 1: conflict events as bytes.

use super::Case;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize)]
pub(crate) struct ConflictRaised<'a> {
    pub(crate) local: &'a str,
    pub(crate) remote: &'a str,
    pub(crate) case: Case,
}

#[derive(Serialize, Deserialize)]
pub(crate) struct ConflictResolved<'a> {
    pub(crate) conflict: u64,
    pub(crate) keep: Keep,
    pub(crate) by: &'a str,
}

#[derive(Serialize, Deserialize)]
pub(crate) struct ConflictSettled {
    pub(crate) conflict: u64,
}

#[derive(Serialize, Deserialize)]
pub(crate) enum Keep {
    Local,
    Remote,
    Both,
}
