//! Who looks on: a progress bar, a test, later the notification stream.

use journal_format::event::Record;
use journal_format::value::Timestamp;

/// Hears what happened. Calls are quick and never fail; the sync does not wait.
pub trait Observer {
    /// Records that are durable now, in order, each once per process.
    fn appended(&self, records: &[Record]);

    /// How far the work is; may be called often.
    fn progress(&self, progress: &Progress);
}

/// How far the work is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Progress {
    /// Entries looked at by the scans that run.
    pub scanned: u64,
    /// Operations finished since the work began.
    pub items_done: u64,
    /// Operations known in all, finished ones included.
    pub items_total: u64,
    /// Bytes of content of finished transfers.
    pub bytes_done: u64,
    /// Bytes of content of all known transfers.
    pub bytes_total: u64,
    /// When the work began.
    pub since: Timestamp,
}
