//! Operations to and from the wire.
//!
//! In: an event or its wire struct. Out: the other one, or which value breaks the
//! rules of its type. Invariant: what was written reads back equal; watched by the
//! round trips in `tests`. Deliberately absent: bytes (`codec`). A new action is an
//! arm in both directions.

use super::{path, put, text};
use crate::error::{EncodeError, ValueError};
use crate::event::{Action, Displaced, Event, Expected, Kept, Operation, OperationEvent, Outcome};
use crate::value::{RelPath, Seq, Timestamp};
use crate::wire::v1;

pub(super) fn append(event: &OperationEvent, out: &mut Vec<u8>) -> Result<(), EncodeError> {
    match event {
        OperationEvent::Started { operation } => put(
            &v1::OperationStarted {
                case: operation.case.into(),
                action: (&operation.action).into(),
            },
            out,
        ),
        OperationEvent::Succeeded { operation, outcome } => put(
            &v1::OperationSucceeded {
                operation: operation.0,
                source: outcome.source.as_ref().map(Into::into),
                target: outcome.target.as_ref().map(Into::into),
                kept: outcome.kept.iter().map(Into::into).collect(),
                trashed: outcome.trashed.as_ref().map(RelPath::as_str),
                bytes: outcome.bytes,
            },
            out,
        ),
        OperationEvent::Failed {
            operation,
            class,
            detail,
            retry_at,
        } => put(
            &v1::OperationFailed {
                operation: operation.0,
                class: (*class).into(),
                detail: text(detail)?,
                retry_at: retry_at.map(|time| time.0),
            },
            out,
        ),
        OperationEvent::Adopted {
            local,
            remote,
            case,
        } => put(
            &v1::Adopted {
                local: local.as_str(),
                remote: remote.as_str(),
                case: (*case).into(),
            },
            out,
        ),
    }
}

impl TryFrom<v1::OperationStarted<'_>> for Event {
    type Error = ValueError;

    fn try_from(wire: v1::OperationStarted<'_>) -> Result<Self, ValueError> {
        Ok(Self::Operation(OperationEvent::Started {
            operation: Operation {
                case: wire.case.into(),
                action: wire.action.try_into()?,
            },
        }))
    }
}

impl TryFrom<v1::OperationSucceeded<'_>> for Event {
    type Error = ValueError;

    fn try_from(wire: v1::OperationSucceeded<'_>) -> Result<Self, ValueError> {
        let kept = wire.kept.into_iter().map(TryInto::try_into);
        Ok(Self::Operation(OperationEvent::Succeeded {
            operation: Seq(wire.operation),
            outcome: Outcome {
                source: wire.source.map(TryInto::try_into).transpose()?,
                target: wire.target.map(TryInto::try_into).transpose()?,
                kept: kept.collect::<Result<_, _>>()?,
                trashed: wire.trashed.map(path).transpose()?,
                bytes: wire.bytes,
            },
        }))
    }
}

impl TryFrom<v1::OperationFailed<'_>> for Event {
    type Error = ValueError;

    fn try_from(wire: v1::OperationFailed<'_>) -> Result<Self, ValueError> {
        Ok(Self::Operation(OperationEvent::Failed {
            operation: Seq(wire.operation),
            class: wire.class.into(),
            detail: text(wire.detail)?.to_owned(),
            retry_at: wire.retry_at.map(Timestamp),
        }))
    }
}

impl TryFrom<v1::Adopted<'_>> for Event {
    type Error = ValueError;

    fn try_from(wire: v1::Adopted<'_>) -> Result<Self, ValueError> {
        Ok(Self::Operation(OperationEvent::Adopted {
            local: path(wire.local)?,
            remote: path(wire.remote)?,
            case: wire.case.into(),
        }))
    }
}

impl<'a> From<&'a Action> for v1::Action<'a> {
    fn from(today: &'a Action) -> Self {
        match today {
            Action::Transfer {
                from,
                source,
                expect,
                target,
                replaces,
                displaced,
            } => Self::Transfer {
                from: (*from).into(),
                source: source.as_str(),
                expect: expect.into(),
                target: target.as_str(),
                replaces: match replaces {
                    Expected::Absent => v1::Expected::Absent,
                    Expected::Version(version) => v1::Expected::Version(version.into()),
                },
                displaced: match displaced {
                    Displaced::Discard => v1::Displaced::Discard,
                    Displaced::Rescue => v1::Displaced::Rescue,
                    Displaced::ConflictCopy(path) => v1::Displaced::ConflictCopy(path.as_str()),
                },
            },
            Action::MakeDirectory { side, path } => Self::MakeDirectory {
                side: (*side).into(),
                path: path.as_str(),
            },
            Action::Move {
                side,
                from,
                to,
                expect,
            } => Self::Move {
                side: (*side).into(),
                from: from.as_str(),
                to: to.as_str(),
                expect: expect.into(),
            },
            Action::Remove {
                side,
                path,
                expect,
                rescue,
            } => Self::Remove {
                side: (*side).into(),
                path: path.as_str(),
                expect: expect.into(),
                rescue: *rescue,
            },
            Action::Hash { side, path, expect } => Self::Hash {
                side: (*side).into(),
                path: path.as_str(),
                expect: expect.into(),
            },
        }
    }
}

impl TryFrom<v1::Action<'_>> for Action {
    type Error = ValueError;

    fn try_from(wire: v1::Action<'_>) -> Result<Self, ValueError> {
        Ok(match wire {
            v1::Action::Transfer {
                from,
                source,
                expect,
                target,
                replaces,
                displaced,
            } => Self::Transfer {
                from: from.into(),
                source: path(source)?,
                expect: expect.try_into()?,
                target: path(target)?,
                replaces: match replaces {
                    v1::Expected::Absent => Expected::Absent,
                    v1::Expected::Version(version) => Expected::Version(version.try_into()?),
                },
                displaced: match displaced {
                    v1::Displaced::Discard => Displaced::Discard,
                    v1::Displaced::Rescue => Displaced::Rescue,
                    v1::Displaced::ConflictCopy(text) => Displaced::ConflictCopy(path(text)?),
                },
            },
            v1::Action::MakeDirectory { side, path: text } => Self::MakeDirectory {
                side: side.into(),
                path: path(text)?,
            },
            v1::Action::Move {
                side,
                from,
                to,
                expect,
            } => Self::Move {
                side: side.into(),
                from: path(from)?,
                to: path(to)?,
                expect: expect.try_into()?,
            },
            v1::Action::Remove {
                side,
                path: text,
                expect,
                rescue,
            } => Self::Remove {
                side: side.into(),
                path: path(text)?,
                expect: expect.try_into()?,
                rescue,
            },
            v1::Action::Hash {
                side,
                path: text,
                expect,
            } => Self::Hash {
                side: side.into(),
                path: path(text)?,
                expect: expect.try_into()?,
            },
        })
    }
}

impl<'a> From<&'a Kept> for v1::Kept<'a> {
    fn from(today: &'a Kept) -> Self {
        Self {
            path: today.path.as_str(),
            entry: (&today.entry).into(),
        }
    }
}

impl TryFrom<v1::Kept<'_>> for Kept {
    type Error = ValueError;

    fn try_from(wire: v1::Kept<'_>) -> Result<Self, ValueError> {
        Ok(Self {
            path: path(wire.path)?,
            entry: wire.entry.try_into()?,
        })
    }
}
