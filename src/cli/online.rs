//! What the daemon says about its jobs, as values.
//!
//! In: a [`Daemon`], a job's id. Out: what the journal at rest gives as well, so that
//! `desk` shows both alike. Invariants: pages are read to their end, and a daemon that
//! pages for ever is given up. Deliberately absent: printing.

use super::channel::{Daemon, Refused};
use super::view::{Item, Status};
use crate::journal::explain::Explanation;
use serde::Deserialize;
use serde_json::{Value, json};

/// A job as the daemon lists it.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Row {
    pub(super) job: String,
    pub(super) label: String,
    pub(super) state: String,
}

#[derive(Deserialize)]
struct Rows<T> {
    jobs: Vec<T>,
}

/// What became of an order to a job.
#[derive(Debug, Deserialize)]
pub(super) struct Ordered {
    pub(super) job: String,
    pub(super) seq: Option<u64>,
    pub(super) state: String,
}

/// What became of a reload.
#[derive(Debug, Deserialize)]
pub(super) struct Reloaded {
    pub(super) added: Vec<String>,
    pub(super) removed: Vec<String>,
    pub(super) changed: Vec<String>,
}

#[derive(Deserialize)]
struct Items {
    next: Option<u64>,
    #[serde(alias = "conflicts", alias = "problems")]
    items: Vec<Item>,
}

#[derive(Deserialize)]
struct Decided {
    seq: u64,
}

/// A page of the journal.
#[derive(Debug, Deserialize)]
pub(super) struct Page {
    pub(super) journal: String,
    pub(super) head: u64,
    pub(super) next: u64,
    messages: Vec<Message>,
}

#[derive(Debug, Deserialize)]
struct Message {
    body: Value,
}

impl Page {
    /// The events, as a journal at rest gives them.
    pub(super) fn events(self) -> impl Iterator<Item = Value> {
        self.messages.into_iter().map(|message| event(message.body))
    }
}

/// An event without what tells its journal.
pub(super) fn event(mut body: Value) -> Value {
    if let Some(fields) = body.as_object_mut() {
        for key in ["v", "job", "journal"] {
            // An event about the job itself has a field of that name.
            if key != "job"
                || fields
                    .get("type")
                    .is_none_or(|kind| kind != "root_configured")
            {
                fields.remove(key);
            }
        }
    }
    body
}

impl Daemon {
    pub(super) async fn rows(&mut self) -> Result<Vec<Row>, Refused> {
        let rows: Rows<Row> = self.ask("job.list", json!({})).await?;
        Ok(rows.jobs)
    }

    pub(super) async fn status(&mut self, job: &str) -> Result<Status, Refused> {
        let rows: Rows<Status> = self.ask("job.status", json!({"job": job})).await?;
        let one = rows.jobs.into_iter().next();
        one.ok_or_else(|| Refused::Nonsense("no status".to_owned()))
    }

    /// Lists what waits for a decision and what differs on purpose.
    pub(super) async fn held(&mut self, job: &str) -> Result<Vec<Item>, Refused> {
        self.items("conflict.list", job, usize::MAX).await
    }

    /// Lists what cannot be synced: at least `enough`, or all.
    pub(super) async fn problems(
        &mut self,
        job: &str,
        enough: usize,
    ) -> Result<Vec<Item>, Refused> {
        self.items("problem.list", job, enough).await
    }

    async fn items(
        &mut self,
        method: &str,
        job: &str,
        enough: usize,
    ) -> Result<Vec<Item>, Refused> {
        let mut found = Vec::new();
        let mut from = 0;
        loop {
            let limit = enough.clamp(1, PAGE_ITEMS);
            let params = json!({"job": job, "from": from, "limit": limit});
            let page: Items = self.ask(method, params).await?;
            found.extend(page.items);
            match page.next {
                Some(next) if next > from && found.len() < enough => from = next,
                _ => return Ok(found),
            }
        }
    }

    /// Orders something of one job, or of all.
    pub(super) async fn order(
        &mut self,
        method: &str,
        job: Option<&str>,
        by: &str,
    ) -> Result<Vec<Ordered>, Refused> {
        let rows: Rows<Ordered> = self.ask(method, whom(job, by)).await?;
        Ok(rows.jobs)
    }

    pub(super) async fn reload(
        &mut self,
        job: Option<&str>,
        by: &str,
    ) -> Result<Reloaded, Refused> {
        self.ask("job.reload", whom(job, by)).await
    }

    /// Releases this halt and no other. Returns the event's number.
    pub(super) async fn approve(&mut self, job: &str, halt: u64, by: &str) -> Result<u64, Refused> {
        let params = json!({"job": job, "halt": halt, "by": by});
        let decided: Decided = self.ask("halt.approve", params).await?;
        Ok(decided.seq)
    }

    /// Decides a conflict. Returns the event's number.
    pub(super) async fn resolve(
        &mut self,
        job: &str,
        path: &str,
        keep: &str,
        by: &str,
    ) -> Result<u64, Refused> {
        let params = json!({"job": job, "path": path, "keep": keep, "by": by});
        let decided: Decided = self.ask("conflict.resolve", params).await?;
        Ok(decided.seq)
    }

    pub(super) async fn page(
        &mut self,
        job: &str,
        from: u64,
        limit: usize,
    ) -> Result<Page, Refused> {
        let params = json!({"job": job, "from": from, "limit": limit, "topics": ["journal"]});
        self.ask("journal.read", params).await
    }

    /// Returns what happened to a path.
    pub(super) async fn explain(&mut self, job: &str, path: &str) -> Result<Explanation, Refused> {
        self.ask("explain", json!({"job": job, "path": path})).await
    }
}

fn whom(job: Option<&str>, by: &str) -> Value {
    let mut params = json!({"by": by});
    if let Some(job) = job {
        params["job"] = job.into();
    }
    params
}

const PAGE_ITEMS: usize = 1000;
