//! Where a person's command is carried out: by the daemon that has the job, else on the
//! journal at rest.
//!
//! In: a command. Out: lines or JSON, an exit code. Invariants: a command prints the
//! same whichever way it went; a job that a daemon has is never opened here, unless the
//! daemon says that its journal is closed. Deliberately absent: how a daemon is talked
//! to (`online`), what a journal says (`offline`). A new command is an arm of
//! [`Desk::run`].

mod decide;
mod held_back;
mod resting;
mod tell;

pub(super) use tell::{PAGE_EVENTS, event_text};

use super::args::{Args, Command, OneJob, Status as StatusFlags};
use super::channel::{Daemon, Refused};
use super::exit::{Exit, Failure, worst};
use super::known::{self, Known};
use super::offline::{AtRest, Opened};
use super::online::Row;
use super::text::plain;
use super::view::{Item, PROBLEMS_SHOWN, Status};
use super::{follow, print};
use serde_json::{Value, json};
use std::path::PathBuf;
use std::time::Duration;
use sync_core::engine::Planned;

/// Who asks, the daemon if one runs, and where the journals are.
pub(super) struct Desk<'a> {
    pub(super) args: &'a Args,
    pub(super) state_dir: PathBuf,
    pub(super) daemon: Option<Daemon>,
}

/// How a job stands, with all that is told of it.
struct Stands {
    status: Status,
    problems: Vec<Item>,
    held_back: Vec<Planned>,
}

/// A job that is meant.
pub(super) struct Found {
    pub(super) id: String,
    pub(super) label: String,
    is_running: bool,
    known: Option<Known>,
}

impl<'a> Desk<'a> {
    pub(super) async fn new(args: &'a Args, state_dir: PathBuf) -> Self {
        let daemon = Daemon::find(&state_dir).await;
        Self {
            args,
            state_dir,
            daemon,
        }
    }

    /// Carries out a command about jobs. A job that the daemon is just opening answers in
    /// a moment.
    pub(super) async fn run(&mut self, command: &Command) -> Result<Exit, Failure> {
        for _ in 0..TRIES {
            match self.carry_out(command).await {
                Err(failure) if failure.exit == Exit::InUse && self.daemon.is_some() => {
                    tokio::time::sleep(PAUSE).await;
                }
                done => return done,
            }
        }
        self.carry_out(command).await
    }

    async fn carry_out(&mut self, command: &Command) -> Result<Exit, Failure> {
        match command {
            Command::Status(flags) if flags.watch => follow::status(self, flags).await,
            Command::Status(flags) => self.status(flags).await,
            Command::Start(job) => self.order("job.start", job).await,
            Command::Pause(job) => self.order("job.pause", job).await,
            Command::Stop(job) => self.order("job.stop", job).await,
            Command::SyncNow(job) => self.order("job.sync_now", job).await,
            Command::Reload(job) => self.reload(job).await,
            Command::Approve(job) => self.approve(job).await,
            Command::Conflicts(job) => self.conflicts(job).await,
            Command::Resolve(resolve) => self.resolve(resolve).await,
            Command::Events(events) if events.follow => follow::events(self, events).await,
            Command::Events(events) => self.events(events).await,
            Command::Explain(explain) => self.explain(explain).await,
            // `offline` keeps them.
            _ => Ok(Exit::InSync),
        }
    }

    /// Finds a job whose folder is known and opens its journal, which no process may have.
    pub(super) fn open(&self, name: Option<&str>) -> Result<Opened, Failure> {
        let known = self.known(name)?;
        if known.folder().is_none() {
            return Err(Failure::usage(
                format!(
                    "the folders of the job `{}` are not known here",
                    plain(&known.id)
                ),
                "run the job once with its usual flags",
            ));
        }
        Opened::open(known)
    }

    /// Finds a job that ran here, whoever has it.
    pub(super) fn known(&self, name: Option<&str>) -> Result<Known, Failure> {
        let mut known = known::all(&self.state_dir)?;
        let names: Vec<_> = known.iter().map(|job| (&*job.id, &*job.label)).collect();
        let place = known::pick(&self.state_dir, &names, name)?;
        Ok(known.swap_remove(place))
    }

