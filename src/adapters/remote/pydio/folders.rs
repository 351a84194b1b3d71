//! Folders whose times tell of changes that the feed does not show.
//!
//! In: times of folders as listings have them, and which changes somebody told of. Out:
//! folders that changed and nobody said why. Invariant: what comes out is a place to
//! look at and no more; a folder that is asked about too early or too often costs a
//! listing. Deliberately absent: files, whose edits leave their folder's time alone; for
//! them there is the whole listing. Nothing of it is stored.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;
use tokio::time::Instant;

use super::batch::BATCH_MAX;

/// What is known of folders.
#[derive(Default)]
pub(super) struct Folders {
    /// Seconds by the server's clock, where they are known.
    times: BTreeMap<String, Option<i64>>,
    /// Folders in which something changed of which we know.
    explained: BTreeSet<String>,
    next: Option<Instant>,
}

impl Folders {
    /// Takes in a folder that was listed, or made just now. What `stat` said before
    /// stays: should listings have other times, that is not a change each time.
    pub(super) fn seen(&mut self, at: &str, mtime: Option<i64>) {
        if self.times.len() < FOLDERS_MAX && !self.times.contains_key(at) {
            let mtime = mtime.filter(|mtime| *mtime > 0);
            self.times.insert(at.to_owned(), mtime);
        }
    }

    /// Takes in that a folder has another path.
    pub(super) fn renamed(&mut self, from: &str, to: &str) {
        let below = format!("{from}/");
        let is_within = |at: &String, _: &mut _| at == from || at.starts_with(&below);
        let moved: Vec<_> = self
            .times
            .extract_if(from.to_owned().., is_within)
            .collect();
        for (at, mtime) in moved {
            self.times
                .insert(format!("{to}{}", &at[from.len()..]), mtime);
        }
    }

    /// Notes that something at a path changed, which shows in its folder's time.
    pub(super) fn explain(&mut self, at: &str) {
        let parent = at.rsplit_once('/').map_or("", |(parent, _)| parent);
        if self.times.contains_key(parent) {
            self.explained.insert(parent.to_owned());
        }
    }

    /// Returns all folders when it is time to ask for theirs: every `period`, and more
    /// seldom the more requests it takes. Nothing when it is not; none is due where
    /// nothing was listed yet.
    pub(super) fn due(&mut self, period: Duration, now: Instant) -> Option<Vec<String>> {
        let is_due = self.next.is_some_and(|next| next <= now);
        if !is_due && self.next.is_some() {
            return None;
        }
        let requests = u32::try_from(self.times.len().div_ceil(BATCH_MAX)).unwrap_or(u32::MAX);
        let tenths = requests.div_ceil(REQUESTS_A_PERIOD).max(1);
        self.next = now.checked_add(period.saturating_mul(tenths));
        is_due.then(|| self.times.keys().cloned().collect())
    }

    /// Compares the times of folders that were asked for, takes them in, and returns
    /// the folders that changed without an explanation.
    pub(super) fn compare(&mut self, asked: &[String], now: &BTreeMap<String, i64>) -> Vec<String> {
        let mut changed = Vec::new();
        for at in asked {
            let is_explained = self.explained.remove(at);
            let Some(mtime) = now.get(at) else {
                // It is gone or cannot be asked for: its folder's time tells.
                self.times.remove(at);
                continue;
            };
            let known = self.times.insert(at.clone(), Some(*mtime)).flatten();
            if known.is_some_and(|known| known != *mtime) && !is_explained {
                changed.push(at.clone());
            }
        }
        changed
    }
}

const FOLDERS_MAX: usize = 200_000;
/// So many requests in one period; if it takes more, they are so much rarer.
const REQUESTS_A_PERIOD: u32 = 10;

#[cfg(test)]
mod tests {
    use super::*;

    fn times(pairs: &[(&str, i64)]) -> BTreeMap<String, i64> {
        pairs
            .iter()
            .map(|(at, time)| ((*at).to_owned(), *time))
            .collect()
    }

    #[test]
    fn a_time_that_nobody_explains_is_told_once() {
        let mut folders = Folders::default();
        for at in ["", "/a", "/b"] {
            folders.seen(at, Some(1));
        }
        folders.seen("/b", Some(5));
        folders.explain("/a/x");
        folders.explain("/unknown/x");
        let (period, start) = (Duration::from_secs(60), Instant::now());
        assert_eq!(folders.due(period, start), None, "begun just now");
        assert_eq!(folders.due(period, start + period / 2), None);
        let asked = folders.due(period, start + period).expect("due");
        assert_eq!(asked, ["", "/a", "/b"]);
        assert_eq!(folders.due(period, start + period), None);
        let now = times(&[("", 1), ("/a", 2), ("/b", 2)]);
        assert_eq!(folders.compare(&asked, &now), ["/b"]);
        assert!(folders.compare(&asked, &now).is_empty());
        let later = times(&[("", 2), ("/a", 3)]);
        assert_eq!(folders.compare(&asked, &later), ["", "/a"]);
        folders.renamed("/a", "/c");
        let asked = folders.due(period, start + period * 2).expect("due");
        assert_eq!(asked, ["", "/c"]);
        assert!(
            folders
                .compare(&asked, &times(&[("", 2), ("/c", 3)]))
                .is_empty()
        );
    }

    #[test]
    fn many_folders_are_asked_for_more_seldom() {
        let mut folders = Folders::default();
        for number in 0..4001 {
            folders.seen(&format!("/{number}"), None);
        }
        let (period, start) = (Duration::from_secs(60), Instant::now());
        assert_eq!(folders.due(period, start), None);
        assert_eq!(folders.due(period, start + period * 2), None);
        let asked = folders.due(period, start + period * 3);
        assert_eq!(asked.map(|asked| asked.len()), Some(4001));
    }
}
