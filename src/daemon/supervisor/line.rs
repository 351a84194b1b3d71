//! What a job's thread tells the supervisor, and the supervisor's publisher.
//!
//! In: a job's observer calls. Out: the latest of each thing told. Invariant: a job
//! never waits for whoever looks on, and nothing queues: newer replaces older.
//! Records do not pass here; the publisher reads them from the journal. CRASH:
//! nothing is kept.

use crate::daemon::Report;
use crate::ports::{JournalReader, Observer, Progress, Status};
use futures::task::AtomicWaker;
use journal_format::event::{Operation, Record};
use journal_format::value::{RelPath, Seq};
use std::collections::BTreeMap;
use std::future::poll_fn;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::Poll;
use sync_core::projection;

/// Wakes one listener, from any thread.
#[derive(Debug, Default)]
pub struct Bell {
    waker: AtomicWaker,
    is_rung: AtomicBool,
}

impl Bell {
    /// Wakes the listener, now or when it next listens.
    pub fn ring(&self) {
        if !self.is_rung.swap(true, Ordering::AcqRel) {
            self.waker.wake();
        }
    }

    /// Waits until somebody rang since the last time.
    pub async fn rung(&self) {
        poll_fn(|context| {
            self.waker.register(context.waker());
            if self.is_rung.swap(false, Ordering::AcqRel) {
                Poll::Ready(())
            } else {
                Poll::Pending
            }
        })
        .await;
    }
}

/// Who is woken by jobs.
#[derive(Debug, Default)]
pub struct Bells {
    /// Wakes the supervisor.
    pub supervisor: Bell,
    /// Wakes the publisher.
    pub stream: Bell,
}

/// One run of a job, as others see it.
#[derive(Debug)]
pub struct Line {
    bells: Arc<Bells>,
    slot: Mutex<Slot>,
}

#[derive(Default)]
struct Slot {
    status: Option<Arc<Status>>,
    progress: Progress,
    transfers: BTreeMap<Seq, Transfer>,
    journal: Option<OpenJournal>,
    end: Option<End>,
}

/// A journal that can be read now.
#[derive(Clone)]
pub struct OpenJournal {
    /// Its reader.
    pub reader: Arc<dyn JournalReader>,
    /// Its head when it was opened.
    pub opened_at: Seq,
}

/// A transfer under way.
#[derive(Debug, Clone)]
pub struct Transfer {
    /// Where its content goes.
    pub path: RelPath,
    /// Its bytes.
    pub total: u64,
    moved: Weak<AtomicU64>,
}

/// How a run ended.
#[derive(Debug)]
pub enum End {
    /// Told to, or nothing was left to do.
    Finished(Box<Report>),
    /// In trouble.
    Failed(Trouble),
}

/// Why a job does not run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trouble {
    /// What it means for the next try.
    pub kind: TroubleKind,
    /// For people.
    pub reason: String,
    /// How a program that runs only this job would exit.
    pub exit: u8,
}

/// What trouble means for the next try.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TroubleKind {
    /// A side cannot be reached: try again.
    Offline,
    /// Credentials were refused or are missing: a person comes first.
    Credentials,
    /// Something that may pass: try again.
    Passing,
    /// Something that does not mend itself.
    Lasting,
}

impl Line {
    /// Makes a line that rings these bells.
    #[must_use]
    pub fn new(bells: &Arc<Bells>) -> Arc<Self> {
        Arc::new(Self {
            bells: Arc::clone(bells),
            slot: Mutex::default(),
        })
    }

    /// Tells that the journal is open.
    pub fn opened(&self, reader: Arc<dyn JournalReader>) {
        let opened_at = reader.head();
        self.slot().journal = Some(OpenJournal { reader, opened_at });
        self.bells.stream.ring();
    }

    /// Tells that the run ended and its journal is closed; the last thing told.
    pub fn ended(&self, end: End) {
        let mut slot = self.slot();
        slot.journal = None;
        slot.transfers.clear();
        slot.end = Some(end);
        drop(slot);
        self.bells.supervisor.ring();
    }

    /// Takes the end, once it was told.
    pub(super) fn take_end(&self) -> Option<End> {
        self.slot().end.take()
    }

    /// Returns the journal while it is open.
    #[must_use]
    pub fn journal(&self) -> Option<OpenJournal> {
        self.slot().journal.clone()
    }

    /// Returns the last status that was told.
    #[must_use]
    pub fn status(&self) -> Option<Arc<Status>> {
        self.slot().status.clone()
    }

    /// Returns how far the work is, bytes of open transfers included.
    #[must_use]
    pub fn progress(&self) -> Progress {
        let slot = self.slot();
        let moved = slot.transfers.values().filter_map(Transfer::moved);
        let bytes_done = moved.fold(slot.progress.bytes_done, u64::saturating_add);
        Progress {
            bytes_done,
            bytes_total: slot.progress.bytes_total.max(bytes_done),
            ..slot.progress
        }
    }

    /// Returns the transfers under way.
    #[must_use]
    pub fn transfers(&self) -> Vec<(Seq, Transfer)> {
        let mut slot = self.slot();
        slot.transfers
            .retain(|_, transfer| transfer.moved().is_some());
        let transfers = slot.transfers.iter();
        transfers.map(|(id, it)| (*id, it.clone())).collect()
    }

    fn slot(&self) -> MutexGuard<'_, Slot> {
        self.slot.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Transfer {
    /// Returns the bytes that crossed; nothing after the end.
    #[must_use]
    pub fn moved(&self) -> Option<u64> {
        let moved = self.moved.upgrade()?;
        Some(moved.load(Ordering::Relaxed))
    }
}

impl Observer for Line {
    fn appended(&self, _: &[Record]) {
        self.bells.stream.ring();
    }

    fn progress(&self, progress: &Progress) {
        self.slot().progress = *progress;
    }

    fn stands(&self, status: &Status) {
        self.slot().status = Some(Arc::new(status.clone()));
        self.bells.supervisor.ring();
        self.bells.stream.ring();
    }

    fn transfers(&self, id: Seq, operation: &Operation, moved: &Arc<AtomicU64>) {
        let mut slot = self.slot();
        if slot.transfers.len() >= TRANSFERS_MAX {
            slot.transfers
                .retain(|_, transfer| transfer.moved().is_some());
        }
        let transfer = Transfer {
            path: operation.action.path().clone(),
            total: projection::size(&operation.action).unwrap_or(0),
            moved: Arc::downgrade(moved),
        };
        slot.transfers.insert(id, transfer);
    }
}

impl std::fmt::Debug for Slot {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Slot").finish_non_exhaustive()
    }
}

/// As many as a job has open at once, and as many ended ones.
const TRANSFERS_MAX: usize = 2 * sync_core::limits::OPEN_OPERATIONS_MAX;
