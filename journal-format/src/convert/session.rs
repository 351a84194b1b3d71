//! Session events to and from the wire.
//!
//! In: an event or its wire struct. Out: the other one, or which value breaks the
//! rules of its type. Invariant: texts are bounded on the way out as well, so that
//! what was written can be read; watched by the round trips in `tests`. A new session
//! event is an arm and a `TryFrom` here.

use super::{path, put, text};
use crate::error::{EncodeError, ValueError};
use crate::event::{Change, Event, Fact, SessionEvent};
use crate::value::{CHANGES_MAX, FACTS_MAX, Seq};
use crate::wire::v1;

#[expect(clippy::too_many_lines, reason = "one flat arm an event")]
pub(super) fn append(event: &SessionEvent, out: &mut Vec<u8>) -> Result<(), EncodeError> {
    match event {
        SessionEvent::RootConfigured {
            job,
            label,
            rules_version,
            digest,
            fold_case,
            policy,
        } => put(
            &v1::RootConfigured {
                job: text(job)?,
                label: text(label)?,
                rules_version: *rules_version,
                digest: (*digest).into(),
                fold_case: *fold_case,
                policy: (*policy).into(),
            },
            out,
        ),
        SessionEvent::PolicyChanged { policy } => put(
            &v1::PolicyChanged {
                policy: (*policy).into(),
            },
            out,
        ),
        SessionEvent::RootIdentified { side, marker } => put(
            &v1::RootIdentified {
                side: (*side).into(),
                marker: text(marker)?,
            },
            out,
        ),
        SessionEvent::SessionStarted {
            release,
            fold_version,
            seed,
        } => put(
            &v1::SessionStarted {
                release: text(release)?,
                fold_version: *fold_version,
                seed: *seed,
            },
            out,
        ),
        SessionEvent::SessionStopped => put(&v1::SessionStopped, out),
        SessionEvent::DigestStamped {
            digest,
            fold_version,
        } => put(
            &v1::DigestStamped {
                digest: *digest,
                fold_version: *fold_version,
            },
            out,
        ),
        SessionEvent::HistoryLost { expected, found } => put(
            &v1::HistoryLost {
                expected: expected.0,
                found: found.0,
            },
            out,
        ),
        SessionEvent::HaltRaised {
            reason,
            side,
            count,
            plan,
        } => put(
            &v1::HaltRaised {
                reason: (*reason).into(),
                side: (*side).into(),
                count: *count,
                plan: *plan,
            },
            out,
        ),
        SessionEvent::HaltApproved { halt, by } => put(
            &v1::HaltApproved {
                halt: halt.0,
                by: text(by)?,
            },
            out,
        ),
        SessionEvent::HaltCleared { halt } => put(&v1::HaltCleared { halt: halt.0 }, out),
        SessionEvent::FeedRead { cursor, whole } => put(
            &v1::FeedRead {
                cursor: text(cursor)?,
                whole: *whole,
            },
            out,
        ),
        SessionEvent::RemoteRolledBack { detail } => put(
            &v1::RemoteRolledBack {
                detail: text(detail)?,
            },
            out,
        ),
        SessionEvent::RemoteProbed { facts } if facts.len() > FACTS_MAX => {
            Err(EncodeError::Value(ValueError::TooManyFacts))
        }
        SessionEvent::RemoteProbed { facts } => {
            let mut wire = Vec::with_capacity(facts.len());
            for Fact { name, value } in facts {
                let (name, value) = (text(name)?, text(value)?);
                wire.push(v1::Fact { name, value });
            }
            let facts = wire;
            put(&v1::RemoteProbed { facts }, out)
        }
        SessionEvent::Undone { changes, .. } if changes.len() > CHANGES_MAX => {
            Err(EncodeError::Value(ValueError::TooManyChanges))
        }
        SessionEvent::Undone { changes, by } => put(
            &v1::Undone {
                changes: changes.iter().map(Into::into).collect(),
                by: text(by)?,
            },
            out,
        ),
        SessionEvent::Ordered { order, by } => put(
            &v1::Ordered {
                order: (*order).into(),
                by: text(by)?,
            },
            out,
        ),
    }
}

impl TryFrom<v1::RootConfigured<'_>> for Event {
    type Error = ValueError;

    fn try_from(wire: v1::RootConfigured<'_>) -> Result<Self, ValueError> {
        Ok(Self::Session(SessionEvent::RootConfigured {
            job: text(wire.job)?.to_owned(),
            label: text(wire.label)?.to_owned(),
            rules_version: wire.rules_version,
            digest: wire.digest.into(),
            fold_case: wire.fold_case,
            policy: wire.policy.into(),
        }))
    }
}

impl TryFrom<v1::PolicyChanged> for Event {
    type Error = ValueError;

    fn try_from(wire: v1::PolicyChanged) -> Result<Self, ValueError> {
        Ok(Self::Session(SessionEvent::PolicyChanged {
            policy: wire.policy.into(),
        }))
    }
}

impl TryFrom<v1::RootIdentified<'_>> for Event {
    type Error = ValueError;

    fn try_from(wire: v1::RootIdentified<'_>) -> Result<Self, ValueError> {
        Ok(Self::Session(SessionEvent::RootIdentified {
            side: wire.side.into(),
            marker: text(wire.marker)?.to_owned(),
        }))
    }
}

