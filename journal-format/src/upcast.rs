//! Payloads of every version ever written, to today's events.
//!
//! In: tag, version, payload. Out: an event. Invariant: total and pure; an upcast
//! renames, splits and defaults, decides nothing and uses no field from outside
//! the record; watched by the vectors of the old versions, which stay.
//! Deliberately absent: the fields (`wire`), the rules of values (`convert`).
//! A version 2 is one arm here that reads its struct, and its version 1 arm
//! becomes `read::<v1::X>(payload).map(x_v1_to_v2)`, with that function below.

use crate::codec;
use crate::error::{PayloadError, ValueError};
use crate::event::Event;
use crate::tag::Tag;
use crate::wire::v1;
use serde::Deserialize;

/// Decodes a payload; nothing if this release does not know the version.
pub(crate) fn event(tag: Tag, version: u8, payload: &[u8]) -> Option<Result<Event, PayloadError>> {
    let event = match (tag, version) {
        (Tag::RootConfigured, 1) => today(read::<v1::RootConfigured>(payload)),
        (Tag::PolicyChanged, 1) => today(read::<v1::PolicyChanged>(payload)),
        (Tag::RootIdentified, 1) => today(read::<v1::RootIdentified>(payload)),
        (Tag::SessionStarted, 1) => today(read::<v1::SessionStarted>(payload)),
        (Tag::SessionStopped, 1) => today(read::<v1::SessionStopped>(payload)),
        (Tag::DigestStamped, 1) => today(read::<v1::DigestStamped>(payload)),
        (Tag::HistoryLost, 1) => today(read::<v1::HistoryLost>(payload)),
        (Tag::HaltRaised, 1) => today(read::<v1::HaltRaised>(payload)),
        (Tag::HaltApproved, 1) => today(read::<v1::HaltApproved>(payload)),
        (Tag::HaltCleared, 1) => today(read::<v1::HaltCleared>(payload)),
        (Tag::FeedRead, 1) => today(read::<v1::FeedRead>(payload)),
        (Tag::RemoteRolledBack, 1) => today(read::<v1::RemoteRolledBack>(payload)),
        (Tag::RemoteProbed, 1) => today(read::<v1::RemoteProbed>(payload)),
        (Tag::Undone, 1) => today(read::<v1::Undone>(payload)),
        (Tag::Ordered, 1) => today(read::<v1::Ordered>(payload)),
        (Tag::Observed, 1) => today(read::<v1::Observed>(payload)),
        (Tag::Moved, 1) => today(read::<v1::Moved>(payload)),
        (Tag::Gone, 1) => today(read::<v1::Gone>(payload)),
        (Tag::Unknown, 1) => today(read::<v1::Unknown>(payload)),
        (Tag::Hashed, 1) => today(read::<v1::Hashed>(payload)),
        (Tag::OperationStarted, 1) => today(read::<v1::OperationStarted>(payload)),
        (Tag::OperationSucceeded, 1) => today(read::<v1::OperationSucceeded>(payload)),
        (Tag::OperationFailed, 1) => today(read::<v1::OperationFailed>(payload)),
        (Tag::Adopted, 1) => today(read::<v1::Adopted>(payload)),
        (Tag::ConflictRaised, 1) => today(read::<v1::ConflictRaised>(payload)),
        (Tag::ConflictResolved, 1) => today(read::<v1::ConflictResolved>(payload)),
        (Tag::ConflictSettled, 1) => today(read::<v1::ConflictSettled>(payload)),
        (_, _) => return None,
    };
    Some(event)
}

fn read<'a, W: Deserialize<'a>>(payload: &'a [u8]) -> Result<W, PayloadError> {
    codec::read_payload(payload).map_err(PayloadError::Codec)
}

/// Ends each chain: the newest version, checked, as today's event.
fn today<W: TryInto<Event, Error = ValueError>>(
    newest: Result<W, PayloadError>,
) -> Result<Event, PayloadError> {
    newest?.try_into().map_err(PayloadError::Value)
}
