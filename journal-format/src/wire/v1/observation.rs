//! Tags 101 to 105, version 1: observations as bytes.
//!
//! In: nothing. Out: structs for serde. Invariant: fields and variants keep their
//! order, which is the format; watched by the golden vectors and, once released, by
//! `wire/FROZEN`. A changed field is a struct in the next generation.

use super::{Digest, Entry, Fingerprint, Side};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize)]
pub(crate) struct Observed<'a> {
    pub(crate) side: Side,
    pub(crate) path: &'a str,
    #[serde(borrow)]
    pub(crate) entry: Entry<'a>,
}

#[derive(Serialize, Deserialize)]
pub(crate) struct Moved<'a> {
    pub(crate) side: Side,
    #[serde(borrow)]
    pub(crate) moves: Vec<PathMove<'a>>,
}

#[derive(Serialize, Deserialize)]
pub(crate) struct PathMove<'a> {
    pub(crate) from: &'a str,
    pub(crate) to: &'a str,
    #[serde(borrow)]
    pub(crate) entry: Entry<'a>,
}

#[derive(Serialize, Deserialize)]
pub(crate) struct Gone<'a> {
    pub(crate) side: Side,
    pub(crate) path: &'a str,
    pub(crate) epoch: u64,
}

#[derive(Serialize, Deserialize)]
pub(crate) struct Unknown<'a> {
    pub(crate) side: Side,
    pub(crate) path: &'a str,
    pub(crate) reason: UnknownReason,
}

#[derive(Serialize, Deserialize)]
pub(crate) struct Hashed<'a> {
    pub(crate) side: Side,
    pub(crate) path: &'a str,
    #[serde(borrow)]
    pub(crate) fingerprint: Fingerprint<'a>,
    pub(crate) digest: Digest,
}

#[derive(Serialize, Deserialize)]
pub(crate) enum UnknownReason {
    Excluded,
    Unreadable,
    UnsupportedKind,
    UnsupportedSymlink,
    InvalidName,
    NameTooLong,
    NameTwin,
    MountPoint,
}
