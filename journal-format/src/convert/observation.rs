//! Observation events to and from the wire.
//!
//! In: an event or its wire struct. Out: the other one, or which value breaks the
//! rules of its type. Invariant: a path from a journal is parsed before anybody sees
//! it; watched by the damaged vectors. Deliberately absent: bytes (`codec`). A new
//! observation is an arm and a `TryFrom` here.

use super::{path, put};
use crate::error::{EncodeError, ValueError};
use crate::event::{Event, ObservationEvent, PathMove};
use crate::wire::v1;

pub(super) fn append(event: &ObservationEvent, out: &mut Vec<u8>) -> Result<(), EncodeError> {
    match event {
        ObservationEvent::Observed { side, path, entry } => put(
            &v1::Observed {
                side: (*side).into(),
                path: path.as_str(),
                entry: entry.into(),
            },
            out,
        ),
        ObservationEvent::Moved { moves, .. } if moves.is_empty() => {
            Err(ValueError::NoMoves.into())
        }
        ObservationEvent::Moved { side, moves } => put(
            &v1::Moved {
                side: (*side).into(),
                moves: moves.iter().map(Into::into).collect(),
            },
            out,
        ),
        ObservationEvent::Gone { side, path, epoch } => put(
            &v1::Gone {
                side: (*side).into(),
                path: path.as_str(),
                epoch: *epoch,
            },
            out,
        ),
        ObservationEvent::Unknown { side, path, reason } => put(
            &v1::Unknown {
                side: (*side).into(),
                path: path.as_str(),
                reason: (*reason).into(),
            },
            out,
        ),
        ObservationEvent::Hashed {
            side,
            path,
            fingerprint,
            digest,
        } => put(
            &v1::Hashed {
                side: (*side).into(),
                path: path.as_str(),
                fingerprint: fingerprint.into(),
                digest: (*digest).into(),
            },
            out,
        ),
    }
}

impl<'a> From<&'a PathMove> for v1::PathMove<'a> {
    fn from(today: &'a PathMove) -> Self {
        Self {
            from: today.from.as_str(),
            to: today.to.as_str(),
            entry: (&today.entry).into(),
        }
    }
}

impl TryFrom<v1::PathMove<'_>> for PathMove {
    type Error = ValueError;

    fn try_from(wire: v1::PathMove<'_>) -> Result<Self, ValueError> {
        Ok(Self {
            from: path(wire.from)?,
            to: path(wire.to)?,
            entry: wire.entry.try_into()?,
        })
    }
}

impl TryFrom<v1::Observed<'_>> for Event {
    type Error = ValueError;

    fn try_from(wire: v1::Observed<'_>) -> Result<Self, ValueError> {
        Ok(Self::Observation(ObservationEvent::Observed {
            side: wire.side.into(),
            path: path(wire.path)?,
            entry: wire.entry.try_into()?,
        }))
    }
}

impl TryFrom<v1::Moved<'_>> for Event {
    type Error = ValueError;

    fn try_from(wire: v1::Moved<'_>) -> Result<Self, ValueError> {
        if wire.moves.is_empty() {
            return Err(ValueError::NoMoves);
        }
        let moves = wire.moves.into_iter().map(TryInto::try_into);
        Ok(Self::Observation(ObservationEvent::Moved {
            side: wire.side.into(),
            moves: moves.collect::<Result<_, _>>()?,
        }))
    }
}

impl TryFrom<v1::Gone<'_>> for Event {
    type Error = ValueError;

    fn try_from(wire: v1::Gone<'_>) -> Result<Self, ValueError> {
        Ok(Self::Observation(ObservationEvent::Gone {
            side: wire.side.into(),
            path: path(wire.path)?,
            epoch: wire.epoch,
        }))
    }
}

impl TryFrom<v1::Unknown<'_>> for Event {
    type Error = ValueError;

    fn try_from(wire: v1::Unknown<'_>) -> Result<Self, ValueError> {
        Ok(Self::Observation(ObservationEvent::Unknown {
            side: wire.side.into(),
            path: path(wire.path)?,
            reason: wire.reason.into(),
        }))
    }
}

impl TryFrom<v1::Hashed<'_>> for Event {
    type Error = ValueError;

    fn try_from(wire: v1::Hashed<'_>) -> Result<Self, ValueError> {
        Ok(Self::Observation(ObservationEvent::Hashed {
            side: wire.side.into(),
            path: path(wire.path)?,
            fingerprint: wire.fingerprint.try_into()?,
            digest: wire.digest.into(),
        }))
    }
}
