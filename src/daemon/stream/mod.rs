//! Tells subscribers what happens: projections of the journals, and what is live.
//!
//! In: views of the jobs, their journals. Out: messages on the bus, as `PROTOCOL.md`
//! says. Invariants: messages of one journal leave in its order, after they are
//! durable, from a cursor of our own: nothing queues, a slow subscriber slows only
//! this room, never a job; nothing is read while nobody listens. Deliberately absent:
//! sockets. CRASH: nothing is kept; subscribers read on from the journal.

mod legacy;
pub(crate) mod messages;
mod progress;
pub(crate) mod status;
#[cfg(test)]
mod tests;
pub(crate) mod topic;

use super::supervisor::{State, Supervisor, View};
use crate::ports::{Message, PortError, Progress, Publisher};
use futures::future::select;
use journal_format::event::{FailureClass, Record};
use journal_format::value::{Seq, Timestamp};
use messages::{Kinds, Origin};
use progress::Window;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::pin::pin;
use sync_core::projection::Projector;
use topic::Topics;

/// The publisher of all jobs.
pub struct Stream<'a> {
    bus: &'a dyn Publisher,
    supervisor: &'a Supervisor<'a>,
    /// Whether the old client's channels are served as well.
    is_legacy: bool,
    jobs: BTreeMap<String, Cursor>,
    all: Live,
    next_head: Timestamp,
    next_progress: Timestamp,
    was_paused: Option<bool>,
}

/// Where the publisher is with one job.
#[derive(Default)]
struct Cursor {
    journal: Option<String>,
    next: Seq,
    projector: Projector,
    /// A status that waits until all before it was sent.
    waiting: Option<(Seq, Value)>,
    /// The last status that was sent, without its time.
    told: Option<Value>,
    is_status_wanted: bool,
    live: Live,
    transfers: BTreeMap<Seq, Live>,
}

/// What was told last of something that moves.
#[derive(Default)]
struct Live {
    window: Window,
    told: Option<Progress>,
}

impl<'a> Stream<'a> {
    /// Makes the publisher.
    #[must_use]
    pub fn new(bus: &'a dyn Publisher, supervisor: &'a Supervisor<'a>, is_legacy: bool) -> Self {
        let now = supervisor.clock().now();
        Self {
            bus,
            supervisor,
            is_legacy,
            jobs: BTreeMap::new(),
            all: Live::default(),
            next_head: now,
            next_progress: now,
            was_paused: None,
        }
    }

    /// Publishes for ever; dropping the call ends it.
    pub async fn run(&mut self) {
        loop {
            let views = self.supervisor.views();
            if self.turn(&views).await {
                continue;
            }
            let is_moving = views.iter().any(|view| view.state == State::Syncing);
            let next = if is_moving && self.bus.has_subscribers() {
                self.next_progress.min(self.next_head)
            } else {
                self.next_head
            };
            let rung = pin!(self.supervisor.bells().stream.rung());
            select(rung, self.supervisor.clock().sleep_until(next)).await;
        }
    }

    /// Sends what there is, a page of each journal at most. Tells whether there may
    /// be more.
    async fn turn(&mut self, views: &[View]) -> bool {
        let is_known = |id: &String| views.iter().any(|view| view.spec.id == *id);
        self.jobs.retain(|id, _| is_known(id));
        let mut moved = false;
        for view in views {
            let id = view.spec.id.clone();
            let mut cursor = self.jobs.remove(&id).unwrap_or_default();
            moved |= self.follow(view, &mut cursor).await;
            self.tell_status(view, &mut cursor).await;
            self.jobs.insert(id, cursor);
        }
        self.tell_old_client(views);
        self.tell_live(views).await;
        moved
    }

