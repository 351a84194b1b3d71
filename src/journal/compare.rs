//! Two releases over one journal: where their plans differ.
//!
//! In: the output of `journal replay --json` of an older release, or what this one
//! plans. Out: the decision points at which something else would be done. Invariant:
//! points are matched by their event, so that one which only one release has is told as
//! such. Deliberately absent: judging which of the two is right.

use super::replay::PlanLine;
use serde::Serialize;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// The plans of one release over one journal.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Stream {
    /// The journal's id.
    pub journal: String,
    /// The release that planned.
    pub release: String,
    /// What it planned, by the event before.
    pub plans: BTreeMap<u64, PlanLine>,
    /// The digest at the end.
    pub digest: Option<String>,
}

/// A decision point at which something else would be done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Differs {
    /// The last event that both plans know.
    pub seq: u64,
    /// The older plan; nothing where only the newer release plans.
    pub old: Option<String>,
    /// The newer plan.
    pub new: Option<String>,
    /// Steps of the older plan alone, as far as they are listed.
    pub only_old: Vec<String>,
    /// Steps of the newer plan alone, as far as they are listed.
    pub only_new: Vec<String>,
}

impl Stream {
    /// Reads the next line of a `replay --json`. Lines of types that are not known are
    /// passed over.
    ///
    /// # Errors
    /// The line is none of such an output.
    pub fn take(&mut self, line: &str) -> Result<(), String> {
        let value: Value = serde_json::from_str(line).map_err(|error| error.to_string())?;
        let text = |key: &str| value[key].as_str().unwrap_or_default().to_owned();
        match value["type"].as_str() {
            Some("replay") => {
                self.journal = text("journal");
                self.release = text("release");
            }
            Some("plan") => {
                let plan: PlanLine =
                    serde_json::from_value(value).map_err(|error| error.to_string())?;
                self.plans.insert(plan.seq, plan);
            }
            Some("end") => self.digest = Some(text("digest")),
            Some(_) => {}
            None => return Err("no output of `journal replay --json`".to_owned()),
        }
        Ok(())
    }

    /// Tells whether an output was read at all.
    #[must_use]
    pub const fn is_there(&self) -> bool {
        !self.release.is_empty()
    }

    /// Tells whether it was read to its end.
    #[must_use]
    pub const fn is_whole(&self) -> bool {
        self.digest.is_some()
    }
}

/// Compares the plans of an older release with those of a newer one.
#[must_use]
pub fn compare(old: &Stream, new: &Stream) -> Vec<Differs> {
    let seqs: BTreeSet<u64> = old.plans.keys().chain(new.plans.keys()).copied().collect();
    let differs = seqs.into_iter().filter_map(|seq| {
        let (before, after) = (old.plans.get(&seq), new.plans.get(&seq));
        let essence = |plan: &PlanLine| (plan.hash.clone(), plan.held.clone(), plan.brake);
        if before.map(essence) == after.map(essence) {
            return None;
        }
        let steps = |plan: Option<&PlanLine>| {
            let steps = plan.into_iter().flat_map(|plan| plan.steps.clone());
            steps.collect::<BTreeSet<String>>()
        };
        let (only_old, only_new) = (steps(before), steps(after));
        Some(Differs {
            seq,
            old: before.map(PlanLine::words),
            new: after.map(PlanLine::words),
            only_old: only_old.difference(&only_new).cloned().collect(),
            only_new: only_new.difference(&only_old).cloned().collect(),
        })
    });
    differs.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stream(plans: &[(u64, &str)]) -> Stream {
        let mut stream = Stream::default();
        let head = r#"{"type":"replay","journal":"ab","release":"1.0.0"}"#;
        stream.take(head).expect("a head");
        for (seq, step) in plans {
            let line = format!(
                r#"{{"type":"plan","seq":{seq},"count":1,"by":{{"{step}":1}},"held":{{}},
                "brake":null,"hash":"{step}","steps":["{step} a"],"digest":null}}"#
            );
            stream.take(&line).expect("a plan");
        }
        stream
    }

    #[test]
    fn a_change_of_rules_shows_as_the_points_at_which_plans_differ() {
        let old = stream(&[(3, "U1 upload"), (5, "C1 download"), (9, "D2 remove")]);
        let new = stream(&[(3, "U1 upload"), (5, "C1 upload"), (7, "D1 download")]);
        let found = compare(&old, &new);
        let seqs: Vec<u64> = found.iter().map(|it| it.seq).collect();
        assert_eq!(seqs, [5, 7, 9]);
        assert_eq!(found[0].only_old, ["C1 download a"]);
        assert_eq!(found[0].only_new, ["C1 upload a"]);
        assert_eq!((&found[1].old, &found[2].new), (&None, &None));
        assert_eq!(compare(&old, &old), []);
        assert!(Stream::default().take("{}").is_err());
        let mut whole = old;
        assert!(!whole.is_whole());
        let end = r#"{"type":"end","seq":9,"digest":"cd"}"#;
        whole.take(end).expect("an end");
        assert!(whole.is_whole());
    }
}
