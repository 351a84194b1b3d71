//! Conflict events to and from the wire.
//!
//! In: an event or its wire struct. Out: the other one. Invariant: what was written
//! reads back equal; watched by the round trips in `tests`. Deliberately absent:
//! bytes (`codec`). A new conflict event is an arm and a `TryFrom` here.

use super::{path, put, text};
use crate::error::{EncodeError, ValueError};
use crate::event::{ConflictEvent, Event};
use crate::value::Seq;
use crate::wire::v1;

pub(super) fn append(event: &ConflictEvent, out: &mut Vec<u8>) -> Result<(), EncodeError> {
    match event {
        ConflictEvent::Raised {
            local,
            remote,
            case,
        } => put(
            &v1::ConflictRaised {
                local: local.as_str(),
                remote: remote.as_str(),
                case: (*case).into(),
            },
            out,
        ),
        ConflictEvent::Resolved { conflict, keep, by } => put(
            &v1::ConflictResolved {
                conflict: conflict.0,
                keep: (*keep).into(),
                by: text(by)?,
            },
            out,
        ),
        ConflictEvent::Settled { conflict } => put(
            &v1::ConflictSettled {
                conflict: conflict.0,
            },
            out,
        ),
    }
}

impl TryFrom<v1::ConflictRaised<'_>> for Event {
    type Error = ValueError;

    fn try_from(wire: v1::ConflictRaised<'_>) -> Result<Self, ValueError> {
        Ok(Self::Conflict(ConflictEvent::Raised {
            local: path(wire.local)?,
            remote: path(wire.remote)?,
            case: wire.case.into(),
        }))
    }
}

impl TryFrom<v1::ConflictResolved<'_>> for Event {
    type Error = ValueError;

    fn try_from(wire: v1::ConflictResolved<'_>) -> Result<Self, ValueError> {
        Ok(Self::Conflict(ConflictEvent::Resolved {
            conflict: Seq(wire.conflict),
            keep: wire.keep.into(),
            by: text(wire.by)?.to_owned(),
        }))
    }
}

impl TryFrom<v1::ConflictSettled> for Event {
    type Error = ValueError;

    fn try_from(wire: v1::ConflictSettled) -> Result<Self, ValueError> {
        Ok(Self::Conflict(ConflictEvent::Settled {
            conflict: Seq(wire.conflict),
        }))
    }
}
