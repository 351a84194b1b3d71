//! What happened to a path, from a journal that is open.
//!
//! In: a reader, a path. Out: the explanation as JSON. Invariants: only records that can
//! be about the path are decoded; a reply is bounded (`journal::explain`). Deliberately
//! absent: sentences. CRASH: reads only.

use super::fault::Fault;
use super::pages::open;
use crate::daemon::stream::status;
use crate::daemon::supervisor::View;
use crate::journal::explain::{Context, Gathering, Pass, Runs, tell};
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
        runs: Runs::Yes,
        begins: open.reader.first(),
    };
    let mut told = tell(path, &records, None, &context);
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
async fn gathered(reader: &dyn JournalReader, path: &RelPath) -> PortResult<Vec<Record>> {
    let mut gathering = Gathering::new(path);
    let first = reader.first();
    while let Some(pass) = gathering.next_pass() {
        let records = match pass {
            Pass::All(mut sieve) => {
                let is_wanted = move |bytes: &[u8]| sieve.wants(bytes);
                reader.sift(Box::new(is_wanted)).await?
            }
            Pass::These(seqs) => {
                let mut found = Vec::new();
                for seq in seqs.into_iter().filter(|seq| *seq >= first) {
                    found.extend(reader.read(seq, 1).await?);
                }
                found
            }
        };
        records
            .into_iter()
            .for_each(|record| gathering.take(record));
    }
    if gathering.is_full() {
        let text =
            format!("`{path}` has more events than can be explained; `journal cat` prints them");
        return Err(PortError::new(FailureClass::Unsupported, text));
    }
    Ok(gathering.finish())
}

/// States that say nothing beside what is told of the path.
const QUIET: [&str; 4] = ["synced", "syncing", "halted", "paused"];
