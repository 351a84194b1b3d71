//! When all is quiet, both sides show the same.
//!
//! In: a quiet world. Out: the first path that differs. Names are compared after
//! normalisation, since each side keeps its own bytes. Left out, with all below
//! them, are the documented problems: excluded names, pipes, links where the remote
//! holds none, names that are one name on a side or after normalisation; and then
//! directories that live on only because of such an entry in them. Where such a
//! problem (other than an excluded name) stands at a name that the other side wants
//! too, what waits for that name stays where it is, and what waits for that in turn,
//! or for the name of a directory that it keeps. So does what is known to be where a pipe
//! or such a link is over there, or below it: it is neither seen nor proven to be gone,
//! wherever it was moved over here.
//! Which path over there belongs to a waiting path over here the program must know:
//! it has them as one node that is not in step. Times and inode numbers are not
//! compared.

use super::Verdict;
use crate::system::System;
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
pub fn check(state: &State, system: &dyn System) -> Verdict {
    let folding = folding(state);
    let problems = Side::BOTH.map(|side| left_out(state, side));
    let out: BTreeSet<String> = problems
        .iter()
        .flatten()
        .map(|it| key(it, folding))
        .collect();
    let mut waits = blocked(state);
    if problems.iter().any(|side| !side.is_empty()) {
        match system.unsettled(&state.journal.records) {
            Some(unsettled) => {
                waits.extend(blocked_in_moved(state, &problems, &unsettled));
                waits.extend(hidden_over_there(state, &unsettled));
                waits = waiting(state, waits, &unsettled);
            }
            None if waits.is_empty() => {}
            None => return Ok(()),
        }
    }
    let [local, remote] = Side::BOTH.map(|side| shown(state, side));
    let names: BTreeSet<&String> = local.keys().chain(remote.keys()).collect();
    for name in names {
        let (here, there) = (local.get(name), remote.get(name));
        let wanted = key(name, folding);
        let holder = matches!(
            (here, there),
            (Some(Shown::Directory), None) | (None, Some(Shown::Directory))
        );
        let is_below = |path: &String| path.starts_with(&format!("{wanted}/"));
        let is_excused = is_within(&wanted, &out)
            || is_within(&wanted, &waits)
            || holder && out.iter().chain(&waits).any(is_below);
        if here != there && !is_excused {
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
    !blocked(state).is_empty()
}

/// Returns the directories above a path.
fn above(path: &str) -> impl Iterator<Item = String> + '_ {
    path.match_indices('/')
        .map(|(end, _)| path[..end].to_owned())
}

/// Finds what waits for blocked names, for what waits for them, and so on. What waits
/// in a directory keeps it, and so the name of that.
fn waiting(
    state: &State,
    blocked: BTreeSet<String>,
    unsettled: &[[Option<RelPath>; 2]],
) -> BTreeSet<String> {
    let folding = folding(state);
    let named = |path: &RelPath| key(&composed(path.as_str()), folding);
    let nodes: Vec<[Option<String>; 2]> = unsettled
        .iter()
        .map(|places| places.each_ref().map(|place| place.as_ref().map(named)))
        .collect();
    let over_there = Side::BOTH.map(|side| no_directories(state, side.other()));
    let mut waits = blocked;
    loop {
        let before = waits.len();
        for places in &nodes {
            let known = places.iter().flatten();
            if !known.clone().any(|place| is_within(place, &waits)) {
                continue;
            }
            waits.extend(known.cloned());
            for (place, others) in places.iter().zip(&over_there) {
                let above = place.iter().flat_map(|place| above(place));
                waits.extend(above.filter(|directory| others.contains(directory)));
            }
        }
        if waits.len() == before {
            return waits;
        }
    }
}

/// Finds the names at which a problem stands in a directory that has another name over
/// there, and holds something there that wants the problem's name.
fn blocked_in_moved(
    state: &State,
    problems: &[Vec<String>; 2],
    unsettled: &[[Option<RelPath>; 2]],
) -> BTreeSet<String> {
    let folding = folding(state);
    let named = |path: &RelPath| key(&composed(path.as_str()), folding);
    let mut found = BTreeSet::new();
    for (here, there) in [(0, 1), (1, 0)] {
        let visible = state.visible_paths(Side::BOTH[there]).into_iter();
        let visible: BTreeSet<String> = visible.map(|(path, _)| named(&path)).collect();
        for places in unsettled {
            let (Some(one), Some(other)) = (&places[here], &places[there]) else {
                continue;
            };
            let top = format!("{}/", named(one));
            for problem in problems[here].iter().map(|name| key(name, folding)) {
                let Some(rest) = problem.strip_prefix(&top) else {
                    continue;
                };
                let wanted = format!("{}/{rest}", named(other));
                if visible.contains(&wanted) {
                    found.extend([wanted, problem]);
                }
            }
        }
    }
    found
}

/// Finds where over here that is whose place over there is at or below a pipe, or a link
/// where the remote holds none.
fn hidden_over_there(state: &State, unsettled: &[[Option<RelPath>; 2]]) -> BTreeSet<String> {
    let folding = folding(state);
    let named = |path: &RelPath| key(&composed(path.as_str()), folding);
    let mut found = BTreeSet::new();
    for (here, there) in [(0, 1), (1, 0)] {
        let nodes = &state.disk(Side::BOTH[there]).live.nodes;
        let visible = state.visible_paths(Side::BOTH[there]).into_iter();
        let odd: BTreeSet<String> = visible
            .filter(|(_, id)| nodes.get(id).is_some_and(|node| is_odd(state, node)))
            .map(|(path, _)| named(&path))
            .collect();
        let is_hidden = |place: &RelPath| is_within(&named(place), &odd);
        let hidden = unsettled
            .iter()
            .filter(|places| places[there].as_ref().is_some_and(is_hidden));
        found.extend(hidden.filter_map(|places| places[here].as_ref()).map(named));
    }
    found
}

/// Tells whether a path, or one above it, is among some.
fn is_within(path: &str, paths: &BTreeSet<String>) -> bool {
    let ends = path.match_indices('/').map(|(end, _)| end);
    ends.chain([path.len()])
        .any(|end| paths.contains(&path[..end]))
}

fn shown(state: &State, side: Side) -> BTreeMap<String, Shown> {
    let nodes = &state.disk(side).live.nodes;
    let paths = state.visible_paths(side).into_iter();
    paths
        .map(|(path, id)| (composed(path.as_str()), id))
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

/// Finds the names at which a problem stands that are in use elsewhere.
fn blocked(state: &State) -> BTreeSet<String> {
    let found = Side::BOTH
        .into_iter()
        .flat_map(|side| blocked_by(state, side));
    found.collect()
}

fn blocked_by(state: &State, side: Side) -> Vec<String> {
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
    let taken = problems.iter().filter(|name| has_taken(name));
    let taken = taken.map(|name| key(name, folding));
    let held = problems
        .iter()
        .flat_map(|name| held_in_the_way(state, side, name));
    taken.chain(held).collect()
}

/// Finds the directories that live on for a problem below them where the other side
/// has something of another kind.
fn held_in_the_way(state: &State, side: Side, problem: &str) -> Vec<String> {
    let folding = folding(state);
    let files = no_directories(state, side.other());
    above(problem)
        .map(|directory| key(&directory, folding))
        .filter(|name| files.contains(name))
        .collect()
}

/// Returns where a side has something else than a directory.
fn no_directories(state: &State, side: Side) -> BTreeSet<String> {
    let folding = folding(state);
    let nodes = &state.disk(side).live.nodes;
    let is_other = |id| {
        let node = nodes.get(&id);
        node.is_some_and(|node| !matches!(node.body, Body::Directory(_)))
    };
    let paths = state.visible_paths(side).into_iter();
    paths
        .filter(|(_, id)| is_other(*id))
        .map(|(path, _)| key(path.as_str(), folding))
        .collect()
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
        is_odd(state, node) || twins > Some(1) || path.name().is_some_and(is_excluded)
    };
    paths
        .iter()
        .filter(|(path, id)| nodes.get(id).is_some_and(|node| is_problem(path, node)))
        .map(|(path, _)| composed(path.as_str()))
        .collect()
}

/// Tells whether a node can be no version of a file or directory.
fn is_odd(state: &State, node: &Node) -> bool {
    match node.body {
        Body::Pipe => true,
        Body::Link(_) => !state.remote_options().symlinks,
        Body::File(_) | Body::Directory(_) => false,
    }
}

/// Returns when two names are one for the pair: always after normalisation, and
/// in case where the remote cannot hold both.
fn folding(state: &State) -> Folding {
    Folding {
        case: state.disk(Side::Remote).options.fold_case,
        norm: true,
    }
}
