//! The names of topics.
//!
//! In: a job's id. Out: texts that subscribers' prefixes are compared with.
//! Invariant: a dot always separates, whatever an id holds. Deliberately absent: what
//! is sent under them.

use journal_format::value::{Seq, Side};
use std::fmt::Write;

/// The topics of one job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Topics {
    job: String,
}

impl Topics {
    pub(crate) fn of(job: &str) -> Self {
        let mut escaped = String::with_capacity(job.len());
        for byte in job.bytes() {
            if byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_' {
                escaped.push(char::from(byte));
            } else {
                write!(escaped, "%{byte:02x}").expect("writing to a string cannot fail");
            }
        }
        Self { job: escaped }
    }

    pub(crate) fn status(&self) -> String {
        format!("status.{}", self.job)
    }

    pub(crate) fn journal(&self) -> String {
        format!("journal.{}", self.job)
    }

    pub(crate) fn task(&self, operation: Seq) -> String {
        format!("task.{}.{operation}", self.job)
    }

    pub(crate) fn notify(&self, side: Side) -> String {
        format!("notify.{}.{side}", self.job)
    }

    pub(super) fn head(&self) -> String {
        format!("live.head.{}", self.job)
    }

    pub(super) fn progress(&self) -> String {
        format!("{GENERAL_PROGRESS}.{}", self.job)
    }

    pub(super) fn transfer(&self, operation: Seq) -> String {
        format!("{GENERAL_PROGRESS}.{}.{operation}", self.job)
    }
}

/// The progress of all jobs together.
pub(super) const GENERAL_PROGRESS: &str = "live.progress";