    /// Lists all jobs: the daemon's in its order, then those at rest.
    pub(super) async fn all(&mut self) -> Result<Vec<Found>, Failure> {
        let rows = self.rows().await?;
        let mut at_rest = known::all(&self.state_dir)?;
        let mut found: Vec<Found> = rows
            .into_iter()
            .map(|row| {
                let place = at_rest.iter().position(|known| known.id == row.job);
                Found {
                    id: row.job,
                    label: row.label,
                    is_running: true,
                    known: place.map(|place| at_rest.remove(place)),
                }
            })
            .collect();
        found.extend(at_rest.into_iter().map(|known| Found {
            id: known.id.clone(),
            label: known.label.clone(),
            is_running: false,
            known: Some(known),
        }));
        Ok(found)
    }

    async fn rows(&mut self) -> Result<Vec<Row>, Failure> {
        match &mut self.daemon {
            Some(daemon) => Ok(daemon.rows().await?),
            None => Ok(Vec::new()),
        }
    }

    /// Finds the job that is meant.
    pub(super) async fn find(&mut self, name: Option<&str>) -> Result<Found, Failure> {
        let mut all = self.all().await?;
        let names: Vec<_> = all.iter().map(|job| (&*job.id, &*job.label)).collect();
        let place = known::pick(&self.state_dir, &names, name)?;
        Ok(all.swap_remove(place))
    }

    /// The daemon, if it has the job.
    fn daemon_of(&mut self, found: &Found) -> Option<&mut Daemon> {
        self.daemon.as_mut().filter(|_| found.is_running)
    }

    async fn status(&mut self, flags: &StatusFlags) -> Result<Exit, Failure> {
        let show = |desk: &Self, _: &Found, stands: Stands, _| {
            desk.show(&stands.status, &stands.problems);
            desk.show_held_back(&stands.status, &stands.held_back);
            stands.status.exit()
        };
        self.each(flags.job.as_deref(), Self::status_of, show).await
    }

    /// Asks about one job or about all, and shows what each gives; the last word tells
    /// whether it is the only one. A job that cannot be looked at does not hide the others.
    async fn each<T>(
        &mut self,
        name: Option<&str>,
        ask: impl AsyncFn(&mut Self, &Found) -> Result<T, Failure>,
        mut show: impl FnMut(&Self, &Found, T, bool) -> Exit,
    ) -> Result<Exit, Failure> {
        let jobs = match name {
            Some(name) => vec![self.find(Some(name)).await?],
            None => self.all().await?,
        };
        if jobs.is_empty() {
            print::words("no job ran yet with this state folder");
        }
        let alone = jobs.len() == 1;
        let mut exits = Vec::new();
        for found in jobs {
            match ask(self, &found).await {
                Ok(told) => exits.push(show(self, &found, told, alone)),
                Err(failure) if alone => return Err(failure),
                Err(failure) => {
                    exits.push(failure.exit);
                    print::failure(&failure.of(&found.label));
                }
            }
        }
        Ok(worst(exits))
    }

    async fn status_of(&mut self, found: &Found) -> Result<Stands, Failure> {
        let (status, problems) = self.told_of(found).await?;
        let held_back = match &status.halt {
            Some(_) => found.held_back().await,
            None => Vec::new(),
        };
        Ok(Stands {
            status,
            problems,
            held_back,
        })
    }

    async fn told_of(&mut self, found: &Found) -> Result<(Status, Vec<Item>), Failure> {
        let enough = if self.args.common.json {
            usize::MAX
        } else {
            PROBLEMS_SHOWN
        };
        let Some(daemon) = self.daemon_of(found) else {
            return found.at_rest()?.status().await;
        };
        let status = daemon.status(&found.id).await?;
        let problems = if status.problems > 0 {
            // They may be gone by now, and a job whose journal is closed tells none.
            daemon.problems(&found.id, enough).await.unwrap_or_default()
        } else {
            Vec::new()
        };
        Ok((status, problems))
    }

    /// Prints how a job stands: data on stdout, what to do about it on stderr.
    pub(super) fn show(&self, status: &Status, problems: &[Item]) {
        if self.args.common.json {
            print::data(&typed("status", json!(status)));
            for item in problems {
                print::data(&json!({
                    "type": "problem", "job": status.job, "path": item.path,
                    "detail": item.detail,
                }));
            }
        } else {
            print::line(&status.shown());
        }
        let flag = print::state_dir_flag(self.args);
        for line in status.ways_out(problems, &self.state_dir, &flag) {
            print::words(&format!("  {line}"));
        }
    }

