//! Tags 201 to 204, version 1: operations as bytes.
//!
//! In: nothing. Out: structs for serde. Invariant: fields and variants keep their
//! order, which is the format; watched by the golden vectors and, once released, by
//! `wire/FROZEN`. A changed field is a struct in the next generation.

use super::{Case, Entry, Fingerprint, Side};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize)]
pub(crate) struct OperationStarted<'a> {
    pub(crate) case: Case,
    #[serde(borrow)]
    pub(crate) action: Action<'a>,
}

#[derive(Serialize, Deserialize)]
pub(crate) enum Action<'a> {
    Transfer {
        from: Side,
        source: &'a str,
        #[serde(borrow)]
        expect: Entry<'a>,
        target: &'a str,
        #[serde(borrow)]
        replaces: Expected<'a>,
        #[serde(borrow)]
        displaced: Displaced<'a>,
    },
    MakeDirectory {
        side: Side,
        path: &'a str,
    },
    Move {
        side: Side,
        from: &'a str,
        to: &'a str,
        #[serde(borrow)]
        expect: Fingerprint<'a>,
    },
    Remove {
        side: Side,
        path: &'a str,
        #[serde(borrow)]
        expect: Fingerprint<'a>,
        rescue: bool,
    },
    Hash {
        side: Side,
        path: &'a str,
        #[serde(borrow)]
        expect: Fingerprint<'a>,
    },
}

#[derive(Serialize, Deserialize)]
pub(crate) enum Expected<'a> {
    Absent,
    #[serde(borrow)]
    Version(Fingerprint<'a>),
}

#[derive(Serialize, Deserialize)]
pub(crate) enum Displaced<'a> {
    Discard,
    Rescue,
    ConflictCopy(&'a str),
}

#[derive(Serialize, Deserialize)]
pub(crate) struct OperationSucceeded<'a> {
    pub(crate) operation: u64,
    #[serde(borrow)]
    pub(crate) source: Option<Entry<'a>>,
    #[serde(borrow)]
    pub(crate) target: Option<Entry<'a>>,
    #[serde(borrow)]
    pub(crate) kept: Vec<Kept<'a>>,
    #[serde(borrow)]
    pub(crate) trashed: Option<&'a str>,
    pub(crate) bytes: u64,
}

#[derive(Serialize, Deserialize)]
pub(crate) struct Kept<'a> {
    pub(crate) path: &'a str,
    #[serde(borrow)]
    pub(crate) entry: Entry<'a>,
}

#[derive(Serialize, Deserialize)]
pub(crate) struct OperationFailed<'a> {
    pub(crate) operation: u64,
    pub(crate) class: FailureClass,
    pub(crate) detail: &'a str,
    pub(crate) retry_at: Option<i64>,
}

#[derive(Serialize, Deserialize)]
pub(crate) struct Adopted<'a> {
    pub(crate) local: &'a str,
    pub(crate) remote: &'a str,
    pub(crate) case: Case,
}

#[derive(Serialize, Deserialize)]
pub(crate) enum FailureClass {
    Retry,
    Precondition,
    Auth,
    Unsupported,
    NoSpace,
    Denied,
    InDoubt,
    Fatal,
}
