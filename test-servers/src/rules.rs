//! Which request something goes wrong with, whatever it is.
//!
//! In: rules. Out: what happens to a request, if a rule applies. Invariant: a rule applies
//! as often as it says and is then gone, so a test knows what it will meet. Deliberately
//! absent: chance; a caller that wants it draws the numbers itself. What can go wrong is
//! each server's (`faults`).

use std::sync::{Mutex, MutexGuard, PoisonError};

/// Something that goes wrong.
pub trait Mishap: Clone {
    /// Whether it happens before the request's body was read.
    fn is_early(&self) -> bool;
}

/// When something goes wrong.
#[derive(Clone, Debug)]
pub struct Rule<F> {
    word: Option<String>,
    path: Option<String>,
    skip: u64,
    times: u64,
    fault: F,
}

impl<F> Rule<F> {
    /// The next request of any kind meets this, once.
    #[must_use]
    pub const fn new(fault: F) -> Self {
        Self {
            word: None,
            path: None,
            skip: 0,
            times: 1,
            fault,
        }
    }

    /// The next request with this word (an action or a method) meets it, once.
    #[must_use]
    pub fn on(word: &str, fault: F) -> Self {
        Self {
            word: Some(word.to_owned()),
            ..Self::new(fault)
        }
    }

    /// Only requests about a path that matches (`*` any characters, `?` one).
    #[must_use]
    pub fn path(self, glob: &str) -> Self {
        Self {
            path: Some(glob.to_owned()),
            ..self
        }
    }

    /// The first time is the n-th request that matches; 1 is the next one.
    #[must_use]
    pub fn nth(self, n: u64) -> Self {
        Self {
            skip: n.saturating_sub(1),
            ..self
        }
    }

    /// So many times.
    #[must_use]
    pub fn times(self, times: u64) -> Self {
        Self { times, ..self }
    }

    /// Until the rules are cleared.
    #[must_use]
    pub fn always(self) -> Self {
        self.times(u64::MAX)
    }

    pub(crate) fn matches(&self, word: &str, path: &str) -> bool {
        let is_word = self.word.as_ref().is_none_or(|wanted| wanted == word);
        let glob = |wanted: &String| glob(wanted.as_bytes(), path.as_bytes());
        is_word && self.path.as_ref().is_none_or(glob)
    }
}

/// The rules that are left.
pub(crate) struct Rules<F>(Mutex<Vec<Rule<F>>>);

impl<F> Default for Rules<F> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<F: Mishap> Rules<F> {
    pub(crate) fn add(&self, rule: Rule<F>) {
        self.lock().push(rule);
    }

    pub(crate) fn clear(&self) {
        self.lock().clear();
    }

    /// Counts this request and tells what happens to it: the oldest rule that is due.
    pub(crate) fn meet(&self, word: &str, path: &str) -> Option<F> {
        self.take(word, path, |fault| !fault.is_early())
    }

    /// The same, before the body is read: only what concerns the reading of it.
    pub(crate) fn meet_early(&self, word: &str, path: &str) -> Option<F> {
        self.take(word, path, Mishap::is_early)
    }

    fn take(&self, word: &str, path: &str, kind: impl Fn(&F) -> bool) -> Option<F> {
        let mut rules = self.lock();
        let mut due = None;
        for (at, rule) in rules.iter_mut().enumerate() {
            if !kind(&rule.fault) || !rule.matches(word, path) {
                continue;
            }
            if rule.skip > 0 {
                rule.skip -= 1;
            } else if due.is_none() {
                due = Some(at);
            }
        }
        let rule = &mut rules[due?];
        rule.times = rule.times.saturating_sub(1);
        let fault = rule.fault.clone();
        rules.retain(|rule| rule.times > 0);
        Some(fault)
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Rule<F>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn glob(pattern: &[u8], text: &[u8]) -> bool {
    match (pattern.split_first(), text.split_first()) {
        (None, None) => true,
        (Some((b'*', rest)), _) => (0..=text.len()).any(|at| glob(rest, &text[at..])),
        (Some((b'?', rest)), Some((_, tail))) => glob(rest, tail),
        (Some((wanted, rest)), Some((found, tail))) => wanted == found && glob(rest, tail),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    impl Mishap for &'static str {
        fn is_early(&self) -> bool {
            *self == "early"
        }
    }

    #[test]
    fn a_rule_applies_from_its_nth_request_on_and_as_often_as_it_says() {
        let rules = Rules::default();
        rules.add(Rule::on("PUT", "late").path("/a/*.txt").nth(2).times(2));
        rules.add(Rule::new("early"));
        let met: Vec<bool> = [
            ("PUT", "/a/x.txt"),
            ("PUT", "/b/x.txt"),
            ("GET", "/a/x.txt"),
            ("PUT", "/a/y.txt"),
            ("PUT", "/a/z.txt"),
            ("PUT", "/a/z.txt"),
        ]
        .into_iter()
        .map(|(word, path)| rules.meet(word, path).is_some())
        .collect();
        assert_eq!(met, [false, false, false, true, true, false]);
        assert_eq!(rules.meet_early("PUT", "/"), Some("early"));
        assert_eq!(rules.meet_early("PUT", "/"), None);
    }

    #[test]
    fn globs_know_stars_and_question_marks() {
        for (pattern, text, expected) in [
            ("/a/*", "/a/b/c", true),
            ("/a/?", "/a/b", true),
            ("/a/?", "/a/bc", false),
            ("*.txt", "/x/y.txt", true),
            ("*.txt", "/x/y.txtx", false),
            ("", "", true),
            ("*", "", true),
        ] {
            assert_eq!(
                glob(pattern.as_bytes(), text.as_bytes()),
                expected,
                "{pattern} {text}"
            );
        }
    }
}
