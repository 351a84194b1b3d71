//! One job as the supervisor sees it: what it is, whether it runs, why not.
//!
//! In: settings, what its run told. Out: a [`View`] for the publisher and commands.
//! Invariant: a job is in exactly one state. Deliberately absent: JSON.

use super::line::{End, Line, OpenJournal, TroubleKind};
use crate::daemon::{Control, Doubt, Mode};
use crate::ports::{Phase, Status};
use futures::channel::mpsc;
use journal_format::value::{Direction, Timestamp};
use std::sync::Arc;
use sync_core::engine::Standing;

/// A job as its user wrote it, as far as others need to know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spec {
    /// The id.
    pub id: String,
    /// The label.
    pub label: String,
    /// The remote: a URL or a path.
    pub server: String,
    /// The local folder.
    pub directory: String,
    /// The folder of the remote.
    pub remote_folder: String,
    /// Which way changes travel.
    pub direction: Direction,
    /// When it runs.
    pub frequency: Frequency,
    /// Everything about it as text that differs when anything differs.
    pub fingerprint: String,
}

/// When a job runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Frequency {
    /// Always.
    Auto,
    /// When told.
    Manual,
    /// Once a day, when told by the host's clock, and when told.
    Daily {
        /// The hour of the day, local time.
        hour: u8,
        /// The minute.
        minute: u8,
    },
}

impl Frequency {
    pub(super) const fn mode(self) -> Mode {
        match self {
            Self::Auto => Mode::Continuous,
            Self::Manual | Self::Daily { .. } => Mode::Once,
        }
    }
}

/// What a job does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "`PROTOCOL.md` has a row for each")]
pub enum State {
    Starting,
    Syncing,
    Synced,
    Paused,
    Stopped,
    Waiting,
    Offline,
    Credentials,
    Halted,
    Error,
}

/// A job at this moment.
#[derive(Clone)]
pub struct View {
    /// What it is.
    pub spec: Arc<Spec>,
    /// Its place in the list of jobs.
    pub index: usize,
    /// What it does.
    pub state: State,
    /// Why, for people.
    pub reason: Option<String>,
    /// In an error, and where a job that is paused or stopped did not look: how a program
    /// that runs only this job would exit.
    pub exit: Option<u8>,
    /// Since when.
    pub since: Timestamp,
    /// When it is tried again, or runs next.
    pub next_try: Option<Timestamp>,
    /// The status of the run, or of the last one.
    pub status: Option<Arc<Status>>,
    /// Its run, while there is one.
    pub line: Option<Arc<Line>>,
}

impl View {
    /// Returns the journal while it is open.
    #[must_use]
    pub fn journal(&self) -> Option<OpenJournal> {
        self.line.as_ref()?.journal()
    }

    /// Returns what is left over.
    #[must_use]
    pub fn standing(&self) -> Standing {
        self.status
            .as_ref()
            .map_or_else(Standing::default, |status| status.standing)
    }
}

/// What a job is about to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum After {
    /// Whatever its end says.
    Open,
    /// Stopped.
    Stop,
    /// Started anew, with other settings.
    Restart,
    /// Gone.
    Remove,
}

pub(super) struct Run {
    pub(super) line: Arc<Line>,
    pub(super) orders: mpsc::Sender<Control>,
    pub(super) mode: Mode,
    pub(super) began: Timestamp,
}

pub(super) struct Rest {
    pub(super) state: State,
    pub(super) reason: Option<String>,
    pub(super) next_try: Option<Timestamp>,
    /// Of a stopped job of which less is known than its numbers say.
    pub(super) exit: Option<u8>,
}

impl Rest {
    pub(super) const fn new(
        state: State,
        reason: Option<String>,
        next_try: Option<Timestamp>,
    ) -> Self {
        Self {
            state,
            reason,
            next_try,
            exit: None,
        }
    }

    /// A job that was told to stop, by what its run knew at its end.
    pub(super) fn stopped(end: End) -> Self {
        let (reason, exit) = match end {
            End::Failed(trouble) => (Some(trouble.reason), Some(trouble.exit)),
            // A halt says more, and its numbers have it.
            End::Finished(report) if report.standing.halt.is_some() => (None, None),
            End::Finished(report) => match report.doubt {
                Some(Doubt::NotLooked) => (Some(UNSEEN.to_owned()), Some(NOT_LOOKED)),
                Some(Doubt::OutOfReach { side, reason }) => {
                    let reason = format!("the {side} side was out of reach: {reason}");
                    (Some(reason), Some(OUT_OF_REACH))
                }
                None => {
                    let Standing {
                        workable,
                        conflicts,
                        problems,
                        ..
                    } = report.standing;
                    let is_synced = workable + conflicts + problems == 0;
                    (is_synced.then(|| SYNCED.to_owned()), None)
                }
            },
        };
        Self {
            exit,
            ..Self::new(State::Stopped, reason, None)
        }
    }

