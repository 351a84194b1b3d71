//! What is sent, against the page that promises it.

use super::*;
use crate::daemon::supervisor::kit::{Memory, PretendHost, StillClock, spec};
use crate::daemon::supervisor::{Frequency, Spec};
use crate::ports::{Clock, Observer, Phase, Status};
use futures::future::LocalBoxFuture;
use futures::{FutureExt, StreamExt};
use journal_format::event::{
    Action, Case, ConflictEvent, Displaced, Event, Expected, HaltReason, ObservationEvent,
    Operation, OperationEvent, Outcome, SessionEvent,
};
use journal_format::value::{Entry, Fingerprint, Kind, RelPath, Side};
use std::cell::{Cell, RefCell};
use std::sync::Arc;
use sync_core::engine::Standing;
use sync_core::state::Halt;

const PAGE: &str = include_str!("../PROTOCOL.md");

/// The examples of the page under a name.
fn examples(name: &str) -> Vec<Value> {
    let opening = format!("```json {name}\n");
    let blocks = PAGE.split(opening.as_str()).skip(1);
    blocks
        .map(|block| {
            let text = block.split("```").next().expect("an end");
            serde_json::from_str(text).unwrap_or_else(|error| panic!("{name}: {error}"))
        })
        .collect()
}

/// A bus that remembers, for subscribers to everything but one prefix.
#[derive(Default)]
struct Heard {
    is_deaf: Cell<bool>,
    unwanted: RefCell<Option<String>>,
    messages: RefCell<Vec<Message>>,
    texts: RefCell<Vec<String>>,
}

impl Publisher for Heard {
    fn has_subscribers(&self) -> bool {
        !self.is_deaf.get()
    }

    fn is_wanted(&self, topic: &str) -> bool {
        let unwanted = self.unwanted.borrow();
        !self.is_deaf.get()
            && unwanted
                .as_ref()
                .is_none_or(|prefix| !topic.starts_with(prefix))
    }

    fn publish(&self, message: Message) -> LocalBoxFuture<'_, ()> {
        self.messages.borrow_mut().push(message);
        Box::pin(async {})
    }

    fn publish_text(&self, text: &str) {
        self.texts.borrow_mut().push(text.to_owned());
    }
}

impl Heard {
    fn take(&self) -> Vec<(String, u64, Value)> {
        let messages = std::mem::take(&mut *self.messages.borrow_mut());
        messages
            .into_iter()
            .map(|it| {
                (
                    it.topic,
                    it.seq,
                    serde_json::from_slice(&it.body).expect("JSON"),
                )
            })
            .collect()
    }
}

fn path(text: &str) -> RelPath {
    RelPath::new(text).expect("a path")
}

fn print(kind: Kind, size: u64) -> Fingerprint {
    Fingerprint {
        kind,
        size,
        mtime_ns: 0,
        identity: None,
        version: None,
    }
}

fn record(seq: u64, event: Event) -> Record {
    let time = Timestamp(1_760_000_000_000 + i64::try_from(seq).expect("small"));
    Record {
        seq: Seq(seq),
        time,
        event,
    }
}

fn started(seq: u64, action: Action) -> Record {
    let operation = Operation {
        case: Case::U1,
        action,
    };
    record(seq, Event::Operation(OperationEvent::Started { operation }))
}

fn succeeded(seq: u64, bytes: u64) -> Record {
    let outcome = Outcome {
        bytes,
        ..Outcome::default()
    };
    let operation = Seq(seq - 1);
    record(
        seq,
        Event::Operation(OperationEvent::Succeeded { operation, outcome }),
    )
}

fn upload(target: &str, size: u64) -> Action {
    Action::Transfer {
        from: Side::Local,
        source: path(target),
        expect: Entry {
            fingerprint: print(Kind::File, size),
            digest: None,
        },
        target: path(target),
        replaces: Expected::Absent,
        displaced: Displaced::Discard,
    }
}

/// The journal of the page: events 121 to 128, and those before it.
fn journal() -> Vec<Record> {
    let before = (1..=120).map(|seq| record(seq, Event::Session(SessionEvent::SessionStopped)));
    let failed = OperationEvent::Failed {
        operation: Seq(123),
        class: FailureClass::Retry,
        detail: "the server is overloaded".to_owned(),
        retry_at: Some(Timestamp(1_760_000_001_124)),
    };
    let moved = Action::Move {
        side: Side::Local,
        from: path("letters/old"),
        to: path("letters/new"),
        expect: print(Kind::Directory, 0),
    };
    let raised = ConflictEvent::Raised {
        local: path("letters/c.txt"),
        remote: path("letters/c.txt"),
        case: Case::C1,
    };
    let gone = ObservationEvent::Gone {
        side: Side::Local,
        path: path("letters/d.txt"),
        epoch: 3,
    };
    before
        .chain([
            started(121, upload("letters/a.txt", 4096)),
            succeeded(122, 4096),
            started(123, upload("letters/b.txt", 10)),
            record(124, Event::Operation(failed)),
            started(125, moved),
            succeeded(126, 0),
            record(127, Event::Conflict(raised)),
            record(128, Event::Observation(gone)),
        ])
        .collect()
}

