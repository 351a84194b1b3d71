//! When all is quiet, both sides show the same.
//!
//! In: a quiet world. Out: the first path that differs. Names are compared after
//! normalisation, since each side keeps its own bytes. Left out, with all below
//! them, are the documented problems: excluded names, pipes, links where the remote
//! holds none, names that are one name on a side or after normalisation; and then
//! directories that live on only because of such an entry in them. Where such a
//! problem (other than an excluded name) stands at a name that the other side wants
//! too, whatever waits for that name stays where it is, and whatever waits for that
//! in turn: then nothing is compared. Times and inode numbers are not compared.

use super::Verdict;
use crate::world::State;
use crate::world::disk::{Body, Folding, Node, composed, is_excluded, key};
use journal_format::value::{RelPath, Side};
use std::collections::{BTreeMap, BTreeSet};

/// What is shown under a normalised path.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Shown {
    Directory,
    Content(String),
    Link(String),
}

/// Judges a quiet world.
///
/// # Errors
/// Names the first difference.
pub fn check(state: &State) -> Verdict {
    let mut out: BTreeSet<String> = BTreeSet::new();
    for side in Side::BOTH {
        out.extend(left_out(state, side));
    }
    if is_anything_blocked(state) {
        return Ok(());
    }
    let [local, remote] = Side::BOTH.map(|side| shown(state, side, &out));
    let names: BTreeSet<&String> = local.keys().chain(remote.keys()).collect();
    for name in names {
        let (here, there) = (local.get(name), remote.get(name));
        let holder = matches!(
            (here, there),
            (Some(Shown::Directory), None) | (None, Some(Shown::Directory))
        );
        let excused = holder && out.iter().any(|path| path.starts_with(&format!("{name}/")));
        if here != there && !excused {
            return Err(format!(
                "converged: {name:?} is {here:?} locally and {there:?} remotely"
            ));
        }
    }
    Ok(())
}

/// Tells whether a problem stands at a name that is in use elsewhere.
#[must_use]
pub fn is_anything_blocked(state: &State) -> bool {
    Side::BOTH.iter().any(|side| is_blocked(state, *side))
}

fn shown(state: &State, side: Side, out: &BTreeSet<String>) -> BTreeMap<String, Shown> {
    let nodes = &state.disk(side).live.nodes;
    let paths = state.visible_paths(side).into_iter();
    paths
        .map(|(path, id)| (composed(path.as_str()), id))
        .filter(|(name, _)| !is_left_out(name, out, state))
        .filter_map(|(name, id)| {
            let shown = match &nodes.get(&id)?.body {
                Body::Directory(_) => Shown::Directory,
                Body::File(data) => Shown::Content(String::from_utf8_lossy(data).into_owned()),
                Body::Link(target) => Shown::Link(target.clone()),
                Body::Pipe => return None,
            };
            Some((name, shown))
        })
        .collect()
}

fn is_left_out(name: &str, out: &BTreeSet<String>, state: &State) -> bool {
    let folding = folding(state);
    let mut at = String::new();
    name.split('/').any(|part| {
        if !at.is_empty() {
            at.push('/');
        }
        at.push_str(part);
        let wanted = key(&at, folding);
        out.iter().any(|path| key(path, folding) == wanted)
    })
}

/// Tells whether a problem of a side stands at a name that is in use elsewhere.
fn is_blocked(state: &State, side: Side) -> bool {
    let folding = folding(state);
    let of = |side| state.visible_paths(side).into_iter();
    let keys: Vec<String> = of(side)
        .chain(of(side.other()))
        .map(|(path, _)| key(path.as_str(), folding))
        .collect();
    let uses = |name: &String| {
        keys.iter()
            .filter(|other| **other == key(name, folding))
            .count()
    };
    let is_filtered = |name: &str| name.split('/').any(is_excluded);
    let problems = left_out(state, side);
    // A name that is filtered on one side only by its case is no problem over there.
    let others = state.visible_paths(side.other());
    let has_other_case = |name: &String| {
        let wanted = key(name, folding);
        let mut others = others.iter().map(|(path, _)| path.as_str());
        others.any(|path| !is_filtered(path) && key(path, folding) == wanted)
    };
    let has_taken = |name: &String| {
        if is_filtered(name) {
            has_other_case(name)
        } else {
            uses(name) > 1
        }
    };
    problems
        .iter()
        .any(|name| has_taken(name) || is_holder_in_the_way(state, side, name))
}

/// Tells whether a directory that lives on for a problem below it stands where the
/// other side has something of another kind.
fn is_holder_in_the_way(state: &State, side: Side, problem: &str) -> bool {
    let folding = folding(state);
    let other = side.other();
    let files: BTreeSet<String> = state
        .visible_paths(other)
        .into_iter()
        .filter(|(_, id)| {
            let node = state.disk(other).live.nodes.get(id);
            node.is_some_and(|node| !matches!(node.body, Body::Directory(_)))
        })
        .map(|(path, _)| key(path.as_str(), folding))
        .collect();
    let ends = problem.match_indices('/').map(|(end, _)| end);
    ends.into_iter()
        .any(|end| files.contains(&key(&problem[..end], folding)))
}

/// Returns the normalised paths of a side's documented problems.
fn left_out(state: &State, side: Side) -> Vec<String> {
    let nodes = &state.disk(side).live.nodes;
    let paths = state.visible_paths(side);
    let mut spelled: BTreeMap<String, usize> = BTreeMap::new();
    for (path, _) in &paths {
        *spelled
            .entry(key(path.as_str(), folding(state)))
            .or_default() += 1;
    }
    let is_problem = |path: &RelPath, node: &Node| {
        let twins = spelled.get(&key(path.as_str(), folding(state))).copied();
        let odd = match node.body {
            Body::Pipe => true,
            Body::Link(_) => !state.remote_options().symlinks,
            Body::File(_) | Body::Directory(_) => false,
        };
        odd || twins > Some(1) || path.name().is_some_and(is_excluded)
    };
    paths
        .iter()
        .filter(|(path, id)| nodes.get(id).is_some_and(|node| is_problem(path, node)))
        .map(|(path, _)| composed(path.as_str()))
        .collect()
}

/// Returns when two names are one for the pair: always after normalisation, and
/// in case where the remote cannot hold both.
fn folding(state: &State) -> Folding {
    Folding {
        case: state.disk(Side::Remote).options.fold_case,
        norm: true,
    }
}
