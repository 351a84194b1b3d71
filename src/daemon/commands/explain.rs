//! What happened to a path, from a journal that is open.
//!
//! In: a reader, a path. Out: the explanation as JSON. Invariants: only records that can
//! be about the path are decoded; a reply is bounded (`journal::explain`). Deliberately
//! absent: sentences. CRASH: reads only.

use super::fault::Fault;
use super::pages::open;
use crate::daemon::stream::status;
use crate::daemon::supervisor::View;
use crate::journal::explain::{Context, Gathering, tell};
use crate::ports::{JournalReader, PortError, PortResult};
use journal_format::event::{FailureClass, Record};
use journal_format::value::{RelPath, Timestamp};
use serde_json::Value;

/// Answers `explain`.
pub(super) async fn explain(view: &View, path: &RelPath, now: Timestamp) -> Result<Value, Fault> {
    let open = open(view)?;
    let records = gathered(&*open.reader, path).await?;
    let context = Context {
        job: view.spec.id.clone(),
        now,
        is_running: true,
    };
    let mut told = tell(path, &records, &context);
    let word = status::state_word(view.state);
    if !QUIET.contains(&word) {
        told.advice.push(format!("the job is {word} now"));
    }
    let mut value = serde_json::to_value(&told).unwrap_or_default();
    value["job"] = view.spec.id.as_str().into();
    value["journal"] = open.reader.id().into();
    value["head"] = open.reader.head().0.into();
    Ok(value)
}

/// Reads the records that are about a path.
///
/// # Errors
/// The reader's.
pub async fn gathered(reader: &dyn JournalReader, path: &RelPath) -> PortResult<Vec<Record>> {
    let mut gathering = Gathering::new(path);
    loop {
        let mut sieve = gathering.sieve();
        let records = reader
            .sift(Box::new(move |bytes| sieve.wants(bytes)))
            .await?;
        records
            .into_iter()
            .for_each(|record| gathering.take(record));
        if !gathering.needs_another_pass() {
            break;
        }
    }
    if gathering.is_full() {
        let text =
            format!("`{path}` has more events than can be explained; `journal cat` prints them");
        return Err(PortError::new(FailureClass::Unsupported, text));
    }
    let first = reader.first();
    for seq in gathering.missing().into_iter().filter(|seq| *seq >= first) {
        let found = reader.read(seq, 1).await?;
        found.into_iter().for_each(|record| gathering.take(record));
    }
    Ok(gathering.finish())
}

/// States that say nothing beside what is told of the path.
const QUIET: [&str; 4] = ["synced", "syncing", "halted", "paused"];
