//! A job that rests while a person changes its folder by hand.
//!
//! In: a job. Out: its journal, open and locked; a job that the daemon runs is stopped for
//! it, and started again behind it. Invariants: nothing of the job is in flight meanwhile;
//! who stopped it is in the journal, as for any order. Deliberately absent: what is done.
//! CRASH: the job stays stopped, and `status` says so.

use super::{Desk, who};
use crate::cli::exit::{Exit, Failure};
use crate::cli::offline::{Opened, close};
use crate::cli::print;
use crate::cli::text::{plain, quoted};
use std::time::Duration;

/// A job at rest.
pub(in crate::cli) struct Resting {
    pub(in crate::cli) opened: Opened,
    /// Whether a daemon ran it.
    is_stopped: bool,
}

impl Desk<'_> {
    /// Opens a job's journal once nobody works with it.
    ///
    /// # Errors
    /// A process that is no daemon of ours has it, or it does not stop.
    pub(in crate::cli) async fn rest(&mut self, id: &str) -> Result<Resting, Failure> {
        match self.open(Some(id)) {
            Err(failure) if failure.exit == Exit::InUse => self.stopped(id, failure).await,
            opened => Ok(Resting {
                opened: opened?,
                is_stopped: false,
            }),
        }
    }

    async fn stopped(&mut self, id: &str, in_use: Failure) -> Result<Resting, Failure> {
        let found = self.find(Some(id)).await?;
        let by = format!("{}, to change its folder", who());
        let Some(daemon) = self.daemon_of(&found) else {
            return Err(in_use);
        };
        daemon.order("job.stop", Some(id), &by).await?;
        print::words(&format!("{}: stopped for this", plain(id)));
        let mut looks = 0;
        while daemon.status(id).await?.state != "stopped" && looks < LOOKS_MAX {
            looks += 1;
            tokio::time::sleep(LOOK).await;
        }
        match self.open(Some(id)) {
            Ok(opened) => Ok(Resting {
                opened,
                is_stopped: true,
            }),
            Err(failure) => {
                self.start_again(id).await?;
                Err(failure)
            }
        }
    }

    /// Closes the journal and lets the daemon go on with the job.
    ///
    /// # Errors
    /// The journal cannot be closed cleanly, or the daemon does not answer.
    pub(in crate::cli) async fn end_rest(&mut self, resting: Resting) -> Result<(), Failure> {
        let id = resting.opened.known.id.clone();
        let closed = close(resting.opened.journal);
        if resting.is_stopped {
            self.start_again(&id).await?;
        }
        closed
    }

    async fn start_again(&mut self, id: &str) -> Result<(), Failure> {
        let flag = print::state_dir_flag(self.args);
        let hint = format!("start it: pydio-sync start {}{flag}", quoted(id));
        let started = self.asked()?.order("job.start", Some(id), &who()).await;
        started.map_err(|refused| Failure::from(refused).hint(hint))?;
        print::words(&format!("{}: started again", plain(id)));
        Ok(())
    }
}

const LOOK: Duration = Duration::from_millis(20);
/// What is in flight ends within its time limits; then it is given up.
const LOOKS_MAX: u32 = 3000;