    async fn order(&mut self, method: &str, job: &OneJob) -> Result<Exit, Failure> {
        let id = self.whom(job).await?;
        let ordered = self.asked()?.order(method, id.as_deref(), &who()).await?;
        for order in ordered {
            if self.args.common.json {
                print::data(&json!({
                    "type": "ordered", "job": order.job, "seq": order.seq, "state": order.state,
                }));
            } else {
                print::line(&format!("{}: {}", plain(&order.job), plain(&order.state)));
            }
        }
        Ok(Exit::InSync)
    }

    async fn reload(&mut self, job: &OneJob) -> Result<Exit, Failure> {
        let id = self.whom(job).await?;
        let reloaded = self.asked()?.reload(id.as_deref(), &who()).await?;
        let lists = [
            ("added", &reloaded.added),
            ("removed", &reloaded.removed),
            ("changed", &reloaded.changed),
        ];
        if self.args.common.json {
            let mut value = json!({"type": "reloaded"});
            for (what, ids) in lists {
                value[what] = json!(ids);
            }
            print::data(&value);
        } else {
            for (what, ids) in lists {
                for id in ids {
                    print::line(&format!("{}: {what}", plain(id)));
                }
            }
            if lists.iter().all(|(_, ids)| ids.is_empty()) {
                print::words("nothing has changed");
            }
        }
        Ok(Exit::InSync)
    }

    /// Finds a job that the daemon has.
    pub(super) async fn running(&mut self, name: Option<&str>) -> Result<Found, Failure> {
        self.asked()?;
        let found = self.find(name).await?;
        if found.is_running {
            return Ok(found);
        }
        Err(Failure::usage(
            format!("the daemon does not have the job `{}`", plain(&found.id)),
            "add it to the daemon's job file, then: pydio-sync reload",
        ))
    }

    /// The id of the job that an order is for; nothing stands for all of them.
    async fn whom(&mut self, job: &OneJob) -> Result<Option<String>, Failure> {
        Ok(match job.job.as_deref() {
            Some(name) => Some(self.running(Some(name)).await?.id),
            None => None,
        })
    }

    /// The daemon that is needed.
    ///
    /// # Errors
    /// None runs.
    pub(super) fn asked(&mut self) -> Result<&mut Daemon, Failure> {
        let message = format!(
            "no daemon runs with the state folder `{}`, or it has no ports",
            plain(&self.state_dir.to_string_lossy())
        );
        self.daemon.as_mut().ok_or_else(|| {
            Failure::usage(
                message,
                "start one: pydio-sync -f JOBS_FILE, or pydio-sync service install",
            )
        })
    }
}

impl Found {
    /// Opens the journal of a job that no process has, to look at it.
    fn at_rest(&self) -> Result<AtRest, Failure> {
        AtRest::open(self.known()?)
    }

    /// Where the journal is.
    fn known(&self) -> Result<Known, Failure> {
        let id = &self.id;
        self.known.clone().ok_or_else(|| {
            Failure::usage(
                format!("the journal of `{id}` is not here"),
                "name the daemon's state folder with `--state-dir`",
            )
        })
    }
}

/// What a daemon answered; nothing when the job's journal is not open there, so that it
/// can be opened here.
fn open_there<T>(answer: Result<T, Refused>) -> Result<Option<T>, Failure> {
    match answer {
        Ok(answer) => Ok(Some(answer)),
        Err(refused) if refused.is_at_rest() => Ok(None),
        Err(refused) => Err(refused.into()),
    }
}

/// An object that says what it is.
pub(super) fn typed(kind: &str, mut value: Value) -> Value {
    value["type"] = kind.into();
    value
}

/// Who asks, for the journal.
pub(super) fn who() -> String {
    let set = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    let name = set("SUDO_USER").or_else(|| set("USER"));
    let name = name.unwrap_or_else(|| format!("user {}", rustix::process::getuid().as_raw()));
    let name: String = name.chars().take(NAME_CHARS_MAX).collect();
    format!("{name} (command line)")
}

/// How often, and after what pause, a job is asked for that is neither open in the daemon
/// nor at rest.
const TRIES: u32 = 30;
const PAUSE: Duration = Duration::from_millis(100);
/// With what is added it stays below what the protocol allows.
const NAME_CHARS_MAX: usize = 40;
