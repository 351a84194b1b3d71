//! Runs each job in a thread of its own, with a runtime of its own.
//!
//! In: jobs by id. Out: their lines, always ended, whatever happens to the thread.
//! Invariants: a panic of a job is that job's trouble; a job file with a mistake
//! changes nothing. Deliberately absent: when jobs run (`daemon::supervisor`). CRASH:
//! as each job's adapters say.

use super::super::args::Args;
use super::super::config::Given;
use super::super::exit::{Exit, Failure};
use super::super::open::{self, Opened, Wanted};
use super::super::password::{self, Passwords};
use super::super::progress::Bar;
use super::super::voice::Voice;
use super::super::{ending, print, run};
use crate::adapters::clock::SystemClock;
use crate::adapters::credentials::Account;
use crate::adapters::remote::RemotePlace;
use crate::adapters::secret::Secret;
use crate::daemon::supervisor::{End, Host, Line, Spec, Trouble, TroubleKind};
use crate::daemon::{self, Control, Mode, Ports, Report, RunError};
use crate::ports::{Clock, Observer, PortError, Progress, Status};
use futures::StreamExt;
use futures::channel::mpsc;
use journal_format::event::{FailureClass, Operation, Record};
use journal_format::value::{Seq, Timestamp};
use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{Builder, Scope};
use tracing::Instrument;

/// Where the jobs' threads are.
pub(super) struct Hall<'scope, 'env> {
    scope: &'scope Scope<'scope, 'env>,
    args: &'env Args,
    jobs: RefCell<Vec<Wanted>>,
    copies: Arc<Copies>,
    has_watchdog: bool,
}

/// Passwords that jobs found, one copy for all jobs of an account: they share what the
/// server says of it.
#[derive(Default)]
struct Copies(Mutex<Vec<(Account, Secret)>>);

impl Copies {
    fn known(&self) -> MutexGuard<'_, Vec<(Account, Secret)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the copy that all jobs share.
    fn shared(&self, account: &Account, secret: Secret) -> Secret {
        let mut known = self.known();
        let same = known
            .iter()
            .find(|(whose, known)| whose == account && known.expose() == secret.expose());
        if let Some((_, same)) = same {
            return same.clone();
        }
        known.retain(|(whose, _)| whose != account);
        known.push((account.clone(), secret.clone()));
        secret
    }

    /// Forgets that a password was refused.
    fn pardon(&self, account: &Account) {
        self.known()
            .retain(|(whose, secret)| whose != account || !secret.is_refused());
    }
}

impl<'scope, 'env> Hall<'scope, 'env> {
    pub(super) fn new(
        scope: &'scope Scope<'scope, 'env>,
        args: &'env Args,
        jobs: Vec<Wanted>,
    ) -> Self {
        Self {
            scope,
            args,
            jobs: RefCell::new(jobs),
            copies: Arc::default(),
            has_watchdog: sd_notify::watchdog_enabled().is_some(),
        }
    }

    pub(super) fn specs(&self) -> Vec<Spec> {
        self.jobs.borrow().iter().map(spec).collect()
    }

    fn is_alone(&self) -> bool {
        self.jobs.borrow().len() == 1
    }
}

impl Host for Hall<'_, '_> {
    fn start(&self, id: &str, mode: Mode, line: Arc<Line>, orders: mpsc::Receiver<Control>) {
        let job = self.jobs.borrow();
        let job = job.iter().find(|job| job.pair.job == id).cloned();
        let Some(job) = job else {
            let failure = Failure::new(Exit::Internal, format!("no settings of job `{id}`"));
            line.ended(End::Failed(trouble_of(&failure, true)));
            return;
        };
        let (args, alone) = (self.args, self.is_alone());
        let copies = Arc::clone(&self.copies);
        let told = Arc::clone(&line);
        let work = move || {
            let end = catch_unwind(AssertUnwindSafe(|| {
                thread(args, job, mode, &line, orders, &copies)
            }));
            let end = end.unwrap_or_else(|_| {
                Err(Trouble {
                    kind: TroubleKind::Passing,
                    reason: "a fault of the program; the log has more".to_owned(),
                    exit: Exit::Internal as u8,
                })
            });
            line.ended(match end {
                Ok(report) => End::Finished(Box::new(report)),
                Err(mut trouble) => {
                    // A program that has nothing else to do ends with what it met.
                    if alone && trouble.exit == Exit::InUse as u8 {
                        trouble.kind = TroubleKind::Lasting;
                    }
                    End::Failed(trouble)
                }
            });
        };
        let thread = Builder::new().name("job".to_owned());
        if let Err(error) = thread.spawn_scoped(self.scope, work) {
            let failure = Failure::new(Exit::Internal, format!("no thread: {error}"));
            told.ended(End::Failed(trouble_of(&failure, false)));
        }
    }

