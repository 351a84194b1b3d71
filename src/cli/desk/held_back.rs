//! What a halt holds back, as the job's journal tells it.
//!
//! In: a halted job, whoever has it. Out: the steps that an approval releases: as data
//! all of them, for people the first. Invariant: the journal is only read, beside its
//! job. Deliberately absent: a look at the sides, which `--dry-run` takes.

use super::{Desk, Found};
use crate::adapters::clock::SystemClock;
use crate::adapters::store::Reading;
use crate::cli::exit::Failure;
use crate::cli::planned::{held_back_json, step_words};
use crate::cli::print;
use crate::cli::text::quoted;
use crate::cli::view::Status;
use crate::daemon::offline::last_known;
use sync_core::engine::Planned;

impl Desk<'_> {
    /// Prints what a halt holds back.
    pub(super) fn show_held_back(&self, status: &Status, held: &[Planned]) {
        let Some(halt) = &status.halt else { return };
        if self.args.common.json {
            let steps = held.iter();
            let steps = steps.map(|step| held_back_json(&status.job, step, halt.reason));
            steps.for_each(|step| print::data(&step));
            return;
        }
        for step in held.iter().take(SHOWN) {
            print::words(&format!("  held back: {}", step_words(step)));
        }
        if held.len() > SHOWN {
            print::words(&format!(
                "  and {} more; all of them: pydio-sync status {} --json{}",
                held.len() - SHOWN,
                quoted(&status.job),
                print::state_dir_flag(self.args)
            ));
        }
    }
}

impl Found {
    /// Reads what the halt holds back. A journal that cannot be read tells nothing of it,
    /// and the halt itself was told.
    pub(super) async fn held_back(&self) -> Vec<Planned> {
        self.read_held_back().await.unwrap_or_default()
    }

    async fn read_held_back(&self) -> Result<Vec<Planned>, Failure> {
        let reading = Reading::open(&self.known()?.place)?;
        Ok(last_known(&reading, &SystemClock).await?.held_back)
    }
}

/// Steps that are shown to people.
const SHOWN: usize = 5;
