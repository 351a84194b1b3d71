//! Answers commands: the old client's words and JSON-RPC.
//!
//! In: frames from strangers. Out: one reply each, and orders to the supervisor.
//! Invariants: whatever comes in gets a reply; a reply is bounded; only what a job's
//! loop alone knows waits for it, and not for ever. Watched by the tables in `tests`.
//! Deliberately absent: sockets, threads. CRASH: replies are lost; orders that were
//! journaled are not. A new method: `request`, an arm of [`Desk::answer`], a row in
//! `PROTOCOL.md`.

mod copies;
pub mod explain;
mod fault;
mod pages;
mod request;
#[cfg(test)]
mod tests;

use super::stream::{is_resting, status};
use super::supervisor::{Supervisor, View};
use super::{Control, Lists};
use crate::ports::{Command, CommandSource};
use copies::Copies;
use fault::{BUSY, Fault, NOTHING_THERE, REFUSED};
use futures::StreamExt;
use futures::channel::oneshot;
use futures::future::{Either, join_all, select};
use futures::stream::FuturesUnordered;
use journal_format::event::Order;
use request::{Asked, Call, Listing, Request, Word};
use serde_json::{Value, json};
use std::pin::pin;
use sync_core::engine::Remark;

/// What of the program itself can be asked or changed.
pub trait Program {
    /// Returns the release.
    fn version(&self) -> &str;

    /// Returns the process's number.
    fn pid(&self) -> u32;

    /// Changes what is logged.
    ///
    /// # Errors
    /// Why it could not be changed.
    fn set_log_level(&self, level: &str) -> Result<(), String>;
}

/// What a method gives.
enum Answer {
    /// A value.
    Value(Value),
    /// A value as text: pages of a journal are never put together as a tree.
    Text(String),
}

/// Where commands are answered.
pub struct Desk<'a> {
    supervisor: &'a Supervisor<'a>,
    program: &'a dyn Program,
    copies: Copies,
}

impl<'a> Desk<'a> {
    /// Makes the desk.
    #[must_use]
    pub fn new(supervisor: &'a Supervisor<'a>, program: &'a dyn Program) -> Self {
        Self {
            supervisor,
            program,
            copies: Copies::default(),
        }
    }

    /// Answers until no more commands can come.
    pub async fn serve(&self, commands: &mut dyn CommandSource) {
        let mut answers = FuturesUnordered::new();
        loop {
            if answers.len() >= ANSWERS_MAX {
                answers.next().await;
                continue;
            }
            let woken = {
                let next = commands.next();
                let idle = pin!(self.idle(&mut answers));
                match select(next, idle).await {
                    Either::Left((command, _)) => Some(command),
                    Either::Right(_) => None,
                }
            };
            match woken {
                Some(Some(command)) => answers.push(self.take(command)),
                Some(None) => return,
                None => {}
            }
        }
    }

    /// Waits for an answer that is under way, or until copies have to go.
    async fn idle(&self, answers: &mut FuturesUnordered<impl Future<Output = ()>>) {
        let clock = self.supervisor.clock();
        let Some(deadline) = self.copies.expire(clock.now()) else {
            if answers.next().await.is_none() {
                std::future::pending::<()>().await;
            }
            return;
        };
        let timer = clock.sleep_until(deadline);
        if answers.is_empty() {
            timer.await;
        } else {
            select(answers.next(), timer).await;
        }
    }

    async fn take(&self, command: Command) {
        let reply = self.reply(&command.body).await;
        command.reply.send(reply);
    }

    /// Answers one frame.
    pub async fn reply(&self, body: &[u8]) -> Vec<u8> {
        match request::parse(body) {
            Asked::Word(word) => self.word(word).await.into_bytes(),
            Asked::Single(call) => {
                let reply = self.call(call).await;
                reply.map_or_else(Vec::new, String::into_bytes)
            }
            Asked::Batch(calls) => self.batch(calls).await,
        }
    }

    async fn batch(&self, calls: Vec<Call>) -> Vec<u8> {
        let mut replies: Vec<String> = Vec::new();
        let mut bytes = 0;
        for call in calls {
            let call = if bytes > REPLY_BYTES_MAX {
                let message = "the reply is full; ask for the rest in another request";
                let request = Err(Fault::new(BUSY, message));
                Call { request, ..call }
            } else {
                call
            };
            let reply = self.call(call).await;
            bytes += reply.as_ref().map_or(0, String::len);
            replies.extend(reply);
        }
        if replies.is_empty() {
            Vec::new()
        } else {
            format!("[{}]", replies.join(",")).into_bytes()
        }
    }

