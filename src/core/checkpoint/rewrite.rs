//! A state in which names are others.
//!
//! In: a state, what stands for what. Out: the state that the same events fold to under
//! those names. Invariant: nothing that names a person's things is carried over unasked:
//! a new part of the state is decided here. Watched by `proptests/tests/redact.rs`.
//! Deliberately absent: which names they become.

use super::image::{Header, NodeImage};
use crate::state::State;
use crate::tree::{NodeId, Restoring, Tree};
use journal_format::event::{Fact, Operation};
use journal_format::value::{Digest, Identity, RelPath, Side};
use std::collections::BTreeMap;

/// What stands for what.
pub trait Rewrite {
    /// Returns what stands for one name of a path.
    fn name(&self, name: &str) -> String;
    /// Returns what stands for a remote version, which is not empty.
    fn version(&self, version: &str) -> String;
    /// Returns what stands for an identity.
    fn identity(&self, identity: Identity) -> Identity;
    /// Returns what stands for a content hash.
    fn digest(&self, digest: &Digest) -> Digest;
    /// Returns what stands for a path; nothing if that would be too long.
    fn path(&self, path: &RelPath) -> Option<RelPath>;
    /// Returns what stands for an operation; nothing if a path would be too long.
    fn operation(&self, operation: &Operation) -> Option<Operation>;
    /// Returns what stands for a job's id.
    fn job(&self, job: &str) -> String;
    /// Returns what stands for a job's label.
    fn label(&self, label: &str) -> String;
    /// Returns what stands for a root's id.
    fn marker(&self, marker: &str) -> String;
    /// Returns what stands for a feed's cursor.
    fn cursor(&self, cursor: &str) -> String;
    /// Returns what stands for a fact about the remote.
    fn fact(&self, fact: &Fact) -> Fact;
}

/// Returns the state under other names; nothing if a path would be too long.
#[must_use]
pub fn rewritten(state: &State, to: &dyn Rewrite) -> Option<State> {
    let tree = &state.tree;
    let ids = super::by_age(tree);
    let places = super::places(tree, &ids);
    let mut header = Header::of(state, ids.len());
    header.rewrite(to)?;
    let mut restoring = Restoring::begin(header.fold_case, ids.len());
    let mentioned = header.mentioned();
    let mut uids = BTreeMap::from([(0, NodeId::ROOT)]);
    for id in ids.iter().skip(1) {
        check_length(tree, *id, to)?;
        let image = NodeImage::of(tree, *id, &places).rewritten(to);
        let uid = image.uid;
        let id = image.restore(&mut restoring)?;
        if mentioned.contains(&uid) {
            uids.insert(uid, id);
        }
    }
    let tree = restoring.finish(header.next_uid)?;
    header.restore(tree, &uids)
}

/// A path that gets too long has no form in any event.
fn check_length(tree: &Tree, id: NodeId, to: &dyn Rewrite) -> Option<()> {
    for side in Side::BOTH {
        if let Some(path) = tree.path(side, id) {
            to.path(&path)?;
        }
    }
    Some(())
}