    /// The same for a job that did not run when it was told to. What kept it from running
    /// stays known, with the code that it gave.
    pub(super) fn stopped_at_rest(&mut self, trouble: Option<u8>) {
        match self.state {
            State::Stopped => return,
            State::Offline | State::Credentials => self.exit = Some(OUT_OF_REACH),
            State::Error => self.exit = trouble,
            State::Starting => {
                self.reason = Some(UNSEEN.to_owned());
                self.exit = Some(NOT_LOOKED);
            }
            State::Waiting | State::Syncing | State::Synced | State::Paused | State::Halted => {
                self.reason = None
            }
        }
        self.state = State::Stopped;
        self.next_try = None;
    }
}

pub(super) enum Stage {
    Running(Run),
    Resting(Rest),
}

pub(super) struct Entry {
    pub(super) spec: Arc<Spec>,
    pub(super) stage: Stage,
    pub(super) after: After,
    pub(super) tries: u32,
    /// The worst that happened to a job that never ran.
    pub(super) exit: Option<u8>,
    pub(super) has_run: bool,
    pub(super) told_reason: Option<String>,
    /// Who had it started while it could not be told: its journal may hold a pause.
    pub(super) started_by: Option<String>,
    pub(super) last_status: Option<Arc<Status>>,
    /// The state that was seen last, and since when.
    pub(super) seen: (State, Timestamp),
}

impl Entry {
    pub(super) fn new(spec: Spec, now: Timestamp) -> Self {
        Self {
            spec: Arc::new(spec),
            stage: Stage::Resting(Rest::new(State::Starting, None, Some(now))),
            after: After::Open,
            tries: 0,
            exit: None,
            has_run: false,
            told_reason: None,
            started_by: None,
            last_status: None,
            seen: (State::Starting, now),
        }
    }

    /// Returns state, reason and next try.
    pub(super) fn stands(&self) -> (State, Option<String>, Option<Timestamp>) {
        match &self.stage {
            Stage::Resting(rest) => (rest.state, rest.reason.clone(), rest.next_try),
            Stage::Running(run) => match run.line.status() {
                None => (State::Starting, None, None),
                Some(status) => running(&status),
            },
        }
    }

    /// How a program that runs only this job would exit, where its state alone does not
    /// tell.
    pub(super) fn exit(&self) -> Option<u8> {
        match &self.stage {
            Stage::Resting(rest) if rest.state == State::Error => self.exit,
            Stage::Resting(rest) => rest.exit,
            Stage::Running(run) => match &run.line.status()?.phase {
                Phase::Paused(otherwise) => match **otherwise {
                    Phase::Starting => Some(NOT_LOOKED),
                    Phase::Offline { .. } => Some(OUT_OF_REACH),
                    Phase::Syncing | Phase::Synced | Phase::Paused(_) => None,
                },
                Phase::Starting | Phase::Syncing | Phase::Synced | Phase::Offline { .. } => None,
            },
        }
    }

    pub(super) fn status(&self) -> Option<Arc<Status>> {
        match &self.stage {
            Stage::Running(run) => run.line.status().or_else(|| self.last_status.clone()),
            Stage::Resting(_) => self.last_status.clone(),
        }
    }

    pub(super) fn line(&self) -> Option<Arc<Line>> {
        match &self.stage {
            Stage::Running(run) => Some(Arc::clone(&run.line)),
            Stage::Resting(_) => None,
        }
    }
}

fn running(status: &Status) -> (State, Option<String>, Option<Timestamp>) {
    if status.standing.halt.is_some() {
        return (State::Halted, None, None);
    }
    in_phase(&status.phase)
}

fn in_phase(phase: &Phase) -> (State, Option<String>, Option<Timestamp>) {
    match phase {
        Phase::Starting => (State::Starting, None, None),
        Phase::Syncing => (State::Syncing, None, None),
        Phase::Synced => (State::Synced, None, None),
        Phase::Paused(otherwise) => {
            let (state, reason, next_try) = in_phase(otherwise);
            let unseen = (state == State::Starting).then(|| UNSEEN_YET.to_owned());
            (State::Paused, reason.or(unseen), next_try)
        }
        Phase::Offline {
            side,
            reason,
            next_try,
        } => {
            let reason = format!("the {side} side: {reason}");
            (State::Offline, Some(reason), Some(*next_try))
        }
    }
}

/// What the exit codes are that `status` gives for jobs of which less is known than their
/// numbers say.
const NOT_LOOKED: u8 = 4;
const OUT_OF_REACH: u8 = 6;
/// What is said of such jobs, and of one that has nothing left to do.
const UNSEEN_YET: &str = "it has not looked at both sides yet";
const UNSEEN: &str = "it was stopped before it had looked at both sides";
const SYNCED: &str = "synced when it stopped";

/// The state of a job that is in trouble.
pub(super) const fn state_of(kind: TroubleKind) -> State {
    match kind {
        TroubleKind::Offline => State::Offline,
        TroubleKind::Credentials => State::Credentials,
        TroubleKind::Passing | TroubleKind::Lasting => State::Error,
    }
}