    fn asked(&self, id: &str) {
        let mut jobs = self.jobs.borrow_mut();
        let Some(job) = jobs.iter_mut().find(|job| job.pair.job == id) else {
            return;
        };
        let Some(account) = password::account(&job.pair.remote) else {
            return;
        };
        self.copies.pardon(&account);
        // What is looked for anew may be another one by now.
        if let Some(refused) = job.password.take_if(|secret| secret.is_refused()) {
            // What came on standard input is not there a second time.
            let is_gone = matches!(&job.config.password, Some(Given::File(path)) if is_stdin(path));
            job.password = is_gone.then(|| {
                let anew = Secret::new(refused.expose());
                self.copies.shared(&account, anew)
            });
        }
    }

    fn reload(&self) -> Result<Vec<Spec>, String> {
        if run::file(self.args).is_none() {
            return Ok(self.specs());
        }
        let mut jobs = run::wanted(self.args, true).map_err(|failure| said(&failure))?;
        let known = self.jobs.borrow();
        for job in &mut jobs {
            // What is not known is found when the job starts: stores may block.
            let old = known.iter().find(|old| old.pair.job == job.pair.job);
            job.password = password::explicit(job.config.password.as_ref())
                .ok()
                .flatten()
                .map(|found| match password::account(&job.pair.remote) {
                    Some(account) => self.copies.shared(&account, found),
                    None => found,
                })
                .or_else(|| old.and_then(|old| old.password.clone()));
        }
        drop(known);
        *self.jobs.borrow_mut() = jobs;
        Ok(self.specs())
    }

    fn next_time(&self, now: Timestamp, hour: u8, minute: u8) -> Timestamp {
        let now = || now.max(SystemClock.now());
        next_time(time_of_day, now, hour, minute)
    }

    fn troubled(&self, label: &str, trouble: &Trouble) {
        let failure = Failure::new(Exit::Internal, trouble.reason.clone());
        print::failure(&if self.is_alone() {
            failure
        } else {
            failure.of(label)
        });
    }

    fn alive(&self) {
        if self.has_watchdog {
            super::tell_manager(&[sd_notify::NotifyState::Watchdog]);
        }
    }
}

fn is_stdin(path: &Path) -> bool {
    path == Path::new("-")
}

/// What happens in a job's thread.
fn thread(
    args: &Args,
    job: Wanted,
    mode: Mode,
    line: &Line,
    orders: mpsc::Receiver<Control>,
    copies: &Copies,
) -> Result<Report, Trouble> {
    let lasting = |failure: Failure| trouble_of(&failure, true);
    let mut job = job;
    if job.password.is_none() {
        let mut passwords = Passwords::new(&job.pair.state_dir);
        let found = passwords.of_job(job.config.password.as_ref(), &job.pair.remote);
        job.password = found.map_err(|failure| Trouble {
            kind: TroubleKind::Credentials,
            ..trouble_of(&failure, true)
        })?;
        if let Some(account) = password::account(&job.pair.remote) {
            job.password = job.password.map(|found| copies.shared(&account, found));
        }
    }
    run::runtime().map_err(lasting)?.block_on(async {
        let place = job.config.place.clone();
        let opened = open::open(job);
        let opened = opened.map_err(|failure| failure.written_at(place.as_deref()));
        let opened = opened.map_err(|failure| trouble_of(&failure, false))?;
        line.opened(opened.journal.reader());
        let report = drive(args, &opened, mode, line, orders).await;
        let closed = opened.journal.close().map_err(RunError::Append);
        closed.map_err(|error| trouble_of(&error.into(), false))?;
        report
    })
}

async fn drive(
    args: &Args,
    opened: &Opened,
    mode: Mode,
    line: &Line,
    orders: mpsc::Receiver<Control>,
) -> Result<Report, Trouble> {
    let clock = SystemClock;
    let pair = &opened.wanted.pair;
    let voice = Voice::new(args, pair, Bar::hidden(), true);
    let ports = Ports {
        local: &opened.local,
        remote: opened.remote.as_ref(),
        store: &opened.journal,
        clock: &clock,
        observer: &Both(&voice, line),
    };
    let job = opened.job();
    let ran = daemon::run(ports, &job, mode, orders.boxed_local())
        .instrument(tracing::error_span!("job", job = pair.job))
        .await;
    if let Ok(report) = &ran {
        ending::reported(pair, report);
    }
    ran.map_err(|error| {
        let kind = kind_of(&error);
        let failure = open::named(error, pair);
        ending::gave_up(pair, &failure);
        let trouble = trouble_of(&failure, false);
        match kind {
            Some(kind) => Trouble { kind, ..trouble },
            None => trouble,
        }
    })
}

/// Tells two observers.
struct Both<'a>(&'a dyn Observer, &'a dyn Observer);

impl Observer for Both<'_> {
    fn appended(&self, records: &[Record]) {
        self.0.appended(records);
        self.1.appended(records);
    }

    fn progress(&self, progress: &Progress) {
        self.0.progress(progress);
        self.1.progress(progress);
    }

    fn stands(&self, status: &Status) {
        self.0.stands(status);
        self.1.stands(status);
    }

    fn transfers(&self, id: Seq, operation: &Operation, moved: &Arc<AtomicU64>) {
        self.0.transfers(id, operation, moved);
        self.1.transfers(id, operation, moved);
    }
}

