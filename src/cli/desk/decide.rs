//! Decisions: a halt that is released, a conflict that is resolved.
//!
//! In: a job, a path. Out: an event in the job's journal, by way of its daemon or on the
//! journal at rest. Invariant: what is released or resolved is what was shown.
//! Deliberately absent: what follows from it, which the job does.

use super::{Desk, Found, open_there, who};
use crate::cli::args::{OneJob, Resolve};
use crate::cli::exit::{Exit, Failure};
use crate::cli::offline::Opened;
use crate::cli::print;
use crate::cli::text::{plain, quoted};
use crate::cli::view::{HaltView, Item};
use journal_format::event::{HaltReason, Keep};
use serde_json::{Value, json};
use sync_core::input::Input;

type Held = (Vec<Item>, Option<HaltView>, Exit);

impl Desk<'_> {
    pub(super) async fn approve(&mut self, job: &OneJob) -> Result<Exit, Failure> {
        let found = self.find(job.job.as_deref()).await?;
        let id = found.id.clone();
        let online = match self.daemon_of(&found) {
            Some(daemon) => Some(daemon.status(&id).await?),
            None => None,
        };
        let opened = match online {
            Some(_) => None,
            None => Some(Opened::open(found.known()?)?),
        };
        let halt = match (&online, &opened) {
            (Some(status), _) => status.halt.clone(),
            (None, Some(opened)) => opened.halt().await?,
            (None, None) => None,
        };
        let Some(halt) = halt else {
            print::words("the job is not halted: there is nothing to approve");
            if self.args.common.json {
                let value = json!({"type": "approved", "job": id, "seq": null, "halt": null});
                print::data(&value);
            }
            opened.map_or(Ok(()), Opened::close)?;
            return Ok(Exit::InSync);
        };
        let what = print::halt_words(&halt.halt());
        if halt.reason == HaltReason::RootMissing {
            let hint = print::release_words(&halt.halt(), &id, &self.state_dir);
            return Err(Failure::new(Exit::Halted, format!("halted: {what}")).hint(hint));
        }
        match opened {
            Some(opened) => {
                let events = opened.decide(Input::Approve { by: who() }).await?;
                opened.close()?;
                self.approved(&id, decision(&events, "halt_approved"), &halt);
                print::words(&format!(
                    "approved: {what}; the next run goes on with exactly that"
                ));
            }
            None => {
                let seq = self.asked()?.approve(&id, halt.seq, &who()).await?;
                self.approved(&id, Some(seq), &halt);
                print::words(&format!(
                    "approved: {what}; the job goes on with exactly that"
                ));
            }
        }
        Ok(Exit::InSync)
    }

    fn approved(&self, job: &str, seq: Option<u64>, halt: &HaltView) {
        if self.args.common.json {
            print::data(&json!({"type": "approved", "job": job, "seq": seq, "halt": halt}));
        }
    }

    /// Lists what waits, of one job or of all.
    pub(super) async fn conflicts(&mut self, job: &OneJob) -> Result<Exit, Failure> {
        let mut shown = 0;
        let mut halted = false;
        let show = |desk: &Self, found: &Found, (held, halt, exit): Held, alone| {
            shown += held.len();
            let prefix = if alone {
                String::new()
            } else {
                format!("{}: ", plain(&found.label))
            };
            held.iter()
                .for_each(|item| desk.waiting(&found.id, &prefix, item));
            if let Some(halt) = halt {
                halted = true;
                let flag = print::state_dir_flag(desk.args);
                print::words(&format!(
                    "{prefix}halted for safety: {}; conflicts are looked for once that is over; \
                     what is held back: pydio-sync status {}{flag}",
                    print::halt_words(&halt.halt()),
                    quoted(&found.id)
                ));
            }
            exit
        };
        let exit = self.each(job.job.as_deref(), Self::held, show).await?;
        if shown == 0 && !halted && exit == Exit::InSync && !self.args.common.json {
            print::words("no conflict waits for a decision");
        }
        Ok(exit)
    }

    /// What waits, the halt because of which nothing is looked for, and what the answer
    /// amounts to.
    async fn held(&mut self, found: &Found) -> Result<Held, Failure> {
        let online = match self.daemon_of(found) {
            Some(daemon) => match open_there(daemon.held(&found.id).await)? {
                Some(held) => Some((held, daemon.status(&found.id).await?.halt)),
                None => None,
            },
            None => None,
        };
        if let Some((held, halt)) = online {
            return Ok((held, halt, Exit::InSync));
        }
        let at_rest = found.at_rest()?;
        at_rest.tell_missing();
        let (held, halt) = at_rest.held().await?;
        Ok((held, halt, at_rest.exit()))
    }

    fn waiting(&self, job: &str, prefix: &str, item: &Item) {
        if self.args.common.json {
            let kind = if item.is_conflict() {
                "conflict"
            } else {
                "divergence"
            };
            print::data(&json!({
                "type": kind, "job": job, "path": item.path, "case": item.case,
            }));
        } else {
            let (case, path) = (plain(&item.case), plain(&item.path));
            print::line(&format!("{prefix}{case} {}: {path}", item.words()));
        }
    }

    pub(super) async fn resolve(&mut self, resolve: &Resolve) -> Result<Exit, Failure> {
        let found = self.find(resolve.job.as_deref()).await?;
        let keep = Keep::from(resolve.keep);
        let path = resolve.path.as_str();
        let online = match self.daemon_of(&found) {
            Some(daemon) => {
                let word = json!(keep);
                let word = word.as_str().unwrap_or_default();
                let seq = daemon.resolve(&found.id, path, word, &who()).await;
                match seq {
                    Err(refused) if refused.is_nothing() => Some(None),
                    seq => open_there(seq)?.map(Some),
                }
            }
            None => None,
        };
        let is_running = online.is_some();
        let seq = match online {
            Some(seq) => seq,
            None => {
                let opened = Opened::open(found.known()?)?;
                let path = resolve.path.clone();
                let by = who();
                let events = opened.decide(Input::Resolve { path, keep, by }).await?;
                opened.close()?;
                decision(&events, "conflict_resolved")
            }
        };
        let Some(seq) = seq else {
            let (held, ..) = self.held(&found).await?;
            let is_kept = held.iter().any(|item| item.path == path);
            let path = plain(path);
            return Err(if is_kept {
                Failure::usage(
                    format!("`{path}` differs on purpose: the job syncs one way"),
                    "there is nothing to decide; with `\"mode\": \"mirror\"` in its job file both sides become \
                     alike",
                )
            } else {
                Failure::usage(
                    format!("no conflict waits at `{path}`"),
                    "`pydio-sync conflicts` lists those that do",
                )
            });
        };
        if self.args.common.json {
            print::data(&json!({
                "type": "resolved", "job": found.id, "seq": seq, "path": path, "keep": keep,
            }));
        }
        print::words(if is_running {
            "decided; the job does it"
        } else {
            "decided; the next run does it"
        });
        Ok(Exit::InSync)
    }
}

/// The number of the event that a decision is, among those it led to.
fn decision(events: &[Value], kind: &str) -> Option<u64> {
    let found = events.iter().find(|event| event["type"] == kind);
    found.and_then(|event| event["seq"].as_u64())
}
