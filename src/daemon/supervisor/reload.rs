//! A job file that changed: which jobs came, went, or are others now.
//!
//! In: the specs of the new file. Out: ids by what becomes of them. Invariant: jobs
//! that did not change run on undisturbed. Deliberately absent: reading files (the
//! host's). CRASH: the next process reads the file as it is then.

use super::entry::{After, Entry, Rest, Stage, State};
use super::{Supervisor, stop};
use std::sync::Arc;

/// What a reload led to, by id.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Reloaded {
    /// Jobs that are new.
    pub added: Vec<String>,
    /// Jobs that are gone; they stop.
    pub removed: Vec<String>,
    /// Jobs with other settings; they start anew.
    pub changed: Vec<String>,
    /// Jobs that stay as they are.
    pub kept: Vec<String>,
}

impl Supervisor<'_> {
    /// Reads the jobs again. With an id, that job starts anew even if its settings
    /// did not change; so does each one whose password was refused.
    ///
    /// # Errors
    /// What is wrong with the jobs; nothing changed.
    pub fn reload(&self, anew: Option<&str>) -> Result<Reloaded, String> {
        let specs = self.host.reload()?;
        let now = self.clock.now();
        let mut reloaded = Reloaded::default();
        let mut jobs = self.jobs.borrow_mut();
        let mut old: Vec<Entry> = std::mem::take(&mut *jobs);
        for spec in specs {
            let known = old.iter().position(|entry| entry.spec.id == spec.id);
            let Some(place) = known else {
                reloaded.added.push(spec.id.clone());
                jobs.push(Entry::new(spec, now));
                continue;
            };
            let mut entry = old.remove(place);
            let is_same = entry.spec.fingerprint == spec.fingerprint;
            let is_refused = matches!(
                &entry.stage,
                Stage::Resting(rest) if rest.state == State::Credentials
            );
            if is_refused {
                self.host.asked(&spec.id);
            }
            let is_same = is_same && !is_refused;
            if is_same && entry.after != After::Remove && anew != Some(spec.id.as_str()) {
                reloaded.kept.push(spec.id.clone());
            } else {
                reloaded.changed.push(spec.id.clone());
                end(&mut entry, After::Restart);
                if let Stage::Resting(rest) = &mut entry.stage {
                    *rest = Rest::new(State::Starting, None, Some(now));
                }
            }
            entry.spec = Arc::new(spec);
            jobs.push(entry);
        }
        for mut entry in old {
            if entry.after != After::Remove {
                reloaded.removed.push(entry.spec.id.clone());
            }
            end(&mut entry, After::Remove);
            jobs.push(entry);
        }
        drop(jobs);
        self.bells.supervisor.ring();
        self.bells.stream.ring();
        Ok(reloaded)
    }
}

fn end(entry: &mut Entry, after: After) {
    entry.after = after;
    if let Stage::Running(run) = &mut entry.stage {
        stop(run);
    }
}
