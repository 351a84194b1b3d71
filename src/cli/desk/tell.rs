//! What is told of jobs and their journals.
//!
//! In: a job, a path. Out: its events, a path's story, the list of jobs. Invariant: a
//! journal is printed in order, each event once. Deliberately absent: waiting for more
//! (`follow`).

use super::{Desk, open_there};
use crate::cli::args::{Events, Explain};
use crate::cli::channel::Refused;
use crate::cli::exit::{Exit, Failure};
use crate::cli::journal::{explained, source};
use crate::cli::known::Known;
use crate::cli::text::{plain, time};
use crate::cli::{print, story, trash};
use crate::journal::explain::{Fate, Runs};
use journal_format::json::to_json;
use journal_format::value::{Seq, Timestamp};
use serde_json::Value;

impl Desk<'_> {
    pub(super) async fn events(&mut self, events: &Events) -> Result<Exit, Failure> {
        let found = self.find(events.job.as_deref()).await?;
        if let Some(daemon) = self.daemon_of(&found) {
            let from = events.from.max(1);
            let mut first = daemon.page(&found.id, from, PAGE_EVENTS).await;
            if let Some((there, words)) = first.as_ref().err().and_then(Refused::gone) {
                print::words(words);
                first = daemon.page(&found.id, there, PAGE_EVENTS).await;
            }
            if let Some(mut page) = open_there(first)? {
                loop {
                    let (next, head) = (page.next, page.head);
                    page.events().for_each(|event| self.event(&event));
                    if next > head {
                        return Ok(Exit::InSync);
                    }
                    page = self.asked()?.page(&found.id, next, PAGE_EVENTS).await?;
                    if page.next <= next && page.head >= next {
                        return Err(Refused::Nonsense("a page without events".into()).into());
                    }
                }
            }
        }
        let at_rest = found.at_rest()?;
        at_rest.tell_missing();
        for record in at_rest.records(Seq(events.from.max(1)))? {
            let record = record.map_err(|error| at_rest.fault(error))?;
            self.event(&to_json(&record));
        }
        Ok(at_rest.exit())
    }

    /// One event as it is printed: for people what it is first, then its fields.
    pub(in crate::cli) fn event_text(&self, event: &Value) -> String {
        event_text(self.args.common.json, event)
    }

    fn event(&self, event: &Value) {
        print::line(&self.event_text(event));
    }

    pub(super) async fn explain(&mut self, explain: &Explain) -> Result<Exit, Failure> {
        let found = self.find(explain.job.as_deref()).await?;
        let folder = found.known.as_ref().and_then(Known::folder);
        let path = &explain.path.below(folder)?;
        let online = match self.daemon_of(&found) {
            Some(daemon) => open_there(daemon.explain(&found.id, path.as_str()).await)?,
            None => None,
        };
        let mut exit = Exit::InSync;
        let mut told = match online {
            // A daemon does not hold the state before the first event that is kept.
            Some(told) if told.state == Fate::Unknown => match &found.known {
                Some(known) => explained(&source::of_job(known)?, path, Runs::Yes)?,
                None => told,
            },
            Some(told) => told,
            None => {
                let at_rest = found.at_rest()?;
                at_rest.tell_missing();
                exit = at_rest.exit();
                at_rest.explain(path)?
            }
        };
        if let Some(known) = &found.known {
            trash::look_into(&known.directory, &mut told).await;
        }
        story::explanation(self.args, &found.id, told);
        Ok(exit)
    }
}

/// One event as it is printed: for people what it is first, then its fields.
pub(in crate::cli) fn event_text(as_json: bool, event: &Value) -> String {
    if as_json {
        return event.to_string();
    }
    let mut fields = event.as_object().cloned().unwrap_or_default();
    let kind = fields.remove("type").unwrap_or(Value::Null);
    let seq = fields.remove("seq").and_then(|seq| seq.as_u64());
    let at = fields.remove("time").and_then(|time| time.as_i64());
    plain(&format!(
        "{} {} {} {}",
        seq.unwrap_or_default(),
        time(Timestamp(at.unwrap_or_default())),
        kind.as_str().unwrap_or("event"),
        Value::Object(fields)
    ))
}

/// Events that are asked for at a time.
pub(in crate::cli) const PAGE_EVENTS: usize = 1000;