    async fn follow(&self, view: &View, cursor: &mut Cursor) -> bool {
        let Some(open) = view.journal() else {
            return false;
        };
        let journal = open.reader.id();
        if cursor.journal.as_ref() != Some(&journal) {
            cursor.next = open.opened_at.next();
            cursor.projector = Projector::default();
            cursor.journal = Some(journal.clone());
        }
        let head = open.reader.head();
        if cursor.next > head {
            return false;
        }
        if !self.bus.has_subscribers() {
            cursor.next = head.next();
            cursor.projector = Projector::default();
            return false;
        }
        let page = match open.reader.read(cursor.next, PAGE_RECORDS).await {
            Ok(page) => page,
            Err(error) => return unreadable(&error, cursor, head),
        };
        let origin = Origin {
            job: &view.spec.id,
            journal: Some(&journal),
        };
        let topics = Topics::of(&view.spec.id);
        for record in &page {
            if let Some(start) = cursor.projector.missing(record)
                && let Ok(found) = open.reader.read(start, 1).await
            {
                found
                    .iter()
                    .for_each(|start| cursor.projector.remember(start));
            }
            self.tell_record(origin, &topics, record, &mut cursor.projector)
                .await;
            cursor.next = record.seq.next();
        }
        !page.is_empty()
    }

    async fn tell_record(
        &self,
        origin: Origin<'_>,
        topics: &Topics,
        record: &Record,
        projector: &mut Projector,
    ) {
        let projected = projector.project(record);
        let is_wanted = |topic: &str| self.bus.is_wanted(topic);
        let made = messages::messages(origin, topics, record, &projected, Kinds::ALL, is_wanted);
        let old = projected.notification().filter(|_| self.is_legacy);
        if let Some(sentence) = old.and_then(|told| legacy::sentence(&told)) {
            self.bus.publish_text(&sentence);
        }
        for (topic, body) in made {
            self.send(topic, record.seq, body).await;
        }
    }

    async fn publish(&self, topic: String, seq: Seq, body: &Value) {
        self.send(topic, seq, body.to_string()).await;
    }

    async fn send(&self, topic: String, seq: Seq, body: String) {
        let message = Message {
            topic,
            seq: seq.0,
            body: body.into_bytes(),
        };
        self.bus.publish(message).await;
    }

    /// A status is sent after all that came before it; the newest one waits while an
    /// older one does.
    async fn tell_status(&self, view: &View, cursor: &mut Cursor) {
        let now = self.supervisor.clock().now();
        if cursor.waiting.is_none() {
            let (seq, body) = status::status(view, now);
            let bare = without_time(body.clone());
            if cursor.told.as_ref() != Some(&bare) {
                cursor.told = Some(bare);
                cursor.waiting = Some((seq, body));
            }
        }
        let is_due = |seq: Seq| view.line.is_none() || cursor.next > seq;
        if let Some((seq, body)) = cursor.waiting.take_if(|(seq, _)| is_due(*seq)) {
            let topic = Topics::of(&view.spec.id).status();
            if self.bus.is_wanted(&topic) {
                self.publish(topic, seq, &body).await;
            }
        }
    }

    fn tell_old_client(&mut self, views: &[View]) {
        if !self.is_legacy || views.is_empty() {
            return;
        }
        let is_paused = views.iter().all(|view| is_resting(view.state));
        if self.was_paused.is_some_and(|was| was != is_paused) {
            self.bus.publish_text(legacy::paused(is_paused));
        }
        self.was_paused = Some(is_paused);
    }

    async fn tell_live(&mut self, views: &[View]) {
        let now = self.supervisor.clock().now();
        if now >= self.next_progress {
            self.next_progress = now.plus_millis(PROGRESS_MS);
            if self.bus.has_subscribers() {
                self.tell_progress(views, now).await;
            }
        }
        if now < self.next_head {
            return;
        }
        self.next_head = now.plus_millis(HEAD_MS);
        for view in views {
            let topics = Topics::of(&view.spec.id);
            // Whoever subscribes hears how the job stands within one of these.
            let is_status_wanted = self.bus.is_wanted(&topics.status());
            if let Some(cursor) = self.jobs.get_mut(&view.spec.id) {
                if is_status_wanted && !cursor.is_status_wanted {
                    cursor.told = None;
                    self.supervisor.bells().stream.ring();
                }
                cursor.is_status_wanted = is_status_wanted;
            }
            let Some(open) = view.journal() else { continue };
            if !self.bus.is_wanted(&topics.head()) {
                continue;
            }
            let journal = open.reader.id();
            let origin = Origin {
                job: &view.spec.id,
                journal: Some(&journal),
            };
            let body = messages::with(
                messages::envelope(origin, Seq::ZERO, now, "head"),
                json!({"head": open.reader.head().0}),
            );
            self.publish(topics.head(), Seq::ZERO, &body).await;
        }
    }