impl TryFrom<v1::SessionStarted<'_>> for Event {
    type Error = ValueError;

    fn try_from(wire: v1::SessionStarted<'_>) -> Result<Self, ValueError> {
        Ok(Self::Session(SessionEvent::SessionStarted {
            release: text(wire.release)?.to_owned(),
            fold_version: wire.fold_version,
            seed: wire.seed,
        }))
    }
}

impl TryFrom<v1::SessionStopped> for Event {
    type Error = ValueError;

    fn try_from(_: v1::SessionStopped) -> Result<Self, ValueError> {
        Ok(Self::Session(SessionEvent::SessionStopped))
    }
}

impl TryFrom<v1::DigestStamped> for Event {
    type Error = ValueError;

    fn try_from(wire: v1::DigestStamped) -> Result<Self, ValueError> {
        Ok(Self::Session(SessionEvent::DigestStamped {
            digest: wire.digest,
            fold_version: wire.fold_version,
        }))
    }
}

impl TryFrom<v1::HistoryLost> for Event {
    type Error = ValueError;

    fn try_from(wire: v1::HistoryLost) -> Result<Self, ValueError> {
        Ok(Self::Session(SessionEvent::HistoryLost {
            expected: Seq(wire.expected),
            found: Seq(wire.found),
        }))
    }
}

impl TryFrom<v1::HaltRaised> for Event {
    type Error = ValueError;

    fn try_from(wire: v1::HaltRaised) -> Result<Self, ValueError> {
        Ok(Self::Session(SessionEvent::HaltRaised {
            reason: wire.reason.into(),
            side: wire.side.into(),
            count: wire.count,
            plan: wire.plan,
        }))
    }
}

impl TryFrom<v1::HaltApproved<'_>> for Event {
    type Error = ValueError;

    fn try_from(wire: v1::HaltApproved<'_>) -> Result<Self, ValueError> {
        Ok(Self::Session(SessionEvent::HaltApproved {
            halt: Seq(wire.halt),
            by: text(wire.by)?.to_owned(),
        }))
    }
}

impl TryFrom<v1::HaltCleared> for Event {
    type Error = ValueError;

    fn try_from(wire: v1::HaltCleared) -> Result<Self, ValueError> {
        Ok(Self::Session(SessionEvent::HaltCleared {
            halt: Seq(wire.halt),
        }))
    }
}

impl TryFrom<v1::FeedRead<'_>> for Event {
    type Error = ValueError;

    fn try_from(wire: v1::FeedRead<'_>) -> Result<Self, ValueError> {
        Ok(Self::Session(SessionEvent::FeedRead {
            cursor: text(wire.cursor)?.to_owned(),
            whole: wire.whole,
        }))
    }
}

impl TryFrom<v1::RemoteRolledBack<'_>> for Event {
    type Error = ValueError;

    fn try_from(wire: v1::RemoteRolledBack<'_>) -> Result<Self, ValueError> {
        Ok(Self::Session(SessionEvent::RemoteRolledBack {
            detail: text(wire.detail)?.to_owned(),
        }))
    }
}

impl TryFrom<v1::RemoteProbed<'_>> for Event {
    type Error = ValueError;

    fn try_from(wire: v1::RemoteProbed<'_>) -> Result<Self, ValueError> {
        if wire.facts.len() > FACTS_MAX {
            return Err(ValueError::TooManyFacts);
        }
        let fact = |fact: v1::Fact<'_>| {
            Ok(Fact {
                name: text(fact.name)?.to_owned(),
                value: text(fact.value)?.to_owned(),
            })
        };
        let facts = wire.facts.into_iter().map(fact);
        Ok(Self::Session(SessionEvent::RemoteProbed {
            facts: facts.collect::<Result<_, ValueError>>()?,
        }))
    }
}

impl TryFrom<v1::Undone<'_>> for Event {
    type Error = ValueError;

    fn try_from(wire: v1::Undone<'_>) -> Result<Self, ValueError> {
        if wire.changes.len() > CHANGES_MAX {
            return Err(ValueError::TooManyChanges);
        }
        let changes = wire.changes.into_iter().map(TryInto::try_into);
        Ok(Self::Session(SessionEvent::Undone {
            changes: changes.collect::<Result<_, _>>()?,
            by: text(wire.by)?.to_owned(),
        }))
    }
}

impl<'a> From<&'a Change> for v1::Change<'a> {
    fn from(today: &'a Change) -> Self {
        Self {
            undoes: today.undoes.map(|seq| seq.0),
            path: today.path.as_str(),
            from: today.from.as_ref().map(|path| path.as_str()),
            now: today.now.as_ref().map(Into::into),
            trashed: today.trashed.as_ref().map(|path| path.as_str()),
        }
    }
}

impl TryFrom<v1::Change<'_>> for Change {
    type Error = ValueError;

    fn try_from(wire: v1::Change<'_>) -> Result<Self, ValueError> {
        Ok(Self {
            undoes: wire.undoes.map(Seq),
            path: path(wire.path)?,
            from: wire.from.map(path).transpose()?,
            now: wire.now.map(TryInto::try_into).transpose()?,
            trashed: wire.trashed.map(path).transpose()?,
        })
    }
}

impl TryFrom<v1::Ordered<'_>> for Event {
    type Error = ValueError;

    fn try_from(wire: v1::Ordered<'_>) -> Result<Self, ValueError> {
        Ok(Self::Session(SessionEvent::Ordered {
            order: wire.order.into(),
            by: text(wire.by)?.to_owned(),
        }))
    }
}