fn docs() -> Spec {
    Spec {
        label: "Documents".to_owned(),
        server: "/mnt/disk/documents".to_owned(),
        directory: "/home/ada/Documents".to_owned(),
        ..spec("docs", Frequency::Auto, "")
    }
}

/// A job whose journal is the page's, in a supervisor that just started it.
struct Desk {
    host: PretendHost,
    clock: StillClock,
    bus: Heard,
    memory: Arc<Memory>,
}

impl Desk {
    fn new() -> Self {
        let clock = StillClock::default();
        clock.0.set(1_760_000_000_128);
        Self {
            host: PretendHost::default(),
            clock,
            bus: Heard::default(),
            memory: Arc::default(),
        }
    }

    fn supervisor(&self) -> Supervisor<'_> {
        let supervisor = Supervisor::new(&self.host, &self.clock, vec![docs()]);
        let ended = supervisor
            .run(futures::stream::pending().boxed_local())
            .now_or_never();
        assert_eq!(ended, None, "it runs on");
        supervisor
    }

    /// Plays the page's journal to its end, and returns what was heard.
    fn played(&self) -> Vec<(String, u64, Value)> {
        let supervisor = self.supervisor();
        let run = self.host.take("docs").expect("it runs");
        let mut stream = Stream::new(&self.bus, &supervisor, false);
        run.line.opened(Arc::clone(&self.memory) as Arc<_>);
        self.turn(&mut stream, &supervisor);
        let records = journal().into_iter();
        records.for_each(|record| self.memory.push(record));
        while self.turn(&mut stream, &supervisor) {}
        self.bus.take()
    }

    fn turn(&self, stream: &mut Stream<'_>, supervisor: &Supervisor<'_>) -> bool {
        let moved = stream.turn(&supervisor.views()).now_or_never();
        moved.expect("nothing has to be waited for")
    }
}

fn status(seq: u64, phase: Phase) -> Status {
    Status {
        phase,
        standing: Standing::default(),
        seq: Seq(seq),
        changed: Some(Timestamp(1_760_000_000_126)),
    }
}

#[test]
fn the_messages_of_a_journal_are_those_of_the_page() {
    let desk = Desk::new();
    let heard = desk.played();

    let seqs = heard.iter().filter(|(topic, ..)| topic == "journal.docs");
    let seqs: Vec<u64> = seqs.map(|(_, seq, _)| *seq).collect();
    assert_eq!(seqs, (1..=128).collect::<Vec<_>>(), "each once, in order");
    let in_order = heard
        .iter()
        .filter(|(topic, ..)| !topic.starts_with("live."));
    let in_order: Vec<u64> = in_order
        .map(|(_, seq, _)| *seq)
        .filter(|seq| *seq > 0)
        .collect();
    assert!(in_order.is_sorted());
    for name in [
        "journal.docs",
        "task.docs.121",
        "task.docs.123",
        "notify.docs.remote",
        "notify.docs.local",
        "live.head.docs",
    ] {
        let examples = examples(name);
        assert!(!examples.is_empty(), "{name}");
        for mut example in examples {
            if name == "live.head.docs" {
                // It was told when the journal was still empty.
                example["head"] = 0.into();
            }
            let sent = heard.iter().any(|(topic, seq, body)| {
                topic == name && example["seq"] == *seq && *body == example
            });
            assert!(sent, "{name} {example}");
        }
    }
}

