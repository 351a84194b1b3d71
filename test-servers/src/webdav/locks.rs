//! LOCK and UNLOCK, and who is kept out by them.
//!
//! In: calls, paths. Out: answers, 423. Invariant: a change of what is locked needs the
//! token in `If` or `Lock-Token`. Deliberately absent: shared locks and time-outs.

use std::collections::BTreeMap;

use super::answer::{Answer, DECLARATION};
use super::call::Call;

/// Locks by path, each with its token.
#[derive(Default)]
pub(super) struct Locks {
    held: BTreeMap<Vec<String>, String>,
    count: u64,
}

impl Locks {
    /// Locks a path and returns the token, or nothing if somebody has it.
    pub(super) fn take(&mut self, path: &[String]) -> Option<String> {
        if self.held.contains_key(path) {
            return None;
        }
        self.count += 1;
        let token = format!("opaquelocktoken:{:032x}", self.count);
        self.held.insert(path.to_vec(), token.clone());
        Some(token)
    }

    pub(super) fn release(&mut self, path: &[String]) {
        self.held.remove(path);
    }

    /// Whether this call may not change a path: it, what is above, or for a folder what
    /// is below is locked by another.
    pub(super) fn keeps_out(&self, call: &Call, path: &[String]) -> bool {
        let shown = [call.header("if"), call.header("lock-token")];
        self.held.iter().any(|(locked, token)| {
            let touches = path.starts_with(locked) || locked.starts_with(path);
            touches && !shown.iter().flatten().any(|text| text.contains(token))
        })
    }

    /// Answers LOCK; the path is there or was made.
    pub(super) fn lock(&mut self, path: &[String], is_new: bool) -> Answer {
        let Some(token) = self.take(path) else {
            return Answer::status(423);
        };
        let body = format!(
            "{DECLARATION}\n<D:prop xmlns:D=\"DAV:\"><D:lockdiscovery><D:activelock>\
             <D:locktype><D:write/></D:locktype><D:lockscope><D:exclusive/></D:lockscope>\
             <D:depth>infinity</D:depth><D:timeout>Second-3600</D:timeout><D:locktoken>\
             <D:href>{token}</D:href></D:locktoken></D:activelock></D:lockdiscovery></D:prop>"
        );
        Answer::empty(if is_new { 201 } else { 200 })
            .with("Content-Type", "application/xml; charset=utf-8")
            .with("Lock-Token", format!("<{token}>"))
            .body(body)
    }

    /// Answers UNLOCK.
    pub(super) fn unlock(&mut self, call: &Call, path: &[String]) -> Answer {
        let shown = call.header("lock-token").unwrap_or("");
        match self.held.get(path) {
            Some(token) if shown.contains(token.as_str()) => {
                self.held.remove(path);
                Answer::empty(204)
            }
            _ => Answer::status(409),
        }
    }
}