    async fn call(&self, call: Call) -> Option<String> {
        let answer = match call.request {
            Ok(request) => self.answer(request).await,
            Err(fault) => Err(fault),
        };
        let id = call.id?;
        Some(match answer {
            Ok(Answer::Value(result)) => {
                json!({"jsonrpc": "2.0", "id": id, "result": result}).to_string()
            }
            Ok(Answer::Text(result)) => {
                format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{result}}}"#)
            }
            Err(fault) => json!({
                "jsonrpc": "2.0", "id": id,
                "error": error_of(&fault),
            })
            .to_string(),
        })
    }

    async fn word(&self, word: Option<(Word, Option<usize>)>) -> String {
        let Some((word, number)) = word else {
            return "undefined reply".to_owned();
        };
        let views = self.supervisor.views();
        let chosen: Vec<&View> = match number {
            None => views.iter().collect(),
            Some(number) => match views.get(number) {
                Some(view) => vec![view],
                None => return format!("ERROR no job {number}"),
            },
        };
        match word {
            Word::Pause => self.told(&chosen, Order::Pause, "PAUSED").await,
            Word::Start => self.told(&chosen, Order::Start, "RUNNING").await,
            Word::Reload => {
                let one = number.and_then(|_| chosen.first());
                let reloaded = self
                    .supervisor
                    .reload(one.map(|view| view.spec.id.as_str()));
                reloaded.map_or_else(|why| format!("ERROR {why}"), |_| "RELOADED".to_owned())
            }
            Word::ListJobs => {
                let lines = chosen
                    .iter()
                    .map(|view| format!("{} - {}", view.spec.server, view.spec.directory));
                Value::from(lines.collect::<Vec<_>>()).to_string()
            }
            Word::Status if chosen.iter().all(|view| is_resting(view.state)) => "PAUSED".to_owned(),
            Word::Status => "RUNNING".to_owned(),
        }
    }

    /// Gives an order by an old word. What the jobs answer is of no interest to the old
    /// client, but its next `STATUS` is to show that they did.
    async fn told(&self, chosen: &[&View], order: Order, reply: &str) -> String {
        let mut answers = Vec::new();
        for view in chosen {
            match self.supervisor.order(&view.spec.id, order, OLD) {
                Ok(answer) => answers.extend(answer),
                Err(refusal) => return format!("ERROR {}", Fault::from(refusal).message),
            }
        }
        join_all(answers.into_iter().map(|it| self.supervisor.patiently(it))).await;
        reply.to_owned()
    }

    async fn answer(&self, request: Request) -> Result<Answer, Fault> {
        let now = self.supervisor.clock().now();
        let value = match request {
            Request::Version => Ok(json!({
                "version": self.program.version(), "protocol": 1, "pid": self.program.pid(),
            })),
            Request::JobList => {
                let jobs = self.supervisor.views();
                Ok(json!({"jobs": jobs.iter().map(status::listed).collect::<Vec<_>>()}))
            }
            Request::JobStatus(job) => {
                let jobs = self.meant(job.as_deref())?;
                let jobs = jobs.iter().map(|view| status::full(view, now));
                Ok(json!({"jobs": jobs.collect::<Vec<_>>()}))
            }
            Request::Order(order, job, by) => self.order(order, job.as_deref(), &by).await,
            Request::SyncNow(job) => self.sync_now(job.as_deref()),
            Request::Reload(job) => self.reload(job.as_deref()),
            Request::ConflictList(listing) => {
                let (view, lists) = self.lists(&listing.job).await?;
                Ok(listed(
                    &view,
                    &lists,
                    &listing,
                    &lists.held,
                    "conflicts",
                    held,
                ))
            }
            Request::ProblemList(listing) => {
                let (view, lists) = self.lists(&listing.job).await?;
                let all = &lists.problems;
                Ok(listed(&view, &lists, &listing, all, "problems", problem))
            }
            Request::Resolve {
                job,
                path,
                keep,
                by,
            } => {
                let nothing = format!("no conflict waits at `{path}`");
                self.decide(&job, Control::Resolve { path, keep, by }, &nothing)
                    .await
            }
            Request::Approve { job, halt, by } => {
                let control = match halt {
                    Some(halt) => Control::Release { halt, by },
                    None => Control::Approve { by },
                };
                self.decide(&job, control, "the job is not halted by that")
                    .await
            }
            Request::JournalRead {
                job,
                from,
                limit,
                kinds,
            } => return pages::read(&self.supervisor.find(&job)?, from, limit, kinds).await,
            Request::Snapshot { job, copy } => self.snapshot(&job, copy).await,
            Request::Explain { job, path } => {
                explain::explain(&self.supervisor.find(&job)?, &path, now).await
            }
            Request::LogLevel(level) => {
                let set = self.program.set_log_level(&level);
                set.map_err(|why| Fault::new(REFUSED, why))?;
                Ok(json!({"level": level}))
            }
        };
        value.map(Answer::Value)
    }

    /// The job that is named, or all.
    fn meant(&self, job: Option<&str>) -> Result<Vec<View>, Fault> {
        match job {
            Some(name) => Ok(vec![self.supervisor.find(name)?]),
            None => Ok(self.supervisor.views()),
        }
    }

    async fn order(&self, order: Order, job: Option<&str>, by: &str) -> Result<Value, Fault> {
        let mut told = Vec::new();
        for view in self.meant(job)? {
            let answer = self.supervisor.order(&view.spec.id, order, by)?;
            told.push((view.spec.id.clone(), answer));
        }
        let mut jobs = Vec::new();
        for (id, answer) in told {
            let seq = match answer {
                Some(answer) => {
                    let seq = self.supervisor.patiently(answer).await;
                    seq.ok_or_else(Fault::late)?
                }
                None => None,
            };
            jobs.push(self.ordered(&id, seq.map(|seq| seq.0), Some(order)));
        }
        Ok(json!({ "jobs": jobs }))
    }

    /// What an order led to. The state is what it will be, since a job tells its own
    /// a moment later.
    fn ordered(&self, id: &str, seq: Option<u64>, order: Option<Order>) -> Value {
        let view = self.supervisor.find(id);
        let state = view.map_or("stopped", |view| match (order, &view.line) {
            (Some(Order::Pause), Some(_)) => "paused",
            (Some(Order::Stop), _) => "stopped",
            _ => status::state_word(view.state),
        });
        json!({"job": id, "seq": seq, "state": state})
    }

    fn sync_now(&self, job: Option<&str>) -> Result<Value, Fault> {
        let mut jobs = Vec::new();
        for view in self.meant(job)? {
            self.supervisor.sync_now(&view.spec.id)?;
            jobs.push(self.ordered(&view.spec.id, None, None));
        }
        Ok(json!({ "jobs": jobs }))
    }

    fn reload(&self, job: Option<&str>) -> Result<Value, Fault> {
        let job = job.map(|name| self.supervisor.find(name)).transpose()?;
        let id = job.as_ref().map(|view| view.spec.id.as_str());
        let reloaded = self.supervisor.reload(id);
        let reloaded = reloaded.map_err(|why| Fault::new(REFUSED, why))?;
        Ok(json!({
            "added": reloaded.added, "removed": reloaded.removed,
            "changed": reloaded.changed, "kept": reloaded.kept,
        }))
    }

    async fn lists(&self, job: &str) -> Result<(View, Lists), Fault> {
        let view = self.supervisor.find(job)?;
        let (reply, answer) = oneshot::channel();
        self.supervisor.send(&view.spec.id, Control::List(reply))?;
        let lists = self.supervisor.patiently(answer).await;
        Ok((view, lists.ok_or_else(Fault::late)?))
    }

    async fn decide(&self, job: &str, control: Control, nothing: &str) -> Result<Value, Fault> {
        let view = self.supervisor.find(job)?;
        let answer = self.supervisor.ask(&view.spec.id, control)?;
        let seq = self.supervisor.patiently(answer).await;
        let seq = seq.ok_or_else(Fault::late)?;
        let seq = seq.ok_or_else(|| Fault::new(NOTHING_THERE, nothing))?;
        Ok(json!({"job": view.spec.id, "seq": seq.0}))
    }

    async fn snapshot(&self, job: &str, copy: Option<(String, usize)>) -> Result<Value, Fault> {
        let view = self.supervisor.find(job)?;
        let now = self.supervisor.clock().now();
        let Some((name, from)) = copy else {
            if let Some(kept) = self.copies.of(&view, now) {
                return Ok(kept.page(0));
            }
            let (reply, answer) = oneshot::channel();
            self.supervisor.send(&view.spec.id, Control::Copy(reply))?;
            let state = self.supervisor.patiently(answer).await;
            let state = state.ok_or_else(Fault::late)?;
            return Ok(self.copies.keep(&view, state, now)?.page(0));
        };
        Ok(self.copies.named(&view, &name, now)?.page(from))
    }
}

