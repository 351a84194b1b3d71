//! What goes wrong on purpose.
//!
//! In: nothing. Out: names for it. Invariant: each says whether the server did its part
//! before. Deliberately absent: with which request, which is a rule's (`rules`). The next
//! one: a variant of [`Fault`], and its place in `serve`.

use std::path::PathBuf;
use std::time::Duration;

use crate::rules::Mishap;

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
    /// A file appears on the server's disk, right before the server does its part.
    Appear(PathBuf),
    /// 401, as with a wrong password.
    Unauthorized,
    /// The feed lacks its highest row but names it in `last_seq`: a change that landed
    /// between the server's two queries.
    FeedRace,
    /// Half of the body, then an XML error, then nothing.
    ErrorInside,
}

impl Mishap for Fault {
    fn is_early(&self) -> bool {
        matches!(self, Self::CutRequest(_) | Self::StallRequest(_))
    }
}

/// When a [`Fault`] happens: the word of a request is its action.
pub type Rule = crate::rules::Rule<Fault>;