    async fn tell_progress(&mut self, views: &[View], now: Timestamp) {
        let mut all = Progress::default();
        for view in views {
            let Some(line) = &view.line else { continue };
            let one = line.progress();
            progress::add(&mut all, &one);
            let Some(mut cursor) = self.jobs.remove(&view.spec.id) else {
                continue;
            };
            let journal = cursor.journal.clone();
            let origin = Origin {
                job: &view.spec.id,
                journal: journal.as_deref(),
            };
            let topics = Topics::of(&view.spec.id);
            if let Some(body) = cursor.live.tell(Some(origin), now, one)
                && self.bus.is_wanted(&topics.progress())
            {
                self.publish(topics.progress(), Seq::ZERO, &body).await;
            }
            self.tell_transfers(view, origin, &topics, &mut cursor.transfers)
                .await;
            self.jobs.insert(view.spec.id.clone(), cursor);
        }
        if let Some(body) = self.all.tell(None, now, all)
            && self.bus.is_wanted(topic::GENERAL_PROGRESS)
        {
            let topic = topic::GENERAL_PROGRESS.to_owned();
            self.publish(topic, Seq::ZERO, &body).await;
        }
    }

    /// Transfers that were under way before already: short ones tell by their end.
    async fn tell_transfers(
        &self,
        view: &View,
        origin: Origin<'_>,
        topics: &Topics,
        known: &mut BTreeMap<Seq, Live>,
    ) {
        let now = self.supervisor.clock().now();
        let Some(line) = &view.line else { return };
        let open = line.transfers();
        known.retain(|id, _| open.iter().any(|(open, _)| open == id));
        for (id, transfer) in open.iter().take(TRANSFERS_MAX) {
            let Some(moved) = transfer.moved() else {
                continue;
            };
            let topic = topics.transfer(*id);
            let is_old = known.contains_key(id);
            let live = known.entry(*id).or_default();
            let pace = live.window.pace(now, moved, transfer.total);
            let progress = Progress {
                bytes_done: moved,
                ..Progress::default()
            };
            let is_new = live.told.replace(progress) != Some(progress);
            if is_old && is_new && self.bus.is_wanted(&topic) {
                let body = progress::transfer(origin, now, (*id, transfer), moved, pace);
                self.publish(topic, Seq::ZERO, &body).await;
            }
        }
    }
}

impl Live {
    /// The message about counts that changed; nothing if they did not.
    fn tell(
        &mut self,
        origin: Option<Origin<'_>>,
        now: Timestamp,
        counts: Progress,
    ) -> Option<Value> {
        let pace = self.window.pace(now, counts.bytes_done, counts.bytes_total);
        (self.told.replace(counts) != Some(counts))
            .then(|| progress::job(origin, now, &counts, pace))
    }
}

/// A journal that was closed is read on when it opens again; a damaged page is left
/// to whoever asks for it.
fn unreadable(error: &PortError, cursor: &mut Cursor, head: Seq) -> bool {
    if error.class == FailureClass::Fatal {
        tracing::error!("not published: {error}");
        cursor.next = head.next();
    }
    false
}

fn without_time(mut body: Value) -> Value {
    if let Value::Object(fields) = &mut body {
        fields.remove("time");
    }
    body
}

/// Tells whether the old client would call a state paused.
pub(crate) const fn is_resting(state: State) -> bool {
    matches!(state, State::Paused | State::Stopped)
}

/// Records that are read at a time.
const PAGE_RECORDS: usize = 512;
/// How often the head is told, in ms.
const HEAD_MS: i64 = 5_000;
/// The least time between two messages about one progress, in ms.
const PROGRESS_MS: i64 = 200;
/// Transfers of one job whose progress is told.
const TRANSFERS_MAX: usize = 100;
