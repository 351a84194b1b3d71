//! Values inside events of version 1, as bytes.
//!
//! In: nothing. Out: structs for serde. Invariant: variants keep their number, since
//! bincode writes nothing else; watched by the test that pins every one. A changed
//! value is a new version of every event that holds it.

use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize)]
pub(crate) enum Side {
    Local,
    Remote,
}

#[derive(Serialize, Deserialize)]
pub(crate) enum Kind {
    File,
    Directory,
    Symlink,
}

#[derive(Serialize, Deserialize)]
pub(crate) enum DigestKind {
    Blake3,
    Md5,
    Sha1,
}

#[derive(Serialize, Deserialize)]
pub(crate) enum Digest {
    Blake3([u8; 32]),
    Md5([u8; 16]),
    Sha1([u8; 20]),
}

#[derive(Serialize, Deserialize)]
pub(crate) struct Identity {
    pub(crate) device: u64,
    pub(crate) object: u64,
    pub(crate) born_ns: i64,
}

#[derive(Serialize, Deserialize)]
pub(crate) struct Fingerprint<'a> {
    pub(crate) kind: Kind,
    pub(crate) size: u64,
    pub(crate) mtime_ns: i64,
    pub(crate) identity: Option<Identity>,
    #[serde(borrow)]
    pub(crate) version: Option<&'a str>,
}

#[derive(Serialize, Deserialize)]
pub(crate) struct Entry<'a> {
    #[serde(borrow)]
    pub(crate) fingerprint: Fingerprint<'a>,
    pub(crate) digest: Option<Digest>,
}

#[derive(Serialize, Deserialize)]
pub(crate) enum Direction {
    Bi,
    Up,
    Down,
}

#[derive(Serialize, Deserialize)]
pub(crate) enum Mode {
    Safe,
    Mirror,
}

#[derive(Serialize, Deserialize)]
pub(crate) enum Solve {
    Both,
    Manual,
    Local,
    Remote,
}

#[derive(Serialize, Deserialize)]
pub(crate) struct Brakes {
    pub(crate) deletions_max: u64,
    pub(crate) deletions_percent_max: u8,
    pub(crate) entries_min: u64,
}

#[derive(Serialize, Deserialize)]
pub(crate) struct Policy {
    pub(crate) direction: Direction,
    pub(crate) mode: Mode,
    pub(crate) solve: Solve,
    pub(crate) brakes: Brakes,
}

#[derive(Serialize, Deserialize)]
pub(crate) enum Case {
    N0,
    U1,
    U2,
    D1,
    D2,
    A1,
    A2,
    E1,
    E2,
    C1,
    C2,
    C3,
    M1,
    M2,
    M3,
    M4,
    R1,
    Q1,
    V1,
    V2,
    P1,
    H1,
}
