//! What goes wrong on purpose, and what is done right before an answer.
//!
//! In: nothing. Out: names for faults; calls that were asked for. Invariant: each fault
//! says whether the server did its part before; a call is made once. Deliberately absent:
//! with which request, which is a rule's (`rules`). The next fault: a variant of
//! [`Fault`], and its place in `serve` (bytes) or `propfind` (listings).

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::rules::Mishap;

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
    /// This status with an HTML page; what was asked for is done when a hand says so, as by
    /// a server behind a proxy that lost patience.
    Late(u16),
    /// A login page with status 200, before anything is done.
    Html,
    /// The same without its length, breaking off after that many bytes.
    HtmlCut(u64),
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

impl Mishap for Fault {
    fn is_early(&self) -> bool {
        matches!(
            self,
            Self::CutRequest(_) | Self::StallRequest(_) | Self::EarlyStatus(_)
        )
    }
}

/// When a [`Fault`] happens: the word of a request is its method; see
/// [`super::Entry::path`] for what paths are.
pub type Rule = crate::rules::Rule<Fault>;

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
            // It may wait for other requests: one that came to this thread would never be
            // served.
            tokio::task::block_in_place(call);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Vec<(Rule, Call)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