fn kind_of(error: &RunError) -> Option<TroubleKind> {
    match error {
        RunError::Unclaimed { error, .. }
            if matches!(
                error.class,
                FailureClass::Denied | FailureClass::Unsupported
            ) =>
        {
            None
        }
        RunError::Side {
            error: PortError { class, .. },
            ..
        }
        | RunError::Unclaimed {
            error: PortError { class, .. },
            ..
        } => Some(match class {
            FailureClass::Auth => TroubleKind::Credentials,
            _ => TroubleKind::Offline,
        }),
        RunError::RootNeverSeen { .. } | RunError::Append(_) | RunError::Read(_) => None,
    }
}

fn trouble_of(failure: &Failure, is_lasting: bool) -> Trouble {
    let kind = match failure.exit {
        _ if is_lasting => TroubleKind::Lasting,
        Exit::Usage | Exit::JournalDamaged => TroubleKind::Lasting,
        Exit::Unreachable => TroubleKind::Offline,
        _ => TroubleKind::Passing,
    };
    Trouble {
        kind,
        reason: said(failure),
        exit: failure.exit as u8,
    }
}

/// A failure with its hint, as one sentence.
fn said(failure: &Failure) -> String {
    match &failure.hint {
        Some(hint) => format!("{}; {hint}", failure.message),
        None => failure.message.clone(),
    }
}

fn spec(job: &Wanted) -> Spec {
    let Wanted { config, pair, .. } = job;
    let mut hasher = blake3::Hasher::new();
    hasher.update(format!("{config:?}{pair:?}").as_bytes());
    if let Some(Given::Flag(secret) | Given::JobFile(secret)) = &config.password {
        hasher.update(secret.expose().as_bytes());
    }
    let server = match &pair.remote {
        RemotePlace::Folder(path) => path.display().to_string(),
        RemotePlace::Pydio(place) | RemotePlace::Webdav(place) => place.url.clone(),
    };
    Spec {
        id: pair.job.clone(),
        label: pair.label.clone(),
        server,
        directory: pair.local.display().to_string(),
        remote_folder: config.remote_folder.clone(),
        direction: config.policy.direction,
        frequency: config.frequency,
        fingerprint: hasher.finalize().to_hex().to_string(),
    }
}

/// The local time of day in seconds, as the machine's own tool tells it. Without that
/// tool it is UTC.
fn time_of_day() -> Option<i64> {
    let output = std::process::Command::new("date").arg("+%H:%M:%S").output();
    let text = String::from_utf8(output.ok()?.stdout).ok()?;
    let mut parts = text.trim().split(':').map(|part| part.parse::<i64>().ok());
    let mut part = |max: i64| parts.next()?.filter(|part| (0..=max).contains(part));
    Some(part(23)? * 3_600 + part(59)? * 60 + part(60)?)
}

/// When a clock shows a time of day next, or up to a second later: a job that ran too
/// early would run again. It may be an hour off on the day on which clocks are changed.
fn next_time(
    time_of_day: impl FnOnce() -> Option<i64>,
    now: impl FnOnce() -> Timestamp,
    hour: u8,
    minute: u8,
) -> Timestamp {
    // In this order: by now it is as late as that at least.
    let here = time_of_day();
    let now = now();
    let utc = now.0.div_euclid(1_000).rem_euclid(DAY_SECONDS);
    let here = here.unwrap_or(utc);
    let wanted = i64::from(hour) * 3_600 + i64::from(minute) * 60;
    let wait = (wanted - here).rem_euclid(DAY_SECONDS);
    let wait = if wait == 0 { DAY_SECONDS } else { wait };
    now.plus_millis(wait * 1_000)
}

const DAY_SECONDS: i64 = 86_400;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_time_of_day_is_within_a_day() {
        let day = |hour: i64, minute: i64| Some(hour * 3_600 + minute * 60);
        let table = [
            (day(2, 0), 3, 0, 3_600),
            (day(3, 0), 3, 0, 86_400),
            (day(23, 30), 0, 15, 2_700),
            (day(4, 0), 3, 59, 86_340),
            (None, 0, 1, 60),
        ];
        for (here, hour, minute, seconds) in table {
            let next = next_time(|| here, || Timestamp(0), hour, minute);
            assert_eq!(next, Timestamp(seconds * 1_000), "{here:?} {hour}:{minute}");
        }
    }

    #[test]
    fn the_next_time_of_day_is_never_early() {
        let clock = std::cell::Cell::new(Timestamp(3_599_900));
        let asked = || {
            clock.set(Timestamp(3_600_050));
            Some(3_600)
        };
        let next = next_time(asked, || clock.get(), 2, 0);
        assert!(next >= Timestamp(7_200_000), "{next:?}");
    }

    #[test]
    fn the_machine_tells_its_time_of_day() {
        assert!(time_of_day().is_some_and(|seconds| (0..=DAY_SECONDS).contains(&seconds)));
    }
}
