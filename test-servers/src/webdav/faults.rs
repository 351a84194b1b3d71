//! What goes wrong on purpose, and with which request.
//!
//! In: rules. Out: the fault of a request, if one applies. Invariant: a rule applies as
//! often as it says and is then gone, so a test knows what it will meet. Deliberately
//! absent: chance; a caller that wants it draws the numbers itself. The next one: a
//! variant of [`Fault`], and its place in `serve` (bytes) or `propfind` (listings).

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// One thing that goes wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// This status and an HTML page, before anything is done.
    Status(u16),
    /// The same before the body is read, and the connection ends.
    EarlyStatus(u16),
    /// This status with `Retry-After` (seconds), before anything is done.
    RetryAfter(u16, u64),
    /// This status with an HTML page, after everything was done.
    StatusAfter(u16),
    /// A login page with status 200, before anything is done.
    Html,
    /// Status 207 with the login page, before anything is done.
    HtmlMultistatus,
    /// This status with this `Location`, before anything is done.
    Redirect(u16, String),
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
    /// The same with an answer whose length was not announced.
    CutChunked(u64),
    /// That many bytes of the answer's body, and a header that says that this is all.
    Truncate(u64),
    /// Nothing comes after that many bytes of the answer's body, for ever.
    StallBody(u64),
    /// The answer's body comes in pieces of so many bytes with pauses between.
    Drip(usize, Duration),
    /// The answer comes that much later.
    Delay(Duration),
    /// The answer is said to be compressed, and is not.
    FalseGzip,
    /// Somebody else writes this to the path after everything was done, before the answer
    /// leaves.
    Overtaken(Vec<u8>),
    /// `ETag`, `OC-ETag` and `Last-Modified` are missing in the answer.
    NoVersion,
    /// The answer has another ETag than what it carries.
    WrongEtag,
    /// A listing has only the folder itself.
    EmptyListing,
    /// A listing lacks the folder itself.
    NoSelf,
    /// A listing has each child twice.
    Twice,
    /// In a listing, the child of this name has this status and no properties.
    ChildStatus(String, u16),
    /// In a listing, the child of this name lacks these properties; they are neither
    /// there nor told to be missing.
    ChildLacks(String, Vec<String>),
    /// In a listing, the child of this name has its properties under this status.
    ChildPropstat(String, u16),
    /// In a listing, the child of this name is called this.
    ChildHref(String, String),
    /// In a listing, these bytes stand before the end of the document.
    Inserted(String),
    /// In a listing, a child's ETag is this.
    ChildEtag(String, String),
}

impl Fault {
    /// Whether it concerns the reading of a request's body.
    const fn is_early(&self) -> bool {
        matches!(
            self,
            Self::CutRequest(_) | Self::StallRequest(_) | Self::EarlyStatus(_)
        )
    }
}

/// When a [`Fault`] happens.
#[derive(Clone, Debug)]
pub struct Rule {
    method: Option<String>,
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
            method: None,
            path: None,
            skip: 0,
            times: 1,
            fault,
        }
    }

    /// The next request with this method meets the fault, once.
    #[must_use]
    pub fn on(method: &str, fault: Fault) -> Self {
        Self {
            method: Some(method.to_owned()),
            ..Self::new(fault)
        }
    }

    /// Only requests about a path that matches (`*` any characters, `?` one); see
    /// [`super::Entry::path`] for what paths are.
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

    fn matches(&self, method: &str, path: &str) -> bool {
        self.method.as_ref().is_none_or(|wanted| wanted == method)
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
    pub(super) fn meet(&self, method: &str, path: &str) -> Option<Fault> {
        self.take(method, path, |fault| !fault.is_early())
    }

    /// The same, before the body is read: only what concerns the reading of it.
    pub(super) fn meet_early(&self, method: &str, path: &str) -> Option<Fault> {
        self.take(method, path, Fault::is_early)
    }

    fn take(&self, method: &str, path: &str, kind: impl Fn(&Fault) -> bool) -> Option<Fault> {
        let mut rules = self.lock();
        let mut due = None;
        for (at, rule) in rules.iter_mut().enumerate() {
            if !kind(&rule.fault) || !rule.matches(method, path) {
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

    fn lock(&self) -> MutexGuard<'_, Vec<Rule>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

type Call = Box<dyn FnOnce() + Send>;

/// What happens right before requests are answered.
#[derive(Default)]
pub(super) struct Hooks(Mutex<Vec<(Rule, Call)>>);

impl Hooks {
    pub(super) fn add(&self, rule: Rule, call: Call) {
        self.lock().push((rule, call));
    }

    /// Does what is due before this request, once.
    pub(super) fn meet(&self, method: &str, path: &str) {
        let mut hooks = self.lock();
        let due = hooks
            .iter()
            .position(|(rule, _)| rule.matches(method, path));
        let call = due.map(|at| hooks.remove(at).1);
        drop(hooks);
        if let Some(call) = call {
            call();
        }
    }

    fn lock(&self) -> MutexGuard<'_, Vec<(Rule, Call)>> {
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

    #[test]
    fn a_rule_applies_from_its_nth_request_on_and_as_often_as_it_says() {
        let faults = Faults::default();
        faults.add(Rule::on("PUT", Fault::Html).path("/a/*").nth(2).times(2));
        let met: Vec<bool> = [
            ("PUT", "/a/x"),
            ("PUT", "/b/x"),
            ("GET", "/a/x"),
            ("PUT", "/a/y"),
            ("PUT", "/a/z"),
            ("PUT", "/a/z"),
        ]
        .into_iter()
        .map(|(method, path)| faults.meet(method, path).is_some())
        .collect();
        assert_eq!(met, [false, false, false, true, true, false]);
    }
}
