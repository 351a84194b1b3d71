//! The registry of events: one number each, never given twice.
//!
//! In: events or numbers. Out: numbers, versions, names. Invariant: a number
//! means one event for ever, also after the event is no longer written; watched
//! by the golden vectors and the table in `FORMAT.md`. Deliberately absent: the
//! fields of the events (`wire`). A new event is a row in `registry!` and an arm
//! in [`Tag::of`]; a new version of one raises the number in its row.

use crate::event::{ConflictEvent, Event, ObservationEvent, OperationEvent, SessionEvent};
use std::fmt;

macro_rules! registry {
    ($($(#[doc = $doc:literal])* $variant:ident = $number:literal v $version:literal $name:literal;)+) => {
        /// Which event a payload holds.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(u16)]
        pub enum Tag {
            $($(#[doc = $doc])* $variant = $number,)+
        }

        impl Tag {
            /// Every event, by number.
            pub const ALL: &[Self] = &[$(Self::$variant),+];

            /// Returns the number on disk.
            #[must_use]
            pub const fn number(self) -> u16 {
                match self { $(Self::$variant => $number),+ }
            }

            /// Returns the event with this number.
            #[must_use]
            pub const fn from_number(number: u16) -> Option<Self> {
                match number { $($number => Some(Self::$variant),)+ _ => None }
            }

            /// Returns the newest version of the event, the one that is written.
            #[must_use]
            pub const fn version(self) -> u8 {
                match self { $(Self::$variant => $version),+ }
            }

            /// Returns the name, as `type` in JSON shows it.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name),+ }
            }
        }
    };
}

registry! {
    /// [`SessionEvent::RootConfigured`]
    RootConfigured = 1 v 1 "root_configured";
    /// [`SessionEvent::PolicyChanged`]
    PolicyChanged = 2 v 1 "policy_changed";
    /// [`SessionEvent::RootIdentified`]
    RootIdentified = 3 v 1 "root_identified";
    /// [`SessionEvent::SessionStarted`]
    SessionStarted = 4 v 1 "session_started";
    /// [`SessionEvent::SessionStopped`]
    SessionStopped = 5 v 1 "session_stopped";
    /// [`SessionEvent::DigestStamped`]
    DigestStamped = 6 v 1 "digest_stamped";
    /// [`SessionEvent::HistoryLost`]
    HistoryLost = 7 v 1 "history_lost";
    /// [`SessionEvent::HaltRaised`]
    HaltRaised = 8 v 1 "halt_raised";
    /// [`SessionEvent::HaltApproved`]
    HaltApproved = 9 v 1 "halt_approved";
    /// [`SessionEvent::HaltCleared`]
    HaltCleared = 10 v 1 "halt_cleared";
    /// [`SessionEvent::FeedRead`]
    FeedRead = 11 v 1 "feed_read";
    /// [`SessionEvent::Ordered`]
    Ordered = 12 v 1 "ordered";
    /// [`SessionEvent::RemoteRolledBack`]
    RemoteRolledBack = 13 v 1 "remote_rolled_back";
    /// [`SessionEvent::RemoteProbed`]
    RemoteProbed = 14 v 1 "remote_probed";
    /// [`SessionEvent::Undone`]
    Undone = 15 v 1 "undone";
    /// [`ObservationEvent::Observed`]
    Observed = 101 v 1 "observed";
    /// [`ObservationEvent::Moved`]
    Moved = 102 v 1 "moved";
    /// [`ObservationEvent::Gone`]
    Gone = 103 v 1 "gone";
    /// [`ObservationEvent::Unknown`]
    Unknown = 104 v 1 "unknown";
    /// [`ObservationEvent::Hashed`]
    Hashed = 105 v 1 "hashed";
    /// [`OperationEvent::Started`]
    OperationStarted = 201 v 1 "operation_started";
    /// [`OperationEvent::Succeeded`]
    OperationSucceeded = 202 v 1 "operation_succeeded";
    /// [`OperationEvent::Failed`]
    OperationFailed = 203 v 1 "operation_failed";
    /// [`OperationEvent::Adopted`]
    Adopted = 204 v 1 "adopted";
    /// [`ConflictEvent::Raised`]
    ConflictRaised = 301 v 1 "conflict_raised";
    /// [`ConflictEvent::Resolved`]
    ConflictResolved = 302 v 1 "conflict_resolved";
    /// [`ConflictEvent::Settled`]
    ConflictSettled = 303 v 1 "conflict_settled";
}

impl Tag {
    /// Returns the tag of an event.
    #[must_use]
    pub const fn of(event: &Event) -> Self {
        match event {
            Event::Session(event) => match event {
                SessionEvent::RootConfigured { .. } => Self::RootConfigured,
                SessionEvent::PolicyChanged { .. } => Self::PolicyChanged,
                SessionEvent::RootIdentified { .. } => Self::RootIdentified,
                SessionEvent::SessionStarted { .. } => Self::SessionStarted,
                SessionEvent::SessionStopped => Self::SessionStopped,
                SessionEvent::DigestStamped { .. } => Self::DigestStamped,
                SessionEvent::HistoryLost { .. } => Self::HistoryLost,
                SessionEvent::HaltRaised { .. } => Self::HaltRaised,
                SessionEvent::HaltApproved { .. } => Self::HaltApproved,
                SessionEvent::HaltCleared { .. } => Self::HaltCleared,
                SessionEvent::FeedRead { .. } => Self::FeedRead,
                SessionEvent::RemoteRolledBack { .. } => Self::RemoteRolledBack,
                SessionEvent::Ordered { .. } => Self::Ordered,
                SessionEvent::RemoteProbed { .. } => Self::RemoteProbed,
                SessionEvent::Undone { .. } => Self::Undone,
            },
            Event::Observation(event) => match event {
                ObservationEvent::Observed { .. } => Self::Observed,
                ObservationEvent::Moved { .. } => Self::Moved,
                ObservationEvent::Gone { .. } => Self::Gone,
                ObservationEvent::Unknown { .. } => Self::Unknown,
                ObservationEvent::Hashed { .. } => Self::Hashed,
            },
            Event::Operation(event) => match event {
                OperationEvent::Started { .. } => Self::OperationStarted,
                OperationEvent::Succeeded { .. } => Self::OperationSucceeded,
                OperationEvent::Failed { .. } => Self::OperationFailed,
                OperationEvent::Adopted { .. } => Self::Adopted,
            },
            Event::Conflict(event) => match event {
                ConflictEvent::Raised { .. } => Self::ConflictRaised,
                ConflictEvent::Resolved { .. } => Self::ConflictResolved,
                ConflictEvent::Settled { .. } => Self::ConflictSettled,
            },
        }
    }
}

impl fmt::Display for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.number(), self.name())
    }
}
