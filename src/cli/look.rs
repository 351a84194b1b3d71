//! `--dry-run`: a look at both sides, and what a run would begin with.
//!
//! In: a job that was checked. Out: its plan, an exit code. Invariants: nothing is
//! written, neither on a side nor in the state folder, and nobody is kept from the job,
//! so this works beside a process that has it. Deliberately absent: planning (`daemon`).

use super::args::Args;
use super::exit::{Exit, Failure};
use super::open::{Wanted, named, sides};
use super::text::plain;
use super::{pair, planned, print};
use crate::adapters::clock::SystemClock;
use crate::adapters::local_fs::LocalFolder;
use crate::adapters::store::{OpenError, Reading, has_journal, job_directory};
use crate::daemon::{Sight, preview};
use crate::ports::{Checkpoint, History, Remote, Task};
use futures::future::ready;
use journal_format::event::Record;
use journal_format::value::Seq;

/// A job that is looked at.
pub(super) struct Look {
    wanted: Wanted,
    /// Nothing before the first run.
    reading: Option<Reading>,
    /// Whether another process has the job.
    is_taken: bool,
    local: LocalFolder,
    remote: Box<dyn Remote>,
}

impl Look {
    /// Opens a job's journal and its sides.
    ///
    /// # Errors
    /// In words, with the exit code.
    pub(super) fn open(wanted: Wanted) -> Result<Self, Failure> {
        let pair = &wanted.pair;
        let place = job_directory(&pair.state_dir, &pair.job);
        let (reading, is_taken) = if !has_journal(&place) {
            (None, false)
        } else {
            match Reading::open_at_rest(&place) {
                Err(OpenError::Locked { .. }) => (Some(Reading::open(&place)?), true),
                Err(OpenError::Unbegun { .. }) => (None, false),
                reading => (Some(reading?), false),
            }
        };
        if reading.as_ref().is_none_or(|it| it.head() == Seq::ZERO) {
            pair::check_new(pair, false)?;
        }
        let (local, remote) = sides(&wanted)?;
        Ok(Self {
            wanted,
            reading,
            is_taken,
            local,
            remote,
        })
    }

    pub(super) fn label(&self) -> &str {
        &self.wanted.pair.label
    }

    /// Plans and prints.
    ///
    /// # Errors
    /// A side cannot be scanned, or the journal cannot be read.
    pub(super) async fn show(&self, args: &Args, alone: bool) -> Result<Exit, Failure> {
        let pair = &self.wanted.pair;
        let missing = self.reading.as_ref().and_then(Reading::missing);
        let job = self.wanted.job(missing.map(|missing| missing.expected));
        let sight = Sight {
            local: &self.local,
            remote: self.remote.as_ref(),
            history: match &self.reading {
                Some(reading) => reading,
                None => &Unwritten,
            },
            clock: &SystemClock,
        };
        let found = preview(sight, &job).await;
        let found = found.map_err(|error| named(error, pair))?;
        planned::preview(args, pair, alone, &found);
        if self.is_taken {
            let text = format!(
                "{}: a process has this job: what it is about to do is listed as well",
                plain(&pair.label)
            );
            print::warning(args, &text);
        }
        Ok(match found.standing.halt {
            Some(_) => Exit::Halted,
            None => Exit::InSync,
        })
    }
}

/// The journal of a job that never ran.
struct Unwritten;

impl History for Unwritten {
    fn head(&self) -> Seq {
        Seq::ZERO
    }

    fn read(&self, _: Seq, _: usize) -> Task<'_, Vec<Record>> {
        Box::pin(ready(Ok(Vec::new())))
    }

    fn checkpoint(&self) -> Task<'_, Option<Checkpoint>> {
        Box::pin(ready(Ok(None)))
    }
}
