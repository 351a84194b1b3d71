//! Pages of a journal, as the stream would send them.
//!
//! In: where to begin. Out: messages and where to read on. Invariant: a page is
//! bounded in events and in bytes, but holds the messages of one event at least, so
//! that reading on always gets further. Deliberately absent: subscribers.

use super::Answer;
use super::fault::{Fault, NOT_RUNNING};
use crate::daemon::stream::messages::{Kinds, Origin, messages};
use crate::daemon::stream::topic::Topics;
use crate::daemon::supervisor::{OpenJournal, View};
use journal_format::value::Seq;
use serde_json::Value;
use sync_core::projection::Projector;

/// Returns the journal of a job that is open now.
pub(super) fn open(view: &View) -> Result<OpenJournal, Fault> {
    let closed = || Fault::new(NOT_RUNNING, "the job's journal is not open now");
    view.journal().ok_or_else(closed)
}

/// Answers `journal.read`.
pub(super) async fn read(
    view: &View,
    from: Seq,
    limit: usize,
    kinds: Kinds,
) -> Result<Answer, Fault> {
    let open = open(view)?;
    let journal = open.reader.id();
    let (first, head) = (open.reader.first(), open.reader.head());
    if from < first {
        return Err(Fault::gone(first));
    }
    let origin = Origin {
        job: &view.spec.id,
        journal: Some(&journal),
    };
    let topics = Topics::of(&view.spec.id);
    let mut projector = Projector::default();
    let mut told = String::new();
    let mut next = from;
    for record in open.reader.read(from, limit).await? {
        if told.len() > PAGE_BYTES_MAX {
            break;
        }
        if let Some(start) = projector.missing(&record)
            && (kinds.task || kinds.notify)
            && start >= first
        {
            let found = open.reader.read(start, 1).await?;
            found.iter().for_each(|start| projector.remember(start));
        }
        let projected = projector.project(&record);
        for (topic, body) in messages(origin, &topics, &record, &projected, kinds, |_| true) {
            let comma = if told.is_empty() { "" } else { "," };
            let topic = Value::from(topic);
            told.push_str(&format!(r#"{comma}{{"topic":{topic},"body":{body}}}"#));
        }
        next = record.seq.next();
    }
    let (job, journal) = (Value::from(view.spec.id.as_str()), Value::from(journal));
    Ok(Answer::Text(format!(
        r#"{{"job":{job},"journal":{journal},"head":{head},"next":{next},"messages":[{told}]}}"#
    )))
}

/// Bytes of messages after which a page ends.
const PAGE_BYTES_MAX: usize = 1 << 20;
