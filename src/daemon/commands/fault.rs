//! Why a request was not carried out: a code of `PROTOCOL.md` and a sentence.
//!
//! In: refusals and errors of other rooms. Out: error replies. Invariant: a code means
//! what its row on that page says. Deliberately absent: what led to them.

use crate::daemon::supervisor::Refusal;
use crate::ports::PortError;
use journal_format::value::Seq;

/// An error reply.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Fault {
    pub(super) code: i64,
    pub(super) message: String,
    /// The first event that is still kept, where older ones were asked for.
    pub(super) first: Option<Seq>,
}

impl Fault {
    pub(super) fn new(code: i64, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            first: None,
        }
    }

    pub(super) fn params(message: impl Into<String>) -> Self {
        Self::new(PARAMS, message)
    }

    /// Older events were asked for than are kept.
    pub(super) fn gone(first: Seq) -> Self {
        let words = "are not kept any more: begin with a snapshot, or there";
        Self {
            first: Some(first),
            ..Self::new(GONE, format!("events before {first} {words}"))
        }
    }

    /// A job's loop did not answer.
    pub(super) fn late() -> Self {
        Self::new(
            BUSY,
            "the job did not answer in time; what was ordered may still happen",
        )
    }
}

impl From<Refusal> for Fault {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::NoJob(name) => Self::new(NO_JOB, format!("no job `{name}`")),
            Refusal::NotRunning => Self::new(NOT_RUNNING, "the job's journal is not open now"),
            Refusal::Busy => Self::new(BUSY, "the job has too many orders; try again"),
        }
    }
}

impl From<PortError> for Fault {
    fn from(error: PortError) -> Self {
        match error.class {
            journal_format::event::FailureClass::Retry => Self::from(Refusal::NotRunning),
            _ => Self::new(UNREADABLE, error.message),
        }
    }
}

pub(super) const PARSE: i64 = -32_700;
pub(super) const REQUEST: i64 = -32_600;
pub(super) const METHOD: i64 = -32_601;
pub(super) const PARAMS: i64 = -32_602;
pub(super) const NO_JOB: i64 = -32_001;
pub(super) const NOT_RUNNING: i64 = -32_002;
pub(super) const NOTHING_THERE: i64 = -32_003;
pub(super) const BUSY: i64 = -32_004;
pub(super) const REFUSED: i64 = -32_005;
pub(super) const NO_SNAPSHOT: i64 = -32_006;
pub(super) const UNREADABLE: i64 = -32_007;
pub(super) const GONE: i64 = -32_008;