#[test]
fn how_a_job_stands_is_told_as_on_the_page_after_all_that_came_before() {
    let desk = Desk::new();
    let supervisor = desk.supervisor();
    let run = desk.host.take("docs").expect("it runs");
    let mut stream = Stream::new(&desk.bus, &supervisor, false);
    run.line.opened(Arc::clone(&desk.memory) as Arc<_>);
    desk.turn(&mut stream, &supervisor);
    run.line.stands(&status(128, Phase::Synced));
    desk.turn(&mut stream, &supervisor);
    let told = desk.bus.take();
    let synced = |(topic, _, body): &(String, u64, Value)| {
        topic == "status.docs" && body["state"] == "synced"
    };
    assert!(!told.iter().any(synced), "before its events: {told:?}");
    journal()
        .into_iter()
        .for_each(|record| desk.memory.push(record));
    while desk.turn(&mut stream, &supervisor) {}
    let told = desk.bus.take();
    let place = told.iter().position(synced).expect("it is told");
    assert!(
        told[..place].iter().any(|(_, seq, _)| *seq == 128),
        "after its events"
    );

    let view = supervisor.find("docs").expect("a job");
    let now = desk.clock.now();
    let mut full = status::full(&view, now);
    let mut shown = examples("STATUS").remove(0);
    shown["since"] = full["since"].take();
    full["since"] = shown["since"].clone();
    assert_eq!(full, shown);
    assert_eq!(status::listed(&view), examples("JOB").remove(0));
    let keys = |value: &Value| {
        let fields = value.as_object().expect("an object");
        fields.keys().cloned().collect::<Vec<_>>()
    };
    assert_eq!(
        keys(&status::status(&view, now).1),
        keys(&examples("status.docs")[0])
    );
    let halt = Halt {
        seq: Seq(118),
        reason: HaltReason::TooManyDeletions,
        side: Side::Remote,
        count: 41,
        plan: [0; 16],
    };
    assert_eq!(status::halt(&halt), examples("halt").remove(0));
}

#[test]
fn while_nobody_listens_nothing_is_read_and_whoever_comes_hears_what_follows() {
    let desk = Desk::new();
    desk.bus.is_deaf.set(true);
    let supervisor = desk.supervisor();
    let run = desk.host.take("docs").expect("it runs");
    let mut stream = Stream::new(&desk.bus, &supervisor, true);
    run.line.opened(Arc::clone(&desk.memory) as Arc<_>);
    let mut records = journal().into_iter();
    records
        .by_ref()
        .take(121)
        .for_each(|record| desk.memory.push(record));
    assert!(!desk.turn(&mut stream, &supervisor));
    assert!(desk.bus.take().is_empty());

    desk.bus.is_deaf.set(false);
    records
        .by_ref()
        .take(1)
        .for_each(|record| desk.memory.push(record));
    while desk.turn(&mut stream, &supervisor) {}
    let heard = desk.bus.take();
    let told = heard
        .iter()
        .filter(|(topic, ..)| !topic.starts_with("live."));
    let topics: Vec<&str> = told.map(|(topic, ..)| topic.as_str()).collect();
    let expected = ["journal.docs", "task.docs.121", "notify.docs.remote"];
    assert_eq!(topics, expected, "the start of the operation was fetched");
    let sentence = "sync letters/a.txt ===============> letters/a.txt";
    assert_eq!(*desk.bus.texts.borrow(), [sentence]);
}

#[test]
fn what_nobody_wants_is_not_made() {
    let desk = Desk::new();
    *desk.bus.unwanted.borrow_mut() = Some("journal.".to_owned());
    let heard = desk.played();
    assert!(heard.iter().any(|(topic, ..)| topic.starts_with("task.")));
    assert!(
        !heard
            .iter()
            .any(|(topic, ..)| topic.starts_with("journal."))
    );
}

#[test]
fn progress_has_a_rate_over_the_last_seconds() {
    let mut window = Window::default();
    let table = [
        (0, 0, 0, None),
        (1_000, 81_920, 81_920, Some(3_000)),
        (2_000, 163_840, 81_920, Some(2_000)),
        (9_000, 163_840, 0, None),
        (10_000, 100, 0, None),
    ];
    for (now, done, rate, eta_ms) in table {
        let pace = window.pace(Timestamp(now), done, 327_680);
        assert_eq!((pace.rate, pace.eta_ms), (rate, eta_ms), "at {now}");
    }
    let origin = Origin {
        job: "docs",
        journal: Some("00112233445566778899aabbccddeeff"),
    };
    let progress = Progress {
        scanned: 1200,
        items_done: 40,
        items_total: 100,
        bytes_done: 163_840,
        bytes_total: 409_600,
        since: Timestamp(0),
    };
    let pace = progress::Pace {
        rate: 81_920,
        eta_ms: Some(3_000),
    };
    let shown = examples("live.progress.docs").remove(0);
    let now = Timestamp(1_760_000_000_128);
    assert_eq!(progress::job(Some(origin), now, &progress, pace), shown);
}

#[test]
fn a_dot_always_separates_the_parts_of_a_topic() {
    let table = [
        ("docs", "status.docs"),
        ("a.b", "status.a%2eb"),
        ("é /", "status.%c3%a9%20%2f"),
        ("A-z_0", "status.A-z_0"),
    ];
    for (job, topic) in table {
        assert_eq!(Topics::of(job).status(), topic);
    }
}
