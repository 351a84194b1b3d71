//! Pretend jobs, clock and journal, for the tests of the rooms around jobs.

use super::{Frequency, Host, Line, Spec, Trouble};
use crate::daemon::{Control, Mode};
use crate::ports::{Clock, JournalReader, PortResult};
use futures::channel::mpsc;
use futures::future::{BoxFuture, LocalBoxFuture};
use journal_format::event::Record;
use journal_format::value::{Direction, Seq, Timestamp};
use std::cell::{Cell, RefCell};
use std::sync::{Arc, Mutex};

/// A clock that stands still until it is set. Waits end when somebody looks again.
#[derive(Default)]
pub(crate) struct StillClock(pub(crate) Cell<i64>);

impl StillClock {
    pub(crate) fn pass(&self, millis: i64) {
        self.0.set(self.0.get() + millis);
    }
}

impl Clock for StillClock {
    fn now(&self) -> Timestamp {
        Timestamp(self.0.get())
    }

    fn sleep_until(&self, deadline: Timestamp) -> LocalBoxFuture<'_, ()> {
        if deadline <= self.now() {
            Box::pin(async {})
        } else {
            Box::pin(std::future::pending())
        }
    }

    fn random(&self) -> u64 {
        4
    }
}

/// A run that the supervisor started.
pub(crate) struct Started {
    pub(crate) id: String,
    pub(crate) mode: Mode,
    pub(crate) line: Arc<Line>,
    pub(crate) orders: mpsc::Receiver<Control>,
}

/// A host whose jobs do what a test says.
#[derive(Default)]
pub(crate) struct PretendHost {
    pub(crate) file: RefCell<Option<Result<Vec<Spec>, String>>>,
    pub(crate) started: RefCell<Vec<Started>>,
    pub(crate) told: RefCell<Vec<String>>,
}

impl PretendHost {
    /// Takes the run that was started last for a job.
    pub(crate) fn take(&self, id: &str) -> Option<Started> {
        let mut started = self.started.borrow_mut();
        let place = started.iter().rposition(|run| run.id == id)?;
        Some(started.remove(place))
    }
}

impl Host for PretendHost {
    fn start(&self, id: &str, mode: Mode, line: Arc<Line>, orders: mpsc::Receiver<Control>) {
        self.started.borrow_mut().push(Started {
            id: id.to_owned(),
            mode,
            line,
            orders,
        });
    }

    fn reload(&self) -> Result<Vec<Spec>, String> {
        self.file.borrow().clone().expect("a test sets the file")
    }

    fn next_time(&self, now: Timestamp, hour: u8, _: u8) -> Timestamp {
        now.plus_millis(i64::from(hour) * 3_600_000)
    }

    fn troubled(&self, label: &str, trouble: &Trouble) {
        let line = format!("{label}: {}", trouble.reason);
        self.told.borrow_mut().push(line);
    }
}

/// A job with these settings; `settings` stands for all that could change.
pub(crate) fn spec(id: &str, frequency: Frequency, settings: &str) -> Spec {
    Spec {
        id: id.to_owned(),
        label: format!("The {id}"),
        server: format!("/far/{id}"),
        directory: format!("/near/{id}"),
        remote_folder: "/".to_owned(),
        direction: Direction::Bi,
        frequency,
        fingerprint: settings.to_owned(),
    }
}

/// A journal in memory.
#[derive(Default)]
pub(crate) struct Memory(pub(crate) Mutex<Vec<Record>>);

impl Memory {
    pub(crate) fn push(&self, record: Record) {
        self.0.lock().expect("no panic while locked").push(record);
    }
}

impl JournalReader for Memory {
    fn id(&self) -> String {
        "00112233445566778899aabbccddeeff".to_owned()
    }

    fn head(&self) -> Seq {
        let records = self.0.lock().expect("no panic while locked");
        records.last().map_or(Seq::ZERO, |last| last.seq)
    }

    fn read(&self, from: Seq, limit: usize) -> BoxFuture<'static, PortResult<Vec<Record>>> {
        let records = self.0.lock().expect("no panic while locked");
        let page = records.iter().filter(|record| record.seq >= from);
        let page = page.take(limit).cloned().collect();
        Box::pin(async move { Ok(page) })
    }
}
