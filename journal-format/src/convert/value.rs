//! Values inside events, to and from the wire.
//!
//! In: a value or its wire form. Out: the other one, or which rule it breaks.
//! Invariant: every variant has its counterpart, which the compiler checks, since no
//! match here has a catch-all. A new enum without fields is a line in `mirror!`.

use crate::error::ValueError;
use crate::event::{Case, FailureClass, HaltReason, Keep, Order, UnknownReason};
use crate::value::{
    Brakes, Digest, DigestKind, Direction, Entry, Fingerprint, Identity, Kind, Mode, Policy,
    RemoteVersion, Side, Solve,
};
use crate::wire::v1;

/// Maps enums without fields, variant by variant, in both directions.
macro_rules! mirror {
    ($($name:ident { $($variant:ident)+ })+) => {$(
        impl From<$name> for v1::$name {
            fn from(today: $name) -> Self {
                match today { $($name::$variant => Self::$variant),+ }
            }
        }

        impl From<v1::$name> for $name {
            fn from(wire: v1::$name) -> Self {
                match wire { $(v1::$name::$variant => Self::$variant),+ }
            }
        }
    )+};
}

mirror! {
    Side { Local Remote }
    Kind { File Directory Symlink }
    DigestKind { Blake3 Md5 Sha1 }
    Direction { Bi Up Down }
    Mode { Safe Mirror }
    Solve { Both Manual Local Remote }
    Keep { Local Remote Both }
    Order { Pause Start Stop }
    HaltReason {
        RootMissing RootReplaced RootEmptied TooManyDeletions EverythingChanged RolledBack
        HistoryLost
    }
    UnknownReason {
        Excluded Unreadable UnsupportedKind UnsupportedSymlink InvalidName NameTooLong NameTwin
        MountPoint
    }
    FailureClass { Retry Precondition Auth Unsupported NoSpace Denied InDoubt Fatal }
    Case { N0 U1 U2 D1 D2 A1 A2 E1 E2 C1 C2 C3 M1 M2 M3 M4 R1 Q1 V1 V2 P1 H1 }
}

impl From<Digest> for v1::Digest {
    fn from(today: Digest) -> Self {
        match today {
            Digest::Blake3(bytes) => Self::Blake3(bytes),
            Digest::Md5(bytes) => Self::Md5(bytes),
            Digest::Sha1(bytes) => Self::Sha1(bytes),
        }
    }
}

impl From<v1::Digest> for Digest {
    fn from(wire: v1::Digest) -> Self {
        match wire {
            v1::Digest::Blake3(bytes) => Self::Blake3(bytes),
            v1::Digest::Md5(bytes) => Self::Md5(bytes),
            v1::Digest::Sha1(bytes) => Self::Sha1(bytes),
        }
    }
}

impl<'a> From<&'a Fingerprint> for v1::Fingerprint<'a> {
    fn from(today: &'a Fingerprint) -> Self {
        Self {
            kind: today.kind.into(),
            size: today.size,
            mtime_ns: today.mtime_ns,
            identity: today.identity.map(|identity| v1::Identity {
                device: identity.device,
                object: identity.object,
                born_ns: identity.born_ns,
            }),
            version: today.version.as_ref().map(RemoteVersion::as_str),
        }
    }
}

impl TryFrom<v1::Fingerprint<'_>> for Fingerprint {
    type Error = ValueError;

    fn try_from(wire: v1::Fingerprint<'_>) -> Result<Self, ValueError> {
        Ok(Self {
            kind: wire.kind.into(),
            size: wire.size,
            mtime_ns: wire.mtime_ns,
            identity: wire.identity.map(|identity| Identity {
                device: identity.device,
                object: identity.object,
                born_ns: identity.born_ns,
            }),
            version: wire.version.map(RemoteVersion::new).transpose()?,
        })
    }
}

impl<'a> From<&'a Entry> for v1::Entry<'a> {
    fn from(today: &'a Entry) -> Self {
        Self {
            fingerprint: (&today.fingerprint).into(),
            digest: today.digest.map(Into::into),
        }
    }
}

impl TryFrom<v1::Entry<'_>> for Entry {
    type Error = ValueError;

    fn try_from(wire: v1::Entry<'_>) -> Result<Self, ValueError> {
        Ok(Self {
            fingerprint: wire.fingerprint.try_into()?,
            digest: wire.digest.map(Into::into),
        })
    }
}

impl From<Policy> for v1::Policy {
    fn from(today: Policy) -> Self {
        Self {
            direction: today.direction.into(),
            mode: today.mode.into(),
            solve: today.solve.into(),
            brakes: v1::Brakes {
                deletions_max: today.brakes.deletions_max,
                deletions_percent_max: today.brakes.deletions_percent_max,
                entries_min: today.brakes.entries_min,
            },
        }
    }
}

impl From<v1::Policy> for Policy {
    fn from(wire: v1::Policy) -> Self {
        Self {
            direction: wire.direction.into(),
            mode: wire.mode.into(),
            solve: wire.solve.into(),
            brakes: Brakes {
                deletions_max: wire.brakes.deletions_max,
                deletions_percent_max: wire.brakes.deletions_percent_max,
                entries_min: wire.brakes.entries_min,
            },
        }
    }
}
