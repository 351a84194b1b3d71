//! What goes wrong on purpose, and with which request.
//!
//! In: rules. Out: the fault of a request, if one applies. Invariant: a rule applies as
//! often as it says and is then gone, so a test knows what it will meet. Deliberately
//! absent: chance; a caller that wants it draws the numbers itself. The next one: a
//! variant of [`Fault`], and its place in `serve`.

use std::sync::Mutex;
use std::time::Duration;

/// One thing that goes wrong.
///
/// The name of a file that is uploaded stands in the body, so a rule for `CutRequest` or
/// `StallRequest` knows only the folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// This status and an HTML page, before anything is done.
    Status(u16),
    /// This status and an HTML page, after everything was done.
    StatusAfter(u16),
    /// An HTML page with status 200, before anything is done.
    Html,
    /// An empty answer with status 200, as for an action that the server does not know.
    Empty,
    /// No answer ever, before anything is done.
    Hang,
    /// No answer ever, after everything was done.
    HangAfter,
    /// The connection ends before anything is done.
    Refuse,
    /// The connection ends while the request's body is read, after that many bytes.
    CutRequest(u64),
    /// The server stops reading the request's body after that many bytes, for ever.
    StallRequest(u64),
    /// The connection ends after everything was done, without a byte of the answer.
    LoseAnswer,
    /// The connection ends after that many bytes of the answer's body.
    CutBody(u64),
    /// Nothing comes after that many bytes of the answer's body, for ever.
    StallBody(u64),
    /// The answer's body comes in pieces of so many bytes with pauses between.
    Drip(usize, Duration),
    /// The answer comes that much later.
    Delay(Duration),
    /// The answer is compressed, asked for or not.
    Gzip,
    /// 401, as with a wrong password.
    Unauthorized,
    /// The feed lacks its highest row but names it in `last_seq`: a change that landed
    /// between the server's two queries.
    FeedRace,
    /// Half of the body, then an XML error, then nothing.
    ErrorInside,
}

impl Fault {
    /// Whether it concerns the reading of a request's body.
    const fn is_early(&self) -> bool {
        matches!(self, Self::CutRequest(_) | Self::StallRequest(_))
    }
}

/// When a [`Fault`] happens.
#[derive(Clone, Debug)]
pub struct Rule {
    action: Option<String>,
    path: Option<String>,
    skip: u64,
    times: u64,
    fault: Fault,
}

impl Rule {
    /// The next request of any kind meets this fault, once.
    #[must_use]
    pub const fn new(fault: Fault) -> Self {
        Self {
            action: None,
            path: None,
            skip: 0,
            times: 1,
            fault,
        }
    }

    /// The next request of this action meets the fault, once.
    #[must_use]
    pub fn on(action: &str, fault: Fault) -> Self {
        Self {
            action: Some(action.to_owned()),
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
    pub const fn times(mut self, times: u64) -> Self {
        self.times = times;
        self
    }

    /// Until the rules are cleared.
    #[must_use]
    pub const fn always(self) -> Self {
        self.times(u64::MAX)
    }

    fn matches(&self, action: &str, path: &str) -> bool {
        self.action.as_ref().is_none_or(|wanted| wanted == action)
            && self
                .path
                .as_ref()
                .is_none_or(|wanted| glob(wanted.as_bytes(), path.as_bytes()))
    }
}

/// The rules that are left.
#[derive(Default)]
pub(super) struct Faults(Mutex<Vec<Rule>>);

impl Faults {
    pub(super) fn add(&self, rule: Rule) {
        self.lock().push(rule);
    }

    pub(super) fn clear(&self) {
        self.lock().clear();
    }

    /// Counts this request and tells what happens to it: the oldest rule that is due.
    pub(super) fn meet(&self, action: &str, path: &str) -> Option<Fault> {
        self.take(action, path, |fault| !fault.is_early())
    }

    /// The same, before the body is read: only what concerns the reading of it.
    pub(super) fn meet_early(&self, action: &str, path: &str) -> Option<Fault> {
        self.take(action, path, Fault::is_early)
    }

    fn take(&self, action: &str, path: &str, kind: impl Fn(&Fault) -> bool) -> Option<Fault> {
        let mut rules = self.lock();
        let mut due = None;
        for (at, rule) in rules.iter_mut().enumerate() {
            if !kind(&rule.fault) || !rule.matches(action, path) {
                continue;
            }
            if rule.skip > 0 {
                rule.skip -= 1;
            } else if due.is_none() {
                due = Some(at);
            }
        }
        let at = due?;
        let rule = &mut rules[at];
        rule.times = rule.times.saturating_sub(1);
        let fault = rule.fault.clone();
        rules.retain(|rule| rule.times > 0);
        Some(fault)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Rule>> {
        self.0
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
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

    #[test]
    fn a_rule_applies_from_its_nth_request_on_and_as_often_as_it_says() {
        let faults = Faults::default();
        faults.add(
            Rule::on("upload", Fault::Html)
                .path("/a/*.txt")
                .nth(2)
                .times(2),
        );
        let met: Vec<bool> = [
            ("upload", "/a/x.txt"),
            ("upload", "/b/x.txt"),
            ("stat", "/a/x.txt"),
            ("upload", "/a/y.txt"),
            ("upload", "/a/z.txt"),
            ("upload", "/a/z.txt"),
        ]
        .into_iter()
        .map(|(action, path)| faults.meet(action, path).is_some())
        .collect();
        assert_eq!(met, [false, false, false, true, true, false]);
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