fn listed(
    view: &View,
    lists: &Lists,
    listing: &Listing,
    all: &[Remark],
    key: &str,
    show: fn(&Remark) -> Value,
) -> Value {
    let page = all.iter().skip(listing.from).take(listing.limit);
    let page: Vec<Value> = page.map(show).collect();
    let end = listing.from.saturating_add(page.len());
    json!({
        "job": view.spec.id,
        "seq": lists.seq.0,
        "total": all.len(),
        "next": (end < all.len()).then_some(end),
        key: page,
    })
}

fn error_of(fault: &Fault) -> Value {
    let mut error = json!({"code": fault.code, "message": fault.message});
    if let Some(first) = fault.first {
        error["data"] = json!({"first": first.0});
    }
    error
}

fn held(remark: &Remark) -> Value {
    let kind = match remark.case {
        journal_format::event::Case::V1 => "divergence",
        _ => "conflict",
    };
    json!({"path": remark.path.as_str(), "type": kind, "case": remark.case.letter()})
}

fn problem(remark: &Remark) -> Value {
    json!({
        "path": remark.path.as_str(), "case": remark.case.letter(), "detail": remark.detail,
    })
}

/// Who asks by an old word.
const OLD: &str = "command channel";
/// Answers under way at once.
const ANSWERS_MAX: usize = 64;
/// Beyond this a batch gets no further results.
const REPLY_BYTES_MAX: usize = 4 << 20;
