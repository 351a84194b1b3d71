//! Copies of states, kept for a while, so that pages of a snapshot fit together.
//!
//! In: a state that a job's loop copied. Out: pages. Invariants: one copy a job; it
//! goes a minute after its last use. A second subscriber gets the copy of the first,
//! since the journal leads on from any event. Deliberately absent: writing.

use super::fault::{Fault, NO_SNAPSHOT, NOT_RUNNING};
use crate::daemon::stream::messages::kind_word;
use crate::daemon::stream::status::halt;
use crate::daemon::supervisor::View;
use journal_format::value::{Digest, Timestamp};
use serde_json::{Value, json};
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;
use sync_core::state::State;
use sync_core::view::{self, Held, NodeView};

/// The copies that are kept, by job.
#[derive(Default)]
pub(super) struct Copies {
    kept: RefCell<BTreeMap<String, Rc<Copy>>>,
    count: Cell<u64>,
}

/// One state, and what it is called.
pub(super) struct Copy {
    job: String,
    journal: String,
    name: String,
    state: Box<State>,
    used: Cell<Timestamp>,
}

impl Copies {
    /// Drops what was not used for long. Returns when to look again.
    pub(super) fn expire(&self, now: Timestamp) -> Option<Timestamp> {
        let mut kept = self.kept.borrow_mut();
        kept.retain(|_, copy| copy.expires() > now && copy.used.get() <= now);
        kept.values().map(|copy| copy.expires()).min()
    }

    /// Returns the copy of a job, if it is of the journal that is open now.
    pub(super) fn of(&self, view: &View, now: Timestamp) -> Option<Rc<Copy>> {
        self.expire(now);
        let journal = view.journal()?.reader.id();
        let kept = self.kept.borrow();
        let copy = kept.get(&view.spec.id)?;
        copy.used.set(now);
        (copy.journal == journal).then(|| Rc::clone(copy))
    }

    /// Keeps a new copy.
    pub(super) fn keep(
        &self,
        view: &View,
        state: Box<State>,
        now: Timestamp,
    ) -> Result<Rc<Copy>, Fault> {
        let open = view.journal();
        let open = open.ok_or_else(|| Fault::new(NOT_RUNNING, "the job ended meanwhile"))?;
        self.count.set(self.count.get() + 1);
        let job = view.spec.id.clone();
        let copy = Rc::new(Copy {
            name: format!("{job}-{}-{}", state.seq, self.count.get()),
            journal: open.reader.id(),
            job: job.clone(),
            state,
            used: Cell::new(now),
        });
        self.kept.borrow_mut().insert(job, Rc::clone(&copy));
        Ok(copy)
    }

    /// Finds a copy by the name that its first page told.
    pub(super) fn named(&self, view: &View, name: &str, now: Timestamp) -> Result<Rc<Copy>, Fault> {
        self.expire(now);
        let kept = self.kept.borrow();
        let copy = kept.get(&view.spec.id).filter(|copy| copy.name == name);
        let copy = copy.ok_or_else(|| {
            Fault::new(
                NO_SNAPSHOT,
                "that snapshot is not kept any more; begin again",
            )
        })?;
        copy.used.set(now);
        Ok(Rc::clone(copy))
    }
}

impl Copy {
    fn expires(&self) -> Timestamp {
        self.used.get().plus_millis(KEPT_MS)
    }

    /// One page of nodes.
    pub(super) fn page(&self, from: usize) -> Value {
        let (nodes, next) = view::page(&self.state, from, PAGE_NODES);
        json!({
            "job": self.job,
            "journal": self.journal,
            "seq": self.state.seq.0,
            "snapshot": self.name,
            "next": next,
            "open": self.state.open.keys().map(|id| id.0).collect::<Vec<_>>(),
            "halt": self.state.halt.as_ref().map(halt),
            "nodes": nodes.iter().map(node).collect::<Vec<_>>(),
        })
    }
}

fn node(node: &NodeView) -> Value {
    let [local, remote] = &node.sides;
    json!({
        "kind": kind_word(node.kind),
        "local": local.as_ref().map(held),
        "remote": remote.as_ref().map(held),
        "unknown": node.unknown.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "in_sync": node.in_sync,
        "conflict": node.conflict.map(|seq| seq.0),
    })
}

fn held(held: &Held) -> Value {
    json!({
        "path": held.path.as_str(),
        "size": held.size,
        "digest": held.digest.as_ref().map(Digest::to_string),
    })
}

/// How long a copy is kept after its last use, in ms.
const KEPT_MS: i64 = 60_000;
/// Nodes in a page.
const PAGE_NODES: usize = 500;
